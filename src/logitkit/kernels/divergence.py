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
from logitkit.kernels.exp import exp_shifted, largest_at, log_total
from logitkit.kernels.exp_rows import tie
from logitkit.kernels.exp_tiles import FEW, LANES, write_tile
from logitkit.kernels.pointers import pointer

__all__ = ["divergence_scratch", "kl_divergence_block"]

# Where `scratch[2]` holds what of each lane of a tile: of the student's side, and one further of the teacher's.
SHIFT, TOTAL, FACTOR, LOSS, BLOCKED = 0 * LANES, 2 * LANES, 4 * LANES, 6 * LANES, 7 * LANES

Scratch = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]


def divergence_scratch(C: int, dtype: np.dtype[Any]) -> Scratch:
    """Return what the block kernel works in: logits and exponentials of both sides, and the sums of each lane."""
    width = C * LANES if C < FEW else C
    return np.empty((2, width), dtype), np.empty((2, width)), np.empty(8 * LANES if C < FEW else 0)


@jit
def _ties(logits: Any, C: Any, maximum: float, logits_out: Any) -> None:
    """Write 0 where a logit ties with an infinite maximum, and -inf elsewhere; NaN stays NaN."""
    for i in range(C):
        logits_out[i] = tie(logits[i], maximum)


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
    logits: Any, teacher: Any, C: Any, shift: float, teacher_shift: float, scale: float, exps: Any, teacher_exps: Any
) -> tuple[float, float, float]:
    """Write the exponentials of both sides, and return the loss and both totals; arrays are pointers."""
    total, teacher_total, gap, blocked = 0.0, 0.0, 0.0, 0.0
    for i in range(C):
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
def _fill_tile(logits: Any, rows: Any, C: Any, scale: float, tile: Any, exps: Any, sums: Any) -> None:
    """Make rows the columns of a tile, with their exponentials, SHIFT and TOTAL; infinite maxima become ties."""
    for c in range(C):
        for lane in range(rows):
            tile[c * LANES + lane] = logits[lane * C + c]
        for lane in range(rows, LANES):
            tile[c * LANES + lane] = 0.0
    for lane in range(LANES):
        sums[SHIFT + lane] = tile[lane]
        sums[TOTAL + lane] = 0.0
    for c in range(1, C):
        for lane in range(LANES):
            logit = np.float64(tile[c * LANES + lane])
            maximum = sums[SHIFT + lane]
            sums[SHIFT + lane] = maximum if maximum > logit else logit
    for lane in range(LANES):
        if not np.isfinite(sums[SHIFT + lane]):
            for c in range(C):
                tile[c * LANES + lane] = tie(tile[c * LANES + lane], sums[SHIFT + lane])
            sums[SHIFT + lane] = 0.0
    for c in range(C):
        for lane in range(LANES):
            exponential = exp_shifted(tile[c * LANES + lane], sums[SHIFT + lane], scale)
            exps[c * LANES + lane] = exponential
            sums[TOTAL + lane] += exponential


@jit
def _losses_of_tile(C: Any, scale: float, logits: Any, teacher: Any, masses: Any, sums: Any) -> None:
    """Fill each lane's LOSS from two tiles and the teacher's exponentials."""
    for lane in range(LANES):
        sums[LOSS + lane] = 0.0
        sums[BLOCKED + lane] = 0.0
    for c in range(C):
        for lane in range(LANES):
            i = c * LANES + lane
            shift = sums[SHIFT + LANES + lane] - sums[SHIFT + lane]
            sums[LOSS + lane] += _gap(logits[i], teacher[i], shift, masses[i])
            sums[BLOCKED + lane] += _blocks(logits[i], teacher[i])
    for lane in range(LANES):
        totals = sums[TOTAL + lane], sums[TOTAL + LANES + lane]
        sums[LOSS + lane] = _loss(sums[LOSS + lane], sums[BLOCKED + lane], totals[0], totals[1], scale)


@jit
def _few_classes(
    logits: Any, teacher: Any, scale: float, grad_scales: Any, scratch: Scratch, losses_out: Any, grad_out: Any
) -> None:
    N, C = logits.shape
    per_row = 0 if grad_scales.shape[0] == 1 else 1
    tile, teacher_tile, sums = pointer(scratch[0][0]), pointer(scratch[0][1]), pointer(scratch[2])
    exps, masses = pointer(scratch[1][0]), pointer(scratch[1][1])
    for start in range(0, N, LANES):
        rows = min(LANES, N - start)
        _fill_tile(pointer(logits[start:]), rows, C, scale, tile, exps, sums)
        _fill_tile(pointer(teacher[start:]), rows, C, scale, teacher_tile, masses, pointer(scratch[2][LANES:]))
        _losses_of_tile(C, scale, tile, teacher_tile, masses, sums)
        for lane in range(rows):
            losses_out[start + lane] = sums[LOSS + lane]
        if grad_out.shape[0] == 0:
            continue
        for lane in range(LANES):
            factor = grad_scales[min(start + lane, N - 1) * per_row] * scale
            sums[FACTOR + lane] = factor / sums[TOTAL + lane]
            sums[FACTOR + LANES + lane] = factor / sums[TOTAL + LANES + lane]
        for c in range(C):
            for lane in range(LANES):
                i = c * LANES + lane
                tile[i] = exps[i] * sums[FACTOR + lane] - masses[i] * sums[FACTOR + LANES + lane]
        write_tile(tile, rows, C, pointer(grad_out[start:]))


@jit
def kl_divergence_block(
    logits: Any, teacher: Any, scale: float, grad_scales: Any, scratch: Scratch, losses_out: Any, grad_out: Any
) -> None:
    """Write each row's loss, and grad_scales times its gradient unless `grad_out` has no rows.

    `logits` and `teacher` [N, C], C >= 1, are contiguous and of one type; `grad_scales` holds a number a row, or one
    for all.
    """
    N, C = logits.shape
    if C < FEW:
        _few_classes(logits, teacher, scale, grad_scales, scratch, losses_out, grad_out)
        return
    per_row = 0 if grad_scales.shape[0] == 1 else 1
    ties, teacher_ties = pointer(scratch[0][0]), pointer(scratch[0][1])
    exps, masses = pointer(scratch[1][0]), pointer(scratch[1][1])
    for row in range(N):
        z, t = pointer(logits[row]), pointer(teacher[row])
        shift, teacher_shift = largest_at(z, C), largest_at(t, C)
        if not np.isfinite(shift):
            _ties(z, C, shift, ties)
            z, shift = ties, 0.0
        if not np.isfinite(teacher_shift):
            _ties(t, C, teacher_shift, teacher_ties)
            t, teacher_shift = teacher_ties, 0.0
        loss, total, teacher_total = _row(z, t, C, shift, teacher_shift, scale, exps, masses)
        losses_out[row] = loss
        if grad_out.shape[0] > 0:
            factor = grad_scales[row * per_row] * scale / total
            teacher_factor = grad_scales[row * per_row] * scale / teacher_total
            grad = pointer(grad_out[row])
            for c in range(C):
                grad[c] = exps[c] * factor - masses[c] * teacher_factor
