"""Runs `logitkit predict` on a million rows of real texts: peak memory, rows a second, the same bits as in one batch.

    python -m benchmarks.predict_memory [--data FOLDER] [--rows 1000000]

Writes results/predict.json, if there are a million rows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe, write_json
from peers import THREADS
from sets import DEFAULT_FOLDER, SOURCES, load_set

ROWS = 1_000_000
PEAK_BAR_BYTES = 10**9
TRAINED_ON = "agnews_small"
MIXED = [name for name, source in SOURCES.items() if not source.long]
RUNS: list[tuple[str, list[str]]] = [
    ("csv", []),
    ("csv", ["--labels-only"]),
    ("parquet", []),
    ("parquet", ["--labels-only"]),
    ("parquet", ["--logits", "--probs"]),
]
# A process inherits the peak memory of the one that starts it, so a small one stands between.
_LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def make_table(folder: Path, rows: int) -> pa.Table:
    """Return texts of all sets, shuffled and repeated, with their row numbers; English and Chinese, no long ones."""
    texts = [text for name in MIXED for text in load_set(folder, name).test_texts + load_set(folder, name).train_texts]
    chosen = np.random.default_rng(0).integers(0, len(texts), rows)
    return pa.table({"row": pa.array(np.arange(rows)), "text": pa.array(texts, pa.string()).take(pa.array(chosen))})


def run_predict(model: Path, source: Path, target: Path, options: list[str]) -> tuple[float, int]:
    """Return the seconds and the peak memory in bytes of one `logitkit predict`, the start of the process included."""
    predict = "from logitkit.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        predict,
        "predict",
        str(model),
        str(source),
        "-o",
        str(target),
        "--force",
        *options,
    ]
    done = subprocess.run([sys.executable, "-c", _LAUNCHER, *command], check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def check_same(target: Path, expected: dict[str, Any]) -> None:
    """Raise unless the file holds what one batch gives: every row in order, every column, bit for bit."""
    if target.suffix == ".csv":
        numbers = {"probability": pa.float32()}
        table = pa_csv.read_csv(
            target,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types=numbers, strings_can_be_null=False),
        )
    else:
        table = pa_parquet.read_table(target)
    columns = set(table.column_names)
    assert {"row", "text", "label"} <= columns, f"columns are missing: {table.column_names}"
    for name in sorted(columns):
        found, wanted = table[name].combine_chunks(), expected[name]
        if isinstance(wanted, np.ndarray):
            values = found.values if pa.types.is_list(found.type) else found
            bits = np.asarray(values, np.float32).view(np.uint32)
            assert np.array_equal(bits, wanted.ravel().view(np.uint32)), f"{target.name}: {name} differs"
        else:
            if target.suffix == ".csv" and wanted.null_count:
                wanted = wanted.fill_null("")  # a CSV has no nulls
            assert found.cast(wanted.type).equals(wanted), f"{target.name}: {name} differs"


def one_batch(model_path: Path, table: pa.Table) -> dict[str, Any]:
    """Return the columns that prediction of all rows at once gives, through the library."""
    from logitkit.classifier import load
    from logitkit.decision import Reason

    model = load(model_path)
    texts = table["text"].combine_chunks()
    decided, logits = model.decide_columns(texts)
    names = pa.array(model.class_names)
    return {
        "row": table["row"].combine_chunks(),
        "text": texts,
        "label": names.take(pa.array(logits.argmax(axis=1))),
        "decision": names.take(pa.array(decided.labels, mask=decided.labels < 0)),
        "reason": pa.array([str(reason) for reason in Reason]).take(pa.array(decided.reasons)),
        "probability": decided.probabilities.astype(np.float32),
        "logits": logits,
        "probs": model.predict_probs(texts),
    }


def main() -> None:
    """Predict, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="the folder of the data sets")
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    os.environ["LOGITKIT_NUM_THREADS"] = str(THREADS)
    from logitkit.classifier import TextClassifier

    started = time.perf_counter()
    table = make_table(arguments.data, arguments.rows)
    data = load_set(arguments.data, TRAINED_ON)
    results = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        model = work / "model.logitkit"
        labels = [data.class_names[label] for label in data.train_labels]
        TextClassifier().fit(data.train_texts, labels).save(model)
        pa_csv.write_csv(table, work / "in.csv")
        pa_parquet.write_table(table, work / "in.parquet")
        expected = one_batch(model, table)
        warm = work / "warm.csv"
        warm.write_text("row,text\n0,one line\n1,新闻\n", encoding="utf-8")
        run_predict(model, warm, work / "out.csv", [])  # compiles what is not compiled yet
        for suffix, options in RUNS:
            source, target = work / f"in.{suffix}", work / f"out.{suffix}"
            seconds, peak = run_predict(model, source, target, options)
            check_same(target, expected)
            row = {
                "format": suffix,
                "options": options,
                "seconds": round(seconds, 2),
                "rows_per_s": round(arguments.rows / seconds),
                "input_bytes": source.stat().st_size,
                "peak_memory_bytes": peak,
                "same_as_one_batch": True,
            }
            results.append(row)
            met = "met " if peak < PEAK_BAR_BYTES else "BELOW"
            print(f"{met} {suffix} {' '.join(options):<18} {seconds:6.2f} s {row['rows_per_s']:>9,} rows/s "
                  f"{peak / 1e6:7.0f} MB (bar < {PEAK_BAR_BYTES / 1e6:.0f})", flush=True)  # fmt: skip
    record = {
        "machine": describe("logitkit", "numba", "numpy", "pyarrow"),
        "threads": THREADS,
        "rows": arguments.rows,
        "texts": f"of {', '.join(MIXED)}, shuffled and repeated; {table['text'].nbytes:,} bytes",
        "model": f"trained on {TRAINED_ON} with default options",
        "peak_bar_bytes": PEAK_BAR_BYTES,
        "run_s": round(time.perf_counter() - started),
        "results": results,
    }
    if arguments.rows >= ROWS:
        write_json("predict", record)
    print(f"every output is the same as in one batch, bit for bit; {record['run_s']} s")


if __name__ == "__main__":
    main()
