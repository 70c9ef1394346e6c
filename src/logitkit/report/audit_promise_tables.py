"""The tables of an audit, in a language, for the terminal and the page alike: what can be promised, and of what."""

from __future__ import annotations

import math

from logitkit.audit.record import Audit, Sentence
from logitkit.report.audit_tables import AuditTable, Cell, heads, interval
from logitkit.report.audit_words import Raw, fill
from logitkit.report.page_markup import Language, number

__all__ = [
    "abstention_table", "classes_table", "conformal_table", "labels_table", "outliers_table", "pairs_table",
    "suspects_table",
]  # fmt: skip


def _threshold(value: float | None, language: Language) -> str:
    return fill(language, "threshold", value=value)


def abstention_table(audit: Audit, language: Language) -> AuditTable | None:
    """Return the thresholds that promise a share of errors, how they did on other rows, and why there is none."""
    if not audit.abstention:
        return None
    percent, rows, notes = language.percent, [], []
    for one in audit.abstention:
        bounds = "" if one.threshold is None else interval(one.checked_low, one.checked_high)
        rows.append(
            (
                Cell(fill(language, "share", value=one.max_error)),
                Cell(_threshold(one.threshold, language)),
                Cell(percent(one.checked_coverage)),
                Cell(percent(one.checked_error), bounds),
                Cell(_threshold(one.shipped_threshold, language)),
            )
        )
        if one.threshold is None and f"why.{one.reason}" in language.words:
            values: dict[str, Raw] = {"max_error": one.max_error, "rows": one.fit_rows, "needed": one.rows_needed}
            notes.append(Sentence(f"why.{one.reason}", {**values, "reachable": one.reachable_error}))
    first = audit.abstention[0]
    halves = Sentence("why.abstention", {"fit_rows": first.fit_rows, "checked_rows": first.checked_rows})
    return AuditTable(
        fill(language, "table.abstention", certainty=first.certainty),
        heads(language, "allowed", "threshold", "answered", "checked", "shipped"),
        tuple(rows),
        None,
        (*notes, *((halves,) if any(one.threshold is not None for one in audit.abstention) else ())),
    )


def conformal_table(audit: Audit, language: Language) -> AuditTable | None:
    """Return coverage and sizes of prediction sets, by method."""
    if not audit.conformal:
        return None
    percent, rows = language.percent, []
    for one in audit.conformal:
        key = "named.by_class" if one.by_class else "named.set"
        worst = "–" if one.worst_class is None else one.worst_class
        rows.append(
            (
                Cell(fill(language, key, method=one.method)),
                Cell(percent(one.coverage)),
                Cell(number(one.mean_size, 2)),
                Cell(percent(one.singletons)),
                Cell(percent(one.empty)),
                Cell(worst, foreign=one.worst_class is not None),
                Cell(percent(one.worst_class_coverage)),
            )
        )
    head = heads(language, "method", "coverage", "size", "singletons", "empty", "worst", "worst_coverage")
    return AuditTable(fill(language, "table.conformal", alpha=audit.conformal[0].alpha), head, tuple(rows))


def outliers_table(audit: Audit, language: Language) -> AuditTable | None:
    """Return how each way tells unknown inputs; the columns on these only if there were any."""
    if not audit.outliers:
        return None
    percent, tried = language.percent, [one for one in audit.outliers if one.refused is None]
    keys, rows = ["method", "threshold", "alarms", "auroc_errors"], []
    if audit.unknown_rows:
        keys += ["auroc_unknown", "fpr", "detected"]
    for one in tried:
        cells = [fill(language, "named.outlier", method=one.method), number(one.threshold, 3)]
        cells += [percent(one.checked_alarms), number(one.auroc_errors, 3)]
        if audit.unknown_rows:
            cells += [number(one.auroc_unknown, 3), percent(one.fpr_at_95), percent(one.detected)]
        rows.append(tuple(Cell(text) for text in cells))
    refused = (one for one in audit.outliers if one.refused is not None)
    notes = tuple(Sentence("why.no_outlier", {"method": one.method, "why": one.refused}) for one in refused)
    key, rate = "table.outliers_unknown" if audit.unknown_rows else "table.outliers", audit.outliers[0].false_alarm_rate
    caption = fill(language, key, rate=rate, rows=audit.unknown_rows)
    return AuditTable(caption, heads(language, *keys), tuple(rows), None, notes)


def classes_table(audit: Audit, language: Language, most: int) -> AuditTable | None:
    """Return the first `most` classes, which need a look most."""
    if not audit.classes:
        return None
    percent, shown = language.percent, audit.classes[:most]
    rows = tuple(
        (
            Cell(one.name, foreign=True), Cell(f"{one.support:,}"), Cell(f"{one.predicted:,}"),
            *(Cell(percent(value)) for value in (one.precision, one.recall, one.said, one.true_share)),
        )
        for one in shown
    )  # fmt: skip
    key = "table.classes" if len(shown) == len(audit.class_names) else "table.classes_some"
    caption = fill(language, key, shown=len(shown), classes=len(audit.class_names))
    return AuditTable(
        caption, heads(language, "class", "rows", "predicted", "precision", "recall", "said", "true"), rows
    )


def suspects_table(audit: Audit, language: Language, most: int) -> AuditTable | None:
    """Return the `most` likeliest wrong labels; None if no label looks wrong."""
    found = audit.label_errors
    if found is None or not found.likeliest:
        return None
    shown = found.likeliest[:most]
    rows = tuple(
        (
            Cell(str(one.row)), Cell(one.given, foreign=True), Cell(language.percent(one.p_given)),
            Cell(one.suggested, foreign=True), Cell(language.percent(one.p_suggested)),
        )
        for one in shown
    )  # fmt: skip
    caption = fill(language, "table.suspects", shown=len(shown), count=found.count, rows=found.rows)
    return AuditTable(caption, heads(language, "row", "given", "probability", "suggested", "probability"), rows)


def pairs_table(audit: Audit, language: Language, most: int) -> AuditTable | None:
    """Return the most frequent confusions among the labels that look wrong."""
    if audit.label_errors is None or not audit.label_errors.pairs:
        return None
    pairs = audit.label_errors.pairs[:most]
    rows = tuple((Cell(a, foreign=True), Cell(b, foreign=True), Cell(f"{count:,}")) for a, b, count in pairs)
    return AuditTable(fill(language, "table.pairs"), heads(language, "given", "suggested", "rows"), rows)


def labels_table(audit: Audit, language: Language, most: int) -> AuditTable | None:
    """Return each label of a multi-label model before and after; of many, those with the largest error before."""
    if not audit.labels:
        return None
    shown = list(audit.labels)
    if len(shown) > most:
        worst = (-math.inf if one.calibration_error_before is None else one.calibration_error_before for one in shown)
        order = sorted(range(len(shown)), key=[-value for value in worst].__getitem__)
        shown = [shown[i] for i in order[:most]]
    rows = tuple(
        (
            Cell(one.name, foreign=True), Cell(language.percent(one.share)),
            Cell(fill(language, "named.method", method=one.method)),
            Cell(number(one.log_loss_before, 4)), Cell(number(one.log_loss_after, 4)),
            Cell(language.percent(one.calibration_error_before)), Cell(language.percent(one.calibration_error_after)),
        )
        for one in shown
    )  # fmt: skip
    key = "table.labels" if len(shown) == len(audit.labels) else "table.labels_some"
    caption = fill(language, key, shown=len(shown), labels=len(audit.labels))
    keys = ("label", "share", "method", "loss_before", "loss_after", "error_before", "error_after")
    return AuditTable(caption, heads(language, *keys), rows)
