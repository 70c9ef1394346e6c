"""Hashed word and character n-grams, numbered and counted for each row in one pass.

Design
------
(a) The pass streams, a chunk of tokens at a time, so a 100 MB text needs no list of tokens. n-grams are rolling: an
    n-gram that ends here is the (n-1)-gram that ended at the unit before, folded with this unit.
(b) `tally` finds a number's place in the current row without clearing anything between rows: outputs only ever move
    forward, so a place before this row's start is an old one. What is stored is the place plus a base; a greater base
    makes everything stored so far old, which is how a block begins and how a row is taken back.
(c) Hashes are looked up a chunk at a time, and their slots are asked for ahead, so that cache misses overlap.
(d) The character n-grams of a word depend on the word alone. They are kept per distinct word (`Cache`), and a row's
    words are counted before their n-grams are: a word that comes five times costs its n-grams once, times five. n-grams
    are met in the order of the text all the same. A full cache is emptied: that changes the speed, never the result.
(e) Kernels do not allocate: when a table or an output is full, the row is taken back and its index returned; the caller
    makes room and calls again from there.
(f) Helpers get pointers, not arrays: see `kernels/pointers.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.hashing import (
    AHEAD,
    SEED_CHARS,
    SEED_WORDS,
    Table,
    fetch_slot,
    find,
    find_or_add,
    finish,
    fold,
    make_table,
)
from logitkit.kernels.pointers import pointer
from logitkit.kernels.tokens import MAX_TOKENS, Tokens, alphabet_pointers, make_tokens, next_tokens, token_pointers
from logitkit.kernels.utf8 import IDEOGRAPH, WORD, decode

MAX_WORD_CHARS = 64  # of a longer "word" (a link, base64) the first characters tell as much as all
MAX_ORDER = 8
MAX_PENDING = MAX_TOKENS * MAX_ORDER  # n-grams that one chunk of tokens, or one word, may have
MAX_DEFERRED = 2048  # distinct words of a row whose n-grams wait to be counted
PAD = np.uint64(32)
# Typed, so that a helper is compiled once: a bare 0 or 1 is a type of its own.
ZERO = np.int64(0)
ONCE = np.int64(1)

# What the character view remembers between the chunks of a row, in `Scratch.state`.
_N_FRESH, _N_DEFERRED, _RUN_STOP, _CLOCK = 0, 1, 2, 3


class Counts(NamedTuple):
    """One view's n-grams: their table, and the sparse rows counted so far.

    Attributes:
        table: numbers the hashes.
        last: `[room]` int32; the place where a number was last written, plus `base`.
        numbers: `[entries]` int32; the rows' n-grams, each once a row.
        counts: `[entries]` int32; how often.
        indptr: `[rows + 1]` int64; row r has the entries indptr[r] to indptr[r + 1].
        base: what `last` adds to places, above all that it holds of earlier blocks.
    """

    table: Table
    last: NDArray[np.int32]
    numbers: NDArray[np.int32]
    counts: NDArray[np.int32]
    indptr: NDArray[np.int64]
    base: int


class Cache(NamedTuple):
    """The numbers of the character n-grams of each word seen.

    Attributes:
        table: numbers the words by their hashes.
        ends: `[words + 1]` int32; word w has pool[ends[w]:ends[w + 1]].
        pool: int32; the numbers of n-grams, as often as the word has them.
        last: `[words]` int64; the place in the deferred words where a word was last written, plus a clock.
    """

    table: Table
    ends: NDArray[np.int32]
    pool: NDArray[np.int32]
    last: NDArray[np.int64]


class Scratch(NamedTuple):
    """What the pass works with and forgets.

    Attributes:
        tokens: a chunk of tokens.
        pending: `[MAX_PENDING]` uint64; hashes of word n-grams not yet looked up.
        fresh: `[MAX_PENDING]` uint64; hashes of character n-grams not yet looked up.
        rolling: `[2, MAX_ORDER + 1]` uint64; the rolling hashes of words and of characters.
        deferred: `[2, MAX_DEFERRED]` int32; words whose n-grams are not yet counted, and how often each came.
        state: `[4]` int64; see the module's constants.
    """

    tokens: Tokens
    pending: NDArray[np.uint64]
    fresh: NDArray[np.uint64]
    rolling: NDArray[np.uint64]
    deferred: NDArray[np.int32]
    state: NDArray[np.int64]


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
    base: Any


class _Words(NamedTuple):
    """Pointers into a `Cache` and the deferred words."""

    slots: Any
    mask: Any
    hashes: Any
    size: Any
    room: Any
    ends: Any
    pool: Any
    pool_room: Any
    last: Any
    deferred: Any
    times: Any


def make_cache(words: int) -> Cache:
    """Return an empty cache for at least `words` words."""
    table = make_table(words)
    room = len(table.hashes)
    pool = np.empty(16 * words + MAX_PENDING, np.int32)
    return Cache(table, np.zeros(room + 1, np.int32), pool, np.full(room, -1, np.int64))


def make_scratch() -> Scratch:
    """Return what one thread's pass works with."""
    return Scratch(
        make_tokens(), np.zeros(MAX_PENDING, np.uint64), np.zeros(MAX_PENDING, np.uint64),
        np.zeros((2, MAX_ORDER + 1), np.uint64), np.zeros((2, MAX_DEFERRED), np.int32), np.zeros(4, np.int64),
    )  # fmt: skip


