"""The page of an audit on calibration: confidence against the truth, the methods, right and wrong by logits."""

from __future__ import annotations

from collections.abc import Callable

from logitkit.audit.record import Audit, Estimate, JudgedFigures, MethodFigures
from logitkit.report.audit_page_parts import folded, paragraph, shown
from logitkit.report.audit_svg import Interval, draw_histogram, draw_intervals
from logitkit.report.audit_tables import judged_table, methods_table, parts_table, points, trials_table
from logitkit.report.audit_words import fill, gap
from logitkit.report.page_document import section
from logitkit.report.page_markup import Html, Language, element, join, number, table
from logitkit.report.page_svg import draw_reliability

__all__ = ["belief", "logits", "methods"]


def belief(audit: Audit, language: Language) -> Html:
    """Return the reliability diagrams before and after, side by side, and every figure."""
    both = (("before", audit.before), ("after", audit.after))
    pictures = [_reliability(audit, when, figures, language) for when, figures in both if figures.rows]
    tables = [_bins(audit, when, figures, language) for when, figures in both if figures.rows]
    parts = parts_table(audit, language)
    return section(
        language,
        "belief",
        paragraph(language, "belief.text_labels" if audit.multilabel else "belief.text"),
        element("div", *pictures, class_="pair"),
        folded(language.say("belief.numbers"), *tables),
        shown(judged_table(audit, language), language),
        paragraph(language, "belief.measures", class_="note"),
        shown(parts, language),
        paragraph(language, "belief.parts", class_="note") if parts else Html(),
    )


def _title(audit: Audit, when: str, language: Language) -> str:
    key = "belief.after_labels" if when == "after" and audit.multilabel else f"belief.{when}"
    return fill(language, key, method=audit.fit.chosen)


def _reliability(audit: Audit, when: str, figures: JudgedFigures, language: Language) -> Html:
    title, bins = _title(audit, when, language), figures.reliability
    described = "; ".join(
        fill(language, "belief.point", mean=one.mean_confidence, share=one.accuracy, count=one.count)
        for one in bins
        if one.count
    )
    axes = fill(language, "belief.axis_x"), fill(language, "belief.axis_y"), fill(language, "belief.axis_n")
    picture = draw_reliability(f"{language.code}-reliability-{when}", (title, described), bins, None, axes)
    return element("figure", element("figcaption", title), picture)


def _bins(audit: Audit, when: str, figures: JudgedFigures, language: Language) -> Html:
    percent = language.percent
    rows = [
        [f"{percent(one.lower)}–{percent(one.upper)}", f"{one.count:,}", percent(one.mean_confidence),
         percent(one.accuracy)]
        for one in figures.reliability if one.count
    ]  # fmt: skip
    head = [language.say(f"belief.{key}") for key in ("bin", "rows", "mean", "right")]
    return table(_title(audit, when, language), head, rows)


def methods(audit: Audit, language: Language) -> Html:
    """Return what each method is worth, as pictures and as a table, and how the choice was made."""
    found = methods_table(audit, language)
    if found is None:
        return Html()
    tried = [one for one in audit.methods if one.refused is None]
    losses = _intervals(audit, tried, "log_loss", lambda one: one.log_loss, 1.0, language)
    errors = _intervals(audit, tried, "error", lambda one: one.expected_calibration_error, 100.0, language)
    words = [fill(language, "methods.auto" if audit.fit.asked == "auto" else "methods.asked", html=True)]
    if audit.fit.temperature is not None and audit.fit.chosen == "temperature":
        words.append(fill(language, "methods.temperature", html=True, temperature=audit.fit.temperature))
    return section(
        language,
        "methods",
        paragraph(language, "methods.text", level=audit.level),
        element("div", losses, errors, class_="pair"),
        shown(found, language),
        element("p", join(words, gap(language))),
        folded(language.say("methods.trials"), shown(trials_table(audit, language), language)),
    )


def _intervals(
    audit: Audit, tried: list[MethodFigures], key: str, of: Callable[[MethodFigures], Estimate | None], scale: float,
    language: Language,
) -> Html:  # fmt: skip
    rows = []
    for one in tried:
        found = of(one) or Estimate(None, None, None)
        value, low, high = (None if v is None else scale * v for v in (found.value, found.low, found.high))
        infinite = key == "log_loss" and found.value is None and one.accuracy is not None
        text = fill(language, "methods.infinite") if infinite else number(value, 4)
        if key == "error":
            text = points(found.value)
        title = fill(language, "named.method", method=one.method)
        rows.append(Interval(title, value, low, high, text, one.method == audit.fit.chosen))
    title = fill(language, f"methods.picture_{key}")
    described = "; ".join(f"{one.name}: {one.text}" for one in rows)
    return element(
        "figure", element("figcaption", title),
        draw_intervals(f"{language.code}-{key.replace('_', '-')}", (title, described), rows, _end(rows)),
    )  # fmt: skip


def _end(rows: list[Interval]) -> float | None:
    """Return up to where it is worth drawing: twice as far as the logits as they are and the chosen method."""
    lows = [one.low for one in rows if one.low is not None]
    highs = [one.high for one in (*rows[:1], *(one for one in rows if one.chosen)) if one.high is not None]
    return 2.0 * max(highs) - min(lows) if lows and highs else None


def logits(audit: Audit, language: Language) -> Html:
    """Return the histogram of the largest logit, or of the margin, of right and of wrong rows."""
    found = audit.histogram
    if found is None or not sum(found.right) + sum(found.wrong):
        return Html()
    what = "logit" if f"logits.{found.what}" not in language.words else found.what
    words = (
        fill(language, "logits.right", rows=sum(found.right)),
        fill(language, "logits.wrong", rows=sum(found.wrong)),
        fill(language, f"logits.axis_{what}"),
    )
    described = fill(
        language, "logits.told", right=sum(found.right), wrong=sum(found.wrong),
        at_right=_mode(found.edges, found.right), at_wrong=_mode(found.edges, found.wrong),
    )  # fmt: skip
    title = fill(language, "logits.title")
    picture = draw_histogram(
        f"{language.code}-histogram", (title, described), found.edges, found.right, found.wrong, words
    )
    notes = [paragraph(language, f"logits.{what}")]
    if found.infinite:
        notes.append(paragraph(language, "logits.infinite", rows=found.infinite))
    beside = element("figure", picture, element("div", *notes), class_="beside")
    return section(language, "logits", beside)


def _mode(edges: tuple[float, ...], counts: tuple[int, ...]) -> float | None:
    if not sum(counts):
        return None
    at = counts.index(max(counts))
    return 0.5 * (edges[at] + edges[at + 1])
