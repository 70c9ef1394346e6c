"""Counting n-grams: gives the kernel room, and more of it when it runs out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels.hashing import Table, add_all, make_table
from logitkit.kernels.ngrams import CHUNK, Cache, Counts, count_rows
from logitkit.text.alphabet import alphabet
from logitkit.text.columns import Column
from logitkit.text.spec import NgramSpec

__all__ = ["Counter", "known_table"]

_CACHE_WORDS = 1 << 17
_CACHE_NUMBERS = 1 << 22


def known_table(hashes: NDArray[np.uint64]) -> Table:
    """Return the table that numbers `hashes` 0, 1, 2 …"""
    table = make_table(max(1, len(hashes)))
    add_all(table, hashes, np.empty(len(hashes), np.int32))
    return table


class Counter:
    """Counts the n-grams of one block of rows after another, in buffers that it keeps.

    With tables of known n-grams it passes over the others; without, it numbers all in the order in which they first come.
    A counter serves one thread at a time.
    """

    def __init__(self, spec: NgramSpec, known: tuple[Table, Table] | None = None) -> None:
        self.spec = spec
        self._grow = known is None
        tables = known if known is not None else (make_table(1 << 14), make_table(1 << 14))
        self._views = [_empty(table) for table in tables]
        self._cache = Cache(
            np.zeros(2 * _CACHE_WORDS, np.uint64), np.empty(_CACHE_NUMBERS, np.int32), np.zeros(2, np.int64)
        )
        self._scratch = np.zeros((4, CHUNK), np.uint64)

    def count(self, column: Column) -> tuple[Counts, Counts]:
        """Return the word and the character n-grams of `column`, as views that the next call overwrites."""
        size = int(column.offsets[-1]) - int(column.offsets[0])
        for i, per_byte in enumerate((0.5, 2.5 if self.spec.chars[1] else 0.5)):
            view = self._views[i]
            # The row-by-row stamps of the block before mean nothing in this one.
            view.last.fill(-1)
            self._views[i] = _with_entries(view, int(size * per_byte) + 2 * CHUNK, 0)._replace(
                indptr=np.zeros(column.rows + 1, np.int64)
            )
        row = 0
        while True:
            words, chars = self._views
            row, short = count_rows(
                column.data, column.offsets, row, alphabet(), self.spec.orders(),
                words, chars, self._cache, self._scratch, self._grow,
            )  # fmt: skip
            if short < 0:
                return words, chars
            for view in self._views:
                view.last[view.last >= view.indptr[row]] = -1  # the row is taken back
            self._views[short] = self._with_room(self._views[short], int(self._views[short].indptr[row]))

    def _with_room(self, view: Counts, written: int) -> Counts:
        """Return the view with more room in whichever of its parts has run out."""
        known = int(view.table.size[0])
        if self._grow and known + CHUNK > len(view.table.hashes):
            table = make_table(4 * len(view.table.hashes))
            add_all(table, view.table.hashes[:known], np.empty(known, np.int32))
            last = np.full(len(table.hashes), -1, np.int32)
            last[:known] = view.last[:known]
            return view._replace(table=table, last=last)
        return _with_entries(view, 2 * len(view.numbers), written)


def _empty(table: Table) -> Counts:
    last = np.full(len(table.hashes), -1, np.int32)
    return Counts(table, last, np.empty(0, np.int32), np.empty(0, np.int32), np.zeros(1, np.int64))


def _with_entries(view: Counts, entries: int, written: int) -> Counts:
    """Return the view with room for at least `entries` entries, of which the first `written` are kept."""
    if entries <= len(view.numbers):
        return view
    numbers, counts = np.empty(entries, np.int32), np.empty(entries, np.int32)
    numbers[:written] = view.numbers[:written]
    counts[:written] = view.counts[:written]
    return view._replace(numbers=numbers, counts=counts)
