"""Share rows out over an even grid on [0, 1], each between the two points beside it: what is smoothed from there."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit

__all__ = ["share_out"]


@jit
def share_out(confidence: Any, correct: Any, weights: Any, gaps_out: Any, mass_out: Any) -> None:
    """Add each row's weight, and its weight times (confidence - correct), to the two grid points beside its confidence.

    A row at a share s of the way from one point to the next gives s to the next and 1 - s to the first. Empty `weights`
    mean that every row counts once. The grids have 2 points or more.
    """
    last = gaps_out.shape[0] - 1
    for i in range(confidence.shape[0]):
        weight = weights[i] if weights.shape[0] else 1.0
        at = confidence[i] * last
        point = min(np.intp(at), last - 1)
        share = at - point
        gap = weight * (confidence[i] - correct[i])
        gaps_out[point] += (1.0 - share) * gap
        gaps_out[point + 1] += share * gap
        mass_out[point] += (1.0 - share) * weight
        mass_out[point + 1] += share * weight
