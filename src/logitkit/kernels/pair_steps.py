"""Classes compared in pairs: the score of a pair, its Venn-Abers p0 and p1, and what all pairs say of a class.

score = z_one - z_zero,   odds of class `one` against class `zero` = p1 : (1 - p0)
p_c = 1 / (1 + Σ_j odds of j against c),   divided by the sum over classes
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.lookup import count_below
from logitkit.kernels.pointers import pointer

__all__ = ["Steps", "pair_bounds", "pair_log_probs", "pair_scores"]

Steps = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""indptr, knots, low and high, as `VennAbersCalibrator` describes them."""

LARGEST = 1.7976931348623157e308  # of float64


@jit
def _score(one: float, zero: float) -> float:
    """Return one - zero within the finite numbers; equal infinities are equal."""
    s = 0.0 if one == zero else one - zero
    return min(max(s, -LARGEST), LARGEST)


@jit
def pair_scores(logits: Any, rows: Any, zero: int, one: int, scores_out: Any) -> None:
    """Write logit `one` - logit `zero` of these rows into `scores_out`."""
    for i in range(rows.shape[0]):
        row = rows[i]
        scores_out[i] = _score(np.float64(logits[row, one]), np.float64(logits[row, zero]))


@jit
def _look_up(zero: Any, one: Any, steps: Steps, pair: int, p0_out: Any, p1_out: Any, counts: Any) -> None:
    """Write p0 and p1 of a pair, given the logits of its two classes."""
    indptr, knots, low, high = steps
    start, stop = indptr[pair], indptr[pair + 1]
    p0, p1 = pointer(p0_out), pointer(p1_out)
    k, low_of, high_of, n = pointer(knots), pointer(low[start + pair :]), pointer(high[start + pair :]), counts
    for row in range(zero.shape[0]):
        p0[row] = _score(one[row], zero[row])
    count_below(knots, start, stop, p0_out, counts)
    for row in range(zero.shape[0]):
        at = min(start + n[row], stop - 1) if stop > start else 0
        p1[row] = high_of[n[row]]
        p0[row] = low_of[n[row] + (1 if stop > start and k[at] == p0[row] else 0)]


@jit
def pair_log_probs(logits: Any, steps: Steps, scratch: Any, counts: Any, log_probs_out: Any) -> None:
    """Write the normalised log of p_c = 1 / (1 + Σ_j odds of j against c) into `log_probs_out` [N, C].

    The odds of a pair are p1 : (1 - p0), one for the other. `scratch` is float64 `[2 C + 2, N]`, `counts` intp `[N]`.
    """
    N, C = logits.shape
    columns, against, p0, p1 = scratch[:C], scratch[C : 2 * C], scratch[2 * C], scratch[2 * C + 1]
    columns[:] = logits.T
    against[:] = 1.0
    pair = 0
    for zero in range(C):
        for one in range(zero + 1, C):
            _look_up(columns[zero], columns[one], steps, pair, p0, p1, counts)
            for row in range(N):
                against[zero, row] += p1[row] / (1.0 - p0[row])
                against[one, row] += (1.0 - p0[row]) / p1[row]
            pair += 1
    for row in range(N):
        total = 0.0
        for c in range(C):
            total += 1.0 / against[c, row]
        for c in range(C):
            log_probs_out[row, c] = min(-math.log(against[c, row] * total), 0.0)


@jit
def pair_bounds(logits: Any, steps: Steps, scratch: Any, counts: Any, low_out: Any, high_out: Any) -> None:
    """Write the least and the largest normalised p_c that p0 and p1 of the pairs allow into the outputs [N, C].

    `scratch` is float64 `[3 C + 2, N]`, `counts` intp `[N]`.
    """
    N, C = logits.shape
    columns, worst, best, p0, p1 = scratch[:C], scratch[C : 2 * C], scratch[2 * C : 3 * C], scratch[-2], scratch[-1]
    columns[:] = logits.T
    worst[:] = 1.0
    best[:] = 1.0
    pair = 0
    for zero in range(C):
        for one in range(zero + 1, C):
            _look_up(columns[zero], columns[one], steps, pair, p0, p1, counts)
            for row in range(N):
                worst[zero, row] += p1[row] / (1.0 - p1[row])  # the worst for class `zero` is the best for class `one`
                best[zero, row] += p0[row] / (1.0 - p0[row])
                worst[one, row] += (1.0 - p0[row]) / p0[row]
                best[one, row] += (1.0 - p1[row]) / p1[row]
            pair += 1
    for row in range(N):
        least = most = 0.0
        for c in range(C):
            worst[c, row] = 1.0 / worst[c, row]
            best[c, row] = 1.0 / best[c, row]
            least += worst[c, row]
            most += best[c, row]
        for c in range(C):
            bad, good = worst[c, row], best[c, row]
            low_out[row, c] = bad / (bad + max(most - good, 0.0)) if bad > 0.0 else 0.0
            high_out[row, c] = good / (good + max(least - bad, 0.0))
