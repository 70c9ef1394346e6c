"""What PyTorch's losses and softmaxes mean, ours mean too: every option with every other, in every type.

PyTorch is asked in float64, with the numbers that our function was given, and in the type itself. Where this library
means something else on purpose, the test says so.
"""

import itertools

import pytest

from logitkit import ops

torch = pytest.importorskip("torch")
nn = torch.nn.functional

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
REDUCTIONS = ("mean", "sum", "none")
N, C = 24, 7
# Errors of a loss, which is float64 made of logits in float32 or float64.
LOSS = {torch.float16: 1e-6, torch.bfloat16: 1e-6, torch.float32: 1e-6, torch.float64: 1e-13}


@pytest.fixture
def generator(rng):
    return torch.Generator().manual_seed(int(rng.integers(2**31)))


def close(ours, theirs, dtype, sums=1):
    """Assert that results in `dtype` agree to a rounding; `sums` of them where a sum loses digits of its terms."""
    step = torch.finfo(dtype).eps
    bound = max(step, 1e-6 if dtype != torch.float64 else 1e-14)
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=bound, atol=bound * sums)


def check_loss(ours, loss_of, logits, scale=1.0):
    """Compare value and gradient with `loss_of(logits)` in float64 and in the logits' own type."""
    loss, grad = ours
    assert grad.dtype == logits.dtype
    for dtype in (torch.float64, logits.dtype):
        leaf = logits.clone().to(dtype).requires_grad_()
        theirs = loss_of(leaf) * scale
        (their_grad,) = torch.autograd.grad(theirs.sum(), leaf)
        own = torch.finfo(dtype).eps
        bound = max(LOSS[logits.dtype], 8 * own)
        torch.testing.assert_close(loss.double(), theirs.detach().double(), rtol=bound, atol=bound)
        precision = logits.dtype if dtype == torch.float64 else dtype
        close(grad, their_grad, precision, sums=1 if dtype == torch.float64 else 8)


# Cross-entropy


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cross_entropy_of_labels(dtype, generator):
    logits = torch.randn(N, C, generator=generator).mul(3).to(dtype)
    labels = torch.randint(C, (N,), generator=generator)
    class_weights = torch.rand(C, generator=generator) + 0.1
    for weights, smoothing, ignored, reduction in itertools.product(
        (None, class_weights), (0.0, 0.1, 1.0), (None, 2, -100), REDUCTIONS
    ):
        y = labels.clone()
        if ignored == -100:
            y[::3] = ignored
        ours = ops.cross_entropy(
            logits,
            y,
            class_weights=weights,
            label_smoothing=smoothing,
            ignore_index=ignored,
            reduction=reduction,
            grad=True,
        )

        def loss_of(leaf, weights=weights, smoothing=smoothing, ignored=ignored, reduction=reduction, y=y):
            own_weights = None if weights is None else weights.to(leaf.dtype)
            index = -1000 if ignored is None else ignored
            return nn.cross_entropy(
                leaf, y, own_weights, ignore_index=index, label_smoothing=smoothing, reduction=reduction
            )

        check_loss(ours, loss_of, logits)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cross_entropy_of_targets(dtype, generator):
    logits = torch.randn(N, C, generator=generator).mul(3).to(dtype)
    targets = torch.softmax(torch.randn(N, C, generator=generator).mul(2), -1).to(dtype)
    class_weights = torch.rand(C, generator=generator) + 0.1
    for weights, smoothing, reduction in itertools.product((None, class_weights), (0.0, 0.1, 1.0), REDUCTIONS):
        ours = ops.cross_entropy(
            logits,
            targets=targets,
            class_weights=weights,
            label_smoothing=smoothing,
            reduction=reduction,
            grad=True,
        )

        def loss_of(leaf, weights=weights, smoothing=smoothing, reduction=reduction):
            own_weights = None if weights is None else weights.to(leaf.dtype)
            own_targets = targets.to(leaf.dtype)
            return nn.cross_entropy(leaf, own_targets, own_weights, label_smoothing=smoothing, reduction=reduction)

        check_loss(ours, loss_of, logits)


def test_cross_entropy_of_more_dimensions(generator):
    """PyTorch has the classes on axis 1, we on the last."""
    logits = torch.randn(4, 5, 6, C, generator=generator).double()
    labels = torch.randint(C, (4, 5, 6), generator=generator)
    for reduction in REDUCTIONS:
        ours = ops.cross_entropy(logits, labels, reduction=reduction, ignore_index=1, grad=True)
        check_loss(
            ours,
            lambda leaf, r=reduction: nn.cross_entropy(leaf.movedim(-1, 1), labels, ignore_index=1, reduction=r),
            logits,
        )


