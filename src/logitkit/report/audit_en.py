"""What an audit says in English: templates as `audit_words` reads them. The keys are those of `audit_zh`."""

from __future__ import annotations

from logitkit.report.audit_page_en import WORDS as PAGE_WORDS
from logitkit.report.page_markup import Language

__all__ = ["ENGLISH"]

_WORDS = {
    # numbers with their nouns
    "row.one": "{n} row",
    "row.many": "{n} rows",
    "other.one": "{n} other row",
    "other.many": "{n} other rows",
    "class.one": "{n} class",
    "class.many": "{n} classes",
    "prediction.one": "{n} prediction",
    "prediction.many": "{n} predictions",
    "name.one": "{n} label",
    "name.many": "{n} labels",
    "wrong.one": "{n} label is probably wrong",
    "wrong.many": "{n} labels are probably wrong",
    "zero.none": "No row gives",
    "zero.one": "{n} row gives",
    "zero.many": "{n} rows give",
    # names
    "method.none": "as they are",
    "method.auto": "automatic choice",
    "method.temperature": "temperature scaling",
    "method.bias-corrected temperature": "bias-corrected temperature scaling",
    "method.vector": "vector scaling",
    "method.beta": "beta calibration",
    "method.shared beta": "shared beta calibration",
    "method.shared beta matrix": "shared beta and matrix scaling",
    "method.half structured matrix": "half structured matrix scaling",
    "method.structured matrix": "structured matrix scaling",
    "method.dirichlet": "Dirichlet calibration",
    "method.isotonic": "isotonic regression",
    "method.histogram": "histogram binning",
    "method.venn-abers": "Venn–Abers predictors",
    "conformal.lac": "LAC",
    "conformal.aps": "APS",
    "conformal.raps": "RAPS",
    "outlier.probability": "largest probability",
    "outlier.logit": "largest logit",
    "outlier.energy": "energy",
    "outlier.entropy": "entropy",
    "outlier.margin": "margin",
    "refusal.two classes only": "for two classes only",
    "refusal.too many classes": "too many classes",
    "refusal.log-probabilities": "log-probabilities do not have it",
    # whether to believe it
    "verdict.believe": "Its confidence can be believed: on {rows:prediction} it is off by {error:x1} percentage points "
    "on average.",
    "verdict.over": "Its confidence is too high: on {rows:prediction} it says {mean:p1} on average and is right in "
    "{accuracy:p1} of cases. It is off by {error:x1} percentage points on average.",
    "verdict.under": "Its confidence is too low: on {rows:prediction} it says {mean:p1} on average and is right in "
    "{accuracy:p1} of cases. It is off by {error:x1} percentage points on average.",
    "verdict.mixed": "Its confidence cannot be believed: on {rows:prediction} it is off by {error:x1} percentage "
    "points on average, now too high and now too low.",
    "verdict.nothing": "No row is left to judge by: nothing says whether its confidence can be believed.",
    # what mends it
    "verdict.mended": "Calibrate by {method:method}: confidence is then off by {error_after:x1} percentage points "
    "instead of {error_before:x1}, and the log loss is {loss_after:n4} instead of {loss_before:n4}.",
    "verdict.mended_infinite": "Calibrate by {method:method}: confidence is then off by {error_after:x1} percentage "
    "points instead of {error_before:x1}, and the log loss is {loss_after:n4}. Before, the log loss is infinite: "
    "{infinite_rows:zero} the true class the probability 0.",
    "verdict.as_is": "No calibrator does better on held-out rows: use the probabilities as they are.",
    # what can be promised
    "verdict.answers": "Answer where the calibrated confidence is at least {threshold:t}: then at most {max_error:p} "
    "of the answers are wrong, with {certainty:p} certainty. Checked on {checked_rows:other}: {coverage:p1} of them "
    "are answered, and {checked_error:p1} of the answers are wrong.",
    "verdict.answers_all": "Every row may be answered: at most {max_error:p} of the answers are wrong, with "
    "{certainty:p} certainty. On other rows {checked_error:p1} are.",
    "verdict.no_promise_errors": "No threshold can promise, with {certainty:p} certainty, that at most {max_error:p} "
    "of the answers are wrong: even the surest are wrong too often. What can be promised is about {reachable:p1}.",
    "verdict.no_promise_rows": "No threshold can promise, with {certainty:p} certainty, that at most {max_error:p} of "
    "the answers are wrong: this takes {needed:row} at least, all of them right, and there are {rows}.",
    "verdict.sets": "Prediction sets that hold the true class in at least {promised:p} of cases have {size:n2} classes "
    "on average (by {method:conformal}); on other rows they hold it in {coverage:p1}.",
    "verdict.labels": "{count:wrong} ({share:p1}). The likeliest is that of row {row:d}, counted from 0: “{given}”, "
    "where “{suggested}” fits better.",
    "verdict.unknown": "Unknown inputs are told best by {method:outlier}: AUROC {auroc:n3}. A threshold that finds "
    "{detected:p1} of them gives a false alarm on {false_alarms:p1} of the known inputs.",
    "verdict.multilabel": "Each of {labels:name} calibrated on its own: the calibration error of a label is "
    "{error_after:x1} percentage points on average instead of {error_before:x1}, and the log loss {loss_after:n4} "
    "instead of {loss_before:n4}.",
    "verdict.multilabel_control": "Take every label whose calibrated probability is at least {threshold:t}: then at "
    "most {alpha:p} of a row’s true labels are missed on average. On other rows {missed:p1} are, and {size:n1} labels "
    "a row are taken.",
    # what to know of the data
    "note.few_rows": "Only {rows:row} judge all this, so every figure is rough.",
    "note.missing_classes": "{count:class} without a row among those for fitting, such as “{example}”: calibrators "
    "know nothing of them.",
    "note.absent_labels": "{count:class} that no label names, such as “{example}”: nothing can be said of them.",
    "note.infinite": "{sentence:english}",
    "note.log_probs": "The logits are log-probabilities: the exponentials of a row sum to 1. The energy is then 0 "
    "in every row, and the largest logit says no more than the largest probability.",
    "note.sampled": "Of the {rows} rows that judge, {compared} drawn at random compare the methods and check the "
    "promises.",
    "note.fit_capped": "{rows:row} drawn at random fit the calibrator; more would hardly move it.",
    "note.probs": "Probabilities were given, not logits. {zeros:zero} the true class the probability 0.",
    "note.one_class_predicted": "Every row is predicted to be “{name}”.",
    "note.refused": "{method:method} was not tried: {why:refusal}.",
    # tables
    "table.methods": "Calibration by each method, on {rows:row} that none of them saw",
    "table.judged": "Before and after calibration, on {rows:row}",
    "table.judged_labels": "Before and after calibration: every label of {rows:row} as a question of yes or no",
    "table.parts": "Where the loss comes from, on {rows:row}",
    "table.trials": "How the method was chosen: cross-validation on {rows:row} for fitting",
    "table.abstention": "Answer only what is sure enough: the wrong share of the answers, with {certainty:p} certainty",
    "table.conformal": "Prediction sets that miss the true class in at most {alpha:p} of cases",
    "table.outliers": "Unlike what the model knows: thresholds for {rate:p} false alarms",
    "table.outliers_unknown": "Unlike what the model knows: thresholds for {rate:p} false alarms, and {rows} unknown "
    "inputs",
    "table.classes": "Each class, after calibration",
    "table.classes_some": "The {shown} classes that need a look most, of {classes}, after calibration",
    "table.suspects": "The {shown} likeliest wrong labels, of {count} among {rows:row}",
    "table.pairs": "What is most often labelled as what",
    "table.labels": "Each label, before and after calibration",
    "table.labels_some": "The {shown} labels with the largest calibration error before, of {labels}",
    "column.method": "method",
    "column.log_loss": "log loss",
    "column.error": "calibration error,\u00a0%",
    "column.brier": "Brier score",
    "column.accuracy": "accuracy,\u00a0%",
    "column.seconds": "fit, s",
    "column.measure": "measure",
    "column.before": "before",
    "column.after": "after",
    "column.loss": "loss",
    "column.calibration": "calibration",
    "column.refinement": "refinement",
    "column.sum": "sum",
    "column.worse_by": "worse by",
    "column.standard_error": "± standard error",
    "column.allowed": "allowed",
    "column.threshold": "threshold",
    "column.answered": "answered",
    "column.checked": "wrong, checked",
    "column.shipped": "by all rows",
    "column.coverage": "coverage",
    "column.size": "mean size",
    "column.singletons": "one class",
    "column.empty": "empty",
    "column.worst": "least covered class",
    "column.worst_coverage": "its coverage",
    "column.alarms": "false alarms",
    "column.auroc_errors": "AUROC, errors",
    "column.auroc_unknown": "AUROC, unknown",
    "column.fpr": "FPR at 95\u00a0%",
    "column.detected": "found",
    "column.class": "class",
    "column.label": "label",
    "column.rows": "rows",
    "column.predicted": "predicted",
    "column.precision": "precision",
    "column.recall": "recall",
    "column.said": "it says",
    "column.true": "it is",
    "column.row": "row",
    "column.given": "label given",
    "column.suggested": "fits better",
    "column.probability": "probability",
    "column.share": "share",
    "column.loss_before": "log loss before",
    "column.loss_after": "after",
    "column.error_before": "error before",
    "column.error_after": "after",
    "measure.accuracy": "accuracy, %",
    "measure.mean_confidence": "mean confidence, %",
    "measure.log_loss": "log loss",
    "measure.brier_score": "Brier score",
    "measure.area_under_risk_coverage": "area under risk–coverage",
    "measure.expected_calibration_error": "calibration error, %",
    "measure.equal_mass": "… in bins of equal mass, %",
    "measure.debiased": "… debiased, %",
    "measure.smooth": "… smooth, %",
    "measure.class_wise": "… class by class, %",
    "measure.top_label": "… by predicted class, %",
    "measure.maximum": "… largest of a bin, %",
    "parts.log_loss_before": "log loss before",
    "parts.log_loss_after": "log loss after",
    "parts.brier_before": "Brier score before",
    "parts.brier_after": "Brier score after",
    "named.by_class": "{method:conformal}, by class",
    "named.chosen": "{method:method} ✓",
    "named.method": "{method:method}",
    "named.set": "{method:conformal}",
    "named.outlier": "{method:outlier}",
    "share": "{value:p}",
    "threshold": "{value:t}",
    "why.methods": "✓ is the one chosen. Square brackets: {level:p} intervals.",
    "why.refused": "Not tried: {method:method} ({why:refusal}).",
    "why.no_outlier": "Not tried: {method:outlier} ({why:refusal}).",
    "why.too few rows": "At most {max_error:p}: too few rows, {rows} of {needed} needed.",
    "why.too many errors": "At most {max_error:p}: no, too many errors; about {reachable:p1} can be promised.",
    "why.abstention": "Thresholds chosen on {fit_rows:row}, checked on {checked_rows:other}. The file carries the one "
    "that was asked for, as chosen by all of these rows.",
    "facts.classes": "{name}: {rows:row}, {classes:class}.",
    "facts.labels": "{name}: {rows:row}, {classes:name}.",
    "facts.here": "{fit:row} fitted the calibrator, {judged:other} judge it.",
    "facts.elsewhere": "{fit:row} of {source} fitted the calibrator, {judged:row} judge it.",
}

ENGLISH = Language(code="en", tag="en", percent_sign="\u00a0%", words={**_WORDS, **PAGE_WORDS})
