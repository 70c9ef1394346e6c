"""Label errors: plain loops, labels made wrong on purpose, blocks against the whole, and what must be refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_label_errors
from logitkit.errors import InputError, LogitkitError, OptionError
from logitkit.trust import label_error_finder, label_judgements
from logitkit.trust.label_error_finder import PRUNES, RANKS, LabelErrorFinder
from logitkit.trust.label_errors import LabelErrors, find_label_errors

seeds = st.integers(0, 2**32 - 1)
prunes, ranks = st.sampled_from(PRUNES), st.sampled_from(RANKS)


def problem(seed, N=120, C=4, noise=0.2, size=2.5, dtype=np.float64):
    """Logits of a fair model, labels of which a share is wrong, and where they are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, C, N)
    logits = rng.normal(size=(N, C)) + size * np.eye(C)[true] + rng.normal(size=(N, 1))
    wrong = rng.random(N) < noise
    labels = np.where(wrong, (true + rng.integers(1, max(C, 2), N)) % C, true)
    return logits.astype(dtype), labels, labels != true


def same(one, other):
    """Whether two results are the same to the bit."""
    for name in LabelErrors.__slots__:
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), name
        else:
            assert a == b or (a != a and b != b), name


def listed(found):
    return list(zip(found.rows.tolist(), found.given.tolist(), found.suggested.tolist(), strict=True))


def check_against_naive(found, labels, probs, prune, rank, rel):
    limits, joint, noise, expected = naive_label_errors.find(labels, probs, prune, rank)
    assert found.thresholds == pytest.approx(limits, rel=rel)
    assert found.confident_joint.tolist() == joint
    assert found.estimated_noise_rate == pytest.approx(noise, rel=1e-12)
    in_order = list if rel < 1e-9 else sorted  # float32 may swap rows that are closer than its rounding
    assert in_order(listed(found)) == in_order(expected)
    assert found.n_suspects == len(expected)
    assert found.p_given == pytest.approx([probs[r][y] for r, y, _ in expected], rel=rel)
    assert found.p_suggested == pytest.approx([probs[r][c] for r, _, c in expected], rel=rel)
    values = [naive_label_errors.rank_value(probs[r], y, rank) for r, y, _ in expected]
    assert found.rank_values == pytest.approx(values, rel=rel, abs=rel)


@settings(deadline=None, max_examples=25)
@given(seed=seeds, N=st.integers(1, 90), C=st.integers(1, 40), prune=prunes, rank=ranks)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_plain_loops_on_logits(dtype, seed, N, C, prune, rank):
    logits, labels, _ = problem(seed, N, C, dtype=dtype)
    probs = [naive_label_errors.softmax(row) for row in logits.tolist()]
    found = find_label_errors(labels, logits=logits, prune=prune, rank=rank)
    check_against_naive(found, labels.tolist(), probs, prune, rank, 1e-7 if dtype == np.float32 else 1e-12)


@settings(deadline=None, max_examples=25)
@given(seed=seeds, N=st.integers(1, 60), C=st.integers(1, 6), prune=prunes, rank=ranks)
def test_equals_the_plain_loops_on_probabilities_with_ties_and_zeros(seed, N, C, prune, rank):
    """Probabilities are multiples of 1/64, so that sums and means of them are exact in any order."""
    rng = np.random.default_rng(seed)
    probs = rng.multinomial(64, rng.dirichlet(np.full(C, 0.3)), N) / 64.0
    labels = rng.integers(0, C, N)
    found = find_label_errors(labels, probs=probs, prune=prune, rank=rank)
    check_against_naive(found, labels.tolist(), probs.tolist(), prune, rank, 1e-12)


@given(seed=seeds, prune=prunes, rank=ranks)
def test_logits_with_ties_and_infinities_equal_the_plain_loops(seed, prune, rank):
    rng = np.random.default_rng(seed)
    logits = rng.choice([-np.inf, -1.0, 0.0, 0.0, 2.0, np.inf], (40, 3), p=[0.1, 0.2, 0.2, 0.2, 0.2, 0.1])
    labels = rng.integers(0, 3, 40)
    probs = [naive_label_errors.softmax(row) for row in logits.tolist()]
    found = find_label_errors(labels, logits=logits, prune=prune, rank=rank)
    _, _, _, expected = naive_label_errors.find(labels.tolist(), probs, prune, rank)
    assert sorted(zip(found.given.tolist(), found.p_given.round(9).tolist(), strict=True)) == sorted(
        (y, round(probs[row][y], 9)) for row, y, _ in expected
    )  # not the rows: those of which the last bit of a sum decides may change places
    for values in (found.p_given, found.p_suggested, found.rank_values, found.thresholds):
        assert not np.isnan(values).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [2, 3, 7, 700])
