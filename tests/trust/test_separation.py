"""AUROC, FPR at 95 % and the record of both: plain loops, scikit-learn, relations, and what must be refused."""

import math
from dataclasses import asdict

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_outliers
from logitkit.errors import InputError, OptionError
from logitkit.trust.separation import auroc, false_positive_rate_at, separation

small = st.lists(st.sampled_from([-math.inf, -2.0, -1.0, 0.0, 0.5, 1.0, 3.0, math.inf]), min_size=1, max_size=30)
seeds = st.integers(0, 2**32 - 1)


@given(known=small, unknown=small, recall=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0]))
def test_equal_the_plain_loops(known, unknown, recall):
    assert auroc(known, unknown) == naive_outliers.auroc(known, unknown)
    found = false_positive_rate_at(known, unknown, recall=recall)
    assert found == naive_outliers.false_positive_rate_at(known, unknown, recall)


@settings(max_examples=20)
@given(seed=seeds, N=st.integers(1, 400), M=st.integers(1, 400), digits=st.integers(0, 3))
def test_auroc_is_that_of_scikit_learn(seed, N, M, digits):
    rng = np.random.default_rng(seed)
    known, unknown = rng.normal(size=N).round(digits), rng.normal(0.7, 1.0, size=M).round(digits)
    is_unknown, scores = np.repeat([0, 1], [N, M]), np.concatenate([known, unknown])
    assert auroc(known, unknown) == pytest.approx(sklearn.metrics.roc_auc_score(is_unknown, scores), abs=1e-12)


@settings(max_examples=20)
@given(seed=seeds, N=st.integers(1, 200), M=st.integers(1, 200))
def test_false_positive_rate_is_a_point_of_scikit_learns_curve(seed, N, M):
    """Known inputs are the positive class there: the first point of at least 95 % true positives, and its rate."""
    rng = np.random.default_rng(seed)
    known, unknown = rng.normal(size=N), rng.normal(1.0, 1.0, size=M)
    is_known, scores = np.repeat([1, 0], [N, M]), -np.concatenate([known, unknown])
    false, true, _ = sklearn.metrics.roc_curve(is_known, scores, drop_intermediate=False)
    first = np.argmax(np.round(true * N) >= math.ceil(0.95 * N - 1e-9))
    assert false_positive_rate_at(known, unknown) == pytest.approx(false[first], abs=1e-12)


@given(known=small, unknown=small)
def test_swapping_the_sides_and_turning_the_scores_mirror_the_area(known, unknown):
    assert auroc(known, unknown) == pytest.approx(1.0 - auroc(unknown, known))
    turned = [-k for k in known], [-u for u in unknown]
    assert auroc(*turned) == pytest.approx(1.0 - auroc(known, unknown))


@given(seed=seeds)
def test_order_and_any_growing_map_change_nothing(seed):
    rng = np.random.default_rng(seed)
    known, unknown = rng.normal(size=50), rng.normal(0.5, 1.0, 40)
    figures = separation(known, unknown)
    assert separation(rng.permutation(known), rng.permutation(unknown)) == figures
    assert separation(np.exp(known), np.exp(unknown)) == figures


def test_the_record_has_the_figures_of_the_functions():
    rng = np.random.default_rng(0)
    known, unknown = rng.normal(size=1000), rng.normal(1.5, 1.0, 500)
    figures = separation(known, unknown)
    rates = {rate: 1 - false_positive_rate_at(known, unknown, recall=1 - rate) for rate in (0.01, 0.05, 0.1)}
    assert asdict(figures) == {
        "n_known": 1000,
        "n_unknown": 500,
        "auroc": auroc(known, unknown),
        "fpr_at_95": false_positive_rate_at(known, unknown),
        "detection_at_1": rates[0.01],
        "detection_at_5": rates[0.05],
        "detection_at_10": rates[0.1],
    }
    for rate, detected in rates.items():
        threshold = np.sort(known)[round((1 - rate) * 1000) - 1]
        assert (known > threshold).mean() <= rate + 1e-12
        assert detected == pytest.approx((unknown > threshold).mean())


def test_all_apart_and_all_alike():
    assert auroc([0.0, 1.0], [2.0, 3.0]) == 1.0 and false_positive_rate_at([0.0, 1.0], [2.0, 3.0]) == 0.0
    assert auroc([0.0] * 3, [0.0] * 4) == 0.5 and false_positive_rate_at([0.0] * 3, [0.0] * 4) == 1.0


def test_a_share_is_taken_as_written():
    known = np.arange(20.0)  # 0.95 of 20 are 19, though 0.95 as a float is a little less or more
    assert false_positive_rate_at(known, [18.0, 18.5], recall=0.95) == 0.5
    assert (
        false_positive_rate_at(np.arange(100.0), [28.0, 28.5], recall=0.29) == 0.5
    )  # 0.29 * 100 is 28.999999999999996
    assert false_positive_rate_at(np.arange(100.0), [6.0, 6.5], recall=0.07) == 0.5  # and 0.07 * 100 7.000000000000001


def test_pairs_are_counted_beyond_32_bits():
    known, unknown = np.zeros(100_000), np.concatenate([np.zeros(50_000), np.ones(50_000)])
    assert auroc(known, unknown) == 0.75


@pytest.mark.parametrize(("known", "unknown"), [([], [1.0]), ([1.0], []), ([], [])])
def test_no_scores_on_one_side_give_nan(known, unknown):
    assert math.isnan(auroc(known, unknown)) and math.isnan(false_positive_rate_at(known, unknown, recall=0.0))
    figures = separation(known, unknown)
    assert (figures.n_known, figures.n_unknown) == (len(known), len(unknown))
    assert all(math.isnan(value) for name, value in asdict(figures).items() if not name.startswith("n_"))


@pytest.mark.parametrize("function", [auroc, false_positive_rate_at, separation])
@pytest.mark.parametrize(
    ("known", "unknown", "words"),
    [
        ([0.0, math.nan], [1.0], "'known'.*NaN in row 1"),
        ([0.0], [1.0, 2.0, math.nan, math.nan], "'unknown'.*NaN in row 2"),
        ([[0.0]], [1.0], "'known'.*shape"),
        ([0.0], 1.0, "'unknown'.*shape"),
        ([0.0], ["a"], "'unknown'.*numbers"),
        ([0.0], [True], "'unknown'.*numbers"),
    ],
)
def test_wrong_input_gets_one_sentence(function, known, unknown, words):
    with pytest.raises(InputError, match=words) as caught:
        function(known, unknown)
    assert str(caught.value).endswith(".") and function.__name__ in str(caught.value)


@pytest.mark.parametrize("recall", [-0.1, 1.1, math.nan, "all"])
def test_a_recall_that_is_none_gets_one_sentence(recall):
    with pytest.raises(OptionError, match="recall"):
        false_positive_rate_at([0.0], [1.0], recall=recall)
