"""Venn-Abers calibration: its definition in plain loops, the venn-abers package, relations, and wrong input."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

import naive_isotonic
from logitkit.errors import InputError
from logitkit.model_file import read_model_file
from logitkit.trust.calibrators.venn_abers import MAX_CLASSES, VennAbersCalibrator, fit_venn_abers

seeds = st.integers(0, 2**32 - 1)
NAMES = ("indptr", "knots", "low", "high")


def problem(seed, N=200, C=3, step=0.0, dtype=np.float64):
    """Over-confident logits, rounded to multiples of `step` so that rows tie, and labels."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(N, C)) * 2.0
    labels = (z * 0.6 + rng.gumbel(size=(N, C))).argmax(axis=1)
    return (np.round(z / step) * step if step else z).astype(dtype), labels


def binary(scores):
    scores = np.asarray(scores, np.float64)
    return np.stack([np.zeros(len(scores)), scores], axis=1)


def same_parts(one, other):
    return all((one.parts()[0][name] == other.parts()[0][name]).all() for name in NAMES)


@contextmanager
def noise():
    """Let the package warn, and turn off NumPy's warnings as it does when it is imported, in here alone."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def package():
    """The venn-abers package."""
    with noise():
        return pytest.importorskip("venn_abers")


@settings(deadline=None, max_examples=60)
@given(
    scores=st.lists(st.integers(-4, 4), min_size=1, max_size=12),
    factor=st.sampled_from([1.0, 0.1, 1e300]),
    data=st.data(),
)
def test_two_classes_are_the_definition(scores, factor, data):
    labels = data.draw(st.lists(st.integers(0, 1), min_size=len(scores), max_size=len(scores)))
    scores = [s * factor for s in scores]
    at = [x * 0.5 * factor for x in range(-10, 11)]
    calibrator = fit_venn_abers(binary(scores), labels)
    low, high = calibrator.intervals(binary(at))
    probs = calibrator.probs(binary(at))
    for row, s in enumerate(at):
        p0, p1 = naive_isotonic.venn_abers(scores, labels, s)
        assert low[row, 1] == pytest.approx(float(p0), abs=1e-15)
        assert high[row, 1] == pytest.approx(float(p1), abs=1e-15)
        assert low[row, 0] == pytest.approx(float(1 - p1), abs=1e-15)
        assert high[row, 0] == pytest.approx(float(1 - p0), abs=1e-15)
        assert probs[row, 1] == pytest.approx(float(p1 / (1 - p0 + p1)), rel=1e-14)


@settings(deadline=None)
@given(seed=seeds, N=st.integers(1, 14), C=st.integers(1, 4), step=st.sampled_from([0.0, 1.0, 3.0]))
def test_more_classes_are_the_definition_with_classes_that_are_missing_too(seed, N, C, step):
    logits, labels = problem(seed, N, C, step)
    rows = np.concatenate([logits[:3], problem(seed + 1, 5, C, step)[0]])
    calibrator = fit_venn_abers(logits, labels)
    low, high = calibrator.intervals(rows)
    probs = calibrator.probs(rows)
    for row, values in enumerate(rows.tolist()):
        expected = naive_isotonic.pairwise(logits.tolist(), labels.tolist(), values)
        for mine, theirs in zip((probs[row], low[row], high[row]), expected, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-14)


@settings(deadline=None)
@given(seed=seeds, N=st.integers(2, 300), step=st.sampled_from([0.0, 0.5]))
def test_two_classes_equal_the_package(seed, N, step, package):
    logits, labels = problem(seed, N, 2, step)
    labels[:2] = 0, 1
    rows = np.concatenate([logits, problem(seed + 1, 50, 2, step)[0]])
    tied = [softmax(binary(z[:, 1] - z[:, 0]), axis=1) for z in (logits, rows)]  # so that what ties here ties there
    with noise():
        theirs = package.VennAbers()
        theirs.fit(tied[0], labels)
        p, p0p1 = theirs.predict_proba(tied[1])
    calibrator = fit_venn_abers(logits, labels)
    low, high = calibrator.intervals(rows)
    np.testing.assert_allclose(calibrator.probs(rows), p, atol=1e-12)
    np.testing.assert_allclose(low[:, 1], p0p1[:, 0], atol=1e-12)
    np.testing.assert_allclose(high[:, 1], p0p1[:, 1], atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=seeds, C=st.integers(3, 6))
def test_more_classes_equal_the_package(seed, C, package):
    logits, labels = problem(seed, 150, C)  # no ties: p_j / (p_i + p_j) rounds otherwise than z_j - z_i
    labels[:C] = np.arange(C)
    rows = problem(seed + 1, 80, C)[0]
    with noise():
        theirs = package.VennAbersCalibrator().predict_proba(
            p_cal=softmax(logits, axis=1), y_cal=labels, p_test=softmax(rows, axis=1)
        )
    np.testing.assert_allclose(fit_venn_abers(logits, labels).probs(rows), theirs, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=seeds, N=st.integers(2, 30), step=st.sampled_from([0.0, 1.0]))
def test_the_end_of_the_label_is_calibrated_when_each_row_in_turn_is_new(seed, N, step):
    """Whichever row of a set is new, its p_label is the isotonic fit of the whole set there: exactly calibrated."""
    logits, labels = problem(seed, N, 2, step)
    found = {}
    for row in range(N):
        rest = np.arange(N) != row
        low, high = fit_venn_abers(logits[rest], labels[rest]).intervals(logits[row : row + 1])
        value = (low, high)[labels[row]][0, 1]
        found.setdefault(round(value, 12), []).append(labels[row])
    for value, some in found.items():
        assert np.mean(some) == pytest.approx(value, abs=1e-11)


@settings(deadline=None)
@given(seed=seeds, C=st.integers(2, 5), dtype=st.sampled_from([np.float32, np.float64]))
def test_order_of_rows_and_a_shift_change_no_bit_and_the_order_of_classes_nothing(seed, C, dtype):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, 80, C, 0.25, dtype)
    calibrator = fit_venn_abers(logits, labels)
    probs, (low, high) = calibrator.probs(logits), calibrator.intervals(logits)
    order, classes, shift = rng.permutation(80), rng.permutation(C), rng.integers(-8, 8, (80, 1)).astype(dtype)
    assert same_parts(calibrator, fit_venn_abers(logits[order], labels[order]))
    assert same_parts(calibrator, fit_venn_abers(logits + shift, labels))
    assert (calibrator.probs(logits + shift) == probs).all()
    turned = fit_venn_abers(logits[:, classes], np.argsort(classes)[labels])
    tight = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(turned.probs(logits[:, classes]), probs[:, classes], atol=tight)
    for mine, other in zip(turned.intervals(logits[:, classes]), (low, high), strict=True):
        np.testing.assert_allclose(mine, other[:, classes], atol=tight)


@settings(deadline=None)
@given(seed=seeds, N=st.integers(1, 100), step=st.sampled_from([0.0, 1.0]))
def test_two_classes_keep_the_order_of_rows(seed, N, step):
    logits, labels = problem(seed, N, 2, step)
    rows = binary(np.sort(np.concatenate([logits[:, 1] - logits[:, 0], np.linspace(-9, 9, 50)])))
    calibrator = fit_venn_abers(logits, labels)
    for values in (calibrator.probs(rows), *calibrator.intervals(rows)):
        assert (np.diff(values[:, 1]) >= -1e-15).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("C", [1, 2, 3, 12])
def test_rows_are_distributions_inside_their_intervals(dtype, size, C):
    logits, labels = problem(1, 90, C)
    logits = (logits * size).astype(dtype)
    calibrator = fit_venn_abers(logits, labels)
    log_probs, (low, high) = calibrator.log_probs(logits), calibrator.intervals(logits)
    assert log_probs.dtype == low.dtype == high.dtype == dtype
    assert np.isfinite(log_probs).all() and (log_probs <= 0.0).all()
    p = np.exp(log_probs.astype(np.float64))
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6)
    assert (low >= 0.0).all() and (high <= 1.0).all()
    assert (low <= p + 1e-6).all() and (p <= high + 1e-6).all()


@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_any_choice_within_the_pairs_stays_within_the_interval(seed):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed, 20, 4)
    row = logits[:1]
    low, high = fit_venn_abers(logits, labels).intervals(row)
    ends = {
        (i, j): naive_isotonic.pair(logits.tolist(), labels.tolist(), row[0].tolist(), i, j)
        for i in range(4)
        for j in range(i + 1, 4)
    }
    for _ in range(10):
        part = {key: rng.choice([0.01, rng.random(), 0.99]) for key in ends}
        chosen = {key: float(p0) + part[key] * float(p1 - p0) for key, (p0, p1) in ends.items()}
        values = naive_isotonic.combine(lambda i, j, chosen=chosen: chosen[j, i] if i > j else 1 - chosen[i, j], 4)
        p = np.array(values) / sum(values)
        assert (low[0] <= p + 1e-12).all() and (p <= high[0] + 1e-12).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_give_no_nan_and_equal_ones_are_equal_logits(dtype):
    i = np.inf
    logits = np.array([[i, 0, -i], [i, i, 0], [-i, -i, -i], [1, 2, -i], [0, 0, 0], [3, -i, -i]], dtype)
    labels = [0, 1, 2, 1, 0, 0]
    calibrator = fit_venn_abers(logits, labels)
    assert all(np.isfinite(calibrator.parts()[0][name]).all() for name in NAMES)
    probs, (low, high) = calibrator.probs(logits), calibrator.intervals(logits)
    assert np.isfinite(probs).all() and np.isfinite(low).all() and np.isfinite(high).all()
    np.testing.assert_array_equal(probs[2], probs[4])
    expected = naive_isotonic.pairwise(logits.tolist(), labels, logits[0].tolist())
    np.testing.assert_allclose(probs[0], expected[0], atol=1e-6)
    huge = np.finfo(dtype).max * np.array([[1, -1, 0], [-1, 1, 0.5], [0, 1, -1]], dtype)
    assert np.isfinite(fit_venn_abers(huge, [0, 1, 2]).log_probs(huge)).all()


def test_a_pair_without_rows_says_one_half_between_0_and_1():
    calibrator = fit_venn_abers([[1.0, 0.0, 0.0]] * 9, [0] * 9)
    assert calibrator.indptr[-1] - calibrator.indptr[-2] == 0
    assert (calibrator.low[-1], calibrator.high[-1]) == (0.0, 1.0)
    probs = calibrator.probs([[1.0, 0.0, 0.0]])[0]
    assert probs[1] == probs[2] and probs[0] > 0.8


@pytest.mark.parametrize(("N", "C"), [(6_000, 2), (3_000, 12)])
def test_one_thread_and_many_give_the_same_bits(N, C, threads):
    logits, labels = problem(6, N, C, 0.0, np.float32)
    found = []
    for count in (1, 2, 5):
        threads(count)
        calibrator = fit_venn_abers(logits, labels)
        found.append((calibrator, calibrator.log_probs(logits), *calibrator.intervals(logits)))
    for calibrator, *arrays in found[1:]:
        assert same_parts(found[0][0], calibrator)
        assert all((mine == first).all() for mine, first in zip(arrays, found[0][1:], strict=True))


def test_any_array_will_do_and_none_is_written(frozen):
    logits, labels = problem(7, 64, 4, 0.5, np.float32)
    calibrator = fit_venn_abers(logits, labels)
    probs = calibrator.probs(logits)
    wide = np.zeros((64, 8), np.float32)
    wide[:, ::2] = logits
    for same in (frozen(logits), np.asfortranarray(logits), wide[:, ::2], logits.astype(np.float16)):
        assert same_parts(calibrator, fit_venn_abers(same, frozen(labels.astype(np.int8))))
        assert (calibrator.probs(same) == probs).all()
        assert (calibrator.intervals(same)[0] == calibrator.intervals(logits)[0]).all()
    np.testing.assert_allclose(fit_venn_abers(logits.tolist(), labels.tolist()).probs(logits), probs, atol=1e-6)
    assert calibrator.probs(np.zeros((0, 4))).shape == calibrator.intervals(np.zeros((0, 4)))[0].shape == (0, 4)


@pytest.mark.parametrize("C", [1, 2, 5])
def test_a_file_gives_back_every_bit(C, tmp_path):
    logits, labels = problem(8, 150, C)
    calibrator = fit_venn_abers(logits, labels // 2)  # classes without rows, too
    calibrator.save(tmp_path / "c.logitkit")
    tensors, manifest = read_model_file(tmp_path / "c.logitkit")
    assert (manifest["kind"], manifest["layout"], manifest["n_classes"]) == ("calibrator", "venn-abers", C)
    restored = VennAbersCalibrator.restore(manifest["method"], C, tensors, {})
    assert same_parts(calibrator, restored)
    assert (restored.log_probs(logits) == calibrator.log_probs(logits)).all()
    assert (restored.intervals(logits)[1] == calibrator.intervals(logits)[1]).all()


def put(name, at, value):
    def change(tensors):
        tensors[name] = tensors[name].copy()
        tensors[name][at] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("low", 0, -0.1),
        put("low", -1, 1.0),
        put("low", 3, np.nan),
        put("low", 0, 0.95),
        lambda tensors: tensors.update(low=tensors["low"] * 0.0, high=tensors["high"] * 0.0),
        put("high", -1, 1.1),
        put("high", -1, 0.001),
        put("high", 0, 0.999),
        put("knots", 2, np.nan),
        put("knots", 2, np.inf),
        put("knots", 0, 1e9),
        put("knots", -1, -1e9),
        put("indptr", 0, 1),
        put("indptr", 0, -1),
        put("indptr", -1, 10**9),
        put("indptr", 2, 0),
        put("indptr", slice(1, 4), [2**63 - 1, -(2**63), -1]),  # whose differences would overflow to positive numbers
        lambda tensors: tensors.update(low=tensors["high"], high=tensors["low"]),
        lambda tensors: tensors.update(high=tensors["low"] + 1e-12),  # above p0 in each step, but not at the knots
        lambda tensors: tensors.update(low=tensors["low"][:-1]),
        lambda tensors: tensors.update(low=tensors["low"].astype(np.float32)),
        lambda tensors: tensors.update(knots=tensors["knots"][None]),
        lambda tensors: tensors.update(indptr=tensors["indptr"].astype(np.int32)),
        lambda tensors: tensors.update(indptr=tensors["indptr"][:-1]),
        lambda tensors: tensors.update(more=np.zeros(3)),
        lambda tensors: tensors.pop("knots"),
    ],
)
def test_altered_parts_are_refused(change):
    calibrator = fit_venn_abers(*problem(9, 200, 4))
    tensors, facts = calibrator.parts()
    VennAbersCalibrator.restore("venn-abers", 4, dict(tensors), facts)
    change(tensors)
    with pytest.raises((KeyError, TypeError, ValueError)):
        VennAbersCalibrator.restore("venn-abers", 4, tensors, facts)


def test_a_pair_of_one_step_is_checked_too():
    tensors, facts = fit_venn_abers([[1.0, 0.0, 0.0]] * 9, [0] * 9).parts()
    VennAbersCalibrator.restore("venn-abers", 3, tensors, facts)
    put("low", -1, 0.6)(tensors)
    put("high", -1, 0.4)(tensors)
    with pytest.raises(ValueError, match="above"):
        VennAbersCalibrator.restore("venn-abers", 3, tensors, facts)


@pytest.mark.parametrize(
    ("method", "n_classes", "facts"),
    [
        ("venn-abers", 3, {}),
        ("venn-abers", 0, {}),
        ("venn-abers", 4.0, {}),
        ("venn-abers", 10**6, {}),
        ("venn-abers", 4, {"a": 1}),
        ("isotonic", 4, {}),
    ],
)
def test_parts_of_something_else_are_refused(method, n_classes, facts):
    tensors, _ = fit_venn_abers(*problem(9, 200, 4)).parts()
    with pytest.raises((TypeError, ValueError)):
        VennAbersCalibrator.restore(method, n_classes, tensors, facts)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        ([1.0, 2.0], [0], "dimension"),
        ([[1.0, 2.0]], [0, 1], "shape"),
        ([[1.0, 2.0]], [2], r"\[0, 2\)"),
        ([[1.0, 2.0]], [0.5], "integers"),
        ([[1.0, 2.0], [np.nan, 1.0]], [0, 1], "NaN in row 1"),
        (np.zeros((0, 3)), [], "one row"),
        (np.zeros((3, MAX_CLASSES + 1)), [0, 1, 2], "200 classes.*fit_isotonic"),
    ],
)
def test_wrong_input_gets_one_sentence(logits, labels, words):
    with pytest.raises(InputError, match=words) as caught:
        fit_venn_abers(logits, labels)
    assert str(caught.value).endswith(".") and "fit_venn_abers" in str(caught.value)


def test_wrong_logits_get_one_sentence():
    calibrator = fit_venn_abers(*problem(10, 50, 3))
    for call in (calibrator.log_probs, calibrator.intervals):
        with pytest.raises(InputError, match="3 classes"):
            call([[0.0, 1.0]])
        with pytest.raises(InputError, match="NaN in row 1"):
            call([[0.0] * 3, [0.0, np.nan, 1.0]])


def test_it_calibrates_logits_that_are_too_sure():
    logits, labels = problem(11, 10_000, 3)
    rows = np.arange(5_000)

    def loss(probs):
        return -np.log(probs[rows, labels[5_000:]]).mean()

    before = loss(softmax(logits[5_000:], axis=1))
    best = loss(softmax(logits[5_000:] * 0.6, axis=1))
    after = loss(fit_venn_abers(logits[:5_000], labels[:5_000]).probs(logits[5_000:]))
    assert best - 0.01 < after < best + 0.2 * (before - best) + 0.01
