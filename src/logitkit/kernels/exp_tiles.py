"""Exponentials of rows of few classes, and their sums: LANES rows are the columns of a small tile.

Rows of many classes vectorise along the row (kernels/exp_rows.py). Rows of few classes do not, so the vector runs
across rows. Which way is taken depends on C alone, and unused lanes compute too: a row has the same bits wherever it
stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total
from logitkit.kernels.exp_rows import NEAR, log_sum_of_exps, tie

__all__ = [
    "FACTOR",
    "FEW",
    "LANES",
    "LOG_SUM",
    "MAXIMUM",
    "OFFSET",
    "TOTAL",
    "Scratch",
    "exp_tile",
    "scratch_for",
    "write_tile",
]

LANES = 64  # rows in a tile
FEW = 32  # rows with fewer classes than this are computed in tiles

# Where `scratch[1]` holds what of each lane. FACTOR and OFFSET are free for the caller.
MAXIMUM, FACTOR, TOTAL, LOG_SUM, OFFSET = 0 * LANES, 1 * LANES, 2 * LANES, 3 * LANES, 4 * LANES

Scratch = tuple[NDArray[Any], NDArray[np.float64]]


def scratch_for(C: int, dtype: np.dtype[Any]) -> Scratch:
    """Return what a block kernel works in: a tile [C · LANES], and the numbers of each lane."""
    few = C < FEW
    return np.empty(C * LANES if few else 0, dtype), np.empty(5 * LANES if few else 0)


@jit
def write_tile(tile: Any, rows: Any, C: Any, rows_out: Any) -> None:
    """Write a tile back as rows. The vector runs across rows here too: to scatter takes 0.4 of a scalar loop's time."""
    for c in range(C):
        for lane in range(rows):
            rows_out[lane * C + c] = tile[c * LANES + lane]


@jit
def _shift_of_infinite_lanes(tile: Any, C: Any, sums: Any) -> None:
    """Let lanes with an infinite or NaN maximum hold the shifted logits, 0 where they tie, beside a maximum of 0."""
    for lane in range(LANES):
        maximum = sums[MAXIMUM + lane]
        sums[FACTOR + lane] = maximum
        if not np.isfinite(maximum):
            sums[FACTOR + lane] = 0.0
            for c in range(C):
                tile[c * LANES + lane] = tie(tile[c * LANES + lane], maximum)


@jit
def exp_tile(logits: Any, rows: Any, C: Any, scale: float, tile: Any, sums: Any) -> None:
    """Fill the tile with the exponentials of at most LANES rows, one row a lane; all are pointers.

    Lane by lane, `sums` then holds the MAXIMUM, infinite or NaN where it is so, the TOTAL and its LOG_SUM.
    """
    for c in range(C):
        for lane in range(rows):
            tile[c * LANES + lane] = logits[lane * C + c]
        for lane in range(rows, LANES):
            tile[c * LANES + lane] = 0.0
    for lane in range(LANES):
        sums[MAXIMUM + lane] = tile[lane]
        sums[TOTAL + lane] = 0.0
    for c in range(1, C):
        for lane in range(LANES):
            logit = np.float64(tile[c * LANES + lane])
            maximum = sums[MAXIMUM + lane]
            sums[MAXIMUM + lane] = maximum if maximum > logit else logit
    # A difference is NaN where the maximum is infinite, and a NaN makes the sum one: a loop that vectorises.
    spread = 0.0
    for lane in range(LANES):
        sums[FACTOR + lane] = sums[MAXIMUM + lane]
        spread += sums[MAXIMUM + lane] - sums[MAXIMUM + lane]
    if spread != 0.0:
        _shift_of_infinite_lanes(tile, C, sums)
    for c in range(C):
        for lane in range(LANES):
            exponential = exp_shifted(tile[c * LANES + lane], sums[FACTOR + lane], scale)
            tile[c * LANES + lane] = exponential
            sums[TOTAL + lane] += exponential
    near = 0
    for lane in range(LANES):
        total = sums[TOTAL + lane]
        sums[LOG_SUM + lane] = log_total(total)
        near += 1 if total - 1.0 < NEAR else 0
    if near > 0:
        for lane in range(rows):
            total = sums[TOTAL + lane]
            if total - 1.0 < NEAR:
                sums[LOG_SUM + lane] = log_sum_of_exps(tile, lane, C, LANES, total)
