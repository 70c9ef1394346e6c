"""Risk and coverage: plain loops, every order of ties, relations, and every input that must be refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_selective
from logitkit.errors import InputError, OptionError
from logitkit.trust import selective as module
from logitkit.trust.selective import area_under_risk_coverage, risk_coverage_curve, risk_coverage_of_keys

seeds = st.integers(0, 2**32 - 1)
FEW_VALUES = [0.0, 0.25, 0.5, 0.5000001, 0.75, 0.999, 1.0]
rows = st.lists(st.tuples(st.sampled_from(FEW_VALUES) | st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def problem(seed, N, ties=None):
    rng = np.random.default_rng(seed)
    confidence = rng.beta(3, 1, N) if ties is None else rng.integers(0, ties, N) / ties
    return confidence, rng.random(N) < confidence


@given(rows=rows)
def test_equal_the_plain_loops(rows):
    confidence, correct = zip(*rows, strict=True)
    curve = risk_coverage_curve(confidence, correct)
    points = naive_selective.curve(confidence, correct)
    assert list(zip(curve.threshold, curve.answered, curve.errors, strict=True)) == points
    N = len(rows)
    assert curve.coverage.tolist() == [answered / N for _, answered, _ in points]
    assert curve.risk.tolist() == [errors / answered for _, answered, errors in points]
    np.testing.assert_allclose(curve.accuracy, 1.0 - curve.risk, atol=1e-15)
    area = naive_selective.aurc(confidence, correct)
    assert curve.aurc() == pytest.approx(area, rel=1e-12, abs=1e-15)
    assert curve.eaurc() == pytest.approx(area - naive_selective.best_aurc(correct), rel=1e-9, abs=1e-13)


@given(rows=st.lists(st.tuples(st.sampled_from([0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_ties_have_the_mean_area_of_all_their_orders(rows):
    confidence, correct = zip(*rows, strict=True)
    expected = naive_selective.aurc_of_all_orders(confidence, correct)
    assert risk_coverage_curve(confidence, correct).aurc() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("N", "ties"), [(1000, 3), (100_000, 7), (100_000, 1000), (100_000, None)])
def test_many_ties_lose_no_digits(N, ties):
    confidence, correct = problem(N, N, ties)
    order = np.argsort(-confidence, kind="stable")
    groups, inverse = np.unique(-confidence[order], return_inverse=True)
    rate = np.bincount(inverse, ~correct[order]) / np.bincount(inverse)
    risks = np.cumsum(rate[inverse]) / np.arange(1, N + 1)
    curve = risk_coverage_curve(confidence, correct)
    assert curve.aurc() == pytest.approx(math.fsum(risks) / N, rel=1e-11)
    assert len(curve.threshold) == len(groups)


def test_all_rows_tied_have_their_error_rate_at_every_coverage():
    curve = risk_coverage_curve(np.full(1_000_000, 0.7), np.arange(1_000_000) % 10 > 2)
    assert curve.aurc() == pytest.approx(0.3, rel=1e-13)
    assert curve.risk.tolist() == [0.3] and curve.coverage.tolist() == [1.0]


@given(seed=seeds, dtype=st.sampled_from([np.float16, np.float32, np.float64]), ties=st.sampled_from([None, 9]))
def test_a_threshold_answers_what_the_curve_says(seed, dtype, ties):
    confidence, correct = problem(seed, 200, ties)
    confidence = confidence.astype(dtype)
    curve = risk_coverage_curve(confidence, correct)
    for threshold, answered, errors in zip(curve.threshold, curve.answered, curve.errors, strict=True):
        kept = confidence >= threshold
        assert (kept.sum(), (kept & ~correct).sum()) == (answered, errors)
    assert (np.diff(curve.threshold) < 0).all() and curve.coverage[-1] == 1.0


@given(seed=seeds)
def test_only_the_order_of_confidences_matters_and_not_that_of_rows(seed):
    confidence, correct = problem(seed, 120, 30)
    curve = risk_coverage_curve(confidence, correct)
    order = np.random.default_rng(seed).permutation(120)
    other = risk_coverage_curve(confidence[order] ** 2 / 2, correct[order])
    assert other.answered.tolist() == curve.answered.tolist() and other.errors.tolist() == curve.errors.tolist()
    assert other.aurc() == curve.aurc()


def test_the_surest_rows_of_float64_are_told_apart():
    curve = risk_coverage_curve([1.0 - 1e-14, 1.0 - 1e-15, 1.0], [True, False, True])
    assert curve.errors.tolist() == [0, 1, 1]


@given(seed=seeds, N=st.integers(1, 60), ties=st.sampled_from([None, 5]))
def test_the_best_order_has_no_excess_and_the_worst_has_most(seed, N, ties):
    confidence, correct = problem(seed, N, ties)
    ranks = np.argsort(np.argsort(~correct, kind="stable"))
    best = risk_coverage_curve(1.0 - ranks / N, correct)
    worst = risk_coverage_curve(ranks / N, correct)
    middle = risk_coverage_curve(confidence, correct)
    assert best.eaurc() == pytest.approx(0.0, abs=1e-15)
    assert best.aurc() - 1e-12 <= middle.aurc() <= worst.aurc() + 1e-12
    assert 0.0 <= middle.eaurc() <= worst.eaurc() + 1e-12


@given(seed=seeds, N=st.integers(1, 500), points=st.integers(2, 40), ties=st.sampled_from([None, 11]))
def test_a_thinned_curve_has_points_of_the_curve(seed, N, points, ties):
    confidence, correct = problem(seed, N, ties)
    curve = risk_coverage_curve(confidence, correct)
    thin = curve.thinned(points)
    assert len(thin.threshold) <= max(points, 1)
    whole = list(zip(curve.threshold, curve.answered, curve.errors, strict=True))
    some = list(zip(thin.threshold, thin.answered, thin.errors, strict=True))
    assert set(some) <= set(whole) and some[0] == whole[0] and some[-1] == whole[-1]
    assert (np.diff(thin.coverage) > 0).all()
    assert len(whole) > points or some == whole
    gap = np.diff(thin.answered, prepend=0).max() - np.diff(curve.answered, prepend=0).max()
    assert gap <= N / (points - 1) + 1  # evenly spaced, but for ties


@given(seed=seeds, N=st.integers(0, 500), points=st.integers(2, 40), ties=st.sampled_from([None, 11]))
def test_keys_give_the_curve_thinned_or_whole(seed, N, points, ties):
    confidence, correct = problem(seed, N, ties)
    curve = risk_coverage_curve(confidence, correct)
    keys = (confidence.view(np.uint64) << np.uint64(1)) | correct.astype(np.uint64)
    before = keys.copy()
    assert risk_coverage_of_keys(keys).to_json() == curve.to_json()
    assert (keys == before).all()
    thin, area = module.points_of_keys(np.sort(keys), points)
    assert thin.to_json() == curve.thinned(points).to_json()
    assert area == curve.aurc() or N == 0
    low = confidence.astype(np.float32)
    keys = (low.view(np.uint32) << np.uint32(1)) | correct.astype(np.uint32)
    assert risk_coverage_of_keys(keys).to_json() == risk_coverage_curve(low, correct).to_json()


@given(seed=seeds, N=st.integers(0, 70), many=st.integers(1, 40))
def test_keys_are_sorted_in_any_number_of_parts(seed, N, many):
    keys = np.random.default_rng(seed).integers(0, 20, N).astype(np.uint64)
    before, module._MANY = module._MANY, many
    try:
        ordered = keys.copy()
        module.sort_keys(ordered)
    finally:
        module._MANY = before
    assert ordered.tolist() == sorted(keys.tolist())


@given(seed=seeds, temperature=st.sampled_from([0.5, 1.0, 3.0]))
def test_the_metric_equals_the_plain_loops(seed, temperature):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(80, 4)), rng.integers(0, 4, 80)
    exps = np.exp(logits / temperature)
    probs = exps / exps.sum(axis=1, keepdims=True)
    expected = naive_selective.aurc(probs.max(axis=1).tolist(), (probs.argmax(axis=1) == labels).tolist())
    assert area_under_risk_coverage(labels, logits=logits, temperature=temperature) == pytest.approx(expected)
    assert area_under_risk_coverage(labels, probs=probs) == pytest.approx(expected)


def test_no_rows_have_an_empty_curve_and_no_area():
    curve = risk_coverage_curve([], [])
    assert curve.threshold.size == curve.coverage.size == curve.risk.size == curve.thinned().answered.size == 0
    assert math.isnan(curve.aurc()) and math.isnan(curve.eaurc())
    assert math.isnan(area_under_risk_coverage([], logits=np.zeros((0, 3))))


@pytest.mark.parametrize(
    ("confidence", "correct", "words"),
    [
        ([0.5, np.nan], [1, 1], "nan in row 1"),
        ([0.5, 1.5], [1, 1], "1.5 in row 1"),
        ([-0.1], [1], "-0.1 in row 0"),
        ([0.5, 0.5], [1, 2], "2 in row 1"),
        ([0.5], [np.nan], "nan in row 0"),
        ([0.5], [1, 0], "shape"),
        ([[0.5]], [[1]], "shape"),
        (["a"], [1], "numbers"),
    ],
)
def test_wrong_input_gets_one_sentence(confidence, correct, words):
    with pytest.raises(InputError, match=words) as caught:
        risk_coverage_curve(confidence, correct)
    assert str(caught.value).endswith(".") and "risk_coverage_curve" in str(caught.value)


def test_wrong_options_get_one_sentence():
    with pytest.raises(OptionError, match="points"):
        risk_coverage_curve([0.5], [1]).thinned(1)
    with pytest.raises(OptionError, match="neither"):
        area_under_risk_coverage([0])
    with pytest.raises(InputError, match="area_under_risk_coverage"):
        area_under_risk_coverage([3], logits=[[0.0, 1.0]])
