"""What logits and labels look like: every finding, its sentence, and silence where all is well."""

import math

import logit_files as saved
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logit_files import C, N, Y, Z, at

from logitkit.errors import InputError
from logitkit.tables import Finding, MemoryRows, check_logits, logit_look, open_logits
from logitkit.tables.logit_look import look_at, nan_rows
from logitkit.tables.stored import as_log_probs

RNG = np.random.default_rng(5)
GOOD = RNG.normal(size=(N, C)) * 3
SURE = np.where(RNG.random(N) < 0.8, GOOD.argmax(axis=1), (GOOD.argmax(axis=1) + 1) % C)
PROBS = np.exp(GOOD) / np.exp(GOOD).sum(axis=1, keepdims=True)
LONG = np.tile(GOOD, (3, 1))
MANY = (GOOD > 0).astype(np.int8)


def codes(logits, labels=None, **options):
    found = check_logits(MemoryRows(logits), labels, **options)
    for finding in found:
        assert isinstance(finding, Finding) and finding.sentence.endswith(".") and "\n" not in finding.sentence
    assert [finding.fatal for finding in found] == sorted((finding.fatal for finding in found), reverse=True)
    return {finding.code: finding.sentence for finding in found}


def with_(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


def test_good_logits_have_no_findings():
    assert codes(GOOD, SURE) == {} and codes(GOOD) == {} and codes(GOOD, MANY) == {}
    assert codes(GOOD.astype(np.float16), SURE) == {}
    assert codes(np.log(PROBS), SURE) == {}  # log-probabilities are logits


@pytest.mark.parametrize(
    ("code", "fatal", "logits", "labels", "says"),
    [
        ("nan", True, with_(GOOD, ([7, 9], [0, 1]), np.nan), SURE, "NaN in row 7 (counted from 0) and in 1 other row"),
        ("nan", True, with_(GOOD, (39, 2), -np.nan), None, "NaN in row 39 (counted from 0);"),
        ("looks_like_probs", True, PROBS, SURE, "with rows that sum to 1, and logits are expected; pass --probs"),
        ("looks_like_probs", True, PROBS.round(2), None, "pass --probs (probs=True)"),
        ("looks_like_probs", True, 1 / (1 + np.exp(-GOOD)), MANY, "look like probabilities, in [0, 1], and"),
        ("constant_logits", True, np.zeros((N, C)), SURE, "all rows are the same"),
        ("constant_logits", True, np.tile([3.0, 1.0, 2.0], (N, 1)), SURE, "all rows are the same"),
        ("constant_logits", True, np.tile(GOOD[:, :1], (1, C)), SURE, "all logits of each row are the same"),
        ("one_class", True, GOOD, np.full(N, 1), "are class 1, so nothing can be learnt of the other 2"),
        ("no_label", True, GOOD, np.zeros((N, C), np.int8), "No label of x.npy is 1"),
        ("fewer_rows_than_classes", True, GOOD[:3].T[:2], np.array([0, 1]), "2 rows and 3 classes"),
        ("infinite", False, Z, None, "1 logits of +inf and 1 of -inf; they count"),
        ("missing_classes", False, GOOD, SURE % 2, "No row of x.npy has the label of class 2;"),
        ("missing_classes", False, GOOD, with_(MANY, (slice(None), 1), 0), "the label of class 1;"),
        (
            "labels_are_arg_max",
            False,
            np.tile(GOOD, (3, 1)),
            np.tile(GOOD, (3, 1)).argmax(1),
            "in all 120 rows looked at",
        ),
        ("no_better_than_chance", False, GOOD, (GOOD.argmax(1) + 1) % C, "is the label in 0.0% of 40 rows"),
    ],
)
def test_each_finding(code, fatal, logits, labels, says):
    found = check_logits(MemoryRows(logits), labels, name="x.npy")
    wanted = [finding for finding in found if finding.code == code]
    assert len(wanted) == 1, found
    assert wanted[0].fatal == fatal and says in wanted[0].sentence and "x.npy" in wanted[0].sentence
    assert codes(logits, labels, name="x.npy")[code] == wanted[0].sentence


def test_probabilities_that_are_said_to_be_such_are_fine_and_logits_are_not():
    assert codes(np.log(PROBS), SURE, probs=True) == {}
    zero = with_(PROBS, 4, [1.0, 0.0, 0.0])
    assert check_logits(as_log_probs(MemoryRows(zero)), SURE, probs=True) == ()
    with pytest.raises(InputError, match="no probabilities"):
        check_logits(as_log_probs(MemoryRows(GOOD)), SURE, probs=True)


def test_log_odds_of_probabilities_may_lie_between_0_and_1():
    assert "looks_like_probs" in codes(PROBS, MANY)
    assert codes(PROBS, MANY, probs=True) == {}


def test_what_one_block_shows_and_others_do_not_is_seen(monkeypatch):
    monkeypatch.setattr(logit_look, "_BLOCK_BYTES", 16)  # two numbers
    rows = [[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]
    seen = look_at(MemoryRows(rows), np.array([0, 0, 0, 1]))
    assert (seen.rows_vary, seen.rows_differ, seen.in_unit_interval, seen.sum_to_one) == (True, True, True, True)
    assert seen.n_correct == 2 and not seen.has_nan
    rows[2] = [0.25, 0.5]
    assert not look_at(MemoryRows(rows), None).sum_to_one and look_at(MemoryRows(rows), None).in_unit_interval
    rows[2] = [0.5, 1.5]
    assert not look_at(MemoryRows(rows), None).in_unit_interval
    rows[2] = [np.nan, np.inf]
    seen = look_at(MemoryRows(rows * 20), None)
    assert seen.has_nan and nan_rows(MemoryRows(rows * 20)) == (2, 20)


@pytest.mark.parametrize("spoil", [[0.5, 0.5, 0.1], [-0.1, 0.6, 0.5], [1.1, 0.0, -0.1]])
def test_one_row_that_is_no_distribution_shows_that_all_are_logits(spoil):
    assert "looks_like_probs" not in codes(with_(PROBS, 23, spoil), SURE)


def test_few_rows_say_nothing_of_the_arg_max():
    assert codes(GOOD[:6], GOOD[:6].argmax(axis=1)).keys() <= {"missing_classes"}
    assert "no_better_than_chance" not in codes(GOOD[:19], (GOOD[:19].argmax(axis=1) + 1) % C)


def plain_look(logits, labels):
    """The same by plain loops."""
    rows = logits.tolist()
    flat = [value for row in rows for value in row]
    unit = all(0 <= value <= 1 for value in flat)
    return {
        "n_rows": len(rows),
        "has_nan": any(math.isnan(value) for value in flat),
        "in_unit_interval": unit,
        "sum_to_one": unit and all(abs(math.fsum(row) - 1) <= 0.02 for row in rows),
        "rows_vary": any(value != row[0] for row in rows for value in row),
        "rows_differ": any(row != rows[0] for row in rows),
        "plus_inf": sum(value == math.inf for value in flat),
        "minus_inf": sum(value == -math.inf for value in flat),
        "n_correct": sum(row.index(max(row)) == label for row, label in zip(rows, labels, strict=True)),
    }


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    c=st.integers(1, 5),
    kind=st.sampled_from(["normal", "probs", "constant", "inf", "nan", "few"]),
    block=st.sampled_from([1, 64, 1 << 20]),
)
def test_one_look_sees_what_plain_loops_see(seed, n, c, kind, block):
    rng = np.random.default_rng(seed)
    logits = {
        "probs": lambda: rng.dirichlet([1.0] * c, n),
        "constant": lambda: np.full((n, c), rng.normal()),
        "few": lambda: rng.integers(0, 2, (n, c)).astype(float),
    }.get(kind, lambda: rng.normal(size=(n, c)))()
    if kind in ("inf", "nan"):
        values = [np.inf, -np.inf] if kind == "inf" else [np.nan]
        logits.flat[rng.integers(0, logits.size, 3)] = rng.choice(values, 3)
    labels = rng.integers(0, c, n)
    before = logit_look._BLOCK_BYTES
    try:
        logit_look._BLOCK_BYTES = block
        seen = look_at(MemoryRows(logits), labels)
        first, count = nan_rows(MemoryRows(logits))
    finally:
        logit_look._BLOCK_BYTES = before
    want = plain_look(logits, labels)
    unused = {"n_correct", "rows_vary", "rows_differ"} if kind == "nan" else set()
    assert {key: getattr(seen, key) for key in want if key not in unused} == {
        key: value for key, value in want.items() if key not in unused
    }
    bad = [row for row, values in enumerate(logits.tolist()) if any(map(math.isnan, values))]
    assert (first, count) == (bad[0] if bad else -1, len(bad))


def test_of_many_rows_some_are_looked_at_evenly(monkeypatch):
    monkeypatch.setattr(logit_look, "_CHECKED_NUMBERS", 3000)
    monkeypatch.setattr(logit_look, "_SAMPLED_ROWS", 100)
    logits = np.tile(GOOD, (100, 1))
    labels = np.tile(SURE, 100)
    seen = look_at(MemoryRows(logits), labels)
    chosen = np.linspace(0, len(logits) - 1, 100).astype(int)
    assert seen.n_rows == 100
    assert seen.n_correct == np.count_nonzero(logits[chosen].argmax(axis=1) == labels[chosen])
    logits[-1, 0] = np.inf
    sentence = codes(logits, labels)["infinite"]
    assert "1 logits of +inf and 0 of -inf in 100 rows looked at" in sentence
    assert look_at(MemoryRows(logits[:1000]), None).n_rows == 1000  # 3,000 numbers


def test_more_classes_than_are_looked_at_leave_a_row(monkeypatch):
    monkeypatch.setattr(logit_look, "_CHECKED_NUMBERS", 2)
    assert look_at(MemoryRows(GOOD), None).n_rows == 1


def test_the_result_does_not_depend_on_threads(threads):
    found = []
    for count in (1, 2, 5):
        threads(count)
        found.append(look_at(MemoryRows(np.tile(GOOD, (2000, 1))), np.tile(SURE, 2000)))
    assert found[0] == found[1] == found[2]


def test_rows_of_a_table_are_named_as_a_person_counts_them(tmp_path):
    table = saved.by_class(with_(GOOD, (4, 1), np.nan), Y)
    with open_logits(at(tmp_path, "a.parquet", table)) as file:
        found = check_logits(file.rows, file.labels, name=file.name)
    assert "NaN in row 5;" in found[0].sentence
