"""Cross-entropy of rows of logits: the loss and its gradient from one pass over the exponentials.

    loss = Σ_c q_c · (logsumexp(logits) - logits_c),   ∂loss / ∂logits_c = probs_c · Σ q - q_c
"""

from __future__ import annotations

import math
from typing import Any

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest
from logitkit.kernels.softmax import exp_row

__all__ = ["cross_entropy_row"]


@jit
def cross_entropy_row(logits: Any, label: int, label_smoothing: float, grad_scale: float, grad_out: Any) -> float:
    """Return the loss of one row, and write grad_scale · (probs - targets) into `grad_out`.

    `logits` [C], C >= 1, is contiguous; `grad_out` [C] has the same type and may be the same memory. `targets` is
    1 - label_smoothing at `label` plus label_smoothing / C everywhere. The loss is float64 and not scaled.
    """
    C = logits.shape[0]
    maximum = largest(logits)
    # With an infinite maximum a tie lies at distance 0 and all else at an infinite one.
    at_label = 0.0 if logits[label] == maximum else float(logits[label]) - maximum
    away = 0.0
    if label_smoothing > 0.0:
        for i in range(C):
            away += 0.0 if logits[i] == maximum else float(logits[i]) - maximum
    total = exp_row(logits, maximum, 1.0, grad_out)
    shared = label_smoothing / C
    own = 1.0 - label_smoothing
    factor = grad_scale / total
    offset = grad_scale * shared
    prob = grad_out[label] / total
    for i in range(C):
        grad_out[i] = grad_out[i] * factor - offset
    grad_out[label] = grad_scale * (prob - own - shared)
    loss = math.log(total) - own * at_label
    if label_smoothing > 0.0:
        loss -= shared * away
    return loss
