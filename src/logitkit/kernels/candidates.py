"""The k largest entries of a row, without sorting it: most of a row is read once, by a vector loop, and never again.

(a) Entry i belongs to lane i mod W; in each chunk of 8 · W entries the 8 of a lane form a group, whose largest key is
    kept. At least k entries reach the k-th largest of the lanes' maxima, so what is below that bound is passed over, a
    lane or a group at a time. Neighbours fall into different lanes: sorted rows are no harder than others.
(b) What reaches the bound is a candidate. The list of candidates keeps the order of the indices, so that of equal keys
    the lower index is first. When it is full, all but the best k are dropped, and the bound rises: rows full of ties,
    and rows made to be hard, cost time that grows with C alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import order_key
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import BINS, DIGIT, keep_above, lower_bound, threshold

__all__ = ["Candidates", "candidates_for", "find_largest"]

STEPS = 8  # entries in a group
FEWEST_LANES = 64

Candidates = tuple[NDArray[Any], ...]


def candidates_for(C: int, k: int, dtype: np.dtype[Any], room: int = 0) -> Candidates:
    """Return what `find_largest` works in for rows of C logits; the candidates are `[0]` keys and `[1]` indices.

    Then come spare keys and spare indices, bins, counts, the largest key of each group and of each lane, and hits.
    `room` is how many candidates the list holds at least.
    """
    key = np.int64 if dtype == np.float64 else np.int32
    W = FEWEST_LANES
    while 4 * k > W:
        W *= 2
    W = W if STEPS * W <= C else 0
    groups = -(-C // (STEPS * W)) * W if W else 0
    room = max(room, min(C, 2 * k + 1024))
    keys, indices = np.empty((2, room), key), np.empty((2, room), np.intp)
    bins, counts = np.empty(BINS), np.empty(DIGIT, np.intp)
    maxima, hits = np.empty(groups + W, key), np.empty((2, W), np.intp)
    return keys[0], indices[0], keys[1], indices[1], bins, counts, maxima[:groups], maxima[groups:], hits[0], hits[1]


@jit
def _larger(a: Any, b: Any) -> Any:
    return a if a > b else b


@jit
def _maxima_of_numbers(p: Any, start: int, W: int, m: Any, to: int) -> Any:
    """Write the largest key of each group of a chunk where no entry is NaN; return how often one was seen.

    Beside other maxima, rather than within one row, numbers are compared by vectors too, at half the cost of keys.
    """
    nans = np.int32(0)
    for j in range(W):
        i = start + j
        a, b, c, d = p[i], p[i + W], p[i + 2 * W], p[i + 3 * W]
        e, f, g, h = p[i + 4 * W], p[i + 5 * W], p[i + 6 * W], p[i + 7 * W]
        nans += np.int32(np.isnan(a) | np.isnan(b))
        nans += np.int32(np.isnan(c) | np.isnan(d))
        nans += np.int32(np.isnan(e) | np.isnan(f))
        nans += np.int32(np.isnan(g) | np.isnan(h))
        m[to + j] = order_key(_larger(_larger(_larger(a, b), _larger(c, d)), _larger(_larger(e, f), _larger(g, h))))
    return nans


@jit
def _maxima_of_keys(p: Any, start: int, W: int, m: Any, to: int) -> None:
    """Write the largest key of each group of a chunk, whatever its entries are."""
    for j in range(W):
        i = start + j
        a = max(order_key(p[i]), order_key(p[i + W]))
        b = max(order_key(p[i + 2 * W]), order_key(p[i + 3 * W]))
        c = max(order_key(p[i + 4 * W]), order_key(p[i + 5 * W]))
        d = max(order_key(p[i + 6 * W]), order_key(p[i + 7 * W]))
        m[to + j] = max(max(a, b), max(c, d))  # noqa: PLW3301  (pairs are what vectorises)


@jit
def group_maxima(logits: Any, base: int, C: int, W: int, maxima: Any, lanes: Any) -> None:
    """Write the largest key of each group, and of each lane, of the C entries from `base` on (see (a))."""
    p, m, top = pointer(logits), pointer(maxima), pointer(lanes)
    lowest = order_key(logits.dtype.type(-np.inf))
    for j in range(W):
        top[j] = lowest
    size = STEPS * W
    full = C // size
    for chunk in range(full):
        start, to = base + chunk * size, chunk * W
        if _maxima_of_numbers(p, start, W, m, to) > 0:
            _maxima_of_keys(p, start, W, m, to)
        for j in range(W):
            top[j] = max(top[j], m[to + j])
    start, to = base + full * size, full * W
    rest = C - full * size
    if rest > 0:
        for j in range(W):
            m[to + j] = lowest
        for step in range(0, rest, W):
            for j in range(min(W, rest - step)):
                m[to + j] = max(m[to + j], order_key(p[start + step + j]))
        for j in range(W):
            top[j] = max(top[j], m[to + j])


@jit
def _best(k: int, n: int, scratch: Candidates) -> Any:
    """Drop all but the best k of n candidates; return how many are left, and the key that others must exceed."""
    keys, indices, spare, none = scratch[0], scratch[1], scratch[2], scratch[4][:0]
    t, above = threshold(keys, none, n, float(k), scratch[4], spare, none)
    return keep_above(keys, indices, none, n, t, above, float(k)), t


@jit
def find_largest(logits: Any, base: int, C: int, k: int, slack: int, scratch: Candidates) -> Any:
    """List the k largest of the C entries from `base` on, as keys and indices in the order of their indices.

    `logits` is contiguous, and all indices count from `base`; 1 <= k <= C. Returns how many are listed: k, or more
    where that saves a step, but at most `slack`; those that are too many are among the rest of the row's largest.
    """
    maxima, lanes = scratch[6], scratch[7]
    floor = np.int64(order_key(logits.dtype.type(-np.inf))) - 1
    if lanes.shape[0] > 0:
        group_maxima(logits, base, C, lanes.shape[0], maxima, lanes)
        floor = lower_bound(lanes, lanes.shape[0], k, scratch[4]) - 1
    n = collect(logits, base, C, k, floor, scratch)
    if n > max(k, slack):
        n, _ = _best(k, n, scratch)
    return n


@jit
def collect(logits: Any, base: int, C: int, k: int, floor: Any, scratch: Candidates) -> Any:
    """List the entries whose keys exceed `floor`, or the best k at least where there is no room for all.

    Where there are lanes, `group_maxima` has filled them.
    """
    keys, indices, _, _, _, _, maxima, lanes, lane_hits, hits = scratch
    p, list_k, list_at = pointer(logits), pointer(keys), pointer(indices)
    room, W, n = keys.shape[0], lanes.shape[0], 0
    if W == 0:
        for i in range(C):
            key = order_key(p[base + i])
            if key > floor:
                if n == room:
                    n, floor = _best(k, n, scratch)
                    if key <= floor:
                        continue
                list_k[n] = key
                list_at[n] = i
                n += 1
        return n
    m, lane_hit, hit = pointer(maxima), pointer(lane_hits), pointer(hits)
    n_lanes = 0
    for j in range(W):
        lane_hit[n_lanes] = j
        n_lanes += lanes[j] > floor
    for start in range(0, C, STEPS * W):
        n_hits = 0
        for x in range(n_lanes):
            hit[n_hits] = lane_hit[x]
            n_hits += m[start // STEPS + lane_hit[x]] > floor
        if n_hits == 0:
            continue
        for step in range(start, min(start + STEPS * W, C), W):
            for x in range(n_hits):
                i = step + hit[x]
                if i >= C:
                    break
                key = order_key(p[base + i])
                if key > floor:
                    if n == room:
                        n, floor = _best(k, n, scratch)
                        if key <= floor:
                            continue
                    list_k[n] = key
                    list_at[n] = i
                    n += 1
    return n
