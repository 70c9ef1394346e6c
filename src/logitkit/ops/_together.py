"""How several arrays of one shape become blocks of rows side by side, for kernels that take more than logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only
from logitkit.kernels import run_blocks, split
from logitkit.ops._rows import Array, block_rows, from_block, is_plain, own_memory, to_block

__all__ = ["map_together"]


def map_together(
    inputs: Sequence[Array], per_row: Sequence[Array], axis: int, out: Array, work: Callable[..., None]
) -> None:
    """Call `work(*blocks, *row_blocks, block_out)` for blocks of all rows along `axis`, and let the results fill `out`.

    Args:
        inputs: arrays of the shape of `out`; each may be `out`. Their blocks [n, C] are contiguous, read-only, in the
            type that kernels compute with for `out`, and no memory of `block_out`, which is of that type, too.
        per_row: float64 arrays of the shape without `axis`; their blocks are [n].
        axis: the axis of the classes.
        out: the results.
        work: what is done with a block.
    """
    compute, C = compute_dtype(out.dtype), out.shape[axis]
    owned = [own_memory(array, out) for array in inputs]
    overlaps = any(is_out for _, is_out in owned)
    arrays, rows = [*(array for array, _ in owned), out], list(per_row)
    if axis != out.ndim - 1:
        arrays = [np.moveaxis(array, axis, -1) for array in arrays]
    if out.ndim != 2 and all(is_plain(array) for array in arrays):
        arrays, rows = [array.reshape(-1, C) for array in arrays], [array.reshape(-1) for array in rows]
    elif out.ndim == 1:
        arrays, rows = [array[None] for array in arrays], [array[None] for array in rows]
    elif out.ndim > 2:  # what is not plain is cut along its longest axis
        cut = int(np.argmax(arrays[0].shape[:-1]))
        arrays = [np.moveaxis(array, cut, 0) for array in arrays]
        rows = [np.moveaxis(array, cut, 0) for array in rows]
    *sources, target = arrays

    def block_work(start: int, stop: int) -> None:
        blocks = []
        for source in sources:
            block = source[start:stop]
            if overlaps or block.ndim != 2 or block.dtype != compute or not is_plain(block):
                block = np.asarray(to_block(block), dtype=compute)
            blocks.append(read_only(block))
        row_blocks = [read_only(np.ascontiguousarray(array[start:stop]).reshape(-1)) for array in rows]
        part = target[start:stop]
        direct = part.ndim == 2 and part.dtype == compute and is_plain(part)
        block_out = part if direct else memory.empty(blocks[0].shape, compute)
        work(*blocks, *row_blocks, block_out)
        if not direct:
            from_block(block_out, part)

    run_blocks(block_work, split(len(target), block_rows(len(target), max(1, target[:1].size))))
