"""Losses of logits in plain loops over Python floats: slow, obvious, and importing nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from naive import log_softmax, softmax

Row = Sequence[float]


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(-z))."""
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))


def softplus(z: float) -> float:
    """Return log(1 + exp(z))."""
    return math.nan if math.isnan(z) else max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def times(weight: float, value: float) -> float:
    """Return the product, where 0 · ∞ and 0 · NaN are 0."""
    return 0.0 if weight == 0.0 else weight * value


def binary_cross_entropy(z: float, y: float, positive: float = 1.0, smoothing: float = 0.0) -> tuple[float, float]:
    """Return the loss of one logit and its derivative."""
    y = (1.0 - smoothing) * y + smoothing / 2
    loss = times(positive * y, softplus(-z)) + times(1.0 - y, softplus(z))
    return loss, times(1.0 - y, sigmoid(z)) - times(positive * y, sigmoid(-z))


def binary_focal(z: float, y: float, gamma: float, alpha: float | None) -> float:
    """Return alpha_t (1 - p_t)^gamma times the cross-entropy."""
    q = sigmoid(z) * (1.0 - y) + sigmoid(-z) * y
    balance = 1.0 if alpha is None else alpha * y + (1.0 - alpha) * (1.0 - y)
    return balance * times(q**gamma, binary_cross_entropy(z, y)[0])


def focal(row: Row, label: int, gamma: float) -> float:
    """Return -(1 - p)^gamma log p of the label's probability p."""
    q = math.fsum(p for c, p in enumerate(softmax(row)) if c != label)
    return -(q**gamma) * log_softmax(row)[label] + 0.0


def kl_divergence(row: Row, teacher: Row, temperature: float = 1.0) -> float:
    """Return Σ p (log p - log q), p from the teacher; classes without mass cost nothing."""
    terms = zip(
        softmax(teacher, temperature), log_softmax(teacher, temperature), log_softmax(row, temperature), strict=True
    )
    return math.fsum(p * (log_p - log_q) for p, log_p, log_q in terms if p > 0.0)
