"""Exponentials of a row of many classes, and their sum, which every softmax and every loss divides by.

Rows come as pointers with their number of classes: an array handed to another compiled function costs 10 ns, as much as
40 exponentials. Where the maximum is infinite, the classes that tie at it have the exponential 1 and all others 0. NaN
gives NaN. A total is float64, and its logarithm keeps its digits where one class holds nearly all of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest_at, logit_of_key, order_key

__all__ = ["NEAR", "exp_row", "exp_row_ahead", "log_sum_of_exps", "log_sum_row", "tie"]

PIECE = 4096  # exponentials in a partial sum: a long row loses no digits to a large total
NEAR = 2.0**-10  # below this, total - 1 has lost digits that log(total) would need


@jit
def tie(logit: float, maximum: float) -> float:
    """Return the shifted logit beside an infinite or NaN maximum: 0 where it ties, else -inf; NaN stays NaN."""
    if np.isnan(logit):
        return np.nan
    return 0.0 if logit == maximum else -np.inf


@jit
def exp_row(logits: Any, C: Any, maximum: float, scale: float, exps_out: Any) -> float:
    """Write exp((logits - maximum) · scale) to `exps_out` and return the sum.

    `exps_out` may be `logits`, but is then slow: the compiler trusts only separate memory to a vector.
    """
    total = 0.0
    if not np.isfinite(maximum):
        for i in range(C):
            exponential = np.exp(tie(logits[i], maximum))
            exps_out[i] = exponential
            total += exponential
        return total
    for start in range(0, C, PIECE):
        part = 0.0
        for i in range(start, min(start + PIECE, C)):
            exponential = exp_shifted(logits[i], maximum, scale)
            exps_out[i] = exponential
            part += exponential
        total += part
    return total


@jit
def exp_row_ahead(logits: Any, C: Any, maximum: float, scale: float, exps_out: Any, following: Any) -> Any:
    """Return what `exp_row` returns, and the maximum of the row that follows.

    A maximum takes less time than its row takes to come from memory. Looked for while this row's exponentials are
    computed, it brings the next row into the cache at no cost.
    """
    if not np.isfinite(maximum):
        return exp_row(logits, C, maximum, scale, exps_out), largest_at(following, C)
    total = 0.0
    best = order_key(following[0])
    for start in range(0, C, PIECE):
        part = 0.0
        for i in range(start, min(start + PIECE, C)):
            exponential = exp_shifted(logits[i], maximum, scale)
            exps_out[i] = exponential
            part += exponential
            key = order_key(following[i])
            best = key if key > best else best
        total += part
    return total, logit_of_key(best)


@jit
def _sum_exp_row(logits: Any, C: Any, maximum: float, scale: float) -> float:
    """Return the sum of exp((logits - maximum) · scale) and write nothing."""
    total = 0.0
    if not np.isfinite(maximum):
        for i in range(C):
            total += np.exp(tie(logits[i], maximum))
        return total
    for start in range(0, C, PIECE):
        part = 0.0
        for i in range(start, min(start + PIECE, C)):
            part += exp_shifted(logits[i], maximum, scale)
        total += part
    return total


@jit
def log_sum_row(logits: Any, C: Any, maximum: float, scale: float) -> float:
    """Return log Σ exp((logits - maximum) · scale), precise where one class holds nearly all of it."""
    total = _sum_exp_row(logits, C, maximum, scale)
    if not (total - 1.0 < NEAR and np.isfinite(maximum)):
        return math.log(total)
    rest = 0.0
    for i in range(C):
        other = logits[i] != maximum and logits[i] > -np.inf
        rest += exp_shifted(logits[i], maximum, scale) if other else 0.0
    return math.log1p(rest)


@jit
def log_sum_of_exps(exps: Any, first: Any, C: Any, stride: Any, total: float) -> float:
    """Return the same from exponentials that start at `first`, `stride` apart, of which the largest is 1."""
    if not total - 1.0 < NEAR:
        return math.log(total)
    rest = 0.0
    for i in range(C):
        exponential = exps[first + i * stride]
        rest += exponential if exponential < 0.5 else 0.0
    return math.log1p(rest)
