"""Labels as they were found: numbers or texts, from an array or from columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables.columnar import as_text
from logitkit.tables.logits.cells import is_list, is_text, list_matrix, number_matrix
from logitkit.tables.stored.rows import row_name

__all__ = ["FoundLabels", "compact", "labels_from_array", "labels_from_columns"]


@dataclass(frozen=True)
class FoundLabels:
    """Labels, or groups, before anything is known about the classes.

    Attributes:
        source: What messages call them.
        values: Numbers `[N]`, `[N, C]` or `[N, T]`; or `[N]` places in `texts`.
        texts: Every text that occurs, once; None where they are numbers.
        first_row: What messages call the first row: 0 in arrays, 1 in tables.
        positions: T, where values `[N, T]` became `[N * T]`.
    """

    source: str
    values: NDArray[Any]
    texts: tuple[str, ...] | None
    first_row: int
    positions: int = 1

    def row_name(self, row: int) -> str:
        """Return what messages call a row.

        Example:
            >>> FoundLabels("labels.npy", np.zeros(3, int), None, 0).row_name(2)
            'row 2 (counted from 0)'
        """
        return row_name(row, self.first_row, self.positions)

    def one_a_row(self, N: int, logits: str, what: str = "label") -> NDArray[Any]:
        """Return `values` as `[N]`.

        Args:
            N: The rows of logits.
            logits: What messages call the logits.
            what: What messages call a value.

        Raises:
            InputError: If the shape is neither `[N]` nor `[N, 1]`.
        """
        values = self.values[:, 0] if self.values.ndim == 2 and self.values.shape[1] == 1 else self.values
        if values.ndim != 1:
            said = f"{self.source} has the shape {list(values.shape)}, and {logits} has {N:,} rows"
            raise InputError(f"{said}; give one {what} a row, of the shape [{N}].")
        if len(values) != N:
            said = f"{self.source} has {len(values):,} {what}s, and {logits} has {N:,} rows"
            raise InputError(f"{said}; each row needs one {what}.")
        return values

    def whole_numbers(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return values as int64; floats count where they are whole.

        Raises:
            InputError: If one is not whole, or NaN.
        """
        if values.dtype == np.uint64:
            values = np.minimum(values, np.uint64(2**63 - 1))
        if values.dtype.kind in "iub":
            return values.astype(np.int64, copy=False)
        with np.errstate(invalid="ignore"):
            wrong = np.flatnonzero(~((np.floor(values) == values) & (abs(values) < 2.0**53)))
        if wrong.size:
            row = int(wrong[0])
            raise InputError(f"{self.source} has {values[row]:g} in {self.row_name(row)}; a whole number is needed.")
        return values.astype(np.int64)


def labels_from_array(values: NDArray[Any], source: str) -> FoundLabels:
    """Return labels from an array of numbers or of text.

    Example:
        >>> labels_from_array(np.array(["b", "a", "b"]), "labels.npy").texts
        ('b', 'a')
    """
    if values.dtype.kind in "US":
        if values.ndim != 1:
            raise InputError(f"{source} is text of the shape {list(values.shape)}; give one text a row.")
        array = pa.array(values)
        return _from_texts(array.cast(pa.binary()) if values.dtype.kind == "S" else array, source, 0)
    return FoundLabels(source, values, None, 0)


def labels_from_columns(columns: Sequence[pa.ChunkedArray], names: Sequence[str], file: str) -> FoundLabels:
    """Return labels from one column of a table (numbers, text, or lists), or from one column of 0 and 1 a class.

    Raises:
        InputError: if a cell is empty or none of these.

    Example:
        >>> labels_from_columns([pa.chunked_array([["1", "0"]])], ["label"], "news.csv").texts
        ('1', '0')
    """
    if len(columns) > 1:
        out = np.empty((len(columns[0]), len(columns)))
        number_matrix([_whole(column) for column in columns], names, out, file, 1)
        return FoundLabels(f"{file}, columns {names[0]!r} to {names[-1]!r}", out, None, 1)
    column, name = _whole(columns[0]), names[0]
    source = f"{file}, column {name!r}"
    if is_list(column.type):
        return FoundLabels(source, list_matrix(column, name, 0, np.dtype(float), file, 1), None, 1)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _from_texts(column, source, 1)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise InputError(f"{source} is of type {column.type}; labels are class names or class indices.")
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        raise InputError(f"{file}, row {row + 1:,}, column {name!r} is empty; give every row a label.")
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    return FoundLabels(source, column.to_numpy(), None, 1)


def compact(column: pa.Array) -> pa.Array:
    """Return texts, which repeat, as places in those that occur; other columns as they are.

    Example:
        >>> compact(pa.array(["yes", "no", "yes"])).indices.to_pylist()
        [0, 1, 0]
    """
    return column.dictionary_encode() if is_text(column.type) and not pa.types.is_string_view(column.type) else column


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return one array of all chunks."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _from_texts(column: pa.Array, source: str, first_row: int) -> FoundLabels:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = as_text(encoded.dictionary).to_pylist()
    blank = pa.array([place for place, text in enumerate(texts) if not (text or "").strip()], encoded.indices.type)
    empty = pc.or_(encoded.is_null(), pc.fill_null(pc.is_in(encoded.indices, blank), True))
    if pc.any(empty).as_py():
        found = FoundLabels(source, np.empty(0), None, first_row)
        raise InputError(f"{source}, {found.row_name(pc.index(empty, True).as_py())} is empty; give every row a label.")
    return FoundLabels(source, encoded.indices.to_numpy(), tuple(texts), first_row)
