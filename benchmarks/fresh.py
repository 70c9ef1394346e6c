"""What a fresh process of logitkit costs: the import, the first training with and without compiled kernels, a line."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["fresh_process"]

_IMPORT = """
import time
start = time.perf_counter()
import logitkit
print(time.perf_counter() - start)
"""
_FIT = """
import sys, time
start = time.perf_counter()
from collections.abc import Iterable
from pathlib import Path
from logitkit import TextClassifier
import sets
data = sets.load_set(Path(sys.argv[1]), sys.argv[2])
labels = [data.class_names[label] for label in data.train_labels]
ready = time.perf_counter()
model = TextClassifier().fit(data.train_texts, labels)
print(time.perf_counter() - ready)
model.save(sys.argv[3], force=True)
"""


def fresh_process(folder: Path, set_name: str) -> dict[str, Any]:
    """Return times in seconds, each of a new process; it trains on `set_name`, with an empty and with a full cache."""
    with tempfile.TemporaryDirectory() as work:
        model, line, cache = Path(work) / "m.logitkit", Path(work) / "line.csv", Path(work) / "cache"
        line.write_text("text\nThe new smartphone has amazing features.\n", encoding="utf-8")
        environment = {**os.environ, "LOGITKIT_CACHE_DIR": str(cache)}
        fit = ["-c", _FIT, str(folder), set_name, str(model)]
        cold_fit, cold_process = _run(fit, environment)
        warm = [_run(fit, environment) for _ in range(3)]
        predict = ["-c", "from logitkit.cli import main; main()", "predict", str(model), str(line)]
        _run(predict, environment, reads=False)  # compiles what only prediction needs
        return {
            "set": set_name,
            "import_s": _median(_run(["-c", _IMPORT], environment)[0] for _ in range(7)),
            "first_fit_cold_s": round(cold_fit, 3),
            "first_fit_cold_process_s": round(cold_process, 3),
            "first_fit_warm_s": _median(fit for fit, _ in warm),
            "first_fit_warm_process_s": _median(process for _, process in warm),
            "predict_one_line_process_s": _median(_run(predict, environment, reads=False)[1] for _ in range(5)),
        }


def _run(arguments: list[str], environment: dict[str, str], *, reads: bool = True) -> tuple[float, float]:
    """Run Python; return the seconds that it printed last, and those of the whole process."""
    start = time.perf_counter()
    search = os.pathsep.join([str(Path(__file__).parent), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**environment, "PYTHONPATH": search},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1]) if reads else 0.0, time.perf_counter() - start


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 4)
