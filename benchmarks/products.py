"""Times losses made of matrix products against their bare products and PyTorch, two threads each, and their memory.

    python benchmarks/products.py [--only linear | info_nce] [--repeats 3] [--tokens 4096] [--vocabulary 131072]

Two tasks, in float32: the cross-entropy of a linear layer with the gradients of hidden and weights (three products:
logits, d hidden, d weights), and InfoNCE with both gradients, one way (three) and both ways (four, since it computes
the logits again). Bare products are NumPy's, all logits in one array that is there already. Results are compared before
anything is timed. Memory is the peak of a fresh process a library, less what it held before and less the gradients.
Writes results/products.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("OPENBLAS_NUM_THREADS", str(THREADS))

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

from logitkit import ops  # noqa: E402
from logitkit.kernels import set_threads  # noqa: E402
from machine import describe, medians_ms, write_json  # noqa: E402

WIDTHS = {"linear": 1024, "info_nce": 256, "info_nce both ways": 256}
PAIRS = 16_384
TEMPERATURE = 0.07
BARS = {
    "linear": {"of_products": 1.10, "of_torch_memory": 1 / 20, "torch chunked": 1.0},
    "info_nce": {"of_products": 1.2, "of_torch_memory": 1 / 10},
    "info_nce both ways": {"of_products": 1.2, "of_torch_memory": 1 / 10},
}
PEERS = {"linear": ("torch", "torch chunked"), "info_nce": ("torch",), "info_nce both ways": ("torch",)}

Work = Callable[[], Any]


class Problem:
    """The inputs of a task, and what is timed on them: library → work that returns the loss and two gradients."""

    def __init__(self, task: str, N: int, V: int) -> None:
        rng = np.random.default_rng(0)
        D = WIDTHS[task]
        self.task, self.N = task, N
        self.rows = rng.standard_normal((N, D), np.float32)
        self.others = rng.standard_normal((V, D), np.float32)
        self.rows *= np.float32(D**-0.25)
        self.others *= np.float32(D**-0.25)
        self.labels = rng.integers(0, V, N) if task == "linear" else np.arange(N)

    def bare(self) -> Work:
        """Return the products alone, into arrays that are there already."""
        N, V = self.N, len(self.others)
        logits, rows, others = np.zeros((N, V), np.float32), np.zeros_like(self.rows), np.zeros_like(self.others)

        def products() -> None:
            np.matmul(self.rows, self.others.T, out=logits)
            if self.task == "info_nce both ways":
                np.matmul(self.rows, self.others.T, out=logits)
            np.matmul(logits, self.others, out=rows)
            np.matmul(logits.T, self.rows, out=others)

        return products

    def logitkit(self) -> Work:
        """Return this library's."""

        def linear() -> Any:
            loss, grads = ops.linear_cross_entropy(self.rows, self.others, self.labels, grad=True)
            return loss, grads.hidden, grads.weights

        def contrastive() -> Any:
            both = self.task == "info_nce both ways"
            loss, grads = ops.info_nce(self.rows, self.others, temperature=TEMPERATURE, symmetric=both, grad=True)
            return loss, grads.anchors, grads.positives

        return linear if self.task == "linear" else contrastive

    def torch(self, chunked: bool = False) -> Work:
        """Return PyTorch's, as people write it, or its chunked linear_cross_entropy with the options it chooses."""
        import torch
        from torch.nn import functional

        torch.set_num_threads(THREADS)
        leaves = [torch.from_numpy(array).requires_grad_() for array in (self.rows, self.others)]
        labels = torch.from_numpy(self.labels)

        def loss_of(rows: Any, others: Any) -> Any:
            if chunked:
                options = torch.nn.LinearCrossEntropyOptions()
                return functional.linear_cross_entropy(rows, others, labels, options=options)
            logits = rows @ others.T
            if self.task == "linear":
                return functional.cross_entropy(logits, labels)
            logits = logits / TEMPERATURE
            down = functional.cross_entropy(logits, labels)
            return (down + functional.cross_entropy(logits.T, labels)) / 2 if "both" in self.task else down

        def work() -> Any:
            for leaf in leaves:
                leaf.grad = None
            loss = loss_of(*leaves)
            loss.backward()
            return loss.item(), leaves[0].grad.numpy(), leaves[1].grad.numpy()

        return work

    def work(self, library: str) -> Work:
        """Return what is timed of a library."""
        if library == "logitkit":
            return self.logitkit()
        return self.torch(chunked=library == "torch chunked")


