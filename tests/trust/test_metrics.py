"""Metrics: relations, scikit-learn, plain loops, and every input that must be refused."""

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

import naive_trust
from logitkit.errors import InputError, OptionError
from logitkit.trust import rows as rows_module
from logitkit.trust.calibration_error import expected_calibration_error
from logitkit.trust.metrics import (
    accuracy,
    brier_score,
    confusion_matrix,
    log_loss,
    macro_f1,
    precision_recall_f1,
)

METRICS = [log_loss, brier_score, expected_calibration_error]
seeds = st.integers(0, 2**32 - 1)


def problem(seed, N=60, C=4, size=3.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, C)) * size, rng.integers(0, C, N)


@settings(deadline=None)
@given(seed=seeds, N=st.integers(1, 80), C=st.integers(1, 6), temperature=st.sampled_from([0.3, 1.0, 4.0]))
def test_equal_the_plain_loops(seed, N, C, temperature):
    logits, labels = problem(seed, N, C)
    probs = [naive_trust.softmax(row, temperature) for row in logits.tolist()]
    y = labels.tolist()
    given_logits = {"logits": logits, "temperature": temperature}
    assert log_loss(y, **given_logits) == pytest.approx(
        naive_trust.log_loss(logits.tolist(), y, temperature), rel=1e-12
    )
    assert brier_score(y, **given_logits) == pytest.approx(naive_trust.brier_score(probs, y), rel=1e-12)
    expected = naive_trust.expected_calibration_error(probs, y)
    assert expected_calibration_error(y, probs=probs) == pytest.approx(expected, abs=1e-12)
    assert expected_calibration_error(y, **given_logits) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(seed=seeds, C=st.integers(2, 6))
