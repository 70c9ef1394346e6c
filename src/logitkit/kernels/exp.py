"""Exponentials and maxima that vectorise: what every softmax and every loss is made of.

    2^t = 2^n · 2^f,   n = rint(t),   f = t - n in [-1/2, 1/2],   t = z / ln 2

(a) `2^f` is a minimax polynomial whose constant is 1, so that the largest class has exactly 1. `n` is added to the
    exponent bits. There is no call and no branch, so LLVM turns a loop of it into vector code.
(b) float32 logits compute in float64, with a polynomial of degree 6 (relative error 2.0e-9, a thirtieth of an ulp of
    float32). It costs what float32 arithmetic with exact sums costs, since the sums are float64 anyway, and it makes
    `logit - maximum` and the temperature exact enough at any size of logits. float64 logits need more: the remainder of
    z after n · ln 2 in two steps, and degree 11 (3.6e-18).
(c) A float maximum never vectorises, because NaN has to be minded. Integers do: with the lower bits of a negative float
    flipped, bit patterns order as the numbers do. Every NaN counts as the one largest number, and -0 as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import types
from numba.extending import overload

from logitkit.kernels import FASTMATH, jit
from logitkit.kernels.pointers import pointer

__all__ = [
    "exp_shifted",
    "largest",
    "largest_at",
    "largest_key",
    "largest_key_at",
    "log_total",
    "logit_of_key",
    "order_key",
]

F = TypeVar("F", bound=Callable[..., Any])

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
LN_2_HIGH = 0.6931471803691238  # the upper 32 bits of ln 2: n · LN_2_HIGH is exact
LN_2_LOW = 1.9082149292705877e-10
TO_INTEGER = 6755399441055744.0  # 1.5 · 2^52: adding it moves a small integer into the lower bits of the pattern


def _by_type(stub: Callable[..., Any]) -> Callable[[F], F]:
    """Let a kernel's call of `stub` compile what the decorated function returns for the types of its arguments."""
    options = {"fastmath": set(FASTMATH), "error_model": "numpy"}
    return cast("Callable[[F], F]", overload(stub, jit_options=options))


# Minimax coefficients, highest power first: of (2^f - 1) / f, degree 5, and of (exp(r) - 1 - r) / r², degree 9.
A0, A1, A2, A3, A4, A5 = (
    *(0.00015353359709737203, 0.001339887695733358, 0.009618437383259489),
    *(0.055503324651037904, 0.24022647913284786, 0.693147202857574),
)
B0, B1, B2, B3, B4, B5, B6, B7, B8, B9 = (
    *(2.5000056604513257e-08, 2.7630248336116406e-07, 2.7557586388429143e-06, 2.4801493099030417e-05),
    *(0.00019841269506564, 0.001388888894362999, 0.008333333333494468, 0.04166666666653016),
    *(0.16666666666666413, 0.5000000000000011),
)


@jit
def _exp2_short(t: Any) -> Any:
    """Return 2^t, t <= 0, to 2.0e-9; below t = -160 it is 2^-160, which float32 holds as 0."""
    t = -160.0 if t < -160.0 else t
    n = np.rint(t)
    f = t - n
    p = (((((A0 * f + A1) * f + A2) * f + A3) * f + A4) * f + A5) * f + 1.0
    # A NaN of float32 passes: the bits that are moved up into its pattern are 0.
    power = np.float64(n + TO_INTEGER).view(np.int64) << 52
    return np.int64(np.float64(p).view(np.int64) + power).view(np.float64)


@jit
def _exp_long(z: Any) -> Any:
    """Return exp(z), z <= 0, to 3.6e-18 and rounding, through the subnormal numbers down to 0."""
    z = -746.0 if z < -746.0 else z
    n = np.rint(z * LOG2_E)
    r = (z - n * LN_2_HIGH) - n * LN_2_LOW
    p = ((((((((B0 * r + B1) * r + B2) * r + B3) * r + B4) * r + B5) * r + B6) * r + B7) * r + B8) * r + B9
    p = (p * r + 1.0) * r + 1.0
    half = np.rint(n * 0.5)  # 2^n itself may be too small for a float64: two factors never are
    power = np.int64((np.float64(half + TO_INTEGER).view(np.int64) + 1023) << 52).view(np.float64)
    rest = np.int64((np.float64(n - half + TO_INTEGER).view(np.int64) + 1023) << 52).view(np.float64)
    return p * power * rest


