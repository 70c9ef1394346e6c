"""Relations that hold of features whatever the texts are."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from texts import columns, texts

from logitkit.text import Features, NgramSpec, as_column, count_ngrams

LEARNED_FROM = [
    "The new smartphone has amazing features.",
    "To be, or not to be: naïve café",
    "中文人工智能新闻，我的手机！",
    "ok 123 のは 한국어",
    "привет मिरची ภาษาไทย €5",
    "abababab",
]


@pytest.fixture(scope="module")
def vocabulary():
    return count_ngrams(as_column(LEARNED_FROM), NgramSpec()).weigh()[0]


def rows_of(features: Features) -> list[tuple[bytes, bytes]]:
    """Return each row's bits."""
    ends = features.indptr.tolist()
    return [(features.indices[a:b].tobytes(), features.data[a:b].tobytes()) for a, b in pairwise(ends)]


def same(a: Features, b: Features) -> None:
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left, right)


@given(columns, st.randoms(use_true_random=False))
def test_rows_permuted_are_features_permuted(vocabulary, texts, rng):
    assume(texts)
    order = rng.sample(range(len(texts)), len(texts))
    whole = rows_of(vocabulary.transform(as_column(texts)))
    assert rows_of(vocabulary.transform(as_column([texts[i] for i in order]))) == [whole[i] for i in order]


@given(columns)
def test_a_batch_is_its_texts_one_by_one(vocabulary, texts):
    assume(texts)
    whole = rows_of(vocabulary.transform(as_column(texts)))
    assert [rows_of(vocabulary.transform(as_column([text])))[0] for text in texts] == whole


@given(columns, st.integers(1, 5))
def test_any_number_of_threads_gives_the_same_bits(texts, n):
    from logitkit.kernels import n_threads, set_threads

    before = n_threads()
    try:
        set_threads(1)
        one, features_one = count_ngrams(as_column(texts), NgramSpec()).weigh(rare=False)
        set_threads(n)
        many, features_many = count_ngrams(as_column(texts), NgramSpec()).weigh(rare=False)
    finally:
        set_threads(before)
    same(features_one, features_many)
    for name in ("word_hashes", "char_hashes", "idf"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


@given(columns, st.data(), st.booleans())
def test_fit_rows_is_fitting_on_the_subset(texts, data, rare):
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))), bool)
    subset = [text for text, is_chosen in zip(texts, chosen, strict=True) if is_chosen]
    ours, features = count_ngrams(as_column(texts), NgramSpec()).weigh(rare=rare, fit_rows=chosen)
    alone, features_alone = count_ngrams(as_column(subset), NgramSpec()).weigh(rare=rare)
    assert idf_by_hash(ours) == idf_by_hash(
        alone
    )  # the numbers may differ: first seen among all rows or the chosen ones
    there = alone.transform(as_column(texts))
    np.testing.assert_array_equal(features.indptr, there.indptr)
    np.testing.assert_array_equal(features.data, there.data)
    np.testing.assert_array_equal(hashes_of(ours)[features.indices], hashes_of(alone)[there.indices])
    chosen_rows = [row for row, is_chosen in zip(rows_of(there), chosen, strict=True) if is_chosen]
    assert chosen_rows == rows_of(features_alone)[: len(subset)]


def hashes_of(vocabulary):
    return np.concatenate([vocabulary.word_hashes, vocabulary.char_hashes])


def idf_by_hash(vocabulary):
    kinds = np.arange(vocabulary.n_features) < len(vocabulary.word_hashes)
    return dict(
        zip(zip(kinds.tolist(), hashes_of(vocabulary).tolist(), strict=True), vocabulary.idf.tolist(), strict=True)
    )


@given(texts)
def test_upper_and_lower_case_are_one(vocabulary, text):
    lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    upper = "".join(char.upper() if char.upper().lower() == char else char for char in lower)
    same(vocabulary.transform(as_column([lower])), vocabulary.transform(as_column([upper])))


@given(texts, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_normal_forms_are_one(vocabulary, text, form):
    same(vocabulary.transform(as_column([text])), vocabulary.transform(as_column([unicodedata.normalize(form, text)])))


def test_full_width_forms_are_their_narrow_ones(vocabulary):
    """All of them: the tokeniser knows the symbols itself, where NFKC is not called for."""
    wide = [chr(code) for code in range(0xFF01, 0xFF5F)]
    narrow = [chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)]
    ours, _ = count_ngrams(as_column(["中" + char for char in wide]), NgramSpec()).weigh()
    theirs, _ = count_ngrams(as_column(["中" + char for char in narrow]), NgramSpec()).weigh()
    np.testing.assert_array_equal(ours.word_hashes, theirs.word_hashes)
    np.testing.assert_array_equal(ours.char_hashes, theirs.char_hashes)


@given(texts)
def test_rows_of_each_view_have_length_one(text):
    vocabulary, features = count_ngrams(as_column([text]), NgramSpec()).weigh()
    is_word = features.indices < len(vocabulary.word_hashes)
    for view in (is_word, ~is_word):
        if view.any():
            assert np.linalg.norm(features.data[view].astype(float)) == pytest.approx(1.0, abs=1e-6)


def test_a_text_repeated_has_the_features_of_one(vocabulary):
    """A counter keeps its tables and stamps from call to call."""
    columns = [as_column([text]) for text in LEARNED_FROM]
    first = [rows_of(vocabulary.transform(column)) for column in columns]
    for _ in range(50):
        assert [rows_of(vocabulary.transform(column)) for column in columns] == first


def test_stamps_that_run_out_begin_anew(vocabulary, monkeypatch):
    from logitkit.text import counting

    column = as_column(LEARNED_FROM)
    expected = rows_of(vocabulary.transform(column))
    counter = counting.Counter(vocabulary.spec, vocabulary.tables)
    counter.count(column)
    monkeypatch.setattr(counting, "_MAX_PLACES", 5 * max(len(view.numbers) for view in counter._views))
    bases = []
    for _ in range(12):
        words, _ = counter.count(column)
        bases.append(words.base)
        again = counting.Counter(vocabulary.spec, vocabulary.tables).count(column)
        np.testing.assert_array_equal(again[0].numbers[: words.indptr[-1]], words.numbers[: words.indptr[-1]])
        np.testing.assert_array_equal(again[0].counts[: words.indptr[-1]], words.counts[: words.indptr[-1]])
    assert 0 in bases
    assert rows_of(vocabulary.transform(column)) == expected
