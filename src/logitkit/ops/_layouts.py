"""How softmax, log-softmax and logsumexp run on logits of any layout: rows in blocks, columns in tiles."""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only
from logitkit.kernels import run_blocks, split
from logitkit.kernels.columns import tile_for
from logitkit.kernels.exp_tiles import FEW, Scratch, scratch_for
from logitkit.kernels.half_rows import scratch_for as half_scratch_for
from logitkit.ops._rows import SMALLEST, Array, as_bits, block_rows, is_plain, map_rows, own_memory

__all__ = ["Loops", "run"]

SHORT = 8  # a last axis shorter than this fills no vector: a transposed copy is faster
DEEPEST = 2**19  # with more classes than this, a tile of columns would take too much memory


class Loops(NamedTuple):
    """The kernels of one function, and its result for an absent class."""

    rows: Any
    scaled_rows: Any
    columns: Any
    absent: float = 0.0
    halves: Any = None


def run(
    loops: Loops, logits: Array, axis: int, temperature: float | Array, out: Array, where: NDArray[np.bool_] | None
) -> None:
    """Fill `out` from `logits`; `temperature` is a number, or an array of the logits' shape without `axis`."""
    C, dtype = logits.shape[axis], compute_dtype(logits.dtype)
    if where is None and is_plain(logits) and is_plain(out):
        if axis < logits.ndim - 1:
            B = math.prod(logits.shape[axis + 1 :])
            if B >= SHORT and C <= DEEPEST:
                _run_columns(loops, logits, C, B, np.reciprocal(temperature).reshape(-1), out)
                return
        elif loops.halves is not None and logits.dtype != dtype and C >= FEW and isinstance(temperature, float):
            _run_halves(loops, logits, C, 1.0 / temperature, out)
            return
        elif (
            logits.size <= SMALLEST
            and logits.dtype == dtype
            and isinstance(temperature, float)
            and not np.may_share_memory(logits, out)
        ):
            # Few logits take less time than threads and blocks.
            rows = logits.reshape(-1, C)
            rows.setflags(write=False)
            results = out.reshape((-1, C) if out.ndim == logits.ndim else -1)
            loops.rows(rows, 1.0 / temperature, _scratch(C, dtype), results)
            return
    if isinstance(temperature, float):
        scale = 1.0 / temperature

        def work(block: Array, block_out: Array) -> None:
            loops.rows(block, scale, _scratch(block.shape[1], dtype), block_out)

        map_rows(logits, axis, out, work, where=where, masked=loops.absent)
    else:
        scaled = partial(_scaled_rows, loops)
        map_rows(logits, axis, out, scaled, where=where, masked=loops.absent, per_row=1.0 / temperature)


def _scaled_rows(loops: Loops, block: Array, block_out: Array, scales: Array) -> None:
    """Compute a block of rows that each have a scale of their own; few classes turn into columns."""
    (n, C), dtype = block.shape, block.dtype
    if C >= FEW:
        loops.scaled_rows(block, scales, _scratch(C, dtype), block_out)
        return
    columns = read_only(np.ascontiguousarray(block.T)[None])
    results = np.empty(columns.shape, dtype) if block_out.ndim == 2 else block_out
    loops.columns(columns, None, 0, n, scales, tile_for(C, n, dtype), results)
    if block_out.ndim == 2:
        block_out[...] = results[0].T


def _run_halves(loops: Loops, logits: Array, C: int, scale: float, out: Array) -> None:
    """Compute rows of many halves, each in a cache of its own."""
    logits, _ = own_memory(logits, out)
    bits, brain = as_bits(logits)
    rows, results = read_only(bits.reshape(-1, C)), as_bits(out)[0].reshape(-1, C)

    def work(start: int, stop: int) -> None:
        loops.halves(rows[start:stop], brain, scale, half_scratch_for(C), results[start:stop])

    run_blocks(work, split(len(rows), block_rows(len(rows), C)))


def _run_columns(loops: Loops, logits: Array, C: int, B: int, scales: Array, out: Array) -> None:
    """Compute along an axis that is not the last, without a transposed copy."""
    logits, _ = own_memory(logits, out)
    bits, brain = as_bits(logits)
    columns = read_only(bits.reshape(-1, C, B))
    results = as_bits(out)[0]
    results = results.reshape(columns.shape) if out.ndim == logits.ndim else results.reshape(-1)
    dtype = compute_dtype(logits.dtype)

    def work(start: int, stop: int) -> None:
        loops.columns(columns, brain, start, stop, scales, tile_for(C, B, dtype), results)

    N = columns.shape[0] * B
    lanes = tile_for(C, B, dtype)[0].shape[1]
    run_blocks(work, split(N, lanes * max(1, block_rows(N, C) // lanes)))


_kept = threading.local()


def _scratch(C: int, dtype: np.dtype[Any]) -> Scratch:
    """Return the scratch of rows of C classes: the thread's last one, or a new one."""
    key = C, dtype
    if getattr(_kept, "key", None) != key:
        _kept.key, _kept.scratch = key, scratch_for(C, dtype)
    scratch: Scratch = _kept.scratch
    return scratch
