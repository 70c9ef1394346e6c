"""Times softmax and cross-entropy with its gradient against PyTorch, scipy and NumPy, two threads each, in one run.

    python benchmarks/ops.py [--repeats 7]

Results are compared before anything is timed. Writes results/ops.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))

import numpy as np  # noqa: E402
import scipy.special  # noqa: E402
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

from logitkit import ops  # noqa: E402
from logitkit.kernels import set_threads  # noqa: E402
from machine import describe, medians_ms, write_json  # noqa: E402

SHAPES = [(2_000_000, 3), (1_000_000, 10), (200_000, 150), (20_000, 1_000), (256, 131_072)]
BARS = {"softmax": {"torch": 2.0, "scipy": 4.0}, "cross_entropy + gradient": {"torch": 5.0}}
BAR_SHAPES = [[1_000_000, 10], [20_000, 1_000], [256, 131_072]]

Work = Callable[[], Any]


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


def works_for(N: int, C: int) -> dict[str, dict[str, Work]]:
    """Return what is timed at one shape: task → library → work."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (N, C)).astype(np.float32)
    labels = rng.integers(0, C, N)
    tensor, tensor_labels = torch.from_numpy(logits), torch.from_numpy(labels)
    leaf = tensor.clone().requires_grad_()
    buffer = np.empty_like(logits)
    tensor_buffer = torch.empty_like(tensor)

    def torch_cross_entropy() -> Any:
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, tensor_labels)
        loss.backward()
        return loss.item(), leaf.grad

    return {
        "softmax": {
            "logitkit": lambda: ops.softmax(logits),
            "torch": lambda: torch.softmax(tensor, -1),
            "scipy": lambda: scipy.special.softmax(logits, axis=-1),
            "numpy": lambda: numpy_softmax(logits),
        },
        "softmax into a buffer": {
            "logitkit": lambda: ops.softmax(logits, probs_out=buffer),
            "torch": lambda: torch.softmax(tensor, -1, out=tensor_buffer),
        },
        "log_softmax": {
            "logitkit": lambda: ops.log_softmax(logits),
            "torch": lambda: torch.log_softmax(tensor, -1),
            "scipy": lambda: scipy.special.log_softmax(logits, axis=-1),
        },
        "cross_entropy + gradient": {
            "logitkit": lambda: ops.cross_entropy(logits, labels, grad=True),
            "torch": torch_cross_entropy,
            "numpy": lambda: numpy_cross_entropy(logits, labels),
        },
        "argmax": {
            "logitkit": lambda: ops.argmax(logits),
            "torch": lambda: torch.argmax(tensor, -1),
            "numpy": lambda: logits.argmax(-1),
        },
    }


def check_equal(works: dict[str, Work]) -> None:
    """Raise unless every library gives what logitkit gives, to the rounding of the least precise."""
    ours = works["logitkit"]()
    for name, work in works.items():
        theirs = work()
        for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), strict=True):
            a64, b64 = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
            np.testing.assert_allclose(a64, b64, rtol=2e-4, atol=2e-6 * np.abs(a64).max(), err_msg=name)


def main() -> None:
    """Compare, time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    set_threads(THREADS)
    torch.set_num_threads(THREADS)
    rows, below = [], 0
    print(
        f"{'shape':>14}  {'task':<26}"
        + "".join(f"{name:>12}" for name in ("logitkit ms", "torch ×", "scipy ×", "numpy ×"))
    )
    for N, C in SHAPES:
        for task, works in works_for(N, C).items():
            check_equal(works)
            times = medians_ms(works, repeats=repeats)
            ratios = {name: times[name] / times["logitkit"] for name in times if name != "logitkit"}
            bars = BARS.get(task, {}) if [N, C] in BAR_SHAPES else {}
            missed = [name for name, bar in bars.items() if ratios[name] < bar]
            below += len(missed)
            rows.append(
                {
                    "task": task,
                    "shape": [N, C],
                    "dtype": "float32",
                    "ms": {name: round(ms, 3) for name, ms in times.items()},
                    "times_faster_than": {name: round(ratio, 2) for name, ratio in ratios.items()},
                    "bars": bars,
                }
            )
            cells = "".join(
                f"{ratios[name]:>12.2f}" if name in ratios else " " * 12 for name in ("torch", "scipy", "numpy")
            )
            flag = f"   below the bar: {', '.join(missed)}" if missed else ""
            print(f"{f'{N}x{C}':>14}  {task:<26}{times['logitkit']:>12.2f}{cells}{flag}", flush=True)
    machine = describe("logitkit", "numpy", "numba", "torch", "scipy")
    path = write_json("ops", {"machine": machine, "threads": THREADS, "repeats": repeats, "results": rows})
    print(f"wrote {path}; {below} below the bar")


if __name__ == "__main__":
    main()
