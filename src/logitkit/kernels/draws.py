"""Drawing a token from a whole row, without a list of it: its masses in pieces, then the one piece that is drawn from.

What is kept lies above a border that top-p and min-p have found, or equals it and is not behind `last`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted
from logitkit.kernels.nucleus import PIECE, border_of_row, mass_of
from logitkit.kernels.pointers import pointer

__all__ = ["HAS_NAN", "NEAR", "NO_TOKEN", "draw_from_row"]

NEAR = 2.0**-10  # below this, total - 1 has lost digits that log(total) would need
NO_TOKEN, HAS_NAN = -1, -2  # instead of a token: why there is none


@jit
def _sum_kept(
    p: Any, base: int, V: int, maximum: float, scale: float, border: Any, last: int, masses: Any, sums: Any
) -> float:
    """Return the mass of what is above the border, and of its equals up to `last`, and write that of each piece."""
    total, e, written = 0.0, pointer(masses), masses.shape[0] > 0
    for piece in range(sums.shape[0]):
        start = piece * PIECE
        part = 0.0
        if not np.isfinite(maximum):
            for i in range(start, min(start + PIECE, V)):
                part += 1.0 if p[base + i] == maximum and i <= last else 0.0
        elif written:
            for i in range(min(PIECE, V - start)):
                logit = p[base + start + i]
                kept = logit > border or (logit == border and start + i <= last)
                part += np.float64(e[start + i]) if kept else 0.0
        else:
            for i in range(min(PIECE, V - start)):
                logit = p[base + start + i]
                kept = logit > border or (logit == border and start + i <= last)
                part += exp_shifted(logit, maximum, scale) if kept else 0.0
        sums[piece] = part
        total += part
    return total


@jit
def draw_from_row(
    logits: Any, base: int, V: int, scale: float, uniform: float, top_p: float, min_p: float,
    scratch: Any, lists: Any,
) -> Any:  # fmt: skip
    """Return the token that `uniform` draws, or why none, and its log-probability, without a list of the row."""
    p, sums = pointer(logits), lists[4]
    maximum, border, last = border_of_row(logits, base, V, scale, top_p, min_p, scratch, lists)
    if np.isnan(maximum) or maximum == -np.inf:
        return HAS_NAN if np.isnan(maximum) else NO_TOKEN, np.nan
    written = lists[5] if top_p < 1.0 else lists[5][:0]
    total = _sum_kept(p, base, V, maximum, scale, border, last, written, sums)
    target, reached, piece = uniform * total, 0.0, 0
    while piece < sums.shape[0] - 1 and reached + sums[piece] <= target:
        reached += sums[piece]
        piece += 1
    token, start = -1, piece * PIECE
    while token < 0:
        for i in range(start, V):
            logit = p[base + i]
            mass = mass_of(logit, maximum, scale)
            if mass > 0.0 and (logit > border or (logit == border and i <= last)):
                token = i
                reached += mass
                if reached > target:
                    break
        start, reached = 0, 0.0  # rounding went past the last token that has a mass: once more from the start
    distance = (p[base + token] - maximum) * scale if np.isfinite(maximum) else 0.0
    if not (total - 1.0 < NEAR and np.isfinite(maximum)):
        return token, distance - math.log(total)
    rest = 0.0
    for i in range(V):
        logit = p[base + i]
        other = logit != maximum and (logit > border or (logit == border and i <= last))
        rest += exp_shifted(logit, maximum, scale) if other else 0.0
    return token, distance - math.log1p(rest)