def exp_shifted(logit: Any, maximum: Any, scale: Any) -> Any:
    """Return exp((logit - maximum) · scale) as float64, as precise as the type of `logit` deserves (see (b))."""
    if isinstance(logit, float):
        return _exp_long((logit - maximum) * scale)
    return _exp2_short((np.float64(logit) - maximum) * (scale * LOG2_E))


@_by_type(exp_shifted)
def _exp_shifted(logit: Any, maximum: Any, scale: Any) -> Any:  # noqa: ARG001
    if logit == types.float64:

        def long(logit: Any, maximum: Any, scale: Any) -> Any:
            return _exp_long((logit - maximum) * scale)

        return long

    def short(logit: Any, maximum: Any, scale: Any) -> Any:
        return _exp2_short((np.float64(logit) - maximum) * (scale * LOG2_E))

    return short


@jit
def log_total(total: float) -> float:
    """Return log(total) to 2 ulp for a sum of exponentials, total >= 1 and finite; NaN stays NaN. It vectorises.

    total = 2^k · m, m in [√½, √2];   log m = 2 artanh s = 2 (s + s³/3 + s⁵/5 + …),   s = (m - 1) / (m + 1)
    """
    bits = np.float64(total).view(np.int64)
    k = np.int64(bits - 0x3FE6A09E667F3BCD) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    n = np.int64(k + 0x4338000000000000).view(np.float64) - TO_INTEGER
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    p = ((((q / 21.0 + 1.0 / 19.0) * q + 1.0 / 17.0) * q + 1.0 / 15.0) * q + 1.0 / 13.0) * q + 1.0 / 11.0
    p = ((((p * q + 1.0 / 9.0) * q + 1.0 / 7.0) * q + 1.0 / 5.0) * q + 1.0 / 3.0) * q
    log = n * LN_2_HIGH + (n * LN_2_LOW + 2.0 * (s + s * p))
    return log if total == total else np.nan  # noqa: PLR0124  (only NaN differs from itself)


def order_key(logit: Any) -> Any:
    """Return an integer of the logit's width that orders as the logits do (see (c))."""
    wide = isinstance(logit, float)
    bits = int(np.float64(logit + 0.0).view(np.int64) if wide else np.float32(logit + 0.0).view(np.int32))
    high = 0x7FFFFFFFFFFFFFFF if wide else 0x7FFFFFFF
    key = high if np.isnan(logit) else bits ^ ((bits >> (63 if wide else 31)) & high)
    return np.int64(key) if wide else np.int32(key)


@_by_type(order_key)
def _order_key(logit: Any) -> Any:
    if logit == types.float64:

        def key64(logit: Any) -> Any:
            bits = np.float64(logit + 0.0).view(np.int64)
            key = np.int64(bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF))
            return key if logit == logit else np.int64(0x7FFFFFFFFFFFFFFF)  # noqa: PLR0124  (only NaN differs from itself)

        return key64

    def key32(logit: Any) -> Any:
        bits = np.float32(logit + np.float32(0.0)).view(np.int32)
        key = np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        return key if logit == logit else np.int32(0x7FFFFFFF)  # noqa: PLR0124

    return key32


def logit_of_key(key: Any) -> Any:
    """Return the logit, as float64, whose key this is."""
    wide = isinstance(key, np.int64)
    bits = key ^ ((key >> (63 if wide else 31)) & (0x7FFFFFFFFFFFFFFF if wide else 0x7FFFFFFF))
    return np.int64(bits).view(np.float64) if wide else np.float64(np.int32(bits).view(np.float32))


@_by_type(logit_of_key)
def _logit_of_key(key: Any) -> Any:
    if key == types.int64:

        def logit64(key: Any) -> Any:
            return np.int64(key ^ ((key >> 63) & 0x7FFFFFFFFFFFFFFF)).view(np.float64)

        return logit64

    def logit32(key: Any) -> Any:
        return np.float64(np.int32(key ^ ((key >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32))

    return logit32


@jit
def largest_key_at(row: Any, C: Any) -> Any:
    """Return the largest key of a row of C >= 1 logits at a pointer."""
    best = order_key(row[0])
    for i in range(C):
        key = order_key(row[i])
        best = key if key > best else best
    return best


@jit
def largest_at(row: Any, C: Any) -> Any:
    """Return the largest logit of a row at a pointer as float64, NaN if it has one."""
    return logit_of_key(largest_key_at(row, C))


@jit
def largest_key(row: Any) -> Any:
    """Return the largest key of a contiguous row, which is not empty."""
    return largest_key_at(pointer(row), row.shape[0])


@jit
def largest(row: Any) -> Any:
    """Return the largest logit of a contiguous row as float64, NaN if it has one."""
    return largest_at(pointer(row), row.shape[0])
