"""Deal rows at random into groups, and add up what each group holds: one table serves ten rows and ten million.

The group of a row is a hash of its number and a key, so that it does not depend on the batches. Sums of real numbers
are added in the order of the rows: so are their bits. Counts may be added in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

__all__ = ["BRIER", "FIRST_BIN", "INFINITE", "LOG_LOSS", "TILE", "deal_measures", "deal_ranks", "draw_sums"]

TILE = 64  # columns whose sums stay in the first cache

LOG_LOSS, BRIER, INFINITE, FIRST_BIN = 0, 1, 2, 3  # columns; then count, confidence, correct of every bin

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)


@jit
def _group(row: Any, key: Any, groups: Any, alone: bool) -> Any:
    """Return the group of a row, in [0, groups): by the hash of SplitMix64, or its own number if it is `alone`."""
    if alone:
        return np.int64(row)
    h = np.uint64(key) + np.uint64(row) * _STEP
    h = (h ^ (h >> np.uint64(30))) * _MIX_1
    h = (h ^ (h >> np.uint64(27))) * _MIX_2
    h ^= h >> np.uint64(31)
    return np.int64(((h >> np.uint64(32)) * np.uint64(groups)) >> np.uint64(32))


@jit
def deal_measures(
    first_row: int, key: Any, alone: bool,
    confidence: Any, correct: Any, log_loss: Any, brier: Any, table: Any, keys_out: Any,
) -> None:  # fmt: skip
    """Add rows to the sums of their groups, `table` [G, 3 + 3 · n_bins], and write the key of each (see `selective`).

    An infinite loss is counted and not added. Bin b holds confidences in (b / n_bins, (b + 1) / n_bins].
    """
    G, K = table.shape
    n_bins = (K - FIRST_BIN) // 3
    sums, keys = pointer(table), pointer(keys_out)
    for i in range(confidence.shape[0]):
        c, right, loss = confidence[i], correct[i], log_loss[i]
        at = _group(first_row + i, key, G, alone) * K
        finite = loss < np.inf
        sums[at + LOG_LOSS] += loss if finite else 0.0
        sums[at + BRIER] += brier[i]
        sums[at + INFINITE] += 0.0 if finite else 1.0
        b = min(int(c * n_bins), n_bins - 1)
        b -= 1 if b > 0 and c <= b / n_bins else 0  # an edge is of the bin below it; what is above it has b right
        at += FIRST_BIN + 3 * b
        sums[at] += 1.0
        sums[at + 1] += c
        sums[at + 2] += right
        keys[i] = (np.float64(c).view(np.uint64) << _ONE) | np.uint64(right)


@jit
def deal_ranks(first_row: int, key: Any, alone: bool, keys: Any, thresholds: Any, counts: Any) -> None:
    """Count the rows of every group and bin, and 2^32 for every error, into [G, B] int64, from the keys of the rows.

    `thresholds` [B] are keys without `correct`, ascending; bin b holds keys in [thresholds[b], thresholds[b + 1]), and
    no key is below the first. The two counts share a cell, since what takes the time is to reach it.
    """
    G, B = counts.shape
    t, cells = pointer(thresholds), pointer(counts)
    for i in range(keys.shape[0]):
        confidence = keys[i] >> _ONE
        b, length = 0, B
        while length > 1:
            half = length >> 1
            b += half * np.int64(t[b + half] <= confidence)  # a conditional expression would branch: twice the time
            length -= half
        at = _group(first_row + i, key, G, alone) * B + b
        cells[at] += 1 + (np.int64((keys[i] & _ONE) ^ _ONE) << 32)


@jit
def draw_sums(drawn: Any, table: Any, tile: Any, sums_out: Any) -> None:
    """Write drawn [n, G] @ table [G, K], G >= 1; `tile` [G · TILE] is memory to work in.

    The order of the sums is fixed, which BLAS does not promise, and the threads are ours.
    """
    n, G = drawn.shape
    K = table.shape[1]
    d, t, some, sums = pointer(drawn), pointer(table), pointer(tile), pointer(sums_out)
    for first in range(0, K, TILE):
        width = min(TILE, K - first)
        for g in range(G):
            for k in range(TILE):
                some[g * TILE + k] = t[g * K + first + min(k, width - 1)]
        for draw in range(n):
            to, at = draw * K + first, draw * G
            for k in range(width):
                sums[to + k] = 0.0
            for g in range(0, G - G % 4, 4):  # four at a time: a sum that goes through memory takes as long as four
                w0, w1, w2, w3 = d[at + g], d[at + g + 1], d[at + g + 2], d[at + g + 3]
                row = g * TILE
                for k in range(width):
                    one = w0 * some[row + k] + w1 * some[row + TILE + k]
                    other = w2 * some[row + 2 * TILE + k] + w3 * some[row + 3 * TILE + k]
                    sums[to + k] += one + other
            for g in range(G - G % 4, G):
                for k in range(width):
                    sums[to + k] += d[at + g] * some[g * TILE + k]