def test_equal_scikit_learn(seed, C):
    logits, labels = problem(seed, 80, C)
    labels[:C] = np.arange(C)  # scikit-learn infers the classes
    weights = np.random.default_rng(seed).uniform(0.1, 2.0, 80)
    probs = softmax(logits, axis=1)
    mine = log_loss(labels, logits=logits, sample_weights=weights)
    assert mine == pytest.approx(sklearn.metrics.log_loss(labels, probs, sample_weight=weights), rel=1e-9)
    theirs = sklearn.metrics.brier_score_loss(labels, probs if C > 2 else probs[:, 1], sample_weight=weights)
    mine = brier_score(labels, probs=probs, sample_weights=weights)
    assert mine == pytest.approx(theirs * (1 if C > 2 else 2), rel=1e-9)  # it halves the score of two classes
    predicted = logits.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, n_classes=C)
    assert (confusion == sklearn.metrics.confusion_matrix(labels, predicted)).all()
    assert accuracy(labels, predicted) == sklearn.metrics.accuracy_score(labels, predicted)


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=30), seed=seeds)
def test_f1_equals_scikit_learn_where_classes_are_missing(labels, seed):
    predicted = np.random.default_rng(seed).integers(0, 5, len(labels)).tolist()
    confusion = confusion_matrix(labels, predicted, n_classes=6)
    theirs = sklearn.metrics.precision_recall_fscore_support(labels, predicted, labels=range(6), zero_division=np.nan)
    for mine, other in zip(precision_recall_f1(confusion), theirs[:3], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert macro_f1(confusion) == pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro"))
    assert macro_f1(confusion) == pytest.approx(np.mean(list(naive_trust.f1_scores(labels, predicted).values())))


@pytest.mark.parametrize("metric", METRICS)
@settings(deadline=None)
@given(seed=seeds)
def test_weights_are_repetition_and_the_order_of_rows_and_a_shift_change_nothing(metric, seed):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, 40)
    weights, order = rng.integers(1, 4, 40), rng.permutation(40)
    value = metric(labels, logits=logits, sample_weights=weights)
    repeated = metric(np.repeat(labels, weights), logits=np.repeat(logits, weights, axis=0))
    assert value == pytest.approx(repeated, rel=1e-9, abs=1e-12)
    shuffled = metric(labels[order], logits=logits[order] + 5.0, sample_weights=weights[order])
    assert value == pytest.approx(shuffled, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_blocks_of_rows_leave_no_trace(metric, monkeypatch):
    logits, labels = problem(1, 100)
    whole = metric(labels, logits=logits)
    monkeypatch.setattr(rows_module, "_BLOCK", 28)
    assert metric(labels, logits=logits) == whole


@pytest.mark.parametrize("metric", METRICS)
def test_temperature_divides_the_logits_and_types_do_not_matter(metric):
    logits, labels = problem(2)
    value = metric(labels, logits=logits, temperature=2.5)
    assert value == pytest.approx(metric(labels, logits=logits / 2.5), rel=1e-12)
    assert value == pytest.approx(metric(labels, probs=softmax(logits / 2.5, axis=1)), rel=1e-12)
    low = metric(labels.astype(np.int8), logits=logits.astype(np.float32), temperature=2.5)
    assert value == pytest.approx(low, rel=1e-5)


def test_log_loss_of_logits_is_never_clipped():
    assert log_loss([1], logits=[[1e4, 0.0]]) == 1e4
    assert log_loss([0], logits=[[50.0, 0.0]]) == pytest.approx(math.exp(-50), rel=1e-9, abs=1e-17)
    assert log_loss([1], logits=[[0.0, -np.inf]]) == math.inf
    assert log_loss([1], probs=[[1.0, 0.0]]) == math.inf
    assert log_loss([1, 0], probs=[[1.0, 0.0], [1.0, 0.0]], sample_weights=[0.0, 1.0]) == 0.0


def test_brier_runs_from_0_to_2():
    assert brier_score([0, 1], probs=np.eye(2)) == 0.0
    assert brier_score([1, 0], probs=np.eye(2)) == 2.0
    assert brier_score([0], logits=[[np.inf, 0.0]]) == 0.0


def test_expected_calibration_error_of_known_cases():
    probs = [[0.8, 0.2]] * 10
    assert expected_calibration_error([0] * 8 + [1] * 2, probs=probs) == pytest.approx(0.0)
    assert expected_calibration_error([0] * 5 + [1] * 5, probs=probs) == pytest.approx(0.3)
    both = [[0.62, 0.38]] * 10 + [[0.98, 0.02]] * 10  # errors of opposite sign cancel in one bin, not in two
    labels = [0] * 10 + [0] * 6 + [1] * 4
    assert expected_calibration_error(labels, probs=both, n_bins=1) == pytest.approx(0.0)
    assert expected_calibration_error(labels, probs=both, n_bins=15) == pytest.approx(0.38)


@pytest.mark.parametrize("n_bins", [1, 2, 3, 7, 10, 15, 100])
def test_an_edge_belongs_to_the_bin_below_it(n_bins):
    edges = np.arange(1, n_bins + 1) / n_bins
    counts = rows_module.reliability_of(edges, np.zeros(n_bins), None, n_bins).count
    assert counts.tolist() == [1] * n_bins


@pytest.mark.parametrize("metric", METRICS)
def test_no_rows_and_no_weight_give_nan_and_one_class_is_certain(metric):
    assert math.isnan(metric([], logits=np.zeros((0, 3))))
    assert math.isnan(metric([0], logits=[[1.0, 2.0]], sample_weights=[0.0]))
    assert metric([0, 0], logits=[[3.0], [-3.0]]) == 0.0
    assert math.isnan(accuracy([], []))
    assert math.isnan(macro_f1(np.zeros((3, 3), int)))


@pytest.mark.parametrize("metric", METRICS)
def test_infinities_give_no_nan(metric):
    logits = [[np.inf, 0.0, -np.inf], [np.inf, np.inf, 0.0], [-np.inf] * 3, [1e30, -1e30, 0.0], [2.0, 1.0, -np.inf]]
    value = metric([0, 1, 2, 0, 1], logits=logits)
    assert 0.0 <= value < 2.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, OptionError, "neither"),
        ({"logits": [[0.0, 1.0]], "probs": [[0.5, 0.5]]}, OptionError, "both"),
        ({"probs": [[0.5, 0.5]], "temperature": 2.0}, OptionError, "temperature"),
        ({"logits": [[0.0, 1.0]], "temperature": 0.0}, OptionError, "temperature"),
        ({"logits": [[0.0, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[0.5, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[2.0, 1.0]]}, InputError, "row 0"),
        ({"probs": [[-0.1, 1.1]]}, InputError, "row 0"),
        ({"probs": [[0.5, 0.4]]}, InputError, "row 0"),
        ({"logits": [0.0, 1.0]}, InputError, "dimension"),
        ({"logits": [[0.0, 1.0]] * 2}, InputError, "shape"),
        ({"logits": [[0.0]]}, InputError, r"\[0, 1\)"),
        ({"logits": [[0.0, 1.0]], "sample_weights": [-1.0]}, InputError, "at least 0"),
    ],
)
def test_wrong_input_gets_one_sentence(metric, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        metric([1], **arguments)
    assert str(caught.value).endswith(".") and metric.__name__ in str(caught.value)


def test_wrong_decisions_get_one_sentence():
    for call in (
        lambda: accuracy([0, 1], [0]),
        lambda: confusion_matrix([0, 3], [0, 1], n_classes=3),
        lambda: confusion_matrix([0], [0, 1], n_classes=3),
        lambda: precision_recall_f1([[1, 2, 3]]),
    ):
        with pytest.raises(InputError, match=r"\.$"):
            call()
    with pytest.raises(OptionError):
        expected_calibration_error([0], probs=[[1.0]], n_bins=0)
