"""What each token adds: the sums are the logits, and the parts are those of a plain recomputation."""

import itertools
import math
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logitkit import NgramSpec, TextClassifier, TrainOptions
from logitkit.errors import InputError, OptionError
from synthetic import corpus

SCRIPTED = st.text(
    st.one_of(
        st.sampled_from("abc ABC  .,!-'\n\t\0"),
        st.sampled_from("手机新闻电影かなカナ한국어àéñßǅﬁ①ａ"),
        st.sampled_from("שלוםمرحباไทยनमस्ते👍🏽👩‍👩‍👧e\u0301\u200d\ufeff"),
        st.characters(codec="utf-8"),
    ),
    max_size=60,
)


@pytest.fixture(scope="module")
def model():
    texts, labels = corpus(300)
    extra = ["手机新闻 é ﬁ abc", "한국어 かなカナ 👍🏽 .,!", "שלום مرحبا ไทย नमस्ते"] * 10
    return TextClassifier(TrainOptions(epochs=4)).fit([*texts, *extra], [*labels, *["a", "b", "c"] * 10])


@given(text=SCRIPTED)
@example("")
@example("手机手机 手机")
@example("abc abc abc")
@example("ﬁ Ａ①")
def test_contributions_and_bias_are_the_logits(model, text):
    found = model.explain(text)
    assert found.contributions.shape == (len(found.tokens), len(model.class_names))
    assert (found.logits == model.predict_logits([text])[0]).all()
    total = found.contributions.sum(axis=0) + found.bias
    size = abs(found.contributions).sum(axis=0) + abs(found.bias)
    assert (abs(total - found.logits) <= 1e-5 * (1.0 + size)).all()
    assert all(token for token in found.tokens) and found.temperature == model.temperature


@given(text=SCRIPTED)
@example("：a:")  # full-width punctuation becomes ASCII only in the tokeniser
def test_the_tokens_are_the_text_as_the_model_reads_it(model, text):
    """Every character but space, in order: lower case and NFKC."""
    plain = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode()).lower()
    tokens = model.explain(text).tokens
    at = 0
    for token in tokens:
        at = plain.find(token, at)
        assert at >= 0, (tokens, plain)
        at += len(token)
    assert sum(c.isalpha() for token in tokens for c in token) == sum(c.isalpha() for c in plain)


TOKENS = st.lists(st.sampled_from(["goal", "match", "chip", "phone", "the", "zzz"]), min_size=1, max_size=9)


@given(tokens=TOKENS)
def test_a_contribution_is_that_of_the_tokens_n_grams(tokens):
    """Words and word pairs, weighed and shared out by hand from the weights that the vocabulary has for each."""
    model = small_model()
    found = model.explain(" ".join(tokens))
    expected = by_hand(model, tokens)
    np.testing.assert_allclose(found.contributions, expected, rtol=1e-5, atol=1e-6)
    assert list(found.tokens) == tokens


_small = []


def small_model():
    if not _small:
        rng = np.random.default_rng(0)
        sport, tech = ["goal", "match", "the"], ["chip", "phone", "the"]
        texts = [" ".join(rng.choice(sport if row % 2 else tech, 6)) for row in range(60)]
        spec = NgramSpec(words=(1, 2), chars=(1, 0), ideographs=(1, 0))
        options = TrainOptions(epochs=4, ngrams=spec, rare=True)
        _small.append((TextClassifier(options).fit(texts, ["sport" if r % 2 else "tech" for r in range(60)]), texts))
    return _small[0][0]


def by_hand(model, tokens):
    """Recompute: document frequencies from the training texts, weights from the layer, by the n-gram's text."""
    texts = _small[0][1]
    grams_of = lambda words: [(w,) for w in words] + list(itertools.pairwise(words))  # noqa: E731
    documents = {}
    for text in texts:
        for gram in set(grams_of(text.split())):
            documents[gram] = documents.get(gram, 0) + 1
    counts = {}
    for gram in grams_of(tokens):
        if gram in documents:
            counts[gram] = counts.get(gram, 0) + 1
    weight = {
        gram: (1 + math.log(n)) * (math.log((1 + len(texts)) / (1 + documents[gram])) + 1) for gram, n in counts.items()
    }
    length = math.sqrt(sum(w * w for w in weight.values()))
    row_of = {gram: feature_of(model, gram) for gram in counts}
    result = np.zeros((len(tokens), len(model.class_names)))
    for at in range(len(tokens)):
        for gram in {(tokens[at],), tuple(tokens[at : at + 2])}:
            if gram in counts:
                share = weight[gram] / length / counts[gram] / len(gram)
                for covered in range(len(gram)):
                    result[at + covered] += share * model.layer.weights[row_of[gram]]
    return result


_features = {}


def feature_of(model, gram):
    """The number of an n-gram's feature: the one of "a b" that neither "a" nor "b" has."""
    from logitkit.text import as_column

    if gram not in _features:
        seen = lambda text: set(model.vocabulary.transform(as_column([text])).indices.tolist())  # noqa: E731
        (_features[gram],) = seen(" ".join(gram)) - set().union(*(seen(word) for word in gram if len(gram) > 1))
    return _features[gram]


def test_top_adds_up_what_is_repeated(model):
    text = corpus(1)[0][0]
    found = model.explain(f"{text} {text}")
    name = found.class_names[2]
    top = found.top(name, 1000)
    assert len(top) == len({*found.tokens}) and [abs(v) for _, v in top] == sorted(
        (abs(v) for _, v in top), reverse=True
    )
    sums = {token: 0.0 for token in found.tokens}
    for token, row in zip(found.tokens, found.contributions, strict=True):
        sums[token] += row[2]
    assert dict(top) == pytest.approx(sums)
    assert found.top(name, 2) == top[:2] and found.top(name, 0) == []
    with pytest.raises(OptionError, match="There is no class 'sports'; the classes are"):
        found.top("sports")


def test_words_of_a_class_speak_for_it():
    found = small_model().explain("a late goal")
    assert found.top("sport", 1)[0][0] == "goal" and found.top("sport", 1)[0][1] > 0 > found.top("tech", 1)[0][1]


def test_a_record_for_json(model):
    found = model.explain("手机 abc").to_json()
    assert found["tokens"][-1] == "abc" and len(found["contributions"]) == len(found["tokens"])
    assert all(isinstance(value, float) for row in found["contributions"] for value in row)


def test_only_one_text_of_a_readable_size_is_explained(model):
    for wrong in (None, 5, ["a"]):
        with pytest.raises(InputError, match="Text 0"):
            model.explain(wrong)
    with pytest.raises(
        InputError, match="up to 10,000,000 bytes can be explained word by word; this one has 10,000,001"
    ):
        model.explain("a" * 10_000_001)


def test_a_long_text_adds_up_too(model):
    text = " ".join(corpus(300)[0]) * 3
    found = model.explain(text)
    np.testing.assert_allclose(found.contributions.sum(axis=0) + found.bias, found.logits, atol=1e-4)
