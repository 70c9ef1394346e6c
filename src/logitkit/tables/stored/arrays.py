"""One array of a file: what it is, and where its numbers lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables.stored.bytes import StoredBytes
from logitkit.tables.stored.rows import FileRows, is_number

__all__ = ["StoredArray"]

_MOST_TEXT_BYTES = 4096  # of one text in an array, where every text takes as much as the longest


@dataclass(frozen=True)
class StoredArray:
    """An array that is read when it is asked for.

    Attributes:
        source: What messages call it.
        shape: Its shape.
        kind: The type of its items, in the order of bytes that the file has; `rows.BFLOAT16` for bfloat16.
        by_column: Whether it lies in Fortran order.
        place: Gives the bytes, and where in them the array begins; of a compressed file this inflates it.
    """

    source: str
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    by_column: bool
    place: Callable[[], tuple[StoredBytes, int]]

    @property
    def kind_name(self) -> str:
        """What messages call the type."""
        names = self.kind.names or ()
        return names[0] if len(names) == 1 else str(self.kind)[:60]

    def rows(self) -> FileRows:
        """Return an array `[N, C]` as rows, and `[N, T, V]` as the rows of `[N * T, V]`; `[N]` has one column.

        Raises:
            InputError: if its type is none of logits, or its shape none of these.
        """
        if not is_number(self.kind):
            pickled = " (Python objects, which only pickle reads, and pickle is never opened)" * self.kind.hasobject
            raise InputError(
                f"{self.source} is of type {self.kind_name}{pickled}, and logits are numbers; save them as float32."
            )
        if not 1 <= len(self.shape) <= 3:
            raise InputError(f"{self.source} has the shape {list(self.shape)}; logits are [N, C], one row a sample.")
        if len(self.shape) == 3 and self.by_column:
            raise InputError(f"{self.source} is in Fortran order; save numpy.ascontiguousarray of it.")
        T = self.shape[1] if len(self.shape) == 3 else 1
        flat = (self.shape[0] * T, self.shape[-1] if len(self.shape) > 1 else 1)
        stored, offset = self.place()
        return FileRows(stored, offset, flat, self.kind, by_column=self.by_column, positions=T)

    def values(self) -> NDArray[Any]:
        """Return the whole array, as for labels, in the machine's order of bytes.

        Raises:
            InputError: if its type is neither numbers nor text.
        """
        if self.kind.kind not in "iufbUS" or self.kind.itemsize > _MOST_TEXT_BYTES:
            raise InputError(f"{self.source} is of type {self.kind_name}; save it as integers, or as text.")
        stored, offset = self.place()
        array = np.empty(self.shape, self.kind, order="F" if self.by_column else "C")
        if array.nbytes:
            stored.read_into(array.reshape(-1, order="A"), offset)
        return np.ascontiguousarray(array, self.kind.newbyteorder("="))
