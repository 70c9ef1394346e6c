"""One bend for all classes: beta calibration, one against the rest, with numbers that the classes share.

    g_c = log σ(log p_c + b - k log(1 - p_c)),   p = softmax(β z),   and g is normalised

A temperature stretches all logits alike. Networks with many classes are often too sure at the top and right below, or
the other way round; b and k bend the top by itself: three numbers, however many classes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from logitkit.trust.calibrators.affine import LOG_ONE, Bend
from logitkit.trust.calibrators.base import Array
from logitkit.trust.calibrators.descent import descend

__all__ = ["fit_bend"]

Vector = NDArray[np.float64]

_MOST_ROWS = 5_000  # three numbers need no more
_TOLERANCE = 1e-7
_PULL = 1e-2
_FAR_BELOW = -1e4
_FURTHEST = 40.0
_START_KNEE = 3.0  # nearly straight: σ bends only what is above exp(-3) of the odds


def fit_bend(
    logits: Array, labels: NDArray[np.intp], sample_weights: Vector | None, temperature: float
) -> tuple[float, Bend]:
    """Return the temperature and the bend (b, k) of the least mean cross-entropy, from the temperature alone on.

    Args:
        logits: `[N, C]` contiguous, no NaN; infinities are held to what is finite.
        labels: `[N]`.
        sample_weights: `[N]` or None.
        temperature: where to start.
    """
    stride = slice(None, None, -(-len(labels) // _MOST_ROWS))
    z, y = np.array(logits[stride], np.float64), labels[stride]
    with np.errstate(invalid="ignore"):  # where the largest is infinite, those that tie at it are at 0
        z -= z.max(axis=1, keepdims=True)
    z /= temperature
    np.nan_to_num(z, copy=False, nan=0.0, neginf=_FAR_BELOW)
    np.maximum(z, _FAR_BELOW, out=z)
    w = np.ones(len(y)) if sample_weights is None else np.array(sample_weights[stride])
    n = float(w.sum())
    w /= n
    rows = np.arange(len(y))

    def loss_and_slopes(u: Vector) -> tuple[float, Vector]:
        if not abs(u).max() < _FURTHEST:
            return math.inf, np.zeros(3)
        beta, knee, lean = np.exp(u[0]), _START_KNEE + u[1], u[2]
        lp = beta * z
        lp -= np.log(np.exp(lp).sum(axis=1, keepdims=True))
        held = np.minimum(lp, LOG_ONE)
        p = np.exp(held)
        rest = np.log1p(-p)
        s = lp + knee - lean * rest
        g = -np.logaddexp(0.0, -s)
        top = g.max(axis=1, keepdims=True)
        total = top + np.log(np.exp(g - top).sum(axis=1, keepdims=True))
        loss = float(w @ (total[:, 0] - g[rows, y]))
        slope = np.exp(g - total)
        slope[rows, y] -= 1.0
        slope *= w[:, None]
        slope *= -np.expm1(g)  # dg/ds = 1 - σ(s)
        by_beta = (1.0 + lean * p / (1.0 - p)) * (z - (p * z).sum(axis=1, keepdims=True))
        slopes = (beta * float((slope * by_beta).sum()), float(slope.sum()), -float((slope * rest).sum()))
        # A hardly felt pull back to the start, where the rows say nothing of the bend.
        pull = _PULL / n
        return loss + pull * float((u * u).sum()), np.array(slopes) + 2.0 * pull * u

    u = descend(loss_and_slopes, np.zeros(3), _TOLERANCE)
    return float(temperature * np.exp(-u[0])), (float(_START_KNEE + u[1]), float(u[2]))
