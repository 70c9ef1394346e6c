"""Isotonic and histogram calibration, one class against the rest: relations, plain loops, scikit-learn, wrong input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from sklearn.isotonic import IsotonicRegression

import naive_isotonic
from logitkit.errors import InputError, OptionError
from logitkit.model_file import read_model_file
from logitkit.trust.calibrators import rest_maps
from logitkit.trust.calibrators.one_vs_rest import OneVsRestCalibrator, fit_histogram, fit_isotonic

FITS = [fit_isotonic, fit_histogram]
seeds = st.integers(0, 2**32 - 1)


def problem(seed, N=200, C=4, step=0.0, dtype=np.float64):
    """Over-confident logits, rounded to multiples of `step` so that rows tie, and labels."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(N, C)) * 2.0
    labels = (z * 0.6 + rng.gumbel(size=(N, C))).argmax(axis=1)
    return (np.round(z / step) * step if step else z).astype(dtype), labels


def same_parts(one, other):
    return all((one.parts()[0][name] == other.parts()[0][name]).all() for name in ("indptr", "knots", "values"))


def map_of(calibrator, f):
    run = slice(calibrator.indptr[f], calibrator.indptr[f + 1])
    return calibrator.knots[run], calibrator.values[run]


@settings(deadline=None)
@given(
    seed=seeds,
    N=st.integers(1, 25),
    C=st.integers(1, 4),
    step=st.sampled_from([0.0, 0.5, 2.0]),
    weighted=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_isotonic_equals_the_plain_loops(seed, N, C, step, weighted, dtype):
    logits, labels = problem(seed, N, C, step, dtype)
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, N) if weighted else np.ones(N, int)
    weights[0] = 2
    rows = np.concatenate([logits, problem(seed + 1, 10, C, step, dtype)[0] * 3])
    calibrator = fit_isotonic(logits, labels, sample_weights=weights if weighted else None)
    maps = {}
    for c in range(C):
        scores = [naive_isotonic.rest_logit(row, c) for row in logits.tolist()]
        count = weights.tolist() if weighted else [1] * N
        maps[c] = naive_isotonic.isotonic_map(scores, (labels == c).tolist(), count)
    expected = [
        naive_isotonic.one_vs_rest(lambda c, s: naive_isotonic.interpolate(maps[c], s), row) for row in rows.tolist()
    ]
    loose = 1e-9 if dtype == np.float64 else 2e-5  # s is off by an ulp of float32 here and there
    np.testing.assert_allclose(calibrator.probs(rows), expected, atol=loose)


@settings(deadline=None)
@given(
    seed=seeds,
    N=st.integers(1, 40),
    C=st.integers(1, 4),
    step=st.sampled_from([0.0, 0.5, 2.0]),
    n_bins=st.integers(1, 20),
    weighted=st.booleans(),
)
def test_histogram_equals_the_plain_loops(seed, N, C, step, n_bins, weighted):
    logits, labels = problem(seed, N, C, step)
    weights = np.random.default_rng(seed).integers(0, 4, N) if weighted else np.ones(N, int)
    weights[0] = 2
    rows = np.concatenate([logits, problem(seed + 1, 10, C)[0] * 3])
    calibrator = fit_histogram(logits, labels, n_bins=n_bins, sample_weights=weights)
    bins = {}
    for c in range(C):
        scores = [naive_isotonic.rest_logit(row, c) for row in logits.tolist()]
        bins[c] = naive_isotonic.histogram_bins(scores, (labels == c).tolist(), n_bins, weights.tolist())
    expected = [naive_isotonic.one_vs_rest(lambda c, s: naive_isotonic.step(*bins[c], s), row) for row in rows.tolist()]
    np.testing.assert_allclose(calibrator.probs(rows), expected, atol=1e-12)


