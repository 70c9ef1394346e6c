"""fit_temperature: relations, the oracle scipy.optimize, and every input where the data cannot say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

import naive_trust
from logitkit.errors import InputError
from logitkit.kernels import n_threads, set_threads
from logitkit.trust import temperature as module
from logitkit.trust.temperature import TEMPERATURE_MAX, TEMPERATURE_MIN, fit_temperature

seeds = st.integers(0, 2**32 - 1)


def problem(seed, N=200, C=4, scale=2.0, noise=1.0, dtype=np.float64):
    """Logits whose best temperature is about `scale`: labels drawn from softmax(logits / scale)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(N, C)) * 2.0
    p = np.exp(z - logsumexp(z, axis=1, keepdims=True))
    labels = (p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, C - 1)
    return (z * scale + noise * rng.normal(size=(N, 1))).astype(dtype), labels


def mean_loss(logits, labels, temperature):
    z = np.asarray(logits, np.float64) / temperature
    return float(np.mean(logsumexp(z, axis=1) - z[np.arange(len(z)), labels]))


@settings(deadline=None)
@given(seed=seeds, C=st.integers(2, 9), log_scale=st.floats(-4.0, 4.0), dtype=st.sampled_from([np.float32, np.float64]))
def test_is_the_minimum_that_scipy_finds(seed, C, log_scale, dtype):
    logits, labels = problem(seed, C=C, scale=math.exp(log_scale), dtype=dtype)
    found = fit_temperature(logits, labels)
    oracle = minimize_scalar(
        lambda log_t: mean_loss(logits, labels, math.exp(log_t)), bounds=(-12, 12), options={"xatol": 1e-9}
    )
    assert mean_loss(logits, labels, found) <= oracle.fun + 1e-12
    assert found == pytest.approx(math.exp(oracle.x), rel=1e-4)


def test_agrees_with_the_plain_loop_of_the_loss():
    logits, labels = problem(3, N=60)
    best = fit_temperature(logits, labels)
    at = [naive_trust.log_loss(logits.tolist(), labels.tolist(), best * factor) for factor in (0.99, 1.0, 1.01)]
    assert at[1] < at[0] and at[1] < at[2]


@settings(deadline=None)
@given(seed=seeds, N=st.integers(1, 12), C=st.integers(1, 4), size=st.sampled_from([1e-9, 1.0, 50.0, 1e4, 1e30]))
def test_is_never_worse_than_no_temperature(seed, N, C, size):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(N, C)) * size, rng.integers(0, C, N)
    found = fit_temperature(logits, labels)
    assert TEMPERATURE_MIN <= found <= TEMPERATURE_MAX
    assert mean_loss(logits, labels, found) <= mean_loss(logits, labels, 1.0) * (1 + 1e-12) + 1e-12


@settings(deadline=None)
@given(seed=seeds, rows=st.integers(5, 40))
def test_weights_are_repetition(seed, rows):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, N=rows)
    weights = rng.integers(0, 4, rows)
    repeated = fit_temperature(np.repeat(logits, weights, axis=0), np.repeat(labels, weights))
    assert fit_temperature(logits, labels, sample_weights=weights) == pytest.approx(repeated, rel=1e-6)


@settings(deadline=None)
@given(seed=seeds)
def test_order_of_rows_and_classes_and_a_shift_of_rows_change_nothing(seed):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed)
    found = fit_temperature(logits, labels)
    rows, classes = rng.permutation(len(logits)), rng.permutation(logits.shape[1])
    assert fit_temperature(logits[rows], labels[rows]) == pytest.approx(found, rel=1e-6)
    assert fit_temperature(logits[:, classes], np.argsort(classes)[labels]) == pytest.approx(found, rel=1e-6)
    assert fit_temperature(logits + rng.normal(size=(len(logits), 1)), labels) == pytest.approx(found, rel=1e-6)


@settings(deadline=None)
@given(seed=seeds, factor=st.sampled_from([1e-3, 0.5, 7.0, 1e3]))
def test_scales_with_the_logits(seed, factor):
    logits, labels = problem(seed)
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor * fit_temperature(logits, labels), rel=1e-6)


@pytest.mark.parametrize(("N", "C"), [(30_000, 3), (300, 1_000), (12_000, 200)])
def test_one_thread_and_many_give_the_same_bits(N, C):
    logits, labels = problem(5, N=N, C=C, dtype=np.float32)
    before = n_threads()
    try:
        found = []
        for threads in (1, 2, 5):
            set_threads(threads)
            found.append(fit_temperature(logits, labels))
    finally:
        set_threads(before)
    assert found[0] == found[1] == found[2]


def test_starting_from_some_rows_ends_at_the_same_place(monkeypatch):
    logits, labels = problem(6, N=12_000, C=200, scale=3.0, dtype=np.float32)
    warm = fit_temperature(logits, labels)
    monkeypatch.setattr(module, "_WARM_START_SIZE", 2**60)
    assert fit_temperature(logits, labels) == pytest.approx(warm, rel=1e-6)


def test_a_start_from_some_rows_saves_passes_over_all(monkeypatch):
    logits, labels = problem(6, N=12_000, C=200, scale=3.0, dtype=np.float32)
    rows, make = [], module._objective

    def counted(*data):
        objective = make(*data)
        return lambda beta: rows.append(len(data[0])) or objective(beta)

    monkeypatch.setattr(module, "_objective", counted)
    fit_temperature(logits, labels)
    assert rows.count(12_000) <= 3 and len(rows) > 3


