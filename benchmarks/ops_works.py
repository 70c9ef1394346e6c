"""What `ops.py` times: each task with its shape, its bars, and the same work by every library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import ml_dtypes
import numpy as np
import scipy.special
import torch

from logitkit import ops

__all__ = ["THREADS", "Task", "tasks"]

THREADS = 2
SHAPES = [(2_000_000, 3), (1_000_000, 10), (200_000, 150), (20_000, 1_000), (256, 131_072)]
COLUMNS = (1_000, 100_000)
WIDE = 1_000  # from this many classes on, memory is what bounds a softmax, and a copy of the same bytes is its measure
HALVES = {
    "bfloat16": (np.dtype(ml_dtypes.bfloat16), torch.bfloat16),
    "float16": (np.dtype(np.float16), torch.float16),
}

Work = Callable[[], Any]
_copiers = ThreadPoolExecutor(THREADS)


class Task(NamedTuple):
    """One line of the comparison. A bar is the least that a library's time must be of logitkit's."""

    name: str
    shape: tuple[int, int]
    dtype: str
    bars: dict[str, float]
    works: dict[str, Work]


def numpy_softmax(logits: Any) -> Any:
    """Return the softmax as people write it in NumPy."""
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def numpy_cross_entropy(logits: Any, labels: Any) -> Any:
    """Return the mean loss and its gradient as people write them in NumPy."""
    rows = np.arange(len(logits))
    probs = numpy_softmax(logits)
    loss = -np.log(probs[rows, labels]).mean()
    probs[rows, labels] -= 1
    probs /= len(logits)
    return loss, probs


def jax_loss(logits: Any, labels: Any) -> Any:
    """Return the mean loss in JAX."""
    return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1).mean()


jax_cross_entropy = jax.jit(jax.value_and_grad(jax_loss))


def copy_work(source: Any, target: Any) -> Work:
    """Return the copy of an array by two threads, half each, into memory that is in use already."""
    middle = len(source) // 2
    halves = [slice(0, middle), slice(middle, None)]
    return lambda: list(_copiers.map(lambda half: np.copyto(target[half], source[half]), halves))


def float32_tasks(N: int, C: int) -> Iterator[Task]:
    """Yield the tasks of one shape in float32."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (N, C)).astype(np.float32)
    labels = rng.integers(0, C, N)
    tensor, tensor_labels = torch.from_numpy(logits), torch.from_numpy(labels)
    buffer = np.zeros_like(logits)
    tensor_buffer = torch.zeros_like(tensor)
    into_buffer = {
        "softmax": partial(ops.softmax, logits, probs_out=buffer),
        "log_softmax": partial(ops.log_softmax, logits, log_probs_out=buffer),
    }
    for name, function, tensor_function, scipy_function in (
        ("softmax", ops.softmax, torch.softmax, scipy.special.softmax),
        ("log_softmax", ops.log_softmax, torch.log_softmax, scipy.special.log_softmax),
    ):
        works: dict[str, Work] = {
            "logitkit": partial(function, logits),
            "torch": partial(tensor_function, tensor, -1),
            "scipy": partial(scipy_function, logits, axis=-1),
        }
        if name == "softmax":
            works["numpy"] = partial(numpy_softmax, logits)
        yield Task(name, (N, C), "float32", {"torch": 3.0, "scipy": 5.0}, works)
        works = {
            "logitkit": into_buffer[name],
            "torch": partial(tensor_function, tensor, -1, out=tensor_buffer),
            "copy": copy_work(logits, buffer),
        }
        yield Task(f"{name} into a buffer", (N, C), "float32", {"copy": 0.6} if C >= WIDE else {}, works)

    leaf = tensor.clone().requires_grad_()
    jax_logits, jax_labels = jax.numpy.asarray(logits), jax.numpy.asarray(labels.astype(np.int32))

    def torch_cross_entropy() -> Any:
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, tensor_labels)
        loss.backward()
        return loss.item(), leaf.grad

    works = {
        "logitkit": lambda: ops.cross_entropy(logits, labels, grad=True),
        "torch": torch_cross_entropy,
        "jax": lambda: jax.block_until_ready(jax_cross_entropy(jax_logits, jax_labels)),
        "numpy": lambda: numpy_cross_entropy(logits, labels),
    }
    yield Task("cross_entropy + gradient", (N, C), "float32", {"torch": 8.0, "jax": 2.0}, works)
    works = {
        "logitkit": lambda: ops.argmax(logits),
        "torch": lambda: torch.argmax(tensor, -1),
        "numpy": lambda: logits.argmax(-1),
    }
    yield Task("argmax", (N, C), "float32", {"numpy": 1.0}, works)


def half_tasks(N: int, C: int) -> Iterator[Task]:
    """Yield the tasks of one shape in bfloat16 and float16."""
    wide = np.random.default_rng(0).normal(0, 3, (N, C)).astype(np.float32)
    for dtype, (numpy_type, torch_type) in HALVES.items():
        logits, tensor = wide.astype(numpy_type), torch.from_numpy(wide).to(torch_type)
        for name, function, tensor_function in (
            ("softmax", ops.softmax, torch.softmax),
            ("log_softmax", ops.log_softmax, torch.log_softmax),
        ):
            works: dict[str, Work] = {
                "logitkit": partial(function, logits),
                "torch": partial(tensor_function, tensor, -1),
            }
            yield Task(name, (N, C), dtype, {"torch": 2.0}, works)


def column_tasks() -> Iterator[Task]:
    """Yield the tasks along the first axis."""
    logits = np.random.default_rng(0).normal(0, 3, COLUMNS).astype(np.float32)
    tensor = torch.from_numpy(logits)
    for name, function, tensor_function in (
        ("softmax", ops.softmax, torch.softmax),
        ("log_softmax", ops.log_softmax, torch.log_softmax),
        ("logsumexp", ops.logsumexp, torch.logsumexp),
    ):
        works: dict[str, Work] = {
            "logitkit": partial(function, logits, axis=0),
            "torch": partial(tensor_function, tensor, 0),
        }
        yield Task(f"{name} over axis 0", COLUMNS, "float32", {"torch": 2.0}, works)


def tasks() -> Iterator[Task]:
    """Yield all tasks, the arrays of one shape at a time."""
    for N, C in SHAPES:
        yield from float32_tasks(N, C)
        yield from half_tasks(N, C)
    yield from column_tasks()
