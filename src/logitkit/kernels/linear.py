"""Sparse rows times a dense layer: its logits, and stochastic gradient descent on their cross-entropy.

The weights are `[F, C]`, so that a feature's weights for all classes lie together. Four features are taken at a time:
the logits are then loaded and stored once for four products.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.cross_entropy import cross_entropy_row
from logitkit.kernels.pointers import pointer

_SMALLEST_SCALE = 1e-3


@jit
def add_row(indices: Any, data: Any, start: Any, stop: Any, weights: Any, C: Any, logits: Any) -> None:
    """Add Σ data[i] · weights[indices[i], :] over one row's entries to `logits` [C]; all are pointers."""
    i = start
    while i + 4 <= stop:
        x0, x1, x2, x3 = data[i], data[i + 1], data[i + 2], data[i + 3]
        w0, w1 = np.int64(indices[i]) * C, np.int64(indices[i + 1]) * C
        w2, w3 = np.int64(indices[i + 2]) * C, np.int64(indices[i + 3]) * C
        for c in range(C):
            logits[c] += (x0 * weights[w0 + c] + x1 * weights[w1 + c]) + (x2 * weights[w2 + c] + x3 * weights[w3 + c])
        i += 4
    while i < stop:
        x0, w0 = data[i], np.int64(indices[i]) * C
        for c in range(C):
            logits[c] += x0 * weights[w0 + c]
        i += 1


@jit
def linear_logits(indptr: Any, indices: Any, data: Any, weights: Any, bias: Any, rows: Any, logits_out: Any) -> None:
    """Write the logits of the sparse rows `rows[k]` to `logits_out[k]`."""
    C = weights.shape[1]
    w, ix, x = pointer(weights), pointer(indices), pointer(data)
    for k in range(rows.shape[0]):
        row = rows[k]
        logits_out[k] = bias
        add_row(ix, x, indptr[row], indptr[row + 1], w, C, pointer(logits_out[k]))


@jit
def train_rows(
    rows: Any, indptr: Any, indices: Any, data: Any, labels: Any, row_weights: Any, squares: Any,
    step_from: Any, step_to: Any, l2: Any, label_smoothing: Any, weights: Any, bias: Any, scale: Any, logits: Any,
    totals_out: Any,
) -> None:  # fmt: skip
    """Take one step of stochastic gradient descent on the cross-entropy of each row of `rows`, in their order.

    The layer's weights are `scale[0] · weights`: shrinking all of them, as L2 asks at every step, is one product.

    Args:
        rows: `[n]`; which rows, in which order.
        indptr: with `indices` and `data`, the sparse rows.
        indices: feature indices.
        data: their weights.
        labels: `[N]` class indices.
        row_weights: `[N]` float32; how much each row counts.
        squares: `[N]` float32; the squared length of each row.
        step_from: the step at the first row; it goes linearly to
        step_to: the step after the last.
        l2: strength of ½ l2 ‖weights‖²; the bias is left alone.
        label_smoothing: in [0, 1].
        weights: `[F, C]` float32, changed in place.
        bias: `[C]` float32, changed in place.
        scale: `[1]` float64, changed in place.
        logits: `[C]` float32 buffer.
        totals_out: `[4]` float64; added to it: the rows' weighted losses, their gradients' lengths, their mean squared
            logits; and in the last place the largest absolute logit.
    """
    C = weights.shape[1]
    n = rows.shape[0]
    w, ix, x, z = pointer(weights), pointer(indices), pointer(data), pointer(logits)
    for k in range(n):
        row = rows[k]
        start, stop = indptr[row], indptr[row + 1]
        for c in range(C):
            z[c] = 0.0
        add_row(ix, x, start, stop, w, C, z)
        grow = np.float32(scale[0])
        square = 0.0
        for c in range(C):
            z[c] = z[c] * grow + bias[c]
            square += z[c] * z[c]
            totals_out[3] = max(totals_out[3], abs(z[c]))
        totals_out[2] += square / C
        step = step_from + (step_to - step_from) * k / n
        loss = cross_entropy_row(z, C, labels[row], label_smoothing, 0.0, 1.0, z)
        totals_out[0] += row_weights[row] * loss
        square = 0.0
        for c in range(C):
            square += z[c] * z[c]
        totals_out[1] += row_weights[row] * math.sqrt(square * squares[row])
        # A step beyond this overshoots, however much the row counts: ½ ‖x‖² bounds the curvature of cross-entropy.
        stride = min(step * row_weights[row], 4.0 / max(squares[row], 1e-6))
        scale[0] /= 1.0 + step * l2  # the step of ½ l2 ‖W‖² taken implicitly: it never overshoots, however strong
        factor = np.float32(-stride / scale[0])
        for i in range(start, stop):
            gain, w0 = factor * x[i], np.int64(ix[i]) * C
            for c in range(C):
                w[w0 + c] += gain * z[c]
        for c in range(C):
            bias[c] -= np.float32(0.1 * stride) * z[c]
        if scale[0] < _SMALLEST_SCALE:
            shrink = np.float32(scale[0])
            for i in range(weights.size):
                w[i] *= shrink
            scale[0] = 1.0


@jit
def row_squares(indptr: Any, data: Any, squares_out: Any) -> None:
    """Write the squared length of every sparse row."""
    for row in range(indptr.shape[0] - 1):
        square = np.float32(0.0)
        for i in range(indptr[row], indptr[row + 1]):
            square += data[i] * data[i]
        squares_out[row] = square
