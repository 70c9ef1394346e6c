"""Risk against coverage, from rows in the order of their confidence: points of the curve, and the area under it.

What n tied rows with e errors, behind M rows with W errors, add to the sum of the risks at all coverages k / N:

    Σ_{j=1..n} (W + r j) / (M + j) = e + (W - r M) (H(M + n) - H(M)),   r = e / n,   H(n) = 1 + 1/2 + … + 1/n
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

__all__ = ["count_points", "risk_sum", "risk_sums", "walk_keys"]

FAR = 64.0  # from here on the series of H is exact to 2e-17


@jit
def _tail(x: float) -> float:
    """Return H(x) - log x - gamma by its asymptotic series."""
    q = 1.0 / (x * x)
    return 0.5 / x - q * (1.0 / 12.0 - q * (1.0 / 120.0 - q / 252.0))


@jit
def _harmonic_between(M: float, n: float) -> float:
    """Return H(M + n) - H(M), without the difference of two large numbers."""
    total = 0.0
    while n > 0.0 and (M < FAR or n < 4.0):
        M += 1.0
        n -= 1.0
        total += 1.0 / M
    return total + (math.log1p(n / M) + _tail(M + n) - _tail(M)) if n > 0.0 else total


@jit
def _risk_of_group(M: float, W: float, n: float, e: float) -> float:
    """Return what a group of tied rows adds to the sum of the risks."""
    if n == 1.0:  # as most are
        return (W + e) / (M + 1.0)
    return e + (W - e / n * M) * _harmonic_between(M, n) if n > 0.0 else 0.0


@jit
def risk_sum(answered: Any, errors: Any) -> float:
    """Return the sum of the risks under a curve, from its cumulative counts [K]."""
    total = M = W = 0.0
    for k in range(answered.shape[0]):
        total += _risk_of_group(M, W, answered[k] - M, errors[k] - W)
        M, W = float(answered[k]), float(errors[k])
    return total


@jit
def risk_sums(rows: Any, errors: Any, sums_out: Any) -> None:
    """Write the sum of the risks of every draw of rows [R, B], of which `errors` are wrong; the last bin is surest."""
    R, B = rows.shape
    for draw in range(R):
        total = M = W = 0.0
        for b in range(B - 1, -1, -1):
            n, e = rows[draw, b], errors[draw, b]
            total += _risk_of_group(M, W, n, e)
            M += n
            W += e
        sums_out[draw] = total


@jit
def count_points(ordered: Any, most: int) -> int:
    """Return how many distinct confidences ascending keys have, or a number above `most` if they have more."""
    N: int = ordered.shape[0]
    points = min(1, N)
    one = ordered.dtype.type(1)
    for start in range(1, N, 4096):
        for i in range(start, min(N, start + 4096)):
            points += 1 if ordered[i] >> one != ordered[i - 1] >> one else 0
        if points > most:
            break
    return points


@jit
def walk_keys(ordered: Any, wanted: Any, bits_out: Any, answered_out: Any, errors_out: Any) -> Any:
    """Write points of the curve of ascending keys, and return their number and the sum of the risks under all of it.

    A key is a confidence's bits, shifted by one, with `correct` below. `wanted` holds ascending numbers of answers, and
    of each the first point that has as many is written; without any, every point.
    """
    N, K, at = ordered.shape[0], 0, 0
    one = ordered.dtype.type(1)
    keys, bits, answered, errors = pointer(ordered), pointer(bits_out), pointer(answered_out), pointer(errors_out)
    total = 0.0
    M = W = 0
    end = N
    while end > 0:
        confidence = keys[end - 1] >> one
        start, right = end, np.int64(0)
        while start > 0 and keys[start - 1] >> one == confidence:
            start -= 1
            right += np.int64(keys[start] & one)
        n, e = end - start, end - start - right
        total += _risk_of_group(M, W, n, e)
        M, W, end = M + n, W + e, start
        if wanted.shape[0] > 0:
            if at == wanted.shape[0] or wanted[at] > M:
                continue
            while at < wanted.shape[0] and wanted[at] <= M:
                at += 1
        bits[K], answered[K], errors[K] = confidence, M, W
        K += 1
    return K, total
