"""Softmax, log-softmax and logsumexp of the rows of a contiguous [N, C] array.

    probs_c = exp((logits_c - maximum) · scale) / total,   total = Σ_c exp((logits_c - maximum) · scale)

`scale` is 1 / temperature. `maximum` and `total` are float64. Where the maximum is infinite, the classes that tie at it
share the row, and where a row holds NaN, `total` is NaN: all results follow from these two numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest

__all__ = ["exp_row", "sum_exp_row"]


@jit
def _tie_row(logits: Any, maximum: float, exps_out: Any) -> float:
    """The exponentials of a row whose maximum is infinite or NaN: 1 where a class ties at it, else 0."""
    total = 0.0
    for i in range(logits.shape[0]):
        logit = logits[i]
        tie = 1.0 if logit == maximum else 0.0
        tie = tie if logit == logit else np.nan  # noqa: PLR0124  (only NaN differs from itself)
        if exps_out.shape[0] > 0:
            exps_out[i] = tie
        total += tie
    return total


@jit
def exp_row(logits: Any, maximum: float, scale: float, exps_out: Any) -> float:
    """Write exp((logits - maximum) · scale) into `exps_out`, which may be `logits`, and return the sum."""
    if not np.isfinite(maximum):
        return _tie_row(logits, maximum, exps_out)
    total = 0.0
    for i in range(logits.shape[0]):
        exponential = exp_shifted(logits[i], maximum, scale)
        exps_out[i] = exponential
        total += exponential
    return total


@jit
def sum_exp_row(logits: Any, maximum: float, scale: float) -> float:
    """Return the sum of exp((logits - maximum) · scale) and write nothing."""
    if not np.isfinite(maximum):
        return _tie_row(logits, maximum, logits[:0])
    total = 0.0
    for i in range(logits.shape[0]):
        total += exp_shifted(logits[i], maximum, scale)
    return total
