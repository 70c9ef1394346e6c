"""Runs of rows along a score: pooled until their shares of hits rise, or cut into bins of equal mass.

Rows come as sorted keys, the score as an ordered integer above and the row below (see kernels/one_vs_rest.py). Runs are
written as their least and largest score, their weight in the class, and their other weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import logit_of_key

__all__ = ["bin_rows", "pool_rows"]

LOW, HIGH, HITS, MISSES = 0, 1, 2, 3


@jit
def _next_tie(keys: Any, start: int, labels: Any, label: int, weights: Any) -> tuple[int, float, float, float]:
    """Return where the rows that tie with row `start` end, their s, and their weight in the class and not."""
    key = keys[start] >> 32
    hits = misses = 0.0
    stop = start
    while stop < keys.shape[0] and keys[stop] >> 32 == key:
        row = keys[stop] & 0xFFFFFFFF
        weight = weights[row] if weights.size else 1.0
        hits += weight if labels[row] == label else 0.0
        misses += weight if labels[row] != label else 0.0
        stop += 1
    return stop, logit_of_key(np.int32(key)), hits, misses


@jit
def pool_rows(keys: Any, labels: Any, label: int, weights: Any, runs_out: Any) -> int:
    """Pool adjacent violators along sorted keys; return how many runs are left, whose shares of hits increase.

    Empty `weights` mean that every row counts once; a row of weight 0 is no row. `runs_out` is `[4, N]`, of which only
    what is used is touched.
    """
    n = start = 0
    while start < keys.shape[0]:
        start, s, hits, misses = _next_tie(keys, start, labels, label, weights)
        if hits + misses == 0.0:
            continue
        low = s
        while n > 0:
            before, beside = runs_out[HITS, n - 1], runs_out[MISSES, n - 1]
            if before / (before + beside) < hits / (hits + misses):
                break
            n -= 1
            low = runs_out[LOW, n]
            hits += before
            misses += beside
        runs_out[LOW, n] = low
        runs_out[HIGH, n] = s
        runs_out[HITS, n] = hits
        runs_out[MISSES, n] = misses
        n += 1
    return n


@jit
def bin_rows(keys: Any, labels: Any, label: int, weights: Any, total: float, n_bins: int, runs_out: Any) -> int:
    """Cut sorted keys into at most `n_bins` runs of nearly equal weight; return how many. Rows that tie stay together.

    Rows belong to the bin that holds the middle of their weight. `total` is the weight of all rows.
    """
    n = start = 0
    current = -1
    before = 0.0
    while start < keys.shape[0]:
        start, s, hits, misses = _next_tie(keys, start, labels, label, weights)
        weight = hits + misses
        if weight == 0.0:
            continue
        place = min(int(n_bins * ((before + 0.5 * weight) / total)), n_bins - 1)
        before += weight
        if place > current:
            current = place
            runs_out[LOW, n] = s
            runs_out[HITS, n] = 0.0
            runs_out[MISSES, n] = 0.0
            n += 1
        runs_out[HIGH, n - 1] = s
        runs_out[HITS, n - 1] += hits
        runs_out[MISSES, n - 1] += misses
    return n
