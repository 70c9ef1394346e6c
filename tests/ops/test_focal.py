"""Focal losses and their gradients: relations, oracles and edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_losses as naive
from logitkit import ops
from logitkit.errors import InputError, OptionError
from logitkit.kernels.focal import write_powers

INF, NAN = np.inf, np.nan
GAMMAS = (0.0, 0.5, 1.0, 2.0, 3.7)
REDUCTIONS = ("mean", "sum", "none")


def problem(rng, N, C, dtype=np.float64):
    return rng.normal(0, 4, (N, C)).astype(dtype), rng.integers(0, C, N)


problems = st.builds(
    lambda seed, N, C: problem(np.random.default_rng(seed), N, C),
    st.integers(0, 2**32),
    st.integers(1, 40),
    st.sampled_from([1, 2, 7, 40]),
)
gammas = st.sampled_from(GAMMAS)


# Relations


@given(problems, st.sampled_from(REDUCTIONS))
def test_gamma_zero_is_cross_entropy(data, reduction):
    z, labels = data
    options = {"reduction": reduction, "class_weights": np.linspace(0, 2, z.shape[1]), "grad": True}
    loss, grad = ops.focal_loss(z, labels, gamma=0.0, **options)
    expected, expected_grad = ops.cross_entropy(z, labels, **options)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-9, atol=1e-15)


@given(problems, gammas)
def test_two_classes_are_one_binary_question(data, gamma):
    z = data[0][:, 0]
    y = data[1] % 2
    loss, grad = ops.binary_focal_loss(z, y, gamma=gamma, alpha=None, reduction="none", grad=True)
    pairs, labels = np.stack([z, np.zeros_like(z)], axis=1), 1 - y
    expected, expected_grad = ops.focal_loss(pairs, labels, gamma=gamma, reduction="none", grad=True)
    np.testing.assert_allclose(loss, expected, rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(grad, expected_grad[:, 0], rtol=1e-9, atol=1e-15)


@given(problems, gammas)
def test_gradients_of_a_row_sum_to_zero(data, gamma):
    _, grad = ops.focal_loss(*data, gamma=gamma, reduction="sum", grad=True)
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-13)


@given(problems, gammas, st.integers(0, 2**32))
def test_integer_weights_are_repetition(data, gamma, seed):
    z, labels = data
    times = np.random.default_rng(seed).integers(0, 4, len(z))
    again = np.repeat(np.arange(len(z)), times)
    loss = ops.focal_loss(z, labels, gamma=gamma, sample_weights=times)
    np.testing.assert_allclose(loss, ops.focal_loss(z[again], labels[again], gamma=gamma), rtol=1e-12, atol=1e-300)
    y = (z > np.roll(z, 1)).astype(int)
    loss = ops.binary_focal_loss(z, y, gamma=gamma, sample_weights=times)
    np.testing.assert_allclose(loss, ops.binary_focal_loss(z[again], y[again], gamma=gamma), rtol=1e-12, atol=1e-300)


@given(problems, gammas)
def test_finite_differences(data, gamma):
    z, labels = data[0][:4], data[1][:4]
    targets = np.random.default_rng(1).choice([0.0, 0.2, 1.0], z.shape)
    direction, step = np.random.default_rng(0).normal(size=z.shape), 1e-5
    for function, y in ((ops.focal_loss, labels), (ops.binary_focal_loss, targets)):
        _, grad = function(z, y, gamma=gamma, grad=True)
        up, down = function(z + step * direction, y, gamma=gamma), function(z - step * direction, y, gamma=gamma)
        np.testing.assert_allclose((grad * direction).sum(), (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


# Oracles


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-6), (np.float64, 1e-11)])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_against_plain_loops(dtype, rtol, gamma, rng, frozen):
    for C in (1, 3, 40):
        z, labels = problem(rng, 9, C, dtype)
        by_class, by_row = rng.random(C) + 0.1, rng.random(9)
        rows = z.astype(float).tolist()
        factors = by_row * by_class[labels]
        losses = np.array([naive.focal(row, label, gamma) for row, label in zip(rows, labels, strict=True)]) * factors
        given = {"class_weights": frozen(by_class), "sample_weights": frozen(by_row), "gamma": gamma}
        for reduction, expected in zip(REDUCTIONS, (losses.sum() / factors.sum(), losses.sum(), losses), strict=True):
            loss = ops.focal_loss(frozen(z), frozen(labels), reduction=reduction, **given)
            np.testing.assert_allclose(loss, expected, rtol=rtol)
            both, grad = ops.focal_loss(frozen(z), labels.tolist(), reduction=reduction, grad=True, **given)
            np.testing.assert_allclose(both, expected, rtol=rtol)
            assert grad.dtype == dtype
        y = rng.choice([0.0, 0.25, 1.0], z.shape)
        for alpha in (None, 0.25):
            exact = [[naive.binary_focal(a, b, gamma, alpha) for a, b in zip(*r, strict=True)] for r in zip(rows, y)]  # noqa: B905
            loss = ops.binary_focal_loss(frozen(z), frozen(y), gamma=gamma, alpha=alpha, reduction="none")
            np.testing.assert_allclose(loss, exact, rtol=rtol)
            assert ops.binary_focal_loss(z, y, gamma=gamma, alpha=alpha) == pytest.approx(np.mean(exact), rel=rtol)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_against_pytorch(gamma, rng):
    torch = pytest.importorskip("torch")
    z, labels = problem(rng, 30, 6)
    leaf = torch.from_numpy(z).requires_grad_()
    log_p = torch.log_softmax(leaf, -1).gather(1, torch.from_numpy(labels)[:, None])
    theirs = (-((-torch.expm1(log_p)) ** gamma) * log_p).mean()
    (their_grad,) = torch.autograd.grad(theirs, leaf)
    loss, grad = ops.focal_loss(z, labels, gamma=gamma, grad=True)
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-10)
    np.testing.assert_allclose(grad, their_grad, rtol=1e-7, atol=1e-13)

    y = torch.from_numpy(rng.choice([0.0, 0.25, 1.0], z.shape))
    probs = torch.sigmoid(leaf)  # what follows is torchvision.ops.sigmoid_focal_loss
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(leaf, y, reduction="none")
    p_t = probs * y + (1 - probs) * (1 - y)
    theirs = ((0.25 * y + 0.75 * (1 - y)) * entropy * (1 - p_t) ** gamma).mean()
    (their_grad,) = torch.autograd.grad(theirs, leaf)
    loss, grad = ops.binary_focal_loss(z, y.numpy(), gamma=gamma, grad=True)
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-10)
    np.testing.assert_allclose(grad, their_grad, rtol=1e-6, atol=1e-10)


def test_other_types_and_layouts(rng):
    z, labels = problem(rng, 60, 40, np.float32)
    y = (z > 1).astype(np.float32)
    for function, target in ((ops.focal_loss, labels), (ops.binary_focal_loss, y)):
        loss, grad = function(z, target, grad=True)
        for layout in (np.asfortranarray(z), np.repeat(z, 2, axis=1)[:, ::2], z.astype(">f4")):
            other, other_grad = function(layout, target, grad=True)
            assert other == loss
            assert np.array_equal(other_grad, grad)
        half, half_grad = function(z.astype(np.float16), target, grad=True, reduction="sum")
        assert half_grad.dtype == np.float16
        np.testing.assert_allclose(half, function(z, target, reduction="sum"), rtol=2e-3)
        inside = z.copy()
        assert function(inside, target, grad_out=inside)[0] == loss
        assert np.array_equal(inside, grad)


# Edges


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_edges(dtype, gamma):
    z = np.array([[INF, 0], [0, INF], [-INF, -INF], [NAN, 0], [0, -INF], [0, 1000]], dtype)
    tie = 0.5**gamma * np.log(2)
    loss, grad = ops.focal_loss(z, [0] * 6, gamma=gamma, reduction="none", grad=True)
    np.testing.assert_allclose(loss, [0, INF, tie, NAN, 0, 1000], rtol=1e-6)
    slope = 0.5**gamma * (1 + gamma * np.log(2)) * 0.5
    np.testing.assert_allclose(grad[:, 1], [0, 1, slope, NAN, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(grad[:, 0], -grad[:, 1])

    z = np.array([INF, -INF, NAN, 1000, -1000, 0], dtype)
    for y, signs in ((1, 1), (0, -1)):
        loss, grad = ops.binary_focal_loss(signs * z, [y] * 6, gamma=gamma, alpha=None, reduction="none", grad=True)
        np.testing.assert_allclose(loss, [0, INF, NAN, 0, 1000, tie], rtol=1e-6, atol=1e-20)
        np.testing.assert_allclose(signs * grad, [0, -1, NAN, 0, -1, -slope], rtol=1e-6, atol=1e-20)
    loss, grad = ops.binary_focal_loss(z, [0.5] * 6, gamma=gamma, alpha=None, reduction="none", grad=True)
    assert np.isfinite(grad[[0, 1, 3, 4, 5]]).all()


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_tiny_losses_keep_their_digits(gamma):
    q = np.exp(-30.0) / (1 + np.exp(-30.0))
    loss, grad = ops.focal_loss([[30.0, 0.0]], [0], gamma=gamma, grad=True)
    np.testing.assert_allclose(loss, q**gamma * -np.log1p(-q), rtol=1e-8)
    np.testing.assert_allclose(grad, [[-(1 + gamma) * q ** (gamma + 1), (1 + gamma) * q ** (gamma + 1)]], rtol=1e-8)
    loss, grad = ops.binary_focal_loss([30.0], [1], gamma=gamma, alpha=None, grad=True)
    np.testing.assert_allclose(loss, q**gamma * -np.log1p(-q), rtol=1e-8)
    np.testing.assert_allclose(grad, [-(1 + gamma) * q ** (gamma + 1)], rtol=1e-8)


def test_rows_of_weight_zero_and_no_rows():
    z = np.array([[1.0, 2.0], [NAN, INF]])
    loss, grad = ops.focal_loss(z, [0, 1], sample_weights=[1, 0], grad=True)
    assert loss == ops.focal_loss(z[:1], [0])
    assert grad[1].tolist() == [0, 0]
    assert ops.focal_loss(z, [0, 1], class_weights=[0, 0]) == 0.0
    loss, grad = ops.binary_focal_loss(z, [[0, 1], [1, 0]], sample_weights=[1, 0], grad=True)
    assert loss == ops.binary_focal_loss(z[:1], [[0, 1]])
    assert grad[1].tolist() == [0, 0]
    assert ops.focal_loss(np.empty((0, 3)), [], grad=True)[0] == 0.0
    assert ops.focal_loss([2.0, 1.0], 0, reduction="none").shape == ()


def test_refusals():
    for gamma in (-1, INF, NAN, "2"):
        with pytest.raises(OptionError, match="'gamma' option of focal_loss must be finite and at least 0"):
            ops.focal_loss([[0.0, 1.0]], [0], gamma=gamma)
        with pytest.raises(OptionError, match="'gamma' option of binary_focal_loss"):
            ops.binary_focal_loss([0.0], [0], gamma=gamma)
    with pytest.raises(OptionError, match="'alpha' option of binary_focal_loss"):
        ops.binary_focal_loss([0.0], [0], alpha=1.5)
    with pytest.raises(OptionError, match="'reduction' option of focal_loss"):
        ops.focal_loss([[0.0, 1.0]], [0], reduction="all")
    with pytest.raises(InputError, match="'labels' of focal_loss must be in"):
        ops.focal_loss([[0.0, 1.0]], [2])
    with pytest.raises(InputError, match="'targets' of binary_focal_loss must be in"):
        ops.binary_focal_loss([0.0], [2])


@pytest.mark.parametrize("exponent", [0.5, 3.7])
def test_powers(exponent):
    bases, result = np.concatenate([[0.0, 1e-310, 1.0], np.logspace(-250, 0, 400)]), np.empty(403)
    write_powers(bases, exponent, result)
    assert result[:3].tolist() == [0, 0, 1]
    np.testing.assert_allclose(result[3:], bases[3:] ** exponent, rtol=1e-12, atol=1e-307)
