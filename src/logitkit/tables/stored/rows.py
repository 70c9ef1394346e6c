"""Logits `[N, C]` that stay where they are, on the disk or in memory, and are read some rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import read_only
from logitkit.checks import input_error
from logitkit.tables.stored.bytes import StoredBytes

__all__ = ["BFLOAT16", "FileRows", "StoredRows", "is_number", "row_name"]

BFLOAT16 = np.dtype([("bfloat16", "<u2")])
"""What stands for bfloat16, which NumPy does not know."""

_BLOCK_BYTES = 8 << 20  # rows to be picked out are read in parts of at most so many bytes
_GAP_BYTES = 32 << 10  # rows no further apart are read in one call, which takes as long as reading so much more

Array = NDArray[Any]


def is_number(kind: np.dtype[Any]) -> bool:
    """Whether logits may be of this type: a float of 16, 32 or 64 bits, bfloat16, or an integer.

    Example:
        >>> is_number(np.dtype(">f4")), is_number(BFLOAT16), is_number(np.dtype(bool))
        (True, True, False)
    """
    return kind == BFLOAT16 or kind.kind in "iu" or (kind.kind == "f" and kind.itemsize <= 8)


def row_name(row: int, first_row: int = 0, positions: int = 1) -> str:
    """Return what messages call a row that is counted from 0 here.

    Args:
        row: The row.
        first_row: What messages call the first one: 0 in arrays, 1 in tables.
        positions: T, where `[N, T]` are counted through.

    Example:
        >>> row_name(7), row_name(7, first_row=1), row_name(7, positions=5)
        ('row 7 (counted from 0)', 'row 8', 'row 1, position 2 (counted from 0)')
    """
    if positions > 1:
        return f"row {row // positions:,}, position {row % positions:,} (counted from 0)"
    return f"row {row + first_row:,}" + " (counted from 0)" * (first_row == 0)


class StoredRows(ABC):
    """Rows of logits; `open_logits` makes it.

    Any number of threads may read at a time. What they get is contiguous, in float32 or float64: halves come as
    float32, integers as float64. NaN and infinities come as they are.

    Attributes:
        shape: (N, C).
        dtype: float32 or float64.

    Example:
        >>> from logitkit.tables import MemoryRows
        >>> rows = MemoryRows([[2.0, 1.0, 0.1], [0.5, 0.0, -1.0]])
        >>> rows.shape, rows.read(1, 2).tolist(), rows.row_name(1)
        ((2, 3), [[0.5, 0.0, -1.0]], 'row 1 (counted from 0)')
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @abstractmethod
    def read(self, start: int, stop: int) -> Array:
        """Return the rows from `start` to before `stop`, `[stop - start, C]`.

        Raises:
            InputError: if there are no such rows, or the file cannot be read.
        """

    @abstractmethod
    def take(self, rows: NDArray[np.intp]) -> Array:
        """Return the rows of these numbers, which increase, `[len(rows), C]`. Few of a large file are read quickly.

        Raises:
            InputError: if the numbers do not increase, there is no such row, or the file cannot be read.
        """

    @abstractmethod
    def row_name(self, row: int) -> str:
        """Return what messages call row `row`, counted from 0 here, so that a person finds it in the file."""

    @abstractmethod
    def close(self) -> None:
        """Close the file behind the rows, if there is one."""

    def check_range(self, start: int, stop: int) -> None:
        """Refuse rows that are not there."""
        if not 0 <= start <= stop <= self.shape[0]:
            raise input_error("rows", "read", f"within the {self.shape[0]:,} rows", f"{start:,} to {stop:,}")

    def check_increasing(self, rows: NDArray[np.intp]) -> None:
        """Refuse row numbers that do not increase or are not there."""
        if rows.size and not (rows[0] >= 0 and rows[-1] < self.shape[0] and (np.diff(rows) > 0).all()):
            raise input_error("rows", "take", f"increasing and within the {self.shape[0]:,} rows", "others")


