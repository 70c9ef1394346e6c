"""Counting n-grams: gives the kernel room, and more of it when it runs out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.kernels.hashing import Table, add_all, make_table
from logitkit.kernels.ngrams import MAX_PENDING, Counts, count_rows, make_cache, make_scratch
from logitkit.text.alphabet import alphabet
from logitkit.text.columns import Column
from logitkit.text.spec import NgramSpec

__all__ = ["Counter", "grown", "known_table"]

_MAX_PLACES = 2**31 - 1


def known_table(hashes: NDArray[np.uint64]) -> Table:
    """Return the table that numbers `hashes` 0, 1, 2, and so on."""
    table = make_table(max(1, len(hashes)))
    add_all(table, hashes, np.empty(len(hashes), np.int32))
    return table


def grown(table: Table, more: int) -> Table:
    """Return a table with the same numbers and room for `more` hashes, and at least as many again."""
    known = int(table.size[0])
    larger = make_table(max(2 * known, known + more))
    add_all(larger, table.hashes[:known], np.empty(known, np.int32))
    return larger


class _Rooms(NamedTuple):
    """How much room a text of some size is likely to need; a wrong guess costs time and changes no result."""

    word_ngrams: int
    char_ngrams: int
    cached_words: int
    word_entries: int
    char_entries: int


def guess_rooms(spec: NgramSpec, size: int) -> _Rooms:
    """Return the rooms for `size` bytes of text.

    The different n-grams grow as a power of the text (Heaps' law). Factors and exponents are those of questions,
    reviews, news and abstracts, from 0.3 to 84 MB.
    """
    words, chars, ideographs = (high - low + 1 for low, high in (spec.words, spec.chars, spec.ideographs))
    return _Rooms(
        word_ngrams=_power_of_two(int(4.0 * size**0.74), 1 << 10, 1 << 21),
        char_ngrams=_power_of_two(int(40.0 * size**0.55), 1 << 10, 1 << 19) if chars or ideographs else 1,
        cached_words=_power_of_two(int(4.0 * size**0.6), 1 << 8, 1 << 16) if chars else 1,
        word_entries=int(0.36 * words * size) + MAX_PENDING,
        char_entries=int(max(0.85 * chars, 0.36 * ideographs) * size) + MAX_PENDING,
    )


class Counter:
    """Counts the n-grams of one block of rows after another, in buffers that it keeps.

    With tables of known n-grams it passes over the others; without, it numbers all in the order in which they first
    come. A counter serves one thread at a time.

    Args:
        spec: which n-grams to count.
        known: the tables of known word and character n-grams.
        size: how many bytes of text there will be, about.
    """

    def __init__(self, spec: NgramSpec, known: tuple[Table, Table] | None = None, *, size: int = 1 << 20) -> None:
        self.spec = spec
        self._grow = known is None
        rooms = guess_rooms(spec, size)
        tables = known if known is not None else (make_table(rooms.word_ngrams), make_table(rooms.char_ngrams))
        self._views = [_empty(table) for table in tables]
        self._cache = make_cache(rooms.cached_words)
        self._scratch = make_scratch()

    def count(self, column: Column) -> tuple[Counts, Counts]:
        """Return the word and the character n-grams of `column`, as views that the next call overwrites.

        Raises:
            InputError: if one view has more entries than 32 bits count.
        """
        rooms = guess_rooms(self.spec, column.size)
        for i, entries in enumerate((rooms.word_entries, rooms.char_entries)):
            view = self._views[i]._replace(indptr=np.zeros(column.rows + 1, np.int64))
            self._views[i] = _forget(_with_entries(view, entries, 0))
        row = 0
        while True:
            words, chars = self._views
            row, short = count_rows(
                column.data, column.offsets, row, alphabet(), self.spec.orders(),
                words, chars, self._cache, self._scratch, self._grow,
            )  # fmt: skip
            if short < 0:
                return words, chars
            self._views[short] = self._with_room(self._views[short], int(self._views[short].indptr[row]))
            self._views = [_forget(view) for view in self._views]  # the row is taken back

    def _with_room(self, view: Counts, written: int) -> Counts:
        """Return the view with more room in whichever of its parts has run out."""
        known = int(view.table.size[0])
        if self._grow and known + MAX_PENDING > len(view.table.hashes):
            table = grown(view.table, MAX_PENDING)
            return view._replace(table=table, last=np.full(len(table.hashes), -1, np.int32))
        return _with_entries(view, 2 * len(view.numbers), written)


def _power_of_two(at_least: int, lowest: int = 1, highest: int = _MAX_PLACES) -> int:
    return min(max(1 << (at_least - 1).bit_length(), lowest), highest)


def _empty(table: Table) -> Counts:
    last = np.full(len(table.hashes), -1, np.int32)
    return Counts(table, last, np.empty(0, np.int32), np.empty(0, np.int32), np.zeros(1, np.int64), 0)


def _forget(view: Counts) -> Counts:
    """Return the view with a base above every place that `last` holds."""
    places = len(view.numbers)
    if view.base + 2 * places > _MAX_PLACES:
        view.last.fill(-1)
        return view._replace(base=0)
    return view._replace(base=view.base + places)


def _with_entries(view: Counts, entries: int, written: int) -> Counts:
    """Return the view with room for at least `entries` entries, of which the first `written` are kept."""
    if entries <= len(view.numbers):
        return view
    if len(view.numbers) >= _MAX_PLACES:
        raise InputError(
            f"A batch may have at most {_MAX_PLACES} different n-grams, summed over its rows; got more: "
            "pass fewer or shorter texts at a time."
        )
    entries = min(entries, _MAX_PLACES)
    numbers, counts = np.empty(entries, np.int32), np.empty(entries, np.int32)
    numbers[:written] = view.numbers[:written]
    counts[:written] = view.counts[:written]
    return view._replace(numbers=numbers, counts=counts)
