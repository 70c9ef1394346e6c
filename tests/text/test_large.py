"""One text of 100 MB: time and memory stay in proportion."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from logitkit.text import Column, NgramSpec, as_column, count_ngrams

SIZE = 100_000_000
SHAPES = {
    "one word": b"abcdefghij",
    "one-letter words": b"a b ",
    "one run of Han": "中文人工智能".encode(),
    "symbols": b".,;!",
}


@pytest.fixture(scope="module")
def vocabulary():
    return count_ngrams(as_column([(unit * 9).decode() for unit in SHAPES.values()]), NgramSpec()).weigh()[0]


def huge(unit: bytes, size: int) -> pa.Array:
    data = np.tile(np.frombuffer(unit, np.uint8), size // len(unit))
    return pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data)]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_of_100_mb_is_read(vocabulary, shape):
    text = huge(SHAPES[shape], SIZE)
    start = time.perf_counter()
    features = vocabulary.transform(as_column(text))
    assert time.perf_counter() - start < 60  # a machine may be busy; a quadratic pass would take days
    assert len(features.indices) > 0
    assert np.isfinite(features.data).all()
    assert features.data.max() <= 1.0


def test_counts_of_a_large_text_are_exact():
    text = huge(b"a b ", 4_000_000)
    vocabulary, _ = count_ngrams(as_column(text), NgramSpec(chars=(1, 0))).weigh()
    assert vocabulary.n_features == 4  # a, b, "a b", "b a"
    column = as_column(text)
    assert isinstance(column, Column)
    from logitkit.text.counting import Counter

    words, _ = Counter(vocabulary.spec, vocabulary.tables).count(column)
    assert words.counts[:4].tolist() == [1_000_000, 1_000_000, 1_000_000, 999_999]


def test_memory_of_a_large_text():
    """In a process of its own, whose peak is its own."""
    code = """
import resource, numpy as np, pyarrow as pa
from logitkit.text import NgramSpec, as_column, count_ngrams
vocabulary, _ = count_ngrams(as_column(["to be 中文"]), NgramSpec()).weigh()
vocabulary.transform(as_column(["warm"]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 100_000_000], np.int32)),
                                              pa.py_buffer(np.tile(np.frombuffer(b"to be no", np.uint8), 12_500_000))])
vocabulary.transform(as_column(text))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 250  # MB, of which the text is 100
