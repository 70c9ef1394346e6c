"""The hash is fixed: its golden file, the generator of that file, and the kernels agree."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from logitkit.kernels.hashing import HASH_VERSION
from logitkit.text import NgramSpec, as_column, count_ngrams

GOLDEN = Path(__file__).parent.parent / "golden"


def test_the_golden_file_is_what_its_generator_writes():
    record = runpy.run_path(str(GOLDEN / "make_hashes.py"))["record"]()
    assert json.loads((GOLDEN / "hashes.json").read_text(encoding="utf-8")) == json.loads(json.dumps(record))


def test_kernels_give_the_golden_hashes():
    golden = json.loads((GOLDEN / "hashes.json").read_text(encoding="utf-8"))
    assert golden["hash_version"] == HASH_VERSION
    for token, expected in golden["tokens"].items():
        assert word_hashes(token, (1, 1)) == [expected], token
        assert word_hashes("x " * 20 + token, (1, 1))[-1] == expected, token  # at the very end of the buffer
        assert word_hashes(token + " x" * 20, (1, 1))[0] == expected, token  # and well before it
    for tokens, expected in golden["word_ngrams"]:
        assert word_hashes(" ".join(tokens), (len(tokens), len(tokens))) == [expected], tokens
    for ngram, expected in golden["char_ngrams"].items():
        order = (len(ngram), len(ngram))
        vocabulary, _ = count_ngrams(as_column([ngram.strip()]), NgramSpec(chars=order, ideographs=order)).weigh()
        assert expected in hexadecimal(vocabulary.char_hashes), ngram


def word_hashes(text, order):
    vocabulary, _ = count_ngrams(as_column([text]), NgramSpec(words=order, chars=(1, 0), ideographs=(1, 0))).weigh()
    return hexadecimal(vocabulary.word_hashes)


def hexadecimal(hashes):
    return [f"{int(h):016x}" for h in hashes]
