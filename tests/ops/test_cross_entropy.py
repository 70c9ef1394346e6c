"""Cross-entropy and its gradient: relations, oracles and edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
SIZES = (1, 2, 3, 31, 32, 77, 300)
REDUCTIONS = ("mean", "sum", "none")


def problem(rng, N, C, dtype=np.float64):
    return rng.normal(0, 3, (N, C)).astype(dtype), rng.integers(0, C, N)


problems = st.builds(
    lambda seed, N, C: problem(np.random.default_rng(seed), N, C),
    st.integers(0, 2**32),
    st.integers(1, 80),
    st.sampled_from(SIZES),
)
smoothings = st.sampled_from([0.0, 0.1, 1.0])


# Relations


@given(problems, smoothings, st.sampled_from(REDUCTIONS))
def test_one_hot_targets_are_labels(data, smoothing, reduction):
    logits, labels = data
    targets = np.eye(logits.shape[1])[labels]
    options = {"label_smoothing": smoothing, "reduction": reduction, "grad": True}
    loss, grad = ops.cross_entropy(logits, labels, **options)
    soft_loss, soft_grad = ops.cross_entropy(logits, targets=targets, **options)
    np.testing.assert_allclose(loss, soft_loss, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(grad, soft_grad, rtol=1e-9, atol=1e-14)


@given(problems, smoothings)
def test_gradients_of_a_row_sum_to_zero(data, smoothing):
    logits, labels = data
    _, grad = ops.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum", grad=True)
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-13)


@given(problems, smoothings, st.integers(0, 2**32))
def test_integer_weights_are_repetition(data, smoothing, seed):
    logits, labels = data
    times = np.random.default_rng(seed).integers(0, 4, len(labels))
    loss, grad = ops.cross_entropy(logits, labels, sample_weights=times, label_smoothing=smoothing, grad=True)
    again = np.repeat(np.arange(len(labels)), times)
    repeated, repeated_grad = ops.cross_entropy(logits[again], labels[again], label_smoothing=smoothing, grad=True)
    summed = np.zeros_like(grad)
    np.add.at(summed, again, repeated_grad)
    np.testing.assert_allclose(loss, repeated, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(grad, summed, rtol=1e-10, atol=1e-14)


@given(problems)
def test_class_weights_are_the_labels_sample_weights(data):
    logits, labels = data
    weights = np.linspace(0.0, 2.0, logits.shape[1])
    for reduction in REDUCTIONS:
        a = ops.cross_entropy(logits, labels, class_weights=weights, reduction=reduction, grad=True)
        b = ops.cross_entropy(logits, labels, sample_weights=weights[labels], reduction=reduction, grad=True)
        for ours, same in zip(a, b, strict=True):
            np.testing.assert_array_equal(ours, same)


@given(problems, smoothings)
def test_finite_differences(data, smoothing):
    logits, labels = data
    logits, labels = logits[:3], labels[:3]
    _, grad = ops.cross_entropy(logits, labels, label_smoothing=smoothing, grad=True)
    direction = np.random.default_rng(0).normal(size=logits.shape)
    step = 1e-5
    up = ops.cross_entropy(logits + step * direction, labels, label_smoothing=smoothing)
    down = ops.cross_entropy(logits - step * direction, labels, label_smoothing=smoothing)
    np.testing.assert_allclose((grad * direction).sum(), (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("C", SIZES)
def test_the_loss_is_the_same_with_and_without_gradient(C, rng):
    logits, labels = problem(rng, 100, C, np.float32)
    for smoothing in (0.0, 0.2):
        alone = ops.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        both, _ = ops.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none", grad=True)
        np.testing.assert_allclose(alone, both, rtol=1e-7)


# Oracles


def options():
    return itertools.product((0.0, 0.1, 1.0), (False, True), (False, True), REDUCTIONS, (False, True))


@pytest.mark.parametrize("C", [1, 3, 40])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_against_plain_loops(C, dtype, rtol, rng, frozen):
    logits, labels = problem(rng, 9, C, dtype)
    class_weights, sample_weights = rng.random(C) + 0.1, rng.integers(0, 3, 9) + 0.5
    targets = rng.dirichlet(np.ones(C), 9)
    for smoothing, by_class, by_row, reduction, soft in options():
        losses, grads = [], []
        for row in range(9):
            target = targets[row].tolist() if soft else naive.one_hot(labels[row], C)
            q = naive.weighted_targets(target, smoothing, class_weights.tolist() if by_class else None)
            loss, grad = naive.cross_entropy_row(logits[row].astype(float).tolist(), q)
            weight = sample_weights[row] if by_row else 1.0
            losses.append(weight * loss)
            grads.append([weight * g for g in grad])
        row_weights = sample_weights if by_row else np.ones(9)
        divisor = (row_weights if soft or not by_class else row_weights * class_weights[labels]).sum()
        divisor = divisor if reduction == "mean" else 1.0
        expected = losses if reduction == "none" else sum(losses) / divisor
        loss, grad = ops.cross_entropy(
            frozen(logits),
            None if soft else frozen(labels),
            targets=frozen(targets) if soft else None,
            class_weights=frozen(class_weights) if by_class else None,
            sample_weights=frozen(sample_weights) if by_row else None,
            label_smoothing=smoothing,
            reduction=reduction,
            grad=True,
        )
        assert grad.dtype == dtype
        np.testing.assert_allclose(loss, expected, rtol=rtol, atol=1e-12)
        np.testing.assert_allclose(grad, np.array(grads) / divisor, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("C", [1, 3, 40])
def test_against_pytorch(C, rng):
    torch = pytest.importorskip("torch")
    logits, labels = problem(rng, 20, C)
    weights, targets = rng.random(C) + 0.1, rng.dirichlet(np.ones(C), 20)
    for smoothing, by_class, by_row, reduction, soft in options():
        if by_row:
            continue
        leaf = torch.from_numpy(logits).requires_grad_()
        target = torch.from_numpy(targets if soft else labels)
        weight = torch.from_numpy(weights) if by_class else None
        theirs = torch.nn.functional.cross_entropy(leaf, target, weight, reduction=reduction, label_smoothing=smoothing)
        (their_grad,) = torch.autograd.grad(theirs.sum(), leaf)
        loss, grad = ops.cross_entropy(
            logits,
            None if soft else labels,
            targets=targets if soft else None,
            class_weights=weights if by_class else None,
            reduction=reduction,
            label_smoothing=smoothing,
            grad=True,
        )
        np.testing.assert_allclose(loss, theirs.detach(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(grad, their_grad, rtol=1e-10, atol=1e-14)


def test_other_types_and_layouts(rng):
    logits, labels = problem(rng, 60, 40, np.float32)
    loss, grad = ops.cross_entropy(logits, labels, grad=True)
    for layout in (np.asfortranarray(logits), np.repeat(logits, 2, axis=1)[:, ::2], logits.astype(">f4")):
        other, other_grad = ops.cross_entropy(layout, labels.astype(np.uint8), grad=True)
        assert other == loss
        assert np.array_equal(other_grad, grad)
    half, half_grad = ops.cross_entropy(logits.astype(np.float16), labels.tolist(), grad=True)
    assert half_grad.dtype == np.float16
    np.testing.assert_allclose(half, loss, rtol=1e-3)
    np.testing.assert_allclose(half_grad, grad, atol=1e-4)
    cube, cube_grad = ops.cross_entropy(logits.reshape(3, 20, 40), labels.reshape(3, 20), grad=True)
    assert cube == loss
    assert np.array_equal(cube_grad.reshape(60, 40), grad)
    one, one_grad = ops.cross_entropy(logits[0], labels[0], grad=True, reduction="none")
    assert one.shape == ()
    assert one_grad.shape == (40,)


# Edges


@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(width, dtype):
    table = [
        ([1e4, -1e4, 0], 1),
        ([INF, 0, 0], 0),
        ([INF, 0, 0], 1),
        ([INF, INF, 0], 1),
        ([-INF] * 3, 2),
        ([0, -INF, 0], 1),
    ]
    table += [([-INF, 5.0, -INF], 1), ([NAN, 0, 0], 1), ([0, -NAN, 0], 0), ([INF, NAN, 0], 0)]
    logits = np.array([row + [-INF] * (width - 3) for row, _ in table], dtype)
    labels = [label for _, label in table]
    for smoothing in (0.0, 0.1):
        expected, expected_grad = [], []
        for row, label in zip(logits.astype(float).tolist(), labels, strict=True):
            q = naive.weighted_targets(naive.one_hot(label, width), smoothing, None)
            loss, grad = naive.cross_entropy_row(row, q)
            expected.append(loss)
            expected_grad.append(grad)
        loss, grad = ops.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing, grad=True)
        np.testing.assert_allclose(loss, expected, rtol=1e-6)
        np.testing.assert_allclose(grad, expected_grad, rtol=1e-6, atol=1e-7)
        targets = np.eye(width)[labels]
        soft = ops.cross_entropy(logits, targets=targets, reduction="none", label_smoothing=smoothing)
        np.testing.assert_allclose(soft, expected, rtol=1e-6)


def test_tiny_losses_keep_their_digits():
    for C in (2, 40):
        logits = np.full((1, C), -30.0)
        logits[0, 0] = 0.0
        exact = np.log1p((C - 1) * np.exp(-30.0))
        for dtype in (np.float32, np.float64):
            loss, _ = ops.cross_entropy(logits.astype(dtype), [0], grad=True)
            np.testing.assert_allclose(loss, exact, rtol=1e-6)
            np.testing.assert_allclose(ops.cross_entropy(logits.astype(dtype), [0]), exact, rtol=1e-8)


def test_rows_of_weight_zero_count_for_nothing():
    logits = np.array([[1.0, 2.0], [NAN, INF], [0.0, -INF]])
    loss, grad = ops.cross_entropy(logits, [0, 1, 1], sample_weights=[1, 0, 0], grad=True)
    assert loss == ops.cross_entropy(logits[:1], [0])
    assert (grad[1:] == 0).all()
    loss, grad = ops.cross_entropy(logits, [0, 1, 1], sample_weights=[0, 0, 0], grad=True)
    assert loss == 0.0
    assert (grad == 0).all()


def test_no_rows_and_one_class():
    loss, grad = ops.cross_entropy(np.empty((0, 3)), [], grad=True)
    assert loss == 0.0
    assert grad.shape == (0, 3)
    assert ops.cross_entropy(np.empty((0, 3)), [], reduction="none").shape == (0,)
    assert ops.cross_entropy([[5.0], [-INF]], [0, 0], grad=True)[0] == 0.0


@pytest.mark.parametrize("C", [3, 40])
def test_the_gradient_may_overwrite_the_logits(C, rng):
    for dtype in (np.float16, np.float32, np.float64):
        logits, labels = problem(rng, 90, C, dtype)
        expected = ops.cross_entropy(logits, labels, label_smoothing=0.1, grad=True)
        loss, grad = ops.cross_entropy(logits, labels, label_smoothing=0.1, grad_out=logits)
        assert grad is logits
        assert loss == expected[0]
        assert np.array_equal(grad, expected[1])


def test_bad_input():
    logits = [[1.0, 2.0], [3.0, 4.0]]
    bad = {
        r"The 'labels' of cross_entropy must be in \[0, 2\); got 2 in row 1\.": {"labels": [0, 2]},
        r"The 'labels' of cross_entropy must be in \[0, 2\); got -1 in row 0\.": {"labels": [-1, 1]},
        r"The 'labels' of cross_entropy must be of the shape \[2\].*got the shape \[3\]": {"labels": [0, 1, 1]},
        r"The 'labels' of cross_entropy must be integers; got float64\.": {"labels": [0.0, 1.0]},
        r"The 'targets' of cross_entropy must be of the logits' shape \[2, 2\]": {"targets": [[1.0, 0.0]]},
        r"The 'targets' of cross_entropy must be finite and at least 0; got .* in row 1": {
            "targets": [[1, 0], [2, -1]]
        },
        r"The 'class_weights' of cross_entropy must be of the shape \[2\]": {"labels": [0, 1], "class_weights": [1]},
        r"The 'sample_weights' .* finite and at least 0; got nan at 1": {"labels": [0, 1], "sample_weights": [1, NAN]},
        r"The 'grad_out' of .* must be a writable float64 array": {"labels": [0, 1], "grad_out": np.empty((2, 3))},
    }
    for message, arguments in bad.items():
        with pytest.raises(InputError, match=message):
            ops.cross_entropy(logits, **arguments)
    bad_options = {
        "Exactly one of 'labels' and 'targets'.*got neither": {},
        "Exactly one of 'labels' and 'targets'.*got both": {"labels": [0, 1], "targets": logits},
        r"The 'label_smoothing' option of cross_entropy must be in \[0, 1\]; got 1.5": {
            "labels": [0, 1],
            "label_smoothing": 1.5,
        },
        "The 'reduction' option of cross_entropy must be one of 'mean', 'sum', 'none'; got 'avg'": {
            "labels": [0, 1],
            "reduction": "avg",
        },
    }
    for message, arguments in bad_options.items():
        with pytest.raises(OptionError, match=message):
            ops.cross_entropy(logits, **arguments)


@pytest.mark.parametrize("step", [-7, -1, 1, 7])
def test_a_gradient_may_lie_across_the_logits(step, rng):
    """The buffer begins some rows before or after the logits, in the same memory."""
    memory = rng.normal(0, 3, (30_007, 5)).astype(np.float32)
    labels = rng.integers(0, 5, 30_000)
    logits, buffer = (memory[-step:], memory[: len(memory) + step]) if step < 0 else (memory[:-step], memory[step:])
    logits, buffer = logits[:30_000], buffer[:30_000]
    loss, expected = ops.cross_entropy(logits.copy(), labels, grad=True)
    again, grad = ops.cross_entropy(logits, labels, grad_out=buffer)
    assert again == loss and grad is buffer
    np.testing.assert_array_equal(grad, expected)
