"""How an array of any shape becomes blocks of contiguous rows for a kernel.

The blocks depend on the shape alone, never on the number of threads, and each row is computed by itself: neither the
threads nor the block that a row falls into can change a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype
from logitkit.kernels import run_blocks, split

__all__ = ["block_rows", "is_plain", "map_rows", "to_block"]

Array = NDArray[Any]
Work = Callable[[Array, Array], None]

# Logits in a block. A small block's work must outlast its hand-over to a thread. A large one should cover a huge page
# of fresh memory (2 MB), or two threads meet in one page and both clear it.
SMALLEST, LARGEST = 2**15, 2**19


def block_rows(rows: int, C: int) -> int:
    """Return how many of `rows` rows of C logits make a block: it depends on the shape alone."""
    block = min(max(rows * C // 8, SMALLEST), LARGEST)
    return max(1, block // C)


def to_block(rows: Array, mask: NDArray[np.bool_] | None = None) -> Array:
    """Return a contiguous copy [n, C] of `rows` [..., C] in the type that kernels compute with, -inf where masked."""
    block = np.array(rows, dtype=compute_dtype(rows.dtype), order="C")
    if mask is not None:
        block[~mask] = -np.inf
    return block.reshape(-1, rows.shape[-1])


def map_rows(
    logits: Array, axis: int, out: Array, work: Work, *, where: NDArray[np.bool_] | None = None, masked: float = 0.0
) -> None:
    """Call `work(block, block_out)` for blocks of all rows along `axis`, and let the results fill `out`.

    `block` [n, C] is contiguous, read-only, and no memory of `block_out`, which is [n, K] where `out` has K entries
    along `axis`, or [n] where it has no such axis. `masked` is the result of an entry that `where` leaves out.
    """
    C = logits.shape[axis]
    overlaps = np.may_share_memory(logits, out)
    keeps_axis = out.ndim == logits.ndim
    if axis != logits.ndim - 1:
        logits = np.moveaxis(logits, axis, -1)
        out = np.moveaxis(out, axis, -1) if keeps_axis else out
        where = None if where is None else np.moveaxis(where, axis, -1)
    direct = where is None and logits.dtype == compute_dtype(logits.dtype) and is_plain(logits) and is_plain(out)
    if direct and not overlaps:
        rows = logits.reshape(-1, C)
        rows.flags.writeable = False
        rows_out = out.reshape(-1, out.shape[-1]) if keeps_axis else out.reshape(-1)
        if rows.size <= SMALLEST:
            work(rows, rows_out)
            return
        blocks = split(rows.shape[0], block_rows(rows.shape[0], C))
        run_blocks(lambda start, stop: work(rows[start:stop], rows_out[start:stop]), blocks)
        return

    # Every other layout and type is copied block by block, cut along its longest axis.
    if logits.ndim == 1:
        logits, out = logits[None], out[None]
        where = None if where is None else where[None]
    cut = int(np.argmax(logits.shape[:-1]))
    logits, out = np.moveaxis(logits, cut, 0), np.moveaxis(out, cut, 0)
    where = None if where is None else np.moveaxis(where, cut, 0)

    def copy_and_work(start: int, stop: int) -> None:
        mask = None if where is None else where[start:stop]
        block = to_block(logits[start:stop], mask)
        shape = (block.shape[0], out.shape[-1]) if keeps_axis else block.shape[:1]
        block_out = np.empty(shape, out.dtype if out.dtype == np.intp else block.dtype)
        rows = block.view()
        rows.flags.writeable = False
        work(rows, block_out)
        if mask is not None and keeps_axis:
            _share_among_unmasked(block, mask.reshape(-1, C), block_out, work, masked)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            out[start:stop] = block_out.reshape(out[start:stop].shape)

    run_blocks(copy_and_work, split(logits.shape[0], block_rows(logits.shape[0], max(1, logits[:1].size))))


def is_plain(array: Array) -> bool:
    """Whether a kernel can read the array's memory as it is."""
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative


def _share_among_unmasked(block: Array, mask: NDArray[np.bool_], block_out: Array, work: Work, masked: float) -> None:
    """Set masked entries; where all that is left of a row is -inf, share the row among what is left."""
    for row in np.flatnonzero((block == -np.inf).all(axis=1)):
        left = mask[row]
        if left.any():
            shared = np.empty((1, int(left.sum())), block.dtype)
            work(np.zeros_like(shared), shared)
            block_out[row, left] = shared[0]
    block_out[~mask] = masked
