"""The whole path in one object: deterministic, batch by batch the same, safe to keep, refusing what it cannot use."""

import copy
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from logitkit import NgramSpec, TextClassifier, TrainOptions, load, ops
from logitkit.classifier import agree
from logitkit.errors import InputError, ModelFileError, NotFittedError, OptionError, OutputError
from logitkit.model_file import read_model_file, write_model_file
from logitkit.trust.folds import deal_folds
from synthetic import SCRIPTS, corpus

HARD_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "👩‍👩‍👧 é",
    "e\u0301 é",
    "شكرا 谢谢 спасибо",
    "\ufffd",
    "\u202e",
    "x" * 100_000,
    "\ud800",
]


def trained(rows=120, options=None, **fit):
    return TextClassifier(options or TrainOptions(epochs=4)).fit(*corpus(rows), **fit)


@pytest.fixture(scope="module")
def model():
    return trained(300)


@pytest.fixture(scope="module")
def texts():
    return [*corpus(200, seed=0)[0], *HARD_TEXTS]


def saved(model, path):
    model.save(path)
    return path.read_bytes()


# --- the same bits ---


def test_the_same_seed_gives_the_same_file_at_any_number_of_threads(tmp_path, threads):
    files = []
    for number, seed in ((1, 5), (2, 5), (3, 5), (2, 6)):
        threads(number)
        files.append(saved(trained(options=TrainOptions(seed=seed)), tmp_path / f"{number}-{seed}.logitkit"))
    assert files[0] == files[1] == files[2] != files[3]


def test_the_same_seed_gives_the_same_file_in_another_process(tmp_path, threads):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from synthetic import corpus\n"
        "from logitkit import TextClassifier\n"
        "TextClassifier().fit(*corpus(120)).save(sys.argv[2])"
    )
    for number in ("1", "2"):
        path = tmp_path / f"{number}.logitkit"
        command = [sys.executable, "-c", code, os.path.dirname(__file__), str(path)]  # noqa: PTH120
        subprocess.run(command, check=True, timeout=120, env={**os.environ, "LOGITKIT_NUM_THREADS": number})
    here = saved(trained(options=TrainOptions()), tmp_path / "here.logitkit")
    assert (tmp_path / "1.logitkit").read_bytes() == (tmp_path / "2.logitkit").read_bytes() == here


