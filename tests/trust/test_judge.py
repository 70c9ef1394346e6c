"""Judging: the stream equals the batch and the metrics; intervals equal the bootstrap's, and hold the truth."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logitkit.errors import InputError, OptionError
from logitkit.trust import calibration_error, metrics
from logitkit.trust import groups as groups_module
from logitkit.trust.bootstrap import calibration_interval, draw_groups, percentile_interval
from logitkit.trust.judging import Judge, judge
from logitkit.trust.rows import RowMeasures, measure_rows, reliability_of
from logitkit.trust.selective import area_under_risk_coverage, risk_coverage_curve

FIGURES = ("accuracy", "log_loss", "brier_score", "expected_calibration_error", "aurc")
seeds = st.integers(0, 2**32 - 1)


def problem(seed, N=400, C=4, temperature=1.0):
    """Logits whose softmax at this temperature is the truth: at 1, they are calibrated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(N, C)) * 2.0
    probs = np.exp(logits / temperature)
    cumulative = (probs / probs.sum(axis=1, keepdims=True)).cumsum(axis=1)
    return logits, (cumulative[:, :-1] < rng.random((N, 1))).sum(axis=1)


def as_text(judgement):
    figures = [repr(getattr(judgement, name)) for name in (*FIGURES, "mean_confidence", "rows_with_infinite_loss")]
    return json.dumps([judgement.to_json(), figures, judgement.curve.to_json()], allow_nan=False)


@pytest.fixture
def small(monkeypatch):
    """Few groups and bins, and short pieces, so that few rows go every way that many do."""
    monkeypatch.setattr(groups_module, "GROUPS", 50)
    monkeypatch.setattr(groups_module, "RANK_BINS", 40)
    monkeypatch.setattr(groups_module, "_PIECE", 64)
    monkeypatch.setattr("logitkit.trust.judging._SOME_ROWS", 96)
    monkeypatch.setattr("logitkit.trust.judging.CURVE_POINTS", 90)


@settings(max_examples=25)
@given(seed=seeds, N=st.sampled_from([1, 7, 300, 1500]), C=st.sampled_from([1, 2, 5, 40]), dtype=st.sampled_from("fd"))
def test_the_values_are_those_of_the_metrics(seed, N, C, dtype):
    logits, labels = problem(seed, N, C)
    logits = logits.astype(dtype)
    found = judge(labels, logits=logits, replicates=3)
    given_logits = {"logits": logits}
    assert found.rows == N
    assert found.accuracy.value == metrics.accuracy(labels, logits.argmax(axis=1))
    assert found.log_loss.value == pytest.approx(metrics.log_loss(labels, **given_logits), rel=1e-12)
    assert found.brier_score.value == pytest.approx(metrics.brier_score(labels, **given_logits), rel=1e-12)
    ece = calibration_error.expected_calibration_error(labels, **given_logits)
    assert found.expected_calibration_error.value == pytest.approx(ece, rel=1e-9, abs=1e-13)
    assert found.aurc.value == area_under_risk_coverage(labels, **given_logits)
    rows = measure_rows(labels, logits=logits)
    assert found.mean_confidence == pytest.approx(rows.confidence.mean(), rel=1e-12)
    reliability = reliability_of(rows.confidence, rows.correct, None, 15)
    for name in ("count", "weight", "confidence", "correct"):
        np.testing.assert_allclose(getattr(found.reliability, name), getattr(reliability, name), rtol=1e-12)
    assert found.curve.to_json() == risk_coverage_curve(rows.confidence, rows.correct).to_json()


@pytest.mark.parametrize("n_bins", [1, 2, 3, 7, 10, 15, 100])
def test_bins_have_the_same_edges_as_elsewhere(n_bins):
    edges = np.arange(1, n_bins + 1) / n_bins
    confidence = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges[:-1], 1)])
    ones = np.ones(len(confidence))
    measures = RowMeasures(ones.astype(np.intp), ones, confidence, ones, ones)
    found = Judge(2, n_bins=n_bins).update_measures(measures).finish(replicates=1).reliability
    assert found.count.tolist() == reliability_of(confidence, ones, None, n_bins).count.tolist()


@settings(max_examples=25)
@given(data=st.data(), seed=seeds, given_as=st.sampled_from(["logits", "probs"]), N=st.sampled_from([20, 64, 500]))
@pytest.mark.usefixtures("small")
def test_batches_leave_no_trace_in_a_single_bit(data, seed, given_as, N):
    logits, labels = problem(seed, N)
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if given_as == "probs" else logits
    cuts = sorted(data.draw(st.lists(st.integers(0, N), max_size=6)))
    judged = Judge(4, seed=seed)
    for start, stop in zip([0, *cuts], [*cuts, N], strict=True):
        buffer = values[start:stop].copy()
        judged.update(labels[start:stop], **{given_as: buffer})
        buffer[:] = np.nan  # a caller may use his buffer again
    whole = judge(labels, **{given_as: values}, replicates=150, seed=seed)
    assert as_text(judged.finish(replicates=150)) == as_text(whole)


