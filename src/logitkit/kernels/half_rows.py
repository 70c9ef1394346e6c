"""Softmax and log-softmax of rows of many halves: each row is widened, computed and rounded in the first cache.

Their 8 or 11 digits ask for less than float32's: exponentials are float32, to about 1e-5 where they are smallest and
1e-7 where they are largest, and a result is at most 0.51 ulp of its type from the exact one. Sums are float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import LOG2_E, largest_at
from logitkit.kernels.exp_rows import NEAR, exp_row, tie
from logitkit.kernels.halves import narrow_at, widen_at
from logitkit.kernels.pointers import pointer

__all__ = ["log_softmax_halves", "scratch_for", "softmax_halves"]

# (2^f - 1) / f on [-1/2, 1/2] to a relative error of 2e-7, highest power first; the constant 1 is added at the end.
C0, C1, C2, C3, C4 = (
    *(np.float32(0.0013333558), np.float32(0.0096181291), np.float32(0.0555041087)),
    *(np.float32(0.2402265070), np.float32(0.6931471806)),
)
VECTOR = 16  # float32 in the widest vector
ONE, LEAST = np.float32(1.0), np.float32(-190.0)
LIFTED = 2.0**64  # exponentials are computed so many times as large: those that are subnormal keep their digits
TO_INTEGER = np.float32(12582912.0 + 64.0)  # 1.5 · 2^23, which moves a small integer into the lower bits, and the lift


def scratch_for(C: int) -> NDArray[np.float32]:
    """Return what a kernel works in: a row of logits, with -inf up to whole vectors, and its exponentials."""
    return np.full((2, -(-C // VECTOR) * VECTOR), -np.inf, np.float32)


@jit
def _exp2(t: Any) -> Any:
    """Return 2^(t + 64), t <= 0, as float32; 0 where that is no normal number."""
    n = np.rint(t)
    f = np.float32(t - n)
    p = np.float32(((((C0 * f + C1) * f + C2) * f + C3) * f + C4) * f + ONE)
    power = np.int32(np.float32(n + TO_INTEGER).view(np.int32) << np.int32(23))
    result = np.int32(p.view(np.int32) + power).view(np.float32)
    return result if t >= LEAST else np.float32(0.0)


@jit
def _exps(logits: Any, C: Any, room: Any, maximum: float, scale: float, exps_out: Any) -> float:
    """Write the lifted exponentials of a row of float32, and return their sum, lifted too; arrays are pointers.

    There is `room` for more than C of them: what follows the row is -inf, so that all of it can be taken by vectors.
    """
    rate = scale * LOG2_E
    if not (np.isfinite(maximum) and 1e-30 < rate < 1e30):
        sum_of_exps = exp_row(logits, C, maximum, scale, exps_out)
        for i in range(C):
            exps_out[i] = exps_out[i] * LIFTED
        return sum_of_exps * LIFTED
    top, step = np.float32(maximum), np.float32(rate)
    for i in range(room):
        exps_out[i] = _exp2(np.float32((logits[i] - top) * step))
    total = 0.0
    for i in range(room):
        total += np.float64(exps_out[i])
    return total


@jit
def _log_sum(exps: Any, C: Any, total: float) -> float:
    """Return the logarithm of the sum without its lift, precise where one class holds nearly all of it."""
    if not total / LIFTED - 1.0 < NEAR:
        return math.log(total / LIFTED)
    rest = 0.0
    for i in range(C):
        exponential = np.float64(exps[i])
        rest += exponential if exponential < 0.5 * LIFTED else 0.0
    return math.log1p(rest / LIFTED)


@jit
def softmax_halves(bits: Any, brain: bool, scale: float, scratch: Any, bits_out: Any) -> None:
    """Write the softmax of every row of halves [N, C]; `bits_out` may be `bits`."""
    (N, C), room = bits.shape, scratch.shape[1]
    logits, exps = pointer(scratch[0]), pointer(scratch[1])
    for row in range(N):
        widen_at(pointer(bits[row]), C, brain, logits)
        inverse = np.float32(1.0 / _exps(logits, C, room, largest_at(logits, room), scale, exps))
        for i in range(room):
            exps[i] = exps[i] * inverse
        narrow_at(exps, C, brain, pointer(bits_out[row]))


@jit
def log_softmax_halves(bits: Any, brain: bool, scale: float, scratch: Any, bits_out: Any) -> None:
    """Write the log-softmax of every row of halves [N, C]; `bits_out` may be `bits`."""
    (N, C), room = bits.shape, scratch.shape[1]
    logits, exps = pointer(scratch[0]), pointer(scratch[1])
    for row in range(N):
        widen_at(pointer(bits[row]), C, brain, logits)
        maximum = largest_at(logits, room)
        log_sum = _log_sum(exps, C, _exps(logits, C, room, maximum, scale, exps))
        if np.isfinite(maximum) and 1e-30 < scale < 1e30:
            top, step, off = np.float32(maximum), np.float32(scale), np.float32(log_sum)
            for i in range(C):
                logits[i] = (logits[i] - top) * step - off
        else:
            for i in range(C):
                shifted = (logits[i] - maximum) * scale if np.isfinite(maximum) else tie(logits[i], maximum)
                logits[i] = shifted - log_sum
        narrow_at(logits, C, brain, pointer(bits_out[row]))