@given(cuts=st.lists(st.integers(0, 211), max_size=6).map(sorted), number=st.sampled_from([1, 2]))
def test_batches_of_any_size_give_the_bits_of_one(model, texts, cuts, number):
    from logitkit.kernels import n_threads, set_threads

    before = n_threads()
    set_threads(number)
    try:
        parts = [model.predict_logits(texts[a:b]) for a, b in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    finally:
        set_threads(before)
    assert (np.concatenate(parts) == model.predict_logits(texts)).all()


def test_long_columns_are_cut_into_blocks_without_a_trace(model, texts):
    many = texts * 40
    whole = model.predict_logits(many)
    assert (whole == np.tile(model.predict_logits(texts), (40, 1))).all()
    assert (
        model.predict_logits(
            pa.array([t.encode("utf-8", "replace").decode() for t in many[:-11]], pa.large_string())[7:]
        )
        == whole[7:-11]
    ).all()


def test_many_threads_may_ask_at_once(model, texts):
    expected = model.predict_logits(texts)
    with ThreadPoolExecutor(8) as pool:
        for logits in pool.map(lambda _: model.predict_logits(texts), range(24)):
            assert (logits == expected).all()


# --- decisions ---


def test_predict_and_predict_probs_never_disagree(model, texts):
    probs, logits = model.predict_probs(texts), model.predict_logits(texts)
    names = [model.class_names[c] for c in probs.argmax(axis=1)]
    assert model.predict(texts) == names == [d.raw_label for d in model.decide(texts)]
    assert (probs >= 0).all() and (probs <= 1).all() and abs(probs.sum(axis=1) - 1).max() < 1e-6
    expected = ops.softmax(logits, temperature=model.temperature)
    np.testing.assert_allclose(probs, expected, atol=2e-7)


EXTREME = st.one_of(
    st.floats(-1e4, 1e4, width=32),
    st.sampled_from(
        [np.inf, -np.inf, 1e4, -1e4, 0.0, -0.0, 1.0, float(np.nextafter(np.float32(1), np.float32(2))), 3e38, 1e-45]
    ),
)


@given(
    z=st.integers(1, 6).flatmap(
        lambda C: arrays(np.float32, st.tuples(st.integers(0, 5), st.just(C)), elements=EXTREME)
    ),
    temperature=st.sampled_from([1e-3, 0.3, 1.0, 7.0, 1e6]),
)
def test_the_arg_max_of_probabilities_is_that_of_the_logits(z, temperature):
    probs = ops.softmax(z, temperature=temperature)
    before = probs.copy()
    found = agree(probs, z)
    assert found is probs
    assert (found.argmax(axis=1) == z.argmax(axis=1)).all() and (found.argmax(axis=1) == ops.argmax(z)).all()
    assert ((found >= 0) & (found <= 1)).all() and np.allclose(found.sum(axis=1), 1, atol=1e-6)
    untouched = before.argmax(axis=1) == z.argmax(axis=1)
    assert (found[untouched] == before[untouched]).all()
    np.testing.assert_array_max_ulp(found, before, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_near_ties_do_need_agree(dtype):
    one = dtype(10.0)
    z = np.array([[one, np.nextafter(one, dtype(11)), np.nextafter(one, dtype(11))]], dtype)
    probs = ops.softmax(z, temperature=1e6).astype(np.float32)
    assert probs.argmax() == 0  # the first of what looks equal, and the smaller logit
    assert agree(probs, z).argmax() == 1


def test_a_near_tie_of_a_model_is_decided_by_its_logits(tmp_path):
    model = trained()
    model.layer.bias[:] = [1.0, np.nextafter(np.float32(1), np.float32(2)), 0.0]
    model.temperature = 1e6
    assert ops.softmax(model.predict_logits(["☃"]), temperature=1e6).argmax() == 0
    assert model.predict(["☃"]) == ["class 1"] and model.predict_probs(["☃"]).argmax() == 1
    assert model.decide(["☃"])[0].raw_label == "class 1"


def test_the_threshold_decides_and_travels_with_the_model(tmp_path):
    model = trained()
    texts = corpus(120)[0]
    top = model.predict_probs(texts).max(axis=1)
    middle = float(np.median(top))
    assert not any(decision.abstained for decision in model.decide(texts))
    model.threshold = middle
    model.save(tmp_path / "m.logitkit")
    decisions = load(tmp_path / "m.logitkit").decide(texts)
    assert [decision.abstained for decision in decisions] == (top < middle).tolist()
    assert not any(decision.abstained for decision in model.decide(texts, threshold=0.0))
    columns, logits = model.decide_columns(texts)
    assert [d.probability for d in decisions] == columns.probabilities.tolist()
    assert (logits == model.predict_logits(texts)).all()
    for wrong in (-0.1, 1.1, float("nan"), "high"):
        with pytest.raises(OptionError, match=r"The 'threshold' option of decide must be in \[0, 1\]"):
            model.decide(texts, threshold=wrong)


def test_a_text_without_known_words_is_not_answered(model):
    known, unknown, empty = model.decide([corpus(1)[0][0], "☃☃☃", ""])
    assert known.reason == "confident" and not known.abstained
    for decision in (unknown, empty):
        assert decision.abstained and decision.reason == "no known words" and decision.raw_label in model.class_names
    assert (model.predict_logits(["", "☃☃☃"]) == model.layer.bias).all()


def test_no_rows(model):
    assert model.predict([]) == [] and model.decide([]) == []
    assert model.predict_logits([]).shape == model.predict_probs([]).shape == (0, 3)


# --- learning ---


def test_as_accurate_as_tf_idf_with_logistic_regression():
    texts, labels = corpus(3_000, classes=4, own=0.12, seed=7, scripts=SCRIPTS[:3])
    fit, test = slice(0, 2_000), slice(2_000, None)
    vectors = TfidfVectorizer(sublinear_tf=True)
    other = LogisticRegression(C=10, max_iter=500).fit(vectors.fit_transform(texts[fit]), labels[fit])
    theirs = (other.predict(vectors.transform(texts[test])) == np.array(labels[test])).mean()
    model = TextClassifier().fit(texts[fit], labels[fit])
    ours = (np.array(model.predict(texts[test])) == np.array(labels[test])).mean()
    assert 0.5 < theirs < 0.99 and ours >= theirs - 0.01
    assert abs(model.record.held_out.accuracy - ours) < 0.05
    assert model.record.held_out.log_loss_after <= model.record.held_out.log_loss_before + 0.01


def test_a_weight_of_zero_is_a_row_removed(tmp_path):
    texts, labels = corpus(150)
    weights = np.random.default_rng(1).integers(0, 2, 150).astype(float)
    groups = [row // 2 for row in range(150)]
    kept = np.flatnonzero(weights)
    one = TextClassifier().fit(texts, labels, sample_weights=weights, groups=groups)
    two = TextClassifier().fit([texts[r] for r in kept], [labels[r] for r in kept], groups=[groups[r] for r in kept])
    assert saved(one, tmp_path / "1.logitkit") == saved(two, tmp_path / "2.logitkit")
    assert one.record.rows == len(kept)


@pytest.mark.parametrize("factor", [1e-300, 1e-3, 1.0, 1e3, 1e308])
def test_the_scale_of_the_weights_does_not_matter(model, factor):
    other = trained(300, sample_weights=np.full(300, factor))
    assert (other.layer.weights == model.layer.weights).all() and other.temperature == model.temperature


def recall(model, texts, labels, name):
    found = [guess for guess, label in zip(model.predict(texts), labels, strict=True) if label == name]
    return found.count(name) / len(found)


def test_weights_of_classes_and_of_rows_move_recall():
    texts, labels = corpus(900, own=0.15, seed=2)
    fit = [r for r in range(450) if labels[r] != "class 2" or r % 12 == 2]  # class 2 is four times as rare
    fit_texts, fit_labels = [texts[r] for r in fit], [labels[r] for r in fit]

    def weighted(class_weights, **more):
        options = TrainOptions(l2=0.01, class_weights=class_weights)
        return TextClassifier(options).fit(fit_texts, fit_labels, **more)

    models = [weighted(None), weighted("balanced"), weighted({"class 2": 20.0})]
    found = [recall(model, texts[450:], labels[450:], "class 2") for model in models]
    assert found[0] + 0.2 < found[1] < found[2] - 0.1
    rows = weighted(None, sample_weights=[20.0 if label == "class 2" else 1.0 for label in fit_labels])
    assert (rows.layer.weights == models[2].layer.weights).all() and rows.temperature == models[2].temperature
    counts = np.array(models[0].record.class_counts)
    by_name = dict(zip(models[0].class_names, (counts.sum() / (3 * counts)).tolist(), strict=True))
    assert (weighted(by_name).layer.weights == models[1].layer.weights).all()


def test_groups_keep_the_held_out_figures_honest():
    """Five copies of each text, of a label drawn by chance: only who has seen a copy can know it."""
    rng = np.random.default_rng(4)
    texts = [f"word{number}" for number in range(60) for _ in range(5)]
    labels = np.repeat(rng.integers(0, 2, 60), 5)
    flattered = TextClassifier().fit(texts, labels)
    honest = TextClassifier().fit(texts, labels, groups=texts)
    assert flattered.record.held_out.accuracy > 0.95
    assert honest.record.held_out.accuracy < 0.7 and honest.temperature > 1.5 * flattered.temperature


def test_options_reach_the_layer():
    assert trained(options=TrainOptions(l2=0.5)).record.l2 == 0.5
    loud = trained(options=TrainOptions(epochs=4, l2=1e-4))
    soft = trained(options=TrainOptions(epochs=4, l2=1e-4, label_smoothing=0.5))
    assert abs(soft.layer.weights).max() < 0.8 * abs(loud.layer.weights).max()
    assert trained(options=TrainOptions(epochs=4, l2=0.2)).layer.weights.std() < 0.5 * loud.layer.weights.std()
    words = NgramSpec(words=(1, 1), chars=(1, 0), ideographs=(1, 0))
    assert trained(options=TrainOptions(ngrams=words)).vocabulary.spec == words
    assert not len(trained(options=TrainOptions(ngrams=words)).vocabulary.char_hashes)
    kept, dropped = (trained(options=TrainOptions(rare=rare)).record for rare in (True, False))
    assert kept.rare and not dropped.rare and kept.features > dropped.features


def test_a_class_with_one_example_trains_with_a_note_and_is_never_held_out():
    texts, labels = corpus(121)
    labels[-1] = "lonely"
    model = TextClassifier().fit(texts, labels)
    assert model.class_names[-1] == "lonely" and model.record.held_out.rows == 120
    assert model.record.warnings == (
        "1 class has one example only, so nothing says how well they are known: 'lonely'.",
    )
    assert deal_folds(np.array([0, 0, 1]), None, 0)[2] == -1
    everyone = TextClassifier().fit(["a b", "c d"], ["x", "y"])
    assert everyone.temperature == 1.0 and everyone.record.held_out is None
    assert everyone.predict(["a b", "c d"]) == ["x", "y"]


@pytest.mark.parametrize(
    ("texts", "labels", "more", "sentence"),
    [
        ([], [], {}, "A classifier needs at least two classes; the labels hold no labelled text."),
        (["a", "b"], ["x", "x"], {}, "A classifier needs at least two classes; the labels hold only 'x'."),
        (["a", "b"], ["x", "y"], {"sample_weights": [0, 0]}, "the labels hold no labelled text"),
        (["a", "b"], ["x", "y"], {"sample_weights": [1, 0]}, "the labels hold only 'x'"),
        (["a", None], ["x", "y"], {}, "Text 1 (counted from 0) is null"),
        (["a", 5], ["x", "y"], {}, "Text 1 (counted from 0) must be a string; got int 5."),
        ("ab", ["x", "y"], {}, "got one bare string"),
        (pa.array([1, 2]), ["x", "y"], {}, "must be strings; got a column of type int64"),
        (pa.array([["a"], ["b"]]), ["x", "y"], {}, "must be strings; got a column of type list"),
        (pd.Series(["a", None]), ["x", "y"], {}, "Text 1 (counted from 0)"),
        (["a", "b"], ["x", None], {}, "The labels are null in row 1"),
        (["a", "b"], ["x"], {}, "got 1 labels and 2 texts"),
        (["a", "b"], ["x", "y"], {"groups": ["g"]}, "got 1 groups and 2 texts"),
        (["a", "b"], ["x", "y"], {"groups": [None, 1]}, "The groups are null in row 0"),
        (["a", "b"], ["x", "y"], {"sample_weights": [1]}, "must be of the shape [2]; got the shape [1]"),
        (["a", "b"], ["x", "y"], {"sample_weights": [1, -1]}, "finite and at least 0; got -1.0 at 1"),
        (["a", "b"], ["x", "y"], {"sample_weights": [1, float("nan")]}, "finite and at least 0; got nan at 1"),
        (["a", "b"], ["x", "y"], {"sample_weights": ["1", "2"]}, "must be numbers"),
    ],
)
def test_bad_input_gets_a_sentence(texts, labels, more, sentence):
    with pytest.raises(InputError) as caught:
        TextClassifier().fit(texts, labels, **more)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_weights_of_unknown_classes_are_refused():
    with pytest.raises(OptionError, match="must name classes that occur; no text has 'z'"):
        TextClassifier(TrainOptions(class_weights={"z": 2.0})).fit(["a", "b"], ["x", "y"])


def test_what_failed_leaves_the_model_as_it_was(model, texts):
    before = model.predict_logits(texts)
    for bad in ((["a"], ["x"]), (["a", None], ["x", "y"])):
        with pytest.raises(InputError):
            model.fit(*bad)
    assert (model.predict_logits(texts) == before).all() and model.class_names == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    "content", [[""] * 20, ["\0"] * 20, ["👍", "👎"] * 10, ["手机新闻", "电影音乐"] * 10, HARD_TEXTS * 2]
)
def test_any_text_trains(content, tmp_path):
    labels = ["x", "y"] * (len(content) // 2)
    model = TextClassifier().fit(content, labels)
    assert np.isfinite(model.predict_logits([*content, "new"])).all()
    model.save(tmp_path / "m.logitkit")
    assert (load(tmp_path / "m.logitkit").predict_logits(content) == model.predict_logits(content)).all()


def test_progress_names_its_stages_in_order():
    seen = []
    trained(progress=lambda stage, fraction: seen.append((stage, fraction)))
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages == ["counting", "training", "calibrating"]
    for stage in stages:
        fractions = [fraction for name, fraction in seen if name == stage]
        assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] <= 1.0
    assert seen[-1] == ("calibrating", 1.0) and ("training", 1.0) in seen


# --- keeping ---


def test_what_is_loaded_says_the_same(model, texts, tmp_path):
    model.save(tmp_path / "m.logitkit")
    other = load(tmp_path / "m.logitkit")
    assert (other.predict_logits(texts) == model.predict_logits(texts)).all()
    assert (other.predict_probs(texts) == model.predict_probs(texts)).all()
    assert other.decide(texts) == model.decide(texts) and other.record == model.record
    one, two = model.explain(texts[0]), other.explain(texts[0])
    assert one.to_json() == two.to_json()
    assert saved(other, tmp_path / "again.logitkit") == (tmp_path / "m.logitkit").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        model.save(tmp_path / "m.logitkit")
    model.save(tmp_path / "m.logitkit", force=True)


def test_nothing_can_be_asked_before_fit(tmp_path):
    new = TextClassifier()
    for ask in (
        *(
            lambda method=method: getattr(new, method)(["a"])
            for method in ("predict", "predict_probs", "predict_logits")
        ),
        *(lambda method=method: getattr(new, method)(["a"]) for method in ("decide", "decide_columns")),
        lambda: new.explain("a"),
        lambda: new.save(tmp_path / "m.logitkit"),
    ):
        with pytest.raises(NotFittedError, match=r"call fit\(texts, labels\) or load\(path\)"):
            ask()
    assert list(tmp_path.iterdir()) == []


MANIFEST_CHANGES = [
    *((name, ...) for name in ("class_names", "ngrams", "temperature", "threshold", "outliers", "training")),
    *(("class_names", value) for value in (3, None, "abc", [], ["a"], ["a", "b"], ["a", "b", "a"], ["a", "b", 5])),
    ("class_names", [f"c{number}" for number in range(10_000)]),
    ("class_names", {"a": 1, "b": 2, "c": 3}),
    *(("temperature", value) for value in (0, -1.0, "1", None, True, [1.0], 10**400)),
    *(("threshold", value) for value in (2, -0.5, "0.5", [0.5])),
    *(("ngrams", value) for value in (None, {}, [1, 2], {"words": [1, 2], "chars": [3, 5]})),
    *(("ngrams", {"words": value, "chars": [3, 5], "ideographs": [2, 3]})
      for value in ([1], [1, 2, 3], [2, 1], [0, 1], [1, 9], [1.0, 2.0], ["1", "2"], [True, True], "12", [1, 10**30])),
    *(("training", value) for value in (None, [], {}, "x")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), MANIFEST_CHANGES, ids=lambda value: repr(value)[:40])
def test_a_manifest_that_was_tampered_with_is_refused(model, tmp_path, name, value):
    model.save(tmp_path / "m.logitkit")
    tensors, manifest = read_model_file(tmp_path / "m.logitkit")
    if value is ...:
        del manifest[name]
    else:
        manifest[name] = value
    refused(tmp_path / "bad.logitkit", tensors, manifest, "is not a consistent model")


def refused(path, tensors, manifest, words):
    write_model_file(path, tensors, manifest)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path)) and words in sentence and sentence.endswith(".") and "\n" not in sentence
    assert len(sentence) < len(str(path)) + 300


