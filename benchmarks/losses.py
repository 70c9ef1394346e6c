"""Times the losses with their gradients, sigmoids and backward functions against PyTorch, two threads each, in one run.

    python benchmarks/losses.py [--repeats 5] [--task kl] [--write]

Results are compared before anything is timed. `--write` writes results/losses.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

THREADS = 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))

import numpy as np  # noqa: E402
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

from logitkit import ops  # noqa: E402
from logitkit.kernels import set_threads  # noqa: E402
from machine import describe, medians_ms, write_json  # noqa: E402

SHAPES = [(1_000_000, 10), (20_000, 1_000)]
LOSS_BAR = 5.0
nn = torch.nn.functional

Work = Callable[[], Any]
Task = tuple[str, float, dict[str, Work]]


def with_gradient(loss_of: Callable[[Any], Any], leaf: Any) -> Work:
    """Return the work of a PyTorch loss and its gradient by `leaf`."""

    def work() -> Any:
        leaf.grad = None
        loss = loss_of(leaf)
        loss.backward()
        return loss.item(), leaf.grad

    return work


def torch_focal(logits: Any, labels: Any) -> Any:
    """Return the focal loss as people write it in PyTorch."""
    log_p = torch.log_softmax(logits, -1).gather(1, labels[:, None])
    return (-((1 - log_p.exp()) ** 2) * log_p).mean()


def torch_binary_focal(logits: Any, targets: Any) -> Any:
    """Return `torchvision.ops.sigmoid_focal_loss`, line by line."""
    probs = torch.sigmoid(logits)
    entropy = nn.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = probs * targets + (1 - probs) * (1 - targets)
    return ((0.25 * targets + 0.75 * (1 - targets)) * entropy * (1 - p_t) ** 2).mean()


def torch_divergence(logits: Any, teacher: Any) -> Any:
    """Return the divergence from the teacher at temperature 2, as PyTorch's documentation has it."""
    log_q, log_p = torch.log_softmax(logits / 2, -1), torch.log_softmax(teacher / 2, -1)
    return nn.kl_div(log_q, log_p, log_target=True, reduction="batchmean")


def tasks_for(N: int, C: int) -> Iterator[Task]:
    """Return what is timed at one shape: task, its bar, and library → work."""
    rng = np.random.default_rng(0)
    logits, teacher, grads = (rng.normal(0, 3, (N, C)).astype(np.float32) for _ in range(3))
    targets = (rng.random((N, C)) < 0.3).astype(np.float32)
    labels = rng.integers(0, C, N)
    weights = rng.random(C) + 0.5
    tensor, t_teacher, t_grads, t_targets, t_labels, t_weights = (
        torch.from_numpy(array) for array in (logits, teacher, grads, targets, labels, weights.astype(np.float32))
    )
    leaf = tensor.clone().requires_grad_()

    def loss(name: str, ours: Work, theirs: Callable[[Any], Any]) -> Task:
        return f"{name} + gradient", LOSS_BAR, {"logitkit": ours, "torch": with_gradient(theirs, leaf)}

    yield loss(
        "binary_cross_entropy",
        lambda: ops.binary_cross_entropy(logits, targets, grad=True),
        lambda z: nn.binary_cross_entropy_with_logits(z, t_targets),
    )
    yield loss(
        "binary_cross_entropy, positive weights",
        lambda: ops.binary_cross_entropy(logits, targets, positive_weights=weights, grad=True),
        lambda z: nn.binary_cross_entropy_with_logits(z, t_targets, pos_weight=t_weights),
    )
    yield loss(
        "focal_loss",
        lambda: ops.focal_loss(logits, labels, grad=True),
        lambda z: torch_focal(z, t_labels),
    )
    yield loss(
        "binary_focal_loss",
        lambda: ops.binary_focal_loss(logits, targets, grad=True),
        lambda z: torch_binary_focal(z, t_targets),
    )
    yield loss(
        "kl_divergence",
        lambda: ops.kl_divergence(logits, teacher, temperature=2.0, grad=True),
        lambda z: torch_divergence(z, t_teacher),
    )
    yield loss(
        "distillation_loss",
        lambda: ops.distillation_loss(logits, teacher, labels, grad=True),
        lambda z: 2 * torch_divergence(z, t_teacher) + 0.5 * nn.cross_entropy(z, t_labels),
    )
    probs, log_probs = ops.softmax(logits), ops.log_softmax(logits)
    t_probs, t_log_probs = torch.from_numpy(probs), torch.from_numpy(log_probs)
    aten = torch.ops.aten
    for name, works in {
        "sigmoid": (lambda: ops.sigmoid(logits), lambda: torch.sigmoid(tensor)),
        "log_sigmoid": (lambda: ops.log_sigmoid(logits), lambda: nn.logsigmoid(tensor)),
        "softplus": (lambda: ops.softplus(logits), lambda: nn.softplus(tensor, threshold=1e9)),
        "softmax_backward": (
            lambda: ops.softmax_backward(grads, probs),
            lambda: aten._softmax_backward_data(t_grads, t_probs, -1, torch.float32),
        ),
        "log_softmax_backward": (
            lambda: ops.log_softmax_backward(grads, log_probs),
            lambda: aten._log_softmax_backward_data(t_grads, t_log_probs, -1, torch.float32),
        ),
    }.items():
        yield name, 1.0, dict(zip(("logitkit", "torch"), works, strict=True))


def check_equal(works: dict[str, Work]) -> None:
    """Raise unless PyTorch gives what logitkit gives, to the rounding of float32."""
    ours, theirs = (result if isinstance(result, tuple) else (result,) for result in (w() for w in works.values()))
    for a, b in zip(ours, theirs, strict=True):
        a64, b64 = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        np.testing.assert_allclose(a64, b64, rtol=2e-4, atol=2e-6 * np.abs(a64).max())


def main() -> None:
    """Compare, time, print, and write on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--task", default="", help="only tasks whose name has this in it")
    parser.add_argument("--write", action="store_true", help="write results/losses.json")
    options = parser.parse_args()
    set_threads(THREADS)
    torch.set_num_threads(THREADS)
    rows, below = [], 0
    print(f"{'shape':>14}  {'task':<50}{'logitkit ms':>12}{'torch ×':>9}")
    for N, C in SHAPES:
        for task, bar, works in tasks_for(N, C):
            if options.task not in task:
                continue
            check_equal(works)
            times = medians_ms(works, repeats=options.repeats)
            ratio = times["torch"] / times["logitkit"]
            below += ratio < bar
            rows.append(
                {
                    "task": task,
                    "shape": [N, C],
                    "dtype": "float32",
                    "ms": {name: round(ms, 3) for name, ms in times.items()},
                    "times_faster_than": {"torch": round(ratio, 2)},
                    "bars": {"torch": bar},
                }
            )
            flag = "   below the bar" if ratio < bar else ""
            print(f"{f'{N}x{C}':>14}  {task:<50}{times['logitkit']:>12.2f}{ratio:>9.2f}{flag}", flush=True)
    print(f"{below} below the bar")
    if options.write:
        machine = describe("logitkit", "numpy", "numba", "torch")
        record = {"machine": machine, "threads": THREADS, "repeats": options.repeats, "results": rows}
        print(f"wrote {write_json('losses', record)}")


if __name__ == "__main__":
    main()
