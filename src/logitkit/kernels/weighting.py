"""Counts to weights: one pass over sparse rows of n-gram counts, in the rows' own order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit

_LOG_TABLE = (1.0 + np.log(np.maximum(np.arange(256), 1))).astype(np.float32)


@jit
def renumber(numbers: Any, new_numbers: Any) -> None:
    """Replace every entry i of `numbers` by `new_numbers[i]`."""
    for i in range(numbers.shape[0]):
        numbers[i] = new_numbers[numbers[i]]


@jit
def count_documents(numbers: Any, indptr: Any, chosen: Any, documents_out: Any) -> None:
    """Add one to `documents_out[f]` for every entry f of the rows that are `chosen`: a row names an n-gram once."""
    for row in range(indptr.shape[0] - 1):
        if chosen[row]:
            for i in range(indptr[row], indptr[row + 1]):
                documents_out[numbers[i]] += 1


@jit
def count_kept(numbers: Any, indptr: Any, kept: Any, lengths_out: Any) -> None:
    """Add to `lengths_out[row]` how many entries of each row are features (`kept[f]` >= 0)."""
    for row in range(indptr.shape[0] - 1):
        length = 0
        for i in range(indptr[row], indptr[row + 1]):
            length += kept[numbers[i]] >= 0
        lengths_out[row] += length


@jit
def weigh_rows(
    numbers: Any, counts: Any, indptr: Any, kept: Any, idf: Any, ends: Any, indices_out: Any, data_out: Any
) -> None:
    """Append each row's entries of one view, weighted and L2-normalised, at `ends[row]`, and move `ends[row]` on.

        weight = (1 + ln count) · idf,    row ← row / ‖row‖₂

    Args:
        numbers: n-gram numbers of the view.
        counts: how often each occurs in its row, at least 1.
        indptr: `[rows + 1]`; row r has the entries indptr[r] to indptr[r + 1].
        kept: the feature index of each number, or -1 if it is no feature.
        idf: `[F]` float32, by feature index.
        ends: `[rows]` int64; where the row's next entry goes.
        indices_out: int32 feature indices.
        data_out: float32 weights.
    """
    for row in range(indptr.shape[0] - 1):
        begin = at = ends[row]
        squares = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            feature = kept[numbers[i]]
            if feature >= 0:
                count = counts[i]
                tf = _LOG_TABLE[count] if count < 256 else np.float32(1.0 + math.log(count))
                weight = tf * idf[feature]
                squares += weight * weight
                indices_out[at] = feature
                data_out[at] = weight
                at += 1
        if squares > 0.0:
            factor = np.float32(1.0 / math.sqrt(squares))
            for i in range(begin, at):
                data_out[i] *= factor
        ends[row] = at
