"""Binary cross-entropy and its gradient: relations, oracles and edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_losses as naive
from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
REDUCTIONS = ("mean", "sum", "none")


def problem(rng, shape, dtype=np.float64):
    targets = rng.random(shape)
    return rng.normal(0, 4, shape).astype(dtype), np.where(rng.random(shape) < 0.7, targets > 0.5, targets)


problems = st.builds(
    lambda seed, N, C: problem(np.random.default_rng(seed), (N, C)),
    st.integers(0, 2**32),
    st.integers(1, 40),
    st.sampled_from([1, 2, 7, 300, 1100]),
)


# Relations


@given(problems)
def test_a_logit_is_a_row_of_two_classes(data):
    z, y = data
    pairs, targets = np.stack([z, np.zeros_like(z)], axis=-1), np.stack([y, 1 - y], axis=-1)
    loss, grad = ops.binary_cross_entropy(z, y, reduction="none", grad=True)
    both, both_grad = ops.cross_entropy(pairs, targets=targets, reduction="none", grad=True)
    np.testing.assert_allclose(loss, both, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(grad, both_grad[..., 0], rtol=1e-9, atol=1e-14)


@given(problems, st.integers(0, 2**32))
def test_integer_weights_are_repetition(data, seed):
    z, y = data
    rng = np.random.default_rng(seed)
    times, by_class = rng.integers(0, 4, len(z)), rng.random(z.shape[1])
    loss, grad = ops.binary_cross_entropy(z, y, sample_weights=times, class_weights=by_class, grad=True)
    again = np.repeat(np.arange(len(z)), times)
    repeated, repeated_grad = ops.binary_cross_entropy(z[again], y[again], class_weights=by_class, grad=True)
    summed = np.zeros_like(grad)
    np.add.at(summed, again, repeated_grad)
    np.testing.assert_allclose(loss, repeated, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(grad, summed, rtol=1e-10, atol=1e-15)


@given(problems)
def test_weights_of_rows_are_weights_of_their_elements(data):
    z, y = data
    by_row = np.linspace(0, 2, len(z))
    by_element = np.repeat(by_row, z.shape[1]).reshape(z.shape)
    for reduction in REDUCTIONS:
        a = ops.binary_cross_entropy(z, y, sample_weights=by_row, reduction=reduction, grad=True)
        b = ops.binary_cross_entropy(z, y, sample_weights=by_element, reduction=reduction, grad=True)
        for ours, same in zip(a, b, strict=True):
            np.testing.assert_allclose(ours, same, rtol=1e-12, atol=1e-18)


@given(problems)
def test_the_two_answers_change_places(data):
    z, y = data
    loss, grad = ops.binary_cross_entropy(z, y, reduction="none", grad=True)
    other, other_grad = ops.binary_cross_entropy(-z, 1 - y, reduction="none", grad=True)
    np.testing.assert_allclose(loss, other, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grad, -other_grad, rtol=1e-10, atol=1e-15)


@given(problems)
def test_finite_differences(data):
    z, y = data[0][:4], data[1][:4]
    options = {"positive_weights": np.linspace(0.5, 2, z.shape[1]), "label_smoothing": 0.1}
    _, grad = ops.binary_cross_entropy(z, y, grad=True, **options)
    direction, step = np.random.default_rng(0).normal(size=z.shape), 1e-5
    up = ops.binary_cross_entropy(z + step * direction, y, **options)
    down = ops.binary_cross_entropy(z - step * direction, y, **options)
    np.testing.assert_allclose((grad * direction).sum(), (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


# Oracles


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_against_plain_loops(dtype, rtol, rng, frozen):
    N, C = 9, 5
    z, y = problem(rng, (N, C), dtype)
    positive, by_class = rng.random(C) + 0.2, rng.random(C) + 0.1
    weights = {"none": np.ones((N, 1)), "row": rng.random((N, 1)), "element": rng.random((N, C))}
    for smoothing, heavy, classes, kind, reduction in itertools.product(
        (0.0, 0.2), (None, 2.5, positive), (False, True), weights, REDUCTIONS
    ):
        element_weights = weights[kind] * (by_class if classes else np.ones(C))
        pairs = [
            naive.binary_cross_entropy(float(z[i, c]), float(np.asarray(y[i, c], dtype)), p, smoothing)
            for i in range(N)
            for c, p in enumerate(np.broadcast_to(1.0 if heavy is None else heavy, C).tolist())
        ]
        losses, grads = (np.reshape(column, (N, C)) * element_weights for column in zip(*pairs, strict=True))
        divisor = element_weights.sum() if reduction == "mean" else 1.0
        loss, grad = ops.binary_cross_entropy(
            frozen(z),
            frozen(y),
            positive_weights=heavy,
            class_weights=frozen(by_class) if classes else None,
            sample_weights={"none": None, "row": weights["row"][:, 0], "element": weights["element"]}[kind],
            label_smoothing=smoothing,
            reduction=reduction,
            grad=True,
        )
        assert grad.dtype == dtype
        np.testing.assert_allclose(loss, losses if reduction == "none" else losses.sum() / divisor, rtol=rtol)
        np.testing.assert_allclose(grad, grads / divisor, rtol=rtol, atol=1e-30)


def test_other_types_and_layouts(rng):
    z, y = problem(rng, (60, 40), np.float32)
    y = y.astype(np.float32)
    loss, grad = ops.binary_cross_entropy(z, y, grad=True)
    assert ops.binary_cross_entropy(z, y) == pytest.approx(loss, rel=1e-15)
    for layout in (np.asfortranarray(z), np.repeat(z, 2, axis=1)[:, ::2], z.astype(">f4")):
        other, other_grad = ops.binary_cross_entropy(layout, np.asfortranarray(y), grad=True)
        assert other == loss
        assert np.array_equal(other_grad, grad)
    buffer = np.empty((40, 60), np.float32).T
    assert ops.binary_cross_entropy(z, y, grad_out=buffer)[1] is buffer
    assert np.array_equal(buffer, grad)
    cube, cube_grad = ops.binary_cross_entropy(z.reshape(3, 20, 40), y.reshape(3, 20, 40), grad=True)
    assert cube == loss
    assert np.array_equal(cube_grad.reshape(60, 40), grad)
    flat, flat_grad = ops.binary_cross_entropy(z.reshape(-1), y.reshape(-1), grad=True)
    assert flat == loss
    assert np.array_equal(flat_grad, grad.reshape(-1))
    hard = y > 0.5
    expected = ops.binary_cross_entropy(z, hard.astype(np.float32))
    for kind in (bool, np.uint8, np.int16, np.int64, np.float16, np.float64):
        assert ops.binary_cross_entropy(z, hard.astype(kind)) == expected
    half, half_grad = ops.binary_cross_entropy(z.astype(np.float16), y, reduction="sum", grad=True)
    assert half_grad.dtype == np.float16
    np.testing.assert_allclose(half, loss * z.size, rtol=1e-3)
    np.testing.assert_allclose(half_grad, grad * z.size, atol=4e-3)
    inside = z.copy()
    assert ops.binary_cross_entropy(inside, y, grad_out=inside)[0] == loss
    assert np.array_equal(inside, grad)


def test_a_buffer_may_lie_across_the_logits(rng):
    z, y = problem(rng, (3000, 40), np.float32)
    expected = ops.binary_cross_entropy(z, y, grad=True)[1]
    memory = np.concatenate([z, z[:1]])
    assert np.array_equal(ops.binary_cross_entropy(memory[:-1], y, grad_out=memory[1:])[1], expected)


# Edges


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(dtype):
    z = np.array([INF, INF, -INF, -INF, NAN, 90, -90, 1e4], dtype)
    y = [1, 0, 1, 0, 1, 1, 0, 0.5]
    loss, grad = ops.binary_cross_entropy(z, y, reduction="none", grad=True)
    np.testing.assert_allclose(loss, [0, INF, INF, 0, NAN, np.exp(-90.0), np.exp(-90.0), 5e3], rtol=1e-8)
    tiny = np.exp(-90.0)
    np.testing.assert_allclose(grad, np.array([0, 1, -1, 0, NAN, -tiny, tiny, 0.5], dtype), rtol=1e-6)
    np.testing.assert_array_equal(loss, ops.binary_cross_entropy(z, y, reduction="none"))


def test_weights_of_zero_count_for_nothing():
    z, y = np.array([[1.0, NAN], [INF, -INF], [0.5, 2.0]]), [[1, 1], [0, 1], [0, 0]]
    options = {"sample_weights": [[1, 0], [0, 0], [1, 1]], "grad": True}
    loss, grad = ops.binary_cross_entropy(z, y, **options)
    expected, expected_grad = ops.binary_cross_entropy(z[[0, 2, 2], [0, 0, 1]], [1, 0, 0], grad=True)
    assert loss == pytest.approx(expected, rel=1e-15)
    np.testing.assert_allclose(grad, [[expected_grad[0], 0], [0, 0], expected_grad[1:]], rtol=1e-15)
    losses, _ = ops.binary_cross_entropy(z, y, reduction="none", **options)
    assert losses[1].tolist() == [0, 0]
    assert ops.binary_cross_entropy(z[:1], y[:1], class_weights=[1, 0]) == ops.binary_cross_entropy([1.0], [1])
    loss, grad = ops.binary_cross_entropy(z, y, sample_weights=[0, 0, 0], grad=True)
    assert loss == 0.0
    assert (grad == 0).all()


def test_nothing_and_much(rng, threads):
    loss, grad = ops.binary_cross_entropy(np.empty((0, 3)), np.empty((0, 3)), grad=True)
    assert loss == 0.0
    assert grad.shape == (0, 3)
    z, y = problem(rng, (30_000, 11), np.float32)
    weights = rng.random(11)
    threads(1)
    loss, grad = ops.binary_cross_entropy(z, y, positive_weights=weights, grad=True)
    threads(3)
    again, grad_again = ops.binary_cross_entropy(z, y, positive_weights=weights, grad=True)
    assert loss == again
    assert np.array_equal(grad, grad_again)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"targets": [[0, 1]]}, InputError, r"'targets' .* of the logits' shape \[2, 2\]; got the shape \[1, 2\]"),
        ({"targets": [[0, 1], [1.5, 0]]}, InputError, r"'targets' .* in \[0, 1\]; got 1.5 at \[1, 0\]"),
        ({"targets": [[0, 1], [1, NAN]]}, InputError, r"got nan at \[1, 1\]"),
        ({"targets": [["a", "b"]] * 2}, InputError, "numbers"),
        ({"sample_weights": [1, -1]}, InputError, "'sample_weights'"),
        ({"sample_weights": [1, 1, 1]}, InputError, "'sample_weights'"),
        ({"positive_weights": [1, 1, 1]}, InputError, "'positive_weights'"),
        ({"positive_weights": -1}, InputError, "'positive_weights'"),
        ({"class_weights": 2.0}, InputError, "'class_weights'"),
        ({"label_smoothing": 2.0}, OptionError, "'label_smoothing'"),
        ({"reduction": "median"}, OptionError, "'reduction'"),
        ({"grad_out": np.empty((2, 2), np.float32)}, InputError, "'grad_out'"),
    ],
)
def test_refusals(change, error, words):
    with pytest.raises(error, match=words):
        ops.binary_cross_entropy(**{"logits": [[0.0, 1.0], [2.0, 3.0]], "targets": [[0, 1], [1, 0]], **change})


def test_a_refusal_leaves_the_logits_as_they_were():
    z = np.array([1.0, 2.0])
    with pytest.raises(InputError, match="'targets'"):
        ops.binary_cross_entropy(z, [0, 2], grad_out=z)
    assert z.tolist() == [1.0, 2.0]
