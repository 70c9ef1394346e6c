"""Cells of a table as a matrix of numbers; a cell that holds none is named with its file, row and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from logitkit.errors import InputError

__all__ = ["is_list", "is_text", "list_matrix", "number_matrix"]

Array = NDArray[Any]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text.

    Example:
        >>> is_text(pa.large_string()), is_text(pa.binary())
        (True, False)
    """
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type holds a list in each row.

    Example:
        >>> is_list(pa.list_(pa.float32())), is_list(pa.list_(pa.float32(), 3)), is_list(pa.float32())
        (True, True, False)
    """
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def number_matrix(columns: Sequence[pa.Array], names: Sequence[str], out: Array, file: str, first_row: int) -> None:
    """Write one column of numbers, or of text that is numbers, into each column of `out`.

    Args:
        columns: One for each name, as long as `out`.
        names: What messages call them.
        out: `[N, C]`, float32 or float64.
        file: What messages call the file.
        first_row: What messages call the first row.

    Raises:
        InputError: if a cell is empty, null or no number; it is named.

    Example:
        >>> out = np.empty((2, 2))
        >>> number_matrix([pa.array(["1", "-inf"]), pa.array([2, 3])], ["a", "b"], out, "news.csv", 1)
        >>> out.tolist()
        [[1.0, 2.0], [-inf, 3.0]]
    """
    for index, (column, name) in enumerate(zip(columns, names, strict=True)):
        out[:, index] = _numbers(column, out.dtype, _Place(file, name, first_row))


def list_matrix(column: pa.Array, name: str, C: int, dtype: np.dtype[Any], file: str, first_row: int) -> Array:
    """Return a column of lists, or of text such as [2.0,1.0,0.1], as a matrix `[N, C]`.

    Args:
        column: The lists.
        name: What messages call the column.
        C: How long each list must be; 0: as long as the first.
        dtype: float32 or float64.
        file: What messages call the file.
        first_row: What messages call the first row.

    Raises:
        InputError: if a list is missing or of another length, or one of its values is no number; the row is named.

    Example:
        >>> list_matrix(pa.array([[2, 1], [0, 3]]), "logits", 0, np.dtype(float), "news.jsonl", 1).tolist()
        [[2.0, 1.0], [0.0, 3.0]]
    """
    place = _Place(file, name, first_row)
    if is_text(column.type):
        column = pc.split_pattern(pc.utf8_trim(column.cast(pa.string()), "[]() \t"), ",")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    C = C or int(lengths[0])
    wrong = np.flatnonzero((lengths != C) | (lengths == 0))
    if wrong.size:
        row = int(wrong[0])
        if not lengths[row]:
            raise InputError(f"{place(row)} holds no list or an empty one; give every row its values.")
        raise InputError(f"{place(row)} has {lengths[row]:,} values, and the rows before have {C:,}; one a class.")
    return _numbers(column.flatten(), dtype, _Place(file, name, first_row, C)).reshape(-1, C)


@dataclass(frozen=True)
class _Place:
    """Says where a cell is, or a value of a list of `length`."""

    file: str
    name: str
    first_row: int
    length: int = 0

    def __call__(self, cell: int) -> str:
        row = cell // self.length if self.length else cell
        value = f", value {cell % self.length + 1:,}" if self.length else ""
        return f"{self.file}, row {self.first_row + row:,}, column {self.name!r}{value}"


def _numbers(column: pa.Array, dtype: np.dtype[Any], place: _Place) -> Array:
    """Return one column as floats; `place` says where one of its cells is."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = pa.float32() if dtype == np.float32 else pa.float64()
    try:
        numbers = _cast(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cell = _first_that_fails(column, kind)
        raise InputError(f"{place(cell)} must be a number; got {str(column[cell].as_py())!r:.40}.") from None
    if numbers.null_count:
        cell = pc.index(numbers.is_null(), True).as_py()
        raise InputError(f"{place(cell)} is empty; give every row a number there, or leave the row out.")
    return cast("Array", numbers.to_numpy())


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if not is_text(column.type):
        return column.cast(kind, safe=False)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:  # empty cells become null, and blanks around numbers are no fault
        trimmed = pc.utf8_trim_whitespace(column)
        return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed).cast(kind)


def _first_that_fails(column: pa.Array, kind: pa.DataType) -> int:
    """Return the first cell that is no number, by halving."""
    low, high = 0, len(column)  # the cells before `low` are numbers, and some one before `high` is not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _cast(column.slice(low, middle - low), kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
        else:
            low = middle
    return low
