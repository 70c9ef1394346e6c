"""Margin, entropy, energy, ranks: against plain loops, at the edges of numbers, and to their digits."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import naive
from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
VALUES = st.sampled_from([-INF, -40.0, -1.5, -0.0, 0.0, 0.5, 2.5, 90.0, INF, NAN])
MATRICES = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70), elements=VALUES)


def naive_margin(row):
    if any(math.isnan(z) for z in row):
        return NAN
    first, second = (*sorted(row, reverse=True), None)[:2]
    return INF if second is None else 0.0 if first == second else first - second


def naive_entropy(row, temperature):
    log_probs, probs = naive.log_softmax(row, temperature), naive.softmax(row, temperature)
    return math.fsum(-p * log_p if p != 0.0 else 0.0 for p, log_p in zip(probs, log_probs, strict=True))


def naive_rank(row, label):
    return naive.top_k(row, len(row)).index(label)


@given(MATRICES, st.sampled_from([0.5, 1.0, 3.0]))
def test_against_plain_loops(logits, T):
    for dtype in (np.float16, np.float32, np.float64):
        z = logits.astype(dtype)
        rows = z.astype(float).tolist()
        rtol = 1e-3 if dtype == np.float16 else 2e-7 if dtype == np.float32 else 1e-14
        assert np.array_equal(ops.margin(z), [naive_margin(row) for row in rows], equal_nan=True)
        entropies = ops.entropy(z, temperature=T)
        assert entropies.dtype == dtype
        expected = [naive_entropy(row, T) for row in rows]
        assert np.allclose(entropies, expected, rtol=rtol, atol=1e-7 if dtype == np.float16 else 1e-30, equal_nan=True)
        energies = [-T * naive.logsumexp([value / T for value in row]) for row in rows]
        assert np.allclose(ops.energy(z, temperature=T), energies, rtol=rtol, atol=2 * rtol, equal_nan=True)


@given(MATRICES, st.data())
def test_ranks_are_places_in_top_k(logits, data):
    N, C = logits.shape
    labels = data.draw(hnp.arrays(np.int64, N, elements=st.integers(0, C - 1)))
    ranks = ops.rank_of_label(logits, labels)
    assert ranks.tolist() == [naive_rank(row, label) for row, label in zip(logits.tolist(), labels, strict=True)]
    assert np.array_equal(ops.top_k(logits, C)[1][np.arange(N), ranks], labels)
    assert np.array_equal(ops.rank_of_label(logits.T.astype(np.float16), labels, axis=0), ranks)


@pytest.mark.parametrize("C", [2, 31, 32, 500])
def test_digits_of_the_entropy(C, rng):
    for scale in (0.1, 3.0, 60.0):
        for dtype, bound in ((np.float32, 2e-7), (np.float64, 2e-14)):
            logits = rng.normal(0, scale, C).astype(dtype)
            with mpmath.workdps(50):
                z = [mpmath.mpf(float(value)) for value in logits]
                total = mpmath.fsum(mpmath.exp(value - max(z)) for value in z)
                log_probs = [value - max(z) - mpmath.log(total) for value in z]
                exact = -mpmath.fsum(mpmath.exp(log_p) * log_p for log_p in log_probs)
                assert abs(ops.entropy(logits) - exact) <= bound * exact + 1e-45
                assert abs(ops.energy(logits) + max(z) + mpmath.log(total)) <= bound * (abs(max(z)) + mpmath.log(total))


@pytest.mark.parametrize("C", [1, 4, 100, 1000])
def test_edges(C):
    for dtype in (np.float32, np.float64):
        assert ops.entropy(np.zeros(C, dtype)) == dtype(math.log(C))
        assert ops.entropy(np.full(C, -INF, dtype)) == dtype(math.log(C))
        one = np.full(C, -INF, dtype)
        one[C // 2] = 3.0
        assert ops.entropy(one) == 0.0
        assert ops.energy(one) == -3.0
        assert ops.margin(one) == INF
        one[C // 2] = INF
        assert (ops.entropy(one), ops.energy(one), ops.margin(one)) == (0.0, -INF, INF)
        lowest = np.full(C, np.finfo(dtype).min)
        lowest[0] = 0.0
        assert ops.entropy(lowest, temperature=1e-3) == 0.0
        assert ops.energy(np.full(C, -INF, dtype)) == INF
    assert ops.margin([INF, INF]) == 0.0
    assert ops.margin([-INF, -INF, -INF]) == 0.0
    assert ops.entropy([INF, 0.0, INF]) == math.log(2)
    assert np.isnan([ops.margin([NAN]), ops.entropy([NAN, INF]), ops.energy([0.0, NAN])]).all()


@pytest.mark.parametrize("function", [ops.margin, ops.entropy, ops.energy])
def test_axes_and_empty(function, rng):
    logits = rng.normal(0, 3, (5, 6, 7)).astype(np.float32)
    for axis in (0, 1, -1):
        assert np.array_equal(function(logits, axis=axis), function(np.moveaxis(logits, axis, -1).copy()))
    assert function(np.empty((0, 3))).shape == (0,)
    with pytest.raises(InputError, match=f"The 'logits' of {function.__name__} must be of one class or more"):
        function(np.empty((3, 0)))
    with pytest.raises(OptionError, match="axis"):
        function(logits, axis=3)


def test_the_threads_and_the_batch_change_no_bit(rng, threads):
    logits, labels = rng.normal(0, 3, (20_000, 7)).astype(np.float32), rng.integers(0, 7, 20_000)

    def everything(z, y):
        return [a.tobytes() for a in (ops.margin(z), ops.entropy(z), ops.energy(z), ops.rank_of_label(z, y))]

    threads(1)
    expected = everything(logits, labels)
    threads(3)
    assert everything(logits, labels) == expected
    assert ops.entropy(logits[:777]).tobytes() == ops.entropy(logits)[:777].tobytes()


def test_arguments_are_checked():
    with pytest.raises(InputError, match=r"The 'labels' of rank_of_label must be in \[0, 2\); got 2 in row 0"):
        ops.rank_of_label([[0.0, 1.0]], [2])
    for T in (0.0, -1.0, NAN):
        with pytest.raises(OptionError, match="The 'temperature' option of entropy must be greater than 0"):
            ops.entropy([0.0], temperature=T)
