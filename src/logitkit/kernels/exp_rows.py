"""Sums of exponentials, which every softmax and every loss divides by: of one row, or of a tile of rows.

Where the maximum is infinite, the classes that tie at it have the exponential 1 and all others 0. NaN gives NaN. A
total is float64, and its logarithm keeps its digits where one class holds nearly all of it.

Rows of many classes vectorise along the row. Rows of few classes do not, so LANES of them become the columns of a
small tile, and the vector runs across rows. Which way is taken depends on C alone, and unused lanes compute too: a row
has the same bits wherever it stands.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total

__all__ = [
    "FEW",
    "LANES",
    "PIECE",
    "Scratch",
    "exp_row",
    "exp_tile",
    "log_sum_of_exps",
    "log_sum_row",
    "scratch_for",
    "tie",
]

LANES = 64  # rows in a tile
PIECE = 4096  # exponentials in a partial sum: a long row loses no digits to a large total
NEAR = 2.0**-10  # below this, total - 1 has lost digits that log(total) would need
FEW = 32  # rows with fewer classes than this are computed in tiles

Scratch = tuple[NDArray[Any], NDArray[np.float64]]


def scratch_for(C: int, dtype: np.dtype[Any]) -> Scratch:
    """Return what a block kernel works in: a tile, and each lane's maximum, shift, total and logarithm of the total."""
    few = C < FEW
    return np.empty((C if few else 0, LANES), dtype), np.empty((4 if few else 0, LANES))


@jit
def tie(logit: float, maximum: float) -> float:
    """Return the shifted logit beside an infinite or NaN maximum: 0 where it ties, else -inf; NaN stays NaN."""
    if np.isnan(logit):
        return np.nan
    return 0.0 if logit == maximum else -np.inf


@jit
def _exp_piece(logits: Any, maximum: float, scale: float, exps_out: Any) -> float:
    total = 0.0
    if np.isfinite(maximum):
        for i in range(logits.shape[0]):
            exponential = exp_shifted(logits[i], maximum, scale)
            exps_out[i] = exponential
            total += exponential
    else:
        for i in range(logits.shape[0]):
            exponential = np.exp(tie(logits[i], maximum))
            exps_out[i] = exponential
            total += exponential
    return total


@jit
def exp_row(logits: Any, maximum: float, scale: float, exps_out: Any) -> Any:
    """Write exp((logits - maximum) · scale) into `exps_out` and return the sum.

    `exps_out` may be `logits`, but is then slow: the compiler trusts only separate memory to a vector.
    """
    if logits.shape[0] <= PIECE:
        return _exp_piece(logits, maximum, scale, exps_out)
    total = 0.0
    for start in range(0, logits.shape[0], PIECE):
        total += _exp_piece(logits[start : start + PIECE], maximum, scale, exps_out[start : start + PIECE])
    return total


@jit
def _sum_exp_piece(logits: Any, maximum: float, scale: float) -> float:
    total = 0.0
    if np.isfinite(maximum):
        for i in range(logits.shape[0]):
            total += exp_shifted(logits[i], maximum, scale)
    else:
        for i in range(logits.shape[0]):
            total += np.exp(tie(logits[i], maximum))
    return total


@jit
def sum_exp_row(logits: Any, maximum: float, scale: float) -> Any:
    """Return the sum of exp((logits - maximum) · scale) and write nothing."""
    if logits.shape[0] <= PIECE:
        return _sum_exp_piece(logits, maximum, scale)
    total = 0.0
    for start in range(0, logits.shape[0], PIECE):
        total += _sum_exp_piece(logits[start : start + PIECE], maximum, scale)
    return total


@jit
def log_sum_row(logits: Any, maximum: float, scale: float) -> float:
    """Return log Σ exp((logits - maximum) · scale), precise where one class holds nearly all of it."""
    total = sum_exp_row(logits, maximum, scale)
    if not (total - 1.0 < NEAR and np.isfinite(maximum)):
        return math.log(total)
    rest = 0.0
    for i in range(logits.shape[0]):
        other = logits[i] != maximum and logits[i] > -np.inf
        rest += exp_shifted(logits[i], maximum, scale) if other else 0.0
    return math.log1p(rest)


@jit
def log_sum_of_exps(exps: Any, total: float) -> float:
    """Return the same from a row of exponentials, of which the largest is 1, and their sum."""
    if not total - 1.0 < NEAR:
        return math.log(total)
    rest = 0.0
    for i in range(exps.shape[0]):
        rest += exps[i] if exps[i] < 0.5 else 0.0
    return math.log1p(rest)


@jit
def exp_tile(logits: Any, scale: float, scratch: Scratch) -> None:
    """Fill the tile with the exponentials of at most LANES rows, one row a lane.

    Lane by lane, `sums[0]` is then the maximum, infinite or NaN where it is so, `sums[2]` the total, `sums[3]` its log.
    """
    tile, sums = scratch
    rows, C = logits.shape
    maximum, shift, total = sums[0], sums[1], sums[2]
    for lane in range(rows):
        for c in range(C):
            tile[c, lane] = logits[lane, c]
    for lane in range(rows, LANES):
        for c in range(C):
            tile[c, lane] = 0.0
    for lane in range(LANES):
        maximum[lane] = tile[0, lane]
        total[lane] = 0.0
    for c in range(1, C):
        for lane in range(LANES):
            logit = np.float64(tile[c, lane])
            maximum[lane] = maximum[lane] if maximum[lane] > logit else logit
    for lane in range(LANES):
        shift[lane] = maximum[lane]
        if not np.isfinite(shift[lane]):
            shift[lane] = 0.0
            for c in range(C):
                tile[c, lane] = tie(tile[c, lane], maximum[lane])
    for c in range(C):
        for lane in range(LANES):
            exponential = exp_shifted(tile[c, lane], shift[lane], scale)
            tile[c, lane] = exponential
            total[lane] += exponential
    for lane in range(LANES):
        sums[3, lane] = log_total(total[lane])
    for lane in range(rows):
        if total[lane] - 1.0 < NEAR:
            sums[3, lane] = log_sum_of_exps(tile[:, lane], total[lane])
