"""The cross-entropy of hidden @ weights.T in chunks of tokens: the logits of all tokens are never held at once.

A chunk's logits lie class by class, a token a column, and serve in turn as logits, exponentials and gradient. The
larger a chunk, the less often all weights are read and packed by BLAS, so memory that is there anyway is made use of:
until the gradient of the weights has its first summand, its memory holds the logits of the first chunk, D tokens wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import run_blocks, split
from logitkit.kernels.token_columns import column_gradients, column_totals
from logitkit.ops._products import multiply

__all__ = ["CHUNK_BYTES", "Gradients", "Loss", "losses_in_chunks"]

Array = NDArray[Any]

CHUNK_BYTES = 60 * 10**6  # logits of a chunk, with the rows of hidden and of its gradient
GROUP = 2**21  # logits between two hand-overs from BLAS to the kernels' threads
PIECE = 2**17  # logits of a block of a kernel, which its passes find in the cache
PRODUCT = 2**21  # weights of one call of BLAS: longer calls read no less and leave nothing in the cache
PRODUCT_ROWS = 8192  # and its rows, with which the memory that BLAS packs into would grow
VALUE_TOKENS = 1024  # without a gradient no logits are kept, and more tokens would gain nothing


@dataclass(frozen=True)
class Loss:
    """The options of the loss; `scale` multiplies hidden, as the inverse of a temperature does."""

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    soft_cap: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Gradients:
    """What is filled: arrays of the shapes of hidden, weights and bias, whose memory overlaps no input."""

    row_scales: NDArray[np.float64]  # what each counted row's gradient is multiplied by
    hidden: Array  # of any type and layout
    weights: Array  # [V, D], contiguous, in the type of the computation
    bias: NDArray[np.float64]  # [V], or [0] where there is none


def losses_in_chunks(
    hidden: Array,
    weights: Array,
    labels: Array,
    bias: Array,
    loss: Loss,
    dtype: np.dtype[Any],
    *,
    counted: NDArray[np.intp] | None = None,
    grads: Gradients | None = None,
) -> NDArray[np.float64]:
    """Return the loss of each row that counts, and fill the gradients; a row that does not has the gradient 0.

    Args:
        hidden: `[M, D]`, of any float type and layout.
        weights: `[V, D]`, of any float type and layout.
        labels: `[N]` in [0, V), one for each row that counts.
        bias: `[V]`, or `[0]` for none, of `dtype`.
        loss: options.
        dtype: float32 or float64, the type of the computation.
        counted: the N rows of hidden that count; None is all.
        grads: what is to be filled.
    """
    (V, D), N = weights.shape, labels.size
    losses = np.empty(N)
    if N == 0:
        for grad in (grads.hidden, grads.weights, grads.bias) if grads is not None else ():
            grad[...] = 0.0
        return losses
    tile = max(64, min(V, PRODUCT // D, PRODUCT_ROWS))
    n = _chunk_tokens(N, V, D, dtype, grads is not None)
    chunks, store = split(N, n), np.empty(0, dtype)
    if grads is not None:
        grads.bias[...] = 0.0
        if counted is not None:
            grads.hidden[...] = 0.0
        first = min(N, D, CHUNK_BYTES // (2 * D * dtype.itemsize))
        first = first if first > n else 0
        chunks = [(0, first)] * (first > 0) + _even(first, N, n)
        store = np.empty(max(n * V, tile * first), dtype)
    for start, stop in chunks:
        n = stop - start
        rows = slice(start, stop) if counted is None else counted[start:stop]
        chunk = _Chunk(_lines(hidden[rows], dtype), weights, labels[start:stop], bias, loss, tile)
        if grads is None:
            losses[start:stop] = chunk.forward(None)
            continue
        in_weights = n * V > store.size
        memory = grads.weights.reshape(-1) if in_weights else store
        logits = memory[: n * V].reshape(V, n)
        losses[start:stop] = chunk.forward(logits)
        direct = counted is None and grads.hidden.dtype == dtype and grads.hidden.flags.c_contiguous
        hidden_grad = grads.hidden[start:stop] if direct else np.empty((n, D), dtype)
        copies = store if in_weights else None
        chunk.backward(logits, grads.row_scales[start:stop], hidden_grad, grads, start > 0, copies)
        if not direct:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                grads.hidden[rows] = hidden_grad
    return losses


def _chunk_tokens(N: int, V: int, D: int, dtype: np.dtype[Any], with_grads: bool) -> int:
    """Return the tokens of a chunk; like all sizes here it depends on the shapes alone."""
    if not with_grads:
        return min(N, VALUE_TOKENS)
    n = CHUNK_BYTES // (dtype.itemsize * (V + 2 * D))
    return min(N, max(16, n - n % 16))


def _even(start: int, N: int, n: int) -> list[tuple[int, int]]:
    """Cut [start, N) into as few chunks of at most n as will do, of like size, multiples of 8 but for the last."""
    count = -(-(N - start) // n)
    if count == 0:
        return []
    size = min(n, -(-(N - start) // count // 8) * 8) if n >= 8 else n
    return [(start + a, start + b) for a, b in split(N - start, max(1, size))]


class _Chunk:
    """The tokens of one chunk."""

    def __init__(self, hidden: Array, weights: Array, labels: Array, bias: Array, loss: Loss, tile: int) -> None:
        self.hidden = hidden if loss.scale == 1.0 else hidden * hidden.dtype.type(loss.scale)
        self.weights, self.labels, self.bias, self.loss, self.tile = weights, labels, bias, loss, tile
        n, V = len(hidden), len(weights)
        rows = max(1, PIECE // n)
        self.pieces = split(V, rows)
        per_group = max(1, GROUP // (rows * n))
        self.groups = split(len(self.pieces), per_group)
        # Row 0 holds what all pieces before a group have come to.
        kept = 1 + min(per_group, len(self.pieces))
        self.maxima, self.totals = np.full((kept, n), -np.inf), np.zeros((kept, n))
        self.sums = np.zeros((kept, n if loss.label_smoothing > 0.0 else 0))
        self.label_logits = np.empty(n)

    def forward(self, kept: Array | None) -> NDArray[np.float64]:
        """Return the losses of the chunk's tokens; the logits are left in `kept` [V, n] if it is given."""
        n, V = len(self.hidden), len(self.weights)
        spare = None
        for first, last in self.groups:
            start, stop = self.pieces[first][0], self.pieces[last - 1][1]
            if kept is not None:
                logits = kept[start:stop]
            else:
                spare = np.empty((stop - start, n), self.hidden.dtype) if spare is None else spare
                logits = spare[: stop - start]
            for a, b in split(stop - start, self.tile):
                multiply(self._weights(start + a, start + b), self.hidden.T, logits[a:b])

            def work(a: int, b: int, start: int = start, logits: Array = logits) -> None:
                place, block = 1 + (a - start) // (self.pieces[0][1]), logits[a - start : b - start]
                found = self.maxima[place], self.totals[place], self.sums[place]
                column_totals(block, self.bias[a:b], self.loss.soft_cap, *found)

            run_blocks(work, self.pieces[first:last])
            with np.errstate(all="ignore"):
                self._gather(last - first)
            here = np.flatnonzero((self.labels >= start) & (self.labels < stop))
            self.label_logits[here] = logits[self.labels[here] - start, here]
        with np.errstate(all="ignore"):
            return self._losses(V)

    def _gather(self, pieces: int) -> None:
        """Put what the pieces of a group have found to what was found before, in their order."""
        maxima, totals = self.maxima[: 1 + pieces], self.totals[: 1 + pieces]
        maximum = maxima.max(axis=0)
        self.totals[0] = (totals * np.where(maxima == maximum, 1.0, np.exp(maxima - maximum))).sum(axis=0)
        self.maxima[0] = maximum
        self.sums[0] = self.sums[: 1 + pieces].sum(axis=0)

    def _losses(self, V: int) -> NDArray[np.float64]:
        """Return the losses."""
        self.maximum, self.total = self.maxima[0], self.totals[0]
        self.log_total = np.log(self.total)
        self.label_distance = _distance(self.label_logits, self.maximum)
        smoothing = self.loss.label_smoothing
        pull = (1.0 - smoothing) * self.label_distance if smoothing < 1.0 else np.zeros_like(self.total)
        if smoothing > 0.0:
            away = self.sums[0] - V * self.maximum
            beside = np.where(self.total == V, 0.0, -np.inf)  # all classes tie at an infinite maximum, or they do not
            pull = pull + smoothing / V * np.where(np.isfinite(self.maximum), away, beside)
        losses: NDArray[np.float64] = self.log_total - pull
        if self.loss.z_loss > 0.0:
            losses = losses + self.loss.z_loss * np.square(self.maximum + self.log_total)
        return losses

    def backward(
        self, logits: Array, row_scales: Array, hidden_grad: Array, grads: Gradients, add: bool, copies: Array | None
    ) -> None:
        """Turn the logits into their gradient and multiply it into the gradients of hidden and weights.

        With `copies`, the logits lie in the memory of the weights' gradient: tile by tile from the last, each is copied
        out before its place, and nothing before it, is overwritten.
        """
        V = len(self.weights)
        with np.errstate(all="ignore"):
            factors, offsets, own = self._factors(row_scales, V)

        def work(start: int, stop: int) -> None:
            column_gradients(
                *(logits[start:stop], self.loss.soft_cap, self.maximum, factors, offsets, self.labels - start, own),
                grads.bias[start:stop],
            )

        run_blocks(work, self.pieces)
        for start, stop in reversed(split(V, self.tile)):
            block = logits[start:stop]
            if copies is not None:
                block = copies[: block.size].reshape(block.shape)
                block[...] = logits[start:stop]
            multiply(block, self.hidden, grads.weights[start:stop], add=add)
            multiply(block.T, self._weights(start, stop), hidden_grad, add=stop < V)
        if self.loss.scale != 1.0:
            hidden_grad *= hidden_grad.dtype.type(self.loss.scale)

    def _factors(self, row_scales: Array, V: int) -> tuple[Array, Array, Array]:
        """Return, for each token, the factor of its exponentials, what is taken off, and the gradient at the label."""
        smoothing = self.loss.label_smoothing
        mass = 1.0 + 2.0 * self.loss.z_loss * (self.maximum + self.log_total) if self.loss.z_loss > 0.0 else 1.0
        factors = row_scales * mass / self.total
        offsets = row_scales * (smoothing / V)
        share = np.exp(self.label_distance)
        share = np.where(share == 0.0, share, share * mass / self.total)
        own = row_scales * (share - smoothing / V - (1.0 - smoothing))
        if self.loss.soft_cap > 0.0:
            own = own * (1.0 - np.square(self.label_logits / self.loss.soft_cap))
        return factors, offsets, own

    def _weights(self, start: int, stop: int) -> Array:
        """Return rows of the weights as BLAS takes them."""
        return _lines(self.weights[start:stop], self.hidden.dtype)


def _lines(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Return rows of this type, each contiguous: a copy unless they are so."""
    if rows.dtype == dtype and rows.dtype.isnative and rows.flags.aligned:
        between, within = rows.strides
        if within == rows.itemsize and between % rows.itemsize == 0 and between >= rows.itemsize * rows.shape[1]:
            return rows
    return rows.astype(dtype, order="C")


def _distance(logits: Array, maximum: Array) -> Array:
    """Return logits - maximum, 0 where they tie."""
    result: Array = np.where(logits == maximum, 0.0, logits - maximum)
    return result