def check_equal(task: str, ours: Any, theirs: Any, name: str) -> None:
    """Raise unless losses and gradients agree to the rounding of float32 products."""
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5 * np.abs(b).max(), err_msg=f"{task}: {name}")


def _held(key: str) -> int:
    """Return a number of bytes from this process's own account: VmRSS is held now, VmHWM was held at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def measure_memory(task: str, library: str, N: int, V: int) -> int:
    """Return the peak of this process less inputs, gradients and what the library holds after a small problem."""
    small = Problem(task, 512, 512)
    small.work(library)()
    problem = Problem(task, N, V)
    work = problem.work(library)
    before = _held("VmRSS")
    work()
    return _held("VmHWM") - before - problem.rows.nbytes - problem.others.nbytes


def memory_of(task: str, library: str, N: int, V: int) -> int:
    """Return what `measure_memory` returns in a fresh process."""
    command = [
        sys.executable,
        __file__,
        "--memory",
        library,
        "--only",
        task,
        "--tokens",
        str(N),
        "--vocabulary",
        str(V),
    ]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(task: str, N: int, V: int, repeats: int) -> dict[str, Any]:
    """Return one row of the results."""
    small = Problem(task, 512, 512 if "nce" in task else 5_000)
    small_result = small.logitkit()()
    for peer in PEERS[task]:
        check_equal(task, small_result, small.work(peer)(), peer)
    memory = {library: memory_of(task, library, N, V) for library in ("logitkit", *PEERS[task])}
    problem = Problem(task, N, V)
    ours = problem.logitkit()
    chunked = problem.work(PEERS[task][-1])
    check_equal(task, ours(), chunked(), PEERS[task][-1])
    times = medians_ms({"products": problem.bare(), "logitkit": ours}, repeats=repeats)
    for peer in PEERS[task]:
        times |= medians_ms({peer: problem.work(peer)}, repeats=1)
    figures = {
        "of_products": times["logitkit"] / times["products"],
        "of_torch_memory": memory["logitkit"] / memory["torch"],
        **{peer: times["logitkit"] / times[peer] for peer in PEERS[task]},
    }
    missed = [name for name, bar in BARS[task].items() if figures[name] > bar]
    print(
        f"{task:<20}{times['logitkit'] / 1e3:>8.2f} s  "
        + "  ".join(f"{name} {figure:.3f}" for name, figure in figures.items())
        + f"  memory {memory['logitkit'] / 1e6:.0f} MB"
        + (f"   misses the bar: {', '.join(missed)}" if missed else ""),
        flush=True,
    )
    return {
        "task": task,
        "shape": {"rows": N, "others": V, "width": WIDTHS[task]},
        "products": 4 if "both" in task else 3,
        "ms": {name: round(ms, 1) for name, ms in times.items()},
        "extra_memory_bytes": memory,
        "ratios": {name: round(figure, 4) for name, figure in figures.items()},
        "bars": {name: round(bar, 4) for name, bar in BARS[task].items()},
        "missed": missed,
    }


def main() -> None:
    """Compare, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(WIDTHS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--vocabulary", type=int, default=131_072)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="write results/products.json")
    options = parser.parse_args()
    set_threads(THREADS)
    if options.memory:
        print(measure_memory(options.only, options.memory, options.tokens, options.vocabulary))
        return
    rows = []
    for task in [options.only] if options.only else list(WIDTHS):
        N, V = (options.tokens, options.vocabulary) if task == "linear" else (options.pairs, options.pairs)
        rows.append(run(task, N, V, options.repeats))
    missed = sum(len(row["missed"]) for row in rows)
    if options.write:
        machine = describe("logitkit", "numpy", "scipy", "numba", "torch")
        record = {"machine": machine, "threads": THREADS, "repeats": options.repeats, "results": rows}
        print(f"wrote {write_json('products', record)}")
    print(f"{missed} missed")


if __name__ == "__main__":
    main()
