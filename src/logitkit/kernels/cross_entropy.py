"""Cross-entropy of rows of logits: the loss and its gradient from one pass over the exponentials.

    loss = Σ_c q_c · (lse - logits_c) + z_loss · lse²,        lse = logsumexp(logits)
    ∂loss / ∂logits_c = probs_c · (Σ q + 2 · z_loss · lse) - q_c

`q` are the targets of the row: one class, smoothed or not, or any weights that are not negative. 0 · ∞ counts as 0: a
class that no target asks for costs nothing. Where the maximum is infinite, a tie lies at distance 0 and all else at -∞.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import largest_at
from logitkit.kernels.exp_rows import exp_row, log_sum_of_exps, log_sum_row
from logitkit.kernels.exp_tiles import (
    FACTOR,
    FEW,
    LANES,
    LOG_SUM,
    MAXIMUM,
    OFFSET,
    TOTAL,
    Scratch,
    exp_tile,
    write_tile,
)
from logitkit.kernels.pointers import pointer

__all__ = ["cross_entropy_block", "cross_entropy_row", "soft_cross_entropy_block"]


@jit
def _distance(logit: float, maximum: float) -> float:
    """Return logit - maximum, 0 where they tie."""
    return 0.0 if logit == maximum else logit - maximum


@jit
def _pull(logits: Any, C: Any, label: int, maximum: float, label_smoothing: float) -> float:
    """Return Σ_c q_c · (logits_c - maximum) for a smoothed label: what is taken from log(total) to give the loss."""
    pull = (1.0 - label_smoothing) * _distance(logits[label], maximum)
    if label_smoothing > 0.0:
        away = 0.0
        for i in range(C):
            away += _distance(logits[i], maximum)
        pull = away / C if label_smoothing == 1.0 else pull + label_smoothing / C * away
    return pull


@jit
def _z(z_loss: float, lse: float) -> tuple[float, float]:
    """Return z_loss · lse² and what it adds to the slope of the probabilities, 2 · z_loss · lse."""
    return (z_loss * lse * lse, 2.0 * z_loss * lse) if z_loss > 0.0 else (0.0, 0.0)


@jit
def _share(exponential: float, factor: float) -> float:
    """Return the product, where 0 · ∞ counts as 0."""
    return 0.0 if exponential == 0.0 and np.isinf(factor) else exponential * factor


@jit
def _grad_row(grad: Any, C: Any, factor: float, offset: float) -> None:
    """Make a gradient, factor · exps - offset, of a row of exponentials."""
    if np.isinf(factor):
        for i in range(C):
            grad[i] = _share(grad[i], factor) - offset
    else:
        for i in range(C):
            grad[i] = grad[i] * factor - offset


@jit
def cross_entropy_row(
    logits: Any, C: Any, label: int, label_smoothing: float, z_loss: float, grad_scale: float, grad_out: Any
) -> float:
    """Return the loss of one row, and write grad_scale · its gradient to `grad_out`; both are pointers.

    The targets are 1 - label_smoothing at `label` plus label_smoothing / C everywhere. The loss is float64, not scaled.
    """
    maximum = largest_at(logits, C)
    pull = _pull(logits, C, label, maximum, label_smoothing)
    total = exp_row(logits, C, maximum, 1.0, grad_out)
    log_sum = log_sum_of_exps(grad_out, 0, C, 1, total)
    z, slope = _z(z_loss, maximum + log_sum)
    shared = label_smoothing / C
    share = (1.0 + slope) / total
    own = grad_scale * (_share(grad_out[label], share) - shared - (1.0 - label_smoothing))
    _grad_row(grad_out, C, grad_scale * share, grad_scale * shared)
    grad_out[label] = own
    return log_sum - pull + z


@jit
def cross_entropy_block(
    logits: Any, labels: Any, weights: Any, label_smoothing: float, z_loss: float, grad_scale: float, scratch: Scratch,
    losses_out: Any, grad_out: Any,
) -> float:  # fmt: skip
    """Return the sum of the rows' weighted losses; write each, and grad_scale · its gradient, where there is room.

    `weights` holds a number a row, or one for all. A row of weight 0 counts for nothing, whatever its logits are.
    `losses_out` [N] or [0]; `grad_out` [N, C] or [0, C], memory of its own.
    """
    N, C = logits.shape
    per_row = 0 if weights.shape[0] == 1 else 1
    wants_losses, wants_grad = losses_out.shape[0] > 0, grad_out.shape[0] > 0
    total = 0.0
    if C < FEW:
        for start in range(0, N, LANES):
            rows = logits[start : start + LANES]
            losses = losses_out[start : start + LANES] if wants_losses else losses_out
            grads = grad_out[start : start + LANES] if wants_grad else grad_out
            of_rows = weights[start : start + LANES] if per_row else weights
            total += _cross_entropy_tile(
                rows,
                labels[start : start + LANES],
                of_rows,
                label_smoothing,
                z_loss,
                grad_scale,
                scratch,
                losses,
                grads,
            )
        return total
    for row in range(N):
        weight = weights[row * per_row]
        loss = 0.0
        if weight == 0.0:
            if wants_grad:
                grad_out[row] = 0.0
        elif wants_grad:
            scale = weight * grad_scale
            at, grad = pointer(logits[row]), pointer(grad_out[row])
            loss = weight * cross_entropy_row(at, C, labels[row], label_smoothing, z_loss, scale, grad)
        else:
            at = pointer(logits[row])
            maximum = largest_at(at, C)
            log_sum = log_sum_row(at, C, maximum, 1.0)
            z = _z(z_loss, maximum + log_sum)[0]
            loss = weight * (log_sum - _pull(at, C, labels[row], maximum, label_smoothing) + z)
        total += loss
        if wants_losses:
            losses_out[row] = loss
    return total


@jit
def _cross_entropy_tile(
    logits: Any, labels: Any, weights: Any, label_smoothing: float, z_loss: float, grad_scale: float, scratch: Scratch,
    losses_out: Any, grad_out: Any,
) -> float:  # fmt: skip
    """Do for at most LANES rows of few classes what `cross_entropy_block` does."""
    rows, C = logits.shape
    tile, sums = pointer(scratch[0]), pointer(scratch[1])
    at, label, weight = pointer(logits), pointer(labels), pointer(weights)
    per_row = 0 if weights.shape[0] == 1 else 1
    weighted = per_row == 1 or weight[0] != 1.0
    exp_tile(at, rows, C, 1.0, tile, sums)
    # Each loop over lanes does one thing, so that it vectorises; what is rare has a loop of its own.
    infinite = 0
    for lane in range(LANES):
        sums[FACTOR + lane] = 1.0 / sums[TOTAL + lane]
        sums[TOTAL + lane] = sums[LOG_SUM + lane]
    if z_loss > 0.0:
        for lane in range(rows):
            z, slope = _z(z_loss, sums[MAXIMUM + lane] + sums[LOG_SUM + lane])
            sums[FACTOR + lane] *= 1.0 + slope
            sums[TOTAL + lane] += z
            infinite += 1 if abs(slope) == np.inf else 0
    for lane in range(rows):
        sums[LOG_SUM + lane] = tile[label[lane] * LANES + lane]
    if label_smoothing > 0.0:
        for lane in range(rows):
            maximum = sums[MAXIMUM + lane]
            sums[MAXIMUM + lane] = _pull(pointer(logits[lane]), C, label[lane], maximum, label_smoothing)
    else:
        for lane in range(rows):
            sums[MAXIMUM + lane] = _distance(at[lane * C + label[lane]], sums[MAXIMUM + lane])
    if infinite > 0:
        for lane in range(rows):  # 0 · ∞ counts as 0
            own = sums[LOG_SUM + lane]
            sums[LOG_SUM + lane] = _share(own, sums[FACTOR + lane])
    else:
        for lane in range(rows):
            sums[LOG_SUM + lane] *= sums[FACTOR + lane]
    shared = label_smoothing / C
    hit = shared + (1.0 - label_smoothing)
    total = 0.0
    for lane in range(rows):
        loss = sums[TOTAL + lane] - sums[MAXIMUM + lane]
        sums[TOTAL + lane] = loss
        sums[MAXIMUM + lane] = grad_scale * (sums[LOG_SUM + lane] - hit)
        sums[FACTOR + lane] *= grad_scale
        sums[OFFSET + lane] = grad_scale * shared
        total += loss
    if weighted:
        total = 0.0
        for lane in range(rows):
            w = weight[lane * per_row]
            for i in (TOTAL, MAXIMUM, FACTOR, OFFSET):
                sums[i + lane] = w * sums[i + lane] if w != 0.0 else 0.0
            total += sums[TOTAL + lane]
    if losses_out.shape[0] > 0:
        for lane in range(rows):
            losses_out[lane] = sums[TOTAL + lane]
    if grad_out.shape[0] == 0:
        return total
    if infinite > 0:
        for lane in range(rows):
            for c in range(C):
                share = _share(tile[c * LANES + lane], sums[FACTOR + lane])
                tile[c * LANES + lane] = share - sums[OFFSET + lane]
    else:
        for c in range(C):
            for lane in range(LANES):
                tile[c * LANES + lane] = tile[c * LANES + lane] * sums[FACTOR + lane] - sums[OFFSET + lane]
    grad = pointer(grad_out)
    write_tile(tile, rows, C, grad)
    for lane in range(rows):
        grad[lane * C + label[lane]] = sums[MAXIMUM + lane]
    if weighted:
        for lane in range(rows):
            if weight[lane * per_row] == 0.0:
                grad_out[lane] = 0.0
    return total


@jit
def soft_cross_entropy_block(
    logits: Any, targets: Any, weights: Any, z_loss: float, grad_scale: float, losses_out: Any, grad_out: Any
) -> float:
    """Do the same with targets [N, C] of the logits' type, which are not negative and need not sum to 1."""
    N, C = logits.shape
    per_row = 0 if weights.shape[0] == 1 else 1
    wants_losses, wants_grad = losses_out.shape[0] > 0, grad_out.shape[0] > 0
    total_loss = 0.0
    for row in range(N):
        weight = weights[row * per_row]
        loss = 0.0
        if weight == 0.0:
            if wants_grad:
                grad_out[row] = 0.0
        else:
            at, q = pointer(logits[row]), pointer(targets[row])
            maximum = largest_at(at, C)
            pull = 0.0
            mass = 0.0
            for i in range(C):
                target = float(q[i])
                pull += target * _distance(at[i], maximum) if target != 0.0 else 0.0
                mass += target
            if wants_grad:
                grad = pointer(grad_out[row])
                total = exp_row(at, C, maximum, 1.0, grad)
                log_sum = log_sum_of_exps(grad, 0, C, 1, total)
                z, slope = _z(z_loss, maximum + log_sum)
                scale = weight * grad_scale
                factor = scale * (mass + slope) / total
                for i in range(C):
                    grad[i] = grad[i] * factor - scale * q[i]
                if np.isinf(factor):
                    for i in range(C):
                        grad[i] = -scale * q[i] if np.isnan(grad[i]) else grad[i]
            else:
                log_sum = log_sum_row(at, C, maximum, 1.0)
                z = _z(z_loss, maximum + log_sum)[0]
            loss = weight * (mass * log_sum - pull + z)
        total_loss += loss
        if wants_losses:
            losses_out[row] = loss
    return total_loss
