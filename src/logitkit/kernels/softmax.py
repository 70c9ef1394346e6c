"""Softmax, log-softmax and logsumexp of the rows of a contiguous [N, C] array, C >= 1.

    probs_c = exp((logits_c - maximum) · scale) / total,   total = Σ_c exp((logits_c - maximum) · scale)

`scale` is 1 / temperature. A block kernel works in `scratch`, from `scratch_for`, and writes into memory that is not
the logits'.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest, logit_of_key, order_key
from logitkit.kernels.exp_rows import FEW, LANES, PIECE, Scratch, exp_row, exp_tile, log_sum_row, tie

__all__ = ["log_softmax_block", "logsumexp_block", "softmax_block"]


@jit
def _exp_piece_ahead(logits: Any, maximum: float, scale: float, exps_out: Any, following: Any, best: Any) -> Any:
    total = 0.0
    for i in range(logits.shape[0]):
        exponential = exp_shifted(logits[i], maximum, scale)
        exps_out[i] = exponential
        total += exponential
        key = order_key(following[i])
        best = key if key > best else best
    return total, best


@jit
def _exp_row_ahead(logits: Any, maximum: float, scale: float, exps_out: Any, following: Any) -> Any:
    """Return what `exp_row` returns, and the maximum of the row that follows.

    A maximum takes less time than its row takes to come from memory. Looked for while this row's exponentials are
    computed, it brings the next row into the cache at no cost.
    """
    C = logits.shape[0]
    if not np.isfinite(maximum):
        return exp_row(logits, maximum, scale, exps_out), largest(following)
    best = order_key(following[0])
    if C <= PIECE:
        total, best = _exp_piece_ahead(logits, maximum, scale, exps_out, following, best)
        return total, logit_of_key(best)
    total = 0.0
    for start in range(0, C, PIECE):
        stop = start + PIECE
        piece, next_piece = logits[start:stop], following[start:stop]
        part, best = _exp_piece_ahead(piece, maximum, scale, exps_out[start:stop], next_piece, best)
        total += part
    return total, logit_of_key(best)


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
    maximum = largest(logits[0]) if N > 0 else 0.0
    for row in range(N):
        exps = probs_out[row]
        total, maximum = _exp_row_ahead(logits[row], maximum, scale, exps, logits[min(row + 1, N - 1)])
        inverse = 1.0 / total
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
            log_probs_out[i] = tie(logits[i], maximum) - log_sum


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
