"""A training record as tables and sentences for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from logitkit.model.record import HeldOut, TrainingRecord
from logitkit.report.terminal import format_number
from logitkit.trust.abstention_rule import AbstentionRule

__all__ = ["calibration_sentence", "render_promises", "render_training"]

_SHOWN_CLASSES = 20


def calibration_sentence(held_out: HeldOut, temperature: float) -> str:
    """Return in words what the temperature did, on texts that neither the weights nor the temperature had seen.

    Example:
        >>> from logitkit.model.record import HeldOut
        >>> from logitkit.report.training import calibration_sentence
        >>> calibration_sentence(HeldOut(1000, 0.9, 0.4, 0.35, 0.08, 0.01), 0.7)
        'The raw logits were too timid: dividing them by 0.70 took the log loss from 0.400 to 0.350 and the calibration error from 8.0 % to 1.0 %, on 1,000 held-out texts.'
    """  # noqa: E501
    loud = "about right" if 0.95 < temperature < 1.05 else "too timid" if temperature < 1 else "too bold"
    return (
        f"The raw logits were {loud}: dividing them by {temperature:.2f} took the log loss from "
        f"{held_out.log_loss_before:.3f} to {held_out.log_loss_after:.3f} and the calibration error from "
        f"{held_out.calibration_error_before:.1%} to {held_out.calibration_error_after:.1%}, "
        f"on {held_out.rows:,} held-out texts."
    ).replace("%", " %")


def render_training(record: TrainingRecord, class_names: Sequence[str], temperature: float) -> RenderableType:
    """Return what was learnt from how much, what was chosen, how training went, and what calibration was worth."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("texts", f"{record.rows:,}")
    facts.add_row("classes", Text(_classes(record, class_names)))
    facts.add_row(
        "features", f"{record.features:,} n-grams, those of a single text {'kept' if record.rare else 'left out'}"
    )
    per_text = record.l2 * record.rows
    facts.add_row(
        "regularisation", f"l2 {record.l2:.2g} ({per_text:.2g} / texts), label smoothing {record.label_smoothing:g}"
    )
    facts.add_row("training", f"{record.epochs} passes, seed {record.seed}")
    parts: list[RenderableType] = [facts, _course(record)]
    if record.held_out is not None:
        parts.append(_before_and_after(record.held_out))
        parts.append(Text(calibration_sentence(record.held_out, temperature)))
    return Group(*parts)


def render_promises(rules: Sequence[AbstentionRule]) -> RenderableType:
    """Return what can be promised of the answers, at which threshold, and how many texts then get one."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("wrong answers")
    for title in ("answer from a probability of", "held-out texts answered", "wrong among them"):
        table.add_column(title, justify="right")
    for rule in rules:
        allowed = f"at most {100.0 * rule.max_error:g} %, {100.0 * rule.certainty:g} % certain"
        if not rule.promise:
            table.add_row(allowed, "no promise", f"({rule.reason})", "")
            continue
        wrong = f"{100.0 * rule.errors / rule.answered:.1f} %"
        table.add_row(allowed, f"{float(rule.threshold):.3f}", f"{100.0 * rule.coverage:.1f} %", wrong)
    return table


def _classes(record: TrainingRecord, class_names: Sequence[str]) -> str:
    pairs = sorted(zip(record.class_counts, class_names, strict=True), key=lambda pair: (-pair[0], pair[1]))
    shown = ", ".join(f"{name} {count:,}" for count, name in pairs[:_SHOWN_CLASSES])
    return f"{len(pairs)}: {shown}" + (", …" if len(pairs) > _SHOWN_CLASSES else "")


def _course(record: TrainingRecord) -> Table:
    """Loss, gradient norm and logit scale at the end of each pass."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("pass", "loss", "gradient norm", "logit scale", "largest logit"):
        table.add_column(title, justify="right")
    for step in record.steps:
        if abs(step.epoch - round(step.epoch)) < 1e-9:
            table.add_row(
                f"{step.epoch:.0f}", f"{step.loss:.4f}", f"{step.gradient_norm:.3f}", f"{step.logit_scale:.2f}",
                f"{step.largest_logit:.1f}",
            )  # fmt: skip
    return table


def _before_and_after(held_out: HeldOut) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("held-out texts", "accuracy", "log loss", "calibration error"):
        table.add_column(title, justify="left" if title == "held-out texts" else "right")
    h = held_out
    accuracy = format_number(h.accuracy, 4)
    table.add_row("raw logits", accuracy, f"{h.log_loss_before:.4f}", f"{h.calibration_error_before:.4f}")
    table.add_row("calibrated", accuracy, f"{h.log_loss_after:.4f}", f"{h.calibration_error_after:.4f}")
    return table
