"""How an array of any shape and type becomes blocks of contiguous rows for a kernel.

The blocks depend on the shape alone, never on the number of threads, and each row is computed by itself: neither the
threads nor the block that a row falls into can change a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only
from logitkit.kernels import run_blocks, split
from logitkit.kernels.halves import narrow, widen
from logitkit.kernels.masks import fill_masked, lost_rows

__all__ = ["as_bits", "block_rows", "from_block", "is_plain", "map_rows", "own_memory", "to_block"]

Array = NDArray[Any]
Work = Callable[..., None]

# Logits in a block. A small block's work must outlast its hand-over to a thread. A large one should cover a huge page
# of fresh memory (2 MB), or two threads meet in one page and both clear it.
SMALLEST, LARGEST = 2**15, 2**19


def block_rows(rows: int, C: int) -> int:
    """Return how many of `rows` rows of C logits make a block: it depends on the shape alone."""
    block = min(max(rows * C // 8, SMALLEST), LARGEST)
    return max(1, block // C)


def is_plain(array: Array) -> bool:
    """Whether a kernel can read the array's memory as it is."""
    flags = array.flags
    return flags.c_contiguous and flags.aligned and array.dtype.isnative


def as_bits(array: Array) -> tuple[Array, bool | None]:
    """Return float16 or bfloat16 as uint16 and whether it is bfloat16; another array as it is and None."""
    if array.dtype.itemsize != 2:
        return array, None
    return array.view(np.uint16), array.dtype.char != "e"


def to_block(rows: Array, mask: NDArray[np.bool_] | None = None) -> Array:
    """Return a contiguous copy [n, C] of `rows` [..., C] in the type that kernels compute with, -inf where masked.

    `mask` [n, C] is contiguous and read-only.
    """
    block = memory.empty(rows.shape, compute_dtype(rows.dtype))
    if rows.dtype.itemsize == 2 and rows.dtype.isnative:
        bits, brain = as_bits(np.ascontiguousarray(rows))
        widen(read_only(bits.reshape(-1)), brain, block.reshape(-1))
    else:
        block[...] = rows
    if mask is not None:
        fill_masked(block.reshape(-1), mask.reshape(-1), -np.inf)
    return block.reshape(-1, rows.shape[-1])


def from_block(block: Array, out: Array) -> None:
    """Write a contiguous block into `out`, of as many entries in the same order, rounding once to its type."""
    if out.dtype.itemsize == 2 and is_plain(out):
        bits, brain = as_bits(out)
        narrow(block.reshape(-1), brain, bits.reshape(-1))
        return
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        out[...] = block.reshape(out.shape)


def own_memory(logits: Array, out: Array) -> tuple[Array, bool]:
    """Return logits that may be read while `out` is written block by block, and whether `out` is the same memory."""
    if not np.may_share_memory(logits, out):
        return logits, False
    same = logits.strides == out.strides and logits.shape == out.shape and logits.ctypes.data == out.ctypes.data
    return (logits, True) if same else (logits.copy(), False)


def map_rows(
    logits: Array,
    axis: int,
    out: Array,
    work: Work,
    *,
    where: NDArray[np.bool_] | None = None,
    masked: float = 0.0,
    per_row: Array | None = None,
) -> None:
    """Call `work(block, block_out)` for blocks of all rows along `axis`, and let the results fill `out`.

    `block` [n, C] is contiguous, read-only, and no memory of `block_out`, which is [n, K] where `out` has K entries
    along `axis`, or [n] where it has no such axis. `masked` is the result of an entry that `where` leaves out. Where
    `per_row` has a number for each row, in the shape without `axis`, `work` takes a block [n] of them too.
    """
    C = logits.shape[axis]
    logits, overlaps = own_memory(logits, out)
    keeps_axis = out.ndim == logits.ndim
    if axis != logits.ndim - 1:
        logits, where = np.moveaxis(logits, axis, -1), _moved(where, axis, -1)
        out = np.moveaxis(out, axis, -1) if keeps_axis else out
    if where is None and logits.ndim != 2 and is_plain(logits) and is_plain(out):
        logits, out = logits.reshape(-1, C), out.reshape(-1, out.shape[-1]) if keeps_axis else out.reshape(-1)
        per_row = None if per_row is None else per_row.reshape(-1)
    elif logits.ndim == 1:
        logits, out, where = logits[None], out[None], None if where is None else where[None]
    elif logits.ndim > 2:  # what is not plain is cut along its longest axis
        cut = int(np.argmax(logits.shape[:-1]))
        logits, out = np.moveaxis(logits, cut, 0), np.moveaxis(out, cut, 0)
        where, per_row = _moved(where, cut, 0), _moved(per_row, cut, 0)
    compute = compute_dtype(logits.dtype)
    result = out.dtype if out.dtype == np.intp else compute
    direct = where is None and not overlaps and logits.dtype == compute and logits.ndim == 2 and is_plain(logits)

    def block_work(start: int, stop: int) -> None:
        source, target = logits[start:stop], out[start:stop]
        mask = None if where is None else read_only(np.ascontiguousarray(where[start:stop]).reshape(-1, C))
        block = source if direct else to_block(source, mask)
        shape = (block.shape[0], out.shape[-1]) if keeps_axis else block.shape[:1]
        fits = is_plain(target) and target.dtype == result
        block_out = target.reshape(shape) if fits else memory.empty(shape, result)
        numbers = () if per_row is None else (np.ascontiguousarray(per_row[start:stop]).reshape(-1),)
        work(read_only(block), block_out, *numbers)
        if mask is not None and keeps_axis:
            fill_masked(block_out.reshape(-1), mask.reshape(-1), masked)
            _share_among_unmasked(block, mask, block_out, work, numbers)
        if not fits:
            from_block(block_out, target)

    run_blocks(block_work, split(logits.shape[0], block_rows(logits.shape[0], max(1, logits[:1].size))))


def _moved(array: Array | None, source: int, target: int) -> Array | None:
    return None if array is None else np.moveaxis(array, source, target)


def _share_among_unmasked(
    block: Array, mask: NDArray[np.bool_], block_out: Array, work: Work, numbers: tuple[Array, ...]
) -> None:
    """Where all that a mask leaves of a row is -inf, share the row among what is left."""
    rows = np.empty(len(block), np.intp)
    for row in rows[: lost_rows(block, mask, rows)]:
        left = mask[row]
        shared = np.empty((1, int(left.sum())), block.dtype)
        work(read_only(np.zeros_like(shared)), shared, *(number[row : row + 1] for number in numbers))
        block_out[row, left] = shared[0]
