"""What losses share: blocks of rows with their gradient, weights, and what becomes of the losses in the end.

A loss of rows (cross-entropy, focal loss, divergences) has one value for each row of C logits, a loss of elements
(binary cross-entropy, binary focal loss) one for each logit. Sums are float64, over blocks that depend on the shape
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_out, as_weights, check_choice
from logitkit.kernels import run_blocks, split
from logitkit.ops._rows import Array, block_rows, from_block, is_plain, own_memory, to_block

__all__ = ["REDUCTIONS", "as_row_weights", "grad_buffer", "map_loss_blocks", "mean_divisor", "row_losses", "same_type"]

R = TypeVar("R")
REDUCTIONS = ("mean", "sum", "none")


def map_loss_blocks(logits: Array, grad: Array | None, C: int, work: Callable[[int, int, Array, Array], R]) -> list[R]:
    """Call `work(start, stop, block, block_grad)` for blocks of all rows of C logits; return what the calls return.

    `block` [n, C] is contiguous, read-only and in the type that kernels compute with; `block_grad` is of the same shape
    and type and no memory of it, or has no rows where `grad` is None. `grad` may be `logits`, or lie across them.
    """
    compute, overlaps = compute_dtype(logits.dtype), False
    contiguous = grad if grad is None or grad.flags.c_contiguous else memory.empty(grad.shape, grad.dtype)
    if contiguous is not None:
        logits, overlaps = own_memory(logits, contiguous)
    rows, nothing = logits.reshape(-1, C), np.empty((0, C), compute)
    rows_out = None if contiguous is None else contiguous.reshape(-1, C)

    def copy_and_work(start: int, stop: int) -> R:
        source = rows[start:stop]
        plain = is_plain(source) and source.dtype == compute and not overlaps
        block = read_only(source if plain else to_block(source))
        if rows_out is None:
            return work(start, stop, block, nothing)
        target = rows_out[start:stop]
        block_grad = target if plain and is_plain(target) else memory.empty(block.shape, compute)
        result = work(start, stop, block, block_grad)
        if block_grad is not target:
            from_block(block_grad, target)
        return result

    results = run_blocks(copy_and_work, split(rows.shape[0], block_rows(rows.shape[0], C)))
    if grad is not None and contiguous is not grad:
        grad[...] = contiguous
    return results


def same_type(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Return rows [n, C] beside a block as a contiguous, read-only block of its type, copied only where they must."""
    if rows.dtype.itemsize == 2 and rows.dtype.kind not in "iu":
        rows = to_block(rows)  # NumPy takes ten times as long for halves
    return read_only(np.ascontiguousarray(rows, dtype=dtype))


def grad_buffer(array: Array, grad: bool, grad_out: Any, function: str) -> Array | None:
    """Return where the gradient goes: the caller's buffer, a new array, or None where none is wanted."""
    if not grad and grad_out is None:
        return None
    dtype = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    return as_out(grad_out, array.shape, dtype, "grad_out", function)


def row_losses(
    array: Array,
    function: str,
    work: Callable[[int, int, Array, Array, Array, Array], None],
    *,
    factors: Array | None,
    reduction: str,
    grad: bool,
    grad_out: Any,
) -> Any:
    """Return the reduced losses of all rows, and the gradient on request.

    Args:
        array: logits; the classes are the last axis.
        function: the function that errors name.
        work: `work(start, stop, block, scales, losses_out, block_grad)` writes the losses of rows start … stop - 1, not
            weighted, and the gradient times `scales`, one number for each row or one for all; no gradient where
            `block_grad` has no rows.
        factors: `[N]` weights of rows, or None. "mean" divides by their sum. A row of weight 0 counts for nothing.
        reduction: one of `REDUCTIONS`.
        grad: whether the gradient is wanted.
        grad_out: a buffer for it, or None.
    """
    check_choice(reduction, REDUCTIONS, "reduction", function)
    C, shape = array.shape[-1], array.shape[:-1]
    N = array.size // C
    out = grad_buffer(array, grad, grad_out, function)
    divisor = mean_divisor(float(N) if factors is None else float(np.sum(factors)), reduction)
    scales = read_only(np.array([1.0 / divisor]) if factors is None else factors / divisor)
    losses = np.empty(N)

    def weighted(start: int, stop: int, block: Array, block_grad: Array) -> None:
        own_scales = scales if factors is None else scales[start:stop]
        work(start, stop, block, own_scales, losses[start:stop], block_grad)
        if factors is not None:
            none = factors[start:stop] == 0.0
            losses[start:stop][~none] *= factors[start:stop][~none]
            losses[start:stop][none] = 0.0
            if out is not None:
                block_grad[none] = 0.0

    map_loss_blocks(array, out, C, weighted)
    loss: Any = losses.reshape(shape) if reduction == "none" else float(np.sum(losses)) / divisor
    return loss if out is None else (loss, out)


def mean_divisor(total: float, reduction: str) -> float:
    """Return what a sum of losses is divided by: the sum of weights for a mean, unless it is 0."""
    return total if reduction == "mean" and total > 0.0 else 1.0


def as_row_weights(values: Any, shape: tuple[int, ...], function: str) -> Array | None:
    """Return sample weights as `[N]`, or None."""
    return None if values is None else as_weights(values, shape, "sample_weights", function).reshape(-1)
