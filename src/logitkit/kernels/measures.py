"""What the metrics need to know of each row of logits or probabilities: arg max, confidence, log loss, Brier score.

Beside the largest logit m, at index a, rest = Σ_{c≠a} e_c and squares = Σ_{c≠a} e_c² with e_c = exp((z_c - m) / T):

    confidence = 1 / (1 + rest),   log loss = log1p(rest) - (z_label - m) / T
    Brier score = (rest² + squares) / (1 + rest)²               where a is the label
                  (1 + squares) / (1 + rest)² - 2 p_label + 1   where it is not

Nothing cancels: a row that is nearly certain keeps the digits of what it lacks. Where m is infinite, the classes that
tie at it have e = 1 and all others 0. LANES rows at a time end in one vector loop, unused lanes included, and rows of
few classes are the columns of a tile: a row has the same bits wherever it stands.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, logit_of_key, order_key
from logitkit.kernels.pointers import pointer

__all__ = ["measure_block", "measure_probs_block", "measure_scratch"]

LANES = 64
FEW = 32  # rows with fewer classes than this are computed in tiles
MAXIMUM, AT, REST, SQUARES, GAP, RIGHT = 0 * LANES, 1 * LANES, 2 * LANES, 3 * LANES, 4 * LANES, 5 * LANES
TOLERANCE = 1e-3  # of the sum of a row of probabilities
LN_2 = 0.6931471805599453
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD

Scratch = tuple[NDArray[Any], NDArray[np.float64]]


def measure_scratch(C: int, dtype: np.dtype[Any]) -> Scratch:
    """Return what `measure_block` works in: a tile [C · LANES] for few classes, and the numbers of each lane."""
    return np.empty(C * LANES if C < FEW else 0, dtype), np.zeros(6 * LANES)


@jit
def _log1p(x: float) -> float:
    """Return log(1 + x), x >= 0, to a few ulp. As `exp.log_total`, but it keeps the digits of a small x."""
    total = 1.0 + x
    bits = np.float64(total).view(np.int64)
    k = np.int64(bits - SQRT_HALF_BITS) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    above = x if k == 0 else m - 1.0
    s = above / (above + 2.0)
    q = s * s
    p = ((((q / 21.0 + 1.0 / 19.0) * q + 1.0 / 17.0) * q + 1.0 / 15.0) * q + 1.0 / 13.0) * q + 1.0 / 11.0
    p = ((((p * q + 1.0 / 9.0) * q + 1.0 / 7.0) * q + 1.0 / 5.0) * q + 1.0 / 3.0) * q
    return np.float64(k) * LN_2 + 2.0 * (s + s * p)


@jit
def _row_sums(p: Any, base: int, C: int, scale: float) -> Any:
    """Return maximum, arg max, rest and squares of the row of C classes from `base` on."""
    key, at = order_key(p[base]), np.int32(0x7FFFFFFF)
    for i in range(C):
        key = max(key, order_key(p[base + i]))
    for i in range(C):
        at = min(at, np.int32(i) if order_key(p[base + i]) == key else np.int32(0x7FFFFFFF))
    best, maximum, rest, squares = np.int64(at), logit_of_key(key), 0.0, 0.0
    for i in range(C):
        e = exp_shifted(p[base + i], maximum, scale)
        e = e if i != best else 0.0
        rest += e
        squares += e * e
    return maximum, best, rest, squares


@jit
def _tile_sums(p: Any, first: int, rows: int, C: int, scale: float, tile: Any, sums: Any) -> None:
    """Write the same of at most LANES rows of few classes from `first` on; unused lanes repeat the last row."""
    for lane in range(LANES):
        base = (first + min(lane, rows - 1)) * C
        for c in range(C):
            tile[c * LANES + lane] = p[base + c]
    for lane in range(LANES):
        sums[MAXIMUM + lane] = tile[lane]
        sums[AT + lane] = 0.0
        sums[REST + lane] = 0.0
        sums[SQUARES + lane] = 0.0
    for c in range(1, C):
        for lane in range(LANES):
            logit = np.float64(tile[c * LANES + lane])
            above = logit > sums[MAXIMUM + lane] or np.isnan(logit)  # and nothing is above NaN
            sums[AT + lane] = np.float64(c) if above else sums[AT + lane]
            sums[MAXIMUM + lane] = logit if above else sums[MAXIMUM + lane]
    for c in range(C):
        for lane in range(LANES):
            e = exp_shifted(tile[c * LANES + lane], sums[MAXIMUM + lane], scale)
            e = e if np.float64(c) != sums[AT + lane] else 0.0
            sums[REST + lane] += e
            sums[SQUARES + lane] += e * e


@jit
def _finish_lanes(scale: float, sums: Any) -> None:
    """Turn REST, SQUARES and GAP of every lane into confidence, Brier score and log loss, in their places."""
    for lane in range(LANES):
        rest, squares, gap = sums[REST + lane], sums[SQUARES + lane], sums[GAP + lane]
        share = 1.0 / (1.0 + rest)
        p_label = exp_shifted(gap, 0.0, scale) * share
        missed = (1.0 + squares) * share * share - 2.0 * p_label + 1.0
        sums[REST + lane] = share
        sums[GAP + lane] = _log1p(rest) - scale * gap
        sums[SQUARES + lane] = (rest * rest + squares) * share * share if sums[RIGHT + lane] != 0.0 else missed


@jit
def measure_block(
    logits: Any, labels: Any, scale: float, scratch: Scratch,
    predicted_out: Any, confidence_out: Any, log_loss_out: Any, brier_out: Any,
) -> int:  # fmt: skip
    """Measure every row of logits [N, C], multiplied by `scale`, and return the first row with a NaN, or -1.

    Label -1 is none of the classes: its log loss is inf, and its probability 0. The outputs [N] are float64, and
    `predicted_out` is intp.
    """
    N, C = logits.shape
    z, label, tile, sums = pointer(logits), pointer(labels), pointer(scratch[0]), pointer(scratch[1])
    predicted, confidence, log_loss, brier = (
        pointer(predicted_out), pointer(confidence_out), pointer(log_loss_out), pointer(brier_out),
    )  # fmt: skip
    nan_row = -1
    for first in range(0, N, LANES):
        rows = min(LANES, N - first)
        if C < FEW:
            _tile_sums(z, first, rows, C, scale, tile, sums)
        else:
            for lane in range(rows):
                maximum, best, rest, squares = _row_sums(z, (first + lane) * C, C, scale)
                sums[MAXIMUM + lane], sums[AT + lane] = maximum, np.float64(best)
                sums[REST + lane], sums[SQUARES + lane] = rest, squares
        for lane in range(rows):
            row = first + lane
            base, y, maximum = row * C, label[row], sums[MAXIMUM + lane]
            own = np.float64(z[base + y]) if y >= 0 else -np.inf
            if np.isfinite(maximum):
                sums[GAP + lane] = own - maximum
            elif np.isnan(maximum):
                nan_row = row if nan_row < 0 else nan_row
            else:
                ties = -1.0
                for i in range(C):
                    ties += 1.0 if z[base + i] == maximum else 0.0
                sums[REST + lane] = sums[SQUARES + lane] = ties
                sums[GAP + lane] = 0.0 if y >= 0 and own == maximum else -np.inf
            predicted[row] = np.int64(sums[AT + lane])
            sums[RIGHT + lane] = 1.0 if predicted[row] == y else 0.0
        _finish_lanes(scale, sums)
        for lane in range(rows):
            confidence[first + lane] = sums[REST + lane]
            log_loss[first + lane] = sums[GAP + lane]
            brier[first + lane] = sums[SQUARES + lane]
    return nan_row


@jit
def measure_probs_block(
    probs: Any, labels: Any, predicted_out: Any, confidence_out: Any, log_loss_out: Any, brier_out: Any
) -> int:
    """Do the same with probabilities; return the first row with a NaN, or that is no distribution, or -1."""
    N, C = probs.shape
    p, label = pointer(probs), pointer(labels)
    wrong_row = -1
    for row in range(N):
        base, y = row * C, np.int64(label[row])
        key, best, total, others, negative = order_key(p[base]), C, 0.0, 0.0, 0
        for i in range(C):
            key = max(key, order_key(p[base + i]))
        for i in range(C):
            best = min(best, i if order_key(p[base + i]) == key else C)
            negative += 1 if p[base + i] < 0.0 else 0
        for i in range(C):
            value = np.float64(p[base + i])
            total += value
            other = value if i != y else 0.0
            others += other * other
        confidence = logit_of_key(key)
        if not (negative == 0 and confidence <= 1.0 and abs(total - 1.0) <= TOLERANCE) and wrong_row < 0:
            wrong_row = row
        p_label = np.float64(p[base + y]) if y >= 0 else 0.0
        predicted_out[row] = best
        confidence_out[row] = confidence
        log_loss_out[row] = -math.log(p_label) if p_label > 0.0 else np.inf
        brier_out[row] = others + (1.0 - p_label) * (1.0 - p_label)
    return wrong_row
