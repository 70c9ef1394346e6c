"""Arg max and top-k: ties, NaN, chunks, layouts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import naive
from logitkit import ops
from logitkit.errors import OptionError

INF, NAN = np.inf, np.nan
VALUES = st.sampled_from([-INF, -1.5, -1.0, -0.0, 0.0, 1.0, 2.5, INF, NAN, -NAN])
MATRICES = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=VALUES)


@given(MATRICES)
def test_argmax_is_the_first_largest(logits):
    expected = [naive.argmax(row) for row in logits.tolist()]
    for dtype in (np.float16, np.float32, np.float64):
        assert ops.argmax(logits.astype(dtype)).tolist() == expected


@given(MATRICES, st.data())
def test_top_k_is_a_stable_sort(logits, data):
    k = data.draw(st.integers(1, logits.shape[1]))
    values, indices = ops.top_k(logits, k)
    assert indices.tolist() == [naive.top_k(row, k) for row in logits.tolist()]
    assert np.array_equal(values, np.take_along_axis(logits, indices, 1), equal_nan=True)
    assert np.array_equal(indices[:, 0], ops.argmax(logits))


@pytest.mark.parametrize("C", [255, 256, 257, 5000])
@pytest.mark.parametrize("k", [1, 7, 255])
def test_long_rows(C, k, rng):
    for logits in (rng.normal(size=(4, C)), rng.integers(0, 9, (4, C)).astype(float), np.arange(4.0 * C).reshape(4, C)):
        expected = np.argsort(-logits, axis=1, kind="stable")[:, :k]
        assert np.array_equal(ops.top_k(logits, k)[1], expected)
        assert np.array_equal(ops.argmax(logits), logits.argmax(axis=1))


def hard_rows(C, rng):
    """Rows that are hard for a selection by lanes and bins: ties, order, periods, a few lanes that hold the best."""
    i = np.arange(C)
    yield "equal", np.zeros(C)
    yield "ascending", i.astype(float)
    yield "descending", -i.astype(float)
    yield "few values", rng.integers(0, 3, C).astype(float)
    yield "period of the lanes", rng.normal(size=64)[i % 64]
    yield "a few lanes", np.where(i % 256 < 30, i, 0.0)
    yield "NaN", np.full(C, NAN)
    yield "some NaN", np.where(rng.random(C) < 0.01, NAN, rng.normal(size=C))
    yield "masked", np.where(rng.random(C) < 0.999, -INF, 1.0)
    yield "signed zeros", np.where(rng.random(C) < 0.5, -0.0, 0.0)
    yield "all sizes", rng.choice([-1.0, 1.0], C) * np.exp(rng.uniform(-80, 80, C))


@pytest.mark.parametrize("C", [600, 9_000])
def test_hard_rows(C, rng):
    for name, row in hard_rows(C, rng):
        for dtype in (np.float32, np.float64):
            logits = row.astype(dtype)
            order = np.lexsort((np.arange(C), np.where(np.isnan(logits), -INF, -logits), ~np.isnan(logits)))
            for k in (1, 8, 9, 50, 200, C // 2, C - 1, C):
                values, indices = ops.top_k(logits, k)
                assert np.array_equal(indices, order[:k]), (name, k)
                assert np.array_equal(values, logits[indices], equal_nan=True), (name, k)
            assert ops.argmax(logits) == order[0], name


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis(axis, rng, frozen):
    logits = frozen(rng.integers(0, 5, (6, 7, 8)).astype(np.float32))
    assert np.array_equal(ops.argmax(logits, axis), logits.argmax(axis))
    values, indices = ops.top_k(logits, 3, axis=axis)
    expected = np.take(np.argsort(-logits, axis=axis, kind="stable"), range(3), axis=axis)
    assert np.array_equal(indices, expected)
    assert values.dtype == np.float32
    assert ops.argmax(logits[0, 0]) == logits[0, 0].argmax()


def test_softmax_does_not_change_the_decision(rng):
    logits = rng.normal(0, 5, (500, 12))
    assert np.array_equal(ops.argmax(logits), ops.argmax(ops.softmax(logits)))


def test_edges():
    assert ops.argmax(np.empty((0, 3))).shape == (0,)
    assert ops.top_k(np.empty((0, 3)), 2)[1].shape == (0, 2)
    assert ops.argmax([[4]]).tolist() == [0]
    assert ops.argmax([-0.0, 0.0]) == 0
    for k in (0, 4, 1.5, True):
        with pytest.raises(OptionError, match=r"The 'k' option of top_k must be an integer in \[1, 3\]; got"):
            ops.top_k([1.0, 2.0, 3.0], k)
