"""Sigmoid, log-sigmoid and softplus: relations, oracles and edges."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logitkit import ops
from logitkit.errors import InputError

INF, NAN = np.inf, np.nan
FUNCTIONS = (ops.sigmoid, ops.log_sigmoid, ops.softplus)
BUFFERS = {ops.sigmoid: "probs_out", ops.log_sigmoid: "log_probs_out", ops.softplus: "values_out"}
logits_lists = st.lists(st.floats(-800, 800), min_size=1, max_size=40)


# Relations


@given(logits_lists)
def test_it_is_softmax_over_two_classes(values):
    z = np.array(values)
    pairs = np.stack([z, np.zeros_like(z)], axis=1)
    np.testing.assert_allclose(ops.sigmoid(z), ops.softmax(pairs)[:, 0], rtol=2e-13, atol=1e-307)
    np.testing.assert_allclose(ops.log_sigmoid(z), ops.log_softmax(pairs)[:, 0], rtol=1e-13, atol=1e-307)
    np.testing.assert_allclose(ops.softplus(z), ops.logsumexp(pairs), rtol=1e-13, atol=1e-307)


@given(logits_lists)
def test_the_two_sides_belong_together(values):
    z = np.array(values)
    np.testing.assert_allclose(ops.sigmoid(z) + ops.sigmoid(-z), 1, rtol=3e-16)
    assert np.array_equal(ops.softplus(z), -ops.log_sigmoid(-z))
    assert ((ops.sigmoid(z) >= 0) & (ops.sigmoid(z) <= 1)).all()
    order = np.argsort(z)
    assert (np.diff(ops.sigmoid(z)[order]) >= -1e-16).all()


# Oracles


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 0.6), (np.float64, 3.0)])
def test_against_mpmath(dtype, bound):
    ends = 110 if dtype == np.float32 else 750
    z = np.concatenate([np.linspace(-ends, ends, 801), np.linspace(-3, 3, 401), np.logspace(-25, 0, 50)]).astype(dtype)
    with mpmath.workdps(40):
        exact = [[], [], []]
        for value in z:
            e = mpmath.exp(-abs(mpmath.mpf(float(value))))
            exact[0].append((1 if value >= 0 else e) / (1 + e))
            exact[1].append(min(mpmath.mpf(float(value)), 0) - mpmath.log1p(e))
            exact[2].append(max(mpmath.mpf(float(value)), 0) + mpmath.log1p(e))
        exact = [np.array([np.longdouble(mpmath.nstr(x, 25)) for x in column]) for column in exact]
    for function, column in zip(FUNCTIONS, exact, strict=True):
        ulp = np.maximum(np.spacing(np.abs(column).astype(dtype)), np.finfo(dtype).smallest_subnormal)
        error = np.max(np.abs(function(z).astype(np.longdouble) - column) / ulp.astype(np.longdouble))
        assert error <= bound, function.__name__


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_against_pytorch(name, rng):
    torch = pytest.importorskip("torch")
    z = torch.from_numpy(rng.normal(0, 8, (7, 33))).to(getattr(torch, name))
    nn = torch.nn.functional
    exact = z.double()
    for ours, theirs in zip(FUNCTIONS, (torch.sigmoid, nn.logsigmoid, lambda x: -nn.logsigmoid(-x)), strict=True):
        result = ours(z)
        assert result.dtype == z.dtype
        eps = torch.finfo(z.dtype).eps
        torch.testing.assert_close(result.double(), theirs(exact), rtol=max(eps, 1e-13), atol=torch.finfo(z.dtype).tiny)


# Layouts and edges


@pytest.mark.parametrize("function", FUNCTIONS)
def test_other_types_and_layouts(function, rng, frozen):
    z = rng.normal(0, 3, (6, 50)).astype(np.float32)
    expected = function(frozen(z))
    assert expected.dtype == np.float32
    for layout in (np.asfortranarray(z), np.repeat(z, 2, axis=1)[:, ::2], z.astype(">f4"), z.tolist()):
        assert np.allclose(function(layout), expected, rtol=1e-6)
    half = z.astype(np.float16)
    assert np.array_equal(function(half), function(half.astype(np.float32)).astype(np.float16))
    assert function(z[0, 0]) == expected[0, 0]
    assert function(z[:0]).shape == (0, 50)
    assert function(z[:, :0]).shape == (6, 0)
    assert np.array_equal(function(z.reshape(2, 3, 50)), expected.reshape(2, 3, 50))
    assert function([1, 0]).dtype == np.float64


@pytest.mark.parametrize("function", FUNCTIONS)
def test_buffers(function, rng):
    z = rng.normal(0, 3, (100, 1001)).astype(np.float32)
    expected = function(z)
    buffer = np.empty((1001, 100), np.float32).T
    assert function(z, **{BUFFERS[function]: buffer}) is buffer
    assert np.array_equal(buffer, expected)
    assert function(z, **{BUFFERS[function]: z}) is z
    assert np.array_equal(z, expected)
    with pytest.raises(InputError, match=f"'{BUFFERS[function]}' of {function.__name__} must be a writable float32"):
        function(z, **{BUFFERS[function]: np.empty(3)})
    with pytest.raises(InputError, match="'logits'"):
        function(["a"])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_edges(dtype):
    z = np.array([INF, -INF, NAN, -0.0, 1e4, -1e4], dtype)
    np.testing.assert_array_equal(ops.sigmoid(z), [1, 0, NAN, 0.5, 1, 0])
    np.testing.assert_array_equal(ops.log_sigmoid(z)[[0, 1, 2, 4]], [0, -INF, NAN, 0])
    np.testing.assert_array_equal(ops.softplus(z)[[0, 1, 2, 5]], [INF, 0, NAN, 0])
    assert ops.softplus(z)[4] == z[4] == -ops.log_sigmoid(z)[5]


def test_the_number_of_threads_changes_no_bit(rng, threads):
    z = rng.normal(0, 3, 200_001).astype(np.float32)
    threads(1)
    expected = [function(z) for function in FUNCTIONS]
    threads(3)
    assert all(np.array_equal(function(z), before) for function, before in zip(FUNCTIONS, expected, strict=True))
