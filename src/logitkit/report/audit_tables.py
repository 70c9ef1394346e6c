"""The tables of an audit, in a language, for the terminal and the page alike: calibration."""

from __future__ import annotations

from dataclasses import dataclass, fields

from logitkit.audit.record import Audit, Estimate, JudgedFigures, MethodFigures, Sentence
from logitkit.report.audit_en import ENGLISH
from logitkit.report.audit_words import fill
from logitkit.report.page_markup import Language, number

__all__ = [
    "AuditTable",
    "Cell",
    "heads",
    "interval",
    "judged_table",
    "methods_table",
    "parts_table",
    "points",
    "trials_table",
]

_INFINITE = "∞"


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table.

    Attributes:
        text: a figure as it is written, or a name.
        interval: beside the figure, or nothing.
        foreign: whether it is a name that somebody else gave.
    """

    text: str
    interval: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class AuditTable:
    """A table as text.

    Attributes:
        caption: what it shows.
        head: titles of the columns.
        rows: as many cells each; the first names the row.
        strong: the row to set in bold.
        notes: what to say below it.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    strong: int | None = None
    notes: tuple[Sentence, ...] = ()


def heads(language: Language, *keys: str) -> tuple[str, ...]:
    """Return titles of columns."""
    return tuple(fill(language, f"column.{key}") for key in keys)


def points(value: float | None, digits: int = 1) -> str:
    """Return a share in percent without its sign, for a column that has it."""
    return ENGLISH.percent(value, digits).removesuffix(ENGLISH.percent_sign)


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return the bounds of a share in percent, without its sign; nothing where one of them is none."""
    return "" if low is None or high is None else f"[{points(low, digits)}, {points(high, digits)}]"


def _loss(found: Estimate | None, rows: bool) -> Cell:
    """Return a log loss; where there are rows and yet no figure, it is infinite."""
    if found is None or found.value is not None or not rows:
        return _figure(found)
    return Cell(_INFINITE)


def _figure(found: Estimate | None) -> Cell:
    """Return a figure with its interval."""
    if found is None or found.value is None:
        return Cell("–")
    bounds = "" if found.low is None or found.high is None else f"[{number(found.low, 4)}, {number(found.high, 4)}]"
    return Cell(number(found.value, 4), bounds)


def _share(found: Estimate | None, digits: int = 1) -> Cell:
    """Return a share with its interval, in percent."""
    if found is None or found.value is None:
        return Cell("–")
    return Cell(points(found.value, digits), interval(found.low, found.high, digits))


def _value(found: Estimate | None) -> float | None:
    return None if found is None else found.value


def methods_table(audit: Audit, language: Language) -> AuditTable | None:
    """Return what each method is worth on the compared rows, the chosen one marked; None if none was compared."""
    tried = [one for one in audit.methods if one.refused is None]
    if not tried:
        return None
    chosen = [one.method == audit.fit.chosen for one in tried]

    def row(one: MethodFigures, mark: bool) -> tuple[Cell, ...]:
        title = fill(language, "named.chosen" if mark else "named.method", method=one.method)
        return (
            Cell(title),
            _loss(one.log_loss, _value(one.accuracy) is not None),
            _share(one.expected_calibration_error),
            Cell(number(_value(one.brier_score), 4)),
            Cell(points(_value(one.accuracy))),
        )

    refused = (one for one in audit.methods if one.refused is not None)
    return AuditTable(
        fill(language, "table.methods", rows=audit.compared_rows),
        heads(language, "method", "log_loss", "error", "brier", "accuracy"),
        tuple(row(one, mark) for one, mark in zip(tried, chosen, strict=True)),
        chosen.index(True) if any(chosen) else None,
        (
            Sentence("why.methods", {"level": audit.level}),
            *(Sentence("why.refused", {"method": one.method, "why": one.refused}) for one in refused),
        ),
    )


def judged_table(audit: Audit, language: Language) -> AuditTable:
    """Return every figure of the judged rows before and after."""
    both = (audit.before, audit.after)
    cells = {
        "accuracy": [_share(one.accuracy, 2) for one in both],
        "mean_confidence": [Cell(points(one.mean_confidence, 2)) for one in both],
        "log_loss": [_loss(one.log_loss, one.rows_with_infinite_loss > 0) for one in both],
        "brier_score": [_figure(one.brier_score) for one in both],
        "area_under_risk_coverage": [_figure(one.area_under_risk_coverage) for one in both],
        "expected_calibration_error": [_share(one.expected_calibration_error, 2) for one in both],
    }
    for field in fields(audit.before.errors):
        values = [getattr(one.errors, field.name) for one in both]
        if values != [None, None]:
            cells[field.name] = [Cell(points(value, 2)) for value in values]
    rows = tuple((Cell(fill(language, f"measure.{key}")), *pair) for key, pair in cells.items())
    caption = fill(language, "table.judged_labels" if audit.multilabel else "table.judged", rows=audit.judged_rows)
    return AuditTable(caption, heads(language, "measure", "before", "after"), rows)


def parts_table(audit: Audit, language: Language) -> AuditTable | None:
    """Return what of each loss is calibration and what is refinement; None where nothing is known of it."""
    rows: list[tuple[Cell, ...]] = []
    for loss in ("log_loss", "brier"):
        for when, figures in (("before", audit.before), ("after", audit.after)):
            parts = _parts(figures, loss)
            total = None if None in parts else sum(part for part in parts if part is not None)
            title = Cell(fill(language, f"parts.{loss}_{when}"))
            rows.append((title, *(Cell(number(_rounded(value), 4)) for value in (*parts, total))))
    if all(cell.text == "–" for row in rows for cell in row[1:]):
        return None
    head = heads(language, "loss", "calibration", "refinement", "sum")
    return AuditTable(fill(language, "table.parts", rows=audit.compared_rows), head, tuple(rows))


def _rounded(value: float | None) -> float | None:
    """Return a part of a loss; what is below its digits is 0, not a power of ten."""
    return None if value is None else round(value, 4)


def _parts(figures: JudgedFigures, loss: str) -> tuple[float | None, float | None]:
    calibration, refinement = (getattr(figures, f"{loss}_{part}") for part in ("calibration", "refinement"))
    return calibration, refinement


def trials_table(audit: Audit, language: Language) -> AuditTable | None:
    """Return the cross-validation by which the method was chosen; None if none was made."""
    if not audit.fit.trials:
        return None
    rows = []
    for one in audit.fit.trials:
        key = "named.chosen" if one.method == audit.fit.chosen else "named.method"
        figures = (one.log_loss, one.worse_by, one.standard_error)
        title = Cell(fill(language, key, method=one.method))
        rows.append((title, *(Cell(number(value, 4)) for value in figures)))
    head = heads(language, "method", "log_loss", "worse_by", "standard_error")
    return AuditTable(fill(language, "table.trials", rows=audit.fit.rows), head, tuple(rows))
