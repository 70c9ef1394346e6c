"""Counts to weights: one pass over sparse rows of n-gram counts, in the rows' own order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

# 1 + ln count, for the counts that are common.
_LOG_TABLE = (1.0 + np.log(np.maximum(np.arange(256), 1))).astype(np.float32)


@jit
def renumber(number_array: Any, new_number_array: Any) -> None:
    """Replace every entry i of `number_array` by `new_number_array[i]`."""
    numbers, new_numbers = pointer(number_array), pointer(new_number_array)
    for i in range(number_array.shape[0]):
        numbers[i] = new_numbers[numbers[i]]


@jit
def count_documents(number_array: Any, indptr: Any, chosen: Any, documents_out: Any) -> None:
    """Add one to `documents_out[f]` for every entry f of the rows that are `chosen`: a row names an n-gram once."""
    numbers, documents = pointer(number_array), pointer(documents_out)
    for row in range(indptr.shape[0] - 1):
        if chosen[row]:
            for i in range(indptr[row], indptr[row + 1]):
                documents[numbers[i]] += 1


@jit
def count_kept(number_array: Any, indptr: Any, kept_array: Any, lengths_out: Any) -> None:
    """Add to `lengths_out[row]` how many entries of each row are features (`kept_array[f]` >= 0)."""
    numbers, kept = pointer(number_array), pointer(kept_array)
    for row in range(indptr.shape[0] - 1):
        length = 0
        for i in range(indptr[row], indptr[row + 1]):
            length += kept[numbers[i]] >= 0
        lengths_out[row] += length


@jit
def weigh_rows(
    number_array: Any, count_array: Any, indptr: Any, kept_array: Any, idf_array: Any, ends: Any,
    indices_out: Any, data_out: Any,
) -> None:  # fmt: skip
    """Append each row's entries of one view, weighted and L2-normalised, at `ends[row]`, and move `ends[row]` on.

        weight = (1 + ln count) · idf,    row ← row / ‖row‖₂

    Args:
        number_array: int32 n-gram numbers of the view.
        count_array: int32; how often each occurs in its row, at least 1.
        indptr: `[rows + 1]`; row r has the entries indptr[r] to indptr[r + 1].
        kept_array: int32; the feature index of each number, or -1 if it is no feature.
        idf_array: `[F]` float32, by feature index.
        ends: `[rows]` int64; where the row's next entry goes.
        indices_out: int32 feature indices.
        data_out: float32 weights.
    """
    numbers, counts, kept = pointer(number_array), pointer(count_array), pointer(kept_array)
    idf, log_table = pointer(idf_array), pointer(_LOG_TABLE)
    indices, data = pointer(indices_out), pointer(data_out)
    for row in range(indptr.shape[0] - 1):
        begin = at = ends[row]
        squares = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            feature = kept[numbers[i]]
            if feature >= 0:
                weight = idf[feature]
                count = counts[i]
                if count > 1:
                    weight *= log_table[count] if count < 256 else np.float32(1.0 + math.log(count))
                squares += np.float64(weight) * np.float64(weight)
                indices[at] = feature
                data[at] = weight
                at += 1
        if squares > 0.0:
            factor = np.float32(1.0 / math.sqrt(squares))
            for i in range(begin, at):
                data[i] *= factor
        ends[row] = at
