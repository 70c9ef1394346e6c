"""The page on trust: reliability, scores, temperature, and where the model errs."""

from __future__ import annotations

import math

import numpy as np

from logitkit.report.demo import DemoReport
from logitkit.report.evaluation import Evaluation
from logitkit.report.page_document import section
from logitkit.report.page_facts import neighbours, verdict
from logitkit.report.page_markup import Html, Language, element, join, name, number, table
from logitkit.report.page_svg import draw_reliability

__all__ = ["belief", "errors"]

_CLASS_ROWS = 12
_FULL_CONFUSION = 10
_PAIRS = 10
_SHARES = ("accuracy", "macro_f1", "expected_calibration_error")


def belief(report: DemoReport, language: Language) -> Html:
    """Return what a probability means, whether the held-out articles bear it out, and what the temperature did."""
    say, percent, e = language.say, language.percent, report.paragraphs
    chance = report.decision.probability
    content: list[str] = [element("p", say("belief.meaning", percent=percent(chance, 0)))]
    judged = [say(f"verdict.{verdict(e)}", error=_points(e.expected_calibration_error))]
    near = neighbours(e.reliability, chance)
    if near is not None:
        judged.append(
            say(
                "belief.all", count=language.count(e.rows, "paragraph"), mean=percent(e.mean_confidence),
                accuracy=percent(e.accuracy),
            )
        )  # fmt: skip
        judged.append(
            say(
                "belief.counted", lower=percent(near.lower, 0), upper=percent(near.upper, 0), right=f"{near.right:,}",
                count=f"{near.count:,}", share=percent(near.share, 0), mean=percent(near.mean_confidence, 0),
            )
        )  # fmt: skip
    content.append(element("p", join(judged, "" if language.code == "zh" else " ")))
    if e.rows:
        content += [_diagram(e, chance, language), _bins(e, language)]
    content.append(_scores(report, language))
    return section(language, "belief", *content, *_temperature(report, language))


def _points(value: float | None) -> str:
    """Return a difference of shares in percentage points."""
    return number(None if value is None else 100.0 * value, 1)


def _diagram(e: Evaluation, chance: float, language: Language) -> Html:
    say = language.say
    title = language.plain("belief.diagram")
    points = [
        language.plain(
            "belief.point", mean=language.percent(one.mean_confidence, 0), share=language.percent(one.accuracy, 0),
            count=language.count(one.count, "paragraph"),
        )
        for one in e.reliability if one.count
    ]  # fmt: skip
    axes = tuple(language.plain(f"belief.axis_{axis}") for axis in "xyn")
    picture = draw_reliability(
        f"{language.code}-reliability", (title, "; ".join(points)), e.reliability, chance, (axes[0], axes[1], axes[2])
    )
    notes = [element("p", say("belief.note", bins=f"{len(e.reliability)}"))]
    if any(one.count and one.lower < chance <= one.upper for one in e.reliability):
        notes.append(element("p", say("belief.ring")))
    return element("figure", element("figcaption", title), picture, element("div", *notes), class_="beside")


def _bins(e: Evaluation, language: Language) -> Html:
    say, percent = language.say, language.percent
    rows = [
        [
            f"{percent(one.lower, 0)}–{percent(one.upper, 0)}",
            f"{one.count:,}",
            percent(one.mean_confidence),
            percent(one.accuracy),
        ]
        for one in e.reliability
        if one.count
    ]
    head = [say(f"belief.{key}") for key in ("bin", "rows", "mean", "right")]
    shown = table(say("belief.diagram"), head, rows)
    return element("details", element("summary", say("belief.numbers")), shown)


def _scores(report: DemoReport, language: Language) -> Html:
    say = language.say
    both = (report.paragraphs, report.whole_articles)
    rows: list[list[str]] = [[say("scores.rows"), *(f"{e.rows:,}" for e in both)]]
    for key in ("accuracy", "macro_f1", "log_loss", "brier_score", "expected_calibration_error"):
        values = [getattr(e, key) for e in both]
        shown = [language.percent(value) if key in _SHARES else number(value, 3) for value in values]
        rows.append([say(f"scores.{key}"), *shown])
    head = [say("scores.measure"), say("scores.paragraphs"), say("scores.articles")]
    return table(say("scores.caption"), head, rows, class_="wide")


