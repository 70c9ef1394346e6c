"""Kullback-Leibler divergence of rows of logits z from a teacher's t, with its gradient, in one pass over both.

    p = softmax(t · scale), q = softmax(z · scale),   loss = Σ_c p_c (log p_c - log q_c)
    = Σ_c p_c (t_c - z_c) · scale + logsumexp(z · scale) - logsumexp(t · scale),   ∂loss / ∂z = scale · (q - p)

Both rows are shifted by their maxima. A class that the teacher gives -inf costs nothing; one that the student alone
gives -inf costs +inf. Where a maximum is infinite, the row stands for the classes that tie at it: 0 there, -inf
elsewhere. Rows of few classes become the columns of tiles, so that the vector runs across rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest, log_total

__all__ = ["divergence_scratch", "kl_divergence_block"]

LANES = 64  # rows in a tile
FEW = 32  # rows with fewer classes than this are computed in tiles

Scratch = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]


def divergence_scratch(C: int, dtype: np.dtype[Any]) -> Scratch:
    """Return what the block kernel works in: logits and exponentials of both sides, and the sums of each lane."""
    width = C * LANES if C < FEW else C
    return np.empty((2, width), dtype), np.empty((2, width)), np.empty((6, LANES if C < FEW else 0))


@jit
def _shift(maximum: float) -> float:
    return maximum if np.isfinite(maximum) else 0.0


@jit
def _ties(logits: Any, maximum: float, logits_out: Any) -> None:
    """Write 0 where a logit ties with an infinite maximum, and -inf elsewhere; NaN makes all of the row NaN."""
    for i in range(logits.shape[0]):
        logits_out[i] = np.nan if np.isnan(maximum) else (0.0 if logits[i] == maximum else -np.inf)


@jit
def _gap(logit: Any, teacher: Any, shift: float, mass: float) -> float:
    """Return mass · (teacher - logit - shift), 0 where either is -inf."""
    gap = mass * (np.float64(teacher) - np.float64(logit) - shift)
    return gap if (teacher > -np.inf) & (logit > -np.inf) else 0.0


@jit
def _blocks(logit: Any, teacher: Any) -> float:
    """Return 1 where the teacher has mass and the student has none, NaN aside."""
    return 1.0 if (teacher > -np.inf) & (logit == -np.inf) else 0.0


@jit
def _loss(gap: float, blocked: float, total: float, teacher_total: float, scale: float) -> float:
    """Return the divergence from the sums of a row; it is not negative but for rounding."""
    loss = gap * scale / teacher_total + (log_total(total) - log_total(teacher_total))
    loss = 0.0 if loss < 0.0 else loss
    return np.inf if (blocked > 0.0) & (loss >= 0.0) else loss


@jit
def _row(
    logits: Any, teacher: Any, shift: float, teacher_shift: float, scale: float, exps: Any, teacher_exps: Any
) -> tuple[float, float, float]:
    """Write the exponentials of both sides, and return the loss and both totals."""
    total, teacher_total, gap, blocked = 0.0, 0.0, 0.0, 0.0
    for i in range(logits.shape[0]):
        exponential = exp_shifted(logits[i], shift, scale)
        mass = exp_shifted(teacher[i], teacher_shift, scale)
        exps[i] = exponential
        teacher_exps[i] = mass
        total += exponential
        teacher_total += mass
        gap += _gap(logits[i], teacher[i], teacher_shift - shift, mass)
        blocked += _blocks(logits[i], teacher[i])
    return _loss(gap, blocked, total, teacher_total, scale), total, teacher_total


@jit
def _fill_tile(rows: Any, tile: Any, shifts: Any) -> None:
    """Make rows the columns of a tile, and write each lane's shift; infinite maxima become ties."""
    n, C = rows.shape
    for lane in range(n):
        for c in range(C):
            tile[c * LANES + lane] = rows[lane, c]
    for lane in range(n, LANES):
        for c in range(C):
            tile[c * LANES + lane] = 0.0
    for lane in range(LANES):
        shifts[lane] = tile[lane]
    for c in range(1, C):
        for lane in range(LANES):
            logit = np.float64(tile[c * LANES + lane])
            shifts[lane] = shifts[lane] if shifts[lane] > logit else logit
    for lane in range(LANES):
        if not np.isfinite(shifts[lane]):
            for c in range(C):
                logit = tile[c * LANES + lane]
                tie = 0.0 if logit == shifts[lane] else -np.inf
                tile[c * LANES + lane] = np.nan if np.isnan(logit) else tie
            shifts[lane] = 0.0


