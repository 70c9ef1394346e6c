"""Trains and judges logitkit, fastText and scikit-learn on the same texts in one run, two threads each.

    python -m benchmarks.classifiers [--data FOLDER] [--sets trec,sst2] [--peers logitkit,fasttext] [--repeats 3]

Writes results/classifiers.json. A run of some sets or peers is printed, and written only with --output NAME.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from bars import judge
from fresh import fresh_process
from machine import describe, write_json
from measure import N_BINS, QUICK_S, measure
from peers import PEERS, THREADS
from sets import DEFAULT_FOLDER, SOURCES

SLOW = {("arxiv10", "tfidf_lr"): "left out by default: it takes about 17 minutes (--no-skip-slow)"}
PACKAGES = ("logitkit", "numba", "numpy", "pyarrow", "fasttext-numpy2", "scikit-learn", "scipy")
NOTES = {
    "training time": "fit_s is the median of fit_runs: features, training and, for logitkit, choices and calibration; "
    "fit_cpu_s is the processor time of all threads, which a busy machine changes less",
    "logitkit": "default options; kernels compiled before the clock starts, by small fits on made-up texts",
    "fasttext": "lr 0.5, 25 epochs, wordNgrams 2, dim 100; its file is prepared off the clock: rows shuffled, lower "
    f"case, punctuation and Chinese characters apart; fitted once where it takes more than {QUICK_S:.0f} s; of several "
    "runs, that of median accuracy is scored; it returns exp(log(p + 1e-5)): none below 1e-5, and some exceed 1",
    "tfidf_svc": "TF-IDF (sublinear) words 1-2 and char_wb 2-5 (Chinese: characters 1-3; arXiv: words only), "
    "LinearSVC; it gives no probabilities; one core, as its solver is serial; fitted once",
    "tfidf_lr": "TF-IDF (sublinear) words 1-2 (Chinese: characters 1-3), LogisticRegression(C=10); fitted once",
    "prediction time": "labels only, median of the runs; Python lists of str in, for fastText its prepared text",
    "calibration error": f"{N_BINS} bins of equal width, top label",
    "memory": "peak resident memory of a process that holds the texts, the library, training and prediction",
}


def compare(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run every wanted classifier on every wanted set, each in a new process; print as they come."""
    rows = []
    context = multiprocessing.get_context("spawn")
    header = f"{'set':<14} {'model':<10}{'acc':>8}{'F1':>8}{'loss':>8}{'ECE %':>7}"
    print(f"{header}{'fit s':>9}{'cpu s':>9}{'texts/s':>10}{'MB':>8}")
    for set_name in arguments.sets:
        digests = set()
        for peer_name in arguments.peers:
            if arguments.skip_slow and (set_name, peer_name) in SLOW:
                rows.append({"set": set_name, "model": peer_name, "skipped": SLOW[set_name, peer_name]})
                continue
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                row = pool.submit(measure, arguments.data, set_name, peer_name, arguments.repeats).result()
            digests.add(row["data_digest"])
            assert len(digests) == 1, f"{set_name}: not all classifiers had the same rows, labels and order"
            rows.append(row)
            print(_line(row), flush=True)
    return rows


def _line(row: dict[str, Any]) -> str:
    loss, error = row["log_loss"], row["expected_calibration_error"]
    cells = [f"{row['accuracy']:>8.4f}{row['macro_f1']:>8.4f}"]
    cells.append(f"{'–':>8}{'–':>7}" if loss is None else f"{loss:>8.3f}{100 * error:>7.1f}")
    cells.append(
        f"{row['fit_s']:>9.2f}{row['fit_cpu_s']:>9.2f}{row['predict_texts_per_s']:>10,}{row['model_bytes'] / 1e6:>8.1f}"
    )
    return f"{row['set']:<14} {row['model']:<10}{''.join(cells)}"


def main() -> None:
    """Compare, judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="the folder of the data sets")
    parser.add_argument("--sets", type=_names_of(SOURCES), default=list(SOURCES), help=",".join(SOURCES))
    parser.add_argument("--peers", type=_names_of(PEERS), default=list(PEERS), help=",".join(PEERS))
    parser.add_argument("--repeats", type=int, default=3, help="of logitkit, and of fastText where it is quick")
    parser.add_argument("--skip-slow", action=argparse.BooleanOptionalAction, default=True, help="what takes very long")
    parser.add_argument("--output", help="the name of the file in results/")
    arguments = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOGITKIT_NUM_THREADS"):
        os.environ[variable] = str(THREADS)
    started = time.perf_counter()
    rows = compare(arguments)
    fresh = fresh_process(arguments.data, arguments.sets[0]) if "logitkit" in arguments.peers else None
    if fresh is not None:
        print("fresh process:", ", ".join(f"{name} {value}" for name, value in fresh.items()))
    facts = {row["set"]: row.pop("facts") for row in rows if "facts" in row}
    bars = judge(rows, facts)
    for bar in bars:
        print(f"{'met ' if bar['met'] else 'BELOW'} {bar['what']}: {bar['value']:.4g} (bar {bar['sign']} {bar['bar']})")
    record = {
        "machine": describe(*PACKAGES),
        "threads": THREADS,
        "notes": NOTES,
        "run_s": round(time.perf_counter() - started),
        "sets": list(facts.values()),
        "results": rows,
        "fresh_process": fresh,
        "bars": bars,
    }
    whole = arguments.sets == list(SOURCES) and arguments.peers == list(PEERS)
    name = arguments.output or ("classifiers" if whole else None)
    if name is not None:
        write_json(name, record)
    print(f"{sum(not bar['met'] for bar in bars)} of {len(bars)} bars not met; {record['run_s']} s")


def _names_of(known: dict[str, Any]) -> Any:
    def parse(value: str) -> list[str]:
        names = value.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    main()