def test_tensors_that_were_tampered_with_are_refused(model, tmp_path):
    model.save(tmp_path / "m.logitkit")
    tensors, manifest = read_model_file(tmp_path / "m.logitkit")
    changes = [{name: None} for name in tensors]
    changes += [{name: tensors[name][:-1]} for name in tensors]
    changes += [{name: tensors[name].reshape(-1)[:1].reshape(())} for name in tensors]
    changes += [{name: tensors[name].astype(np.float64)} for name in ("weights", "bias", "idf")]
    changes += [{"weights": tensors["weights"].T}, {"more": np.zeros(3)}]
    for name in ("weights", "bias", "idf"):
        for value in (np.nan, np.inf, -np.inf):
            broken = tensors[name].copy()
            broken.reshape(-1)[-1] = value
            changes.append({name: broken})
    for number, change in enumerate(changes):
        mine = {name: tensor for name, tensor in {**tensors, **change}.items() if tensor is not None}
        refused(tmp_path / f"{number}.logitkit", mine, copy.deepcopy(manifest), "is not a consistent model")


def test_a_record_of_other_classes_is_refused(model, tmp_path):
    model.save(tmp_path / "m.logitkit")
    tensors, manifest = read_model_file(tmp_path / "m.logitkit")
    training = {**manifest["training"], "class_counts": [1, 2]}
    refused(tmp_path / "bad.logitkit", tensors, {**manifest, "training": training}, "it has 3 classes and counts of 2")


def test_other_kinds_and_other_hashes_are_refused(model, tmp_path):
    model.save(tmp_path / "m.logitkit")
    tensors, manifest = read_model_file(tmp_path / "m.logitkit")
    refused(tmp_path / "1.logitkit", tensors, {**manifest, "kind": "image-classifier"}, "not a text-classifier")
    refused(tmp_path / "2.logitkit", tensors, {**manifest, "hash_version": 9}, "uses version '9' of the n-gram hash")
    refused(tmp_path / "3.logitkit", tensors, {}, "not a text-classifier")
