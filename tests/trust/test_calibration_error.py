"""Calibration errors with bins, and reliability data: plain loops, relations, peers, known cases, wrong input."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

import naive_calibration as naive
from logitkit.errors import InputError, OptionError
from logitkit.trust import calibration_bins, class_calibration_error
from logitkit.trust.calibration_bins import bin_edges
from logitkit.trust.calibration_error import (
    debiased_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
)
from logitkit.trust.class_calibration_error import classwise_calibration_error, top_label_calibration_error
from logitkit.trust.reliability_diagram import reliability, wilson_interval

METRICS = [
    expected_calibration_error,
    maximum_calibration_error,
    debiased_calibration_error,
    top_label_calibration_error,
    classwise_calibration_error,
]
BINNINGS = ["width", "mass"]
seeds = st.integers(0, 2**32 - 1)


def problem(seed, N=60, C=4, size=3.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(N, C)) * size
    right = rng.random(N) < 0.6
    return logits, np.where(right, logits.argmax(axis=1), rng.integers(0, C, N))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("binning", BINNINGS)
@given(
    seed=seeds, N=st.integers(2, 80), C=st.integers(1, 5), n_bins=st.sampled_from([1, 2, 15, 100]), tied=st.booleans()
)
def test_equal_the_plain_loops(metric, binning, seed, N, C, n_bins, tied):
    logits, labels = problem(seed, N, C)
    if tied:  # few distinct rows, so that rows of equal confidence are many and on both sides of where a bin should end
        logits = logits[np.random.default_rng(seed).integers(0, 6, N) % N]
    probs = softmax(logits, axis=1)
    found = metric(labels, probs=probs, n_bins=n_bins, binning=binning)
    by_hand = getattr(naive, metric.__name__)(probs.tolist(), labels.tolist(), n_bins, binning)
    if metric is debiased_calibration_error and math.isnan(found):
        confidence = probs.max(axis=1)
        assert np.unique(confidence).size == N  # every bin has one row, for which the loops say 0
    else:
        assert found == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("binning", BINNINGS)
@settings(max_examples=25)
@given(seed=seeds)
def test_weights_are_repetition_and_the_order_of_rows_changes_nothing(metric, binning, seed):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, 40)
    weights, order = rng.integers(0, 4, 40), rng.permutation(40)
    given_bins = {"n_bins": 5, "binning": binning}
    found = metric(labels, logits=logits, sample_weights=weights, **given_bins)
    repeated = metric(np.repeat(labels, weights), logits=np.repeat(logits, weights, axis=0), **given_bins)
    assert found == pytest.approx(repeated, rel=1e-9, abs=1e-9)
    shuffled = metric(labels[order], logits=logits[order], sample_weights=weights[order], **given_bins)
    assert found == pytest.approx(shuffled, rel=1e-9, abs=1e-9)
    plain = metric(labels, logits=logits, **given_bins)
    assert metric(labels, logits=logits, sample_weights=np.ones(40), **given_bins) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("binning", BINNINGS)
def test_logits_are_probs_and_the_temperature_divides(metric, binning):
    logits, labels = problem(2, 300)
    found = metric(labels, logits=logits, temperature=2.5, binning=binning)
    assert found == pytest.approx(metric(labels, probs=softmax(logits / 2.5, axis=1), binning=binning), rel=1e-9)
    assert found == pytest.approx(
        metric(labels, logits=logits.astype(np.float32), temperature=2.5, binning=binning), rel=1e-4
    )


@given(seed=seeds, n_bins=st.integers(1, 20))
def test_the_finer_condition_never_hides_a_gap(seed, n_bins):
    logits, labels = problem(seed, 80)
    overall = expected_calibration_error(labels, logits=logits, n_bins=n_bins)
    largest = maximum_calibration_error(labels, logits=logits, n_bins=n_bins)
    assert overall <= top_label_calibration_error(labels, logits=logits, n_bins=n_bins) + 1e-12
    assert overall <= largest + 1e-12
    assert largest <= 1.0


@given(
    values=st.lists(
        st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0]) | st.floats(0.0, 1.0), min_size=1, max_size=60
    ),
    n_bins=st.integers(1, 12),
)
def test_bins_of_equal_mass_hold_equal_numbers_and_ties_stay_together(values, n_bins):
    values = np.array(values)
    edges = bin_edges(values, np.empty(0), n_bins, "mass")
    assert (np.diff(edges) >= 0.0).all() and np.isin(edges, values).all()
    for k, edge in enumerate(edges, 1):
        assert (values <= edge).sum() * n_bins >= k * len(values) > (values < edge).sum() * n_bins
    if np.unique(values).size == len(values):
        held = np.bincount(np.searchsorted(edges, values, side="left"), minlength=n_bins)
        assert held.max() - held.min() <= 1


@given(seed=seeds, n_bins=st.integers(1, 12))
def test_many_rows_are_cut_where_few_are(seed, n_bins):
    values = np.random.default_rng(seed).random(500).round(2)
    few = bin_edges(values, np.empty(0), n_bins, "mass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration_bins, "_MANY", 1)
        assert (bin_edges(values, np.empty(0), n_bins, "mass") == few).all()


@pytest.mark.parametrize("n_bins", [1, 2, 3, 7, 10, 15, 64, 65, 100, 1000])
def test_an_edge_belongs_to_the_bin_below_it(n_bins):
    edges = np.arange(1, n_bins + 1) / n_bins
    values = np.concatenate([edges, np.nextafter(edges, 0.0), np.nextafter(edges[:-1], 1.0), [0.0]])
    bins = calibration_bins.bin_rows(values, np.zeros_like(values), np.empty(0), n_bins, "width")[0]
    expected = np.bincount(np.searchsorted(edges[:-1], values, side="left"), minlength=n_bins)
    assert bins.count.tolist() == expected.tolist()
    other = calibration_bins.bin_rows(values, np.zeros_like(values), np.empty(0), n_bins, "mass")
    expected = np.bincount(np.searchsorted(other[1], values, side="left"), minlength=n_bins)
    assert other[0].count.tolist() == expected.tolist()


@pytest.mark.parametrize("binning", BINNINGS)
def test_blocks_of_rows_and_columns_leave_no_trace(binning, monkeypatch, threads):
    logits, labels = problem(1, 200, 70)
    given_rows = {"logits": logits, "sample_weights": np.random.default_rng(1).random(200), "binning": binning}
    whole = classwise_calibration_error(labels, **given_rows)
    monkeypatch.setattr(class_calibration_error, "_BLOCK", 700)
    monkeypatch.setattr(class_calibration_error, "_COLUMNS", 3)
    for count in (1, 3):
        threads(count)
        assert classwise_calibration_error(labels, **given_rows) == whole


def test_known_cases():
    probs = [[0.8, 0.2]] * 10
    assert expected_calibration_error([0] * 8 + [1] * 2, probs=probs) == pytest.approx(0.0)
    assert maximum_calibration_error([0] * 5 + [1] * 5, probs=probs) == pytest.approx(0.3)
    assert classwise_calibration_error([0] * 5 + [1] * 5, probs=probs) == pytest.approx(0.3)
    two = [[0.8, 0.2]] * 5 + [[0.2, 0.8]] * 5  # one class right always, the other 3 of 5 times: nothing to see in all
    labels = [0] * 5 + [1] * 3 + [0] * 2
    assert expected_calibration_error(labels, probs=two) == pytest.approx(0.0, abs=1e-12)
    assert top_label_calibration_error(labels, probs=two) == pytest.approx(0.2)
    assert classwise_calibration_error(labels, probs=two) == pytest.approx(0.2)
    # 0.8 said, 0.5 right, 10 rows in one bin: 0.09 - 0.25 / 9
    found = debiased_calibration_error([0] * 5 + [1] * 5, probs=probs, n_bins=1)
    assert found == pytest.approx(math.sqrt(0.09 - 0.25 / 9))


def test_the_debiased_error_of_a_perfect_model_is_nearer_to_nothing():
    rng = np.random.default_rng(5)
    squares, plain = [], []
    for _ in range(200):
        p = rng.uniform(0.5, 1.0, 300)
        labels = (rng.random(300) > p).astype(int)
        probs = np.stack([p, 1 - p], axis=1)
        squares.append(debiased_calibration_error(labels, probs=probs))
        plain.append(expected_calibration_error(labels, probs=probs, binning="mass"))
    assert np.mean(np.square(squares)) < 0.5 * np.mean(plain) ** 2
    assert np.mean(np.equal(squares, 0.0)) > 0.3


def test_a_bin_with_one_row_says_nothing():
    assert math.isnan(debiased_calibration_error([0, 1], probs=[[0.9, 0.1], [0.8, 0.2]], n_bins=2))
    assert math.isnan(debiased_calibration_error([0] * 4, probs=[[0.9, 0.1]] * 4, sample_weights=[0.25] * 4))
    probs = [[0.6, 0.4]] * 4 + [[0.9, 0.1]]  # the last is alone: it counts among the rows, and adds no gap
    found = debiased_calibration_error([0, 0, 1, 1, 1], probs=probs, n_bins=5)
    assert found == pytest.approx(math.sqrt(max(0.0, 4 / 5 * (0.1**2 - 0.25 / 3))))
    assert debiased_calibration_error([0, 0, 0, 0, 1], probs=probs, n_bins=5) == pytest.approx(math.sqrt(4 / 5 * 0.16))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("binning", BINNINGS)
def test_no_rows_and_no_weight_give_nan_and_one_class_is_certain(metric, binning):
    assert math.isnan(metric([], logits=np.zeros((0, 3)), binning=binning))
    assert math.isnan(metric([0, 1], logits=[[1.0, 2.0]] * 2, sample_weights=[0.0, 0.0], binning=binning))
    assert metric([0, 0], logits=[[3.0], [-3.0]], binning=binning) == 0.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("binning", BINNINGS)
def test_infinities_give_no_nan(metric, binning):
    logits = [[np.inf, 0.0, -np.inf], [np.inf, np.inf, 0.0], [-np.inf] * 3, [1e30, -1e30, 0.0], [2.0, 1.0, -np.inf]]
    assert 0.0 <= metric([0, 1, 2, 0, 1], logits=logits, n_bins=2, binning=binning) <= 1.0


def test_the_number_is_that_of_netcal():
    metrics = pytest.importorskip("netcal.metrics")
    logits, labels = problem(8, 2000, 5)
    probs = softmax(logits, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = metrics.ECE(bins=15).measure(probs, labels)
        largest = metrics.MCE(bins=15).measure(probs, labels)
    assert expected_calibration_error(labels, probs=probs) == pytest.approx(expected, abs=1e-9)
    assert maximum_calibration_error(labels, probs=probs) == pytest.approx(largest, abs=1e-9)


@pytest.mark.parametrize("metric", [*METRICS, reliability])
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, OptionError, "neither"),
        ({"logits": [[0.0, 1.0]], "probs": [[0.5, 0.5]]}, OptionError, "both"),
        ({"probs": [[0.5, 0.5]], "temperature": 2.0}, OptionError, "temperature"),
        ({"logits": [[0.0, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[0.5, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[2.0, 1.0]]}, InputError, "row 0"),
        ({"logits": [[0.0, 1.0]] * 2}, InputError, "shape"),
        ({"logits": [[0.0]]}, InputError, r"\[0, 1\)"),
        ({"logits": [[0.0, 1.0]], "n_bins": 0}, OptionError, "n_bins"),
        ({"logits": [[0.0, 1.0]], "n_bins": 2.5}, OptionError, "n_bins"),
        ({"logits": [[0.0, 1.0]], "binning": "equal"}, OptionError, "'width', 'mass'"),
    ],
)
def test_wrong_input_gets_one_sentence(metric, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        metric([1], **arguments)
    assert str(caught.value).endswith(".") and metric.__name__ in str(caught.value)


@pytest.mark.parametrize("metric", METRICS)
def test_wrong_weights_get_one_sentence(metric):
    with pytest.raises(InputError, match="at least 0"):
        metric([1], logits=[[0.0, 1.0]], sample_weights=[-1.0])


@pytest.mark.parametrize("binning", BINNINGS)
@given(seed=seeds, N=st.integers(0, 80), n_bins=st.integers(1, 20))
def test_reliability_is_what_the_errors_are_made_of(binning, seed, N, n_bins):
    logits, labels = problem(seed, N)
    found = reliability(labels, logits=logits, n_bins=n_bins, binning=binning)
    assert found.lower[0] == 0.0 and found.upper[-1] == 1.0 and (found.lower[1:] == found.upper[:-1]).all()
    assert found.count.sum() == N and len(found.count) == n_bins
    held = found.count > 0
    for i in range(n_bins):
        low, high = naive.wilson_interval(np.nan_to_num(found.accuracy[i]) * found.count[i], found.count[i])
        assert (found.low[i], found.high[i]) == pytest.approx((low, high), abs=1e-12)
    assert np.isnan(found.mean_confidence[~held]).all() and np.isnan(found.accuracy[~held]).all()
    assert (found.lower[held] < found.mean_confidence[held] + 1e-12).all()
    assert (found.mean_confidence[held] <= found.upper[held] + 1e-12).all()
    error = expected_calibration_error(labels, logits=logits, n_bins=n_bins, binning=binning)
    assert found.expected_calibration_error() == pytest.approx(error, abs=1e-12, nan_ok=True)


@given(count=st.integers(0, 10**7), data=st.data(), level=st.floats(0.01, 0.999))
def test_the_interval_holds_the_share_and_grows_with_the_level(count, data, level):
    right = data.draw(st.integers(0, count))
    low, high = wilson_interval(right, count, level)
    assert 0.0 <= low < high <= 1.0
    assert count == 0 or low - 1e-12 <= right / count <= high + 1e-12
    wider = wilson_interval(right, count, 0.5 + 0.5 * level)
    assert wider[0] <= low + 1e-12 and high <= wider[1] + 1e-12
    many = wilson_interval(np.array([right, right]), np.array([count, count]), level)
    assert many[0].tolist() == [low, low] and many[1].tolist() == [high, high]


def test_the_level_must_be_one():
    for level in (0.0, 1.0, -1.0, math.nan, "0.95"):
        with pytest.raises(OptionError, match=r"level.*\.$"):
            reliability([0], logits=[[1.0, 0.0]], level=level)
