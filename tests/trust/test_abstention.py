"""Abstention with a guarantee: the promise over 2,000 resplits, plain loops, relations, and what must be refused."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import naive_guarantees as naive
from logitkit.decision import decide_columns
from logitkit.errors import InputError, OptionError
from logitkit.trust.abstention import fit_abstention
from logitkit.trust.abstention_rule import AbstentionReason, AbstentionRule, check_abstention
from logitkit.trust.binomial import (
    binomial_tail,
    clopper_pearson,
    error_upper_bound,
    hoeffding_bentkus,
    rows_without_error,
)
from logitkit.trust.costs import cost_threshold

seeds = st.integers(0, 2**32 - 1)
RESPLITS = 2000
DELTA = 0.05
ALLOWED = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / RESPLITS)

# How often a row at the share u of all rows, counted from the most confident on, is wrong.
WORLDS = {
    "a network": lambda u: 0.3 * u**2.5,
    "always a little too often": lambda u: np.full_like(u, 0.055),
    "twelve percent among the surest": lambda u: np.where(u < 0.1, 0.12, np.where(u < 0.6, 0.03, 0.3)),
    "up and down": lambda u: np.where((u * 20).astype(int) % 2 == 0, 0.07, 0.03),
}


def problem(seed, N=300, ties=False, slope=0.5):
    rng = np.random.default_rng(seed)
    confidence = rng.random(N) ** 0.3
    correct = rng.random(N) < 1 - slope * (1 - confidence)
    return (confidence.round(2) if ties else confidence), correct


def violations(rng, wrong_share, rows, fit):
    """The share of resplits whose threshold lets more than 5 % of the answers be wrong, and the mean coverage."""
    grid = (np.arange(100_000) + 0.5) / 100_000
    risk = np.cumsum(wrong_share(grid)) / np.arange(1, len(grid) + 1)  # of the surest share u of all rows
    broken, coverage = 0, 0.0
    for _ in range(RESPLITS):
        u = rng.random(rows)
        threshold = fit(1 - u, rng.random(rows) >= wrong_share(u))
        if threshold <= 1.0:
            answered = min(1 - threshold, 1.0)
            coverage += answered
            broken += risk[min(int(answered * len(grid)), len(grid) - 1)] > 0.05 + 1e-9
    return broken / RESPLITS, coverage / RESPLITS


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("rows", [150, 600])
def test_the_promise_is_broken_in_no_more_resplits_than_it_says(rng, world, rows):
    broken, _ = violations(rng, WORLDS[world], rows, lambda p, right: fit_abstention(p, right).threshold)
    assert broken <= ALLOWED


def test_it_answers_much_where_much_can_be_answered(rng):
    _, coverage = violations(rng, WORLDS["a network"], 2000, lambda p, right: fit_abstention(p, right).threshold)
    assert coverage > 0.7  # 0.81 is what one who knew the truth would answer


def test_the_check_sees_a_rule_that_promises_what_it_cannot_keep(rng):
    def without_doubt(p, right):  # as many answers as had at most 5 % errors
        order = np.argsort(-p)
        good = np.flatnonzero(np.cumsum(~right[order]) <= 0.05 * np.arange(1, len(p) + 1))
        return p[order[good[-1]]] if len(good) else math.inf

    broken, _ = violations(rng, WORLDS["a network"], 600, without_doubt)
    assert broken > 2 * ALLOWED


def test_the_promise_holds_for_resplits_of_a_pool_with_many_equal_confidences(rng):
    pool_p, pool_right = problem(int(rng.integers(2**32)), 4000, ties=True)
    broken = 0
    for _ in range(RESPLITS):
        rows = rng.integers(0, 4000, 500)  # drawn with replacement: the pool is the whole world
        rule = fit_abstention(pool_p[rows], pool_right[rows])
        answers = rule.answers(pool_p)
        broken += bool(answers.any()) and (~pool_right[answers]).mean() > 0.05
    assert broken / RESPLITS <= ALLOWED


def test_the_promises_of_all_classes_hold_together(rng):
    shares = np.array([0.5, 0.3, 0.15, 0.05])
    slopes = np.array([0.1, 0.3, 0.06, 0.5])  # class c is wrong with the probability slope * (1 - confidence)
    broken = 0
    for _ in range(RESPLITS):
        classes, p = rng.choice(4, 1200, p=shares), rng.random(1200)
        rule = fit_abstention(p, rng.random(1200) >= slopes[classes] * (1 - p), predicted=classes, n_classes=4)
        thresholds = np.minimum(rule.threshold, 1.0)
        broken += bool((slopes * (1 - thresholds) / 2 > 0.05).any())
    assert broken / RESPLITS <= ALLOWED


@given(
    seed=seeds,
    N=st.integers(0, 350),
    ties=st.booleans(),
    slope=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    max_error=st.sampled_from([0.05, 0.1, 0.25]),
    certainty=st.sampled_from([0.8, 0.95]),
)
def test_equals_the_plain_loop(seed, N, ties, slope, max_error, certainty):
    p, right = problem(seed, N, ties, slope)
    rule = fit_abstention(p, right, max_error=max_error, certainty=certainty)
    answered = naive.answered(p.tolist(), right.tolist(), max_error, certainty)
    assert rule.answered == answered and rule.promise == (answered > 0)
    answers = rule.answers(p)
    assert answers.sum() == answered and (answers & ~right).sum() == rule.errors
    assert rule.rows_needed == naive.rows_without_error(max_error, 1 - certainty)
    assert (rule.reason is AbstentionReason.TOO_FEW_ROWS) == (rule.rows_needed > N)
    if rule.promise:
        assert rule.error_bound == pytest.approx(naive.error_upper_bound(rule.errors, answered, certainty))
        assert rule.error_bound <= max_error


def test_a_long_walk_goes_piece_by_piece(monkeypatch):
    p, right = problem(3, 5000, slope=0.1)
    whole = fit_abstention(p, right)
    monkeypatch.setattr("logitkit.trust.abstention._PIECE", 3)
    assert fit_abstention(p, right) == whole and whole.answered == naive.answered(
        p.tolist(), right.tolist(), 0.05, 0.95
    )


@given(seed=seeds, ties=st.booleans())
def test_order_of_rows_and_what_keeps_their_ranks_change_nothing(seed, ties):
    p, right = problem(seed, ties=ties)
    rule, order = fit_abstention(p, right, max_error=0.1), np.random.default_rng(seed).permutation(len(p))
    assert fit_abstention(p[order], right[order], max_error=0.1) == rule
    squared = fit_abstention(p**2, right, max_error=0.1)
    assert (squared.answered, squared.errors, squared.reason) == (rule.answered, rule.errors, rule.reason)


@given(seed=seeds, ties=st.booleans())
def test_decisions_answer_the_same_rows_in_float32_and_float64(seed, ties):
    p, right = problem(seed, ties=ties)
    p = p * 0.5 + 0.5
    rule = fit_abstention(p, right, max_error=0.1)
    rounded = p.astype(np.float32)
    if ties:  # else two confidences may be one in float32
        assert (rule.answers(rounded) == rule.answers(p)).all()
    own = fit_abstention(rounded, right, max_error=0.1)
    with np.errstate(divide="ignore"):
        logits = np.log(np.stack([rounded, 1 - rounded], axis=1))
    decided = decide_columns(logits, threshold=own.threshold)
    assert ((decided.labels >= 0) == own.answers(decided.probabilities)).all()


def test_a_threshold_lies_between_neighbouring_floats():
    low = 0.75
    high = np.nextafter(low, 1)
    p = np.array([high] * 60 + [low] * 60)
    rule = fit_abstention(p, np.array([True] * 60 + [False] * 60))
    assert rule.answered == rule.answers(p).sum() == 60 and low < rule.threshold <= high


@pytest.mark.parametrize("N", [58, 59, 5000])
def test_rows_that_are_all_right(N):
    rule = fit_abstention(np.linspace(0.2, 1.0, N), np.ones(N, bool))
    assert rule.rows_needed == 59 and rule.promise == (N >= 59)
    assert rule.threshold == (0.0 if N >= 59 else math.inf)
    assert rule.coverage == (1.0 if N >= 59 else 0.0)
    assert rule.reason == ("promised" if N >= 59 else "too few rows")


def test_equal_confidences_are_answered_together_or_not_at_all():
    right = np.arange(400) % 40 != 0
    assert fit_abstention(np.full(400, 0.9), right).answered == 400
    assert fit_abstention(np.zeros(400), right).answers([0.0]).all()
    errors = np.arange(600) >= 20  # one test in the place of four has the shares of all
    assert 0.0125 < binomial_tail(20, 600, 0.05) < 0.05 and fit_abstention(np.full(600, 0.9), errors).promise
    assert fit_abstention(np.full(400, 0.9), right, max_error=0.01).reason == "too many errors"
    few = fit_abstention(np.repeat([0.9, 0.6], 200), np.repeat([True, False], 200))
    assert few.answered == 200 and 0.6 < few.threshold < 0.6001


def test_what_can_be_reached_is_said_where_nothing_is_promised():
    p, right = problem(1, 2000, slope=3.0)
    rule = fit_abstention(p, right, max_error=0.01)
    assert rule.reason == "too many errors" and 0.01 < rule.reachable_error < 1.0
    assert fit_abstention(p, right, max_error=rule.reachable_error * 1.05).promise
    assert fit_abstention([], []).reachable_error == 1.0


def test_no_rows_promise_nothing():
    rule = fit_abstention([], [])
    assert rule.reason == "too few rows" and rule.threshold == math.inf and math.isnan(rule.coverage)
    assert fit_abstention([], [], predicted=[], n_classes=2).thresholds == (math.inf, math.inf)


def test_each_class_has_the_rule_of_its_own_rows():
    p, right = problem(5, 3000)
    classes = np.random.default_rng(5).choice(4, 3000, p=[0.6, 0.38, 0.02, 0.0])
    rule = fit_abstention(p, right, max_error=0.2, predicted=classes, n_classes=4)
    assert rule.by_class[0].certainty == rule.by_class[3].certainty == pytest.approx(1 - 0.05 / 3)
    for c in range(4):
        rows = classes == c
        alone = fit_abstention(p[rows], right[rows], max_error=0.2, certainty=rule.by_class[c].certainty)
        assert rule.by_class[c] == alone
    assert rule.threshold.tolist() == [one.threshold for one in rule.by_class]
    assert rule.by_class[3].reason == "too few rows" and rule.threshold[3] == math.inf
    answers = rule.answers(p, predicted=classes)
    assert (answers.sum(), (answers & ~right).sum(), rule.rows) == (rule.answered, rule.errors, 3000)
    assert rule.promise and rule.error_bound <= 0.2
    assert not rule.answers([1.0], predicted=[3]).any()


def test_classes_too_small_to_pass_leave_their_share_to_the_others():
    p, right = problem(6, 1000, slope=0.05)
    predicted = np.where(np.arange(1000) < 990, 0, np.arange(1000) % 10 + 1)
    rule = fit_abstention(p, right, predicted=predicted, n_classes=11)
    assert rule.by_class[0].certainty == pytest.approx(0.95) and rule.rows_needed == 59
    none = fit_abstention(p[:50], right[:50], predicted=predicted[:50], n_classes=11)
    assert none.reason == "too few rows" and not none.promise and none.error_bound == 1.0
    wrong = fit_abstention(p, ~right, predicted=predicted, n_classes=11)
    assert wrong.reason == "too many errors" and not np.isfinite(wrong.threshold).any()


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("max_error", [0.001, 0.3])
def test_a_rule_comes_back_from_json(by_class, max_error):
    p, right = problem(7, 500)
    options = {"predicted": np.arange(500) % 3, "n_classes": 3} if by_class else {}
    rule = fit_abstention(p, right, max_error=max_error, **options)
    assert AbstentionRule.restore(json.loads(json.dumps(rule.parts(), allow_nan=False))) == rule


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": [1.5]},
        {"thresholds": [-0.1]},
        {"thresholds": ["0.5"]},
        {"thresholds": []},
        {"thresholds": [0.5, 0.6]},
        {"thresholds": [None]},
        {"thresholds": [math.nan]},
        {"thresholds": None},
        {"reason": "perhaps"},
        {"reason": "too few rows"},
        {"answered": 10**6},
        {"errors": -1},
        {"rows": 1.5},
        {"max_error": None},
        {"certainty": 2},
        {"by_class": [3]},
        {"by_class": None},
    ],
)
def test_parts_that_do_not_fit_are_refused(change):
    parts = fit_abstention(*problem(8, 500), max_error=0.3).parts()
    assert AbstentionRule.restore(parts).promise
    with pytest.raises((KeyError, TypeError, ValueError)):
        AbstentionRule.restore({**parts, **change})
    with pytest.raises(KeyError):
        AbstentionRule.restore({name: value for name, value in parts.items() if name not in change})


def test_parts_whose_classes_say_otherwise_are_refused():
    p, right = problem(8, 500)
    parts = fit_abstention(p, right, max_error=0.3, predicted=np.arange(500) % 2, n_classes=2).parts()
    with pytest.raises(ValueError, match="do not fit together"):
        AbstentionRule.restore({**parts, "thresholds": [0.9, 0.9]})


def test_a_check_counts_other_rows():
    p, right = problem(9, 2000)
    rule = fit_abstention(p[:1000], right[:1000], max_error=0.2)
    check = check_abstention(rule, p[1000:], right[1000:])
    answers = p[1000:] >= rule.threshold
    assert (check.rows, check.answered, check.errors) == (1000, answers.sum(), (answers & ~right[1000:]).sum())
    assert check.coverage == check.answered / 1000 and check.low < check.error < check.high
    assert (check.low, check.high) == pytest.approx(naive.clopper_pearson(check.errors, check.answered, 0.95))
    nothing = check_abstention(fit_abstention([], []), p, right)
    assert math.isnan(nothing.error) and (nothing.low, nothing.high, nothing.coverage) == (0.0, 1.0, 0.0)


@given(n=st.integers(1, 300), share=st.floats(0, 1), certainty=st.sampled_from([0.5, 0.9, 0.999]))
def test_bounds_equal_plain_loops_and_scipy(n, share, certainty):
    errors = round(share * n)
    low, high = clopper_pearson(errors, n, certainty)
    assert (low, high) == pytest.approx(naive.clopper_pearson(errors, n, certainty), abs=1e-9)
    theirs = stats.binomtest(errors, n).proportion_ci(certainty, method="exact")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert error_upper_bound(errors, n, certainty) == pytest.approx(
        naive.error_upper_bound(errors, n, certainty), abs=1e-9
    )
    for rate in (0.01, 0.3, 0.99):
        assert binomial_tail(n, n, rate) == 1.0
        assert binomial_tail(errors, n, rate) == pytest.approx(
            naive.binomial_cdf(errors, n, rate), rel=1e-9, abs=1e-200
        )
        mine = hoeffding_bentkus(np.array([share * n]), n, rate)[0]
        assert mine == pytest.approx(naive.hoeffding_bentkus(share, n, rate), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("delta", [0.5, 0.1, 0.05, 1e-9])
def test_rows_without_error_is_the_first_that_passes(rate, delta):
    n = rows_without_error(rate, delta)
    assert binomial_tail(0, n, rate) <= delta * (1 + 1e-9) and (
        n == 1 or binomial_tail(0, n - 1, rate) > delta * (1 - 1e-9)
    )
    assert rows_without_error(0.5, 0.25) == 2 and rows_without_error(0.9, 0.1) == 1


@given(wrong=st.floats(0.1, 100), abstain=st.floats(0, 1), p=st.floats(0, 1))
def test_above_the_cost_threshold_an_answer_costs_no_more_than_none(wrong, abstain, p):
    silence = abstain * wrong
    threshold = cost_threshold(wrong, silence)
    assert 0.0 <= threshold <= 1.0
    if abs(p - threshold) > 1e-9:
        assert (p >= threshold) == ((1 - p) * wrong <= silence)


def test_costs_may_differ_by_class_and_be_shifted():
    assert cost_threshold([10, 2], 1).tolist() == [0.9, 0.5]
    assert cost_threshold(12, [3, 12], [2, 2]).tolist() == [0.9, 0.0]
    assert cost_threshold(wrong=5, abstain=0) == 1.0


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ((1, 2), "abstain 2 and wrong 1"),
        ((1, -1), "right 0, abstain -1"),
        ((0, 0), "below wrong"),
        (([3, 1], 2), "for class 1"),
        ((math.inf, 1), "finite"),
        ((math.nan, 1), "finite"),
        (("a", 1), "finite"),
        (([1, 2], [0, 0, 0]), "shape"),
        ((None, 1), "finite"),
    ],
)
def test_costs_without_an_order_are_refused(costs, words):
    with pytest.raises(InputError, match=words) as caught:
        cost_threshold(*costs)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (([0.5, math.nan], [True, False]), {}, InputError, "nan in row 1"),
        (([0.5, 1.5], [True, False]), {}, InputError, r"1\.5 in row 1"),
        (([-0.5, 0.5], [True, False]), {}, InputError, r"-0\.5 in row 0"),
        ((["a"], [True]), {}, InputError, r"\[N\]"),
        (([[0.5]], [True]), {}, InputError, r"\[N\]"),
        (([0.5], [1]), {}, InputError, "booleans"),
        (([0.5], [True, True]), {}, InputError, r"\[1\]"),
        (([0.5], [True]), {"max_error": 0.0}, OptionError, "max_error"),
        (([0.5], [True]), {"max_error": 1}, OptionError, "max_error"),
        (([0.5], [True]), {"max_error": "5 %"}, OptionError, "max_error"),
        (([0.5], [True]), {"certainty": 1.0}, OptionError, "certainty"),
        (([0.5], [True]), {"certainty": True}, OptionError, "certainty"),
        (([0.5], [True]), {"predicted": [0]}, OptionError, "n_classes"),
        (([0.5], [True]), {"n_classes": 2}, OptionError, "predicted"),
        (([0.5], [True]), {"predicted": [2], "n_classes": 2}, InputError, "2 in row 0"),
        (([0.5], [True]), {"predicted": [0, 1], "n_classes": 2}, InputError, r"\[1\]"),
    ],
)
def test_wrong_input_gets_one_sentence(arguments, options, error, words):
    with pytest.raises(error, match=words) as caught:
        fit_abstention(*arguments, **options)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_rule_by_class_wants_the_classes_and_another_does_not():
    p, right = problem(2, 100)
    for rule, options in (
        (fit_abstention(p, right), {"predicted": np.zeros(100, int)}),
        (fit_abstention(p, right, predicted=np.zeros(100, int), n_classes=1), {}),
    ):
        with pytest.raises(OptionError, match=r"threshold for"):
            rule.answers(p, **options)


@settings(max_examples=10)
@given(seed=seeds)
def test_any_array_will_do_and_none_is_written(seed):
    p, right = problem(seed)
    frozen = p.astype(np.float32)
    frozen.flags.writeable = False
    rule = fit_abstention(frozen, right, max_error=0.2)
    assert fit_abstention(frozen[::-1], right[::-1], max_error=0.2) == rule
    assert fit_abstention(frozen.tolist(), right.tolist(), max_error=0.2) == rule
