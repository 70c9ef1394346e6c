"""Sort probabilities into bins and add up what each bin holds.

Bin b has the values above bound b and up to bound b + 1. The bounds ascend from -inf to +inf, so that every value has a
bin, and none minds the ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

__all__ = ["CONFIDENCE", "CORRECT", "COUNT", "N_SUMS", "WEIGHT", "add_columns", "add_rows"]

COUNT, WEIGHT, CONFIDENCE, CORRECT, N_SUMS = 0, 1, 2, 3, 4

_FEW = 64  # so many bounds are quicker compared all than halved: no branch to be guessed wrong


@jit
def _bin_of(bounds: Any, n_bins: int, even: bool, value: Any) -> Any:
    """Return the bin of a value in [0, 1] from bounds at a pointer.

    Even bounds are guessed. Since each is rounded to the nearest number, a guess is never too low, and one too high
    at most.
    """
    if even:
        guess: Any = min(np.intp(value * n_bins), n_bins - 1)
        return guess - np.intp(value <= bounds[guess])
    low: Any = 0
    if n_bins <= _FEW:
        for b in range(1, n_bins):
            low += np.intp(bounds[b] < value)
        return low
    left = n_bins
    while left > 1:
        half = left >> 1
        low += half if bounds[low + half] < value else 0
        left -= half
    return low


@jit
def add_rows(confidence: Any, correct: Any, weights: Any, groups: Any, bounds: Any, even: bool, sums_out: Any) -> None:
    """Add count, weight, weighted confidence and weighted correctness of each row to the bin of its group.

    Empty `weights` mean that every row counts once; empty `groups`, that all rows are of group 0. `bounds` has one row
    for each group, or one for all; `even` says that bound b is b / n_bins.
    """
    n_bins = bounds.shape[1] - 1
    for i in range(confidence.shape[0]):
        group = groups[i] if groups.shape[0] else 0
        own = pointer(bounds[group if bounds.shape[0] > 1 else 0])
        weight = weights[i] if weights.shape[0] else 1.0
        b = _bin_of(own, n_bins, even, confidence[i])
        sums_out[group, b, COUNT] += 1.0
        sums_out[group, b, WEIGHT] += weight
        sums_out[group, b, CONFIDENCE] += weight * confidence[i]
        sums_out[group, b, CORRECT] += weight * correct[i]


@jit
def add_columns(
    probs: Any, labels: Any, weights: Any, bounds: Any, even: bool, first: int, stop: int, gaps_out: Any
) -> None:
    """Add weight * (p - 1[column is the label]) of every row to the bin of p, for the columns from `first` to `stop`.

    `bounds` has one row for each column, or one for all; `even` as in `add_rows`.
    """
    n_bins = bounds.shape[1] - 1
    for i in range(probs.shape[0]):
        weight = weights[i] if weights.shape[0] else 1.0
        label = labels[i]
        for c in range(first, stop):
            p = probs[i, c]
            own = pointer(bounds[c if bounds.shape[0] > 1 else 0])
            hit = 1.0 if c == label else 0.0
            gaps_out[c, _bin_of(own, n_bins, even, p)] += weight * (p - hit)
