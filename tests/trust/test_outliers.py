"""Outlier scores and the rule of their threshold: plain loops, relations, simulation, and what must be refused."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_outliers
from logitkit.errors import InputError, LogitkitError, OptionError
from logitkit.ops import log_softmax
from logitkit.trust import outliers as module
from logitkit.trust.outlier_rule import OutlierRule, fit_outlier_rule, fit_outlier_threshold
from logitkit.trust.outliers import OUTLIER_METHODS, outlier_scores

seeds = st.integers(0, 2**32 - 1)
methods = st.sampled_from(OUTLIER_METHODS)
WITH_TEMPERATURE = ("energy", "probability", "entropy")
ODD = [
    [math.inf, 0.0, -math.inf],
    [math.inf, math.inf, 0.0],
    [-math.inf] * 3,
    [-math.inf, 2.0, -math.inf],
    [800.0, 0.0, -800.0],
    [1.0, 1.0, 1.0],
    [0.0, -0.0, -1e300],
]


def problem(seed, N=60, C=5, size=3.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(N, C)) * size + rng.normal(size=(N, 1))).astype(dtype)


@settings(deadline=None)
@given(seed=seeds, C=st.integers(1, 70), method=methods, T=st.sampled_from([0.3, 1.0, 5.0]))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_the_plain_loops(seed, C, method, T, dtype):
    T = T if method in WITH_TEMPERATURE else 1.0
    logits = problem(seed, 20, C, dtype=dtype)
    expected = [naive_outliers.outlier_score(row, method, T) for row in logits.tolist()]
    found = outlier_scores(logits, method=method, temperature=T)
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-12, abs=1e-45)


@pytest.mark.parametrize("method", OUTLIER_METHODS)
@pytest.mark.parametrize("T", [1.0, 0.5, 1e-5])
def test_infinities_and_ties_give_no_nan(method, T):
    T = T if method in WITH_TEMPERATURE else 1.0
    expected = [naive_outliers.outlier_score(row, method, T) for row in ODD]
    assert outlier_scores(ODD, method=method, temperature=T) == pytest.approx(expected, rel=1e-12)


@given(seed=seeds, method=methods)
def test_order_of_rows_and_classes_changes_nothing(seed, method):
    rng = np.random.default_rng(seed)
    logits = problem(seed)
    found, order = outlier_scores(logits, method=method), rng.permutation(len(logits))
    assert (outlier_scores(logits[order], method=method) == found[order]).all()
    shuffled = outlier_scores(rng.permuted(logits, axis=1), method=method)
    assert shuffled == pytest.approx(found, rel=1e-12)


@given(seed=seeds, shift=st.floats(-50, 50))
def test_what_is_added_to_a_row_counts_for_energy_and_logit_alone(seed, shift):
    logits = problem(seed)
    for method in OUTLIER_METHODS:
        moved = -shift if method in ("energy", "logit") else 0.0
        expected = outlier_scores(logits, method=method) + moved
        assert outlier_scores(logits + shift, method=method) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_probability_orders_as_the_largest_probability_does_and_keeps_apart_what_that_rounds_to_one():
    logits = problem(1, 500)
    p = np.exp(log_softmax(logits)).max(axis=1)
    found = outlier_scores(logits, method="probability")
    assert 1.0 - np.exp(-found) == pytest.approx(1.0 - p)
    certain = outlier_scores([[60.0, 0.0], [50.0, 0.0], [40.0, 0.0]], method="probability")
    assert certain == pytest.approx(np.exp([-60.0, -50.0, -40.0]), rel=1e-12)
    warm = outlier_scores([[600.0, 0.0], [500.0, 0.0]], method="probability", temperature=10.0)
    assert warm == pytest.approx(np.exp([-60.0, -50.0]), rel=1e-12)


@pytest.mark.parametrize("method", OUTLIER_METHODS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_blocks_and_layouts_change_no_bit(method, dtype, monkeypatch):
    logits = problem(2, 300, 7, dtype=dtype)
    found = outlier_scores(logits, method=method)
    same = [logits.copy(order="F"), np.repeat(logits, 2, axis=1)[:, ::2], logits.astype(np.float32)]
    for other in same if dtype != np.float64 else same[:2]:
        assert (outlier_scores(other, method=method) == found).all()
    monkeypatch.setattr(module, "_BLOCK", 40)
    assert (outlier_scores(logits, method=method) == found).all()


@pytest.mark.parametrize("method", OUTLIER_METHODS)
def test_one_thread_and_many_give_the_same_bits(method, threads):
    logits = problem(3, 20_000, 9, dtype=np.float32)
    found = []
    for count in (1, 2, 5):
        threads(count)
        found.append(outlier_scores(logits, method=method))
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


@pytest.mark.parametrize("method", OUTLIER_METHODS)
def test_unknown_inputs_score_higher(method):
    rng = np.random.default_rng(4)
    unknown = rng.normal(size=(400, 6))
    known = rng.normal(size=(400, 6)) + 6.0 * np.eye(6)[rng.integers(0, 6, 400)]
    assert np.median(outlier_scores(unknown, method=method)) > np.quantile(outlier_scores(known, method=method), 0.9)


def test_log_probabilities_have_no_energy_and_are_refused():
    logits = problem(5, 200)
    for dtype in (np.float16, np.float32, np.float64):
        log_probs = log_softmax(logits).astype(dtype)
        for call in (outlier_scores, fit_outlier_rule):
            with pytest.raises(InputError, match=r"log-probabilities.*'probability', 'entropy' and 'margin'"):
                call(log_probs)
    for method in ("probability", "entropy", "margin"):
        assert outlier_scores(log_probs, method=method) == pytest.approx(outlier_scores(logits, method=method))
    by_logit = outlier_scores(log_probs, method="logit")
    assert by_logit == pytest.approx(outlier_scores(logits, method="probability"))
    outlier_scores(log_probs, temperature=2.0)


def test_log_probabilities_are_known_however_few_their_digits_are():
    classes = np.arange(990, 1000)[:, None]
    uniform = np.where(np.arange(1000) < classes, -np.log(classes), -np.inf).astype(np.float16)
    assert abs(outlier_scores(uniform[:9])).max() > 1e-3  # rounded to 11 bits, they do not sum to 1
    with pytest.raises(InputError, match="log-probabilities"):
        outlier_scores(uniform)


def test_an_energy_that_is_zero_by_chance_is_no_log_probability():
    row = log_softmax([1.0, 0.0, 0.5])
    assert outlier_scores([row]) == pytest.approx([0.0], abs=1e-12)
    assert outlier_scores([row] * 50) == pytest.approx([0.0] * 50, abs=1e-12)  # one input, fifty times
    assert outlier_scores(log_softmax(problem(6, 9))) == pytest.approx([0.0] * 9, abs=1e-12)  # too few to tell
    mixed = np.concatenate([log_softmax(problem(6, 50)), problem(7, 1)])
    assert outlier_scores(mixed).shape == (51,)
    assert outlier_scores(np.zeros((0, 3))).shape == (0,)


@given(
    known=st.lists(st.sampled_from([-math.inf, -2.0, 0.0, 0.5, 1.0, 7.0, math.inf]), max_size=60),
    rate=st.sampled_from([0.0, 0.01, 0.05, 0.07, 0.1, 0.29, 0.3, 0.5, 0.9, 0.99]),
)
def test_the_threshold_equals_the_plain_loops(known, rate):
    expected = naive_outliers.threshold(known, rate)
    found = fit_outlier_threshold(known, false_alarm_rate=rate)
    assert found == expected or (expected == -math.inf and found < -1.7e308 and math.isfinite(found))


@pytest.mark.parametrize(("rate", "enough"), [(0.05, 19), (0.1, 9), (0.5, 1), (0.01, 99), (0.3, 3)])
def test_too_few_rows_promise_nothing_and_enough_take_the_largest(rate, enough):
    assert fit_outlier_threshold(np.arange(enough - 1), false_alarm_rate=rate) == math.inf
    assert fit_outlier_threshold(np.arange(enough), false_alarm_rate=rate) == enough - 1
    assert fit_outlier_threshold(np.arange(1000), false_alarm_rate=0.0) == math.inf


def test_a_rate_is_taken_as_written():
    assert fit_outlier_threshold(np.arange(9), false_alarm_rate=0.7) == 2.0  # 10 * (1 - 0.7) is 3.0000000000000004


@pytest.mark.parametrize(("N", "rate"), [(50, 0.1), (199, 0.05), (30, 0.3)])
def test_new_known_inputs_are_an_alarm_as_seldom_as_promised(N, rate):
    """The share of alarms over many draws is in [a - 1 / (N + 1), a], as theory says of numbers without ties."""
    rng = np.random.default_rng(8)
    draws = rng.normal(size=(4000, N + 20))
    shares = [(row[N:] > fit_outlier_threshold(row[:N], false_alarm_rate=rate)).mean() for row in draws]
    error = np.std(shares) / math.sqrt(len(shares))
    assert rate - 1 / (N + 1) - 4 * error <= np.mean(shares) <= rate + 4 * error


@pytest.mark.parametrize("method", OUTLIER_METHODS)
def test_the_rule_is_the_threshold_of_its_scores(method):
    known, new = problem(9, 300), problem(10, 80)
    rule = fit_outlier_rule(known, method=method, false_alarm_rate=0.2)
    threshold = fit_outlier_threshold(outlier_scores(known, method=method), false_alarm_rate=0.2)
    assert rule == OutlierRule(method, 1.0, threshold, 0.2, 300)
    assert (rule.is_outlier(new) == (outlier_scores(new, method=method) > threshold)).all()
    assert (rule.scores(new) == outlier_scores(new, method=method)).all()
    assert rule.is_outlier(known).sum() == 59  # 300 less the 241st smallest and those below it


def test_an_outlier_is_strictly_above_the_threshold():
    rule = OutlierRule("logit", 1.0, -2.0, 0.05, 100)
    assert rule.is_outlier([[2.0, 0.0], [1.9, 0.0], [2.1, 0.0]]).tolist() == [False, True, False]


@pytest.mark.parametrize("rows", [0, 1, 18])
def test_a_rule_of_too_few_rows_never_gives_an_alarm(rows):
    rule = fit_outlier_rule(problem(11, rows))
    assert (rule.threshold, rule.rows) == (math.inf, rows)
    assert not rule.is_outlier([[-math.inf] * 5, [-1e300] * 5]).any()


@pytest.mark.parametrize(
    "rule",
    [
        OutlierRule("energy", 1.5, -3.25, 0.05, 400),
        OutlierRule("margin", 1.0, math.inf, 0.05, 3),
        fit_outlier_rule([[math.inf, 0.0]] * 99),
    ],
)
def test_a_rule_goes_through_json_and_back(rule):
    text = json.dumps(rule.parts(), allow_nan=False)
    assert OutlierRule.restore(json.loads(text)) == rule


@pytest.mark.parametrize(
    "change",
    [
        {"method": "distance"},
        {"method": None},
        {"temperature": 0.0},
        {"temperature": None},
        {"threshold": "high"},
        {"threshold": math.nan},
        {"threshold": -math.inf},
        {"threshold": [1.0]},
        {"false_alarm_rate": 1.0},
        {"false_alarm_rate": None},
        {"rows": -1},
        {"rows": 2.5},
    ],
)
def test_a_rule_that_cannot_be_is_refused(change):
    facts = OutlierRule("energy", 1.5, -3.25, 0.05, 400).parts()
    with pytest.raises((KeyError, TypeError, ValueError)):
        OutlierRule.restore({**facts, **change})
    with pytest.raises(KeyError):
        OutlierRule.restore({name: value for name, value in facts.items() if name not in change})


@pytest.mark.parametrize("method", OUTLIER_METHODS)
@pytest.mark.parametrize("call", [outlier_scores, fit_outlier_rule])
def test_a_nan_is_an_error_that_names_the_first_such_row(method, call):
    logits = problem(12, 5000, 3)
    logits[4000, 1] = logits[4500, 2] = math.nan
    with pytest.raises(InputError, match=f"{call.__name__}.*NaN in row 4000"):
        call(logits, method=method)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: outlier_scores([1.0, 2.0]), "'logits' of outlier_scores.*dimension"),
        (lambda: outlier_scores(np.zeros((2, 0))), "one class or more"),
        (lambda: outlier_scores([["a"]]), "got str"),
        (lambda: outlier_scores([[1.0]], method="distance"), "'method'.*one of 'energy'"),
        (lambda: outlier_scores([[1.0]], temperature=0.0), "'temperature'.*greater than 0"),
        (lambda: outlier_scores([[1.0]], method="margin", temperature=2.0), "1 with method 'margin'"),
        (lambda: fit_outlier_rule([[1.0]], method="logit", temperature=2.0), "fit_outlier_rule.*1 with method 'logit'"),
        (lambda: fit_outlier_rule([[1.0]], false_alarm_rate=1.0), "'false_alarm_rate'.*below 1; got 1.0"),
        (lambda: fit_outlier_rule([[1.0]], false_alarm_rate=-0.1), r"\[0, 1\]"),
        (lambda: fit_outlier_threshold([1.0], false_alarm_rate=1), "fit_outlier_threshold.*below 1"),
        (lambda: fit_outlier_threshold([[1.0]]), "'known' of fit_outlier_threshold.*shape"),
        (lambda: fit_outlier_threshold([1.0, math.nan]), "NaN in row 1"),
        (lambda: OutlierRule("energy", 1.0, 0.0, 0.05, 9).is_outlier([1.0]), "'logits' of is_outlier"),
    ],
)
def test_wrong_input_gets_one_sentence(call, words):
    with pytest.raises((InputError, OptionError), match=words) as caught:
        call()
    assert isinstance(caught.value, LogitkitError)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
