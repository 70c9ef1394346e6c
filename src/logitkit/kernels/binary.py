"""Losses of one logit and one target in [0, 1] each: binary cross-entropy and binary focal loss, with their gradients.

    loss = a · softplus(-z) + b · softplus(z),   ∂loss / ∂z = b · sigmoid(z) - a · sigmoid(-z)

a and b are the target and the rest of 1, times weights. A contiguous block [n · C] is worked through in pieces that
stay in the cache; `positive` [M], as long as a piece, holds whole rows of C weights: one flat loop serves any C.
An element whose weight is 0 counts for nothing, whatever its logit is. 0 · ∞ counts as 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.focal import write_powers
from logitkit.kernels.sigmoid import exp_minus, log1p_unit

__all__ = ["binary_cross_entropy_block", "binary_focal_block", "binary_scratch", "piece_length"]

PIECE = 1024  # elements: what a piece needs fits into the first cache


def piece_length(C: int) -> int:
    """Return how many elements make a piece: whole rows of C, at least one."""
    return C * max(1, PIECE // C)


def binary_scratch(C: int) -> NDArray[np.float64]:
    """Return what a block kernel works in: weights, losses, and what a focal loss has to keep for its second pass."""
    return np.ones((4, piece_length(C)))


@jit
def _weights_of_piece(weights: Any, start: int, stop: int, C: int, n: int, room: Any) -> Any:
    """Return the weights of elements start … stop - 1; `weights` has one for each element, for each row, or none."""
    if weights.shape[0] == n:
        return weights[start:stop]
    if weights.shape[0] > 0:
        for i in range(0, stop - start, C):
            weight = weights[(start + i) // C]
            for c in range(C):
                room[i + c] = weight
    return room[: stop - start]


@jit
def _is_outside(target: float) -> int:
    """Return 1 for a target that is not in [0, 1], NaN included."""
    return 0 if (target >= 0.0) & (target <= 1.0) else 1


@jit
def _total(losses: Any) -> float:
    total = 0.0
    for i in range(losses.shape[0]):
        total += losses[i]
    return total


@jit
def _cross_entropy(logit: Any, a: float, b: float) -> tuple[float, float]:
    """Return the loss and its derivative."""
    distance = abs(logit)
    e = exp_minus(distance)
    near = 1.0 / (1.0 + e)  # the probability of the side that the logit is on
    off = e * near
    against = b if logit > 0.0 else a
    far = 0.0 if against == 0.0 else against * distance
    loss = (a + b) * log1p_unit(e) + far
    slope = b * near - a * off if logit > 0.0 else b * off - a * near
    nothing = a + b == 0.0
    return 0.0 if nothing else loss, 0.0 if nothing else slope


@jit
def binary_cross_entropy_block(
    logits: Any,
    targets: Any,
    smoothing: float,
    positive: Any,
    negative: Any,
    weights: Any,
    C: int,
    grad_scale: float,
    scratch: Any,
    losses_out: Any,
    grads_out: Any,
) -> tuple[float, int]:
    """Return the sum of the losses and how many targets are not in [0, 1].

    Writes each loss into `losses_out` and grad_scale times each derivative into `grads_out`, where they are not empty.
    `targets` has the logits' type. Targets y become (1 - smoothing) · y + smoothing / 2; then `positive` multiplies y
    and `negative` 1 - y.
    """
    n, M = logits.shape[0], positive.shape[0]
    total, outside = 0.0, 0
    for start in range(0, n, M):
        stop = min(start + M, n)
        z, y, w = logits[start:stop], targets[start:stop], _weights_of_piece(weights, start, stop, C, n, scratch[0])
        losses = losses_out[start:stop] if losses_out.shape[0] > 0 else scratch[1, : stop - start]
        if grads_out.shape[0] > 0:
            grads = grads_out[start:stop]
            for i in range(z.shape[0]):
                target = np.float64(y[i])
                outside += _is_outside(target)
                target = (1.0 - smoothing) * target + 0.5 * smoothing
                loss, slope = _cross_entropy(z[i], w[i] * positive[i] * target, w[i] * negative[i] * (1.0 - target))
                losses[i] = loss
                grads[i] = grad_scale * slope
        else:
            for i in range(z.shape[0]):
                target = np.float64(y[i])
                outside += _is_outside(target)
                target = (1.0 - smoothing) * target + 0.5 * smoothing
                losses[i] = _cross_entropy(z[i], w[i] * positive[i] * target, w[i] * negative[i] * (1.0 - target))[0]
        total += _total(losses)
    return total, outside


@jit
def binary_focal_block(
    logits: Any,
    targets: Any,
    gamma: float,
    positive: float,
    negative: float,
    weights: Any,
    C: int,
    grad_scale: float,
    scratch: Any,
    losses_out: Any,
    grads_out: Any,
) -> tuple[float, int]:
    """Do the same for (positive · y + negative · (1 - y)) · q^gamma · cross-entropy, q = y · off + (1 - y) · on.

    on = sigmoid(z), off = sigmoid(-z). With e = exp(-|z|) and t the target of the side that the logit is on,
    q = h / (1 + e), h = 1 - t + t · e, and ∂q/∂z / q = (1 - 2 y) · (e / h) / (1 + e): where q goes to 0 nothing is
    divided by it.
    """
    n, M = logits.shape[0], scratch.shape[1]
    total, outside = 0.0, 0
    for start in range(0, n, M):
        stop = min(start + M, n)
        z, y, w = logits[start:stop], targets[start:stop], _weights_of_piece(weights, start, stop, C, n, scratch[0])
        losses = losses_out[start:stop] if losses_out.shape[0] > 0 else scratch[1, : stop - start]
        exps, powers = scratch[2, : stop - start], scratch[3, : stop - start]
        for i in range(z.shape[0]):
            target = np.float64(y[i])
            outside += _is_outside(target)
            side = target if z[i] > 0.0 else 1.0 - target
            e = exp_minus(abs(z[i]))
            exps[i] = e
            losses[i] = (1.0 - side + side * e) / (1.0 + e)
        write_powers(losses, gamma, powers)
        for i in range(z.shape[0]):
            target, e, distance = np.float64(y[i]), exps[i], np.float64(abs(z[i]))
            side = target if z[i] > 0.0 else 1.0 - target
            factor = w[i] * (positive * target + negative * (1.0 - target))
            loss = powers[i] * (log1p_unit(e) + (0.0 if side == 1.0 else (1.0 - side) * distance))
            losses[i] = 0.0 if factor == 0.0 else factor * loss
        if grads_out.shape[0] > 0:
            grads = grads_out[start:stop]
            for i in range(z.shape[0]):
                target, e, distance = np.float64(y[i]), exps[i], np.float64(abs(z[i]))
                rest = 1.0 - target
                side = target if z[i] > 0.0 else rest
                factor = w[i] * (positive * target + negative * rest)
                near = 1.0 / (1.0 + e)
                plain = (rest - target * e if z[i] > 0.0 else rest * e - target) * near
                share = 1.0 if side == 1.0 else e / (1.0 - side + side * e)
                far = 0.0 if (side == 1.0) | (e == 0.0) else (1.0 - side) * distance
                slope = plain + gamma * share * near * (rest - target) * (log1p_unit(e) + far)
                grads[i] = 0.0 if factor == 0.0 else grad_scale * (factor * powers[i] * slope)
        total += _total(losses)
    return total, outside
