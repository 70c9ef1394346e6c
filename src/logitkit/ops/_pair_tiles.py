"""All pairs of two sets of embeddings, tile by tile: the products, a kernel on each tile, and the gradients of both.

A tile holds the logits of some rows of `right` and of a chunk of `left`, a column each. What a kernel leaves in it is
taken for the gradient of the logits and multiplied into the gradients of both sets. N × N of them are never held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only, to_numpy
from logitkit.checks import as_logits, as_weights, check_choice, input_error
from logitkit.kernels import run_blocks, split
from logitkit.ops import _token_chunks as sizes
from logitkit.ops._products import multiply

__all__ = [
    "Embeddings",
    "PairTiles",
    "as_class_ids",
    "as_embeddings",
    "log_of_totals",
    "pairs_in",
    "reduced",
    "row_factors",
]

Array = NDArray[Any]
Work = Callable[[Array, int, int, int], None]


class Embeddings(NamedTuple):
    """Embeddings as they are multiplied: contiguous, in the type of the computation, of length 1 if asked for."""

    rows: Array
    norms: Array | None
    dtype: np.dtype[Any]  # of the caller's array, and so of its gradient

    def gradient(self, grad: Array) -> Array:
        """Return the gradient with respect to what the caller gave: across the sphere only, where rows lie on it."""
        if self.norms is not None:
            along = np.einsum("nd,nd->n", grad, self.rows)[:, None]
            grad = np.where(
                self.norms > 0.0, (grad - along * self.rows) / np.where(self.norms > 0.0, self.norms, 1.0), 0
            )
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return grad.astype(self.dtype, copy=False)


def as_embeddings(values: Any, name: str, function: str, dtype: Any, normalize: bool, like: Array | None) -> Embeddings:
    """Return embeddings [N, D] that are as wide as those of `like`."""
    array = as_logits(values, function, ndim=2, name=name)
    if like is not None and array.shape[1] != like.shape[1]:
        raise input_error(name, function, f"{like.shape[1]} wide", f"the shape {list(array.shape)}")
    own = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    rows = np.ascontiguousarray(array, dtype=dtype)
    if not normalize:
        return Embeddings(rows, None, own)
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64)).astype(dtype)[:, None]
    return Embeddings(rows / np.where(norms > 0.0, norms, 1.0).astype(dtype), norms, own)


class PairTiles:
    """The tiles of right @ (scale · left).T: at most `width` columns, and a kernel takes `piece` rows at a time."""

    def __init__(self, left: Array, right: Array, scale: float) -> None:
        self.left, self.right, self.scale = left, right, left.dtype.type(scale)
        self.width = max(1, min(len(left), sizes.VALUE_TOKENS))
        self.piece = max(1, sizes.PIECE // self.width)
        self.group = self.piece * max(1, sizes.GROUP // (self.piece * self.width))

    def by_piece(self, *numbers: int) -> NDArray[np.float64]:
        """Return memory for a number a piece and column of one chunk, as many times as asked for."""
        return np.empty((*numbers, -(-len(self.right) // self.piece), self.width))

    def each(
        self, work: Work, done: Callable[[int, int], None] | None = None, grads: tuple[Array, Array] | None = None
    ) -> None:
        """Call `work(tile, piece, first_row, first_column)` for all pieces, and `done` after each chunk of columns.

        Calls run at the same time for the pieces of one chunk. With `grads`, of the shapes of left and right, the tiles
        as `work` leaves them are multiplied into them.
        """
        if grads is not None and 0 in (len(self.left), len(self.right)):
            grads[0][...] = grads[1][...] = 0.0
        for start, stop in split(len(self.left), self.width):
            n = stop - start
            chunk = self.left[start:stop] * self.scale
            memory = np.empty((min(self.group, len(self.right)), n), self.left.dtype)
            for first, last in split(len(self.right), self.group):
                tile = memory[: last - first]
                multiply(self.right[first:last], chunk.T, tile)

                def block(a: int, b: int, tile: Array = tile, first: int = first, start: int = start) -> None:
                    work(tile[a:b], (first + a) // self.piece, first + a, start)

                run_blocks(block, split(last - first, self.piece))
                if grads is not None:
                    multiply(tile, chunk, grads[1][first:last], add=start > 0)
                    multiply(tile.T, self.right[first:last], grads[0][start:stop], add=first > 0)
            if grads is not None:
                grads[0][start:stop] *= self.scale
            if done is not None:
                done(start, stop)


def log_of_totals(maxima: Array, totals: Array) -> NDArray[np.float64]:
    """Return the logarithms of sums of exponentials from maxima and totals [K, n] of their pieces, in that order."""
    with np.errstate(all="ignore"):
        maximum = maxima.max(axis=0)
        total = (totals * np.where(maxima == maximum, 1.0, np.exp(maxima - maximum))).sum(axis=0)
        logs: NDArray[np.float64] = maximum + np.log(total)
        return logs


def pairs_in(tile: Array, first_row: int, first_column: int) -> tuple[slice, Array]:
    """Return which rows of the whole have their own column in this tile, and their logits."""
    start = max(first_row, first_column)
    stop = max(start, min(first_row + tile.shape[0], first_column + tile.shape[1]))
    index = np.arange(start, stop)
    return slice(start, stop), tile[index - first_row, index - first_column]


def as_class_ids(labels: Any, N: int, function: str) -> NDArray[np.int64]:
    """Return integers [N], of which only equality counts, as a contiguous read-only array."""
    array = to_numpy(labels, "labels", function)
    if array.shape != (N,):
        raise input_error("labels", function, f"of the shape [{N}], one a row", f"the shape {list(array.shape)}")
    if array.dtype.kind not in "iu" and array.size:
        raise input_error("labels", function, "integers", array.dtype.name)
    return read_only(np.ascontiguousarray(array, dtype=np.int64))


def row_factors(sample_weights: Any, N: int, reduction: str, function: str) -> tuple[Array, float]:
    """Return each row's weight and what the sum is divided by."""
    check_choice(reduction, ("mean", "sum", "none"), "reduction", function)
    weights = np.ones(N) if sample_weights is None else as_weights(sample_weights, (N,), "sample_weights", function)
    total = float(np.sum(weights))
    return weights, total if reduction == "mean" and total > 0.0 else 1.0


def reduced(losses: Array, divisor: float, reduction: str) -> Any:
    """Return the mean or the sum of losses, or all of them."""
    return losses if reduction == "none" else float(np.sum(losses)) / divisor
