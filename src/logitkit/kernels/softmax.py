"""Softmax, log-softmax and logsumexp of the rows of a contiguous [N, C] array, C >= 1.

    probs_c = exp((logits_c - maximum) · scale) / total,   total = Σ_c exp((logits_c - maximum) · scale)

`scale` is 1 / temperature; `maximum` and `total` are float64. Where the maximum is infinite, the classes that tie at it
share the row, and where a row holds NaN, `total` is NaN: every result follows from these two numbers.

Rows of many classes vectorise along the row. Rows of few classes do not, so LANES of them become the columns of a
small tile, and the vector runs across rows. Which way is taken depends on C alone, and unused lanes compute too: a row
has the same bits wherever it stands. A block kernel gets the tile as `scratch`, from `scratch_for`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest, log_total

__all__ = [
    "FEW",
    "LANES",
    "Scratch",
    "exp_row",
    "exp_tile",
    "log_softmax_block",
    "log_sum_of_exps",
    "log_sum_row",
    "logsumexp_block",
    "scratch_for",
    "softmax_block",
    "sum_exp_row",
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
def _tie(logit: float, maximum: float) -> float:
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
            exponential = np.exp(_tie(logits[i], maximum))
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
            total += np.exp(_tie(logits[i], maximum))
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
                tile[c, lane] = _tie(tile[c, lane], maximum[lane])
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


@jit
def softmax_block(logits: Any, scale: float, scratch: Scratch, probs_out: Any) -> None:
    """Write the softmax of every row into `probs_out`."""
    N, C = logits.shape
    if C < FEW:
        tile, sums = scratch
        factor = sums[1]
        for start in range(0, N, LANES):
            rows = logits[start : start + LANES]
            exp_tile(rows, scale, scratch)
            for lane in range(LANES):
                factor[lane] = 1.0 / sums[2, lane]
            probs = probs_out[start : start + LANES]
            for lane in range(probs.shape[0]):
                for c in range(C):
                    probs[lane, c] = tile[c, lane] * factor[lane]
        return
    for row in range(N):
        exps = probs_out[row]
        inverse = 1.0 / exp_row(logits[row], largest(logits[row]), scale, exps)
        for i in range(C):
            exps[i] = exps[i] * inverse


@jit
def _log_row(logits: Any, maximum: float, scale: float, log_sum: float, log_probs_out: Any) -> None:
    """Write (logits - maximum) · scale - log_sum into `log_probs_out`."""
    if np.isfinite(maximum):
        for i in range(logits.shape[0]):
            log_probs_out[i] = (np.float64(logits[i]) - maximum) * scale - log_sum
    else:
        for i in range(logits.shape[0]):
            log_probs_out[i] = _tie(logits[i], maximum) - log_sum


@jit
def log_softmax_block(logits: Any, scale: float, scratch: Scratch, log_probs_out: Any) -> None:
    """Write the log-softmax of every row into `log_probs_out`."""
    N, C = logits.shape
    if C < FEW:
        sums = scratch[1]
        for start in range(0, N, LANES):
            rows = logits[start : start + LANES]
            exp_tile(rows, scale, scratch)
            log_probs = log_probs_out[start : start + LANES]
            for lane in range(rows.shape[0]):
                maximum = sums[0, lane]
                if not np.isfinite(maximum):
                    _log_row(rows[lane], maximum, scale, sums[3, lane], log_probs[lane])
                    continue
                for c in range(C):
                    log_probs[lane, c] = (np.float64(rows[lane, c]) - maximum) * scale - sums[3, lane]
        return
    for row in range(N):
        maximum = largest(logits[row])
        log_sum = log_sum_row(logits[row], maximum, scale)
        _log_row(logits[row], maximum, scale, log_sum, log_probs_out[row])


@jit
def _log_sum(maximum: float, scale: float, log_sum: float) -> float:
    """Return log Σ exp(logits · scale) from that of the shifted row; an infinite maximum is the answer."""
    if np.isfinite(maximum):
        return maximum * scale + log_sum
    return np.nan if np.isnan(log_sum) else maximum


@jit
def logsumexp_block(logits: Any, scale: float, scratch: Scratch, values_out: Any) -> None:
    """Write the logsumexp of every row into `values_out` [N]."""
    N, C = logits.shape
    if C < FEW:
        sums = scratch[1]
        for start in range(0, N, LANES):
            rows = logits[start : start + LANES]
            exp_tile(rows, scale, scratch)
            for lane in range(rows.shape[0]):
                values_out[start + lane] = _log_sum(sums[0, lane], scale, sums[3, lane])
        return
    for row in range(N):
        maximum = largest(logits[row])
        values_out[row] = _log_sum(maximum, scale, log_sum_row(logits[row], maximum, scale))
