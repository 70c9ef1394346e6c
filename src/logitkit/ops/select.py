"""Which class is largest: arg max, top-k and ranks on logits. No softmax is needed, since the order is the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_labels, as_logits, check_axis, check_count
from logitkit.kernels import run_blocks, split
from logitkit.kernels.candidates import candidates_for
from logitkit.kernels.select import argmax_block, rank_block, top_k_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._rows import Array, block_rows, is_plain, map_rows, to_block

__all__ = ["argmax", "rank_of_label", "top_k"]


@returns_callers_kind
def argmax(logits: Any, axis: int = -1) -> Any:
    """Return the index of the largest logit of each row: the decision.

    Args:
        logits: `[C]`, `[N, C]`, any shape with one class or more along `axis`; types as for `softmax`.
        axis: the axis of the classes, which the result does not have.

    Returns:
        intp indices; a NumPy integer for logits `[C]`. Of equal logits the first is taken, -0.0 and 0.0 being equal. A
        NaN counts as the largest number, so a row with NaN gives the index of its first NaN, as in NumPy and PyTorch.

    Raises:
        InputError: if `logits` has no class, no dimension or no numbers.
        OptionError: if `axis` is out of its range.

    Example:
        >>> from logitkit import ops
        >>> ops.argmax([[2.0, 1.0, 0.1], [0.0, 3.0, 3.0]]).tolist()
        [0, 1]
    """
    array = as_logits(logits, "argmax", axis=axis)
    axis = check_axis(axis, array.ndim, "argmax")
    labels = np.empty(array.shape[:axis] + array.shape[axis + 1 :], np.intp)
    map_rows(array, axis, labels, argmax_block)
    return labels[()]


@returns_callers_kind
def top_k(logits: Any, k: int, axis: int = -1) -> tuple[Array, Array]:
    """Return the k largest logits of each row and their indices, largest first.

    Args:
        logits: as for `argmax`.
        k: how many, in [1, C].
        axis: the axis of the classes.

    Returns:
        `(values, indices)`: the logits' shape with k entries along `axis`, their type and intp. Equal logits are
        in the order of their indices; NaN counts as the largest number. `indices` with k = 1 are those of `argmax`.

    Raises:
        InputError: as `argmax`.
        OptionError: if `k` or `axis` is out of its range.

    Example:
        >>> from logitkit import ops
        >>> values, indices = ops.top_k([0.1, 2.0, 1.0, 2.0], 3)
        >>> values.tolist(), indices.tolist()
        ([2.0, 2.0, 1.0], [1, 3, 2])
    """
    array = as_logits(logits, "top_k", axis=axis)
    axis = check_axis(axis, array.ndim, "top_k")
    k = check_count(k, 1, array.shape[axis], "k", "top_k")
    shape = (*array.shape[:axis], k, *array.shape[axis + 1 :])
    indices = np.empty(shape, np.intp)
    C, dtype = array.shape[axis], compute_dtype(array.dtype)
    if axis != array.ndim - 1 or array.dtype != dtype or not is_plain(array):

        def find(block: Array, indices_out: Array) -> None:
            top_k_block(block, candidates_for(C, k, dtype), np.empty_like(indices_out, dtype), indices_out)

        map_rows(array, axis, indices, find)
        return np.take_along_axis(array, indices, axis), indices

    values = np.empty(shape, dtype)
    rows, rows_indices, rows_values = read_only(array.reshape(-1, C)), indices.reshape(-1, k), values.reshape(-1, k)

    def work(start: int, stop: int) -> None:
        scratch = candidates_for(C, k, dtype)
        top_k_block(rows[start:stop], scratch, rows_values[start:stop], rows_indices[start:stop])

    run_blocks(work, split(rows.shape[0], block_rows(rows.shape[0], C)))
    return values, indices


@returns_callers_kind
def rank_of_label(logits: Any, labels: Any, *, axis: int = -1) -> Any:
    """Return at which place the label stands among the classes, the likeliest at 0.

    The label is among the k likeliest where its rank is below k: `(rank_of_label(logits, labels) < k).mean()` is the
    top-k accuracy, and `(1 / (1 + rank_of_label(logits, labels))).mean()` the mean reciprocal rank.

    Args:
        logits: as for `argmax`.
        labels: class indices in [0, C), of the logits' shape without `axis`.
        axis: the axis of the classes.

    Returns:
        intp ranks in [0, C) of the labels' shape: the places in `top_k(logits, C)`. Of equal logits the lower index
        ranks first, so a row of equal logits ranks its labels by index; NaN counts as the largest number.

    Raises:
        InputError: as `argmax`, or if a label is out of range.
        OptionError: as `argmax`.

    Example:
        >>> from logitkit import ops
        >>> ops.rank_of_label([[2.0, 1.0, 0.1], [2.0, 1.0, 0.1]], [0, 2]).tolist()
        [0, 2]
    """
    array = as_logits(logits, "rank_of_label", axis=axis)
    axis = check_axis(axis, array.ndim, "rank_of_label")
    shape, C = array.shape[:axis] + array.shape[axis + 1 :], array.shape[axis]
    class_indices = as_labels(labels, shape, C, "rank_of_label").reshape(-1)
    rows = np.moveaxis(array, axis, -1).reshape(-1, C)
    plain = is_plain(rows) and rows.dtype == compute_dtype(rows.dtype)
    ranks = np.empty(rows.shape[0], np.intp)

    def work(start: int, stop: int) -> None:
        block = read_only(rows[start:stop] if plain else to_block(rows[start:stop]))
        rank_block(block, class_indices[start:stop], ranks[start:stop])

    run_blocks(work, split(rows.shape[0], block_rows(rows.shape[0], C)))
    return ranks.reshape(shape)[()]
