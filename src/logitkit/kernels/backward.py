"""Gradients of softmax, log-softmax and logsumexp by their logits, from the results that they gave.

    softmax:      ∂/∂z_c = scale · p_c (g_c - Σ_j g_j p_j)
    log_softmax:  ∂/∂z_c = scale · (g_c - exp(log p_c) Σ_j g_j)
    logsumexp:    ∂/∂z_c = scale · g p_c

g is the gradient by the result, scale is 1 / temperature. A class of probability 0 takes no part: 0 · ∞ counts as 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted
from logitkit.kernels.pointers import pointer

__all__ = ["log_softmax_backward_block", "scale_rows_block", "softmax_backward_block"]


@jit
def softmax_backward_block(grads: Any, probs: Any, scales: Any, grad_out: Any) -> None:
    """Write the gradient of every row; all [N, C] are contiguous, `scales` holds a number a row, or one for all."""
    N, C = grads.shape
    per_row = 0 if scales.shape[0] == 1 else 1
    g, p, out = pointer(grads), pointer(probs), pointer(grad_out)
    for row in range(N):
        at = row * C
        pull = 0.0
        for i in range(at, at + C):
            pull += 0.0 if p[i] == 0.0 else np.float64(g[i]) * np.float64(p[i])
        scale = scales[row * per_row]
        for i in range(at, at + C):
            out[i] = 0.0 if p[i] == 0.0 else scale * p[i] * (np.float64(g[i]) - pull)


@jit
def log_softmax_backward_block(grads: Any, log_probs: Any, scales: Any, grad_out: Any) -> None:
    """Do the same for log-probabilities. Their exponentials are taken in one flat loop, which any C can fill."""
    N, C = grads.shape
    per_row = 0 if scales.shape[0] == 1 else 1
    g, log_p, out = pointer(grads), pointer(log_probs), pointer(grad_out)
    for i in range(N * C):
        out[i] = exp_shifted(log_p[i], 0.0, 1.0)
    for row in range(N):
        at = row * C
        total = 0.0
        for i in range(at, at + C):
            total += g[i]
        scale = scales[row * per_row]
        for i in range(at, at + C):
            out[i] = scale * (np.float64(g[i]) - (0.0 if out[i] == 0.0 else out[i] * total))


@jit
def scale_rows_block(rows: Any, factors: Any) -> None:
    """Multiply every row by its factor, in place; what is 0 stays 0."""
    for row in range(rows.shape[0]):
        factor = factors[row]
        for i in range(rows.shape[1]):
            rows[row, i] = 0.0 if rows[row, i] == 0.0 else rows[row, i] * factor
