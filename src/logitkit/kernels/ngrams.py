"""Hashed word and character n-grams, numbered and counted for each row in one pass.

Design
------
(a) The pass streams. A token is handled when it ends, so a 100 MB text needs no list of tokens. n-grams are rolling:
    an n-gram that ends here is the (n-1)-gram that ended at the unit before, folded with this unit.
(b) `tally` finds a number's place in the current row without clearing anything between rows: outputs only ever move
    forward, so a place before this row's start is an old one.
(c) Hashes are looked up a chunk at a time, so that cache misses overlap.
(d) The character n-grams of a word depend on the word alone. They are kept per distinct word (`Cache`), and a word that
    comes again costs no hashing. A full cache changes the speed, never the result.
(e) Kernels do not allocate: when a table or an output is full, the row is taken back and its index returned; the caller
    makes room and calls again from there.
(f) Helpers get pointers, not arrays: see `kernels/pointers.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.hashing import SEED_CHARS, SEED_WORDS, Table, find, find_or_add, finish, fold
from logitkit.kernels.pointers import pointer
from logitkit.kernels.tokens import alphabet_pointers, next_token
from logitkit.kernels.utf8 import IDEOGRAPH, SEPARATOR, WORD, decode

CHUNK = 1024
MAX_WORD_CHARS = 64  # of a longer "word" (a link, base64) the first characters tell as much as all
MAX_ORDER = 8
PAD = np.uint64(32)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_LENGTH_BITS = np.uint64(16)
_LENGTH_MASK = np.uint64((1 << 16) - 1)


class Counts(NamedTuple):
    """One view's n-grams: their table, and the sparse rows counted so far.

    Attributes:
        table: numbers the hashes.
        last: `[room]` int32; where a number was last written, -1 if nowhere.
        numbers: `[entries]` int32; the rows' n-grams, each once a row.
        counts: `[entries]` int32; how often.
        indptr: `[rows + 1]` int64; row r has the entries indptr[r] to indptr[r + 1].
    """

    table: Table
    last: NDArray[np.int32]
    numbers: NDArray[np.int32]
    counts: NDArray[np.int32]
    indptr: NDArray[np.int64]


class Cache(NamedTuple):
    """The numbers of the character n-grams of each word seen.

    Attributes:
        slots: `[2 × capacity]` uint64; a word's hash, then where its numbers start in the pool and how many, plus one.
        pool: int32; the numbers.
        used: `[2]` int64; words kept, pool entries used.
    """

    slots: NDArray[np.uint64]
    pool: NDArray[np.int32]
    used: NDArray[np.int64]


class _View(NamedTuple):
    """Pointers into a `Counts`, and what does not change while rows are counted."""

    slots: Any
    mask: Any
    hashes: Any
    size: Any
    room: Any
    last: Any
    numbers: Any
    counts: Any
    entries: Any


class _Words(NamedTuple):
    """Pointers into a `Cache`, how many words and pool entries it may hold."""

    slots: Any
    mask: Any
    words: Any
    pool: Any
    room: Any
    used: Any


@jit
def _view_pointers(view: Any) -> Any:
    table = view.table
    return _View(
        pointer(table.slots), np.uint64(table.slots.shape[0] - 2), pointer(table.hashes), pointer(table.size),
        table.hashes.shape[0], pointer(view.last), pointer(view.numbers), pointer(view.counts), view.numbers.shape[0],
    )  # fmt: skip


@jit
def _cache_pointers(cache: Any) -> Any:
    capacity = cache.slots.shape[0]
    return _Words(
        pointer(cache.slots), np.uint64(capacity - 2), capacity // 4, pointer(cache.pool), cache.pool.shape[0],
        pointer(cache.used),
    )  # fmt: skip


@jit
def has_room(view: Any, more: Any, at: Any, grow: Any) -> Any:
    """Say whether `more` n-grams, all new at worst, can be numbered and written."""
    return at + more <= view.entries and (not grow or view.size[0] + more <= view.room)


@jit
def tally(number: Any, view: Any, row_start: Any, at: Any) -> Any:
    """Count `number` once more in the row that began at `row_start`; return the end of the row. Branch-free."""
    before = np.int64(view.last[number])
    again = before >= row_start
    place = before if again else at
    view.counts[place] = (view.counts[place] if again else 0) + 1
    view.numbers[place] = number
    view.last[number] = place
    return at if again else at + 1


@jit
def number_of(h: Any, view: Any, grow: Any) -> Any:
    """Return the number of an n-gram's hash; -1 if it is unknown and new ones are not taken."""
    if grow:
        return find_or_add(view.slots, view.mask, view.hashes, view.size, h)
    return find(view.slots, view.mask, h)


