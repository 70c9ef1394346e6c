"""Conformity scores by the order of probabilities (APS, RAPS) and the prediction sets that they give.

    score(y) = (Σ probs of the classes before y + keep · probs_y) / Σ probs + penalties[rank of y]

Classes come in the order of falling probability, equals in the order of their indices; rank 1 is the first. Of the row,
`keep` = 1 - u is in (0, 1], and `penalties` [C + 1] never fall, so scores never fall along the order.

Probabilities add up as integers, multiples of 2^-60. A sum is then the same in any order: the score of one label, for
which nothing is sorted, has the bits that it has where sets are made, and a row at the quantile itself is in its set.
The last class has all of the sum before it and in it: with keep = 1 exactly 1, where rounding would make a lottery.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import DIGIT, sort_descending

__all__ = ["label_scores_block", "ordered_sets_block", "row_uniforms_block", "set_scratch"]

UNIT = 2.0**60
FLOAT_ROUNDING = 1024  # a difference of sums that survives when they become float64
TAKEN_ONE_BY_ONE = 32  # a set is often small: classes are looked for before the rest is sorted
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def set_scratch(C: int) -> tuple[NDArray[Any], ...]:
    """Return what `ordered_sets_block` works in: keys and indices, spare ones, counts."""
    keys, indices = np.empty((2, C), np.int64), np.empty((2, C), np.intp)
    return keys[0], indices[0], keys[1], indices[1], np.empty(DIGIT, np.intp)


@jit
def _mix(x: Any) -> Any:
    """Return the finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit of x changes half of the result's."""
    x = (x ^ (x >> np.uint64(30))) * MIX_1
    x = (x ^ (x >> np.uint64(27))) * MIX_2
    return x ^ (x >> np.uint64(31))


@jit
def row_uniforms_block(values: Any, seed: Any, uniforms_out: Any) -> None:
    """Write a number in [0, 1) for each row of float64 values [n, C]: a hash of the row and the seed, nothing else."""
    N, C = values.shape
    p, start = pointer(values), _mix(np.uint64(seed) + GOLDEN)
    for row in range(N):
        base, total = row * C, np.uint64(0)
        for c in range(C):
            bits = np.uint64(np.float64(p[base + c] + 0.0).view(np.int64))  # -0 counts as 0
            total += _mix(bits ^ (start + np.uint64(c) * GOLDEN))
        uniforms_out[row] = np.float64(np.int64(_mix(total + start) >> np.uint64(11))) * 2.0**-53


@jit
def _mass(prob: Any) -> Any:
    """Return a probability as an integer."""
    return np.int64(prob * UNIT)


@jit
def _score(before: Any, prob: Any, keep: Any, total: Any, penalty: Any) -> Any:
    """Return a class's score from the mass before it. One place, so that both kernels round alike."""
    return np.float64(before + _mass(prob * keep)) / np.float64(total) + penalty


@jit
def label_scores_block(probs: Any, labels: Any, keep: Any, penalties: Any, scores_out: Any) -> None:
    """Write the score of each row's label; `probs` [n, C] is float64."""
    N, C = probs.shape
    for row in range(N):
        p, y = pointer(probs[row]), labels[row]
        prob = p[y]
        before, total, rank = np.int64(0), np.int64(0), np.int64(1)
        for c in range(C):
            mass = _mass(p[c])
            first = (p[c] > prob) | ((p[c] == prob) & (c < y))
            before += mass if first else np.int64(0)
            total += mass
            rank += np.int64(first)
        scores_out[row] = _score(before, prob, keep[row], total, penalties[rank])


@jit
def _total(p: Any, C: Any) -> Any:
    """Return the sum of a row."""
    total = np.int64(0)
    for c in range(C):
        total += _mass(p[c])
    return total


@jit
def _candidates(p: Any, C: Any, total: Any, quantile: float, keys: Any, indices: Any) -> Any:
    """List the classes whose score may be at most `quantile`, in the order of their indices; return how many.

    Where the classes with at most a C-th of the mass beyond the quantile are left out, what is before them exceeds it.
    The bits of a float that is not negative (-0 becomes 0) are its key: they order as the numbers do.
    """
    few: Any = np.int64(-1)
    if quantile < 1.0:
        few = (total - (np.int64(quantile * np.float64(total)) + FLOAT_ROUNDING)) // C
    n = 0
    for c in range(C):
        keys[n], indices[n] = np.float64(p[c] + 0.0).view(np.int64), c
        n += _mass(p[c]) > few
    return n


@jit
def _first_largest(keys: Any, n: Any) -> Any:
    """Return where the first of the largest of n keys is: two loops that vectorise."""
    best, at = keys[0], np.int64(n)
    for i in range(n):
        best = max(best, keys[i])
    for i in range(n):
        at = min(at, np.int64(i) if keys[i] == best else np.int64(n))
    return at


@jit
def ordered_sets_block(
    probs: Any, keep: Any, penalties: Any, quantiles: Any, cells: Any, scratch: Any, sets_out: Any
) -> None:
    """Write which classes have a score of at most the quantile [G, C] of the row's cell and of theirs.

    `sets_out` [n, C] is uint8, 1 where a class is in. A quantile of inf takes its class whatever its score.
    """
    N, C = probs.shape
    keys, indices, spare_keys, spare_indices, counts = scratch
    k, at = pointer(keys), pointer(indices)
    for row in range(N):
        p, q, out = pointer(probs[row]), pointer(quantiles[cells[row]]), pointer(sets_out[row])
        highest = -np.inf
        for c in range(C):
            out[c] = np.uint8(q[c] == np.inf)
            highest = q[c] if (q[c] > highest) & (q[c] < np.inf) else highest
        if highest == -np.inf:
            continue
        total = _total(p, C)
        n = _candidates(p, C, total, highest, k, at)
        before = np.int64(0)
        for rank in range(1, n + 1):
            if rank == TAKEN_ONE_BY_ONE + 1:
                sort_descending(keys, indices, n, spare_keys, spare_indices, counts)  # those taken come last
            place = _first_largest(k, n) if rank <= TAKEN_ONE_BY_ONE else rank - TAKEN_ONE_BY_ONE - 1
            c = at[place]
            score = _score(before, p[c], keep[row], total, penalties[rank])
            if score > highest:
                break
            out[c] = out[c] | np.uint8(score <= q[c])
            before += _mass(p[c])
            k[place] = np.int64(-1)
