"""Write `src/logitkit/text/unicode_classes.npz`: what the tokeniser has to know of every Unicode code point.

The table is committed, so that a text has the same features on every version of Python (each carries its own Unicode).
Run `python tools/unicode_table.py` to write it anew; `tests/text/test_unicode.py` holds it to this generator.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TABLE = Path(__file__).parent.parent / "src" / "logitkit" / "text" / "unicode_classes.npz"
BLOCK = 256

SEPARATOR, WORD, IDEOGRAPH, SYMBOL = 0, 1, 2, 3
NEEDS_LOWER, NEEDS_NFKC = 4, 8

# Scripts written without spaces whose characters carry meaning of their own: each is a token.
IDEOGRAPH_NAMES = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE", "BOPOMOFO")

# The second halves of canonical compositions: such a character may merge with the one before it.
MERGES = {
    chr(int(parts[1], 16))
    for parts in (unicodedata.decomposition(chr(code)).split() for code in range(0x110000))
    if len(parts) == 2 and not parts[0].startswith("<")
} | {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}  # Hangul vowels and finals
VARIATION_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def class_of(code: int) -> int:
    """Return the token class of a code point, plus flags for what must be done before the tokeniser may see it."""
    char = chr(code)
    category = unicodedata.category(char)
    if category in ("Cs", "Cn", "Co") or code in VARIATION_SELECTORS or code == 0xFFFD:
        return SEPARATOR
    normal = unicodedata.normalize("NFKC", char)
    flags = 0
    if normal != char or unicodedata.combining(char) or char in MERGES:
        flags |= NEEDS_NFKC
    if normal.lower() != normal:
        flags |= NEEDS_LOWER
    kind = _kind(char, category)
    if kind == SYMBOL and 0xFF01 <= code <= 0xFF5E:
        return SYMBOL  # full-width ASCII: the tokeniser knows, and most rows of Chinese need no normalisation
    if kind == SEPARATOR and all(_kind(c, unicodedata.category(c)) == SEPARATOR for c in normal):
        return SEPARATOR  # whatever normalisation makes of it, it separates words
    return kind | flags


def _kind(char: str, category: str) -> int:
    if category[0] in "LNM":
        return IDEOGRAPH if unicodedata.name(char, "").startswith(IDEOGRAPH_NAMES) else WORD
    return SYMBOL if category[0] in "PS" else SEPARATOR


def make_table() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the two stages: `blocks[code >> 8]` names a row of `classes`, whose column is `code & 255`."""
    flat = np.array([class_of(code) for code in range(0x110000)], dtype=np.uint8).reshape(-1, BLOCK)
    classes, blocks = np.unique(flat, axis=0, return_inverse=True)
    return blocks.astype(np.uint8).reshape(-1), classes


if __name__ == "__main__":
    stage_blocks, stage_classes = make_table()
    assert len(stage_classes) <= 256, len(stage_classes)
    np.savez_compressed(
        TABLE, blocks=stage_blocks, classes=stage_classes, unicode=np.array([unicodedata.unidata_version])
    )
    size = TABLE.stat().st_size
    print(f"{TABLE.name}: {len(stage_classes)} blocks, Unicode {unicodedata.unidata_version}, {size} bytes")
