"""float16 and bfloat16, which Numba does not know: 16 bits become a float32, and a float32 is rounded once to 16 bits.

A half array comes as its bits, uint16, and `brain` says that they are bfloat16; where it is None, numbers are floats.

The conversions are integer arithmetic and vectorise on every processor: 0.03-0.08 ns a number. LLVM's own float16
takes 0.03 ns where the processor has it, and ends the process where it has not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

__all__ = ["narrow", "narrow_at", "narrowed", "widen", "widen_at", "widened"]

INFINITY_16, NAN_16, INFINITY_32 = np.uint32(0x7C00), np.uint32(0x7E00), np.uint32(0x7F800000)
REBIAS = np.float32(2.0**112)  # a float16 counts its exponent from 15, a float32 from 127
LEAST_NORMAL = np.uint32(0x38800000)  # 2^-14: a float16 below it is a multiple of 2^-24, the spacing of float32 at 1/2
FIRST_INFINITE = np.uint32(0x477FF000)  # 65520: from here on the nearest float16 is infinite


@jit
def _from_float16(bits: Any) -> Any:
    half = np.uint32(bits)
    size = np.uint32((half & 0x7FFF) << 13)
    value = np.float32(size.view(np.float32) * REBIAS).view(np.uint32)
    value = np.uint32(value | INFINITY_32) if size >= INFINITY_16 << 13 else value
    return np.uint32(value | ((half & 0x8000) << 16)).view(np.float32)


@jit
def _to_float16(value: Any) -> Any:
    bits = np.float32(value).view(np.uint32)
    size = np.uint32(bits & 0x7FFFFFFF)
    # 0xC8000FFF takes the bias away and adds just less than half of the last place that is left; the rest breaks a tie.
    half = np.uint32(np.uint32(size + 0xC8000FFF + ((size >> 13) & 1)) >> 13)
    small = np.uint32(np.float32(size.view(np.float32) + np.float32(0.5)).view(np.uint32) - 0x3F000000)
    half = small if size < LEAST_NORMAL else half
    half = INFINITY_16 if size >= FIRST_INFINITE else half
    half = NAN_16 if size > INFINITY_32 else half
    return np.uint16(half | ((bits >> 16) & 0x8000))


@jit
def _from_bfloat16(bits: Any) -> Any:
    return np.uint32(np.uint32(bits) << 16).view(np.float32)


@jit
def _to_bfloat16(value: Any) -> Any:
    value = np.float32(value)
    bits = value.view(np.uint32)
    rounded = np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    rounded = rounded if value == value else np.uint32(bits | np.uint32(0x400000))  # noqa: PLR0124  (NaN stays NaN)
    return np.uint16(rounded >> np.uint32(16))


@jit
def widened(stored: Any, brain: Any) -> Any:
    """Return the float32 that 16 bits stand for; a float as it is."""
    if brain is None:
        return stored
    return _from_bfloat16(stored) if brain else _from_float16(stored)


@jit
def narrowed(value: Any, brain: Any) -> Any:
    """Return the bits of the nearest half, ties to even; a float as it is."""
    if brain is None:
        return value
    return _to_bfloat16(value) if brain else _to_float16(value)


@jit
def widen_at(halves: Any, n: Any, brain: Any, out: Any) -> None:
    """Write float32 for the bits of n halves; both are pointers."""
    if brain:
        for i in range(n):
            out[i] = _from_bfloat16(halves[i])
    else:
        for i in range(n):
            out[i] = _from_float16(halves[i])


@jit
def narrow_at(values: Any, n: Any, brain: Any, halves_out: Any) -> None:
    """Write the nearest halves of n float32; both are pointers."""
    if brain:
        for i in range(n):
            halves_out[i] = _to_bfloat16(values[i])
    else:
        for i in range(n):
            halves_out[i] = _to_float16(values[i])


@jit
def widen(halves: Any, brain: Any, out: Any) -> None:
    """Write float32 for the bits of as many halves; both arrays are flat and contiguous."""
    widen_at(pointer(halves), out.shape[0], brain, pointer(out))


@jit
def narrow(values: Any, brain: Any, halves_out: Any) -> None:
    """Write the nearest halves of as many float32; both arrays are flat and contiguous."""
    narrow_at(pointer(values), halves_out.shape[0], brain, pointer(halves_out))