def _temperature(report: DemoReport, language: Language) -> list[Html]:
    say, percent, t, held = language.say, language.percent, report.temperature, report.record.held_out
    meaning = "right" if 0.95 < t < 1.05 else "timid" if t < 1.0 else "bold"
    text = say("temperature.text", temperature=number(t), meaning=say(f"temperature.{meaning}"))
    parts = [element("p", text)]
    if held is not None:
        rows = [
            [say(f"temperature.{when}"), percent(held.accuracy), number(loss, 3), percent(error)]
            for when, loss, error in (
                ("before", held.log_loss_before, held.calibration_error_before),
                ("after", held.log_loss_after, held.calibration_error_after),
            )
        ]
        keys = ("accuracy", "log_loss", "expected_calibration_error")
        head: list[str] = ["", *(Html(say(f"scores.{key}").split("<small>")[0]) for key in keys)]
        parts.append(table(say("temperature.caption", n=f"{held.rows:,}"), head, rows))
    return parts


def errors(report: DemoReport, language: Language) -> Html:
    """Return the scores of each class and what was taken for what; for whole articles folded away."""
    say, e, whole = language.say, report.paragraphs, report.whole_articles
    notes = []
    if e.rows_with_unseen_labels:
        notes.append(element("p", say("errors.unseen", n=f"{e.rows_with_unseen_labels:,}")))
    if e.rows_with_infinite_loss:
        notes.append(element("p", say("errors.infinite", n=f"{e.rows_with_infinite_loss:,}")))
    folded = element(
        "details",
        element("summary", say("errors.whole")),
        _classes(whole, "errors.classes_whole", language),
        _confusion(whole, language),
    )
    return section(
        language, "errors", *notes, _classes(e, "errors.classes", language),
        element("p", say("errors.explained"), class_="note"), _confusion(e, language), folded,
    )  # fmt: skip


def _classes(e: Evaluation, key: str, language: Language) -> Html:
    say, percent = language.say, language.percent
    shown, caption = list(e.per_class), say(key)
    if len(shown) > _CLASS_ROWS:
        caption = say(f"{key}_some", shown=f"{_CLASS_ROWS}", classes=f"{len(shown):,}")
        shown = sorted(shown, key=lambda one: math.inf if one.f1 is None else one.f1)[:_CLASS_ROWS]
    head = [say("steps.class"), *(say(f"errors.{k}") for k in ("support", "predicted", "precision", "recall", "f1"))]
    rows = []
    for one in shown:
        shares = (percent(value).removesuffix(language.percent_sign) for value in (one.precision, one.recall, one.f1))
        rows.append([name(one.name), f"{one.support:,}", f"{one.predicted:,}", *shares])
    return table(caption, head, rows)


def _confusion(e: Evaluation, language: Language) -> Html:
    if len(e.classes) > _FULL_CONFUSION:
        return _pairs(e, language)
    rows = []
    for i, label in enumerate(e.classes):
        counts = e.confusion[i].tolist()
        total = sum(counts) or 1
        cells = []
        for j, n in enumerate(counts):
            kind = "right" if i == j else "wrong" if n else "nil"
            cells.append(element("span", f"{n:,}", class_=kind, style=f"--s:{n / total:.2f}"))
        rows.append([name(label), *cells])
    return table(language.say("errors.confusion"), ["", *map(name, e.classes)], rows, class_="confusion")


def _pairs(e: Evaluation, language: Language) -> Html:
    """Return the most frequent confusions, where there are too many classes for the whole matrix."""
    say, C = language.say, len(e.classes)
    wrong = e.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    pairs = [(int(at) // C, int(at) % C) for at in order if wrong.flat[at]]
    if not pairs:
        return element("p", say("errors.none"))
    head = [say(f"errors.{key}") for key in ("truth", "answer", "texts")]
    rows = [[name(e.classes[i]), name(e.classes[j]), f"{wrong[i, j]:,}"] for i, j in pairs]
    return table(say("errors.pairs", shown=f"{len(pairs)}"), head, rows)