@jit
def _view_pointers(view: Any) -> Any:
    table = view.table
    return _View(
        pointer(table.slots), np.uint64(table.slots.shape[0] - 2), pointer(table.hashes), pointer(table.size),
        table.hashes.shape[0], pointer(view.last), pointer(view.numbers), pointer(view.counts), view.numbers.shape[0],
        view.base,
    )  # fmt: skip


@jit
def _cache_pointers(cache: Any, deferred: Any) -> Any:
    table = cache.table
    return _Words(
        pointer(table.slots), np.uint64(table.slots.shape[0] - 2), pointer(table.hashes), pointer(table.size),
        table.hashes.shape[0], pointer(cache.ends), pointer(cache.pool), cache.pool.shape[0], pointer(cache.last),
        pointer(deferred[0]), pointer(deferred[1]),
    )  # fmt: skip


@jit
def tally(number: Any, times: Any, last: Any, numbers: Any, counts: Any, base: Any, start: Any, at: Any) -> Any:
    """Count `number` so many times more in the row that began at `start`; return the end of the row. Branch-free."""
    before = np.int64(last[number]) - base
    again = before >= start
    place = before if again else at
    counts[place] = (counts[place] if again else 0) + times
    numbers[place] = number
    last[number] = place + base
    return at if again else at + 1


@jit
def number_of(h: Any, view: Any, grow: Any) -> Any:
    """Return the number of an n-gram's hash; -1 if it is unknown and new ones are not taken."""
    if grow:
        return find_or_add(view.slots, view.mask, view.hashes, view.size, h)
    return find(view.slots, view.mask, h)


@jit
def absorb(pending: Any, n_pending: Any, view: Any, start: Any, at: Any, grow: Any) -> Any:
    """Number and tally a chunk of hashes; return the end of the row, or -1 if there is not enough room."""
    if at + n_pending > view.entries or (grow and view.size[0] + n_pending > view.room):
        return -1
    for i in range(min(AHEAD, n_pending)):
        fetch_slot(view.slots, view.mask, pending[i])
    for i in range(n_pending):
        fetch_slot(view.slots, view.mask, pending[min(i + AHEAD, n_pending - 1)])
        number = number_of(pending[i], view, grow)
        if number >= 0:
            at = tally(number, ONCE, view.last, view.numbers, view.counts, view.base, start, at)
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
def roll_pad(rolling: Any, lowest: Any, highest: Any, out: Any, n_out: Any) -> Any:
    """Roll the space before or after a word or a run of ideographs; alone it is no n-gram."""
    return roll(PAD, rolling, max(2, lowest), highest, out, n_out)


@jit
def word_chars(
    data: Any, start: Any, stop: Any, alphabet: Any, lowest: Any, highest: Any, rolling: Any, out: Any
) -> Any:
    """Write the hashes of a word's character n-grams, a space on either side, to `out`; return how many."""
    restart(rolling, SEED_CHARS)
    n_out = roll_pad(rolling, lowest, highest, out, ZERO)
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
    return roll_pad(rolling, lowest, highest, out, n_out)