@settings(deadline=None)
@given(seed=seeds, C=st.integers(2, 5), step=st.sampled_from([0.0, 0.25]), weighted=st.booleans())
def test_isotonic_equals_scikit_learn_between_its_mixed_runs(seed, C, step, weighted):
    logits, labels = problem(seed, 300, C, step)
    weights = np.random.default_rng(seed).uniform(0.5, 2.0, 300) if weighted else np.ones(300)
    calibrator = fit_isotonic(logits, labels, sample_weights=weights if weighted else None)
    for f in range(1 if C == 2 else C):
        c = 1 if C == 2 else f
        s = logits[:, c] - logsumexp(np.delete(logits, c, axis=1), axis=1)
        s = s.astype(np.float32).astype(np.float64)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(s, (labels == c).astype(float), sample_weight=weights)
        mixed = (theirs.y_thresholds_ > 1e-9) & (theirs.y_thresholds_ < 1 - 1e-9)
        at = np.linspace(*theirs.X_thresholds_[mixed][[0, -1]], 300)
        np.testing.assert_allclose(np.interp(at, *map_of(calibrator, f)), theirs.predict(at), atol=1e-9)


@pytest.mark.parametrize("fit", FITS)
@settings(deadline=None)
@given(seed=seeds, C=st.integers(2, 4), step=st.sampled_from([0.0, 0.5]))
def test_weights_are_repetition_and_the_order_of_rows_changes_no_bit(fit, seed, C, step):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, 60, C, step, np.float32)
    weights = rng.integers(0, 4, 60)
    weights[0] = 1
    weighted = fit(logits, labels, sample_weights=weights)
    repeated = np.repeat(np.arange(60), weights)
    order = rng.permutation(repeated)
    assert same_parts(weighted, fit(logits[repeated], labels[repeated]))
    assert same_parts(weighted, fit(logits[order], labels[order]))


@pytest.mark.parametrize("fit", FITS)
@settings(deadline=None)
@given(seed=seeds, C=st.integers(2, 5), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_shift_of_rows_changes_no_bit_and_the_order_of_classes_nothing(fit, seed, C, dtype):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, 80, C, 0.25, dtype)
    calibrator = fit(logits, labels)
    probs = calibrator.probs(logits)
    shift = rng.integers(-8, 8, (80, 1)).astype(dtype)
    assert same_parts(calibrator, fit(logits + shift, labels))
    assert (calibrator.probs(logits + shift) == probs).all()
    if C > 2 or fit is fit_isotonic:  # a bin whose middle lies on an edge belongs to the upper one, turned round or not
        classes = rng.permutation(C)
        turned = fit(logits[:, classes], np.argsort(classes)[labels]).probs(logits[:, classes])
        np.testing.assert_allclose(turned, probs[:, classes], atol=1e-5 if dtype == np.float32 else 1e-9)


@settings(deadline=None)
@given(seed=seeds, N=st.integers(1, 200))
def test_isotonic_of_two_classes_keeps_the_order_of_rows(seed, N):
    logits, labels = problem(seed, N, 2)
    rows = np.sort(np.random.default_rng(seed).normal(size=50) * 10)
    p = fit_isotonic(logits, labels).probs(np.stack([np.zeros(50), rows], axis=1))[:, 1]
    assert (np.diff(p) >= 0.0).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 80.0, 1e30])