@jit
def absorb(pending: Any, n_pending: Any, view: Any, row_start: Any, at: Any, grow: Any) -> Any:
    """Number and tally a chunk of hashes; return the end of the row, or -1 if there is not enough room."""
    if not has_room(view, n_pending, at, grow):
        return -1
    for i in range(n_pending):
        number = number_of(pending[i], view, grow)
        if number >= 0:
            at = tally(number, view, row_start, at)
    return at


@jit
def restart(rolling: Any, seed: Any) -> None:
    """Begin a new sequence: nothing came before."""
    for order in range(1, MAX_ORDER + 1):
        rolling[order] = 0
    rolling[0] = seed


@jit
def roll(unit: Any, rolling: Any, lowest: Any, highest: Any, out: Any, n_out: Any) -> Any:
    """Fold `unit` into the rolling hashes, and append the finished n-grams that end here, the longest first.

    `rolling[k]` holds the unfinished hash of the k units before, and `rolling[0]` the seed; zero where there are fewer.
    Orders lowest … highest are appended; returns the new end of `out`.
    """
    for order in range(highest, 0, -1):
        before = rolling[order - 1]
        if before != 0:
            here = fold(before, unit)
            rolling[order] = here
            if order >= lowest:
                out[n_out] = finish(here)
                n_out += 1
    return n_out


@jit
def word_chars(
    data: Any, start: Any, stop: Any, alphabet: Any, lowest: Any, highest: Any, rolling: Any, out: Any
) -> Any:
    """Write the hashes of a word's character n-grams, a space on either side, to `out`; return how many.

    A space alone is no n-gram.
    """
    restart(rolling, SEED_CHARS)
    n_out = roll(PAD, rolling, max(2, lowest), highest, out, 0)
    n_chars = 0
    while start < stop and n_chars < MAX_WORD_CHARS:
        byte = data[start]
        if byte < 0x80:
            unit = np.uint64(alphabet.ascii_word[byte])
            start += 1
        else:
            code, length = decode(data, start, stop)
            unit = np.uint64(code)
            start += length
        n_out = roll(unit, rolling, lowest, highest, out, n_out)
        n_chars += 1
    return roll(PAD, rolling, max(2, lowest), highest, out, n_out)


@jit
def absorb_word(
    h: Any, data: Any, start: Any, stop: Any, alphabet: Any, lowest: Any, highest: Any, rolling: Any, pending: Any,
    cache: Any, view: Any, row_start: Any, at: Any, grow: Any,
) -> Any:  # fmt: skip
    """Tally the character n-grams of one word, by way of the cache; return the end of the row, or -1 for no room."""
    slots, pool, used = cache.slots, cache.pool, cache.used
    slot = (h << _ONE) & cache.mask
    while slots[slot + _ONE] != 0:
        if slots[slot] == h:
            packed = slots[slot + _ONE] - _ONE
            first = np.int64(packed >> _LENGTH_BITS)
            length = np.int64(packed & _LENGTH_MASK)
            if not has_room(view, length, at, False):
                return -1
            for k in range(first, first + length):
                at = tally(pool[k], view, row_start, at)
            return at
        slot = (slot + _TWO) & cache.mask
    n_pending = word_chars(data, start, stop, alphabet, lowest, highest, rolling, pending)
    if not has_room(view, n_pending, at, grow):
        return -1
    keep = used[0] < cache.words and used[1] + n_pending <= cache.room
    first = used[1]
    length = 0
    for i in range(n_pending):
        number = number_of(pending[i], view, grow)
        if number >= 0:
            at = tally(number, view, row_start, at)
            if keep:
                pool[first + length] = number
                length += 1
    if keep:
        slots[slot] = h
        slots[slot + _ONE] = (np.uint64(first) << _LENGTH_BITS | np.uint64(length)) + _ONE
        used[0] += 1
        used[1] = first + length
    return at