@jit
def count_word_ngrams(
    tokens: Any, n_tokens: Any, lowest: Any, highest: Any, rolling: Any, pending: Any,
    view: Any, start: Any, at: Any, grow: Any,
) -> Any:  # fmt: skip
    """Tally the word n-grams that end in one chunk of tokens; return the end of the row, or -1 for no room."""
    n_pending = ZERO
    for t in range(n_tokens):
        h = tokens.hashes[t]
        if lowest <= 1:
            pending[n_pending] = h
            n_pending += 1
        n_pending = roll(h, rolling, max(2, lowest), highest, pending, n_pending)
    return absorb(pending, n_pending, view, start, at, grow)


@jit
def settle(
    cache: Any, orders: Any, rolling: Any, fresh: Any, state: Any, view: Any, start: Any, at: Any, grow: Any
) -> Any:
    """Tally the n-grams of what waits: deferred words, or a run of ideographs, which ends here.

    Returns the end of the row, or -1 for no room.
    """
    for i in range(state[_N_DEFERRED]):
        word, times = cache.deferred[i], np.int64(cache.times[i])
        first, end = np.int64(cache.ends[word]), np.int64(cache.ends[word + 1])
        if at + end - first > view.entries:
            return -1
        for k in range(first, end):
            at = tally(np.int64(cache.pool[k]), times, view.last, view.numbers, view.counts, view.base, start, at)
    state[_CLOCK] += MAX_DEFERRED  # whatever is deferred, is deferred anew
    state[_N_DEFERRED] = 0
    if state[_RUN_STOP] >= 0:
        n_fresh = roll_pad(rolling, orders[4], orders[5], fresh, state[_N_FRESH])
        state[_RUN_STOP] = -1
        state[_N_FRESH] = 0
        at = absorb(fresh, n_fresh, view, start, at, grow)
    return at


@jit
def remember(hashes: Any, n_hashes: Any, cache: Any, view: Any, grow: Any) -> None:
    """Number a new word's n-grams and append them to the pool; the caller has seen to the room, and adds the word."""
    word = cache.size[0]
    end = np.int64(cache.ends[word])
    for i in range(n_hashes):
        number = number_of(hashes[i], view, grow)
        if number >= 0:
            cache.pool[end] = number
            end += 1
    cache.ends[word + 1] = end


@jit
def defer(
    data: Any, start_byte: Any, stop_byte: Any, h: Any, alphabet: Any, orders: Any, rolling: Any, fresh: Any,
    state: Any, cache: Any, view: Any, start: Any, at: Any, grow: Any,
) -> Any:  # fmt: skip
    """Count a word once more among the deferred ones; return the end of the row, or -1 for no room."""
    word = find(cache.slots, cache.mask, h)
    if word < 0:
        n = word_chars(data, start_byte, stop_byte, alphabet, orders[2], orders[3], rolling, fresh)
        if grow and view.size[0] + n > view.room:
            return -1
        if cache.size[0] == cache.room or cache.ends[cache.size[0]] + n > cache.pool_room:
            at = settle(cache, orders, rolling, fresh, state, view, start, at, grow)
            for i in range(np.int64(cache.mask) + 2):
                cache.slots[i] = 0
            cache.size[0] = 0
        remember(fresh, n, cache, view, grow)
        word = find_or_add(cache.slots, cache.mask, cache.hashes, cache.size, h)
    state[_N_DEFERRED] = tally(
        word, ONCE, cache.last, cache.deferred, cache.times, state[_CLOCK], ZERO, state[_N_DEFERRED]
    )
    return at


