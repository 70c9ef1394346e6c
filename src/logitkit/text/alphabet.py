"""The character classes that the tokeniser reads, from the committed Unicode table."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from logitkit.kernels.utf8 import KIND, LONE, SYMBOL, WORD, Alphabet

_TABLE = Path(__file__).parent / "unicode_classes.npz"


@cache
def alphabet() -> Alphabet:
    """Return the tokeniser's tables, read once.

    Example:
        >>> from logitkit.text.alphabet import alphabet
        >>> chr(alphabet().ascii_word[ord("A")])
        'a'
    """
    with np.load(_TABLE, allow_pickle=False) as table:
        blocks, classes = table["blocks"], table["classes"].reshape(-1)
    ascii_word = np.array([ord(chr(code).lower()) for code in range(128)], np.uint8)
    kinds = classes.reshape(-1, 256)[blocks[0], :128] & KIND
    ascii_word[kinds != WORD] = 0
    ascii_word[kinds == SYMBOL] = LONE
    return Alphabet(ascii_word, blocks, classes)
