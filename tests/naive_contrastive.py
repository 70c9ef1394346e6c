"""Contrastive losses as plain loops in float64, importing nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Σ a b."""
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def unit(a: Sequence[float]) -> list[float]:
    """Return a vector divided by its length."""
    length = math.sqrt(dot(a, a))
    return [x / length for x in a] if length > 0 else list(a)


def logsumexp(row: Sequence[float]) -> float:
    """Return log Σ exp(row)."""
    maximum = max(row)
    return maximum + math.log(math.fsum(math.exp(z - maximum) for z in row))


def softplus(x: float) -> float:
    """Return log(1 + exp(x))."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def info_nce(anchors: Rows, positives: Rows, temperature: float, negatives: Rows = ()) -> list[float]:
    """Return log Σ_j exp(a_i p_j / τ) - a_i p_i / τ for each i."""
    losses = []
    for i, a in enumerate(anchors):
        logits = [dot(a, p) / temperature for p in (*positives, *negatives)]
        losses.append(logsumexp(logits) - logits[i])
    return losses


def sigmoid_pairwise(anchors: Rows, positives: Rows, temperature: float, bias: float) -> list[float]:
    """Return Σ_j softplus(∓(a_i p_j / τ + b)) for each i."""
    losses = []
    for i, a in enumerate(anchors):
        logits = [dot(a, p) / temperature + bias for p in positives]
        losses.append(math.fsum(softplus(-z if i == j else z) for j, z in enumerate(logits)))
    return losses


def supervised_contrastive(rows: Rows, labels: Sequence[int], temperature: float) -> tuple[list[float], int]:
    """Return each row's loss, 0 without a positive, and how many have one."""
    losses, counted = [], 0
    for i, x in enumerate(rows):
        logits = {j: dot(x, y) / temperature for j, y in enumerate(rows) if j != i}
        same = [z for j, z in logits.items() if labels[j] == labels[i]]
        losses.append(logsumexp(list(logits.values())) - math.fsum(same) / len(same) if same else 0.0)
        counted += bool(same)
    return losses, counted


def distance(a: Sequence[float], b: Sequence[float], kind: str) -> float:
    """Return the distance of two vectors."""
    if kind == "cosine":
        return 1.0 - dot(unit(a), unit(b))
    square = math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return square if kind == "squared_euclidean" else math.sqrt(square)


def triplet(rows: Rows, labels: Sequence[int], margin: float, mining: str, kind: str) -> tuple[list[float], int]:
    """Return each anchor's sum of losses, and the number of triplets that count."""
    losses, count = [], 0
    for i, x in enumerate(rows):
        d = [distance(x, y, kind) for y in rows]
        same = [d[j] for j in range(len(rows)) if j != i and labels[j] == labels[i]]
        others = [d[j] for j in range(len(rows)) if labels[j] != labels[i]]
        terms = []
        if same and others:
            if mining == "hard":
                terms = [margin + max(same) - min(others)]
            elif mining == "semi_hard":
                terms = [margin + p - min((n for n in others if n > p), default=max(others)) for p in same]
            else:
                terms = [margin + p - n for p in same for n in others if margin + p - n > 0]
        losses.append(math.fsum(max(0.0, term) for term in terms))
        count += len(terms)
    return losses, count