@pytest.mark.usefixtures("small")
def test_threads_change_no_bit_and_the_seed_changes_the_intervals_alone(threads):
    logits, labels = problem(5, 700)
    found = []
    for n in (1, 3):
        threads(n)
        found.append(judge(labels, logits=logits, replicates=300))
    assert as_text(found[0]) == as_text(found[1])
    other = judge(labels, logits=logits, replicates=300, seed=1)
    for name in FIGURES:
        one, two = getattr(found[0], name), getattr(other, name)
        assert one.value == pytest.approx(two.value, rel=1e-12) and one != two


def test_measured_rows_may_be_added_and_chosen(small):
    logits, labels = problem(6, 300)
    where = np.random.default_rng(6).random(300) < 0.6
    measures = measure_rows(labels, logits=logits)
    found = Judge(4).update_measures(measures, where=where).finish(replicates=50)
    assert as_text(found) == as_text(judge(labels[where], logits=logits[where], replicates=50))
    assert as_text(Judge(4).update_measures(measures).finish(replicates=50)) == as_text(
        judge(labels, logits=logits, replicates=50)
    )
    with pytest.raises(InputError, match="where"):
        Judge(4).update_measures(measures, where=where[:5])


def test_finish_may_be_called_at_any_time(small):
    logits, labels = problem(7, 200)
    judged = Judge(4).update(labels[:30], logits=logits[:30])
    early = as_text(judged.finish(replicates=40))
    assert (
        early == as_text(judged.finish(replicates=40)) == as_text(judge(labels[:30], logits=logits[:30], replicates=40))
    )
    judged.update(labels[30:], logits=logits[30:])
    assert as_text(judged.finish(replicates=40)) == as_text(judge(labels, logits=logits, replicates=40))


@pytest.mark.parametrize("N", [1, 50, 51, 400])
@pytest.mark.parametrize("ties", [7, 10**9])
def test_groups_hold_the_same_rows_in_every_table(small, N, ties):
    rng = np.random.default_rng(N)
    confidence, correct = np.ceil(rng.random(N) * ties) / ties, (rng.random(N) < 0.7).astype(float)
    dealt = groups_module.Groups(15, seed=3)
    dealt.add(RowMeasures(np.zeros(N, np.intp), correct, confidence, np.ones(N), np.ones(N)))
    count, _, right = groups_module.reliability_sums(dealt.sums())
    curve, area, rows, errors = dealt.ranks(10_000)
    whole = risk_coverage_curve(confidence, correct)
    thin = whole.thinned(40)
    assert curve.to_json() == whole.to_json() and area == whole.aurc()
    assert rows.sum(axis=0)[::-1].tolist() == np.diff(thin.answered, prepend=0).tolist()
    assert errors.sum(axis=0)[::-1].tolist() == np.diff(thin.errors, prepend=0).tolist()
    assert rows.sum(axis=1).tolist() == count.sum(axis=1).tolist()
    assert errors.sum(axis=1).tolist() == (count - right).sum(axis=1).tolist()
    sizes = count.sum(axis=1)
    assert len(sizes) == min(N, 50) and sizes.sum() == N
    assert sizes.max() == 1 if N <= 50 else sizes.std() < 2 * math.sqrt(N / 50) + 1


def row_bootstrap(labels, logits, replicates, rng):
    """Draw rows one by one, and measure each draw by the public functions."""
    rows = measure_rows(labels, logits=logits)
    draws = np.empty((replicates, 4))
    for r in range(replicates):
        at = rng.integers(0, len(labels), len(labels))
        curve = risk_coverage_curve(rows.confidence[at], rows.correct[at])
        draws[r] = rows.correct[at].mean(), rows.log_loss[at].mean(), rows.brier[at].mean(), curve.aurc()
    return draws


@pytest.mark.parametrize("N", [300, 3000])
def test_intervals_are_those_of_drawing_rows(N):
    logits, labels = problem(8, N)
    found = judge(labels, logits=logits, replicates=4000)
    draws = row_bootstrap(labels, logits, 1500, np.random.default_rng(8))
    for name, column in zip(("accuracy", "log_loss", "brier_score", "aurc"), draws.T, strict=True):
        low, high = np.quantile(column, [0.025, 0.975])
        estimate = getattr(found, name)
        # The ends of 1,500 draws have a standard error of a sixteenth of the half width; groups add a fortieth.
        slack = 0.25 * (high - low) / 2.0
        assert abs(estimate.low - low) < slack and abs(estimate.high - high) < slack, name
        assert estimate.low < estimate.value < estimate.high