@jit
def count_char_ngrams(
    data: Any, tokens: Any, n_tokens: Any, alphabet: Any, orders: Any, rolling: Any, fresh: Any, state: Any,
    cache: Any, view: Any, start: Any, at: Any, grow: Any,
) -> Any:  # fmt: skip
    """Tally the character n-grams of one chunk of tokens; return the end of the row, or -1 for no room.

    Those of the last words, or of the last run of ideographs, wait for `settle`: never both at once.
    """
    for t in range(n_tokens):
        kind = tokens.kinds[t]
        fetch_slot(cache.slots, cache.mask, tokens.hashes[min(t + AHEAD, n_tokens - 1)])
        is_word = kind == WORD and orders[3] > 0
        is_ideograph = kind == IDEOGRAPH and orders[5] > 0
        if (
            (is_word and (state[_RUN_STOP] >= 0 or state[_N_DEFERRED] == MAX_DEFERRED))
            or (is_ideograph and state[_RUN_STOP] != tokens.starts[t])
        ):  # fmt: skip
            at = settle(cache, orders, rolling, fresh, state, view, start, at, grow)
        if is_word and at >= 0:
            at = defer(
                data, tokens.starts[t], tokens.stops[t], tokens.hashes[t], alphabet, orders, rolling, fresh, state,
                cache, view, start, at, grow,
            )  # fmt: skip
        elif is_ideograph and at >= 0:
            if state[_RUN_STOP] < 0:
                restart(rolling, SEED_CHARS)
                roll_pad(rolling, orders[4], orders[5], fresh, ZERO)
            code = decode(data, tokens.starts[t], tokens.stops[t])[0]
            state[_N_FRESH] = roll(np.uint64(code), rolling, orders[4], orders[5], fresh, state[_N_FRESH])
            state[_RUN_STOP] = tokens.stops[t]
            if state[_N_FRESH] > MAX_PENDING // 2:
                at = absorb(fresh, state[_N_FRESH], view, start, at, grow)
                state[_N_FRESH] = 0
        if at < 0:
            return at
    return at


@jit
def count_rows(
    data_array: Any, offsets: Any, row: Any, classes: Any, order_array: Any,
    word_counts: Any, char_counts: Any, word_cache: Any, scratch: Any, grow: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Count the n-grams of the rows from `row` on.

    Returns the row at which room ran out and the view that needs more (0 words, 1 characters), or (rows, -1).

    Args:
        data_array: uint8 bytes of the column, normalised as `text.columns` says.
        offsets: `[rows + 1]`; row r is data[offsets[r]:offsets[r + 1]].
        row: the first row to count; the rows before it are in the counts already.
        classes: an `Alphabet`.
        order_array: `[6]` int64; lowest and highest order of word, character, and ideograph n-grams; highest 0 is none.
        word_counts: `Counts` of the word view.
        char_counts: `Counts` of the character view.
        word_cache: the words' character n-grams.
        scratch: `Scratch`.
        grow: number new n-grams (when fitting) or pass over them (when predicting).
    """
    data, limit = pointer(data_array), np.int64(data_array.shape[0]) - 8
    alphabet, orders = alphabet_pointers(classes), pointer(order_array)
    words, chars = _view_pointers(word_counts), _view_pointers(char_counts)
    cache = _cache_pointers(word_cache, scratch.deferred)
    tokens, state = token_pointers(scratch.tokens), pointer(scratch.state)
    pending, fresh = pointer(scratch.pending), pointer(scratch.fresh)
    word_roll, char_roll = pointer(scratch.rolling[0]), pointer(scratch.rolling[1])
    with_chars = orders[3] > 0 or orders[5] > 0
    rows = offsets.shape[0] - 1
    while row < rows:
        w_start = w_at = word_counts.indptr[row]
        c_start = c_at = char_counts.indptr[row]
        at, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        restart(word_roll, SEED_WORDS)
        state[_N_FRESH] = state[_N_DEFERRED] = 0
        state[_RUN_STOP] = -1
        state[_CLOCK] += MAX_DEFERRED
        while at < stop:
            n_tokens, at = next_tokens(data, at, stop, limit, alphabet, tokens)
            w_at = count_word_ngrams(
                tokens, n_tokens, orders[0], orders[1], word_roll, pending, words, w_start, w_at, grow
            )
            if w_at < 0:
                return row, 0
            if with_chars:
                c_at = count_char_ngrams(
                    data, tokens, n_tokens, alphabet, orders, char_roll, fresh, state,
                    cache, chars, c_start, c_at, grow,
                )  # fmt: skip
                if c_at < 0:
                    return row, 1
        if with_chars:
            c_at = settle(cache, orders, char_roll, fresh, state, chars, c_start, c_at, grow)
            if c_at < 0:
                return row, 1
        row += 1
        word_counts.indptr[row] = w_at
        char_counts.indptr[row] = c_at
    return row, -1