@jit
def count_rows(
    data_array: Any, offsets: Any, row: Any, classes: Any, orders: Any,
    word_counts: Any, char_counts: Any, word_cache: Any, scratch: Any, grow: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Count the n-grams of the rows from `row` on.

    Returns the row at which room ran out and the view that needs more (0 words, 1 characters), or (rows, -1).

    Args:
        data_array: uint8 bytes of the column, lower-cased and NFKC-normalised but for ASCII capitals.
        offsets: `[rows + 1]`; row r is data[offsets[r]:offsets[r + 1]].
        row: the first row to count; the rows before it are in the counts already.
        classes: an `Alphabet`.
        orders: `[6]` int64; lowest and highest order of word, character, and ideograph n-grams; highest 0 is none.
        word_counts: `Counts` of the word view.
        char_counts: `Counts` of the character view.
        word_cache: the words' character n-grams.
        scratch: `[4, CHUNK]` uint64.
        grow: number new n-grams (when fitting) or pass over them (when predicting).
    """
    data = pointer(data_array)
    alphabet = alphabet_pointers(classes)
    word_low, word_high, char_low, char_high, ideo_low, ideo_high = orders
    words, chars = _view_pointers(word_counts), _view_pointers(char_counts)
    cache = _cache_pointers(word_cache)
    pending, fresh = pointer(scratch[0]), pointer(scratch[1])
    word_roll, char_roll = pointer(scratch[2]), pointer(scratch[3])
    full = CHUNK - 2 * MAX_ORDER
    rows = offsets.shape[0] - 1
    while row < rows:
        w_start = w_at = word_counts.indptr[row]
        c_start = c_at = char_counts.indptr[row]
        at, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        n_pending = n_fresh = 0  # word n-grams, and n-grams of ideographs, not yet looked up
        in_run = False  # of ideographs
        restart(word_roll, SEED_WORDS)
        while at < stop:
            start = at
            kind, h, at = next_token(data, start, stop, alphabet)
            if in_run and kind != IDEOGRAPH:
                n_fresh = roll(PAD, char_roll, max(2, ideo_low), ideo_high, fresh, n_fresh)
                in_run = False
            if kind == SEPARATOR:
                continue
            h = finish(h)
            if word_low <= 1:
                pending[n_pending] = h
                n_pending += 1
            n_pending = roll(h, word_roll, max(2, word_low), word_high, pending, n_pending)
            if n_pending > full:
                w_at = absorb(pending, n_pending, words, w_start, w_at, grow)
                n_pending = 0
            if n_fresh > full or (kind == WORD and n_fresh > 0):
                c_at = absorb(fresh, n_fresh, chars, c_start, c_at, grow)
                n_fresh = 0
            if w_at < 0 or c_at < 0:
                return row, np.int64(w_at >= 0)
            if kind == WORD and char_high > 0:
                c_at = absorb_word(
                    h, data, start, at, alphabet, char_low, char_high, char_roll, fresh,
                    cache, chars, c_start, c_at, grow,
                )  # fmt: skip
                if c_at < 0:
                    return row, 1
            elif kind == IDEOGRAPH and ideo_high > 0:
                if not in_run:
                    in_run = True
                    restart(char_roll, SEED_CHARS)
                    n_fresh = roll(PAD, char_roll, max(2, ideo_low), ideo_high, fresh, n_fresh)
                code = decode(data, start, at)[0]
                n_fresh = roll(np.uint64(code), char_roll, ideo_low, ideo_high, fresh, n_fresh)
        if in_run:
            n_fresh = roll(PAD, char_roll, max(2, ideo_low), ideo_high, fresh, n_fresh)
        w_at = absorb(pending, n_pending, words, w_start, w_at, grow)
        c_at = absorb(fresh, n_fresh, chars, c_start, c_at, grow)
        if w_at < 0 or c_at < 0:
            return row, np.int64(w_at >= 0)
        row += 1
        word_counts.indptr[row] = w_at
        char_counts.indptr[row] = c_at
    return row, -1