def test_bins_of_ranks_do_not_move_the_interval_of_the_area(monkeypatch):
    logits, labels = problem(13, 200_000)
    fine = judge(labels, logits=logits).aurc
    monkeypatch.setattr(groups_module, "RANK_BINS", 4)
    coarse = judge(labels, logits=logits).aurc
    width = fine.high - fine.low
    rows = measure_rows(labels, logits=logits)
    tied = risk_coverage_curve(rows.confidence, rows.correct).thinned(4).aurc()
    assert coarse.value == fine.value and tied - fine.value > width  # four bins alone would miss it
    assert abs(coarse.low + coarse.high - fine.low - fine.high) < 0.2 * width
    assert abs(fine.low + fine.high - 2.0 * fine.value) < 0.4 * width


def test_rows_in_the_order_of_their_classes_have_the_same_intervals():
    logits, labels = problem(9, 4000)
    order = np.argsort(logits.argmax(axis=1) == labels, kind="stable")  # all that are wrong come first
    one, other = judge(labels, logits=logits), judge(labels[order], logits=logits[order])
    for name in FIGURES:
        a, b = getattr(one, name), getattr(other, name)
        assert a.high - a.low == pytest.approx(b.high - b.low, rel=0.2), name


@pytest.mark.parametrize("temperature", [1.0, 2.0])  # calibrated, and over-confident
def test_intervals_hold_the_truth(temperature, monkeypatch):
    monkeypatch.setattr(groups_module, "GROUPS", 200)
    monkeypatch.setattr(groups_module, "RANK_BINS", 50)
    logits, labels = problem(0, 1_000_000, 3, temperature)
    truth = {name: getattr(judge(labels, logits=logits, replicates=1), name).value for name in FIGURES}
    if temperature == 1.0:
        truth["expected_calibration_error"] = 0.0
    held = dict.fromkeys(FIGURES, 0)
    repeats = 200
    for repeat in range(repeats):
        logits, labels = problem(repeat + 1, 600, 3, temperature)
        found = judge(labels, logits=logits, replicates=300, seed=repeat)
        for name in FIGURES:
            estimate = getattr(found, name)
            held[name] += estimate.low <= truth[name] <= estimate.high
    # 95 % of 200, less 1 % that percentiles lack at 600 rows, and 4 standard errors of 3 rows each
    assert min(held.values()) >= 0.88 * repeats, held
    assert max(held[name] for name in FIGURES if name != "expected_calibration_error") < repeats, held


def test_the_interval_of_the_calibration_error_becomes_the_ordinary_one_where_the_error_is_large():
    rng = np.random.default_rng(1)
    gaps = np.array([0.1, -0.3, 0.05])
    draws = gaps + rng.normal(size=(20_000, 3)) / 1000
    found = calibration_interval(gaps, draws, 0.9)
    half = 1.645 * math.sqrt(3.0) / 1000
    assert found.value == pytest.approx(0.45)
    assert (found.low, found.high) == pytest.approx((0.45 - half, 0.45 + half), abs=2e-4)


def test_the_interval_of_the_calibration_error_of_noise_alone_begins_at_0_and_includes_the_value():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(4000, 10)) / 100
    found = calibration_interval(noise[0], noise[0] + noise[1:], 0.95)
    assert found.low == 0.0 and found.high >= found.value > 0.05
    assert calibration_interval(np.zeros(3), noise[:, :3], 0.95) == type(found)(0.0, 0.0, 0.0)
    tiny = calibration_interval(np.full(2, 1e-9), noise[:, :2] / 10, 0.95)
    assert tiny.low == 0.0 and tiny.value <= tiny.high < 0.01


def test_percentiles_are_draws():
    draws = np.array([5.0, 1.0, math.inf, 3.0, 2.0])
    found = percentile_interval(3.0, draws, 0.5)
    assert (found.low, found.high) == (2.0, 5.0)
    found = percentile_interval(3.0, draws, 0.99)
    assert (found.low, found.high) == (1.0, math.inf)


def test_a_draw_takes_as_many_groups_as_there_are_and_each_equally_often():
    drawn = draw_groups(20, 3000, 0, lambda counts: counts)
    assert drawn.shape == (3000, 20) and (drawn.sum(axis=1) == 20).all()
    assert abs(drawn.mean(axis=0) - 1.0).max() < 5 * math.sqrt(0.95 / 3000)
    assert drawn.var() == pytest.approx(0.95, rel=0.05)
    assert (draw_groups(20, 200, 0, lambda counts: counts) == drawn[:200])[:128].all()
    assert (draw_groups(20, 128, 1, lambda counts: counts) != drawn[:128]).any()


