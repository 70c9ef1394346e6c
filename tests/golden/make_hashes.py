"""Write hashes.json: n-grams → 64-bit hashes, by the plain loops of tests/naive_text.py alone. Run it from tests/.

PYTHONPATH=. python golden/make_hashes.py
"""

from __future__ import annotations

import json
from pathlib import Path

import naive_text

GOLDEN = Path(__file__).parent / "hashes.json"

TOKENS = [
    *(
        "a",
        "the",
        "zebra",
        "sevenxx",
        "eightxxx",
        "ninexxxxx",
        "sixteenxsixteenx",
        "donaudampfschifffahrtsgesellschaft",
    ),
    *("2026", "naïve", "überraschung", "привет", "ελληνικά", "हिन्दी", "ภาษาไทย", "العربية", "中", "の", "한"),
    *(",", "€", "🙂"),
]
WORD_NGRAMS = [["to", "be"], ["be", "to"], ["not", "to", "be"], ["中", "国"], ["ok", "!"]]
CHAR_NGRAMS = [" a", "a ", " th", "the", "he ", " the ", "naïve", "при", " 中", "中国", "中国 ", "のは"]


def record() -> dict[str, object]:
    """Return what the file holds: hashes as 16 hexadecimal digits."""
    return {
        "hash_version": 1,
        "tokens": {token: f"{naive_text.hash_token(token):016x}" for token in TOKENS},
        "word_ngrams": [[ngram, f"{naive_text.hash_word_ngram(ngram):016x}"] for ngram in WORD_NGRAMS],
        "char_ngrams": {ngram: f"{naive_text.hash_char_ngram(ngram):016x}" for ngram in CHAR_NGRAMS},
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(record(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