@pytest.mark.parametrize("C", [1, 2, 3, 40])
def test_rows_are_distributions_without_a_zero(fit, dtype, size, C):
    logits, labels = problem(1, 100, C)
    logits = (logits * size).astype(dtype)
    log_probs = fit(logits, labels).log_probs(logits)
    assert log_probs.dtype == dtype and np.isfinite(log_probs).all() and (log_probs <= 0.0).all()
    np.testing.assert_allclose(np.exp(log_probs.astype(np.float64)).sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_give_no_nan_and_tie_as_their_probabilities_do(fit, dtype):
    i = np.inf
    logits = np.array([[i, 0, -i], [i, i, 0], [-i, -i, -i], [1, 2, -i], [0, 0, 0], [3, -i, -i]], dtype)
    labels = [0, 1, 2, 1, 0, 0]
    calibrator = fit(logits, labels)
    probs = calibrator.probs(logits)
    assert np.isfinite(probs).all()
    np.testing.assert_array_equal(probs[2], probs[4])  # all -inf is uniform
    largest = np.finfo(np.float32).max
    assert np.isfinite(calibrator.knots).all() and abs(calibrator.knots).max() <= largest
    for c in range(3):
        scores = [naive_isotonic.rest_logit(row, c) for row in logits.tolist()]
        run = map_of(calibrator, c)[0]
        assert run.min() >= min(scores) and run.max() <= max(scores)
    assert np.isfinite(fit(logits[:, :2], [0, 1, 0, 1, 0, 0]).log_probs(logits[:, :2])).all()
    huge = np.finfo(dtype).max * np.array([[1, -1, 0], [-1, 1, 0.5], [0, 1, -1]], dtype)
    assert np.isfinite(fit(huge, [0, 1, 2]).log_probs(huge)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [2, 3])
def test_probabilities_that_round_to_one_are_still_told_apart(dtype, C):
    gaps = np.linspace(50.0, 300.0, 200)
    logits = np.zeros((200, C), dtype)
    logits[:, 1] = gaps
    labels = np.where(gaps < 150.0, 0, 1)
    for fit in FITS:
        p = fit(logits, labels).probs(logits)[:, 1]
        assert p[gaps < 130.0].max() < 0.1 and p[gaps > 170.0].min() > 0.8


@pytest.mark.parametrize("N", [1, 3, 100])
@pytest.mark.parametrize("weight", [1.0, 0.25, 7.0])
def test_runs_without_an_error_stop_at_the_rate_they_cannot_rule_out(N, weight):
    logits = np.random.default_rng(0).normal(size=(N, 2))
    for label in (0, 1):
        p = fit_isotonic(logits, np.full(N, label), sample_weights=np.full(N, weight)).probs(logits)
        np.testing.assert_allclose(p[:, 1 - label], 0.5 / (N * weight + 1), rtol=1e-12)
    both = np.array([[0.0, -5.0]] * N + [[0.0, 5.0]] * N)
    p = fit_isotonic(both, [0] * N + [1] * N).probs(both)[:, 1]
    np.testing.assert_allclose(p, [0.5 / (N + 1)] * N + [1 - 0.5 / (N + 1)] * N, rtol=1e-12)


def test_a_run_without_an_error_never_crosses_its_neighbour():
    scores = np.array([-1.0, *[0.0] * 20, 1.0])
    logits = np.stack([np.zeros(22), scores], axis=1)
    labels = np.array([0, 1, *[0] * 19, 1])  # 1 miss, then 1 hit of 20: 0.5 / 2 would be above 0.05
    p = fit_isotonic(logits, labels).probs(logits)[:, 1]
    np.testing.assert_allclose(p, [0.05] * 21 + [0.75], rtol=1e-12)
    p = fit_isotonic(logits[:, ::-1], 1 - labels).probs(logits[:, ::-1])[:, 1]
    np.testing.assert_allclose(p, [0.95] * 21 + [0.25], rtol=1e-12)


def test_a_class_that_no_label_names_has_what_the_rows_cannot_rule_out():
    logits, labels = problem(4, 99, 3)
    for calibrator, n in ((fit_isotonic(logits, labels % 2), 99), (fit_histogram(logits, labels % 2, n_bins=1), 99)):
        np.testing.assert_allclose(map_of(calibrator, 2)[1], 0.5 / (n + 1), rtol=1e-12)


def test_bins_hold_equal_mass_and_meet_halfway():
    scores = np.arange(12.0)
    logits = np.stack([np.zeros(12), scores], axis=1)
    calibrator = fit_histogram(logits, [0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1], n_bins=4)
    assert calibrator.knots.tolist() == [2.5, 2.5, 5.5, 5.5, 8.5, 8.5]
    assert calibrator.values.tolist() == [0.125, 0.625, 0.625, 0.625, 0.625, 0.875]
    at = np.array([-99.0, 2.4, 2.5, 2.6, 8.4, 8.6, 99.0])
    p = calibrator.probs(np.stack([0 * at, at], axis=1))[:, 1]
    np.testing.assert_allclose(p, [0.125, 0.125, 0.125, 0.625, 0.625, 0.875, 0.875], rtol=1e-12)


def test_more_bins_than_rows_and_rows_that_tie():
    logits, labels = problem(5, 9, 3)
    assert len(fit_histogram(logits, labels, n_bins=10**6).knots) == 3 * 2 * 8
    same = fit_histogram(np.ones((9, 3)), labels)
    assert len(same.knots) == 3
    np.testing.assert_allclose(same.values, (np.bincount(labels, minlength=3) + 0.5) / 10, rtol=1e-12)
    assert len(fit_isotonic(np.ones((9, 3)), labels).knots) == 3


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("N", "C"), [(9_000, 10), (500, 100), (5_000, 2)])
def test_one_thread_and_many_give_the_same_bits(fit, N, C, threads, monkeypatch):
    logits, labels = problem(6, N, C, 0.0, np.float32)
    found = []
    for count in (1, 2, 5):
        threads(count)
        calibrator = fit(logits, labels, sample_weights=np.random.default_rng(1).random(N))
        found.append((calibrator, calibrator.log_probs(logits)))
    for calibrator, log_probs in found[1:]:
        assert same_parts(found[0][0], calibrator) and (found[0][1] == log_probs).all()
    monkeypatch.setattr(rest_maps, "_KEYS", 1)
    assert same_parts(found[0][0], fit(logits, labels, sample_weights=np.random.default_rng(1).random(N)))


