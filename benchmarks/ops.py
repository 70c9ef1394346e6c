"""Times softmax and cross-entropy with its gradient against PyTorch, JAX, scipy and NumPy, two threads each.

    python benchmarks/ops.py [--repeats 7] [--only softmax]

Results are compared before anything is timed. Writes results/ops.json, unless only some tasks are asked for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import timeit
from pathlib import Path
from typing import Any

if hasattr(os, "sched_setaffinity"):  # before any library counts the cores: JAX takes them all
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from logitkit import ops
from logitkit.kernels import set_threads
from machine import describe, medians_ms, write_json
from ops_works import THREADS, Task, tasks

PEERS = ("torch", "jax", "scipy", "numpy", "copy")
# Of the least precise library: relative to the number, and to the largest.
TOLERANCES = {"float32": (2e-4, 2e-6), "float16": (2**-9, 2**-13), "bfloat16": (2**-6, 2**-10)}
SMALL_CALL_US, IMPORT_MS = 5.0, 150.0


def check_equal(task: Task) -> None:
    """Raise unless every library gives what logitkit gives, to the rounding of the least precise."""
    ours = task.works["logitkit"]()
    for name, work in task.works.items():
        if name == "copy":
            continue
        theirs = work()
        rtol, of_largest = TOLERANCES[task.dtype]
        for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), strict=True):
            a64 = np.asarray(a).astype(np.float64)
            b64 = (b.double().numpy() if isinstance(b, torch.Tensor) else np.asarray(b)).astype(np.float64)
            np.testing.assert_allclose(a64, b64, rtol=rtol, atol=of_largest * np.abs(a64).max(), err_msg=name)


def measure(task: Task, repeats: int) -> dict[str, Any]:
    """Return a row of the results."""
    check_equal(task)
    times = medians_ms(task.works, repeats=repeats)
    ratios = {name: times[name] / times["logitkit"] for name in times if name != "logitkit"}
    return {
        "task": task.name,
        "shape": list(task.shape),
        "dtype": task.dtype,
        "ms": {name: round(ms, 3) for name, ms in times.items()},
        "times_faster_than": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "bars": task.bars,
        "missed": [name for name, bar in task.bars.items() if ratios[name] < bar],
    }


def small_call_us(logits: Any) -> float:
    """Return the median time of a softmax of few logits."""
    times = timeit.repeat(lambda: ops.softmax(logits), number=1000, repeat=30)
    return round(sorted(times)[15] * 1e3, 2)


def import_ms() -> float:
    """Return the median time of `import logitkit` in a process of its own, without that of Python."""
    code = "import time; t = time.perf_counter(); import logitkit; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(7)]
    return round(sorted(float(run.stdout) for run in runs)[3] * 1e3, 1)


def small_costs() -> list[dict[str, Any]]:
    """Return what a call and an import cost, each beside its bar."""
    logits = np.array([2.0, 1.0, 0.1], np.float32)
    costs: list[dict[str, Any]] = [
        {"what": "softmax of 3 logits, µs", "value": small_call_us(logits), "at_most": SMALL_CALL_US},
        {"what": "softmax of a list of 3, µs", "value": small_call_us(logits.tolist()), "at_most": None},
        {"what": "import logitkit, ms", "value": import_ms(), "at_most": IMPORT_MS},
    ]
    for cost in costs:
        cost["missed"] = cost["at_most"] is not None and cost["value"] > cost["at_most"]
        print(f"{cost['what']:<30}{cost['value']:>12}{'   above the bar' if cost['missed'] else ''}", flush=True)
    return costs


def main() -> None:
    """Compare, time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="tasks whose name, shape or type has this, as in 'softmax float16'")
    options = parser.parse_args()
    set_threads(THREADS)
    torch.set_num_threads(THREADS)
    costs, rows = small_costs(), []
    print(f"{'shape':>12}  {'task':<28}{'logitkit ms':>12}" + "".join(f"{f'{name} ×':>10}" for name in PEERS))
    for task in tasks():
        title = f"{task.name} {task.dtype.replace('float32', '')}".strip()
        shape = "x".join(map(str, task.shape))
        if any(word not in f"{title} {shape} {task.dtype}" for word in options.only.split()):
            continue
        row = measure(task, options.repeats)
        rows.append(row)
        ratios = row["times_faster_than"]
        cells = "".join(f"{ratios[name]:>10.2f}" if name in ratios else " " * 10 for name in PEERS)
        flag = f"   below the bar: {', '.join(row['missed'])}" if row["missed"] else ""
        print(f"{shape:>12}  {title:<28}{row['ms']['logitkit']:>12.2f}{cells}{flag}", flush=True)
    missed = sum(len(row["missed"]) for row in rows) + sum(cost["missed"] for cost in costs)
    if not options.only:
        machine = describe("logitkit", "numpy", "numba", "torch", "jax", "scipy")
        record = {"machine": machine, "threads": THREADS, "repeats": options.repeats, "costs": costs, "results": rows}
        print(f"wrote {write_json('ops', record)}")
    print(f"{missed} bars missed")


if __name__ == "__main__":
    main()
