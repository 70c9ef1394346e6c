"""Softmax down the columns of a tile of logits: a class a row, a token a column, as a product of matrices leaves them.

Neighbours in memory are tokens, so every loop is a vector of tokens and no sum runs across one. The classes come in
pieces: each piece has a maximum and a total a column, and the caller combines them in the order of the pieces.

    logit = c · tanh((product + bias) / c)        with a soft cap c;   ∂logit / ∂product = 1 - (logit / c)²
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted
from logitkit.kernels.exp_rows import tie

__all__ = ["column_gradients", "column_totals"]


@jit
def _cap(logits: Any, soft_cap: float) -> None:
    """Squash a row in place; the exponential of a float64 is precise where tanh is nearly straight."""
    inverse = 1.0 / soft_cap
    for i in range(logits.shape[0]):
        x = np.float64(logits[i]) * inverse
        shrunk = exp_shifted(-2.0 * abs(x), 0.0, 1.0)
        size = (1.0 - shrunk) / (1.0 + shrunk)
        logits[i] = soft_cap * (size if x >= 0.0 else -size)


@jit
def column_totals(logits: Any, bias: Any, soft_cap: float, maxima_out: Any, totals_out: Any, sums_out: Any) -> None:
    """Add the bias to a piece [R, n] in place and cap it; write each column's maximum, total and plain sum (float64).

    `bias` [R] or [0]; soft_cap 0 is none; `sums_out` [n] or [0]. The total is Σ exp(logit - maximum), where the maximum
    is infinite the number of classes that tie at it. NaN in a column gives it the total NaN.
    """
    R, n = logits.shape
    for i in range(n):
        maxima_out[i] = -np.inf
        totals_out[i] = 0.0
    for i in range(sums_out.shape[0]):
        sums_out[i] = 0.0
    for r in range(R):
        row = logits[r]
        if bias.shape[0] > 0:
            for i in range(n):
                row[i] += bias[r]
        if soft_cap > 0.0:
            _cap(row, soft_cap)
        for i in range(n):
            logit = np.float64(row[i])
            maxima_out[i] = logit if logit > maxima_out[i] else maxima_out[i]
        for i in range(sums_out.shape[0]):
            sums_out[i] += row[i]
    plain = True
    for i in range(n):
        plain = plain and np.isfinite(maxima_out[i])
    if plain:
        for r in range(R):
            row = logits[r]
            for i in range(n):
                totals_out[i] += exp_shifted(row[i], maxima_out[i], 1.0)
        return
    for r in range(R):
        for i in range(n):
            totals_out[i] += _exp(logits[r, i], maxima_out[i])


@jit
def _exp(logit: Any, maximum: float) -> Any:
    """Return exp(logit - maximum) whatever the two are."""
    if np.isfinite(maximum) and np.isfinite(logit):
        return exp_shifted(logit, maximum, 1.0)
    return np.exp(tie(logit, maximum))


@jit
def column_gradients(
    logits: Any,
    soft_cap: float,
    maxima: Any,
    factors: Any,
    offsets: Any,
    labels: Any,
    own: Any,
    bias_grad_out: Any,
) -> None:
    """Turn a piece of logits [R, n] into exp(logits - maxima) · factors - offsets, in place; through the soft cap.

    At row `labels` of a column, if the piece has it, stands `own`, which the caller has computed without the loss of
    digits in p - 1. `bias_grad_out` [R] or [0] is raised by the sum of each row.
    """
    R, n = logits.shape
    inverse = 1.0 / soft_cap if soft_cap > 0.0 else 0.0
    plain = True
    for i in range(n):
        plain = plain and np.isfinite(maxima[i])
    for r in range(R):
        row = logits[r]
        if plain and soft_cap == 0.0:
            for i in range(n):
                row[i] = exp_shifted(row[i], maxima[i], 1.0) * factors[i] - offsets[i]
        elif plain:
            for i in range(n):
                level = row[i] * inverse
                slope = 1.0 - level * level
                row[i] = (exp_shifted(row[i], maxima[i], 1.0) * factors[i] - offsets[i]) * slope
        else:
            for i in range(n):
                level = row[i] * inverse if soft_cap > 0.0 else 0.0
                exponential = _exp(row[i], maxima[i])
                share = 0.0 if exponential == 0.0 else exponential * factors[i]
                row[i] = (share - offsets[i]) * (1.0 - level * level)
    for i in range(n):
        if 0 <= labels[i] < R:
            logits[labels[i], i] = own[i]
    for r in range(bias_grad_out.shape[0]):
        total = 0.0
        row = logits[r]
        for i in range(n):
            total += np.float64(row[i])
        bias_grad_out[r] += total
