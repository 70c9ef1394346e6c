"""Smooth calibration error: the authors' package to rounding, plain loops, relations, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

import naive_calibration as naive
from logitkit.errors import InputError, OptionError
from logitkit.trust import smooth_calibration
from logitkit.trust.smooth_calibration import smooth_calibration_error, smooth_error_of

seeds = st.integers(0, 2**32 - 1)


def problem(seed, N, off=None):
    """Confidences that are off by about `off`, of any shape, some rounded so that many tie."""
    rng = np.random.default_rng(seed)
    f = rng.beta(*rng.uniform(0.2, 5.0, 2), size=N)
    f = f.round(2) if seed % 4 == 0 else f
    off = rng.choice([0.0, 0.003, 0.02, 0.1, 0.3]) if off is None else off
    return f, (rng.random(N) < np.clip(f + off * rng.normal(), 0.0, 1.0)).astype(np.float64)


@given(seed=seeds, N=st.integers(1, 3000))
def test_equals_relplot(seed, N):
    relplot = pytest.importorskip("relplot")
    f, y = problem(seed, N)
    assert smooth_error_of(f, y) == pytest.approx(relplot.smECE(f, y), abs=1e-12)


@pytest.mark.parametrize("N", [20_000, 300_000])
def test_equals_relplot_where_the_width_is_small_and_the_blocks_are_many(N):
    relplot = pytest.importorskip("relplot")
    f, y = problem(3, N, off=0.0)
    error = smooth_error_of(f, y)
    assert error < 0.02
    assert error == pytest.approx(relplot.smECE(f, y), abs=1e-12)


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_equals_the_plain_loops(seed):
    f, y = problem(seed, 6, off=0.2)
    assert smooth_error_of(f, y) == pytest.approx(naive.smooth_error(f.tolist(), y.tolist()), abs=1e-12)


@pytest.mark.parametrize("width", [1.0, 0.25, 20 / 1024, 9 / 1024, 7 / 1024, 2 / 1024])
def test_one_width_equals_the_plain_loops(width):
    f, y = problem(6, 3)
    points = max(2000, round(20 / width)) // 2 + 1  # odd or even
    grid = smooth_calibration._grid(f, y, np.empty(0), points)
    found = smooth_calibration._error_at(smooth_calibration._spectrum(grid), points, width, 1e-4)
    assert found == pytest.approx(naive.smooth_error_at(f.tolist(), y.tolist(), width), abs=1e-12)


@given(seed=seeds, N=st.integers(1, 200))
def test_weights_are_repetition_and_the_order_of_rows_changes_nothing(seed, N):
    f, y = problem(seed, N)
    rng = np.random.default_rng(seed)
    weights, order = rng.integers(1, 4, N), rng.permutation(N)
    error = smooth_error_of(f, y, weights.astype(np.float64))
    assert error == pytest.approx(smooth_error_of(np.repeat(f, weights), np.repeat(y, weights)), abs=1e-9)
    assert error == pytest.approx(smooth_error_of(f[order], y[order], weights[order].astype(np.float64)), abs=1e-9)


def test_weights_may_be_small():
    f, y = problem(1, 500, off=0.3)
    assert smooth_error_of(f, y, np.full(500, 1e-9)) == pytest.approx(smooth_error_of(f, y), rel=1e-3)


@given(seed=seeds)
def test_logits_are_probs_are_confidences(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(60, 4)) * 3.0, rng.integers(0, 4, 60)
    probs = softmax(logits / 1.7, axis=1)
    error = smooth_calibration_error(labels, logits=logits, temperature=1.7)
    assert error == pytest.approx(smooth_calibration_error(labels, probs=probs), abs=1e-9)
    correct = (probs.argmax(axis=1) == labels).astype(np.float64)
    assert error == pytest.approx(smooth_error_of(probs.max(axis=1), correct), abs=1e-9)


@settings(max_examples=20)
@given(seed=seeds)
def test_a_small_change_of_confidence_makes_a_small_change(seed):
    f, y = problem(seed, 300, off=0.1)
    moved = np.clip(f + 1e-6, 0.0, 1.0)
    assert abs(smooth_error_of(moved, y) - smooth_error_of(f, y)) < 1e-3


def test_threads_leave_no_trace(threads):
    f, y = problem(5, 400_000, off=0.0)
    rng = np.random.default_rng(5)
    weights, order = rng.random(len(f)), rng.permutation(len(f))
    found = []
    for count in (1, 4):
        threads(count)
        found.append((smooth_error_of(f, y), smooth_error_of(f, y, weights)))
    assert found[0] == found[1]
    assert smooth_error_of(f[order], y[order], weights[order]) == pytest.approx(found[0][1], abs=1e-9)


def test_no_rows_no_weight_and_certainty():
    assert math.isnan(smooth_calibration_error([], logits=np.zeros((0, 3))))
    assert math.isnan(smooth_calibration_error([0], logits=[[1.0, 2.0]], sample_weights=[0.0]))
    assert smooth_calibration_error([0, 0], logits=[[3.0], [-3.0]]) == 0.0
    assert smooth_calibration_error([0] * 5, logits=[[-np.inf, np.inf]] * 5) == pytest.approx(1.0, abs=1e-3)
    logits = [[np.inf, 0.0, -np.inf], [np.inf, np.inf, 0.0], [-np.inf] * 3, [1e30, -1e30, 0.0], [2.0, 1.0, -np.inf]]
    assert 0.0 <= smooth_calibration_error([0, 1, 2, 0, 1], logits=logits) <= 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, OptionError, "neither"),
        ({"logits": [[0.0, 1.0]], "probs": [[0.5, 0.5]]}, OptionError, "both"),
        ({"logits": [[0.0, 1.0]], "temperature": 0.0}, OptionError, "temperature"),
        ({"logits": [[0.0, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[0.5, 0.4]]}, InputError, "row 0"),
        ({"logits": [[0.0, 1.0]] * 2}, InputError, "shape"),
        ({"logits": [[0.0]]}, InputError, r"\[0, 1\)"),
        ({"logits": [[0.0, 1.0]], "sample_weights": [-1.0]}, InputError, "at least 0"),
    ],
)
def test_wrong_input_gets_one_sentence(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        smooth_calibration_error([1], **arguments)
    assert str(caught.value).endswith(".") and "smooth_calibration_error" in str(caught.value)
