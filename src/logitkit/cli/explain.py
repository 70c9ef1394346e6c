"""`logitkit explain`: one text → its logits, their steps to probabilities, and the words that moved them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from logitkit.cli.console import print_json, show


def explain(
    model: Annotated[str, typer.Argument(help="The model file.")],
    text: Annotated[str, typer.Argument(help="The text; - reads it from the pipe.")],
    class_name: Annotated[
        str | None, typer.Option("--class", help="Explain this class; the arg max if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what every word adds to the logits, and how the logits become a decision.

    Example: logitkit explain news.logitkit "The new smartphone has amazing features."
    """
    from logitkit.classifier import TextClassifier
    from logitkit.errors import OptionError
    from logitkit.report.explanation import render_explanation
    from logitkit.report.steps import softmax_steps
    from logitkit.report.terminal import render_steps

    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    classifier = TextClassifier.load(model)
    explanation = classifier.explain(text)
    if class_name is not None and class_name not in explanation.class_names:
        raise OptionError(f"The model has no class {class_name!r}; it has {', '.join(explanation.class_names[:12])}.")
    decision = classifier.decide([text])[0]
    steps = softmax_steps(explanation.logits, class_names=explanation.class_names, temperature=classifier.temperature)
    if as_json:
        decided = {"label": decision.label, "raw_label": decision.raw_label, "reason": str(decision.reason)}
        print_json({"decision": decided, "explanation": explanation.to_json(), "steps": steps.to_json()})
    else:
        show(render_explanation(explanation, decision, class_name), render_steps(steps))
