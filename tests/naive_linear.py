"""Training a linear layer in plain float64 loops, row by row and term by term. Imports nothing of ours."""

from __future__ import annotations

import math

Rows = list[list[tuple[int, float]]]


def logits_of(row: list[tuple[int, float]], W: list[list[float]], b: list[float]) -> list[float]:
    return [b[c] + math.fsum(x * W[f][c] for f, x in row) for c in range(len(b))]


def cross_entropy_of(z: list[float], label: int, label_smoothing: float) -> tuple[float, list[float]]:
    """Return the loss and its gradient with respect to the logits."""
    C, top = len(z), max(z)
    total = math.fsum(math.exp(value - top) for value in z)
    targets = [label_smoothing / C + (1.0 - label_smoothing) * (c == label) for c in range(C)]
    log_probs = [value - top - math.log(total) for value in z]
    loss = -math.fsum(t * p for t, p in zip(targets, log_probs, strict=True))
    return loss, [math.exp(p) - t for p, t in zip(log_probs, targets, strict=True)]


def sgd(
    rows: Rows, labels: list[int], row_weights: list[float], order: list[int], steps: list[float],
    l2: float, label_smoothing: float, W: list[list[float]], b: list[float],
) -> list[tuple[float, float, list[float]]]:  # fmt: skip
    """Change W and b in place; return each step's weighted loss, its gradient's length and its logits."""
    course = []
    for row, step in zip(order, steps, strict=True):
        square = math.fsum(x * x for _, x in rows[row])
        z = logits_of(rows[row], W, b)
        loss, gradient = cross_entropy_of(z, labels[row], label_smoothing)
        length = math.sqrt(math.fsum(g * g for g in gradient) * square)
        course.append((row_weights[row] * loss, row_weights[row] * length, z))
        stride = min(step * row_weights[row], 4.0 / max(square, 1e-6))
        for weights in W:
            for c in range(len(b)):
                weights[c] /= 1.0 + step * l2
        for f, x in rows[row]:
            for c in range(len(b)):
                W[f][c] -= stride * x * gradient[c]
        for c in range(len(b)):
            b[c] -= 0.1 * stride * gradient[c]
    return course


def objective(
    rows: Rows, labels: list[int], row_weights: list[float], l2: float, label_smoothing: float, W: list[list[float]],
    b: list[float],
) -> float:  # fmt: skip
    losses = [
        weight * cross_entropy_of(logits_of(row, W, b), label, label_smoothing)[0]
        for row, label, weight in zip(rows, labels, row_weights, strict=True)
    ]
    return math.fsum(losses) / len(rows) + 0.5 * l2 * math.fsum(w * w for weights in W for w in weights)
