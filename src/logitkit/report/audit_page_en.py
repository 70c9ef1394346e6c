"""What only the page of an audit says, in English. The keys are those of `audit_page_zh`."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    # the head
    "head.kicker": "Audit · {name}",
    "head.believe": "They can be believed",
    "head.over": "Over-confident",
    "head.under": "Under-confident",
    "head.mixed": "Now too sure, now not sure enough",
    "head.nothing": "Nothing to judge by",
    "head.other": "What these logits are worth",
    "notes.title": "What to know of the data",
    # reliability
    "belief.title": "Confidence against the truth",
    "belief.text": "A confidence of 90\u00a0% is a forecast: of many predictions made with it, 90\u00a0% should be "
    "right. Each dot is a bin of confidence; on the dashed diagonal, confidence is exactly right. The line through a "
    "dot shows where the true share may lie (95\u00a0%): the fewer rows, the longer. The bars count the rows.",
    "belief.text_labels": "Every label of every row is a question of yes or no, and the confidence is the probability "
    "of the answer. Each dot is a bin of confidence; on the dashed diagonal, confidence is exactly right. The line "
    "through a dot shows where the true share may lie (95\u00a0%). The bars count the answers.",
    "belief.before": "Before: as they are",
    "belief.after": "After: {method:method}",
    "belief.after_labels": "After: each label calibrated",
    "belief.point": "confidence {mean:p0}: {share:p0} right, {count}",
    "belief.axis_x": "confidence, %",
    "belief.axis_y": "share that was right, %",
    "belief.axis_n": "predictions in each bin",
    "belief.numbers": "The diagrams as tables",
    "belief.bin": "confidence",
    "belief.rows": "predictions",
    "belief.mean": "it said",
    "belief.right": "it was right",
    "belief.measures": "<b>Log loss</b> and <b>Brier score</b> punish sure mistakes: the lower, the better. "
    "<b>Calibration error</b> is the mean gap between confidence and the share that was right, here in bins of equal "
    "width; the lines below it measure the same gap in other ways. <b>Area under risk–coverage</b> is the mean share "
    "of errors over all thresholds.",
    "belief.parts": "<b>Calibration</b> is the part of a loss that better confidence would save. <b>Refinement</b> is "
    "what no calibrator can save, because the logits do not tell the classes apart.",
    # methods
    "methods.title": "What mends it",
    "methods.text": "All methods were fitted on the same rows and judged on the same others. A dot is the figure, the "
    "line through it the {level:p} interval; an arrow stands for what is far off. Further left is better.",
    "methods.auto": "The choice was made by cross-validation on the rows for fitting, not by these figures: the "
    "simplest method that is worse than the best by no more than a standard error.",
    "methods.asked": "The method was asked for, not chosen by its figures.",
    "methods.temperature": "The temperature that divides the logits is {temperature:n3}.",
    "methods.picture_log_loss": "Log loss",
    "methods.picture_error": "Calibration error, %",
    "methods.infinite": "infinite",
    "methods.trials": "How the method was chosen",
    # histogram
    "logits.title": "Right and wrong, by how far the logits are apart",
    "logits.margin": "The margin of a row is its largest logit less its second largest; the last bar holds all that "
    "are larger. Right rows grow upwards, wrong rows downwards, each as a share of their own number. The less the two "
    "overlap, the better a threshold tells them apart.",
    "logits.logit": "Rows by their largest logit. Right rows grow upwards, wrong rows downwards, each as a share of "
    "their own number. The less the two overlap, the better a threshold tells them apart.",
    "logits.infinite": "Not drawn, because infinite: {rows:row}.",
    "logits.axis_margin": "margin",
    "logits.axis_logit": "largest logit",
    "logits.right": "right: {rows:row}",
    "logits.wrong": "wrong: {rows:row}",
    "logits.told": "{right} right rows, most of them near {at_right:n1}; {wrong} wrong rows, most near {at_wrong:n1}.",
    # abstention
    "abstention.title": "When to say “I don’t know”",
    "abstention.text": "Answer only the surest: further left fewer rows are answered, further down fewer answers are "
    "wrong.",
    "abstention.rings": "A ring marks the threshold that promises a share of errors; it was chosen on one half of the "
    "rows and checked on the other.",
    "abstention.none": "No threshold promises any of the shares below.",
    "abstention.curve": "Wrong answers against rows answered",
    "abstention.axis_x": "rows answered, %",
    "abstention.axis_y": "wrong answers, %",
    "abstention.start": "The curves begin where {coverage:p} of the rows are answered; further left there are too few "
    "to tell.",
    "abstention.promised": "at most {max_error:p}",
    "abstention.told": "At {coverage:p0} answered {before:p1} of the answers are wrong before, {after:p1} after.",
    # prediction sets
    "sets.title": "Which classes cannot be ruled out",
    "sets.text": "A prediction set holds the classes that cannot be ruled out. For rows drawn as these were, it misses "
    "the true class no more often than promised, however wrong the model is. What a good model gains are smaller "
    "sets. By class, the promise holds for each class on its own.",
    # unknown inputs
    "unknown.title": "Inputs unlike what the model knows",
    "unknown.text": "Each way gives an input a number that is the higher, the less it looks like what the model knows; "
    "above the threshold it is an alarm. <b>AUROC, errors</b>: how well the number ranks wrong predictions above right "
    "ones; 0.5 is chance, 1 is perfect.",
    "unknown.given": "<b>AUROC, unknown</b>: the same for unknown inputs above known ones. <b>FPR at 95\u00a0%</b>: "
    "the share of the unknown that passes where 95\u00a0% of the known do. <b>Found</b>: the share of the unknown "
    "above the threshold.",
    "unknown.none": "How well unknown inputs are found is not measured here: <code>--unknown FILE</code> takes the "
    "logits of inputs that belong to no class.",
    # classes and labels
    "classes.title": "Class by class",
    "classes.text": "<b>Precision</b>: of the rows given to a class, how many belong there. <b>Recall</b>: of the rows "
    "that belong there, how many were found. <b>It says</b> is the mean probability of the class, <b>it is</b> how "
    "often it is the label: where the two differ, the class is said too often or too seldom.",
    "labels.title": "Label by label",
    "labels.text": "Each label has a calibrator of its own. The figures are those of the probability that the label "
    "applies, on held-out rows.",
    "suspects.title": "Labels that are probably wrong",
    "suspects.text": "The calibrated probability speaks clearly for another class than the label (confident learning). "
    "Not each of them is wrong: look at the likeliest first. Rows count from 0 in {name}.",
    "suspects.none": "Among {rows:row} no label looks wrong.",
    # how to go on, and how it was made
    "use.title": "How to use it",
    "use.text": "The first command writes the calibrator and its rules into one file, the second applies them to new "
    "logits of the same model. Then the same in Python.",
    "use.comment": "label or none, probability, reason",
    "use.comment_labels": "the probability of each label",
    "made.title": "How this was made",
    "made.text": "No figure comes from a row that a calibrator saw, except where it says for fitting. Intervals "
    "({level:p}) are by bootstrap. The seed {seed:d} gives the same rows and the same figures again.",
    "made.compared": "Methods and promises: on {rows:row} of them.",
    "made.unknown": "Unknown inputs: {rows:row}.",
    "made.versions": "Made with {versions}.",
    "made.seconds": "Time: {parts}.",
    "made.part": "{part:part} {seconds:n2}\u00a0s",
    "part.reading": "reading",
    "part.fitting": "fitting",
    "part.judging": "judging",
    "part.comparing": "comparing",
    "part.promising": "promising",
}