class FileRows(StoredRows):
    """Rows as they lie in a file.

    Args:
        stored: The bytes.
        offset: Where the numbers begin.
        shape: (N, C).
        kind: The type of a number, one that `is_number` takes.
        by_column: Whether each column lies together (Fortran order), and not each row.
        first_row: What messages call the first row: 0 in arrays, 1 in tables.
        positions: Of an array `[n, T, V]` read as `[n * T, V]`: T.

    Example:
        >>> from logitkit.tables.stored.bytes import Spool
        >>> spool = Spool("logits")
        >>> spool.write(np.array([[2, 1, 0], [0, 1, 2]], np.int16))
        >>> FileRows(spool.stored(), 0, (2, 3), np.dtype(np.int16)).read(1, 2)
        array([[0., 1., 2.]])
    """

    def __init__(
        self,
        stored: StoredBytes,
        offset: int,
        shape: tuple[int, int],
        kind: np.dtype[Any],
        *,
        by_column: bool = False,
        first_row: int = 0,
        positions: int = 1,
    ) -> None:
        wide = kind.itemsize == 8 or kind.kind in "iu"
        self.shape = shape
        self.dtype = np.dtype(np.float64 if wide else np.float32)
        self._stored = stored
        self._offset = offset
        self._kind = kind
        self._by_column = by_column
        self._first_row = first_row
        self._positions = positions

    def read(self, start: int, stop: int) -> Array:
        """Return the rows from `start` to before `stop`."""
        self.check_range(start, stop)
        out = memory.empty((stop - start, self.shape[1]), self.dtype)
        self._fill(start, out)
        return out

    def take(self, rows: NDArray[np.intp]) -> Array:
        """Return the rows of these numbers."""
        self.check_increasing(rows)
        out = memory.empty((len(rows), self.shape[1]), self.dtype)
        for first, end in self._together(rows):
            start, stop = int(rows[first]), int(rows[end - 1]) + 1
            if stop - start == end - first:
                self._fill(start, out[first:end])
            else:
                np.take(self.read(start, stop), rows[first:end] - start, axis=0, out=out[first:end], mode="clip")
        return out

    def row_name(self, row: int) -> str:
        """Return what messages call a row."""
        return row_name(row, self._first_row, self._positions)

    def close(self) -> None:
        """Close the file."""
        self._stored.close()

    def _together(self, rows: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """Yield which of the rows are read in one go: their first and their end."""
        if not rows.size:
            return
        C, item = self.shape[1], self._kind.itemsize
        block = rows // max(1, _BLOCK_BYTES // (C * item))
        apart = np.diff(rows) - 1 > _GAP_BYTES // (item if self._by_column else C * item)
        ends = (np.flatnonzero(apart | (np.diff(block) > 0)) + 1).tolist()
        yield from zip([0, *ends], [*ends, len(rows)], strict=True)

    def _fill(self, start: int, out: Array) -> None:
        """Write the rows from `start` on into `out`, which is contiguous."""
        (N, C), item = self.shape, self._kind.itemsize
        if not out.size:
            return
        if self._by_column:
            columns = memory.empty((C, len(out)), self._kind)
            for column in range(C):
                self._stored.read_into(columns[column], self._offset + (column * N + start) * item)
            out[:] = _as_floats(columns, self.dtype).T
            return
        same = self._kind == self.dtype
        there = out if same else memory.empty(out.shape, self._kind)
        self._stored.read_into(there, self._offset + start * C * item)
        if not same:
            _as_floats(there, self.dtype, out)


def _as_floats(numbers: Array, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """Return contiguous numbers of any type as floats of `dtype`."""
    if out is None:
        if numbers.dtype == dtype:
            return numbers
        out = memory.empty(numbers.shape, dtype)
    brain = numbers.dtype == BFLOAT16
    if brain or (numbers.dtype.kind == "f" and numbers.dtype.itemsize == 2 and numbers.dtype.isnative):
        from logitkit.kernels.halves import widen

        widen(read_only(numbers.reshape(-1).view(np.uint16)), brain, out.reshape(-1))
    else:
        np.copyto(out, numbers, casting="unsafe")
    return out