def test_a_search_that_fails_leaves_the_logits_as_they_are(monkeypatch):
    logits, labels = problem(7)
    monkeypatch.setattr(module, "_minimise", lambda objective, start: (9.0, objective(9.0).loss))
    assert fit_temperature(logits, labels) == 1.0


@pytest.mark.parametrize("N", [1, 3, 100])
def test_rows_that_are_all_right_stop_at_the_error_rate_they_cannot_rule_out(N):
    logits = np.random.default_rng(0).uniform(0.5, 1.5, (N, 1)) * np.array([[0.1, 0.0, -0.1]])
    found = fit_temperature(logits, np.zeros(N, int))
    assert 0.0 < found < 1.0
    assert mean_loss(logits, np.zeros(N, int), found) == pytest.approx(-math.log(1 - 0.5 / (N + 1)), rel=1e-6)


def test_rows_that_are_all_right_and_sure_stay_as_they_are():
    assert fit_temperature([[50.0, 0.0]] * 9, [0] * 9) == 1.0


def test_right_rows_beside_a_tie_stop_where_what_is_left_is_small():
    logits, labels = [[0.1, 0.0]] * 9 + [[0.0, 0.0]], [0] * 10
    found = fit_temperature(logits, labels)
    assert mean_loss(logits, labels, found) - math.log(2) / 10 == pytest.approx(-math.log(1 - 0.5 / 11), rel=1e-6)


def test_worse_than_chance_says_all_classes_are_equally_likely():
    assert fit_temperature([[3.0, 0.0], [0.0, 2.0]], [1, 0]) == pytest.approx(TEMPERATURE_MAX)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 3)), []),
        (np.zeros((5, 1)), [0] * 5),
        (np.full((4, 3), 7.0), [0, 1, 2, 0]),
        (np.full((2, 3), -np.inf), [0, 1]),
        ([[np.inf, 0.0], [np.inf, np.inf]], [0, 1]),
        ([[0.0, -np.inf]], [1]),
    ],
    ids=["no rows", "one class", "constant", "all -inf", "inf", "label at -inf"],
)
def test_where_nothing_depends_on_the_temperature_it_is_one(logits, labels):
    assert fit_temperature(logits, labels) == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_do_not_depend_on_it_are_left_out_and_masked_classes_are_no_classes(dtype):
    logits, labels = problem(8, N=50, C=3, dtype=dtype)
    found = fit_temperature(logits, labels)
    masked = np.concatenate([logits, np.full((50, 2), -np.inf, dtype)], axis=1)
    odd = np.array([[np.inf, 0, 0, 0, 0], [-np.inf] * 5, [0, 0, 0, -np.inf, 0]], dtype)
    assert fit_temperature(np.concatenate([masked, odd]), [*labels, 1, 2, 3]) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 3e38), (np.float64, 1e308)])
def test_logits_of_any_size_give_a_temperature_in_range(dtype, size):
    logits = np.array([[size, -size, 0], [0, size, -size], [1, 2, 3]], dtype)
    for labels in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        assert TEMPERATURE_MIN <= fit_temperature(logits, labels) <= TEMPERATURE_MAX


def test_any_array_will_do_and_none_is_written():
    logits, labels = problem(9, N=64, C=4, dtype=np.float32)
    found = fit_temperature(logits, labels)
    frozen = logits.copy()
    frozen.flags.writeable = False
    wide = np.zeros((64, 8), np.float32)
    wide[:, ::2] = logits
    for same in (frozen, np.asfortranarray(logits), wide[:, ::2], logits[::-1][::-1]):
        assert fit_temperature(same, labels.astype(np.int32)) == found
    assert fit_temperature(logits.tolist(), labels.tolist()) == pytest.approx(found, rel=1e-6)
    assert fit_temperature(logits.astype(np.float16), labels) == pytest.approx(found, rel=1e-2)
    assert fit_temperature([[3, 0], [3, 0], [3, 0], [3, 0]], [0, 0, 0, 1]) == pytest.approx(3 / math.log(3), rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, -np.nan], ids=["nan", "negative nan"])
@pytest.mark.parametrize("beside", [0.0, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_nan_is_an_error_that_names_the_first_such_row(bad, beside, dtype, column):
    logits = np.ones((40_000, 3), dtype)
    logits[33_000] = beside
    logits[33_000, column] = np.copysign(np.nan, bad)
    logits[39_000] = np.nan
    with pytest.raises(InputError, match=r"row 33000\b.*NaN|NaN.*row 33000\b"):
        fit_temperature(logits, np.zeros(40_000, int))


@pytest.mark.parametrize(
    ("logits", "labels", "weights"),
    [
        ([1.0, 2.0], [0], None),
        ([[1.0, 2.0]], [0, 1], None),
        ([[1.0, 2.0]], [2], None),
        ([[1.0, 2.0]], [-1], None),
        ([[1.0, 2.0]], [0.5], None),
        ([[1.0, 2.0]], [0], [-1.0]),
        ([[1.0, 2.0]], [0], [np.nan]),
        ([[1.0, 2.0]], [0], [1.0, 1.0]),
        ([["a", "b"]], [0], None),
        (np.zeros((2, 0)), [0, 0], None),
    ],
)
def test_wrong_input_gets_one_sentence(logits, labels, weights):
    with pytest.raises(InputError) as caught:
        fit_temperature(logits, labels, sample_weights=weights)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
