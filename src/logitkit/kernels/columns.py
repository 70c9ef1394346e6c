"""Softmax, log-softmax and logsumexp along the middle axis of a contiguous [A, C, B] array, whose columns are many.

The formulas are those of rows. A tile, all C classes of some neighbouring columns, is copied to memory that stays in
the cache, and the vector runs across its columns: nothing is transposed, and the array is read and written once. The
result may be written over the logits. Halves come as their bits (see `halves`); `brain` is None for floats.

A column is computed by itself, with exponentials and sums as for few classes: it has the same bits in any tile. Columns
are counted through A and B; `scales` has a number for each, or one for all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total, logit_of_key, order_key
from logitkit.kernels.exp_rows import NEAR, tie
from logitkit.kernels.halves import narrowed, widened

__all__ = ["Tile", "log_softmax_columns", "logsumexp_columns", "softmax_columns", "tile_for"]

TILE_BYTES = 2**20  # what a core's cache of the second level holds
NARROWEST, WIDEST = 32, 1024  # columns in a tile: a row of it is a few cache lines, and its sums stay near

Tile = tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]


def tile_for(C: int, B: int, dtype: np.dtype[Any]) -> Tile:
    """Return what a kernel works in: a tile, and each column's largest key, maximum, shift, scale, and two sums."""
    lanes = min(max(TILE_BYTES // (dtype.itemsize * C) // NARROWEST * NARROWEST, NARROWEST), WIDEST, B)
    return np.empty((C, lanes), dtype), np.empty(lanes, f"i{dtype.itemsize}"), np.empty((5, lanes))


@jit
def _load(logits: Any, brain: Any, b: int, lanes: int, scales: Any, at: int, work: Tile) -> None:
    """Copy columns of `logits` [C, B] from `b` on into the tile, and find each one's maximum, shift and scale."""
    tile, best, sums = work
    maximum, shift, scale = sums[0], sums[1], sums[2]
    C = logits.shape[0]
    step = 0 if scales.shape[0] == 1 else 1
    for lane in range(lanes):
        best[lane] = order_key(widened(logits[0, b + lane], brain))
        scale[lane] = scales[(at + lane) * step]
    for c in range(C):
        row, copy = logits[c, b : b + lanes], tile[c]
        for lane in range(lanes):
            logit = widened(row[lane], brain)
            copy[lane] = logit
            key = order_key(logit)
            best[lane] = key if key > best[lane] else best[lane]
    for lane in range(lanes):
        maximum[lane] = logit_of_key(best[lane])
        shift[lane] = maximum[lane]
        if not np.isfinite(maximum[lane]):
            shift[lane] = 0.0
            for c in range(C):
                tile[c, lane] = tie(tile[c, lane], maximum[lane])


@jit
def _sum(lanes: int, work: Tile) -> None:
    """Let `sums[4]` be each column's log Σ exp((logits - shift) · scale)."""
    tile, _, sums = work
    shift, scale, rest, total = sums[1], sums[2], sums[3], sums[4]
    for lane in range(lanes):
        rest[lane] = 0.0
        total[lane] = 0.0
    for c in range(tile.shape[0]):
        row = tile[c]
        for lane in range(lanes):
            exponential = exp_shifted(row[lane], shift[lane], scale[lane])
            total[lane] += exponential
            rest[lane] += exponential if exponential < 0.5 else 0.0
    for lane in range(lanes):
        near = total[lane] - 1.0 < NEAR
        total[lane] = log_total(total[lane])
        if near:
            total[lane] = math.log1p(rest[lane])


@jit
def softmax_columns(logits: Any, brain: Any, first: int, stop: int, scales: Any, work: Tile, probs_out: Any) -> None:
    """Write the softmax of the columns from `first` to `stop` into `probs_out` [A, C, B]."""
    _, C, B = logits.shape
    tile, _, sums = work
    shift, scale, total = sums[1], sums[2], sums[3]
    at = first
    while at < stop:
        a, b = at // B, at % B
        lanes = min(tile.shape[1], B - b, stop - at)
        _load(logits[a], brain, b, lanes, scales, at, work)
        for lane in range(lanes):
            total[lane] = 0.0
        for c in range(C):
            row = tile[c]
            for lane in range(lanes):
                exponential = exp_shifted(row[lane], shift[lane], scale[lane])
                row[lane] = exponential
                total[lane] += exponential
        for lane in range(lanes):
            total[lane] = 1.0 / total[lane]
        for c in range(C):
            row, probs = tile[c], probs_out[a, c, b : b + lanes]
            for lane in range(lanes):
                probs[lane] = narrowed(row[lane] * total[lane], brain)
        at += lanes


@jit
def log_softmax_columns(
    logits: Any, brain: Any, first: int, stop: int, scales: Any, work: Tile, log_probs_out: Any
) -> None:
    """Write the log-softmax of the columns from `first` to `stop` into `log_probs_out` [A, C, B]."""
    _, C, B = logits.shape
    tile, _, sums = work
    shift, scale, log_sum = sums[1], sums[2], sums[4]
    at = first
    while at < stop:
        a, b = at // B, at % B
        lanes = min(tile.shape[1], B - b, stop - at)
        _load(logits[a], brain, b, lanes, scales, at, work)
        _sum(lanes, work)
        for c in range(C):
            row, log_probs = tile[c], log_probs_out[a, c, b : b + lanes]
            for lane in range(lanes):
                log_prob = (np.float64(row[lane]) - shift[lane]) * scale[lane] - log_sum[lane]
                log_probs[lane] = narrowed(log_prob, brain)
        at += lanes


@jit
def logsumexp_columns(logits: Any, brain: Any, first: int, stop: int, scales: Any, work: Tile, values_out: Any) -> None:
    """Write the logsumexp of the columns from `first` to `stop` into `values_out` [A · B]."""
    B = logits.shape[2]
    tile, _, sums = work
    maximum, shift, scale, log_sum = sums[0], sums[1], sums[2], sums[4]
    at = first
    while at < stop:
        a, b = at // B, at % B
        lanes = min(tile.shape[1], B - b, stop - at)
        _load(logits[a], brain, b, lanes, scales, at, work)
        _sum(lanes, work)
        for lane in range(lanes):
            value = shift[lane] * scale[lane] + log_sum[lane]
            if not np.isfinite(maximum[lane]):
                value = maximum[lane]  # NaN too: it counts as the largest
            values_out[at + lane] = narrowed(value, brain)
        at += lanes
