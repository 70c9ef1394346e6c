"""An audit of a file that is larger than what it may hold in memory: time beside a plain read, and the most memory.

    python -m benchmarks.audit_large [--rows 10000000] [--classes 100] [--folder FOLDER] [--write]

The file is made first, of float32 logits that are too sure. Reading it is timed in the same run, by the same number of
threads, in blocks of the same size, before and after the audit; the audit is a process of its own, as a person runs it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe, write_json

_BLOCK_ROWS = 65_536
_READ_BYTES = 8 << 20
_THREADS = 2


def main() -> None:
    """Make, read, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the file is made; a temporary one if not given"
    )
    parser.add_argument("--write", action="store_true", help="write results/audit_large.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        logits, labels = Path(folder) / "logits.npy", Path(folder) / "labels.npy"
        make(logits, labels, options.rows, options.classes)
        _audit(logits, labels)  # the first compiles the kernels
        runs = []
        for _ in range(3):
            read_s = _read(logits)
            audit_s, peak = _audit(logits, labels)
            runs.append((audit_s / read_s, read_s, audit_s, peak))
        ratio, read_s, audit_s, _ = sorted(runs)[1]
        record: dict[str, Any] = {
            "machine": describe("logitkit", "numpy", "numba"),
            "threads": _THREADS,
            "rows": options.rows,
            "classes": options.classes,
            "file_bytes": logits.stat().st_size,
            "read_s": round(read_s, 3),
            "audit_s": round(audit_s, 3),
            "times_reading": round(ratio, 2),
            "peak_memory_bytes": max(peak for *_, peak in runs),
        }
    print(record)
    if options.write:
        print("written:", write_json("audit_large", record))


def make(logits: Path, labels: Path, rows: int, C: int) -> None:
    """Write logits whose labels are drawn from them at twice their temperature."""
    rng = np.random.default_rng(0)
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, C)}
    found = np.empty(rows, np.int64)
    with logits.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, rows, _BLOCK_ROWS):
            n = min(_BLOCK_ROWS, rows - start)
            z = rng.standard_normal((n, C), np.float32) * np.float32(3.0)
            gumbel = -np.log(-np.log(rng.random((n, C), np.float32) * np.float32(0.999999) + np.float32(1e-7)))
            found[start : start + n] = (z + gumbel).argmax(axis=1)
            file.write((2.0 * z).astype(np.float32).data)
    np.save(labels, found)


def _read(path: Path) -> float:
    """Return the seconds that it takes to read the file, as fast as these threads can."""
    size = path.stat().st_size
    handle = os.open(path, os.O_RDONLY)
    buffers = [memoryview(bytearray(_READ_BYTES)) for _ in range(_THREADS)]

    def share(thread: int) -> None:
        for at in range(thread * _READ_BYTES, size, _THREADS * _READ_BYTES):
            os.preadv(handle, [buffers[thread]], at)

    started = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(share, range(_THREADS)))
    seconds = time.perf_counter() - started
    os.close(handle)
    return seconds


def _audit(logits: Path, labels: Path) -> tuple[float, int]:
    """Return the seconds and the most memory of `logitkit audit` as a process of its own."""
    code = (
        "import sys, resource\n"
        "from logitkit.cli import main\n"
        "try:\n    main()\n"
        "finally:\n"
        "    peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]\n"
        "    print('PEAK', peak, file=sys.stderr)\n"
    )
    environment = {**os.environ, "LOGITKIT_NUM_THREADS": str(_THREADS)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", str(logits), str(labels), "--json"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    peak = next(line.split()[1] for line in done.stderr.splitlines() if line.startswith("PEAK"))
    return seconds, int(peak) * 1024


if __name__ == "__main__":
    main()
