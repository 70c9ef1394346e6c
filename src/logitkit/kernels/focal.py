"""Focal loss of rows of logits, made of their cross-entropy: a row's loss and gradient are weighed by how wrong it is.

    q = 1 - p_label = 1 - exp(-cross_entropy),   loss = q^gamma · cross_entropy
    ∂loss / ∂logits = q^gamma · (1 + gamma · p_label · cross_entropy / q) · ∂cross_entropy / ∂logits

Where q goes to 0, cross_entropy / q goes to 1: nothing is divided by 0, whatever gamma is.
"""

from __future__ import annotations

from typing import Any

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total
from logitkit.kernels.sigmoid import exp_minus

__all__ = ["focal_block", "write_powers"]

TINY = 1e-300  # a power of less than this is 0
SMALL = 0.35  # below this, 1 - exp(-x) is a series, since the difference would lose digits
I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13 = (1.0 / k for k in range(2, 14))


@jit
def write_powers(bases: Any, exponent: float, powers_out: Any) -> None:
    """Write base^exponent for bases in [0, 1]; 0^0 is 1."""
    if exponent == 0.0:
        powers_out[:] = 1.0
    elif exponent == 1.0:
        powers_out[:] = bases
    elif exponent == 2.0:
        for i in range(bases.shape[0]):
            powers_out[i] = bases[i] * bases[i]
    else:
        for i in range(bases.shape[0]):
            power = exp_shifted(-exponent * log_total(1.0 / bases[i]), 0.0, 1.0)
            powers_out[i] = 0.0 if bases[i] < TINY else power


@jit
def _one_minus_exp(x: float, exponential: float) -> float:
    """Return 1 - exp(-x), x >= 0, to 3 ulp; `exponential` is exp(-x)."""
    t = 1.0 - x * I11 * (1.0 - x * I12 * (1.0 - x * I13))
    t = 1.0 - x * I7 * (1.0 - x * I8 * (1.0 - x * I9 * (1.0 - x * I10 * t)))
    t = 1.0 - x * I2 * (1.0 - x * I3 * (1.0 - x * I4 * (1.0 - x * I5 * (1.0 - x * I6 * t))))
    return x * t if x < SMALL else 1.0 - exponential


@jit
def focal_block(losses: Any, labels: Any, gamma: float, scales: Any, scratch: Any, grads: Any) -> None:
    """Turn cross-entropies [N] and their gradients [N, C] into focal losses and theirs, times scales, in place.

    `grads` may have no rows. `scales` holds a number a row, or one for all; `scratch` is [3, N].
    """
    N = losses.shape[0]
    per_row = 0 if scales.shape[0] == 1 else 1
    q, weights, factors = scratch[0], scratch[1], scratch[2]
    for row in range(N):
        loss = losses[row]
        loss = 0.0 if loss < 0.0 else loss  # by rounding
        p = exp_minus(loss)
        q[row] = _one_minus_exp(loss, p)
        ratio = 1.0 if q[row] == 0.0 else p * loss / q[row]
        factors[row] = 1.0 + gamma * (0.0 if p == 0.0 else ratio)
    write_powers(q, gamma, weights)
    for row in range(N):
        losses[row] = 0.0 if weights[row] == 0.0 else weights[row] * losses[row]
        factors[row] = weights[row] * factors[row] * scales[row * per_row]
    for row in range(grads.shape[0]):
        factor = factors[row]
        for c in range(grads.shape[1]):
            grads[row, c] *= factor
        # p_label - 1 would have lost the digits of a small q.
        label = labels[row]
        grads[row, label] = -factor * q[row]
