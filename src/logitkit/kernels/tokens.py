"""The tokeniser: where the next token is, what it is, and its hash. One pass over UTF-8 bytes, by chunks of tokens.

A token's bytes are hashed eight at a time, from its first byte on, the last ones filled up with zeros (no token holds a
NUL). ASCII letters and digits, which most words are made of, are found and lowered eight at a time as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.hashing import SEED_WORD, finish, fold
from logitkit.kernels.pointers import load8, pointer, trailing_zeros
from logitkit.kernels.utf8 import KIND, LONE, SEPARATOR, SYMBOL, WORD, Alphabet, class_of, decode

MAX_TOKENS = 256  # of one chunk

_EACH = 0x0101010101010101
_HIGH = np.uint64(0x80 * _EACH)
_CASE = np.uint64(0x20 * _EACH)
# x + _FROM_A has the high bit in every byte of at least "a", x + _BEYOND_Z in every byte above "z"; likewise digits.
_FROM_A = np.uint64((0x80 - ord("a")) * _EACH)
_BEYOND_Z = np.uint64((0x7F - ord("z")) * _EACH)
_FROM_0 = np.uint64((0x80 - ord("0")) * _EACH)
_BEYOND_9 = np.uint64((0x7F - ord("9")) * _EACH)
_ONE, _TWO, _EIGHT = np.uint64(1), np.uint64(2), np.uint64(8)
_NOTHING = np.uint64(0)
_FULL_WIDTH, _FULL_WIDTH_LAST, _FULL_WIDTH_SHIFT = 0xFF01, 0xFF5E, 0xFEE0


class Tokens(NamedTuple):
    """A chunk of tokens, each array `[MAX_TOKENS]`.

    Attributes:
        hashes: uint64, finished.
        starts: int64; where the token's bytes begin.
        stops: int64; where they end.
        kinds: uint8; WORD, IDEOGRAPH or SYMBOL.
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    kinds: NDArray[np.uint8]


def make_tokens() -> Tokens:
    """Return room for a chunk of tokens."""
    return Tokens(
        np.zeros(MAX_TOKENS, np.uint64), np.zeros(MAX_TOKENS, np.int64), np.zeros(MAX_TOKENS, np.int64),
        np.zeros(MAX_TOKENS, np.uint8),
    )  # fmt: skip


@jit
def alphabet_pointers(alphabet: Any) -> Any:
    """Return an `Alphabet` of pointers, which `next_token` and `class_of` read."""
    return Alphabet(pointer(alphabet.ascii_word), pointer(alphabet.blocks), pointer(alphabet.classes))


@jit
def token_pointers(tokens: Any) -> Any:
    """Return `Tokens` of pointers, which `next_tokens` writes."""
    return Tokens(pointer(tokens.hashes), pointer(tokens.starts), pointer(tokens.stops), pointer(tokens.kinds))


@jit
def ascii_word(eight: Any) -> tuple[Any, Any]:
    """Return how many of eight bytes, from the lowest on, are ASCII letters or digits, and these in lower case."""
    lower = eight | _CASE
    letters = (lower + _FROM_A) & ~(lower + _BEYOND_Z) & _HIGH
    digits = (eight + _FROM_0) & ~(eight + _BEYOND_9) & _HIGH
    # The sums carry out of a byte only if it is no ASCII, and then only into bytes after it, which are not asked for.
    length = np.int64(trailing_zeros(((letters | digits) & ~eight) ^ _HIGH) >> np.uint64(3))
    lower = eight | letters >> _TWO
    if length < 8:
        lower &= (_ONE << np.uint64(8 * length)) - _ONE
    return length, lower


@jit
def next_token(data: Any, at: Any, stop: Any, limit: Any, alphabet: Any) -> tuple[Any, Any, Any]:
    """Return the kind of what begins at `at`, its unfinished hash, and where it ends.

    A run of letters, digits and marks is a WORD; an IDEOGRAPH or a SYMBOL is one character. A SEPARATOR is the one
    character at `at`, and is no token. `at` < `stop`; the bytes may be anything. Eight bytes may be read from any place
    up to `limit`.
    """
    h = SEED_WORD
    kind = SEPARATOR
    rest, n_rest = _NOTHING, 0  # the bytes not yet folded
    while at <= limit:
        length, rest = ascii_word(load8(data, at))
        n_rest = min(length, stop - at)
        if n_rest < length:
            rest &= (_ONE << np.uint64(8 * n_rest)) - _ONE
        if n_rest == 0:
            break
        kind = WORD
        at += n_rest
        if n_rest < 8:
            break
        h = fold(h, rest)
        rest, n_rest = _NOTHING, 0
    # What is left, one character at a time: other scripts, symbols, and the last bytes of the buffer.
    while at < stop:
        byte = data[at]
        if byte < 0x80:
            lower = np.int64(alphabet.ascii_word[byte])
            length = np.int64(1)
            if lower <= LONE:
                if kind == SEPARATOR:
                    at += 1
                    if lower == LONE:
                        kind = SYMBOL
                        rest = np.uint64(byte)
                        n_rest = 1
                break
        else:
            code, length = decode(data, at, stop)
            lower = np.int64(-1)  # as it is
            code_kind = class_of(code, alphabet) & KIND
            if code_kind != WORD:
                if kind == SEPARATOR:
                    kind = code_kind
                    n_rest = 1
                    if _FULL_WIDTH <= code <= _FULL_WIDTH_LAST:  # NFKC makes it ASCII
                        rest = np.uint64(code - _FULL_WIDTH_SHIFT)
                    else:
                        for k in range(length):
                            rest |= np.uint64(data[at + k]) << np.uint64(8 * k)
                    at += length
                break
        kind = WORD
        for k in range(length):
            rest |= np.uint64(data[at + k] if lower < 0 else lower) << np.uint64(8 * n_rest)
            n_rest += 1
            if n_rest == 8:
                h = fold(h, rest)
                rest, n_rest = _NOTHING, 0
        at += length
    if n_rest > 0:
        h = fold(h, rest)
    return kind, h, at


@jit
def next_tokens(data: Any, at: Any, stop: Any, limit: Any, alphabet: Any, tokens_out: Any) -> tuple[Any, Any]:
    """Write the next tokens, at most MAX_TOKENS; return how many, and where the bytes not yet read begin."""
    n_tokens = 0
    while at < stop and n_tokens < MAX_TOKENS:
        byte = data[at]
        if byte < 0x80 and alphabet.ascii_word[byte] == 0:
            at += 1
            continue
        start = at
        kind, h, at = next_token(data, start, stop, limit, alphabet)
        if kind != SEPARATOR:
            tokens_out.hashes[n_tokens] = finish(h)
            tokens_out.starts[n_tokens] = start
            tokens_out.stops[n_tokens] = at
            tokens_out.kinds[n_tokens] = kind
            n_tokens += 1
    return n_tokens, at
