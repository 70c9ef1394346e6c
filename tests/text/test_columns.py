"""Whatever holds texts becomes the same column; what does not is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import columns

from logitkit.errors import InputError
from logitkit.text import NgramSpec, as_column, count_ngrams
from logitkit.text import counting as counting_module

TEXTS = ["The news", "", "Ünit Ａ１", "中文，新闻", "e\u0301", "plain ascii", "ΑΣ"]


def bytes_of(column):
    return [bytes(column.data[a:b]) for a, b in zip(column.offsets[:-1], column.offsets[1:], strict=True)]


HOLDERS = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "numpy": np.array,
    "numpy of objects": lambda texts: np.array(texts, object),
    "string": lambda texts: pa.array(texts, pa.string()),
    "large_string": lambda texts: pa.array(texts, pa.large_string()),
    "string_view": lambda texts: pa.array(texts, pa.string_view()),
    "dictionary": lambda texts: pa.array(texts, pa.string()).dictionary_encode(),
    "slice": lambda texts: pa.array(["before, É", *texts, "after"], pa.string()).slice(1, len(texts)),
    "large slice": lambda texts: pa.array(["before", *texts, "after"], pa.large_string()).slice(1, len(texts)),
    "slice of no nulls": lambda texts: pa.array([None, *texts, None], pa.string()).slice(1, len(texts)),
    "chunks": lambda texts: pa.chunked_array([pa.array(texts[:2], pa.string()), pa.array(texts[2:], pa.string())]),
    "sliced chunks": lambda texts: pa.chunked_array([["x", *texts[:3]], texts[3:]]).slice(1),
    "chunks of dictionaries": lambda texts: pa.chunked_array([texts[:2], texts[2:]], pa.string()).dictionary_encode(),
    "no chunks": lambda texts: pa.chunked_array([texts], pa.string()) if texts else pa.chunked_array([], pa.string()),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_any_holder_gives_the_same_column(holder):
    assert bytes_of(as_column(HOLDERS[holder](TEXTS))) == bytes_of(as_column(TEXTS))


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_rows(holder):
    texts = HOLDERS[holder]([]) if "numpy" not in holder else np.array([], str)
    column = as_column(texts)
    assert (column.rows, column.size, column.blocks()) == (0, 0, [])
    vocabulary, features = count_ngrams(column, NgramSpec()).weigh()
    assert (vocabulary.n_features, features.indptr.tolist(), len(features.indices)) == (0, [0], 0)
    assert vocabulary.transform(column).indptr.tolist() == [0]
    assert np.diff(vocabulary.transform(as_column(TEXTS)).indptr).tolist() == [0] * len(TEXTS)


def test_other_libraries_texts():
    class Series:  # as pandas has it
        def to_numpy(self):
            return np.array(TEXTS, object)

        def __array__(self, dtype=None, copy=None):
            return self.to_numpy()

    class Polars:
        def to_arrow(self):
            return pa.array(TEXTS, pa.large_string())

    assert bytes_of(as_column(Series())) == bytes_of(as_column(Polars())) == bytes_of(as_column(TEXTS))


def test_plain_ascii_is_not_copied():
    array = pa.array(["The News", "of today"])
    column = as_column(array)
    assert column.data.ctypes.data == array.buffers()[2].address


def test_most_chinese_is_not_copied():
    array = pa.array(["今天，我们（都）很好！是吗？", "“新闻”：一、二；三。"])
    assert as_column(array).data.ctypes.data == array.buffers()[2].address


def test_lone_surrogates_are_replaced():
    assert bytes_of(as_column(["a\ud800b", "ok"])) == ["a\ufffdb".encode().replace("\ufffd".encode(), b"?"), b"ok"]


@given(columns, st.integers(1, 40))
def test_blocks_cover_all_rows_in_order(texts, block_bytes):
    column = as_column(texts)
    blocks = column.blocks(block_bytes)
    assert [row for start, stop in blocks for row in range(start, stop)] == list(range(column.rows))
    assert all(start < stop for start, stop in blocks)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ("one text", "must be a sequence of texts; got one bare string"),
        (b"bytes", "must be a sequence of texts; got one bare string"),
        (["a", None], r"Text 1 \(counted from 0\) is null"),
        (pa.array(["a", None, "b"]), r"Text 1 \(counted from 0\) is null"),
        (pa.chunked_array([["a"], ["b", None]]), r"Text 2 \(counted from 0\) is null"),
        (pa.array(["x", None, "b", None]).slice(2), r"Text 1 \(counted from 0\) is null"),
        (pa.array(["a", None]).dictionary_encode(), r"Text 1 \(counted from 0\) is null"),
        (pa.DictionaryArray.from_arrays([0, 1], ["a", None]), r"Text 1 \(counted from 0\) is null"),
        (pa.array([1, 2]), "got a column of type int64"),
        (["a", 5], r"Text 1 \(counted from 0\) must be a string; got int 5"),
        (np.array([1.5]), r"Text 0 \(counted from 0\) must be a string; got float 1.5"),
        ([["nested"]], r"Text 0 \(counted from 0\) must be a string; got list"),
        (5, "must be a sequence of texts; got int"),
    ],
)
def test_what_is_no_text_is_refused(texts, sentence):
    with pytest.raises(InputError, match=sentence):
        as_column(texts)


def test_occurrences_want_one_text():
    vocabulary, _ = count_ngrams(as_column(TEXTS), NgramSpec()).weigh()
    with pytest.raises(InputError, match="one text; got 2 texts"):
        vocabulary.occurrences(as_column(["a", "b"]))


def test_more_entries_than_32_bits_count_are_refused(monkeypatch):
    monkeypatch.setattr(counting_module, "_MAX_PLACES", 5000)
    monkeypatch.setattr(counting_module, "guess_rooms", lambda spec, size: counting_module._Rooms(1, 1, 1, 1, 1))
    with pytest.raises(InputError, match="A batch may have at most 5000"):
        count_ngrams(as_column([" ".join(f"w{i}" for i in range(3000))]), NgramSpec())
