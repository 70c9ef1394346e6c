"""Kullback-Leibler divergence and distillation, and their gradients: relations, oracles and edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_losses as naive
from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
REDUCTIONS = ("mean", "sum", "none")


def problem(rng, N, C, dtype=np.float64):
    return rng.normal(0, 3, (N, C)).astype(dtype), rng.normal(0, 3, (N, C)).astype(dtype)


problems = st.builds(
    lambda seed, N, C: problem(np.random.default_rng(seed), N, C),
    st.integers(0, 2**32),
    st.integers(1, 80),
    st.sampled_from([1, 2, 7, 31, 32, 77]),
)
temperatures = st.sampled_from([0.5, 1.0, 4.0])


# Relations


@given(problems, temperatures)
def test_it_is_cross_entropy_less_the_teachers_own(data, T):
    z, t = data
    loss, grad = ops.kl_divergence(z, t, temperature=T, reduction="none", grad=True)
    p = ops.softmax(t, temperature=T)
    cross, cross_grad = ops.cross_entropy(z / T, targets=p, reduction="none", grad=True)
    np.testing.assert_allclose(loss, cross - ops.cross_entropy(t / T, targets=p, reduction="none"), atol=1e-12)
    np.testing.assert_allclose(grad, cross_grad / T, rtol=1e-9, atol=1e-14)
    assert (loss >= 0).all()
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-13)


@given(problems, temperatures)
def test_shifts_change_nothing_and_equals_are_at_distance_zero(data, T):
    z, t = data
    np.testing.assert_allclose(
        ops.kl_divergence(z + 2.5, t - 7, temperature=T), ops.kl_divergence(z, t, temperature=T), rtol=1e-11, atol=1e-14
    )
    loss, grad = ops.kl_divergence(z, z, temperature=T, reduction="none", grad=True)
    assert (loss == 0).all()
    assert (np.abs(grad) <= 1e-16).all()


@given(problems, st.integers(0, 2**32))
def test_integer_weights_are_repetition(data, seed):
    z, t = data
    times = np.random.default_rng(seed).integers(0, 4, len(z))
    labels = z.argmax(1)
    again = np.repeat(np.arange(len(z)), times)
    loss = ops.kl_divergence(z, t, sample_weights=times)
    np.testing.assert_allclose(loss, ops.kl_divergence(z[again], t[again]), rtol=1e-12, atol=1e-14)
    loss = ops.distillation_loss(z, t, labels, sample_weights=times)
    np.testing.assert_allclose(loss, ops.distillation_loss(z[again], t[again], labels[again]), rtol=1e-12, atol=1e-14)


@given(problems, temperatures)
def test_distillation_is_the_sum_of_its_parts(data, T):
    z, t = data
    labels = t.argmax(1)
    for reduction in REDUCTIONS:
        kl, kl_grad = ops.kl_divergence(z, t, temperature=T, reduction=reduction, grad=True)
        entropy, entropy_grad = ops.cross_entropy(z, labels, reduction=reduction, grad=True)
        for alpha in (0.0, 0.3, 1.0):
            options = {"temperature": T, "alpha": alpha, "reduction": reduction}
            loss, grad = ops.distillation_loss(z, t, labels, grad=True, **options)
            np.testing.assert_allclose(loss, alpha * T * T * kl + (1 - alpha) * entropy, rtol=1e-12, atol=1e-15)
            expected = alpha * T * T * kl_grad + (1 - alpha) * entropy_grad
            np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-15)
            np.testing.assert_allclose(ops.distillation_loss(z, t, labels, **options), loss, rtol=1e-12, atol=1e-15)


@given(problems, temperatures)
def test_finite_differences(data, T):
    z, t = data[0][:4], data[1][:4]
    labels, direction, step = t.argmax(1), np.random.default_rng(0).normal(size=z.shape), 1e-5
    for loss in (
        lambda z, **o: ops.kl_divergence(z, t, temperature=T, **o),
        lambda z, **o: ops.distillation_loss(z, t, labels, temperature=T, **o),
    ):
        _, grad = loss(z, grad=True)
        slope = (loss(z + step * direction) - loss(z - step * direction)) / (2 * step)
        np.testing.assert_allclose((grad * direction).sum(), slope, rtol=1e-6, atol=1e-8)


# Oracles


@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float32, 1e-6, 1e-8), (np.float64, 1e-12, 1e-14)])
@pytest.mark.parametrize("C", [1, 3, 40])
def test_against_plain_loops(C, dtype, rtol, atol, rng, frozen):
    z, t = problem(rng, 70, C, dtype)
    weights = rng.random(70)
    rows = zip(z.astype(float).tolist(), t.astype(float).tolist(), strict=True)
    losses = np.array([naive.kl_divergence(row, teacher, 2.0) for row, teacher in rows]) * weights
    for reduction, expected in zip(REDUCTIONS, (losses.sum() / weights.sum(), losses.sum(), losses), strict=True):
        options = {"temperature": 2.0, "sample_weights": frozen(weights), "reduction": reduction}
        loss, grad = ops.kl_divergence(frozen(z), frozen(t), grad=True, **options)
        np.testing.assert_allclose(loss, expected, rtol=rtol, atol=atol * 70)
        assert grad.dtype == dtype
        np.testing.assert_allclose(ops.kl_divergence(z, t, **options), expected, rtol=rtol, atol=atol * 70)


@pytest.mark.parametrize("C", [3, 40])
def test_against_pytorch(C, rng):
    torch = pytest.importorskip("torch")
    nn, T = torch.nn.functional, 2.5
    z, t = problem(rng, 70, C)
    leaf, teacher, labels = torch.from_numpy(z).requires_grad_(), torch.from_numpy(t), torch.from_numpy(t.argmax(1))
    log_q, log_p = torch.log_softmax(leaf / T, -1), torch.log_softmax(teacher / T, -1)
    for reduction, theirs in (("mean", "batchmean"), ("sum", "sum"), ("none", "none")):
        kl = nn.kl_div(log_q, log_p, log_target=True, reduction=theirs)
        kl = kl.sum(-1) if reduction == "none" else kl
        (kl_grad,) = torch.autograd.grad(kl.sum(), leaf, retain_graph=True)
        loss, grad = ops.kl_divergence(z, t, temperature=T, reduction=reduction, grad=True)
        np.testing.assert_allclose(loss, kl.detach(), rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(grad, kl_grad, rtol=1e-9, atol=1e-14)
        both = 0.3 * T * T * kl + 0.7 * nn.cross_entropy(leaf, labels, reduction=reduction)
        (both_grad,) = torch.autograd.grad(both.sum(), leaf, retain_graph=True)
        loss, grad = ops.distillation_loss(
            z, t, labels.numpy(), temperature=T, alpha=0.3, reduction=reduction, grad=True
        )
        np.testing.assert_allclose(loss, both.detach(), rtol=1e-11)
        np.testing.assert_allclose(grad, both_grad, rtol=1e-9, atol=1e-14)


def test_other_types_and_layouts(rng):
    z, t = problem(rng, 60, 40, np.float32)
    loss, grad = ops.kl_divergence(z, t, grad=True)
    for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: a.astype(">f4")):
        other, other_grad = ops.kl_divergence(layout(z), layout(t), grad=True)
        assert other == loss
        assert np.array_equal(other_grad, grad)
    assert ops.kl_divergence(z, t.astype(np.float64)) == loss
    half, half_grad = ops.kl_divergence(z.astype(np.float16), t.astype(np.float16), grad=True, reduction="sum")
    assert half_grad.dtype == np.float16
    np.testing.assert_allclose(half, loss * 60, rtol=2e-3)
    cube, cube_grad = ops.kl_divergence(z.reshape(3, 20, 40), t.reshape(3, 20, 40), grad=True)
    assert cube == loss
    assert np.array_equal(cube_grad.reshape(60, 40), grad)
    inside = z.copy()
    assert ops.kl_divergence(inside, t, grad_out=inside)[0] == loss
    assert np.array_equal(inside, grad)
    labels = t.argmax(1)
    expected, expected_grad = ops.distillation_loss(z, t, labels, grad=True)
    inside = z.copy()
    assert ops.distillation_loss(inside, t, labels, grad_out=inside)[0] == expected
    assert np.array_equal(inside, expected_grad)


def test_the_number_of_threads_changes_no_bit(rng, threads):
    for shape in ((30_000, 5), (900, 100)):
        z, t = problem(rng, *shape, np.float32)
        threads(1)
        loss, grad = ops.kl_divergence(z, t, grad=True)
        threads(3)
        again, grad_again = ops.kl_divergence(z, t, grad=True)
        assert loss == again
        assert np.array_equal(grad, grad_again)


# Edges


@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(width, dtype):
    table = [  # student, teacher, divergence
        ([0, 1, 2], [0, 1, -INF], naive.kl_divergence([0, 1, 2], [0, 1, -INF])),
        ([0, -INF, 2], [0, 1, 2], INF),
        ([0, -INF, 2], [0, -INF, 2], 0),
        ([0, 1, -INF], [0, 1, -2000], INF),  # a mass too small to write is mass
        ([INF, 1, 2], [INF, 5, -INF], 0),
        ([INF, INF, 2], [INF, 5, 0], np.log(2)),
        ([INF, 1, 2], [INF, INF, -INF], INF),
        ([0, 0, -INF], [INF, 5, 0], np.log(2)),
        ([-INF] * 3, [-INF] * 3, 0),
        ([NAN, 0, 0], [0, 0, 0], NAN),
        ([0, 0, 0], [0, NAN, 0], NAN),
        ([-INF, NAN, 0], [0, INF, 0], NAN),
        ([-INF, NAN, 0], [0, 0, 0], NAN),
        ([1e4, -1e4, 0], [0, 0, -1e4], 1e4 - np.log(2)),
    ]
    z, t = (np.array([row[side] + [-INF] * (width - 3) for row in table], dtype) for side in (0, 1))
    loss, grad = ops.kl_divergence(z, t, reduction="none", grad=True)
    np.testing.assert_allclose(loss, [row[2] for row in table], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(grad, ops.softmax(z) - ops.softmax(t), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ops.kl_divergence(z, t, reduction="none"), loss, rtol=1e-15)


def test_parts_of_weight_zero_and_no_rows():
    z, t = np.array([[0.0, 1.0], [NAN, -INF]]), np.array([[1.0, 1.0], [0.0, INF]])
    loss, grad = ops.kl_divergence(z, t, sample_weights=[2, 0], grad=True)
    assert loss == pytest.approx(ops.kl_divergence(z[:1], t[:1]), rel=1e-15)
    assert grad[1].tolist() == [0, 0]
    z = np.array([[0.0, -INF]])
    assert ops.distillation_loss(z, [[0.0, 0.0]], [0], alpha=0.0) == 0.0
    assert ops.distillation_loss(z, z, [1], alpha=1.0) == 0.0
    assert ops.distillation_loss(z, z, [1]) == INF
    loss, grad = ops.kl_divergence(np.empty((0, 3)), np.empty((0, 3)), grad=True)
    assert loss == 0.0
    assert grad.shape == (0, 3)


def test_refusals():
    with pytest.raises(InputError, match=r"'teacher_logits' of kl_divergence must be of the logits' shape \[1, 2\]"):
        ops.kl_divergence([[0.0, 1.0]], [0.0, 1.0])
    with pytest.raises(OptionError, match="'temperature' option of kl_divergence"):
        ops.kl_divergence([[0.0, 1.0]], [[0.0, 1.0]], temperature=0)
    with pytest.raises(OptionError, match="'reduction' option of kl_divergence"):
        ops.kl_divergence([[0.0, 1.0]], [[0.0, 1.0]], reduction="batchmean")
    with pytest.raises(OptionError, match="'alpha' option of distillation_loss"):
        ops.distillation_loss([[0.0, 1.0]], [[0.0, 1.0]], [0], alpha=-0.1)
    with pytest.raises(InputError, match="'labels' of distillation_loss"):
        ops.distillation_loss([[0.0, 1.0]], [[0.0, 1.0]], [5])