@pytest.mark.parametrize("fit", FITS)
def test_any_array_will_do_and_none_is_written(fit, frozen):
    logits, labels = problem(7, 64, 4, 0.5, np.float32)
    calibrator = fit(logits, labels)
    probs = calibrator.probs(logits)
    wide = np.zeros((64, 8), np.float32)
    wide[:, ::2] = logits
    for same in (frozen(logits), np.asfortranarray(logits), wide[:, ::2], logits.astype(np.float16)):
        assert same_parts(calibrator, fit(same, frozen(labels.astype(np.int8))))
        assert (calibrator.probs(same) == probs).all()
    np.testing.assert_allclose(fit(logits.tolist(), labels.tolist()).probs(logits.tolist()), probs, atol=1e-6)
    assert calibrator.probs(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("C", [1, 2, 5])
def test_a_file_gives_back_every_bit(fit, C, tmp_path):
    logits, labels = problem(8, 150, C)
    calibrator = fit(logits, labels)
    calibrator.save(tmp_path / "c.logitkit")
    tensors, manifest = read_model_file(tmp_path / "c.logitkit")
    assert (manifest["kind"], manifest["layout"], manifest["n_classes"]) == ("calibrator", "one-vs-rest", C)
    restored = OneVsRestCalibrator.restore(manifest["method"], C, tensors, {})
    assert same_parts(calibrator, restored) and restored.method == calibrator.method
    assert (restored.log_probs(logits) == calibrator.log_probs(logits)).all()


def put(name, at, value):
    def change(tensors):
        tensors[name] = tensors[name].copy()
        tensors[name][at] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("values", 0, 0.0),
        put("values", -1, 1.0),
        put("values", 3, np.nan),
        put("values", 0, 0.999),
        put("knots", 2, np.nan),
        put("knots", 2, np.inf),
        put("knots", 0, 1e9),
        put("knots", 1, -1e9),
        put("indptr", 0, 1),
        put("indptr", 0, -1),
        put("indptr", -1, 10**9),
        put("indptr", 2, 0),
        put("indptr", slice(1, 4), [2**63 - 1, -(2**63), -1]),  # whose differences would overflow to positive numbers
        lambda tensors: tensors.update(values=tensors["values"][:-1]),
        lambda tensors: tensors.update(values=tensors["values"].astype(np.float32)),
        lambda tensors: tensors.update(knots=tensors["knots"][None]),
        lambda tensors: tensors.update(indptr=tensors["indptr"].astype(np.int32)),
        lambda tensors: tensors.update(indptr=tensors["indptr"][:-1]),
        lambda tensors: tensors.update(more=np.zeros(3)),
        lambda tensors: tensors.pop("knots"),
    ],
)
def test_altered_parts_are_refused(change):
    calibrator = fit_isotonic(*problem(9, 200, 4))
    tensors, facts = calibrator.parts()
    OneVsRestCalibrator.restore("isotonic", 4, dict(tensors), facts)
    change(tensors)
    with pytest.raises((KeyError, TypeError, ValueError)):
        OneVsRestCalibrator.restore("isotonic", 4, tensors, facts)


