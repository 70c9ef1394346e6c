"""What every row measures: plain loops, infinities, ties, and the same bits wherever a row stands."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_trust
from logitkit.errors import InputError
from logitkit.trust import rows as module
from logitkit.trust.rows import RowMeasures, measure_rows

FIELDS = RowMeasures.__slots__
WIDTHS = [1, 2, 3, 31, 32, 33, 100, 257]  # few classes are computed in tiles, and many along the row
seeds = st.integers(0, 2**32 - 1)
inf = math.inf


def problem(seed, N, C, dtype=np.float64, size=3.0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(N, C)) * size).astype(dtype), rng.integers(-1, C, N)


def expected_of(row, label, temperature=1.0):
    p = naive_trust.softmax(row, temperature)
    best = naive_trust.arg_max(row)
    loss = naive_trust.cross_entropy(row, label, temperature) if label >= 0 else inf
    return best, float(best == label), p[best], loss, naive_trust.brier_score([p], [label])


def assert_near(found, expected, tolerance):
    assert found[:4] == pytest.approx(expected[:4], rel=tolerance, abs=1e-30)
    assert found[4] == pytest.approx(expected[4], rel=tolerance, abs=1e-15)  # the loops have lost what 1 - p has lost


def same_bits(one, other):
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in FIELDS)


@pytest.mark.parametrize("C", WIDTHS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-8), (np.float16, 1e-8)])
@pytest.mark.parametrize("temperature", [1.0, 0.25, 7.0])
def test_equal_the_plain_loops(C, dtype, tolerance, temperature):
    logits, labels = problem(C, 150, C, dtype, 6.0)
    rows = measure_rows(labels, logits=logits, temperature=temperature, unseen=True)
    for i, row in enumerate(logits.tolist()):
        assert_near([getattr(rows, name)[i] for name in FIELDS], expected_of(row, labels[i], temperature), tolerance)


@pytest.mark.parametrize("C", WIDTHS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_equal_the_plain_loops(C, dtype):
    logits, labels = problem(C, 100, C)
    probs = np.array([naive_trust.softmax(row) for row in logits.tolist()]).astype(dtype)
    rows = measure_rows(labels, probs=probs, unseen=True)
    for i, p in enumerate(probs.astype(np.float64).tolist()):
        best, loss = naive_trust.arg_max(p), -math.log(p[labels[i]]) if labels[i] >= 0 else inf
        expected = (best, float(best == labels[i]), p[best], loss, naive_trust.brier_score([p], [labels[i]]))
        assert_near([getattr(rows, name)[i] for name in FIELDS], expected, 1e-13)


SPECIAL = [
    [inf, 0.0, -inf],
    [inf, 1.0, inf],
    [-inf, -inf, -inf],
    [2.0, -inf, 1.0],
    [-inf, 3.0, -inf],
    [1.0, 1.0, 1.0],
    [0.0, -0.0, -1.0],
    [1e30, -1e30, 0.0],
    [-1e30, -1e30, -1e30],
    [60.0, 0.0, 1.0],
]


@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", SPECIAL, ids=str)
def test_infinities_ties_and_certainty(row, dtype, width):
    row = row if width == 3 else [row[0], row[1], *[row[2]] * (width - 2)]
    for label in (-1, 0, 1, 2, width - 1):
        values = [float(dtype(value)) for value in row]
        rows = measure_rows([label], logits=np.array([values], dtype), unseen=True)
        found = [getattr(rows, name)[0] for name in FIELDS]
        assert_near(found, expected_of(values, label), 1e-8 if dtype is np.float32 else 1e-13)
        assert not np.isnan(found).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [2, 40])
def test_a_row_that_is_nearly_certain_keeps_its_digits(dtype, width):
    logits = np.zeros((1, width), dtype)
    logits[0, 1] = 45.0
    rest = (width - 1) * math.exp(-45.0)
    rows = measure_rows([1], logits=logits)
    assert rows.log_loss[0] == pytest.approx(rest, rel=1e-8, abs=0.0)
    assert rows.brier[0] == pytest.approx(rest**2 + rest**2 / (width - 1), rel=1e-8, abs=0.0)
    assert measure_rows([1], probs=[[0.25, 0.75]]).brier[0] == 0.125


@given(seed=seeds, N=st.integers(1, 200), C=st.sampled_from([2, 5, 31, 32, 50]), start=st.integers(0, 199))
def test_a_row_has_the_same_bits_wherever_it_stands(seed, N, C, start):
    for dtype in (np.float32, np.float64):
        logits, labels = problem(seed, N, C, dtype)
        whole = measure_rows(labels, logits=logits, temperature=1.3, unseen=True)
        part = measure_rows(labels[start:], logits=logits[start:], temperature=1.3, unseen=True)
        assert same_bits(RowMeasures(*(getattr(whole, name)[start:] for name in FIELDS)), part)


@pytest.mark.parametrize("given_as", ["logits", "probs"])
@pytest.mark.parametrize("C", [3, 64])
def test_the_number_of_threads_changes_no_bit(given_as, C, threads, monkeypatch):
    logits, labels = problem(3, 5000, C, np.float32)
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if given_as == "probs" else logits
    monkeypatch.setattr(module, "_BLOCK", 64 * C)
    found = []
    for n in (1, 3):
        threads(n)
        found.append(measure_rows(labels, **{given_as: values}, unseen=True))
    assert same_bits(*found)


@pytest.mark.parametrize("C", [3, 40])
def test_any_layout_and_order_of_bytes_may_come_in_and_is_not_written_to(C, frozen):
    logits, labels = problem(4, 90, C, np.float32)
    rows = measure_rows(labels, logits=frozen(logits), unseen=True)
    wide = np.zeros((90, 2 * C), np.float32)
    wide[:, ::2] = logits
    raw = bytearray(logits.nbytes + 1)
    unaligned = np.frombuffer(raw, np.float32, offset=1, count=logits.size).reshape(logits.shape)
    unaligned[:] = logits
    for other in (wide[:, ::2], np.asfortranarray(logits), logits.astype(">f4"), unaligned, logits[::-1][::-1]):
        assert same_bits(measure_rows(labels, logits=other, unseen=True), rows)


@pytest.mark.parametrize("probs", [[[-0.1, 0.6, 0.5]], [[1.0005, 0.0, 0.0]], [[0.5, 0.6, 0.0]], [[0.5, 0.4, 0.0]]])
def test_what_is_no_distribution_is_refused(probs):
    with pytest.raises(InputError, match=r"logits are passed as logits.* row 0\."):
        measure_rows([0], probs=probs)


@pytest.mark.parametrize("C", [3, 40])
def test_the_first_wrong_row_of_all_blocks_is_named(C, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 10 * C)
    logits = np.zeros((100, C), np.float32)
    logits[77, 0] = logits[53, C - 1] = logits[54, 1] = np.nan
    with pytest.raises(InputError, match=r"NaN in row 1053\."):
        measure_rows([0] * 100, logits=logits, first_row=1000)
    probs = np.full((100, C), 1.0 / C)
    probs[60, 0] = np.nan
    probs[41] *= 1.01
    with pytest.raises(InputError, match=r"sum 1.01 in row 41 *\."):
        measure_rows([0] * 100, probs=probs)
    probs[3, 0] = inf
    probs[3, 1] = -inf
    with pytest.raises(InputError, match=r"\[-inf, inf\] .*row 3\."):
        measure_rows([0] * 100, probs=probs)
    with pytest.raises(InputError, match=r"NaN in row 19\."):
        measure_rows([0] * 59, probs=probs[41:] / 1.01 * np.where(np.arange(59) < 1, 1.0, 1.01)[:, None])
