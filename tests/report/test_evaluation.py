"""Evaluation: the stream equals the batch, the metrics and the plain loops; labels that training never saw; JSON."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_trust
from logitkit.errors import InputError, OptionError
from logitkit.report import evaluation as module
from logitkit.report.evaluation import EvaluationBuilder
from logitkit.trust import metrics
from logitkit.trust.calibration_error import expected_calibration_error

NAMES = ["News", "Entertainment", "Technology", "体育"]
KEYS = (
    "rows accuracy macro_f1 log_loss brier_score expected_calibration_error mean_confidence temperature classes "
    "per_class confusion reliability unseen_labels rows_with_unseen_labels rows_with_infinite_loss"
)


def problem(seed, N=200, C=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, C)) * 2.0, rng.integers(0, C, N)


def as_text(evaluation):
    return json.dumps(evaluation.to_json(), allow_nan=False)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 200), max_size=8),
    block=st.sampled_from([4, 64, 2**18]),
)
def test_batches_leave_no_trace_in_a_single_bit(seed, cuts, block):
    logits, labels = problem(seed)
    before, module._BLOCK = module._BLOCK, block
    try:
        whole = EvaluationBuilder(NAMES).update(logits, labels).finish()
        builder = EvaluationBuilder(NAMES)
        for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 200], strict=True):
            buffer = logits[start:stop].copy()
            builder.update(buffer, labels[start:stop])
            buffer[:] = np.nan  # a caller may use his buffer again
    finally:
        module._BLOCK = before
    assert as_text(builder.finish()) == as_text(whole)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), temperature=st.sampled_from([0.5, 1.0, 3.0]))
def test_equals_the_metrics_and_the_plain_loops(seed, temperature):
    logits, labels = problem(seed)
    e = EvaluationBuilder(NAMES, temperature=temperature).update(logits, labels).finish()
    scaled = {"logits": logits, "temperature": temperature}
    predicted = logits.argmax(axis=1)
    assert e.rows == 200
    assert e.accuracy == metrics.accuracy(labels, predicted)
    assert e.log_loss == pytest.approx(metrics.log_loss(labels, **scaled), rel=1e-12)
    assert e.brier_score == pytest.approx(metrics.brier_score(labels, **scaled), rel=1e-12)
    ece = expected_calibration_error(labels, **scaled)
    assert e.expected_calibration_error == pytest.approx(ece, rel=1e-9)
    assert e.macro_f1 == pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro"))
    assert (e.confusion == sklearn.metrics.confusion_matrix(labels, predicted)).all()
    probs = [naive_trust.softmax(row, temperature) for row in logits.tolist()]
    assert e.mean_confidence == pytest.approx(math.fsum(map(max, probs)) / 200)
    bins = naive_trust.reliability(probs, labels.tolist(), 15)
    for mine, (count, confidence, correct) in zip(e.reliability, bins, strict=True):
        assert mine.count == count
        if count:
            assert (mine.mean_confidence, mine.accuracy) == pytest.approx((confidence / count, correct / count))


@pytest.mark.parametrize("kind", [list, np.array, pa.array, lambda names: pa.chunked_array([names[:7], names[7:]])])
def test_labels_may_be_names_in_any_form(kind):
    logits, labels = problem(1)
    by_index = EvaluationBuilder(NAMES).update(logits, labels).finish()
    names = kind([NAMES[label] for label in labels])
    assert as_text(EvaluationBuilder(NAMES).update_names(logits, names).finish()) == as_text(by_index)


@pytest.mark.parametrize("kind", ["large_string", "string_view", "dictionary", "string"])
def test_names_may_be_of_any_arrow_string_type(kind):
    types = {"large_string": pa.large_string(), "string_view": pa.string_view(), "string": pa.string()}
    names = pa.array(["b", "a", "c"])
    names = names.dictionary_encode() if kind == "dictionary" else names.cast(types[kind])
    e = EvaluationBuilder(["a", "b"]).update_names([[0.0, 1.0]] * 3, names).finish()
    assert (e.unseen_labels, e.confusion.tolist()) == ({"c": 1}, [[0, 1], [0, 1]])


def test_labels_that_training_never_saw_are_errors_and_are_named():
    logits, labels = problem(2)
    names = np.array([NAMES[label] for label in labels], object)
    names[:5], names[5:7] = "Weather", "Law"
    e = EvaluationBuilder(NAMES).update_names(logits, names.tolist()).finish()
    predicted = np.array(NAMES, object)[logits.argmax(axis=1)]
    assert e.unseen_labels == {"Weather": 5, "Law": 2}
    assert e.rows_with_unseen_labels == 7 and e.rows == 200
    assert e.accuracy == (names == predicted).mean()
    assert e.macro_f1 == pytest.approx(sklearn.metrics.f1_score(list(names), list(predicted), average="macro"))
    assert e.log_loss == pytest.approx(metrics.log_loss(labels[7:], logits=logits[7:]))
    assert e.confusion.sum() == 193
    assert sum(one.predicted for one in e.per_class) == 200
    assert sum(one.support for one in e.per_class) == 193
    probs = [naive_trust.softmax(row) for row in logits.tolist()]
    seen = [-1] * 7 + labels[7:].tolist()
    assert e.brier_score == pytest.approx(naive_trust.brier_score(probs, seen))
    assert e.expected_calibration_error == pytest.approx(naive_trust.expected_calibration_error(probs, seen))


def test_only_unseen_labels_leave_no_log_loss():
    e = EvaluationBuilder(["a"]).update_names([[1.0]], ["b"]).finish()
    assert (e.accuracy, e.macro_f1, e.log_loss, e.brier_score) == (0.0, 0.0, None, 2.0)


def test_no_rows_give_null_and_never_nan():
    e = EvaluationBuilder(NAMES).update(np.zeros((0, 4)), []).finish()
    record = json.loads(as_text(e))
    figures = ["accuracy", "macro_f1", "log_loss", "brier_score", "expected_calibration_error", "mean_confidence"]
    assert record["rows"] == 0 and all(record[key] is None for key in figures)
    assert all(one["f1"] is None and one["precision"] is None for one in record["per_class"])


def test_json_has_these_keys_and_an_infinite_loss_is_null():
    e = EvaluationBuilder(["a", "b"]).update([[0.0, -np.inf], [1.0, 0.0]], [1, 0]).finish()
    record = json.loads(as_text(e))
    assert list(record) == KEYS.split()
    assert e.log_loss == math.inf and record["log_loss"] is None and record["rows_with_infinite_loss"] == 1
    assert list(record["per_class"][0]) == ["name", "support", "predicted", "precision", "recall", "f1"]
    assert list(record["reliability"][0]) == ["lower", "upper", "count", "mean_confidence", "accuracy"]


def test_one_class_and_finish_twice():
    builder = EvaluationBuilder(["only"]).update([[3.0], [-3.0]], [0, 0])
    first = builder.finish()
    assert (first.accuracy, first.log_loss, first.expected_calibration_error) == (1.0, 0.0, 0.0)
    assert as_text(builder.finish()) == as_text(first)
    assert builder.update([[0.0]], [0]).finish().rows == 3


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        ([[0.0, 1.0, 2.0]], [0], "2 classes"),
        ([[0.0, 1.0]], [0, 1], "shape"),
        ([[0.0, 1.0]], [2], r"\[-1, 2\)"),
        ([[0.0, 1.0]], ["a"], "integers"),
        ([[0.0, np.nan]], [0], "NaN in row 3"),
    ],
)
def test_wrong_indices_get_one_sentence(logits, labels, words, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 4)  # two rows a block: the row of the stream is not that of the block
    builder = EvaluationBuilder(["a", "b"]).update([[0.0, 1.0]] * 3, [0, 1, 0])
    with pytest.raises(InputError, match=words) as caught:
        builder.update(logits, labels).finish()
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("names", "words"),
    [(["a", None], "row 4 is null"), ([1, 2], "int64"), ([1.5, 2], "strings"), ([1, "a"], "strings")],
)
def test_wrong_names_get_one_sentence_and_numbers_are_no_names(names, words):
    builder = EvaluationBuilder(["1", "2"]).update([[0.0, 1.0]] * 3, [0, 1, 0])
    with pytest.raises(InputError, match=words) as caught:
        builder.update_names([[0.0, 1.0]] * 2, names)
    assert str(caught.value).endswith(".")


def test_indices_of_no_class_count_as_errors_of_one_nameless_class():
    logits, labels = problem(4)
    named = EvaluationBuilder(NAMES).update_names(logits, ["?"] * 9 + [NAMES[label] for label in labels[9:]]).finish()
    labels[:9] = -1
    e = EvaluationBuilder(NAMES).update(logits, labels).finish()
    assert (e.rows_with_unseen_labels, e.unseen_labels) == (9, {})
    assert (e.accuracy, e.macro_f1, e.brier_score) == (named.accuracy, named.macro_f1, named.brier_score)


def test_a_column_that_holds_no_labels_is_found_out(monkeypatch):
    monkeypatch.setattr(module, "MAX_UNSEEN_LABELS", 3)
    with pytest.raises(InputError, match="name the column of the labels"):
        EvaluationBuilder(["a"]).update_names(np.zeros((4, 1)), ["p", "q", "r", "s"])


@pytest.mark.parametrize(("names", "words"), [([], "got 0"), (["a", "b", "a"], "'a'"), (["x"] * 20_000, "20,000")])
def test_wrong_classes_get_one_sentence(names, words):
    with pytest.raises(OptionError, match=words):
        EvaluationBuilder(names)