@pytest.mark.parametrize(
    ("method", "n_classes", "facts"),
    [
        ("isotonic", 3, {}),
        ("isotonic", 0, {}),
        ("isotonic", 4.0, {}),
        ("temperature", 4, {}),
        ("isotonic", 4, {"a": 1}),
    ],
)
def test_parts_of_something_else_are_refused(method, n_classes, facts):
    tensors, _ = fit_isotonic(*problem(9, 200, 4)).parts()
    with pytest.raises((TypeError, ValueError)):
        OneVsRestCalibrator.restore(method, n_classes, tensors, facts)


def test_steps_may_fall_in_a_histogram_alone():
    tensors, facts = fit_histogram([[0.0, -1.0], [0.0, 1.0]], [1, 0]).parts()
    OneVsRestCalibrator.restore("histogram", 2, tensors, facts)
    with pytest.raises(ValueError, match="ascending"):
        OneVsRestCalibrator.restore("isotonic", 2, tensors, facts)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("logits", "labels", "weights", "words"),
    [
        ([1.0, 2.0], [0], None, "dimension"),
        ([[1.0, 2.0]], [0, 1], None, "shape"),
        ([[1.0, 2.0]], [2], None, r"\[0, 2\)"),
        ([[1.0, 2.0]], [0.5], None, "integers"),
        ([[1.0, 2.0], [np.nan, 1.0]], [0, 1], None, "NaN in row 1"),
        (np.zeros((0, 3)), [], None, "one row"),
        ([[1.0, 2.0]], [0], [-1.0], "at least 0"),
        ([[1.0, 2.0]], [0], [0.0], "above 0"),
        ([[1.0, 2.0]] * 2, [0, 1], [1e308, 1e308], "finite"),
        ([["a", "b"]], [0], None, "float"),
    ],
)
def test_wrong_input_gets_one_sentence(fit, logits, labels, weights, words):
    with pytest.raises(InputError, match=words) as caught:
        fit(logits, labels, sample_weights=weights)
    assert str(caught.value).endswith(".") and fit.__name__ in str(caught.value)


def test_wrong_bins_and_wrong_logits_get_one_sentence():
    for n_bins in (0, -1, 1.5, True, "15", 10**7):
        with pytest.raises(OptionError, match="n_bins"):
            fit_histogram([[0.0, 1.0]], [0], n_bins=n_bins)
    calibrator = fit_isotonic(*problem(10, 50, 3))
    with pytest.raises(InputError, match="3 classes"):
        calibrator.log_probs([[0.0, 1.0]])
    with pytest.raises(InputError, match="NaN in row 1"):
        calibrator.probs([[0.0] * 3, [0.0, np.nan, 1.0]])


def test_it_calibrates_logits_that_are_too_sure():
    logits, labels = problem(11, 20_000, 3)
    half = slice(None, 10_000), slice(10_000, None)
    rows = np.arange(10_000)

    def loss(probs):
        return -np.log(probs[rows, labels[half[1]]]).mean()

    before = loss(softmax(logits[half[1]], axis=1))
    best = loss(softmax(logits[half[1]] * 0.6, axis=1))
    for fit in FITS:
        after = loss(fit(logits[half[0]], labels[half[0]]).probs(logits[half[1]]))
        assert math.isfinite(after) and best - 0.01 < after < best + 0.2 * (before - best) + 0.01
