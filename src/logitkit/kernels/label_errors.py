"""What confident learning needs to know of each row: which class it is confidently of, and how likely its label is.

    p_c = exp(z_c - m) / Σ_j exp(z_j - m),   m = max z
    confident class = the most likely c with p_c >= thresholds_c and p_c > 0, or -1 where there is none
    log odds        = log p_label - max_{c ≠ label} log p_c        below 0 where the model is for another class

Both passes of the finder call the same compiled kernel, the first with thresholds of +inf: p has the same bits in both,
so that a class whose rows all have one probability still reaches its own mean. Where m is infinite, the classes that
tie at it share the row equally.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, log_total, logit_of_key, order_key
from logitkit.kernels.pointers import pointer

__all__ = ["judge_logits", "judge_probs"]

TOLERANCE = 1e-3  # of the sum of a row of probabilities
SLACK = 1e-6  # a logit so far below its threshold cannot reach it, whatever the exponential is rounded to


@jit
def _largest_other(p: Any, base: Any, C: Any, label: Any, lowest: Any) -> Any:
    """Return the key of the largest number of a row beside that of its label, `lowest` where there is none."""
    best = lowest
    for c in range(C):
        key = order_key(p[base + c])
        key = key if c != label else lowest
        best = key if key > best else best
    return best


@jit
def _first_with(p: Any, base: Any, C: Any, wanted: Any) -> Any:
    """Return the first class of a row whose key is `wanted`."""
    at = np.int32(0x7FFFFFFF)
    for c in range(C):
        at = min(at, np.int32(c) if order_key(p[base + c]) == wanted else np.int32(0x7FFFFFFF))
    return np.int64(at)


@jit
def _share(logit: Any, top: float, total: float) -> Any:
    """Return the probability of a logit: what is infinitely far below the top has none."""
    if np.float64(logit) == top:
        return 1.0 / total
    return exp_shifted(logit, top, 1.0) / total if top - np.float64(logit) < np.inf else 0.0


@jit
def _confident(p: Any, base: Any, C: Any, thresholds: Any, top: float, total: float) -> Any:
    """Return the confident class of a row and its probability, looking at one class after the other."""
    best, p_best, highest = -1, 0.0, -np.inf
    for c in range(C):
        logit = np.float64(p[base + c])
        share = _share(p[base + c], top, total)
        if share > 0.0 and share >= thresholds[c] and (best < 0 or logit > highest):
            best, p_best, highest = c, share, logit
    return best, p_best


@jit
def judge_logits(
    logits: Any, labels: Any, thresholds: Any, log_thresholds: Any,
    confident_out: Any, best_out: Any, p_label_out: Any, p_confident_out: Any, p_best_out: Any, log_odds_out: Any,
) -> int:  # fmt: skip
    """Judge every row of logits [N, C] and return the first with a NaN, or -1.

    Of the outputs [N], the classes are int32 and the numbers float64. `p_confident_out` is 0 where no class is.
    """
    N, C = logits.shape
    z, t, log_t = pointer(logits), pointer(thresholds), pointer(log_thresholds)
    lowest = order_key(logits.dtype.type(-np.inf))
    nan_row = -1
    for row in range(N):
        base, label = row * C, labels[row]
        own_key, other_key = order_key(z[base + label]), _largest_other(z, base, C, label, lowest)
        own, other = logit_of_key(own_key), logit_of_key(other_key)
        top = logit_of_key(max(own_key, other_key))
        if np.isnan(top):
            nan_row = row if nan_row < 0 else nan_row
            continue
        total = 0.0
        if np.isfinite(top):
            for c in range(C):
                total += exp_shifted(z[base + c], top, 1.0)
        else:
            for c in range(C):
                total += 1.0 if z[base + c] == top else 0.0
        confident, p_confident = -1, 0.0
        if np.isfinite(top):
            log_sum, found = top + log_total(total) - SLACK, lowest
            for c in range(C):
                key = order_key(z[base + c])
                key = key if np.float64(z[base + c]) - log_sum >= log_t[c] else lowest
                found = key if key > found else found
            if found > lowest:
                confident = _first_with(z, base, C, found)
                p_confident = _share(z[base + confident], top, total)
                if not (p_confident > 0.0 and p_confident >= t[confident]):  # it was near its threshold
                    confident, p_confident = _confident(z, base, C, t, top, total)
        else:
            confident, p_confident = _confident(z, base, C, t, top, total)
        confident_out[row] = confident
        best_out[row] = label if own >= other else _first_with(z, base, C, other_key)
        p_label_out[row] = _share(z[base + label], top, total)
        p_confident_out[row] = p_confident
        p_best_out[row] = 1.0 / total
        log_odds_out[row] = 0.0 if own == other else own - other
    return nan_row


@jit
def judge_probs(
    probs: Any, labels: Any, thresholds: Any,
    confident_out: Any, best_out: Any, p_label_out: Any, p_confident_out: Any, p_best_out: Any, log_odds_out: Any,
) -> int:  # fmt: skip
    """Do the same with probabilities; return the first row with a NaN, or that is no distribution, or -1."""
    N, C = probs.shape
    p, t = pointer(probs), pointer(thresholds)
    lowest = order_key(probs.dtype.type(-np.inf))
    wrong_row = -1
    for row in range(N):
        base, label = row * C, labels[row]
        other_key = _largest_other(p, base, C, label, lowest)
        own, other = np.float64(p[base + label]), max(logit_of_key(other_key), 0.0)
        total, negative = 0.0, 0
        for c in range(C):
            total += np.float64(p[base + c])
            negative += 1 if p[base + c] < 0.0 else 0
        if not (negative == 0 and own <= 1.0 and other <= 1.0 and abs(total - 1.0) <= TOLERANCE):
            wrong_row = row if wrong_row < 0 else wrong_row
            continue
        confident, p_confident = -1, 0.0
        for c in range(C):
            value = np.float64(p[base + c])
            if value > p_confident and value >= t[c]:
                confident, p_confident = c, value
        confident_out[row] = confident
        best_out[row] = label if own >= other else _first_with(p, base, C, other_key)
        p_label_out[row] = own
        p_confident_out[row] = p_confident
        p_best_out[row] = max(own, other)
        if own < other:  # equal ratios give equal odds, so the ratio comes first, and it never overflows
            log_odds_out[row] = math.log(own / other)
        else:
            log_odds_out[row] = 0.0 if own == other else -math.log(other / own)  # log 0 is -inf
    return wrong_row
