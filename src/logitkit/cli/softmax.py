"""`logitkit softmax`: the steps from logits to probabilities."""

from __future__ import annotations

from typing import Annotated

import typer

from logitkit.errors import InputError


def softmax(
    logits: Annotated[list[str], typer.Argument(help="The logits: any numbers, also negative, inf and -inf.")],
    classes: Annotated[str | None, typer.Option(help="Names of the classes, separated by commas.")] = None,
    temperature: Annotated[float, typer.Option(help="Divides the logits; above 0.")] = 1.0,
    naive: Annotated[bool, typer.Option("--naive", help="Show also what happens without the shift.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show softmax step by step: logits, shifted logits, exponentials, sum, probabilities.

    Example: logitkit softmax 2.0 1.0 0.1 --classes News,Entertainment,Technology
    """
    from logitkit.cli.console import print_json, show
    from logitkit.report.steps import softmax_steps
    from logitkit.report.terminal import render_steps

    names = None if classes is None else [name.strip() for name in classes.split(",")]
    steps = softmax_steps([_number(value) for value in logits], class_names=names, temperature=temperature)
    if as_json:
        print_json(steps.to_json())
    else:
        show(render_steps(steps, naive=naive))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"A logit must be a number; got {text!r:.40}.") from None
