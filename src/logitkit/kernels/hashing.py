"""The fixed, versioned hash of n-grams, and the open-addressing table that numbers them.

Hash version 1. A sequence of units (the bytes of a token eight at a time, the code points of a character n-gram, the
hashes of neighbouring tokens) is folded into 64 bits by `h = (h ^ unit) * MULTIPLIER` from a seed of its own, then
mixed once by `finish`. `tests/golden/hashes.json` holds test vectors: changing any constant here is a new hash version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer, prefetch

HASH_VERSION = 1

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
SEED_WORD = np.uint64(0xCBF29CE484222325)
SEED_WORDS = np.uint64(0x84222325CBF29CE5)
SEED_CHARS = np.uint64(0x2545F4914F6CDD1D)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)
AHEAD = 32  # so many look-ups before it is read, a slot is asked for: what follows one cache miss is the next one
_ONE = np.uint64(1)
_TWO = np.uint64(2)


class Table(NamedTuple):
    """Numbers 64-bit hashes 0, 1, 2 … in the order in which they are first seen.

    Attributes:
        slots: `[2 × capacity]` uint64; a hash, then its number plus one, zero where free. The capacity is a power of 2.
        hashes: `[room]` uint64; the hash of each number.
        size: `[1]` int64; how many are numbered.
    """

    slots: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    size: NDArray[np.int64]


def make_table(room: int) -> Table:
    """Return an empty table that is at most half full with `room` hashes; it holds a quarter more at most."""
    capacity = 1 << max(10, int(2 * room - 1).bit_length())
    return Table(np.zeros(2 * capacity, np.uint64), np.empty(5 * capacity // 8, np.uint64), np.zeros(1, np.int64))


@jit
def finish(h: Any) -> Any:
    """Mix the high bits into the low ones, which choose the slot."""
    h ^= h >> _SHIFT
    h *= _MIX
    return h ^ (h >> _SHIFT)


@jit
def fold(h: Any, unit: Any) -> Any:
    """Fold one more unit into an unfinished hash."""
    return (h ^ unit) * MULTIPLIER


@jit
def fetch_slot(slots: Any, mask: Any, h: Any) -> None:
    """Ask for the slot of hash `h`, which will be looked up soon."""
    prefetch(slots, np.int64((h << _ONE) & mask))


@jit
def find(slots: Any, mask: Any, h: Any) -> Any:
    """Return the number of hash `h`, or -1. `slots` is a pointer; `mask` is 2 × capacity - 2."""
    at = (h << _ONE) & mask
    while True:
        number = slots[at + _ONE]
        if number == 0:
            return -1
        if slots[at] == h:
            return np.int64(number) - 1
        at = (at + _TWO) & mask


@jit
def find_or_add(slots: Any, mask: Any, hashes: Any, size: Any, h: Any) -> Any:
    """Return the number of hash `h`, a new one if need be; all are pointers, and the caller has seen to the room."""
    at = (h << _ONE) & mask
    while True:
        number = slots[at + _ONE]
        if number == 0:
            new = size[0]
            slots[at] = h
            slots[at + _ONE] = np.uint64(new + 1)
            hashes[new] = h
            size[0] = new + 1
            return new
        if slots[at] == h:
            return np.int64(number) - 1
        at = (at + _TWO) & mask


@jit
def add_all(table: Any, hashes: Any, numbers_out: Any) -> None:
    """Number every hash of `hashes` in its order, and write the numbers to `numbers_out`."""
    slots, known, size = pointer(table.slots), pointer(table.hashes), pointer(table.size)
    mask = np.uint64(table.slots.shape[0] - 2)
    n = hashes.shape[0]
    for i in range(n):
        fetch_slot(slots, mask, hashes[min(i + AHEAD, n - 1)])
        numbers_out[i] = find_or_add(slots, mask, known, size, hashes[i])
