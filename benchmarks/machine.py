"""What every benchmark shares: the machine and versions in words, medians of repeats, and JSON that is never NaN."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
REST_S = 0.01


def describe(*packages: str) -> dict[str, Any]:
    """Return the machine, Python, and the installed versions of `packages`."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def medians_ms(works: Mapping[str, Callable[[], object]], *, repeats: int = 7) -> dict[str, float]:
    """Return the median time of each work in milliseconds.

    The works take turns, so that a busy moment of the machine falls on all. Each runs once before the clock starts, and
    starts after a rest: the threads of the library before spin for a while, and would take a core from the next.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            time.sleep(REST_S)
            start = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: sorted(seen)[len(seen) // 2] for name, seen in times.items()}


def write_json(name: str, record: Mapping[str, Any]) -> Path:
    """Write `results/NAME.json`, refusing NaN, and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
