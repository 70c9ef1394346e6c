"""Functions of logitkit.torch: PyTorch's values, types and gradients, one line away from a training script."""

import itertools
import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

import logitkit.torch as ours  # noqa: E402
from logitkit.errors import InputError, OptionError  # noqa: E402

REDUCTIONS = ("mean", "sum", "none")


@pytest.fixture(autouse=True)
def same_numbers(rng):
    torch.manual_seed(int(rng.integers(2**31)))


def agree(mine, theirs, inputs, *, rtol=1e-9, atol=1e-11):
    """Compare the values and the gradients of two calls, for an upstream gradient of any size and sign."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    copies = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    value, expected = mine(*leaves), theirs(*copies)
    assert value.dtype == expected.dtype and value.shape == expected.shape
    torch.testing.assert_close(value, expected, rtol=rtol, atol=atol)
    upstream = torch.randn_like(expected)
    value.backward(upstream)
    expected.backward(upstream)
    for leaf, copy in zip(leaves, copies, strict=True):
        assert leaf.grad.dtype == leaf.dtype
        torch.testing.assert_close(leaf.grad, copy.grad, rtol=rtol, atol=atol)
    with torch.no_grad():
        again = mine(*leaves)
        assert not again.requires_grad and torch.equal(again, value)


# Softmax


@pytest.mark.parametrize("shape", [(4,), (5, 3), (2, 3, 4)], ids=str)
def test_softmax(shape):
    logits = 3 * torch.randn(shape, dtype=torch.float64)
    for dim in range(-len(shape), len(shape)):
        agree(lambda z, d=dim: ours.softmax(z, d), lambda z, d=dim: torch.softmax(z, d), [logits])
        agree(lambda z, d=dim: ours.log_softmax(z, d), lambda z, d=dim: torch.log_softmax(z, d), [logits])
        for keep in (False, True):
            agree(
                lambda z, d=dim, k=keep: ours.logsumexp(z, d, k),
                lambda z, d=dim, k=keep: torch.logsumexp(z, d, k),
                [logits],
            )
    agree(lambda z: ours.softmax(z, -1, temperature=0.5), lambda z: torch.softmax(z / 0.5, -1), [logits])
    agree(lambda z: ours.logsumexp(z, -1, temperature=0.5), lambda z: torch.logsumexp(z / 0.5, -1), [logits])


def test_types_of_softmax():
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        eps = torch.finfo(dtype).eps
        logits = torch.randn(7, 5).to(dtype)
        for name in ("softmax", "log_softmax"):
            mine, theirs = getattr(ours, name), getattr(torch, name)
            agree(lambda z, f=mine: f(z, -1), lambda z, f=theirs: f(z, -1), [logits], rtol=8 * eps, atol=8 * eps)
            agree(
                lambda z, f=mine: f(z, -1, torch.float64),
                lambda z, f=theirs: f(z, -1, torch.float64),
                [logits],
                rtol=8 * eps,
            )
    assert ours.softmax(torch.tensor([1, 2]), 0, torch.float32).dtype == torch.float32
    with pytest.raises(
        InputError, match=r"'input' of softmax must be a tensor of floating-point numbers; got torch.int64"
    ):
        ours.softmax(torch.tensor([1, 2]), 0)
    with pytest.raises(InputError, match="'temperature' of softmax must be free of gradients"):
        ours.softmax(torch.ones(2), 0, temperature=torch.tensor(1.0, requires_grad=True))


# Cross-entropy


SHAPES = [(3,), (7, 3), (4, 5, 6), (2, 3, 4, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy(shape, reduction):
    C = shape[0] if len(shape) == 1 else shape[1]
    places = shape[:1][1:] if len(shape) == 1 else (shape[0], *shape[2:])
    logits, labels = 3 * torch.randn(shape, dtype=torch.float64), torch.randint(0, C, places)
    if labels.ndim:
        labels[0] = -100
    soft = torch.softmax(torch.randn(shape, dtype=torch.float64), 0 if len(shape) == 1 else 1)
    weights = torch.rand(C, dtype=torch.float64) + 0.1
    for target, weight, smoothing in itertools.product((labels, soft), (None, weights), (0.0, 0.1)):
        options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
        agree(
            lambda z, target=target, options=options: ours.cross_entropy(z, target, **options),
            lambda z, target=target, options=options: functional.cross_entropy(z, target, **options),
            [logits],
        )


def test_cross_entropy_with_z_loss():
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.randint(0, 3, (6,))
    agree(
        lambda z: ours.cross_entropy(z, labels, z_loss=0.1),
        lambda z: functional.cross_entropy(z, labels) + 0.1 * (torch.logsumexp(z, -1) ** 2).mean(),
        [logits],
    )


def test_cross_entropy_ignores_any_index():
    logits, labels = torch.randn(8, 4, dtype=torch.float64), torch.randint(0, 4, (8,))
    for index in (2, -1, 99):
        marked = labels.where(torch.arange(8) % 3 > 0, index)
        for reduction in REDUCTIONS:
            agree(
                lambda z, m=marked, i=index, r=reduction: ours.cross_entropy(z, m, ignore_index=i, reduction=r),
                lambda z, m=marked, i=index, r=reduction: functional.cross_entropy(z, m, ignore_index=i, reduction=r),
                [logits],
            )
    leaf = logits.requires_grad_()
    loss = ours.cross_entropy(leaf, torch.full((8,), -100))
    loss.backward()
    assert loss.item() == 0.0 and not leaf.grad.any()  # PyTorch: NaN


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_types_of_losses_and_gradients(dtype):
    logits, labels = torch.randn(64, 10).to(dtype), torch.randint(0, 10, (64,))
    eps = torch.finfo(dtype).eps
    for reduction in REDUCTIONS:
        agree(
            lambda z, r=reduction: ours.cross_entropy(z, labels, reduction=r),
            lambda z, r=reduction: functional.cross_entropy(z, labels, reduction=r),
            [logits],
            rtol=30 * eps,
            atol=4 * eps,
        )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        leaf = logits.clone().requires_grad_()
        loss = ours.cross_entropy(leaf, labels)
        assert loss.dtype == functional.cross_entropy(logits, labels).dtype
        assert ours.binary_cross_entropy_with_logits(logits, logits.sigmoid()).dtype == torch.float32
    loss.backward()
    assert leaf.grad.dtype == dtype


def test_a_loss_scale_brings_small_gradients_into_the_range_of_float16():
    logits = torch.zeros(4096, 1000, dtype=torch.float16, requires_grad=True)
    (ours.cross_entropy(logits, torch.zeros(4096, dtype=torch.long)) * 2.0**15).backward()
    expected = torch.tensor(2.0**15 / 4096 / 1000).half()
    assert torch.equal(logits.grad[:, 1:], expected.expand(4096, 999))


def test_no_other_argument_takes_a_gradient():
    logits, leaf = torch.randn(2, 3), torch.rand(2, 3, requires_grad=True)
    for call in (
        lambda: ours.cross_entropy(logits, leaf),
        lambda: ours.cross_entropy(logits, torch.tensor([0, 1]), weight=leaf[0]),
        lambda: ours.binary_cross_entropy_with_logits(logits, leaf),
        lambda: ours.binary_cross_entropy_with_logits(logits, leaf.detach(), weight=leaf),
        lambda: ours.binary_cross_entropy_with_logits(logits, leaf.detach(), pos_weight=leaf[0]),
    ):
        with pytest.raises(InputError, match=r"must be free of gradients, by .detach\(\); got a tensor that requires"):
            call()
        with torch.no_grad():
            call()


def test_arguments_that_pytorch_deprecated_keep_their_places():
    logits, labels = torch.randn(2, 3), torch.tensor([0, 1])
    assert torch.equal(
        ours.cross_entropy(logits, labels, None, None, 1, None, "sum", 0.1),
        ours.cross_entropy(logits, labels, ignore_index=1, reduction="sum", label_smoothing=0.1),
    )
    with pytest.raises(OptionError, match="'size_average' option of cross_entropy must be left at None"):
        ours.cross_entropy(logits, labels, size_average=True)
    with pytest.raises(OptionError, match=r"'ignore_index' option .* negative"):
        ours.cross_entropy(logits, logits.softmax(-1), ignore_index=1)
    with pytest.raises(InputError, match=r"'input' of cross_entropy must be a tensor; got list\."):
        ours.cross_entropy([[1.0]], labels)


# Binary cross-entropy


@pytest.mark.parametrize("shape", [(), (5,), (6, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy(shape, reduction):
    double = torch.float64
    logits, target = 3 * torch.randn(shape, dtype=double), torch.rand(shape, dtype=double)
    last = shape[-1:] or (1,)
    weights = [None, torch.rand(shape, dtype=double), torch.rand(last, dtype=double) if shape else None]
    positives = [None, torch.tensor(2.5, dtype=double), torch.rand(last, dtype=double) if shape else None]
    if len(shape) == 3:
        positives.append(torch.rand(3, 1, dtype=double))  # along axis 1, as images have it
    for weight, positive in itertools.product(weights, positives):
        options = {"weight": weight, "pos_weight": positive, "reduction": reduction}
        agree(
            lambda z, o=options: ours.binary_cross_entropy_with_logits(z, target, **o),
            lambda z, o=options: functional.binary_cross_entropy_with_logits(z, target, **o),
            [logits],
        )


def test_binary_cross_entropy_refuses_what_does_not_fit():
    logits = torch.randn(2, 3)
    with pytest.raises(InputError, match=r"'target' .* of the input's shape \[2, 3\]; got the shape \[3\]"):
        ours.binary_cross_entropy_with_logits(logits, torch.rand(3))
    with pytest.raises(InputError, match=r"'weight' .* of a shape that stretches to \[2, 3\]; got the shape \[2\]"):
        ours.binary_cross_entropy_with_logits(logits, torch.rand(2, 3), weight=torch.rand(2))
    with pytest.raises(InputError, match=r"'pos_weight' .* one axis of more than 1; got the shape \[2, 3\]"):
        ours.binary_cross_entropy_with_logits(logits, torch.rand(2, 3), pos_weight=torch.rand(2, 3))


# Linear + cross-entropy


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_linear_cross_entropy(reduction):
    double = torch.float64
    hidden, table, bias = torch.randn(9, 5, dtype=double), torch.randn(7, 5, dtype=double), torch.randn(7, dtype=double)
    labels = torch.randint(0, 7, (9,))
    labels[4] = -100
    by_class = torch.rand(7, dtype=double)
    for weight, smoothing in ((None, 0.0), (by_class, 0.0), (None, 0.1)):
        options = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
        agree(
            lambda h, w, b, o=options: ours.linear_cross_entropy(h, w, labels, linear_bias=b, **o),
            lambda h, w, b, o=options: functional.cross_entropy(functional.linear(h, w, b), labels, **o),
            [hidden, table, bias],
        )
    agree(
        lambda h: ours.linear_cross_entropy(h, table, labels, reduction=reduction),
        lambda h: functional.cross_entropy(functional.linear(h, table), labels, reduction=reduction),
        [hidden],
    )
    agree(  # tied embeddings: only the table takes a gradient
        lambda w: ours.linear_cross_entropy(hidden, w, labels, reduction=reduction, soft_cap=3.0, z_loss=0.1),
        lambda w: capped(functional.linear(hidden, w), labels, reduction),
        [table],
    )


def test_linear_cross_entropy_of_one_class_with_a_bias():
    agree(
        lambda h, w, b: ours.linear_cross_entropy(h, w, torch.tensor([0, 0]), linear_bias=b),
        lambda h, w, b: functional.cross_entropy(functional.linear(h, w, b), torch.tensor([0, 0])),
        [torch.randn(2, 1), torch.randn(1, 1), torch.randn(1)],
    )


def capped(logits, labels, reduction):
    """Cross-entropy with a soft cap of 3 and a z-loss of 0.1."""
    z = 3.0 * torch.tanh(logits / 3.0)
    losses = functional.cross_entropy(z, labels, reduction="none") + 0.1 * torch.logsumexp(z, -1) ** 2
    losses = losses * (labels != -100)
    if reduction == "none":
        return losses
    return losses.sum() / (1 if reduction == "sum" else (labels != -100).sum())


def test_linear_cross_entropy_in_bfloat16_and_refusals():
    hidden, table, labels = torch.randn(6, 4), torch.randn(5, 4), torch.randint(0, 5, (6,))
    leaves = [hidden.bfloat16().requires_grad_(), table.bfloat16().requires_grad_()]
    loss = ours.linear_cross_entropy(*leaves, labels)
    loss.backward()
    assert loss.dtype == leaves[0].grad.dtype == leaves[1].grad.dtype == torch.bfloat16
    with pytest.raises(OptionError, match="'label_smoothing' option of linear_cross_entropy must be 0 where 'weight'"):
        ours.linear_cross_entropy(hidden, table, labels, weight=torch.ones(5), label_smoothing=0.1)


# Focal loss, distillation


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_without_a_name_in_pytorch(reduction):
    double = torch.float64
    logits, teacher, labels = torch.randn(6, 4, dtype=double), torch.randn(6, 4, dtype=double), torch.arange(6) % 4
    targets = torch.rand(6, 4, dtype=double).round()

    def reduced(losses):
        return losses if reduction == "none" else getattr(losses, reduction)()

    def focal(z):
        log_p = torch.log_softmax(z, -1)[torch.arange(6), labels]
        return reduced(-((1 - log_p.exp()) ** 2) * log_p)

    def binary_focal(z):
        loss = functional.binary_cross_entropy_with_logits(z, targets, reduction="none")
        p_t = torch.exp(-loss)
        return reduced((0.25 * targets + 0.75 * (1 - targets)) * (1 - p_t) ** 2 * loss)

    def divergence(z, T=1.0):
        log_q, log_p = torch.log_softmax(z / T, -1), torch.log_softmax(teacher / T, -1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    def distilled(z):
        hard = functional.cross_entropy(z, labels, reduction="none")
        return reduced(0.5 * 4.0 * divergence(z, 2.0) + 0.5 * hard)

    agree(lambda z: ours.focal_loss(z, labels, reduction=reduction), focal, [logits])
    agree(lambda z: ours.binary_focal_loss(z, targets, reduction=reduction), binary_focal, [logits])
    agree(lambda z: ours.kl_divergence(z, teacher, reduction=reduction), lambda z: reduced(divergence(z)), [logits])
    agree(lambda z: ours.distillation_loss(z, teacher, labels, reduction=reduction), distilled, [logits])
    with pytest.raises(InputError, match="'teacher_logits' of kl_divergence must be free of gradients"):
        ours.kl_divergence(logits, teacher.requires_grad_())


# Contrastive losses


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_contrastive_losses_with_a_learned_temperature(reduction):
    double = torch.float64
    a, p = torch.randn(6, 4, dtype=double), torch.randn(6, 4, dtype=double)
    temperature, bias = torch.tensor(0.5, dtype=double), torch.tensor([-1.0], dtype=double)
    labels, others = torch.arange(6) // 2, ~torch.eye(6, dtype=torch.bool)

    def one_way(z):
        return functional.cross_entropy(z, torch.arange(6), reduction=reduction)

    def clip(x, y, t):
        z = functional.normalize(x) @ functional.normalize(y).T / t
        return 0.5 * (one_way(z) + one_way(z.T))

    def siglip(x, y, t, b):
        losses = functional.softplus((x @ y.T / t + b) * (1.0 - 2.0 * torch.eye(6, dtype=double))).sum(-1)
        return losses if reduction == "none" else getattr(losses, reduction)()

    def supervised(x, t):
        z = x @ x.T / t
        same = (labels[:, None] == labels) & others
        losses = torch.logsumexp(z.masked_fill(~others, -torch.inf), -1) - (z * same).sum(-1) / same.sum(-1)
        return losses if reduction == "none" else getattr(losses, reduction)()

    def mine(x, y, t):
        return ours.info_nce(x, y, temperature=t, symmetric=True, normalize=True, reduction=reduction)

    agree(mine, clip, [a, p, temperature])
    agree(lambda x, y: ours.info_nce(x, y, temperature=1.0, reduction=reduction), lambda x, y: one_way(x @ y.T), [a, p])
    agree(
        lambda x, y, t, b: ours.sigmoid_pairwise_loss(x, y, temperature=t, bias=b, reduction=reduction),
        siglip,
        [a, p, temperature, bias],
    )
    agree(
        lambda x, t: ours.supervised_contrastive_loss(x, labels, temperature=t, reduction=reduction),
        supervised,
        [a, temperature],
    )


def test_info_nce_where_the_temperature_alone_learns():
    a, p, t = torch.randn(5, 3), torch.randn(5, 3), torch.tensor(0.7, requires_grad=True)
    ours.info_nce(a, p, temperature=t).backward()
    expected = torch.tensor(0.7, requires_grad=True)
    functional.cross_entropy(a @ p.T / expected, torch.arange(5)).backward()
    torch.testing.assert_close(t.grad, expected.grad, rtol=1e-4, atol=1e-6)


def test_triplet_loss():
    labels = torch.tensor([0, 0, 1, 1, 1])
    embeddings = torch.randn(5, 3, dtype=torch.float64)

    def theirs(x):
        distances = (x[:, None] - x).square().sum(-1)
        losses = [
            torch.relu(0.2 + distances[i, j] - distances[i, k])
            for i, j, k in itertools.permutations(range(5), 3)
            if labels[i] == labels[j] != labels[k]
        ]
        return torch.stack([loss for loss in losses if loss > 0.0]).sum()

    agree(
        lambda x: ours.triplet_loss(x, labels, mining="all", distance="squared_euclidean", reduction="sum"),
        theirs,
        [embeddings],
    )
    with pytest.raises(OptionError, match="'mean' or 'sum' where a gradient is needed; got 'none'"):
        ours.triplet_loss(embeddings.requires_grad_(), labels, reduction="none")


# The graph


CALLS = {
    "info_nce": lambda z: ours.info_nce(z, torch.eye(3, 4, dtype=z.dtype), temperature=0.5, normalize=True),
    "info_nce none": lambda z: ours.info_nce(z, torch.eye(3, 4, dtype=z.dtype), temperature=0.5, reduction="none"),
    "softmax": lambda z: ours.softmax(z, 0) ** 2,
    "log_softmax": lambda z: ours.log_softmax(z, 1, temperature=2.0),
    "logsumexp": lambda z: ours.logsumexp(z, 1),
    "cross_entropy": lambda z: ours.cross_entropy(z, torch.tensor([0, 2, 1]), label_smoothing=0.1),
    "cross_entropy none": lambda z: ours.cross_entropy(z, torch.tensor([0, 2, 1]), reduction="none"),
    "cross_entropy axis 1": lambda z: ours.cross_entropy(z[None], torch.tensor([[0, 2, 1, 1]]), reduction="sum"),
    "binary": lambda z: ours.binary_cross_entropy_with_logits(z, torch.full((3, 4), 0.25, dtype=z.dtype)),
}


@pytest.mark.parametrize("name", CALLS)
def test_gradcheck(name):
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(CALLS[name], (logits,))


@pytest.mark.parametrize("name", CALLS)
def test_a_kept_graph_gives_the_same_gradient_again(name):
    logits = torch.randn(3, 4, requires_grad=True)
    total = 3.0 * CALLS[name](logits).sum()
    (first,) = torch.autograd.grad(total, logits, retain_graph=True)
    kept = first.clone()
    first.zero_()  # which is nobody's memory but the caller's
    (second,) = torch.autograd.grad(total, logits)
    assert torch.equal(second, kept)
    with pytest.raises(RuntimeError, match="second time"):
        total.backward()


@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_gradients_are_refused(name):
    logits = torch.randn(3, 4, requires_grad=True)
    (grad,) = torch.autograd.grad((CALLS[name](logits) ** 2).sum(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        grad.sum().backward()


def test_the_gradient_is_not_copied_where_nobody_needs_it_twice():
    logits = torch.randn(500, 300, requires_grad=True)
    loss = ours.cross_entropy(logits, torch.randint(0, 300, (500,)))
    address = loss.grad_fn.saved_tensors[0].data_ptr()
    (2.0 * loss).backward()
    assert logits.grad.data_ptr() == address


def test_the_gradient_lies_as_the_input_does():
    logits = torch.randn(4, 5, 6, requires_grad=True)
    loss = ours.cross_entropy(logits, torch.randint(0, 5, (4, 6)))
    address = loss.grad_fn.saved_tensors[0].data_ptr()
    loss.backward()
    assert logits.grad.is_contiguous() and logits.grad.data_ptr() == address


@pytest.mark.parametrize("how", ["plain", "checkpoint"])
def test_training_goes_as_with_pytorch(how):
    inputs, labels = torch.randn(40, 8), torch.randint(0, 5, (40,))
    start = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5))
    losses = []
    for cross_entropy in (ours.cross_entropy, functional.cross_entropy):
        model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5))
        model.load_state_dict(start.state_dict())
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.05)
        seen = []
        for _ in range(8):
            optimiser.zero_grad()
            if how == "plain":
                loss = cross_entropy(model(inputs), labels, label_smoothing=0.1)
            else:
                loss = torch.utils.checkpoint.checkpoint(
                    lambda x, f=cross_entropy, m=model: f(m(x), labels), inputs, use_reentrant=False
                )
            loss.backward()
            optimiser.step()
            seen.append(loss.item())
        losses.append(seen)
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_block_of_the_readme_runs(readme):
    text = (Path(__file__).parents[2] / readme).read_text(encoding="utf-8")
    (block,) = [part.split("```")[0] for part in text.split("```python\n") if "logitkit.torch" in part.split("```")[0]]
    names = {}
    exec(block, names)
    assert names["logits"].grad.shape == (8, 5) and torch.is_tensor(names["values"])


def step(seed):
    """Return the bytes of a loss and its gradients, forward and backward."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2000, 60, generator=generator, requires_grad=True)
    labels = torch.randint(0, 60, (2000,), generator=generator)
    loss = ours.cross_entropy(logits, labels) + ours.logsumexp(logits, -1).square().mean()
    (0.5 * loss).backward()
    return loss.detach().numpy().tobytes() + logits.grad.numpy().tobytes()


def test_sixteen_trainers_at_once(threads):
    threads(2)
    expected = [step(seed) for seed in range(4)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda i: step(i % 4) == expected[i % 4], range(32)))


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="no safe fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_trainer(threads):
    threads(2)
    leaf = torch.ones(2, 2, requires_grad=True)
    expected = ours.cross_entropy(leaf, torch.tensor([0, 1])).item()
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def train():
        torch.set_num_threads(1)  # PyTorch's own threads do not live on in a child
        inside = torch.ones(2, 2, requires_grad=True)
        loss = ours.cross_entropy(inside, torch.tensor([0, 1]))
        loss.backward()
        there.send((loss.item(), inside.grad.tolist()))

    child = context.Process(target=train)
    child.start()
    assert here.poll(60), "the child hangs"
    assert here.recv() == (expected, [[-0.25, 0.25], [0.25, -0.25]])
    child.join(60)
    assert child.exitcode == 0
