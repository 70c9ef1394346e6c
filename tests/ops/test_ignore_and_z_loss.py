"""Cross-entropy with rows that are ignored, and with the z-loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
SIZES = (1, 3, 31, 32, 77)


def problem(seed, N, C):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, (N, C)), rng.integers(0, C, N), rng


problems = st.builds(problem, st.integers(0, 2**32), st.integers(1, 80), st.sampled_from(SIZES))


@given(problems, st.sampled_from(["mean", "sum", "none"]), st.sampled_from([0.0, 0.1]), st.booleans())
def test_an_ignored_row_is_an_absent_row(data, reduction, smoothing, weighted):
    logits, labels, rng = data
    marked = np.where(rng.random(len(labels)) < 0.4, -100, labels)
    logits[marked == -100] = NAN
    kept = marked != -100
    options = {"reduction": reduction, "label_smoothing": smoothing, "z_loss": 0.01, "grad": True}
    options |= {"class_weights": np.linspace(0.5, 2, logits.shape[1])} if weighted else {}
    loss, grad = ops.cross_entropy(logits, marked, ignore_index=-100, **options)
    expected, expected_grad = ops.cross_entropy(logits[kept], labels[kept], **options)
    if reduction == "none":
        np.testing.assert_array_equal(loss[~kept], 0)
        loss = loss[kept]
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    np.testing.assert_allclose(grad[kept], expected_grad, rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(grad[~kept], 0)


def test_all_rows_ignored_is_a_loss_of_nothing():
    for reduction in ("mean", "sum"):
        loss, grad = ops.cross_entropy(np.ones((2, 3)), [7, 7], ignore_index=7, reduction=reduction, grad=True)
        assert loss == 0.0 and not grad.any()


def test_a_class_can_be_ignored():
    assert ops.cross_entropy([[2.0, 1.0], [0.0, 0.0]], [1, 0], ignore_index=1) == pytest.approx(np.log(2))


def test_what_is_not_ignored_is_checked():
    with pytest.raises(InputError, match=r"in \[0, 2\); got -1 in row 1"):
        ops.cross_entropy(np.zeros((2, 2)), [-100, -1], ignore_index=-100)
    with pytest.raises(OptionError, match="ignore_index"):
        ops.cross_entropy(np.zeros((2, 2)), [0, 1], ignore_index=0.5)
    with pytest.raises(OptionError, match="goes with 'labels'"):
        ops.cross_entropy(np.zeros((1, 2)), targets=np.ones((1, 2)), ignore_index=0)
    for wrong in (-1.0, NAN, INF, "1"):
        with pytest.raises(OptionError, match="z_loss"):
            ops.cross_entropy(np.zeros((1, 2)), [0], z_loss=wrong)


@given(problems, st.floats(0, 3), st.sampled_from([0.0, 0.2]), st.booleans(), st.booleans())
def test_z_loss_is_the_square_of_logsumexp(data, z_loss, smoothing, soft, weighted):
    logits, labels, rng = data
    targets = {"targets": rng.random(logits.shape)} if soft else {"labels": labels}
    options = {"label_smoothing": smoothing, **targets}
    options |= {"class_weights": np.linspace(0.5, 2, logits.shape[1])} if weighted else {}
    loss, grad = ops.cross_entropy(logits, **options, reduction="none", z_loss=z_loss, grad=True)
    plain, plain_grad = ops.cross_entropy(logits, **options, reduction="none", grad=True)
    lse = ops.logsumexp(logits)
    np.testing.assert_allclose(loss, plain + z_loss * lse**2, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        grad, plain_grad + 2 * z_loss * lse[:, None] * ops.softmax(logits), rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("C", [3, 40])
@pytest.mark.parametrize("soft", [False, True])
def test_the_gradient_is_the_slope(C, soft, rng):
    logits, labels = rng.normal(0, 3, (4, C)), rng.integers(0, C, 4)
    options = {"targets": rng.random((4, C))} if soft else {"labels": labels}
    options |= {"z_loss": 0.3, "label_smoothing": 0.1, "class_weights": rng.random(C), "sample_weights": rng.random(4)}
    _, grad = ops.cross_entropy(logits, **options, grad=True)
    for at in [(0, 0), (1, C - 1), (3, int(labels[3]))]:
        step = np.zeros_like(logits)
        step[at] = 1e-5
        slope = (ops.cross_entropy(logits + step, **options) - ops.cross_entropy(logits - step, **options)) / 2e-5
        assert grad[at] == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("C", [3, 40])
def test_infinite_rows_have_an_infinite_z_loss_and_no_nan(C):
    """An infinite logsumexp costs infinitely much, pulls at the classes that hold the row, and at no other."""
    rows = [[INF, 0.0, -INF], [-INF, -INF, -INF]]
    logits = np.array([row + [-INF] * (C - 3) for row in rows])
    for options in ({"labels": [0, 1]}, {"targets": np.eye(C)[:2]}):
        loss, grad = ops.cross_entropy(logits, **options, z_loss=1.0, reduction="none", grad=True)
        np.testing.assert_array_equal(loss, [INF, INF])
        assert grad[0, 0] == INF and not grad[0, 1:].any()
        assert np.all(grad[1] == -INF)


def test_ignored_rows_and_z_loss_agree_with_pytorch(rng):
    torch = pytest.importorskip("torch")
    logits, labels = rng.normal(0, 3, (50, 7)), rng.integers(0, 7, 50)
    labels[::3] = -100
    leaf = torch.tensor(logits, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(leaf, torch.tensor(labels), label_smoothing=0.1)
    theirs = theirs + 0.01 * (torch.logsumexp(leaf[labels >= 0], 1) ** 2).mean()
    theirs.backward()
    options = {"ignore_index": -100, "z_loss": 0.01, "label_smoothing": 0.1}
    loss, grad = ops.cross_entropy(logits, labels, **options, grad=True)
    assert loss == pytest.approx(theirs.item(), rel=1e-13)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-11, atol=1e-15)
