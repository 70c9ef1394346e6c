"""Records as tables and sentences for a terminal. What is drawn here was computed elsewhere."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from logitkit.report.evaluation import Evaluation
from logitkit.report.steps import SoftmaxSteps

__all__ = ["format_number", "reliability_sentence", "render_evaluation", "render_steps"]

_WORST_CLASSES = 10
_FULL_CONFUSION = 12
_FREQUENT_CONFUSIONS = 10
_SHOWN_CLASSES = 20
_BELIEVABLE = 0.03  # the expected calibration error up to which we call confidence believable
_ENOUGH_ROWS = 20  # in a bin, before one sentence rests on it


def format_number(value: float | None, digits: int = 2) -> str:
    """Return a number for reading: `digits` decimals, scientific where these would hide it, words for NaN and infinity.

    Example:
        >>> from logitkit.report.terminal import format_number
        >>> [format_number(value) for value in (7.389, 0.00012, 3.2e12, -0.0, float("inf"), None)]
        ['7.39', '1.2e-04', '3.2e+12', '0.00', 'inf', '–']
    """
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size >= 1e7 or 0.0 < size < 0.5 * 10.0**-digits:
        return f"{value:.1e}"
    return f"{value + 0.0:.{digits}f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100.0 * value:.{digits}f} %"


def reliability_sentence(evaluation: Evaluation) -> str:
    """Return in words whether the confidence can be believed.

    It speaks of the bin nearest to 90 % that holds 20 rows or more, and then of all rows.

    Example:
        >>> from logitkit.report.evaluation import EvaluationBuilder
        >>> from logitkit.report.terminal import reliability_sentence
        >>> evaluation = EvaluationBuilder(["a", "b"]).update([[2.2, 0.0]] * 40, [0] * 30 + [1] * 10).finish()
        >>> reliability_sentence(evaluation).split(":")[0]
        'When it says 90 %, it is right 75 % of the time (40 rows)'
    """
    e = evaluation
    if e.accuracy is None or e.mean_confidence is None or e.expected_calibration_error is None:
        return "No rows: there is nothing to judge."
    gap = e.mean_confidence - e.accuracy
    off = f"{100.0 * e.expected_calibration_error:.1f} points"
    if e.expected_calibration_error <= _BELIEVABLE:
        verdict = f"its confidence can be believed (off by {off} on average)."
    elif abs(gap) < 0.5 * e.expected_calibration_error:
        verdict = f"its confidence is off by {off} on average, now above and now below."
    else:
        verdict = f"it is {'over' if gap > 0.0 else 'under'}-confident by {100.0 * abs(gap):.1f} points on average."
    bins = [one for one in e.reliability if one.count >= _ENOUGH_ROWS]
    if not bins:
        said, right = _percent(e.mean_confidence), _percent(e.accuracy)
        return f"On average it says {said} and is right {right} of the time: {verdict}"
    near = min(bins, key=lambda one: abs((one.mean_confidence or 0.0) - 0.9))
    return (
        f"When it says {_percent(near.mean_confidence, 0)}, it is right {_percent(near.accuracy, 0)} of the time "
        f"({near.count:,} rows): {verdict}"
    )


def render_evaluation(evaluation: Evaluation) -> RenderableType:
    """Return headline figures, what they mean in words, the per-class table and the confusions, for `rich.print`.

    More than 10 classes: the 10 with the least F1. More than 12: the 10 most frequent confusions, not the whole matrix.

    Example:
        >>> import rich
        >>> from logitkit.report.evaluation import EvaluationBuilder
        >>> from logitkit.report.terminal import render_evaluation
        >>> rich.print(render_evaluation(EvaluationBuilder(["a"]).finish()))
        No rows: there is nothing to judge.
    """
    if evaluation.rows == 0:
        return Text(reliability_sentence(evaluation))
    parts: list[RenderableType] = [_headline(evaluation), Text(reliability_sentence(evaluation))]
    if evaluation.rows_with_unseen_labels:
        labels = list(evaluation.unseen_labels.items())
        named = ", ".join(f"{label!r} ({count:,})" for label, count in labels[:5])
        more = f" and {len(labels) - 5:,} more" if len(labels) > 5 else ""
        parts.append(
            Text(
                f"{evaluation.rows_with_unseen_labels:,} rows have a label that training never saw: {named}{more}. "
                "They count as errors; the log loss is over the other rows.",
                style="yellow",
            )
        )
    if evaluation.rows_with_infinite_loss:
        parts.append(
            Text(
                f"The log loss is infinite: {evaluation.rows_with_infinite_loss:,} rows give the label probability 0.",
                style="yellow",
            )
        )
    return Group(*parts, _class_table(evaluation), _confusions(evaluation))


def _headline(e: Evaluation) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("rows", f"{e.rows:,}"),
        ("accuracy", _percent(e.accuracy)),
        ("macro F1", _percent(e.macro_f1)),
        ("log loss", format_number(e.log_loss, 4)),
        ("Brier score", format_number(e.brier_score, 4)),
        ("calibration error", _percent(e.expected_calibration_error)),
        ("mean confidence", _percent(e.mean_confidence)),
    ):
        table.add_row(name, value)
    return table


def _class_table(e: Evaluation) -> Table:
    shown = list(e.per_class)
    title = "Classes"
    if len(shown) > _WORST_CLASSES:
        shown = sorted(shown, key=lambda one: math.inf if one.f1 is None else one.f1)[:_WORST_CLASSES]
        title = f"The {_WORST_CLASSES} classes with the least F1, of {len(e.per_class):,}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1))
    table.add_column("class")
    for name in ("rows", "predicted", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for one in shown:
        figures = (_percent(value) for value in (one.precision, one.recall, one.f1))
        table.add_row(Text(one.name), f"{one.support:,}", f"{one.predicted:,}", *figures)
    return table


def _confusions(e: Evaluation) -> RenderableType:
    C = len(e.classes)
    if C <= _FULL_CONFUSION:
        table = Table(title="Confusion: rows are labels, columns are predictions", title_justify="left", box=box.SIMPLE)
        table.add_column("")
        for name in e.classes:
            table.add_column(Text(name), justify="right")
        for i, name in enumerate(e.classes):
            cells = (
                Text(f"{n:,}", style="bold" if i == j else "" if n else "dim") for j, n in enumerate(e.confusion[i])
            )
            table.add_row(Text(name), *cells)
        return table
    wrong = e.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_FREQUENT_CONFUSIONS]
    pairs = [(int(at) // C, int(at) % C) for at in order if wrong.flat[at]]
    if not pairs:
        return Text("No class is taken for another.")
    table = Table(title=f"The {len(pairs)} most frequent confusions", title_justify="left", box=box.SIMPLE)
    for name in ("label", "predicted"):
        table.add_column(name)
    table.add_column("rows", justify="right")
    for i, j in pairs:
        table.add_row(Text(e.classes[i]), Text(e.classes[j]), f"{wrong[i, j]:,}")
    return table


def render_steps(steps: SoftmaxSteps, *, naive: bool = False) -> RenderableType:
    """Return the steps from logits to probabilities as a table with its sums, and what there is to say about them.

    `naive` adds the column exp / sum without the shift, beside the stable one. More than 20 classes: the 20 largest.

    Example:
        >>> from rich.console import Console
        >>> from logitkit.report.steps import softmax_steps
        >>> from logitkit.report.terminal import render_steps
        >>> console = Console(width=100)
        >>> with console.capture() as captured:
        ...     console.print(render_steps(softmax_steps([1000.0, 1001.0]), naive=True))
        >>> "inf / inf = NaN" in captured.get()
        True
    """
    columns: list[tuple[str, NDArray[np.float64], int, float | None]] = [("logit z", steps.logits, 2, None)]
    if steps.temperature != 1.0:
        columns = [("logit", steps.logits, 2, None), ("z", steps.scaled, 2, None)]
    columns.append(("exp(z)", steps.exponentials, 2, steps.exponentials_sum))
    if naive:
        columns.append(("exp(z) / sum", steps.naive_probs, 4, float(steps.naive_probs.sum())))
    columns.append(("z - max", steps.shifted, 2, None))
    columns.append(("exp(z - max)", steps.shifted_exponentials, 2, steps.shifted_exponentials_sum))
    columns.append(("probability", steps.probs, 4 if naive else 2, float(steps.probs.sum())))
    table = Table(show_footer=True, box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("class", footer="sum")
    for title, _, digits, total in columns:
        footer = "" if total is None else format_number(total, digits)
        table.add_column(title, justify="right", footer=footer, no_wrap=True)
    shown = range(steps.logits.size)
    if len(shown) > _SHOWN_CLASSES:
        shown = np.argsort(-steps.logits, kind="stable")[:_SHOWN_CLASSES].tolist()
        table.title = f"The {_SHOWN_CLASSES} largest of {steps.logits.size:,} classes; the sums are over all"
    for j in shown:
        cells = (format_number(float(values[j]), digits) for _, values, digits, _ in columns)
        table.add_row(Text(steps.class_names[j]), *cells, style="bold" if j == steps.arg_max else "")
    return Group(table, *(Text(note) for note in _notes(steps, naive)))


def _notes(steps: SoftmaxSteps, naive: bool) -> list[str]:
    """Return what a reader who checks the table by hand would trip over."""
    best = steps.class_names[steps.arg_max]
    equals = int((steps.logits == steps.logits.max()).sum())
    notes = [f"The arg max is {best}: the largest logit, and so the largest probability."]
    if equals > 1:
        notes = [f"The arg max is {best}: the first of {equals} equal logits."]
    if steps.temperature != 1.0:
        notes.insert(0, f"z = logit / {steps.temperature:g}, the temperature.")
    total = steps.exponentials_sum
    rounded = float(steps.exponentials.round(2).sum())
    if total < 1e7 and f"{rounded:.2f}" != f"{total:.2f}":
        notes.append(f"Adding the rounded terms gives {rounded:.2f}; the sum of the exact ones is {total:.2f}.")
    if steps.naive_fails:
        cause, quotient = ("overflows to inf", "inf / inf") if total > 0.0 else ("is 0", "0 / 0")
        notes.append(
            f"Without the shift exp {cause}, and {quotient} = NaN. "
            "Subtracting the maximum first changes no quotient and never fails."
        )
    elif naive and np.allclose(steps.naive_probs, steps.probs, rtol=1e-9, atol=0.0):
        notes.append("Both ways agree here; without the shift exp overflows to inf from a logit of about 710 on.")
    elif naive:
        notes.append("Without the shift exp is so small that digits are lost; with it none are.")
    return notes
