"""What a person should know of a training, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logitkit.trust.abstention_rule import AbstentionReason, AbstentionRule

__all__ = ["data_warnings", "refusal_warning"]


def refusal_warning(rule: AbstentionRule) -> str:
    """Say that nothing can be promised, and why."""
    promise = f"at most {100 * rule.max_error:g} % wrong answers with {100 * rule.certainty:g} % certainty"
    why = (
        f"that takes {rule.rows_needed:,} held-out texts, all answered right; there are {rule.rows:,}"
        if rule.reason is AbstentionReason.TOO_FEW_ROWS
        else f"about {100 * rule.reachable_error:.2g} % is the least that the held-out texts can promise"
    )
    return f"No threshold can promise {promise}, so the model answers nothing: {why}."


def data_warnings(names: tuple[str, ...], counts: NDArray[np.intp], held_out: int) -> tuple[str, ...]:
    """Say what makes the model or its figures doubtful."""
    lonely = [name for name, count in zip(names, counts.tolist(), strict=True) if count == 1]
    words = []
    if lonely:
        shown = ", ".join(repr(name) for name in lonely[:5]) + (", …" if len(lonely) > 5 else "")
        classes = "class has" if len(lonely) == 1 else "classes have"
        words.append(f"{len(lonely)} {classes} one example only, so nothing says how well they are known: {shown}.")
    if held_out < 100:
        words.append(f"Only {held_out} texts could be held out: the temperature and the held-out figures are rough.")
    return tuple(words)
