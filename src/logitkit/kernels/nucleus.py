"""What top-p and min-p keep of a whole row, as a border: the logits above it, and of its equals the first.

The masses exp((logit - maximum) / T) of the row are written down once. The logit that the largest must reach for their
mass to be `top_p` of it all is then found by halving the interval of logits: a round is one vector loop, whatever the
row. When few logits are left between the ends, `threshold` takes them apart. No list of the row, and no sort.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.candidates import Candidates
from logitkit.kernels.exp import exp_shifted, logit_of_key, order_key
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import threshold

__all__ = ["FEW", "PIECE", "border_of_row", "mass_of"]

PIECE = 1024
FEW = 128  # so many logits between the ends of the interval are taken apart one by one
LINE = 64


@jit
def mass_of(logit: Any, maximum: float, scale: float) -> Any:
    """Return exp((logit - maximum) · scale); beside an infinite maximum, 1 where the logit ties and 0 elsewhere.

    It is the float64 exponential, which is 0 for -inf: a masked token must never be drawn.
    """
    if np.isfinite(maximum):
        return exp_shifted(np.float64(logit), maximum, scale)
    return 1.0 if logit == maximum else 0.0


@jit
def _write_masses(p: Any, base: int, V: int, maximum: float, scale: float, e: Any) -> float:
    """Write the masses of a row whose maximum is finite, and return their sum."""
    total = 0.0
    for start in range(0, V, PIECE):
        part = 0.0
        for i in range(min(PIECE, V - start)):
            e[start + i] = exp_shifted(p[base + start + i], maximum, scale)
            part += e[start + i]
        total += part
    return total


@jit
def _reaching(p: Any, base: int, V: int, e: Any, least: Any) -> Any:
    """Return the mass and the number of the logits that are at least `least`."""
    total, count = 0.0, np.int64(0)
    for start in range(0, V, PIECE):
        part, some = 0.0, np.int32(0)
        for i in range(min(PIECE, V - start)):
            reaches = p[base + start + i] >= least
            part += np.float64(e[start + i]) if reaches else 0.0
            some += np.int32(1) if reaches else np.int32(0)
        total += part
        count += some
    return total, count


@jit
def _last_equal(p: Any, base: int, V: int, e: Any, border: Any, reached: float, target: float) -> int:
    """Return the index of the first of the border's equals at which the mass reaches the target, or of the last."""
    last = -1
    for i in range(V):
        if p[base + i] == border:
            last = i
            reached += e[i]
            if reached >= target:
                break
    return last


@jit
def _nucleus(
    logits: Any, base: int, V: int, maximum: float, scale: float, top_p: float, scratch: Candidates, lists: Any
) -> Any:
    """Return the logit and the last index among its equals that top-p keeps, of a row whose maximum is finite."""
    keys, indices, spare_keys, bins = scratch[0], scratch[1], scratch[2], scratch[4]
    masses, spare_masses = lists[0], lists[1]
    to_type, p, e = logits.dtype.type, pointer(logits), pointer(lists[5])
    total = _write_masses(p, base, V, maximum, scale, e)
    target = top_p * total
    # `above` is the mass from `high` on, which is too little; what is from `low` on is enough.
    high = to_type(maximum)
    above, n_above = _reaching(p, base, V, e, high)
    if above >= target:
        return high, _last_equal(p, base, V, e, high, 0.0, target)
    # V logits of a smaller mass than this are not the mass that may be left out.
    least = max((1.0 - top_p) * total / V, 1e-300)
    low = to_type(maximum + (math.log(least) - 1e-3) / scale - 1e-6 * abs(maximum))
    n_low = V
    for turn in range(200):
        if n_low - n_above <= FEW:
            break
        middle = to_type(0.5 * np.float64(low) + 0.5 * np.float64(high))
        if turn >= 20 or not low < middle < high:  # halving the keys ends, however the logits crowd
            at = (np.int64(order_key(low)) >> 1) + (np.int64(order_key(high)) >> 1)
            at = max(at, np.int64(order_key(low)) + 1)
            if at >= np.int64(order_key(high)):
                return low, _last_equal(p, base, V, e, low, above, target)
            middle = to_type(logit_of_key(keys.dtype.type(at)))
        mass, count = _reaching(p, base, V, e, middle)
        if mass >= target:
            low, n_low = middle, count
        else:
            high, above, n_above = middle, mass, count
    n = 0
    for start in range(0, V, LINE):
        length, some = min(LINE, V - start), np.int32(0)
        for i in range(length):
            logit = p[base + start + i]
            some += np.int32(1) if low <= logit < high else np.int32(0)
        if some == 0:
            continue
        for i in range(start, start + length):
            logit = p[base + i]
            if low <= logit < high:
                keys[n], indices[n], masses[n] = order_key(logit), i, e[i]
                n += 1
    t, more = threshold(keys, masses[:n], n, target - above, bins, spare_keys, spare_masses)
    last, reached = -1, above + more
    for i in range(n):
        if keys[i] == t and (last < 0 or reached < target):
            last = indices[i]
            reached += masses[i]
    return to_type(logit_of_key(keys.dtype.type(t))), last


@jit
def _least_likely(p: Any, base: int, V: int, maximum: float, scale: float, min_p: float, to_type: Any) -> Any:
    """Return the smallest logit whose mass is at least `min_p`."""
    least = to_type(maximum)
    near = to_type(maximum + (math.log(min_p) - 1e-3) / scale - 1e-6 * abs(maximum))
    for start in range(0, V, LINE):
        length, some = min(LINE, V - start), np.int32(0)
        for i in range(length):
            some += np.int32(1) if near <= p[base + start + i] < least else np.int32(0)
        if some == 0:
            continue
        for i in range(start, start + length):
            logit = p[base + i]
            if near <= logit < least and mass_of(logit, maximum, scale) >= min_p:
                least = logit
    return least


@jit
def border_of_row(
    logits: Any, base: int, V: int, scale: float, top_p: float, min_p: float, scratch: Candidates, lists: Any
) -> Any:
    """Return the maximum, the border, and the last index that is kept of the border's equals.

    What is above the border is kept too. Where the maximum is NaN or -inf, nothing is.
    """
    p = pointer(logits)
    best = order_key(p[base])
    for i in range(V):
        best = max(best, order_key(p[base + i]))
    maximum = logit_of_key(best)
    to_type = logits.dtype.type
    border, last = to_type(-np.inf), V
    if maximum == np.inf and (top_p < 1.0 or min_p > 0.0):
        border = to_type(np.inf)
        if top_p < 1.0:
            ties = 0.0
            for i in range(V):
                ties += 1.0 if p[base + i] == border else 0.0
            left = max(1.0, math.ceil(top_p * ties))
            last = 0
            while left > 0.0:
                left -= 1.0 if p[base + last] == border else 0.0
                last += 1
            last -= 1
        return maximum, border, last
    if not np.isfinite(maximum):
        return maximum, border, last
    if top_p < 1.0:
        border, last = _nucleus(logits, base, V, maximum, scale, top_p, scratch, lists)
    if min_p > 0.0:
        least = _least_likely(p, base, V, maximum, scale, min_p, to_type)
        if least > border:
            border, last = least, V
    return maximum, border, last
