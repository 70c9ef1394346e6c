"""Losses over all pairs of two sets of embeddings: what is done with one tile of their products.

A tile [R, n] holds the logit of every pair of R rows (positives) and n columns (anchors). `first` is the tile's first
row less its first column, since row i belongs with column i. Loops run along columns, which are neighbours in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total

__all__ = [
    "both_ways_gradients",
    "row_totals",
    "same_label_gradients",
    "same_label_sums",
    "sigmoid_pairs",
]


@jit
def row_totals(logits: Any, maxima_out: Any, totals_out: Any) -> None:
    """Write each row's maximum and Σ exp(logit - maximum), float64; NaN in a row gives it the total NaN."""
    for r in range(logits.shape[0]):
        row = logits[r]
        maximum = -np.inf
        for i in range(row.shape[0]):
            logit = np.float64(row[i])
            maximum = logit if logit > maximum else maximum
        total = 0.0
        for i in range(row.shape[0]):
            total += exp_shifted(row[i], maximum, 1.0)
        maxima_out[r] = maximum
        totals_out[r] = total


@jit
def both_ways_gradients(
    logits: Any, first: int, column_logs: Any, column_scales: Any, row_logs: Any, row_scales: Any
) -> None:
    """Turn logits into the gradient of a softmax down the columns plus one along the rows, in place.

    `column_logs` and `row_logs` are the logarithms of the sums of exponentials. The pair's own
    class is taken off both ways before it is rounded.
    """
    R, n = logits.shape
    for r in range(R):
        row = logits[r]
        own = r + first
        pair = row[own] if 0 <= own < n else row[0]
        for i in range(n):
            down = exp_shifted(row[i], column_logs[i], 1.0) * column_scales[i]
            row[i] = down + exp_shifted(row[i], row_logs[r], 1.0) * row_scales[r]
        if 0 <= own < n:
            down = (exp_shifted(pair, column_logs[own], 1.0) - 1.0) * column_scales[own]
            row[own] = down + (exp_shifted(pair, row_logs[r], 1.0) - 1.0) * row_scales[r]


@jit
def sigmoid_pairs(logits: Any, first: int, bias: float, scales: Any, losses_out: Any, bias_grads_out: Any) -> None:
    """Write each column's sum of softplus(∓(logit + bias)), and turn logits into its gradient times `scales`, in place.

    The sign is - for the pair that belongs together and + for all others. Without `scales` [0], logits stay as they
    are; `bias_grads_out` [n] is each column's sum of gradients.
    """
    R, n = logits.shape
    for i in range(n):
        losses_out[i] = 0.0
        bias_grads_out[i] = 0.0
    for r in range(R):
        row = logits[r]
        own = r + first
        pair = np.float64(row[own] if 0 <= own < n else row[0]) + bias
        for i in range(n):
            x = np.float64(row[i]) + bias
            shrunk = exp_shifted(-abs(x), 0.0, 1.0)
            losses_out[i] += log_total(1.0 + shrunk) + (x if x > 0.0 else 0.0)
            if scales.shape[0] > 0:
                grad = (1.0 if x > 0.0 else shrunk) / (1.0 + shrunk) * scales[i]
                bias_grads_out[i] += grad
                row[i] = grad
        if 0 <= own < n:
            losses_out[own] -= pair  # softplus(-x) = softplus(x) - x
            if scales.shape[0] > 0:
                shrunk = exp_shifted(-abs(pair), 0.0, 1.0)
                grad = -(shrunk if pair > 0.0 else 1.0) / (1.0 + shrunk) * scales[own]
                bias_grads_out[own] -= scales[own]  # σ(x) - 1 = -σ(-x)
                row[own] = grad


@jit
def same_label_sums(
    logits: Any, first: int, row_labels: Any, column_labels: Any, sums_out: Any, counts_out: Any
) -> None:
    """Write each column's sum and number of the logits of its label, and take a column out of its own classes."""
    R, n = logits.shape
    for i in range(n):
        sums_out[i] = 0.0
        counts_out[i] = 0.0
    for r in range(R):
        row = logits[r]
        own = r + first
        label = row_labels[r]
        pair = np.float64(row[own] if 0 <= own < n else row[0])
        for i in range(n):
            same = label == column_labels[i]
            sums_out[i] += np.float64(row[i]) if same else 0.0
            counts_out[i] += 1.0 if same else 0.0
        if 0 <= own < n:
            sums_out[own] -= pair
            counts_out[own] -= 1.0
            row[own] = -np.inf


@jit
def same_label_gradients(
    logits: Any, first: int, row_labels: Any, column_labels: Any, logs: Any, scales: Any, shares: Any
) -> None:
    """Turn logits into scales · exp(logit - logs), less `shares` where labels agree, in place; 0 for itself."""
    R, n = logits.shape
    for r in range(R):
        row = logits[r]
        own = r + first
        label = row_labels[r]
        for i in range(n):
            off = shares[i] if label == column_labels[i] else 0.0
            row[i] = exp_shifted(row[i], logs[i], 1.0) * scales[i] - off
        if 0 <= own < n:
            row[own] = 0.0
