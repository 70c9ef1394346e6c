"""Memory for large results, taken from results that nobody holds any more.

The system clears each page of fresh memory at its first touch, which takes as long as a softmax. Every allocator keeps
small blocks for the next caller; none keeps blocks of this size. Here they are kept up to a limit, the oldest let go
first: LOGITKIT_KEEP_MB, 256 by default; 0 keeps none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["empty", "release"]

LINE = 64  # bytes: results begin with a line of the cache, as JAX wants memory that it takes without a copy
SMALLEST = 2**20  # bytes: below this, the allocator of the system keeps blocks by itself


def _limit() -> int:
    """Return how many bytes are kept at most."""
    asked = os.environ.get("LOGITKIT_KEEP_MB", "")
    return (int(asked) if asked.isdecimal() else 256) * 2**20


_LIMIT = _limit()
# No lock, since a result may be let go at any moment, inside a lock too: each step on the dictionary is atomic.
_kept: dict[int, NDArray[np.uint8]] = {}


class _Loan:
    """The owner of a result's memory: lives as long as the result and every view of it, then gives the memory back."""

    def __init__(self, memory: NDArray[np.uint8], give_back: Callable[[NDArray[np.uint8]], None]) -> None:
        self._memory = memory
        self._give_back = give_back
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._give_back(self._memory)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return a new array whose entries are not set, as `numpy.empty` does.

    Example:
        >>> from logitkit.memory import empty
        >>> empty((2, 3), "float32").shape
        (2, 3)
    """
    dtype = np.dtype(dtype)
    count = 1
    for length in shape:
        count *= length
    size = count * dtype.itemsize
    if size < SMALLEST or size > _LIMIT:
        return np.empty(shape, dtype)
    whole = np.asarray(_Loan(_take(size + LINE - 1), _give_back))
    start = -whole.__array_interface__["data"][0] % LINE
    return whole[start : start + size].view(dtype).reshape(shape)


def release() -> None:
    """Give all kept memory back to the system.

    Example:
        >>> from logitkit.memory import release
        >>> release()
    """
    _kept.clear()


def _take(size: int) -> NDArray[np.uint8]:
    """Return memory of `size` bytes, or a little more."""
    for key, memory in list(_kept.items()):
        if size <= memory.nbytes <= size + size // 4:
            found = _kept.pop(key, None)
            if found is not None:  # else another thread was faster
                return found
    return np.empty(size, np.uint8)


def _give_back(memory: NDArray[np.uint8]) -> None:
    """Keep memory for the next result, and let the oldest go where it is too much."""
    _kept[id(memory)] = memory
    over = sum(block.nbytes for block in list(_kept.values())) - _LIMIT
    for key in list(_kept):
        if over <= 0:
            return
        block = _kept.pop(key, None)
        over -= 0 if block is None else block.nbytes