def test_rows_that_are_all_alike_reach_the_mean_of_themselves(dtype, C):
    """Of a class with rows of one and the same probability, each is confidently of that class."""
    row = np.random.default_rng(C).normal(size=C).astype(dtype)
    found = find_label_errors([int(np.argmax(row))] * 31, logits=np.tile(row, (31, 1)))
    assert (np.diagonal(found.confident_joint).sum(), len(found)) == (31, 0)
    uniform = find_label_errors(np.arange(C).repeat(3), logits=np.zeros((3 * C, C), dtype))
    assert uniform.confident_joint.sum() == 3 * C


def test_of_classes_that_tie_the_first_that_reaches_its_threshold_is_confident():
    probs = [[0.5, 0.5, 0.0], [0.9, 0.0, 0.1], [0.25, 0.25, 0.5], [0.0, 0.25, 0.75]]
    found = find_label_errors([2, 0, 1, 1], probs=probs, prune="confident-joint")
    assert listed(found)[0] == (0, 2, 1)  # class 0 is as likely, but its rows have 0.9
    with np.errstate(divide="ignore"):
        same_logits = find_label_errors([2, 0, 1, 1], logits=np.log(probs), prune="confident-joint")
    assert listed(same_logits)[0] == (0, 2, 1)


@pytest.mark.parametrize("prune", PRUNES)
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("kind", ["uniform", "to the next class", "one class only"])
def test_finds_labels_that_were_made_wrong(prune, rank, kind):
    rng = np.random.default_rng(11)
    logits, true, _ = problem(12, 4000, 5, noise=0.0, size=3.5)
    logits *= 3.5  # so that the softmax is the posterior of the true class
    wrong = rng.random(4000) < (0.3 if kind == "one class only" else 0.1)
    wrong &= (true == 2) if kind == "one class only" else True
    step = rng.integers(1, 5, 4000) if kind == "uniform" else 1
    labels = np.where(wrong, (true + step) % 5, true)
    found = find_label_errors(labels, logits=logits, prune=prune, rank=rank)
    precision, recall = wrong[found.rows].mean(), wrong[found.rows].sum() / wrong.sum()
    assert precision > 0.7 and recall > 0.85  # a list at random has a precision of 0.06 to 0.1
    first = found.rows[: wrong.sum() // 2]
    assert wrong[first].mean() >= 0.9
    assert (found.suggested[wrong[found.rows]] == true[found.rows][wrong[found.rows]]).mean() > 0.95
    assert found.estimated_noise_rate == pytest.approx(wrong.mean(), abs=0.03)
    if kind == "one class only":
        assert found.by_pair(1)[0][:2] == (3, 2)


@pytest.mark.parametrize("prune", PRUNES)
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("most", [None, 0, 1, 40, 10**6])
def test_blocks_of_any_size_and_any_number_of_threads_give_the_same_bits(prune, rank, most, threads, monkeypatch):
    logits, labels, _ = problem(13, 3000, 6, dtype=np.float32)
    whole = find_label_errors(labels, logits=logits, prune=prune, rank=rank, most=most)
    monkeypatch.setattr(label_error_finder, "_FLUSH", 100)
    monkeypatch.setattr(label_judgements, "_BLOCK", 400)
    for cut, count in ((3000, 1), (7, 1), (1111, 3)):
        threads(count)
        finder = LabelErrorFinder(6, prune=prune, rank=rank, most=most)
        for add in (finder.update_thresholds, finder.update):
            for start in range(0, 3000, cut):
                add(labels[start : start + cut], logits=logits[start : start + cut])
        same(finder.finish(), whole)


@pytest.mark.parametrize("prune", PRUNES)
@pytest.mark.parametrize("rank", RANKS)
def test_most_cuts_the_list_and_nothing_else(prune, rank):
    logits, labels, _ = problem(14, 2000, 5)
    whole = find_label_errors(labels, logits=logits, prune=prune, rank=rank)
    for most in (0, 1, 57, len(whole), len(whole) + 1):
        cut = find_label_errors(labels, logits=logits, prune=prune, rank=rank, most=most)
        assert listed(cut) == listed(whole)[:most]
        assert (cut.n_suspects, cut.estimated_noise_rate) == (len(whole), whole.estimated_noise_rate)
        assert (cut.confident_joint == whole.confident_joint).all()


def test_with_most_the_finder_holds_few_candidates(monkeypatch):
    monkeypatch.setattr(label_error_finder, "_FLUSH", 64)
    logits, _, _ = problem(15, 4000, 4)
    labels = np.random.default_rng(0).integers(0, 4, 4000)  # 3,000 are wrong
    finder = LabelErrorFinder(4, most=10)
    finder.update_thresholds(labels, logits=logits)
    for start in range(0, 4000, 50):
        finder.update(labels[start : start + 50], logits=logits[start : start + 50])
        assert sum(map(len, finder._kept)) <= 64 + 50 + 4 * 10
    assert finder.finish().n_suspects > 500


@given(seed=seeds, prune=prunes, rank=ranks)
def test_order_of_rows_and_names_of_classes_change_nothing(seed, prune, rank):
    rng = np.random.default_rng(seed)
    logits, labels, _ = problem(seed, 200)
    found = find_label_errors(labels, logits=logits, prune=prune, rank=rank)
    rows, classes = rng.permutation(200), rng.permutation(4)
    moved = find_label_errors(labels[rows], logits=logits[rows], prune=prune, rank=rank)
    assert rows[moved.rows].tolist() == found.rows.tolist()
    renamed = find_label_errors(np.argsort(classes)[labels], logits=logits[:, classes], prune=prune, rank=rank)
    assert renamed.rows.tolist() == found.rows.tolist()
    assert classes[renamed.suggested].tolist() == found.suggested.tolist()
    shifted = find_label_errors(labels, logits=logits + rng.normal(size=(200, 1)), prune=prune, rank=rank)
    assert shifted.rows.tolist() == found.rows.tolist()


def test_any_array_will_do_and_none_is_written():
    logits, labels, _ = problem(16, dtype=np.float32)
    found = find_label_errors(labels, logits=logits)
    frozen = logits.copy()
    frozen.flags.writeable = False
    for other in (frozen, np.asfortranarray(logits), np.repeat(logits, 2, axis=1)[:, ::2]):
        same(find_label_errors(labels.astype(np.uint8), logits=other), found)
    same(find_label_errors(labels.tolist(), logits=logits.astype(np.float16)),
         find_label_errors(labels, logits=logits.astype(np.float16).astype(np.float32)))  # fmt: skip
    assert len(find_label_errors([0, 0, 1], logits=[[3, 0], [2, 0], [0, 1]])) == 0


def test_ranks_that_round_to_one_value_are_ordered_by_the_log_odds():
    logits = np.array([[60.0, 0.0], [900.0, 0.0], [50.0, 0.0], [9000.0, 0.0], [0.0, 70.0]] + [[0.0, 60.0]] * 9)
    labels = np.array([1, 1, 1, 1] + [1] * 10)
    labels = np.concatenate([labels, [0] * 20])
    logits = np.concatenate([logits, [[40.0, 0.0]] * 20])
    for rank in RANKS:
        found = find_label_errors(labels, logits=logits, rank=rank)
        assert found.rows.tolist() == [3, 1, 0, 2], rank


def test_a_class_without_rows_is_never_confident_and_one_row_is_its_own_mean():
    logits, labels, _ = problem(17, 300, 4)
    labels = np.where(labels == 3, 0, labels)
    found = find_label_errors(labels, logits=logits, prune="confident-joint")
    assert found.thresholds[3] == math.inf and found.class_counts.tolist()[3] == 0
    assert found.confident_joint[:, 3].sum() == 0 and 3 not in found.suggested
    labels[5] = 3
    one = find_label_errors(labels, logits=logits)
    p = naive_label_errors.softmax(logits[5].tolist())
    assert one.thresholds[3] == pytest.approx(p[3])
    assert one.class_counts[3] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", [[np.inf, 0.0, -np.inf], [0.0, -np.inf, -np.inf], [1.0, 0.0, 0.0]])
def test_a_class_without_probability_is_never_confident(dtype, row):
    row = np.array([row, row], dtype)
    found = find_label_errors([1, 2], **{"probs" if row[0, 0] == 1.0 else "logits": row})
    assert found.thresholds.tolist() == [np.inf, 0.0, 0.0]
    assert (found.confident_joint.sum(), len(found), found.estimated_noise_rate) == (0, 0, 0.0)
    assert found.estimated_joint().tolist() == [[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]]


def test_no_rows_give_an_empty_list():
    found = find_label_errors([], logits=np.zeros((0, 3)))
    assert (len(found), found.n_rows, found.n_suspects, found.by_pair()) == (0, 0, 0, [])
    assert math.isnan(found.estimated_noise_rate)
    assert found.confident_joint.tolist() == [[0] * 3] * 3 and found.estimated_joint().tolist() == [[0.0] * 3] * 3
    assert found.to_table()["row"] == []


def test_one_class_has_no_errors():
    found = find_label_errors([0, 0], logits=[[1.0], [-3.0]])
    assert (len(found), found.estimated_noise_rate, found.thresholds.tolist()) == (0, 0.0, [1.0])


def test_pairs_joint_and_table():
    logits, labels, _ = problem(18, 800, 4, noise=0.3)
    found = find_label_errors(labels, logits=logits)
    apart = found.confident_joint - np.diag(np.diagonal(found.confident_joint))
    pairs = found.by_pair(100)
    assert sum(pair.rows for pair in pairs) == apart.sum()
    assert all(apart[pair.given, pair.suggested] == pair.rows for pair in pairs)
    assert [pair.rows for pair in pairs] == sorted((pair.rows for pair in pairs), reverse=True)
    assert found.by_pair(2) == pairs[:2]
    joint = found.estimated_joint()
    assert joint.sum() == pytest.approx(1.0)
    assert joint.sum(axis=1) == pytest.approx(np.bincount(labels) / 800)
    assert 1.0 - np.trace(joint) == pytest.approx(found.estimated_noise_rate)
    table = found.to_table(["a", "b", "c", "d"])
    assert list(table) == ["row", "given", "suggested", "p_given", "p_suggested", "log_odds"]
    assert table["given"] == ["abcd"[y] for y in labels[found.rows]]
    plain = found.to_table()
    assert (plain["given"], plain["suggested"]) == (found.given.tolist(), found.suggested.tolist())
    assert {len(column) for column in table.values()} == {len(found)}
    by_self = find_label_errors(labels, logits=logits, rank="self-confidence").to_table()
    assert by_self["self_confidence"] == by_self["p_given"]


def test_with_many_classes_there_is_no_joint_but_all_else():
    logits, labels, _ = problem(19, 500, 1001, size=8.0)
    found = find_label_errors(labels, logits=logits)
    probs = [naive_label_errors.softmax(row) for row in logits.tolist()]
    _, _, noise, expected = naive_label_errors.find(labels.tolist(), probs)
    assert found.confident_joint is None and found.estimated_joint() is None
    assert listed(found) == expected and found.estimated_noise_rate == pytest.approx(noise)
    counts = {}
    for _, y, c in expected:
        counts[y, c] = counts.get((y, c), 0) + 1
    assert {pair[:2]: pair.rows for pair in found.by_pair(10**6)} == counts
    assert len(found.by_pair(3)) == 3


def test_rows_are_counted_on_or_as_said():
    logits, labels, _ = problem(20, 60)
    for options in ({}, {"first_row": 1000}):
        finder = LabelErrorFinder(4)
        finder.update_thresholds(labels[:30], logits=logits[:30])
        finder.update_thresholds(labels[30:], logits=logits[30:])
        finder.update(labels[:30], logits=logits[:30])
        finder.update(labels[30:], logits=logits[30:], **options)
        found = finder.finish()
        rows = np.where(found.rows >= 1000, found.rows - 970, found.rows)
        assert (labels[rows] == found.given).all()
        assert (found.rows.max() >= 1000) == bool(options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beside", [0.0, np.inf, -np.inf])
def test_a_nan_is_an_error_that_names_the_first_such_row(dtype, beside):
    logits = np.ones((40_000, 3), dtype)
    logits[33_000] = [beside, np.nan, beside]
    logits[39_000] = np.nan
    with pytest.raises(InputError, match=r"'logits' of find_label_errors.*NaN in row 33000"):
        find_label_errors(np.zeros(40_000, int), logits=logits)
    finder = LabelErrorFinder(3)
    with pytest.raises(InputError, match="NaN in row 33000"):
        finder.update_thresholds([0] * 10, logits=logits[32_995:33_005], first_row=32_995)
    finder = LabelErrorFinder(3)
    finder.update_thresholds([0] * 10, logits=logits[:10])
    finder.update_thresholds([0] * 10, logits=logits[:10])
    with pytest.raises(InputError, match="NaN in row 25"):
        finder.update_thresholds([0] * 10, logits=logits[32_995:33_005])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([0.5, np.nan], "NaN in row 2"),
        ([2.0, -1.0], r"values in \[-1, 2\] with sum 1 in row 2"),
        ([0.5, 0.4], "sum 0.9 in row 2"),
        ([4.0, -3.0], "logits are passed as logits"),
        ([np.inf, -np.inf], "row 2"),
        ([1.0005, 0.0], r"values in \[0, 1.0005\]"),
        ([1.0, -0.0005], r"values in \[-0.0005, 1\]"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_that_is_no_distribution_is_named(row, words, dtype):
    probs = np.array([[0.5, 0.5], [1.0, 0.0], row, row], dtype)
    with pytest.raises(InputError, match=words):
        find_label_errors([0, 1, 0, 1], probs=probs)


def finder_after(*calls):
    finder = LabelErrorFinder(2)
    for name in calls:
        getattr(finder, name)([0], logits=[[1.0, 0.0]])
    return finder


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: find_label_errors([0]), "Exactly one of 'logits' and 'probs' of find_label_errors.*neither"),
        (lambda: find_label_errors([0], logits=[[1.0]], probs=[[1.0]]), "both"),
        (lambda: find_label_errors([0, 1], logits=[[1.0, 0.0]]), "'labels' of find_label_errors.*shape"),
        (lambda: find_label_errors([2], logits=[[1.0, 0.0]]), r"in \[0, 2\); got 2 in row 0"),
        (lambda: find_label_errors([-1], logits=[[1.0, 0.0]]), r"got -1 in row 0"),
        (lambda: find_label_errors([0.0], logits=[[1.0, 0.0]]), "integers"),
        (lambda: find_label_errors([[0, 1]], logits=[[1.0, 0.0]]), r"one class a row; got the shape \[1, 2\]"),
        (lambda: find_label_errors([0], logits=[1.0, 0.0]), "dimension"),
        (lambda: find_label_errors([0], logits=[[1.0, 0.0]], prune="all"), "'prune'.*one of 'class'"),
        (lambda: find_label_errors([0], logits=[[1.0, 0.0]], rank="entropy"), "'rank'.*one of 'log-odds'"),
        (lambda: find_label_errors([0], logits=[[1.0, 0.0]], most=-1), "'most' option of find_label_errors"),
        (lambda: LabelErrorFinder(0), "'n_classes'"),
        (lambda: finder_after().update_thresholds([0], logits=[[1.0]]), "of 2 classes; got the shape"),
        (lambda: finder_after("update_thresholds", "update", "update_thresholds"), "before update is called"),
        (lambda: finder_after("update_thresholds").finish(), "got 1 in update_thresholds and 0 in update"),
        (lambda: find_label_errors([0], logits=[[1.0, 0.0]]).by_pair(-1), "'most' option of by_pair"),
        (lambda: find_label_errors([0], logits=[[1.0, 0.0]]).to_table(["a"]), "must be 2 names; got 1"),
    ],
)
def test_wrong_input_gets_one_sentence(call, words):
    with pytest.raises((InputError, OptionError), match=words) as caught:
        call()
    assert isinstance(caught.value, LogitkitError)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
