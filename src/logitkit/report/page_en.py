"""The page's words in English: HTML with {placeholders}. The keys are those of `page_zh`."""

from __future__ import annotations

from logitkit.report.page_markup import Language

__all__ = ["ENGLISH"]

ENGLISH = Language(
    code="en",
    tag="en",
    percent_sign="\u00a0%",
    words={
        # numbers with their nouns
        "paragraph.one": "{n} held-out paragraph",
        "paragraph.many": "{n} held-out paragraphs",
        "other.one": "{n} other word",
        "other.many": "{n} other words",
        "pass.one": "{n} pass",
        "pass.many": "{n} passes",
        # the verdict
        "head.kicker": "A classifier that learnt from real news reads one sentence:",
        "head.verdict": "{label}, {percent}",
        "head.none": "No answer",
        "head.nearest": "The nearest class is {label}, with {percent}. It gives no answer because {reason}.",
        "reason.confident": "confident",
        "reason.below threshold": "its probability is below the threshold",
        "reason.no known words": "no word of the sentence is known",
        "sure.certain": "It is nearly certain.",
        "sure.sure": "It is fairly sure.",
        "sure.leaning": "It leans this way, but is far from sure.",
        "sure.unsure": "It hardly knows: this is only the likeliest of {classes} classes.",
        "head.near": "It was about this sure ({lower} to {upper}) of {count}, and right about {right}: {share}.",
        "head.few": "With so few, the true share may lie anywhere from {low} to {high}.",
        "head.untested": "No paragraph was held out, so nothing here says whether to believe it.",
        # words
        "words.title": "Which words moved it",
        "words.text": "The number under a word is what it adds to the logit of {label}. <span class='for'>Plus and a "
        "solid line</span> speak for the class, <span class='against'>minus and a dashed line</span> against it; the "
        "deeper the tint, the stronger. The weakest are left plain.",
        "words.title_for": "{word}: adds {value} to the logit of {label}",
        "words.exact": "Nothing here is estimated. The last layer is linear, so the words and the bias, which every "
        "text starts from, add up to the logit.",
        "words.caption": "What each word adds to the logits",
        "words.caption_some": "What each word adds to the {shown} largest of {classes} logits",
        "words.word": "word",
        "words.bias": "bias",
        "words.logit": "logit",
        # logits
        "logits.title": "Logits become probabilities",
        "logits.text": "A logit is a raw score: any number, positive or negative. Only the differences between logits "
        "count. Softmax turns them into probabilities, from 0 to 1 and with the sum 1. The order stays the same, so "
        "the largest logit is the decision already.",
        "logits.negative": "Here every logit is negative. That is no bad sign: add the same number to all of them, and "
        "the probabilities stay as they are.",
        "logits.logits": "Logits",
        "logits.probs": "Probabilities",
        "logits.shown": "The {shown} largest of {classes} classes.",
        # steps
        "steps.title": "Every step, with its numbers",
        "steps.text": "Divide the logits by the temperature, {temperature}. Subtract the largest. Take exp. Divide by "
        "the sum. To subtract the largest changes no probability, and keeps exp from overflowing however large the "
        "logits are.",
        "steps.caption": "This sentence",
        "steps.worked": "The worked example",
        "steps.class": "class",
        "steps.logit": "logit",
        "steps.exp": "exp",
        "steps.share": "÷\u00a0sum",
        "steps.shift": "−\u00a0max",
        "steps.sum": "sum",
        "steps.shown": "The {shown} largest of {classes} classes; the sums are over all.",
        "steps.example": "The example of the article “What are logits?”, which this library follows: the textbook’s "
        "way, without a temperature and without subtracting the largest.",
        "steps.rounded": "Adding the rounded terms gives {rounded}, as the article prints; the exact terms give "
        "{exact}.",
        "steps.same": "With the largest subtracted the terms are {terms} and their sum {total}; the probabilities are "
        "the same.",
        # belief
        "belief.title": "Can it be believed?",
        "belief.meaning": "A probability of {percent} is a forecast: of many texts about which the model says so, "
        "{percent} should turn out right. Whether that holds can be counted, on articles that training never saw.",
        "belief.counted": "Of paragraphs with a confidence from {lower} to {upper}, {share} were right ({right} of "
        "{count}); on average the model had said {mean}.",
        "belief.all": "Over all {count} it says {mean} on average and is right in {accuracy} of cases.",
        "verdict.believe": "<b>Its confidence can be believed:</b> it is off by {error} points on average.",
        "verdict.over": "<b>It is over-confident:</b> off by {error} points on average, mostly too high.",
        "verdict.under": "<b>It is under-confident:</b> off by {error} points on average, mostly too low.",
        "verdict.mixed": "<b>Its confidence is off</b> by {error} points on average, now too high and now too low.",
        "verdict.nothing": "<b>No paragraph was held out:</b> there is nothing to judge by.",
        "belief.diagram": "Reliability: confidence against the share that was right",
        "belief.note": "Each dot is one of {bins} bins of confidence. On the dashed diagonal, confidence is exactly "
        "right. The line through a dot shows where the true share may lie (95\u00a0%): the fewer paragraphs, the "
        "longer. The bars count them.",
        "belief.ring": "The ring marks the bin that this sentence falls into.",
        "belief.point": "confidence {mean}: {share} right, {count}",
        "belief.axis_x": "confidence, %",
        "belief.axis_y": "share that was right, %",
        "belief.axis_n": "paragraphs in each bin",
        "belief.numbers": "The diagram as a table",
        "belief.bin": "confidence",
        "belief.rows": "paragraphs",
        "belief.mean": "it said",
        "belief.right": "it was right",
        "scores.caption": "On articles that training never saw",
        "scores.measure": "measure",
        "scores.paragraphs": "by paragraph",
        "scores.articles": "as a whole",
        "scores.rows": "texts",
        "scores.accuracy": "accuracy<small>share of right answers</small>",
        "scores.macro_f1": "macro-F1<small>small classes count as much as large ones</small>",
        "scores.log_loss": "log loss<small>the lower, the better; punishes sure mistakes</small>",
        "scores.brier_score": "Brier score<small>the lower, the better; squared distance from the truth</small>",
        "scores.expected_calibration_error": "calibration error<small>mean gap between confidence and share that was "
        "right</small>",
        "temperature.text": "The temperature is one number that divides every logit. It was fitted on texts that the "
        "weights had not seen, and came out at {temperature}: {meaning}",
        "temperature.timid": "the raw logits were too timid, and dividing by less than 1 spreads them.",
        "temperature.bold": "the raw logits were too bold, and dividing by more than 1 draws them together.",
        "temperature.right": "the raw logits were about right.",
        "temperature.caption": "Before and after the temperature, on {n} paragraphs that were held out of the training "
        "articles for it; each half is judged with the temperature of the other",
        "temperature.before": "raw logits",
        "temperature.after": "÷ temperature",
        # errors
        "errors.title": "Where it goes wrong",
        "errors.classes": "Each class, on held-out paragraphs",
        "errors.classes_some": "The {shown} classes with the least F1, of {classes}, on held-out paragraphs",
        "errors.classes_whole": "Each class, on whole articles",
        "errors.classes_whole_some": "The {shown} classes with the least F1, of {classes}, on whole articles",
        "errors.support": "texts",
        "errors.predicted": "predicted",
        "errors.precision": "precision<small>%</small>",
        "errors.recall": "recall<small>%</small>",
        "errors.f1": "F1<small>%</small>",
        "errors.confusion": "What was taken for what: rows are the truth, columns the model’s answer",
        "errors.pairs": "The {shown} most frequent confusions",
        "errors.truth": "truth",
        "errors.answer": "answer",
        "errors.texts": "texts",
        "errors.none": "No class was taken for another.",
        "errors.unseen": "{n} texts have a label that training never saw. They count as errors.",
        "errors.infinite": "The log loss is infinite: {n} texts got the probability 0 for what was right.",
        "errors.whole": "The same for whole articles",
        "errors.explained": "<b>Precision</b>: of the texts given to a class, how many belong there. <b>Recall</b>: of "
        "the texts that belong there, how many were found. <b>F1</b> balances the two.",
        # training
        "training.title": "How it learnt",
        "training.text": "It read {paragraphs} paragraphs of {articles} articles ({classes}) in {passes} and learnt "
        "from {features} n-grams, which are short runs of words or letters.",
        "training.seconds": "Training took {seconds} seconds, with the choice of settings and the calibration.",
        "training.chosen": "Of {n} settings tried on held-out texts, the one with the least log loss was kept. "
        "Nothing was tuned to the sentence above.",
        "training.course": "The last training, from its first texts to its last. In a healthy course the loss falls, "
        "the gradient shrinks with it, and the logits grow and then settle.",
        "training.loss": "Loss",
        "training.gradient_norm": "Gradient norm",
        "training.logit_scale": "Scale of the logits",
        "training.axis": "Across: passes over the texts.",
        "training.from_to": "from {first} to {last} over {passes}",
        "training.no_course": "The course of the training was not recorded.",
        "training.warnings": "What to know",
        # corpus, and how to run it
        "corpus.title": "Where the news comes from",
        "corpus.classes": "Articles on business, politics and sport are News; those on entertainment and on technology "
        "are classes of their own.",
        "corpus.split": "After leaving out identical ones there were {articles} articles; {train} were learnt from. "
        "No article, and no version of one, is on both sides.",
        "run.title": "Run it yourself",
        "run.text": "<code>logitkit demo</code> makes this page, the model and a report for machines; "
        "<code>logitkit explain</code> asks the model about a sentence of yours; <code>logitkit softmax</code> shows "
        "the worked example.",
        "run.own": "Your own sentence.",
        "run.versions": "Made with {versions}.",
        "run.seconds": "Time: {parts}.",
        "run.part": "{part} {seconds} s",
        "part.reading": "reading",
        "part.training": "training",
        "part.evaluating": "judging",
        "part.explaining": "explaining",
    },
)