def test_an_infinite_loss_stays_infinite_and_is_counted(small):
    logits, labels = problem(10, 200)
    logits[3, (labels[3] + 1) % 4] = np.inf
    found = judge(labels, logits=logits, replicates=200)
    assert found.rows_with_infinite_loss == 1
    assert found.log_loss.value == found.log_loss.high == math.inf and math.isfinite(found.log_loss.low)
    assert found.to_json()["log_loss"] == {"value": None, "low": found.log_loss.low, "high": None}
    assert math.isfinite(found.brier_score.high)


def test_no_rows_give_nan_and_null():
    found = judge([], logits=np.zeros((0, 3)))
    assert found.rows == 0 and math.isnan(found.mean_confidence)
    assert all(math.isnan(getattr(getattr(found, name), end)) for name in FIGURES for end in ("value", "low", "high"))
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert record["accuracy"] == {"value": None, "low": None, "high": None} and record["mean_confidence"] is None
    assert record["curve"]["risk"] == [] and record["reliability"][0]["accuracy"] is None


def test_json_has_these_keys_and_a_short_curve():
    logits, labels = problem(11, 2000)
    record = json.loads(json.dumps(judge(labels, logits=logits, n_bins=5).to_json(), allow_nan=False))
    keys = ["rows", "level", *FIGURES, "mean_confidence", "rows_with_infinite_loss", "reliability", "curve"]
    assert list(record) == keys and record["level"] == 0.95
    assert list(record["aurc"]) == ["value", "low", "high"]
    assert len(record["reliability"]) == 5 and sum(one["count"] for one in record["reliability"]) == 2000
    assert list(record["reliability"][4]) == ["lower", "upper", "count", "mean_confidence", "accuracy"]
    assert list(record["curve"]) == ["threshold", "coverage", "risk", "answered", "errors"]
    assert 150 <= len(record["curve"]["risk"]) <= 200 and record["curve"]["coverage"][-1] == 1.0


def test_a_row_costs_eight_bytes_and_a_piece():
    judged = Judge(2)
    logits = np.zeros((300_000, 2), np.float32)
    judged.update(np.zeros(300_000, int), logits=logits).update(np.zeros(300_000, int), logits=logits)
    assert sum(keys.nbytes for keys in judged._groups._keys) <= 8 * (600_000 + 2**18)


def test_a_wider_level_gives_wider_intervals():
    logits, labels = problem(12, 500)
    narrow, wide = (judge(labels, logits=logits, level=level) for level in (0.5, 0.99))
    for name in FIGURES:
        assert getattr(wide, name).low <= getattr(narrow, name).low <= getattr(narrow, name).high
        assert getattr(narrow, name).high < getattr(wide, name).high


@pytest.mark.parametrize(
    ("labels", "arguments", "words"),
    [
        ([0], {"logits": [[0.0, 1.0]]}, "3 classes"),
        ([0, 1], {"logits": [[0.0, 1.0, 2.0]]}, "shape"),
        ([3], {"logits": [[0.0, 1.0, 2.0]]}, r"\[0, 3\)"),
        ([-1], {"logits": [[0.0, 1.0, 2.0]]}, r"\[0, 3\)"),
        ([0], {"logits": [[0.0, np.nan, 2.0]]}, "NaN in row 2"),
        ([0], {"probs": [[0.5, 0.6, 0.7]]}, "sum 1.8 in row 2"),
        ([0], {"logits": [0.0]}, "dimension"),
    ],
)
def test_wrong_input_gets_one_sentence(labels, arguments, words):
    judged = Judge(3).update([0, 1], probs=[[0.5, 0.5, 0.0], [0.1, 0.8, 0.1]])
    with pytest.raises(InputError, match=words) as caught:
        judged.update(labels, **arguments)
    assert str(caught.value).endswith(".") and "judge" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: judge([0]), "neither"),
        (lambda: judge([0], logits=[[0.0]], probs=[[1.0]]), "both"),
        (lambda: Judge(0), "n_classes"),
        (lambda: Judge(2, n_bins=0), "n_bins"),
        (lambda: Judge(2, seed=-1), "seed"),
        (lambda: Judge(2).finish(level=0.0), "level"),
        (lambda: Judge(2).finish(level=1), "level"),
        (lambda: Judge(2).finish(level="a"), "level"),
        (lambda: Judge(2).finish(replicates=0), "replicates"),
    ],
)
def test_wrong_options_get_one_sentence(call, words):
    with pytest.raises(OptionError, match=words) as caught:
        call()
    assert str(caught.value).endswith(".")
