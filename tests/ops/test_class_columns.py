"""An axis that is not the last: the same results as for rows, without a transposed copy, over the logits too."""

import numpy as np
import pytest
from test_softmax import EDGES

import naive
from logitkit import ops
from logitkit.kernels.columns import WIDEST

FUNCTIONS = (ops.softmax, ops.log_softmax, ops.logsumexp)


def by_rows(function, logits, axis, **options):
    """The same through contiguous rows."""
    rows = function(np.ascontiguousarray(np.moveaxis(logits, axis, -1)), **options)
    return np.moveaxis(rows, -1, axis) if rows.ndim == logits.ndim else rows


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [(40, 50), (3, 9), (1, 20), (2, 3, WIDEST + 5), (7, 4, 11), (2, 3, 100, 8)])
def test_columns_are_rows(function, shape, rng, frozen):
    logits = frozen(rng.normal(0, 6, shape).astype(np.float32))
    for axis in range(len(shape) - 1):
        expected = by_rows(function, logits, axis)
        np.testing.assert_allclose(function(logits, axis=axis), expected, rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_in_columns(dtype):
    rows = np.array([row + [-np.inf] * 8 for row in EDGES] * 3).astype(dtype)
    exact = rows.astype(float).tolist()
    columns = np.ascontiguousarray(rows.T)
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    probs, log_probs, sums = (function(columns, axis=0) for function in FUNCTIONS)
    np.testing.assert_allclose(probs.T, [naive.softmax(row) for row in exact], rtol=tolerance, atol=tolerance)
    with np.errstate(over="ignore"):
        expected_log = np.array([naive.log_softmax(row) for row in exact]).astype(dtype)
    np.testing.assert_allclose(log_probs.T, expected_log, rtol=tolerance)
    np.testing.assert_allclose(sums, [naive.logsumexp(row) for row in exact], rtol=tolerance)


@pytest.mark.parametrize("spread", [1.0, 100.0])
@pytest.mark.parametrize("C", [2, 1000])
def test_columns_are_exact_to_two_ulp(C, spread, rng):
    logits = rng.normal(0, spread, (C, 64)).astype(np.float32)
    z = logits.astype(np.longdouble)
    log_probs = z - z.max(axis=0)
    rest = np.exp(log_probs)
    rest[z.argmax(axis=0), np.arange(64)] = 0
    log_probs -= np.log1p(rest.sum(axis=0))
    for result, exact in (
        (ops.softmax(logits, axis=0), np.exp(log_probs)),
        (ops.log_softmax(logits, axis=0), log_probs),
    ):
        ulp = np.spacing(np.maximum(np.abs(exact).astype(np.float32), np.finfo(np.float32).tiny))
        assert np.max(np.abs(result - exact) / ulp) <= 2


def test_a_column_has_the_same_bits_in_any_tile(rng, threads):
    logits = rng.normal(0, 4, (30, 3 * WIDEST + 70)).astype(np.float32)
    for function in FUNCTIONS:
        threads(1)
        whole = function(logits, axis=0)
        threads(3)
        assert np.array_equal(function(logits, axis=0), whole)
        part = function(np.ascontiguousarray(logits[:, 1000:1009]), axis=0)
        assert np.array_equal(part, whole[..., 1000:1009])


@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_columns_over_the_logits_themselves(function, rng):
    name = "probs_out" if function is ops.softmax else "log_probs_out"
    for shape, axis in (((50, 700), 0), ((4, 50, 90), 1)):
        logits = rng.normal(0, 4, shape).astype(np.float32)
        expected = function(logits, axis=axis)
        assert function(logits, axis=axis, **{name: logits}) is logits
        assert np.array_equal(logits, expected)


def test_one_class_and_no_columns():
    assert (ops.softmax(np.zeros((1, 30)), axis=0) == 1).all()
    assert ops.softmax(np.zeros((3, 0)), axis=0).shape == (3, 0)
    assert ops.softmax(np.zeros((0, 3, 20)), axis=1).shape == (0, 3, 20)
