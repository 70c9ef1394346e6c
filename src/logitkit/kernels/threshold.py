"""Which key divides the largest entries of a list from the rest, by number or by mass, and the list in order.

Keys are integers that order as the logits do (see kernels/exp.py (c)). Entries stand in the order of their indices, and
stay so: of equal keys, the first are taken. There is no comparison sort of a long list and no pivot that could be bad:
a histogram over the range of the keys finds the bin with the border, and its entries are looked at again, bit by bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

__all__ = ["BINS", "DIGIT", "FEW", "keep_above", "lower_bound", "sort_descending", "threshold"]

BINS = 1024
FEW = 64  # so many entries are sorted by insertion
DIGIT = 256


@jit
def _extent(k: Any, n: int) -> Any:
    """Return the smallest and the largest of n keys, n >= 1."""
    low, high = k[0], k[0]
    for i in range(n):
        low = min(low, k[i])
        high = max(high, k[i])
    return np.int64(low), np.int64(high)


@jit
def _shift_for(low: int, high: int, n: int) -> int:
    """Return by how many bits the distances of n keys from `low` are shortened, to number their bins."""
    bins = 64
    while bins < n and bins < BINS:
        bins *= 2
    span = np.uint64(high) - np.uint64(low)
    shift = 0
    while (span >> np.uint64(shift)) >= np.uint64(bins):
        shift += 1
    return shift


@jit
def _border(k: Any, m: Any, weighted: bool, n: int, low: int, high: int, shift: int, target: float, bins: Any) -> Any:
    """Return the bin of the n keys in [low, high] in which the mass from the top on reaches `target`, and that above.

    Where rounding keeps the sum below the target, it is the lowest bin.
    """
    h = pointer(bins)
    offset, by = np.uint64(low), np.uint64(shift)
    top: Any = np.int64((np.uint64(high) - offset) >> by)
    for b in range(top + 1):
        h[b] = 0.0
    if weighted:
        for i in range(n):
            h[np.int64((np.uint64(np.int64(k[i])) - offset) >> by)] += m[i]
    else:
        for i in range(n):
            h[np.int64((np.uint64(np.int64(k[i])) - offset) >> by)] += 1.0
    above, b = 0.0, top
    while b > 0 and above + h[b] < target:
        above += h[b]
        b -= 1
    return b, above


@jit
def lower_bound(keys: Any, n: int, k: int, bins: Any) -> Any:
    """Return a number that at least k of n keys reach, not far below the k-th largest, 1 <= k <= n."""
    p = pointer(keys)
    low, high = _extent(p, n)
    shift = _shift_for(low, high, n)
    b, _ = _border(p, pointer(bins), False, n, low, high, shift, float(k), bins)
    return low + (b << shift)


@jit
def threshold(keys: Any, masses: Any, n: int, target: float, bins: Any, spare_keys: Any, spare_masses: Any) -> Any:
    """Return the key t with mass(keys > t) < target <= mass(keys >= t), and that first mass; n >= 1.

    `masses` is empty where each entry counts as 1. A target of 0 or less gives the largest key.
    """
    weighted = masses.shape[0] > 0
    k, m, spare_k, spare_m = pointer(keys), pointer(masses), pointer(spare_keys), pointer(spare_masses)
    low, high = _extent(k, n)
    shift = _shift_for(low, high, n)
    b, above = _border(k, m, weighted, n, low, high, shift, target, bins)
    while shift > 0:
        # The entries of the border's bin move to the spare lists, and from then on within them.
        first, last = low + (b << shift), min(high, low + (b << shift) + ((1 << shift) - 1))
        left = 0
        for i in range(n):
            key = k[i]
            if first <= key <= last:
                spare_k[left] = key
                if weighted:
                    spare_m[left] = m[i]
                left += 1
        if left == 0:
            return first, above
        n, k, m = left, spare_k, spare_m
        low, high = _extent(k, n)
        shift = _shift_for(low, high, n)
        b, more = _border(k, m, weighted, n, low, high, shift, target - above, bins)
        above += more
    return low + b, above


@jit
def keep_above(keys: Any, indices: Any, masses: Any, n: int, t: int, above: float, target: float) -> int:
    """Keep what is above the key t, and of its equals the first, until the mass reaches `target`; return how many.

    `above` is the mass above t. One entry at least is kept of those that equal t.
    """
    weighted = masses.shape[0] > 0
    k, at, m = pointer(keys), pointer(indices), pointer(masses)
    kept, reached = 0, above
    first = True
    for i in range(n):
        key = k[i]
        if key < t:
            continue
        if key == t:
            if not (first or reached < target):
                continue
            first = False
            reached += m[i] if weighted else 1.0
        k[kept] = key
        at[kept] = at[i]
        if weighted:
            m[kept] = m[i]
        kept += 1
    return kept


@jit
def sort_descending(keys: Any, indices: Any, n: int, spare_keys: Any, spare_indices: Any, counts: Any) -> None:
    """Sort n entries by their keys, the largest first; equal keys keep their order. `counts` [DIGIT] is scratch."""
    k, at = pointer(keys), pointer(indices)
    if n <= FEW:
        for i in range(1, n):
            key, index = k[i], at[i]
            j = i
            while j > 0 and k[j - 1] < key:
                k[j] = k[j - 1]
                at[j] = at[j - 1]
                j -= 1
            k[j] = key
            at[j] = index
        return
    other_k, other_at, count = pointer(spare_keys), pointer(spare_indices), pointer(counts)
    bits = 8 * keys.itemsize
    flipped = False
    for shift in range(0, bits, 8):
        flip = 127 if shift == bits - 8 else 255  # the digits run downwards; the highest carries the sign
        for digit in range(DIGIT):
            count[digit] = 0
        for i in range(n):
            count[((np.int64(k[i]) >> shift) & 255) ^ flip] += 1
        before = 0
        for digit in range(DIGIT):
            before, count[digit] = before + count[digit], before
        for i in range(n):
            d = ((np.int64(k[i]) >> shift) & 255) ^ flip
            other_k[count[d]] = k[i]
            other_at[count[d]] = at[i]
            count[d] += 1
        k, at, other_k, other_at = other_k, other_at, k, at
        flipped = not flipped
    if flipped:
        for i in range(n):
            other_k[i], other_at[i] = k[i], at[i]
