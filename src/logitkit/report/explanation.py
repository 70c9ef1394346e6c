"""An explanation and its decision for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from logitkit.decision import Decision
from logitkit.explain import Explanation

__all__ = ["decision_sentence", "render_explanation"]

_SHOWN_TOKENS = 12


def decision_sentence(decision: Decision) -> str:
    """Return the decision in words.

    Example:
        >>> from logitkit.decision import decide
        >>> from logitkit.report.explanation import decision_sentence
        >>> decision_sentence(decide([[2.0, 1.0, 0.1]], class_names=["News", "Entertainment", "Technology"])[0])
        'News, with probability 0.66.'
    """
    says = f"{decision.raw_label}, with probability {decision.probability:.2f}"
    if decision.abstained:
        return f"I don't know ({decision.reason}); the nearest is {says}."
    return f"{says}."


def render_explanation(explanation: Explanation, decision: Decision, class_name: str | None = None) -> RenderableType:
    """Return the decision, the text with its words coloured, and what the strongest words add to each logit.

    Green words speak for `class_name` (the arg max if None), red ones against it.
    """
    name = class_name or decision.raw_label
    column = explanation.class_names.index(name)
    strength = explanation.contributions[:, column]
    largest = float(abs(strength).max()) if len(strength) else 0.0
    words = Text()
    for token, value in zip(explanation.tokens, strength.tolist(), strict=True):
        share = abs(value) / largest if largest else 0.0
        style = "" if share < 0.1 else ("bold " if share > 0.5 else "") + ("green" if value > 0 else "red")
        words.append(token, style).append(" ")
    table = Table(box=box.SIMPLE, pad_edge=False, title=f"What moved the logit of {name}")
    table.add_column("word")
    others = [other for other in explanation.class_names if other != name][:5]
    for title in (name, *others):
        table.add_column(title, justify="right")
    columns = [explanation.class_names.index(other) for other in (name, *others)]
    sums: dict[str, list[float]] = {}
    for token, row in zip(explanation.tokens, explanation.contributions[:, columns].tolist(), strict=True):
        sums[token] = [a + b for a, b in zip(sums.get(token, [0.0] * len(columns)), row, strict=True)]
    ranked = sorted(sums.items(), key=lambda item: -abs(item[1][0]))
    for token, values in ranked[:_SHOWN_TOKENS]:
        table.add_row(Text(token), *(f"{value:+.3f}" for value in values))
    rest = [sum(column) for column in zip(*(values for _, values in ranked[_SHOWN_TOKENS:]), strict=True)]
    if rest:
        table.add_row(f"{len(ranked) - _SHOWN_TOKENS} others", *(f"{value:+.3f}" for value in rest))
    table.add_row("bias", *(f"{explanation.bias[c]:+.3f}" for c in columns))
    table.add_section()
    table.add_row("logit", *(f"{explanation.logits[c]:+.3f}" for c in columns), style="bold")
    return Group(Text(decision_sentence(decision), style="bold"), words, table)
