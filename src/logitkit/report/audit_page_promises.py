"""The page of an audit on what can be promised: abstention, prediction sets, unknown inputs, classes and labels."""

from __future__ import annotations

from logitkit.audit.record import AbstentionFigures, Audit, JudgedFigures
from logitkit.report.audit_page_parts import paragraph, shown
from logitkit.report.audit_promise_tables import (
    abstention_table,
    classes_table,
    conformal_table,
    labels_table,
    outliers_table,
    pairs_table,
    suspects_table,
)
from logitkit.report.audit_svg import Mark, draw_risk_coverage
from logitkit.report.audit_words import fill
from logitkit.report.page_document import section
from logitkit.report.page_markup import Html, Language, element

__all__ = ["abstention", "classes", "curve_points", "labels", "sets", "suspects", "unknown"]

_CLASSES = 20
_LABELS = 40
_SUSPECTS = 20
_PAIRS = 10
_FEW = 0.02  # of the rows: a share of errors among fewer is chance


def curve_points(figures: JudgedFigures) -> list[tuple[float, float]]:
    """Return the curve of (coverage, risk) as it is drawn: not where too few rows are answered to tell."""
    points = list(zip(figures.coverages, figures.risks, strict=True))
    told = [point for point in points if point[0] >= _FEW]
    return told if len(told) > 1 else points


def abstention(audit: Audit, language: Language) -> Html:
    """Return the risk-coverage curves with the promised thresholds, and the table of thresholds."""
    found = abstention_table(audit, language)
    if found is None:
        return Html()
    before, after = curve_points(audit.before), curve_points(audit.after)
    if not after:
        return section(language, "abstention", shown(found, language))
    title = fill(language, "abstention.curve")
    half = [min(points, key=lambda point: abs(point[0] - 0.5)) for points in (before or after, after)]
    described = fill(language, "abstention.told", coverage=half[1][0], before=half[0][1], after=half[1][1])
    curves = [("old", fill(language, "column.before"), before), ("", fill(language, "column.after"), after)]
    marks: dict[tuple[float, float], Mark] = {}
    for one in audit.abstention:
        mark = _mark(one, audit.after, language)
        if mark is not None:
            marks.setdefault((mark.x, mark.y), mark)  # of several promises at one place, the first is the strongest
    axes = fill(language, "abstention.axis_x"), fill(language, "abstention.axis_y")
    picture = draw_risk_coverage(f"{language.code}-curve", (title, described), curves, list(marks.values()), axes)
    notes = [paragraph(language, key) for key in ("abstention.text", f"abstention.{'rings' if marks else 'none'}")]
    if after[0][0] > audit.after.coverages[0]:
        notes.append(paragraph(language, "abstention.start", coverage=_FEW))
    beside = element("figure", element("figcaption", title), picture, element("div", *notes), class_="beside")
    return section(language, "abstention", beside, shown(found, language))


def _mark(one: AbstentionFigures, figures: JudgedFigures, language: Language) -> Mark | None:
    """Return where the curve has the least confidence that this threshold answers."""
    if one.threshold is None:
        return None
    answered = [i for i, least in enumerate(figures.curve_thresholds) if least >= one.threshold]
    if not answered:
        return None
    text = fill(language, "abstention.promised", max_error=one.max_error)
    return Mark(figures.coverages[answered[-1]], figures.risks[answered[-1]], text)


def sets(audit: Audit, language: Language) -> Html:
    """Return coverage and size of prediction sets."""
    found = conformal_table(audit, language)
    return Html() if found is None else section(
        language, "sets", paragraph(language, "sets.text"), shown(found, language)
    )  # fmt: skip


def unknown(audit: Audit, language: Language) -> Html:
    """Return how inputs are told that are unlike what the model knows."""
    found = outliers_table(audit, language)
    if found is None:
        return Html()
    more = paragraph(language, "unknown.given" if audit.unknown_rows else "unknown.none")
    return section(language, "unknown", paragraph(language, "unknown.text"), shown(found, language), more)


def classes(audit: Audit, language: Language) -> Html:
    """Return the classes that need a look most."""
    found = classes_table(audit, language, _CLASSES)
    if found is None:
        return Html()
    return section(language, "classes", shown(found, language), paragraph(language, "classes.text", class_="note"))


def labels(audit: Audit, language: Language) -> Html:
    """Return the labels of a multi-label model, before and after."""
    found = labels_table(audit, language, _LABELS)
    if found is None:
        return Html()
    return section(language, "labels", paragraph(language, "labels.text"), shown(found, language))


def suspects(audit: Audit, language: Language) -> Html:
    """Return the labels that are probably wrong, the likeliest first."""
    found = audit.label_errors
    if found is None:
        return Html()
    listed = suspects_table(audit, language, _SUSPECTS)
    if listed is None:
        return section(language, "suspects", paragraph(language, "suspects.none", rows=found.rows))
    pairs = pairs_table(audit, language, _PAIRS)
    text = paragraph(language, "suspects.text", name=audit.name)
    return section(language, "suspects", text, shown(listed, language), shown(pairs, language))
