"""UTF-8 bytes to code points and their token classes, safe on any bytes whatever."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.pointers import pointer

# The token classes of `tools/unicode_table.py`: two low bits, then what the row needs before it may be tokenised.
SEPARATOR, WORD, IDEOGRAPH, SYMBOL = 0, 1, 2, 3
KIND = 3
NEEDS_LOWER, NEEDS_NFKC, NEEDS_REPAIR = 4, 8, 16
REPLACEMENT = 0xFFFD
LONE = 1  # in `Alphabet.ascii_word`: a symbol, which is a token of its own


class Alphabet(NamedTuple):
    """What the tokeniser knows of characters.

    Attributes:
        ascii_word: `[128]` uint8; the lower-cased byte of a letter or digit, LONE for a symbol, zero for a separator.
        blocks: `[4352]` uint8; the row of `classes` for code point >> 8.
        classes: `[n × 256]` uint8; class and flags.
    """

    ascii_word: NDArray[np.uint8]
    blocks: NDArray[np.uint8]
    classes: NDArray[np.uint8]


@jit
def decode(data: Any, at: Any, stop: Any) -> tuple[Any, Any]:
    """Return the code point that starts at `at` and its length in bytes; (REPLACEMENT, 1) where UTF-8 is broken."""
    b0 = np.int64(data[at])
    if b0 < 0x80:
        return b0, 1
    if b0 < 0xC2 or b0 > 0xF4 or at + 1 >= stop:
        return REPLACEMENT, 1
    b1 = np.int64(data[at + 1]) ^ 0x80
    if b1 >= 0x40:
        return REPLACEMENT, 1
    if b0 < 0xE0:
        return (b0 & 0x1F) << 6 | b1, 2
    if at + 2 >= stop:
        return REPLACEMENT, 1
    b2 = np.int64(data[at + 2]) ^ 0x80
    if b2 >= 0x40:
        return REPLACEMENT, 1
    if b0 < 0xF0:
        code = (b0 & 0x0F) << 12 | b1 << 6 | b2
        if code < 0x800 or 0xD800 <= code < 0xE000:
            return REPLACEMENT, 1
        return code, 3
    if at + 3 >= stop:
        return REPLACEMENT, 1
    b3 = np.int64(data[at + 3]) ^ 0x80
    code = (b0 & 0x07) << 18 | b1 << 12 | b2 << 6 | b3
    if b3 >= 0x40 or code < 0x10000 or code > 0x10FFFF:
        return REPLACEMENT, 1
    return code, 4


@jit
def class_of(code: Any, alphabet: Any) -> Any:
    """Return the token class of a code point, with its flags."""
    return np.int64(alphabet.classes[np.int64(alphabet.blocks[code >> 8]) << 8 | code & 255])


@jit
def row_flags(data_array: Any, offsets: Any, classes: Any, flags_out: Any) -> None:
    """Write for each row which of NEEDS_LOWER, NEEDS_NFKC and NEEDS_REPAIR hold; plain ASCII needs nothing."""
    data = pointer(data_array)
    alphabet = Alphabet(pointer(classes.ascii_word), pointer(classes.blocks), pointer(classes.classes))
    for row in range(offsets.shape[0] - 1):
        start, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        high = np.uint8(0)
        for i in range(start, stop):
            high |= data[i]
        flags = 0
        if high >= 0x80:
            at = start
            while at < stop:
                if data[at] < 0x80:
                    at += 1
                    continue
                code, length = decode(data, at, stop)
                if code == REPLACEMENT and length == 1:
                    flags |= NEEDS_REPAIR
                flags |= class_of(code, alphabet) & (NEEDS_LOWER | NEEDS_NFKC)
                at += length
            if flags & (NEEDS_LOWER | NEEDS_NFKC) == NEEDS_NFKC:
                flags |= NEEDS_LOWER
        flags_out[row] = flags
