"""The logit of one class against the rest, which calibrators sort rows by, and the lookup of what they made of it.

    s_c = log p_c - log(1 - p_c) = z_c - log Σ_{j ≠ c} exp(z_j)

1 - p_c is never formed, so that s keeps its digits at both ends. With t the largest logit of a row, u the second
largest, R = Σ_{j ≠ top} exp(z_j - u) >= 1 and q = exp(u - t):

    s_top = t - u - log R,   s_c = z_c - t - log(1 + (R - exp(z_c - u)) q)

Equal infinities count as equal logits. s is held within the finite numbers, and rounded to float32: probabilities that
are equal tie whatever the order in which the sum was taken, and rows that tie are one point of a map.

A row and its s fit into 64 bits, s above: to sort the numbers is to sort the rows, and never moves equal ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total, order_key
from logitkit.kernels.lookup import count_below
from logitkit.kernels.pointers import pointer

__all__ = ["N_RESTS", "class_keys", "map_rows", "row_rests"]

LARGEST = 3.4028234663852886e38  # of float32
TOP, GAP, SECOND, REST, SHARE, N_RESTS = 0, 1, 2, 3, 4, 5  # what a row keeps: t, t - u, u, R, q


@jit
def _sum_below(z: Any, second: float) -> float:
    """Return the sum of exp(z - second), where nothing is above `second`."""
    total = 0.0
    for j in range(z.shape[0]):
        e = exp_shifted(z[j], second, 1.0)
        total += 1.0 if z[j] == second else e  # -inf less -inf is no number, nor is inf less inf
    return total


@jit
def _row_rest(z: Any) -> tuple[int, Any, Any, Any, Any, Any]:
    """Return where the largest logit of a row is, and what s needs of the row."""
    at = 0
    top: Any = np.float64(z[0])
    second: Any = -np.inf
    for j in range(1, z.shape[0]):
        logit = np.float64(z[j])
        if logit > top:
            at, top, second = j, logit, top
        elif logit > second:
            second = logit
    rest = _sum_below(z[:at], second) + _sum_below(z[at + 1 :], second)
    gap = 0.0 if top == second else top - second
    return at, top, gap, second, rest, math.exp(-gap)


@jit
def _logit_of_top(gap: float, rest: float) -> float:
    """Return s of the largest logit, which is inf where there is no other class."""
    s = gap - math.log(rest) if rest > 0.0 else np.inf
    return np.float64(np.float32(min(s, LARGEST)))


@jit
def _logit_of_other(logit: Any, top: float, second: float, rest: float, share: float) -> float:
    """Return s of any other logit of the row."""
    e = exp_shifted(logit, second, 1.0)
    e = 1.0 if logit == second else e
    d: Any = np.float64(logit) - top
    d = 0.0 if logit == top else d
    s = d - log_total(1.0 + max(rest - e, 0.0) * share)
    return np.float64(np.float32(max(s, -LARGEST)))


@jit
def row_rests(logits: Any, at_out: Any, rests_out: Any) -> None:
    """Write where each row's largest logit is into `at_out` [N], and what s needs of it into `rests_out` [N, 5]."""
    for row in range(logits.shape[0]):
        at, top, gap, second, rest, share = _row_rest(logits[row])
        at_out[row] = at
        rests_out[row, TOP] = top
        rests_out[row, GAP] = gap
        rests_out[row, SECOND] = second
        rests_out[row, REST] = rest
        rests_out[row, SHARE] = share


@jit
def class_keys(logits: Any, first: int, at: Any, rests: Any, keys_out: Any) -> None:
    """Write s and the row, as one number to sort by, of classes `first` and up into `keys_out` [classes, N]."""
    for row in range(logits.shape[0]):
        r = rests[row]
        for c in range(keys_out.shape[0]):
            s = _logit_of_other(logits[row, first + c], r[TOP], r[SECOND], r[REST], r[SHARE])
            s = _logit_of_top(r[GAP], r[REST]) if first + c == at[row] else s
            keys_out[c, row] = (np.int64(order_key(np.float32(s))) << 32) | row


@jit
def _map_column(knots: Any, values: Any, start: int, stop: int, scores: Any, counts: Any) -> None:
    """Put the value of the map through the knots in [start, stop) in place of each s."""
    count_below(knots, start, stop, scores, counts)
    k, v, s = pointer(knots), pointer(values), pointer(scores)
    for i in range(scores.shape[0]):
        after = min(start + counts[i], stop - 1)
        before = max(start + counts[i] - 1, start)
        run = k[after] - k[before]
        part = (s[i] - k[before]) / (run if run > 0.0 else 1.0)
        s[i] = v[before] + (part if run > 0.0 else 0.0) * (v[after] - v[before])


@jit
def map_rows(logits: Any, indptr: Any, knots: Any, values: Any, scratch: Any, counts: Any, log_probs_out: Any) -> None:
    """Write log(v_c / Σ v) into `log_probs_out` [N, C], v_c being what the map of class c makes of s_c.

    Two classes have one map, that of class 1, and class 0 has the rest. `scratch` is float64 `[N · (C + 1)]`,
    `counts` intp `[N]`.
    """
    N, C = logits.shape
    p, column = scratch[: N * C].reshape((N, C)), scratch[N * C :]
    for row in range(N):
        z = logits[row]
        at, top, gap, second, rest, share = _row_rest(z)
        for c in range(C):
            p[row, c] = _logit_of_other(z[c], top, second, rest, share)
        p[row, at] = _logit_of_top(gap, rest)
    first = 1 if C == 2 else 0
    for c in range(first, C):
        for row in range(N):
            column[row] = p[row, c]
        _map_column(knots, values, indptr[c - first], indptr[c - first + 1], column, counts)
        for row in range(N):
            p[row, c] = column[row]
    for row in range(N):
        if C == 2:
            p[row, 0] = 1.0 - p[row, 1]
        total = 0.0
        for c in range(C):
            total += p[row, c]
        for c in range(C):
            log_probs_out[row, c] = min(log_total(p[row, c] / total), 0.0)
