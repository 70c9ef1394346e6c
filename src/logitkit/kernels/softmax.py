"""Softmax, log-softmax and logsumexp of the rows of a contiguous [N, C] array, C >= 1.

    probs_c = exp((logits_c - maximum) · scale) / total,   total = Σ_c exp((logits_c - maximum) · scale)

`scale` is 1 / temperature. A block kernel works in `scratch`, from `scratch_for`, and writes into memory that is not
the logits'.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import largest_at
from logitkit.kernels.exp_rows import exp_row_ahead, log_sum_row, tie
from logitkit.kernels.exp_tiles import FACTOR, FEW, LANES, LOG_SUM, MAXIMUM, TOTAL, Scratch, exp_tile, write_tile
from logitkit.kernels.pointers import pointer

__all__ = ["log_softmax_block", "logsumexp_block", "softmax_block"]


@jit
def softmax_block(logits: Any, scale: float, scratch: Scratch, probs_out: Any) -> None:
    """Write the softmax of every row into `probs_out`."""
    N, C = logits.shape
    if C < FEW:
        tile, sums = pointer(scratch[0]), pointer(scratch[1])
        for start in range(0, N, LANES):
            rows = min(LANES, N - start)
            exp_tile(pointer(logits[start:]), rows, C, scale, tile, sums)
            for lane in range(LANES):
                sums[FACTOR + lane] = 1.0 / sums[TOTAL + lane]
            for c in range(C):
                for lane in range(LANES):
                    tile[c * LANES + lane] = tile[c * LANES + lane] * sums[FACTOR + lane]
            write_tile(tile, rows, C, pointer(probs_out[start:]))
        return
    maximum = largest_at(pointer(logits), C) if N > 0 else 0.0
    for row in range(N):
        exps, following = pointer(probs_out[row]), pointer(logits[min(row + 1, N - 1)])
        total, maximum = exp_row_ahead(pointer(logits[row]), C, maximum, scale, exps, following)
        inverse = 1.0 / total
        for i in range(C):
            exps[i] = exps[i] * inverse


@jit
def _log_row(logits: Any, C: Any, maximum: float, scale: float, log_sum: float, log_probs_out: Any) -> None:
    """Write (logits - maximum) · scale - log_sum to `log_probs_out`."""
    if np.isfinite(maximum):
        for i in range(C):
            log_probs_out[i] = (np.float64(logits[i]) - maximum) * scale - log_sum
    else:
        for i in range(C):
            log_probs_out[i] = tie(logits[i], maximum) - log_sum


@jit
def log_softmax_block(logits: Any, scale: float, scratch: Scratch, log_probs_out: Any) -> None:
    """Write the log-softmax of every row into `log_probs_out`."""
    N, C = logits.shape
    if C < FEW:
        tile, sums = pointer(scratch[0]), pointer(scratch[1])
        for start in range(0, N, LANES):
            rows = min(LANES, N - start)
            exp_tile(pointer(logits[start:]), rows, C, scale, tile, sums)
            at, log_probs = pointer(logits[start:]), pointer(log_probs_out[start:])
            for c in range(C):
                for lane in range(rows):
                    shifted = np.float64(at[lane * C + c]) - sums[FACTOR + lane]
                    log_probs[lane * C + c] = shifted * scale - sums[LOG_SUM + lane]
            for lane in range(rows):
                if not np.isfinite(sums[MAXIMUM + lane]):
                    row, log_sum = start + lane, sums[LOG_SUM + lane]
                    _log_row(pointer(logits[row]), C, sums[MAXIMUM + lane], scale, log_sum, pointer(log_probs_out[row]))
        return
    for row in range(N):
        maximum = largest_at(pointer(logits[row]), C)
        log_sum = log_sum_row(pointer(logits[row]), C, maximum, scale)
        _log_row(pointer(logits[row]), C, maximum, scale, log_sum, pointer(log_probs_out[row]))


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
        tile, sums = pointer(scratch[0]), pointer(scratch[1])
        for start in range(0, N, LANES):
            rows = min(LANES, N - start)
            exp_tile(pointer(logits[start:]), rows, C, scale, tile, sums)
            for lane in range(rows):
                values_out[start + lane] = _log_sum(sums[MAXIMUM + lane], scale, sums[LOG_SUM + lane])
        return
    for row in range(N):
        maximum = largest_at(pointer(logits[row]), C)
        values_out[row] = _log_sum(maximum, scale, log_sum_row(pointer(logits[row]), C, maximum, scale))
