"""The backward functions of softmax, log-softmax and logsumexp: relations, oracles and edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
PAIRS = ((ops.softmax, ops.softmax_backward), (ops.log_softmax, ops.log_softmax_backward))


def problem(rng, shape, dtype=np.float64):
    return rng.normal(0, 3, shape).astype(dtype), rng.normal(0, 1, shape).astype(dtype)


problems = st.builds(
    lambda seed, N, C: problem(np.random.default_rng(seed), (N, C)),
    st.integers(0, 2**32),
    st.integers(1, 20),
    st.sampled_from([1, 2, 7, 40]),
)
temperatures = st.sampled_from([0.5, 1.0, 4.0])


# Relations


@given(problems, temperatures)
def test_gradients_sum_to_zero_or_to_that_of_the_value(data, T):
    z, g = data
    for forward, backward in PAIRS:
        grad = backward(g, forward(z, temperature=T), temperature=T)
        np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-12)
    grad = ops.logsumexp_backward(g[:, 0], z, temperature=T)
    np.testing.assert_allclose(grad.sum(axis=1), g[:, 0] / T, rtol=1e-12, atol=1e-15)


@given(problems)
def test_it_is_the_gradient_of_cross_entropy(data):
    z, g = data
    labels = g.argmax(1)
    _, expected = ops.cross_entropy(z, labels, reduction="sum", grad=True)
    grad = ops.log_softmax_backward(-np.eye(z.shape[1])[labels], ops.log_softmax(z))
    np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-15)
    grad = ops.logsumexp_backward(np.ones(len(z)), z)
    grad[np.arange(len(z)), labels] -= 1
    np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-15)


@given(problems, temperatures)
def test_finite_differences(data, T):
    z, g = data
    direction, step = np.random.default_rng(0).normal(size=z.shape), 1e-5
    for forward, backward in PAIRS:
        grad = backward(g, forward(z, temperature=T), temperature=T)
        up, down = (forward(z + sign * step * direction, temperature=T) for sign in (1, -1))
        np.testing.assert_allclose((grad * direction).sum(), (g * (up - down)).sum() / (2 * step), rtol=1e-6, atol=1e-7)
    grad = ops.logsumexp_backward(g[:, 0], z, temperature=T)
    up, down = (ops.logsumexp(z + sign * step * direction, temperature=T) for sign in (1, -1))
    slope = (g[:, 0] * (up - down)).sum() / (2 * step)
    np.testing.assert_allclose((grad * direction).sum(), slope, rtol=1e-6, atol=1e-7)


# Oracles


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_against_pytorch(axis, rng):
    torch = pytest.importorskip("torch")
    z, g = problem(rng, (6, 35, 3))
    values = g.sum(axis)
    leaf, out = torch.from_numpy(z).requires_grad_(), torch.from_numpy(g)
    (theirs,) = torch.autograd.grad(torch.softmax(leaf / 2, axis), leaf, out)
    np.testing.assert_allclose(
        ops.softmax_backward(g, ops.softmax(z, axis=axis, temperature=2.0), axis=axis, temperature=2.0),
        theirs,
        rtol=1e-9,
        atol=1e-15,
    )
    (theirs,) = torch.autograd.grad(torch.log_softmax(leaf / 2, axis), leaf, out)
    np.testing.assert_allclose(
        ops.log_softmax_backward(g, ops.log_softmax(z, axis=axis, temperature=2.0), axis=axis, temperature=2.0),
        theirs,
        rtol=1e-9,
        atol=1e-14,
    )
    (theirs,) = torch.autograd.grad(torch.logsumexp(leaf / 2, axis), leaf, torch.from_numpy(values))
    grad = ops.logsumexp_backward(values, z, axis=axis, temperature=2.0)
    np.testing.assert_allclose(grad, theirs, rtol=1e-9, atol=1e-15)


def test_a_temperature_for_each_row(rng):
    z, g = problem(rng, (20, 7), np.float32)
    T = rng.uniform(0.5, 3, 20)
    for forward, backward in PAIRS:
        results = np.stack([forward(row, temperature=t) for row, t in zip(z, T, strict=True)])
        rows = [backward(a, b, temperature=t) for a, b, t in zip(g, results, T, strict=True)]
        np.testing.assert_allclose(backward(g, results, temperature=T), rows, rtol=1e-6)
        cubes = [np.asfortranarray(array.reshape(4, 5, 7)) for array in (g, results)]
        grad = backward(*cubes, temperature=T.reshape(4, 5))
        np.testing.assert_allclose(grad.reshape(20, 7), rows, rtol=1e-6)
    rows = [ops.logsumexp_backward(a[0], b, temperature=t) for a, b, t in zip(g, z, T, strict=True)]
    np.testing.assert_allclose(ops.logsumexp_backward(g[:, 0], z, temperature=T), rows, rtol=1e-6)


# Layouts and edges


def test_other_types_and_layouts(rng, frozen):
    z, g = problem(rng, (60, 40), np.float32)
    for forward, backward in PAIRS:
        results = forward(z)
        expected = backward(frozen(g), frozen(results))
        assert expected.dtype == np.float32
        for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: a.astype(">f4")):
            assert np.array_equal(backward(layout(g), layout(results)), expected)
        np.testing.assert_allclose(backward(g.T, results.T, axis=0), expected.T, rtol=1e-6, atol=1e-9)
        cube = (3, 20, 40)
        assert np.array_equal(backward(g.reshape(cube), results.reshape(cube)), expected.reshape(cube))
        assert np.array_equal(backward(g[0], results[0]), expected[0])
        assert backward(g[:0], results[:0]).shape == (0, 40)
        half = backward(g.astype(np.float16), results.astype(np.float16))
        assert half.dtype == np.float16
        np.testing.assert_allclose(half, expected, atol=2e-3, rtol=1e-2)
        for argument in (0, 1):
            inside = [g.copy(), results.copy()]
            assert backward(*inside, grad_out=inside[argument]) is inside[argument]
            assert np.array_equal(inside[argument], expected)
    expected = ops.logsumexp_backward(g[:, 0], z)
    for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2]):
        assert np.array_equal(ops.logsumexp_backward(g[:, 0], layout(z)), expected)
    inside = z.copy()
    assert ops.logsumexp_backward(g[:, 0], inside, grad_out=inside) is inside
    assert np.array_equal(inside, expected)


def test_a_buffer_may_lie_across_the_inputs(rng):
    z, g = problem(rng, (3000, 40), np.float32)
    memory = np.concatenate([g, g[:1]])
    for forward, backward in PAIRS:
        results = forward(z)
        expected = backward(g, results)
        memory[:-1] = g
        assert np.array_equal(backward(memory[:-1], results, grad_out=memory[1:]), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(dtype):
    z = np.array([[0, 1, -INF], [INF, 0, 0], [-INF, -INF, -INF], [NAN, 0, 0]], dtype)
    probs, g = ops.softmax(z), np.array([[1, 2, INF], [1, NAN, INF], [3, 0, 0], [1, 1, 1]], dtype)
    grad = ops.softmax_backward(g, probs)
    p = probs[0, 0]
    np.testing.assert_allclose(grad[0], [-p * (1 - p), p * (1 - p), 0], rtol=1e-6)
    assert grad[1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(grad[2], [2 / 3, -1 / 3, -1 / 3], rtol=1e-6)
    assert np.isnan(grad[3]).all()

    g = np.array([[1, 2, 3], [-1, 0, 0], [3, 0, 0], [1, 1, 1]], dtype)
    grad = ops.log_softmax_backward(g, ops.log_softmax(z))
    np.testing.assert_allclose(grad[:3], [[1 - 6 * p, 2 - 6 * (1 - p), 3], [0, 0, 0], [2, -1, -1]], rtol=1e-5)
    assert np.isnan(grad[3]).all()

    grad = ops.logsumexp_backward(np.array([2, INF, 3, 1], dtype), z)
    np.testing.assert_allclose(grad, [[2 * p, 2 - 2 * p, 0], [INF, 0, 0], [1, 1, 1], [NAN] * 3], rtol=1e-6)


def test_the_number_of_threads_changes_no_bit(rng, threads):
    z, g = problem(rng, (900, 100), np.float32)
    probs, log_probs = ops.softmax(z), ops.log_softmax(z)

    def everything():
        grads = ops.softmax_backward(g, probs), ops.log_softmax_backward(g, log_probs)
        return [grad.tobytes() for grad in (*grads, ops.logsumexp_backward(g[:, 0], z))]

    threads(1)
    expected = everything()
    threads(3)
    assert everything() == expected


def test_refusals():
    with pytest.raises(InputError, match=r"'grad_probs' of softmax_backward must be of the shape of 'probs', \[2\]"):
        ops.softmax_backward([[1.0, 0.0]], [0.5, 0.5])
    with pytest.raises(InputError, match="'grad_log_probs' of log_softmax_backward"):
        ops.log_softmax_backward([1.0], [0.5, 0.5])
    with pytest.raises(InputError, match=r"'grad_values' of logsumexp_backward must be of the shape \[\]"):
        ops.logsumexp_backward([1.0], [0.5, 0.5])
    with pytest.raises(OptionError, match="'temperature' option of softmax_backward"):
        ops.softmax_backward([1.0, 0.0], [0.5, 0.5], temperature=0)
    with pytest.raises(OptionError, match="'axis' option of logsumexp_backward"):
        ops.logsumexp_backward(1.0, [0.5, 0.5], axis=1)
    with pytest.raises(InputError, match="'grad_out' of softmax_backward"):
        ops.softmax_backward([1.0, 0.0], [0.5, 0.5], grad_out=np.empty(3))
