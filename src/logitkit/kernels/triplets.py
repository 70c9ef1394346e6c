"""Triplets of an anchor, a positive and a negative, mined from one row of distances to all of a batch.

    loss = max(0, margin + distance to the positive - distance to the negative)

Where an anchor has few positives, each looks at the whole row. Where it has many, the negatives of the row are sorted
once, and each positive finds its negative, or all that are too near, by bisection: N log N in all, not N².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit

__all__ = ["ALL", "HARD", "SEMI_HARD", "mine_triplets"]

HARD, SEMI_HARD, ALL = 0, 1, 2
FEW = 24  # positives, up to which looking at the row for each takes less time than to sort it


@jit
def _hard(distances: Any, same: Any, others: Any, margin: float, grads: Any) -> Any:
    """Return the loss and number of the one triplet of the farthest positive and the nearest negative."""
    far, near = same[0], others[0]
    for j in same:
        far = j if distances[j] > distances[far] else far
    for j in others:
        near = j if distances[j] < distances[near] else near
    loss = margin + distances[far] - distances[near]
    if loss > 0.0:
        grads[far] += 1.0
        grads[near] -= 1.0
    return max(loss, 0.0), 1.0


@jit
def _few_semi_hard(distances: Any, same: Any, others: Any, margin: float, grads: Any) -> Any:
    """Return the sum and number of each positive's triplet with the next farther negative, or else the farthest."""
    near = distances[others]
    farthest = near.argmax()
    total = 0.0
    for j in same:
        best = np.inf
        for k in range(near.shape[0]):
            farther = near[k] if near[k] > distances[j] else np.inf
            best = farther if farther < best else best
        best = best if best < np.inf else near[farthest]
        loss = margin + distances[j] - best
        if loss > 0.0:
            total += loss
            grads[j] += 1.0
            grads[others[np.argmax(near == best)]] -= 1.0
    return total, float(same.shape[0])


@jit
def _few_all(distances: Any, same: Any, others: Any, margin: float, grads: Any) -> Any:
    """Return the sum and number of all triplets whose loss is above 0."""
    near = distances[others]
    taken = np.zeros(near.shape[0])
    total, active = 0.0, 0.0
    for j in same:
        limit = distances[j] + margin
        count = 0.0
        for k in range(near.shape[0]):
            loss = limit - near[k]
            one = 1.0 if loss > 0.0 else 0.0
            total += loss * one
            count += one
            taken[k] += one
        grads[j] += count
        active += count
    for k in range(near.shape[0]):
        grads[others[k]] -= taken[k]
    return total, active


@jit
def _many_semi_hard(distances: Any, same: Any, others: Any, near: Any, margin: float, grads: Any) -> Any:
    """Return what `_few_semi_hard` returns; `others` are sorted by `near`, their distances."""
    total = 0.0
    for j in same:
        k = min(np.searchsorted(near, distances[j], side="right"), near.shape[0] - 1)
        loss = margin + distances[j] - near[k]
        if loss > 0.0:
            total += loss
            grads[j] += 1.0
            grads[others[k]] -= 1.0
    return total, float(same.shape[0])


@jit
def _many_all(distances: Any, same: Any, others: Any, near: Any, margin: float, grads: Any) -> Any:
    """Return what `_few_all` returns; `others` are sorted by `near`, their distances."""
    sums = np.cumsum(near)
    ends = np.zeros(near.shape[0])
    total, active = 0.0, 0.0
    for j in same:
        limit = distances[j] + margin
        k = np.searchsorted(near, limit, side="left")
        if k > 0:
            total += k * limit - sums[k - 1]
            active += k
            grads[j] += k
            ends[k - 1] += 1.0
    later = 0.0
    for k in range(near.shape[0] - 1, -1, -1):
        later += ends[k]
        grads[others[k]] -= later
    return total, active


@jit
def mine_triplets(
    rows: Any, first: int, labels: Any, mining: int, margin: float, inverse: bool, losses_out: Any, counts_out: Any
) -> None:
    """Turn distances [n, N] of the anchors from `first` on into minus the gradient of the summed loss, in place.

    With `inverse` the gradient is divided by the distance, 0 where that is 0. A row that has no positive or no negative
    has no triplet. A distance that is not finite makes its row NaN.
    """
    n, N = rows.shape
    grads, distances = np.empty(N), np.empty(N)
    for i in range(n):
        row, anchor = rows[i], first + i
        finite = True
        for j in range(N):
            distances[j] = row[j]
            finite = finite and (np.isfinite(distances[j]) or j == anchor)
            grads[j] = 0.0
        distances[anchor] = 0.0
        losses_out[i] = counts_out[i] = 0.0
        alike = labels == labels[anchor]
        alike[anchor] = False
        same = np.flatnonzero(alike)
        alike[anchor] = True
        others = np.flatnonzero(~alike)
        if same.shape[0] > 0 and others.shape[0] > 0:
            if not finite:
                losses_out[i], counts_out[i] = np.nan, 1.0
                grads[:] = np.nan
            elif mining == HARD:
                losses_out[i], counts_out[i] = _hard(distances, same, others, margin, grads)
            elif same.shape[0] <= FEW and mining == SEMI_HARD:
                losses_out[i], counts_out[i] = _few_semi_hard(distances, same, others, margin, grads)
            elif same.shape[0] <= FEW:
                losses_out[i], counts_out[i] = _few_all(distances, same, others, margin, grads)
            else:
                others = others[np.argsort(distances[others])]
                near = distances[others]
                if mining == SEMI_HARD:
                    losses_out[i], counts_out[i] = _many_semi_hard(distances, same, others, near, margin, grads)
                else:
                    losses_out[i], counts_out[i] = _many_all(distances, same, others, near, margin, grads)
        for j in range(N):
            if inverse:
                grads[j] = grads[j] / distances[j] if distances[j] > 0.0 else 0.0 * grads[j]
            row[j] = -grads[j]
