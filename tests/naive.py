"""The mathematics of logits in plain loops over Python floats: slow, obvious, and importing nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence

Row = Sequence[float]


def logsumexp(row: Row) -> float:
    """Return log Σ exp(row)."""
    if any(math.isnan(z) for z in row):
        return math.nan
    maximum = max(row, default=-math.inf)
    if math.isinf(maximum):
        return maximum
    return maximum + math.log(math.fsum(math.exp(z - maximum) for z in row))


def softmax(row: Row, temperature: float = 1.0) -> list[float]:
    """Return exp(z / T) / Σ exp(z / T); an infinite maximum is shared by the classes that tie at it."""
    if any(math.isnan(z) for z in row):
        return [math.nan] * len(row)
    maximum = max(row)
    if math.isinf(maximum):
        ties = sum(z == maximum for z in row)
        return [1.0 / ties if z == maximum else 0.0 for z in row]
    exps = [math.exp((z - maximum) / temperature) for z in row]
    total = math.fsum(exps)
    return [e / total for e in exps]


def log_softmax(row: Row, temperature: float = 1.0) -> list[float]:
    """Return z / T - log Σ exp(z / T)."""
    if any(math.isnan(z) for z in row):
        return [math.nan] * len(row)
    maximum = max(row)
    if math.isinf(maximum):
        ties = sum(z == maximum for z in row)
        return [-math.log(ties) if z == maximum else -math.inf for z in row]
    first = list(row).index(maximum)
    rest = math.fsum(math.exp((z - maximum) / temperature) for i, z in enumerate(row) if i != first)
    return [(z - maximum) / temperature - math.log1p(rest) for z in row]


def one_hot(label: int, C: int) -> list[float]:
    """Return 1 at the label and 0 elsewhere."""
    return [1.0 if c == label else 0.0 for c in range(C)]


def weighted_targets(target: Row, label_smoothing: float, class_weights: Row | None) -> list[float]:
    """Return w_c · ((1 - ε) q_c + ε / C)."""
    C = len(target)
    weights = [1.0] * C if class_weights is None else class_weights
    return [w * ((1.0 - label_smoothing) * q + label_smoothing / C) for w, q in zip(weights, target, strict=True)]


def cross_entropy_row(row: Row, q: Row) -> tuple[float, list[float]]:
    """Return -Σ q_c log p_c, where 0 · ∞ is 0, and its gradient p_c Σ q - q_c."""
    log_probs, probs, mass = log_softmax(row), softmax(row), math.fsum(q)
    loss = -math.fsum(weight * log_prob for weight, log_prob in zip(q, log_probs, strict=True) if weight != 0.0)
    return loss, [p * mass - weight for p, weight in zip(probs, q, strict=True)]


def argmax(row: Row) -> int:
    """Return the first NaN's index, or the first of the largest."""
    best = 0
    for c, z in enumerate(row):
        if math.isnan(z):
            return c
        if z > row[best]:
            best = c
    return best


def top_k(row: Row, k: int) -> list[int]:
    """Return the indices of the k largest, NaN before all, ties by index."""
    return sorted(range(len(row)), key=lambda c: (not math.isnan(row[c]), -row[c] if row[c] == row[c] else 0.0, c))[:k]
