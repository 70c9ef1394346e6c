"""logitkit.text equals the plain loops of tests/naive_text.py, however little room the kernels are given at first."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import columns, orders, texts

import naive_text
from logitkit.kernels import run_blocks
from logitkit.kernels.hashing import make_table
from logitkit.kernels.ngrams import make_cache
from logitkit.text import Column, NgramSpec, as_column, count_ngrams, counting, features
from logitkit.text.counting import _Rooms

SPECS = [
    NgramSpec(),
    NgramSpec(chars=(1, 0), ideographs=(1, 0)),
    NgramSpec(words=(2, 3), chars=(1, 4), ideographs=(1, 3)),
    NgramSpec(words=(1, 1), chars=(1, 0)),
    NgramSpec(words=(1, 8), chars=(8, 8), ideographs=(1, 0)),
]
specs = st.one_of(st.sampled_from(SPECS), st.builds(NgramSpec, words=orders, chars=orders, ideographs=orders))


@pytest.fixture(params=["usual", "tiny"])
def rooms(request, monkeypatch):
    """Run a test twice: with the usual rooms, and with rooms so small that rows are taken back all the time."""
    if request.param == "tiny":
        monkeypatch.setattr(counting, "guess_rooms", lambda spec, size: _Rooms(1, 1, 1, 1, 1))
        monkeypatch.setattr(counting, "make_table", lambda room: narrow(make_table(room), room))
        monkeypatch.setattr(
            counting, "make_cache", lambda words: make_cache(words)._replace(table=narrow(make_table(words), words))
        )


def narrow(table, room):
    return table._replace(hashes=table.hashes[:room])


def check(column, texts, spec, **options):
    vocabulary, ours = count_ngrams(column, spec).weigh(**options)
    word_hashes, char_hashes, idf, rows = naive_text.features(texts, spec.words, spec.chars, spec.ideographs, **options)
    assert vocabulary.word_hashes.tolist() == word_hashes
    assert vocabulary.char_hashes.tolist() == char_hashes
    np.testing.assert_allclose(vocabulary.idf, idf, rtol=1e-6)
    assert np.diff(ours.indptr).tolist() == [len(row) for row in rows]
    assert ours.indices.tolist() == [feature for row in rows for feature, _ in row]
    np.testing.assert_allclose(ours.data, [weight for row in rows for _, weight in row], rtol=1e-6)
    assert (ours.indptr.dtype, ours.indices.dtype, ours.data.dtype) == (np.int64, np.int32, np.float32)
    assert ours.n_features == vocabulary.n_features == len(idf)
    return vocabulary, ours


@pytest.mark.usefixtures("rooms")
@given(columns, specs, st.booleans(), st.randoms(use_true_random=False))
def test_features_equal_plain_loops(texts, spec, rare, rng):
    fit_rows = None if rng.random() < 0.5 else np.array([rng.random() < 0.6 for _ in texts], bool)
    vocabulary, ours = check(as_column(texts), texts, spec, rare=rare, fit_rows=fit_rows)
    again = vocabulary.transform(as_column(texts))
    for a, b in zip(again, ours, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("rooms")
def test_long_rows_overflow_many_times_and_equal_plain_loops():
    rng = random.Random(7)
    letters = "abcdefghij" + "éж" + "中文人工智能"
    row = " ".join("".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(3000))
    texts = ["short", row, "", row[::-1], "short"]
    vocabulary, ours = check(as_column(texts), texts, NgramSpec())
    for a, b in zip(vocabulary.transform(as_column(texts)), ours, strict=True):
        np.testing.assert_array_equal(a, b)


BROKEN = [
    *(b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xff\xfe"),
    *(b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe4\xb8", b"\xed\xa0\x80", b"\xed\xbf\xbf"),
    *(b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x99", b"\xf4\x90\x80\x80", b"\xf5\x80"),
]
raw_texts = st.lists(
    st.one_of(st.sampled_from(BROKEN), st.binary(max_size=5), texts.map(str.encode), st.just("É".encode())), max_size=6
).map(b"".join)


@pytest.mark.parametrize("broken", BROKEN)
def test_each_kind_of_broken_utf8_is_replaced(broken):
    rows = [
        b"ok",
        broken,
        "É".encode() + broken + b"e",
        broken + "é".encode() + broken,
        b"word" + broken + "Ａ中".encode(),
    ]
    check(as_column(pa.array(rows, pa.binary()).view(pa.string())), rows, NgramSpec())


@given(st.lists(raw_texts, max_size=6))
def test_any_bytes_read_as_with_replacement_characters(rows):
    array = pa.array(rows, pa.binary()).view(pa.string())  # what a file that lies about its encoding gives
    check(as_column(array), rows, NgramSpec())


@given(texts, specs)
def test_occurrences_equal_plain_loops_and_counts(text, spec):
    column = as_column([text])
    vocabulary, _ = count_ngrams(column, spec).weigh()
    found = vocabulary.occurrences(column)
    runs = naive_text.runs_of(naive_text.normalise(text))
    tokens = [token for run in runs for token in run]
    raw = [bytes(column.data[a:b]).decode() for a, b in zip(found.token_starts, found.token_stops, strict=True)]
    assert [naive_text.normalise(token) for token in raw] == [token for _, token in tokens]
    assert found.token_kinds.tolist() == [kind for kind, _ in tokens]
    words = [(naive_text.hash_word_ngram(n), *span) for n, span in naive_text.word_ngrams(tokens, *spec.words)]
    chars = [
        (naive_text.hash_char_ngram(n), *span) for n, span in naive_text.char_ngrams(runs, spec.chars, spec.ideographs)
    ]
    hashes = np.concatenate([vocabulary.word_hashes, vocabulary.char_hashes])
    is_word = found.features < len(vocabulary.word_hashes)
    for view, expected in ((is_word, words), (~is_word, chars)):
        spans = zip(hashes[found.features[view]], found.first_tokens[view], found.last_tokens[view], strict=True)
        assert sorted((int(h), int(a), int(b)) for h, a, b in spans) == sorted(expected)


@given(columns, texts)
def test_occurrences_are_those_that_transform_counts(texts, other):
    """Also in a text with n-grams that are not known."""
    vocabulary, _ = count_ngrams(as_column(texts), NgramSpec()).weigh()
    column = as_column([other])
    occurrences = np.bincount(vocabulary.occurrences(column).features, minlength=vocabulary.n_features)
    words, chars = counting.Counter(vocabulary.spec, vocabulary.tables).count(column)
    counts = np.zeros(vocabulary.n_features, np.int64)
    for view, base in ((words, 0), (chars, len(vocabulary.word_hashes))):
        entries = slice(0, view.indptr[1])
        counts[view.numbers[entries] + base] = view.counts[entries]
    np.testing.assert_array_equal(occurrences, counts)


def test_blocks_in_parallel_equal_the_whole():
    rng = random.Random(3)
    texts = [
        " ".join(rng.choices(["to", "be", "中文", "naïve", "!", "x" * 80], k=rng.randint(0, 30))) for _ in range(500)
    ]
    column = as_column(texts)
    vocabulary, whole = count_ngrams(column, NgramSpec()).weigh()
    blocks = column.blocks(1000)
    assert len(blocks) > 5
    parts = run_blocks(lambda a, b: vocabulary.transform(Column(column.data, column.offsets[a : b + 1])), blocks)
    np.testing.assert_array_equal(np.concatenate([part.indices for part in parts]), whole.indices)
    np.testing.assert_array_equal(np.concatenate([part.data for part in parts]), whole.data)


def test_shards_equal_the_whole(monkeypatch):
    rng = random.Random(4)
    texts = [
        " ".join(rng.choices(["to", "be", "中文", "naïve", "!", f"w{i}"], k=rng.randint(0, 30))) for i in range(300)
    ]
    whole = count_ngrams(as_column(texts), NgramSpec()).weigh(rare=False)
    monkeypatch.setattr(features, "_SHARD_BYTES", 700)
    counts = count_ngrams(as_column(texts), NgramSpec())
    assert len(counts.shards) > 5
    vocabulary, ours = counts.weigh(rare=False)
    np.testing.assert_array_equal(vocabulary.word_hashes, whole[0].word_hashes)
    np.testing.assert_array_equal(vocabulary.char_hashes, whole[0].char_hashes)
    for a, b in zip(ours, whole[1], strict=True):
        np.testing.assert_array_equal(a, b)