def test_a_mean_of_nothing_is_zero_here_and_nan_there():
    logits, labels = torch.zeros(2, 3), torch.tensor([1, 1])
    assert nn.cross_entropy(logits, labels, ignore_index=1).isnan()
    loss, grad = ops.cross_entropy(logits, labels, ignore_index=1, grad=True)
    assert loss == 0.0
    assert (grad == 0).all()


# Binary cross-entropy


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_binary_cross_entropy(dtype, generator):
    logits = torch.randn(N, C, generator=generator).mul(3).to(dtype)
    hard = (torch.rand(N, C, generator=generator) < 0.3).to(dtype)
    soft = torch.rand(N, C, generator=generator).to(dtype)
    positive = torch.rand(C, generator=generator) + 0.5
    weights = {
        "none": None,
        "class": torch.rand(C, generator=generator) + 0.1,
        "row": torch.rand(N, 1, generator=generator),
        "element": torch.rand(N, C, generator=generator),
    }
    for targets, pos_weight, kind, reduction in itertools.product((hard, soft), (None, positive), weights, REDUCTIONS):
        weight = weights[kind]
        ours = ops.binary_cross_entropy(
            logits,
            targets,
            positive_weights=pos_weight,
            class_weights=weight if kind == "class" else None,
            sample_weights={"row": lambda w: w[:, 0], "element": lambda w: w}.get(kind, lambda _: None)(weight),
            reduction=reduction,
            grad=True,
        )

        def loss_of(leaf, targets=targets, weight=weight, pos_weight=pos_weight, reduction=reduction):
            same = {
                name: None if value is None else value.to(leaf.dtype)
                for name, value in (("weight", weight), ("pos_weight", pos_weight))
            }
            return nn.binary_cross_entropy_with_logits(leaf, targets.to(leaf.dtype), reduction=reduction, **same)

        # PyTorch divides a weighted sum by the number of elements, we by the sum of their weights.
        weighted_mean = reduction == "mean" and weight is not None
        scale = N * C / weight.double().expand(N, C).sum().item() if weighted_mean else 1.0
        check_loss(ours, loss_of, logits, scale)


# Softmax and log-softmax


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_values_and_gradients(dtype, axis, generator):
    logits = torch.randn(5, N, C, generator=generator).mul(3).to(dtype)
    grads = torch.randn(5, N, C, generator=generator).to(dtype)
    for forward, backward, theirs in (
        (ops.softmax, ops.softmax_backward, torch.softmax),
        (ops.log_softmax, ops.log_softmax_backward, torch.log_softmax),
    ):
        results = forward(logits, axis=axis)
        grad = backward(grads, results, axis=axis)
        assert results.dtype == grad.dtype == dtype
        leaf = logits.clone().double().requires_grad_()
        exact = theirs(leaf, axis)
        close(results, exact.detach(), dtype)
        close(grad, torch.autograd.grad(exact, leaf, grads.double())[0], dtype, sums=8)
        leaf = logits.clone().requires_grad_()
        same = theirs(leaf, axis)
        close(results, same.detach(), dtype)
        close(grad, torch.autograd.grad(same, leaf, grads)[0], dtype, sums=8)
    values = ops.logsumexp(logits, axis=axis)
    grad = ops.logsumexp_backward(grads.select(axis, 0), logits, axis=axis)
    leaf = logits.clone().double().requires_grad_()
    exact = torch.logsumexp(leaf, axis)
    close(values, exact.detach(), dtype)
    close(grad, torch.autograd.grad(exact, leaf, grads.select(axis, 0).double())[0], dtype)


def test_edges_as_in_pytorch():
    """Where PyTorch has an answer, it is ours; where it has NaN, we say what softmax and its losses do in the limit."""
    inf = float("inf")
    logits = torch.tensor([[0.0, -inf, 1.0], [-inf, 0.0, -inf], [1e30, 0.0, -1e30]])
    for ours, theirs in ((ops.softmax, torch.softmax), (ops.log_softmax, torch.log_softmax)):
        torch.testing.assert_close(ours(logits), theirs(logits, -1))
    losses = ops.cross_entropy(logits, torch.tensor([1, 1, 1]), reduction="none")
    expected = nn.cross_entropy(logits, torch.tensor([1, 1, 1]), reduction="none").double()
    torch.testing.assert_close(losses, expected)
    z = torch.tensor([1e30, -1e30, 100.0, -100.0])
    losses = ops.binary_cross_entropy(z, torch.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    expected = nn.binary_cross_entropy_with_logits(z, torch.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    torch.testing.assert_close(losses, expected.double(), rtol=1e-6, atol=1e-38)
