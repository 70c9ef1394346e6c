"""The tokeniser: where the next token is, what it is, and its hash. One pass over UTF-8 bytes, no list of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.hashing import SEED_WORD, fold
from logitkit.kernels.pointers import pointer
from logitkit.kernels.utf8 import KIND, LONE, SEPARATOR, SYMBOL, WORD, Alphabet, class_of, decode


@jit
def alphabet_pointers(alphabet: Any) -> Any:
    """Return an `Alphabet` of pointers, which `next_token` and `class_of` read."""
    return Alphabet(pointer(alphabet.ascii_word), pointer(alphabet.blocks), pointer(alphabet.classes))


@jit
def next_token(data: Any, at: Any, stop: Any, alphabet: Any) -> tuple[Any, Any, Any]:
    """Return the kind of what begins at `at`, its unfinished hash, and where it ends.

    A run of letters, digits and marks is a WORD; an IDEOGRAPH or a SYMBOL is one character. A SEPARATOR is the one
    character at `at`, and is no token. `at` < `stop`; the bytes may be anything.
    """
    h = SEED_WORD
    kind = SEPARATOR
    while at < stop:
        byte = data[at]
        if byte < 0x80:
            lower = alphabet.ascii_word[byte]
            if lower > LONE:
                kind = WORD
                h = fold(h, np.uint64(lower))
                at += 1
                continue
            if kind == SEPARATOR:
                at += 1
                if lower == LONE:
                    kind = SYMBOL
                    h = fold(h, np.uint64(byte))
            return kind, h, at
        code, length = decode(data, at, stop)
        code_kind = class_of(code, alphabet) & KIND
        if code_kind != WORD:
            if kind == SEPARATOR:
                kind = code_kind
                for k in range(length):
                    h = fold(h, np.uint64(data[at + k]))
                at += length
            return kind, h, at
        kind = WORD
        for k in range(length):
            h = fold(h, np.uint64(data[at + k]))
        at += length
    return kind, h, at
