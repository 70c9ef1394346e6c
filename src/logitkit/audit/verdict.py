"""What the figures come to, in sentences: whether to believe the confidence, what mends it, what can be promised."""

from __future__ import annotations

from logitkit.audit.record import (
    AbstentionFigures,
    ConformalFigures,
    JudgedFigures,
    LabelErrorFigures,
    OutlierFigures,
    Sentence,
)

__all__ = ["abstention_sentence", "belief", "labels_sentence", "mending", "sets_sentence", "unknown_sentence"]

BELIEVABLE = 0.03  # the expected calibration error up to which we call confidence believable, as the terminal does


def belief(judged: JudgedFigures) -> Sentence:
    """Say whether the confidence can be believed as it comes."""
    error, mean, accuracy = judged.expected_calibration_error.value, judged.mean_confidence, judged.accuracy.value
    if error is None or mean is None or accuracy is None:
        return Sentence("verdict.nothing", {})
    gap = mean - accuracy
    values: dict[str, float | int | str | None] = {"error": error, "rows": judged.rows}
    if error <= BELIEVABLE:
        return Sentence("verdict.believe", values)
    if abs(gap) < 0.5 * error:
        return Sentence("verdict.mixed", values)
    return Sentence("verdict.over" if gap > 0.0 else "verdict.under", {**values, "mean": mean, "accuracy": accuracy})


def mending(method: str, before: JudgedFigures, after: JudgedFigures) -> Sentence:
    """Say which calibrator was chosen and what it is worth."""
    if method == "none":
        return Sentence("verdict.as_is", {})
    values: dict[str, float | int | str | None] = {
        "method": method,
        "error_before": before.expected_calibration_error.value,
        "error_after": after.expected_calibration_error.value,
        "loss_after": after.log_loss.value,
    }
    if before.rows_with_infinite_loss:
        return Sentence("verdict.mended_infinite", {**values, "infinite_rows": before.rows_with_infinite_loss})
    return Sentence("verdict.mended", {**values, "loss_before": before.log_loss.value})


def abstention_sentence(figures: AbstentionFigures) -> Sentence:
    """Say what can be promised of the answers, or why nothing can."""
    f = figures
    values: dict[str, float | int | str | None] = {"max_error": f.max_error, "certainty": f.certainty}
    if f.threshold is None and f.reason == "too few rows":
        return Sentence("verdict.no_promise_rows", {**values, "needed": f.rows_needed, "rows": f.fit_rows})
    if f.threshold is None:
        return Sentence("verdict.no_promise_errors", {**values, "reachable": f.reachable_error})
    if f.checked_coverage == 1.0:
        return Sentence("verdict.answers_all", {**values, "checked_error": f.checked_error})
    checked = {"checked_error": f.checked_error, "checked_rows": f.checked_rows}
    return Sentence("verdict.answers", {**values, "threshold": f.threshold, "coverage": f.checked_coverage, **checked})


def sets_sentence(conformal: tuple[ConformalFigures, ...]) -> Sentence:
    """Say how large prediction sets have to be: those of the method whose sets are smallest on average."""
    best = min(conformal, key=lambda one: (one.by_class, one.mean_size if one.mean_size is not None else float("inf")))
    values = {"promised": 1.0 - best.alpha, "size": best.mean_size, "coverage": best.coverage}
    return Sentence("verdict.sets", {"method": best.method, **values})


def labels_sentence(found: LabelErrorFigures) -> Sentence | None:
    """Say how many labels are probably wrong, and which most of all."""
    if not found.count or not found.likeliest:
        return None
    worst = found.likeliest[0]
    values = {"count": found.count, "share": found.count / found.rows, "row": worst.row}
    return Sentence("verdict.labels", {**values, "given": worst.given, "suggested": worst.suggested})


def unknown_sentence(outliers: tuple[OutlierFigures, ...]) -> Sentence | None:
    """Say how well inputs that are known to be unknown are told, by the method that does it best."""
    there = [one for one in outliers if one.auroc_unknown is not None]
    if not there:
        return None
    best = max(there, key=lambda one: one.auroc_unknown or 0.0)
    values = {"auroc": best.auroc_unknown, "detected": best.detected, "false_alarms": best.checked_alarms}
    return Sentence("verdict.unknown", {"method": best.method, **values})