@jit
def _tile(C: int, scale: float, scratch: Scratch) -> None:
    """Fill the exponentials and sums of a tile: sums[2], sums[3] are the totals, sums[4] the loss."""
    tiles, exps, sums = scratch
    for k in range(2, 6):
        for lane in range(LANES):
            sums[k, lane] = 0.0
    for side in range(2):
        tile, side_exps, shift, total = tiles[side], exps[side], sums[side], sums[2 + side]
        for c in range(C):
            for lane in range(LANES):
                exponential = exp_shifted(tile[c * LANES + lane], shift[lane], scale)
                side_exps[c * LANES + lane] = exponential
                total[lane] += exponential
    logits, teacher, masses, gap, blocked = tiles[0], tiles[1], exps[1], sums[4], sums[5]
    for c in range(C):
        for lane in range(LANES):
            i = c * LANES + lane
            gap[lane] += _gap(logits[i], teacher[i], sums[1, lane] - sums[0, lane], masses[i])
            blocked[lane] += _blocks(logits[i], teacher[i])
    for lane in range(LANES):
        gap[lane] = _loss(gap[lane], blocked[lane], sums[2, lane], sums[3, lane], scale)


@jit
def kl_divergence_block(
    logits: Any, teacher: Any, scale: float, grad_scales: Any, scratch: Scratch, losses_out: Any, grad_out: Any
) -> None:
    """Write each row's loss, and grad_scales times its gradient unless `grad_out` has no rows.

    `logits` and `teacher` [N, C], C >= 1, are contiguous and of one type; `grad_scales` holds a number a row, or one
    for all.
    """
    N, C = logits.shape
    per_row = 0 if grad_scales.shape[0] == 1 else 1
    wants_grad = grad_out.shape[0] > 0
    tiles, exps, sums = scratch
    if C >= FEW:
        for row in range(N):
            z, t = logits[row], teacher[row]
            maximum, teacher_maximum = largest(z), largest(t)
            if not np.isfinite(maximum):
                _ties(z, maximum, tiles[0])
                z = tiles[0]
            if not np.isfinite(teacher_maximum):
                _ties(t, teacher_maximum, tiles[1])
                t = tiles[1]
            loss, total, teacher_total = _row(z, t, _shift(maximum), _shift(teacher_maximum), scale, exps[0], exps[1])
            losses_out[row] = loss
            if wants_grad:
                factor = grad_scales[row * per_row] * scale / total
                teacher_factor = grad_scales[row * per_row] * scale / teacher_total
                for c in range(C):
                    grad_out[row, c] = exps[0, c] * factor - exps[1, c] * teacher_factor
        return
    for start in range(0, N, LANES):
        stop = min(start + LANES, N)
        _fill_tile(logits[start:stop], tiles[0], sums[0])
        _fill_tile(teacher[start:stop], tiles[1], sums[1])
        _tile(C, scale, scratch)
        for lane in range(stop - start):
            row = start + lane
            losses_out[row] = sums[4, lane]
            if wants_grad:
                factor = grad_scales[row * per_row] * scale / sums[2, lane]
                teacher_factor = grad_scales[row * per_row] * scale / sums[3, lane]
                for c in range(C):
                    i = c * LANES + lane
                    grad_out[row, c] = exps[0, i] * factor - exps[1, i] * teacher_factor
