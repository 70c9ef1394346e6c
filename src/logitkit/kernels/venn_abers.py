"""Venn-Abers predictors of pairs of classes: all isotonic fits with one row added, by one walk around a hull.

Let s_1 < s_2 < … < s_k be the distinct scores, and P_j = (how many rows score at most s_j, how many of them are ones).
The isotonic fit is the slope of the greatest convex minorant of P_0 … P_k. A row added before s_{i + 1} with the label
1 moves what follows by (1, 1), and its own value is the slope of the minorant of

    P_0 - (1, 1), …, P_i - (1, 1), P_i, …, P_k

across the gap between P_i - (1, 1) and P_i. From i - 1 to i, one point moves, from P_{i - 1} to P_i - (1, 1), and the
slope never decreases: the corners right of the gap are a stack, from which each is taken once. That is algorithms 1
and 2 of Vovk, Petej and Fedorova (NIPS 2015), here with integers, so that no comparison is off. A row with the label 0
is the same with zeros and ones, and the order of scores, exchanged.
"""

from __future__ import annotations

from typing import Any

from logitkit.kernels import jit

__all__ = ["venn_abers_steps"]


@jit
def _add_corner(x: int, y: int, corners: Any, n: int) -> int:
    """Put (x, y) on the stack of a hull's corners, left of them all, without those that it hides; return its height."""
    while n > 1:
        x1, y1, x2, y2 = corners[n - 1, 0], corners[n - 1, 1], corners[n - 2, 0], corners[n - 2, 1]
        if (x1 - x) * (y2 - y) > (x2 - x) * (y1 - y):
            break
        n -= 1
    corners[n, 0] = x
    corners[n, 1] = y
    return n + 1


@jit
def _slopes_across(sums: Any, k: int, corners: Any, slopes_out: Any) -> None:
    """Write run and rise of the slope at a row of label 1, before each of the k scores and after the last.

    `sums` holds P_0 … P_k; `corners` has room for k + 2 points, `slopes_out` for k + 1.
    """
    n = 0
    for j in range(k, -1, -1):
        n = _add_corner(sums[j, 0], sums[j, 1], corners, n)
    n = _add_corner(-1, -1, corners, n)
    for i in range(k + 1):
        if i > 0:
            x, y = sums[i, 0] - 1, sums[i, 1] - 1
            x1, y1, x2, y2 = corners[n - 1, 0], corners[n - 1, 1], corners[n - 2, 0], corners[n - 2, 1]
            if (x2 - x1) * (y - y1) < (y2 - y1) * (x - x1):
                n = _add_corner(x, y, corners, n)
        slopes_out[i, 0] = corners[n - 2, 0] - corners[n - 1, 0]
        slopes_out[i, 1] = corners[n - 2, 1] - corners[n - 1, 1]


@jit
def _merge(zeros: Any, ones: Any, scores_out: Any, sums_out: Any) -> int:
    """Merge sorted scores of both labels: the distinct ones, and P_0, P_1, …; return how many are distinct."""
    k = i = j = 0
    sums_out[0, 0] = 0
    sums_out[0, 1] = 0
    while i < zeros.shape[0] or j < ones.shape[0]:
        s = zeros[i] if j == ones.shape[0] or (i < zeros.shape[0] and zeros[i] < ones[j]) else ones[j]
        while i < zeros.shape[0] and zeros[i] == s:
            i += 1
        while j < ones.shape[0] and ones[j] == s:
            j += 1
        scores_out[k] = s
        k += 1
        sums_out[k, 0] = i + j
        sums_out[k, 1] = j
    return k


@jit
def venn_abers_steps(zeros: Any, ones: Any, scratch: Any, knots_out: Any, low_out: Any, high_out: Any) -> int:
    """Write p0 and p1 as steps between knots; return how many knots, of which there is one where either changes.

    Args:
        zeros: sorted scores of the rows of label 0.
        ones: sorted scores of the rows of label 1; n rows together.
        scratch: int64 `[4, n + 2, 2]`.
        knots_out: `[n]`.
        low_out: `[n + 1]`, p0 from the knot before on; at a knot, that after it.
        high_out: `[n + 1]`, p1 from the knot before on; at a knot, that before it.
    """
    sums, turned, corners, slopes = scratch[0], scratch[1], scratch[2], scratch[3]
    k = _merge(zeros, ones, knots_out, sums)
    for j in range(k + 1):
        turned[j, 0] = sums[k, 0] - sums[k - j, 0]
        turned[j, 1] = turned[j, 0] - (sums[k, 1] - sums[k - j, 1])
    _slopes_across(turned, k, corners, slopes)
    for i in range(k + 1):
        low_out[k - i] = (slopes[i, 0] - slopes[i, 1]) / slopes[i, 0]
    _slopes_across(sums, k, corners, slopes)
    for i in range(k + 1):
        high_out[i] = slopes[i, 1] / slopes[i, 0]
    n = 0
    for i in range(k):
        if low_out[i + 1] != low_out[n] or high_out[i + 1] != high_out[n]:
            knots_out[n] = knots_out[i]
            n += 1
            low_out[n] = low_out[i + 1]
            high_out[n] = high_out[i + 1]
    return n
