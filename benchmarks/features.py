"""Times text → weighted n-gram features, for fitting and for transforming, against scikit-learn, in one run.

    python -m benchmarks.features [--data DIR] [--repeats 5]

Everything is in the clock: normalising, counting, and weighting, from Arrow strings to sparse rows. scikit-learn reads
Python strings, on its one thread, and fewer of them where it would take minutes; its speed is per byte as ours. Before
anything is timed, counts and weights are compared on text whose tokens both define alike. On a busy machine the speed a
second of processor time (per core) says more than the speed by the clock. Writes results/features.json.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_union

sys.path.insert(0, str(Path(__file__).parent))

from logitkit.kernels import run_blocks, set_threads
from logitkit.text import Column, Features, NgramSpec, Vocabulary, as_column, count_ngrams
from machine import describe, medians_ms, write_json
from sets import DEFAULT_FOLDER, load_set

THREADS = 2
BLOCK_BYTES = 1 << 18
PEER_BYTES = 1_000_000
SETS = ("arxiv10", "dbpedia_small", "thucnews", "long Chinese")
SPECS = {"words": NgramSpec(chars=(1, 0), ideographs=(1, 0)), "words and characters": NgramSpec()}
BARS_MB_PER_S = {"words": 120, "words and characters": 40}
TOKEN = r"(?u)[a-z0-9]+|[^\w\s]|_"


def texts_of(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """Return the training and the test texts of a set; the long Chinese ones are headlines, 40 to a text."""
    data = load_set(folder, "thucnews" if name == "long Chinese" else name)
    if name != "long Chinese":
        return data.train_texts, data.test_texts
    return long_texts(data.train_texts), long_texts(data.test_texts)


def long_texts(headlines: list[str]) -> list[str]:
    """Join headlines, 40 to a text, eight times over."""
    return ["，".join(headlines[i : i + 40]) + "。" for i in range(0, len(headlines), 40)] * 8


def in_blocks(vocabulary: Vocabulary, texts: pa.Array) -> int:
    """Transform as predicting does: block by block on all threads, each block's features dropped after use."""
    column = as_column(texts)

    def work(start: int, stop: int) -> int:
        return len(vocabulary.transform(Column(column.data, column.offsets[start : stop + 1])).data)

    return sum(run_blocks(work, column.blocks(BLOCK_BYTES)))


def on_threads(threads: int, work: Callable[[], Any], cpu_s: list[float]) -> Callable[[], Any]:
    """Return `work` to be done on so many threads; each run appends the processor time of all threads to `cpu_s`."""

    def run() -> Any:
        set_threads(threads)
        start = time.process_time()
        result = work()
        cpu_s.append(time.process_time() - start)
        return result

    return run


def peers(view: str) -> dict[str, Any]:
    """Return scikit-learn's vectorisers that do about the same work."""
    words: dict[str, Any] = {"token_pattern": TOKEN, "ngram_range": (1, 2)}
    chars: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (3, 5)}
    options = [words] if view == "words" else [words, chars]
    return {
        "TfidfVectorizer": make_union(
            *(TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **option) for option in options)
        ),
        "HashingVectorizer": make_union(*(HashingVectorizer(dtype=np.float32, **option) for option in options)),
    }


def check_equal(texts: list[str]) -> None:
    """Raise unless features are scikit-learn's where both define them alike: on letters, digits and spaces of ASCII."""
    plain = [re.sub("[^a-z0-9]+", " ", text.lower()) for text in texts]
    for view, spec in SPECS.items():
        vocabulary, ours = count_ngrams(as_column(plain), spec).weigh()
        theirs = peers(view)["TfidfVectorizer"].fit_transform(plain)
        assert vocabulary.n_features == theirs.shape[1], (view, vocabulary.n_features, theirs.shape)
        for row, sorted_row in enumerate(sorted_rows(ours)):
            np.testing.assert_allclose(sorted_row, np.sort(theirs[row].data), rtol=1e-4, err_msg=view)


def sorted_rows(features: Features) -> list[Any]:
    """Return each row's weights in ascending order."""
    shape = (len(features.indptr) - 1, features.n_features)
    matrix = scipy.sparse.csr_matrix((features.data, features.indices, features.indptr), shape)
    return [np.sort(matrix[row].data) for row in range(shape[0])]


def measure(name: str, folder: Path, repeats: int) -> list[dict[str, Any]]:
    """Return one record a view."""
    train, test = texts_of(folder, name)
    arrow_train, arrow_test = pa.array(train, pa.large_string()), pa.array(test, pa.large_string())
    mb, test_mb = size_mb(train), size_mb(test)
    few = train[: max(1, int(len(train) * min(1.0, PEER_BYTES / 1e6 / mb)))]
    few_mb = size_mb(few)
    check_equal(few[:300])
    records = []
    for view, spec in SPECS.items():
        vocabulary = count_ngrams(as_column(arrow_train), spec).weigh(rare=False)[0]

        def fit(spec: NgramSpec = spec) -> Any:
            return count_ngrams(as_column(arrow_train), spec).weigh(rare=False)

        def transform(vocabulary: Vocabulary = vocabulary) -> int:
            return in_blocks(vocabulary, arrow_test)

        sizes_mb: dict[str, float] = {}
        works: dict[str, Callable[[], Any]] = {}
        cpu_s: dict[str, list[float]] = {}
        for threads in (THREADS, 1):
            for task, work, task_mb in (("fit", fit, mb), ("transform", transform, test_mb)):
                label = f"{task}, {threads} threads"
                cpu_s[label] = []
                works[label] = on_threads(threads, work, cpu_s[label])
                sizes_mb[label] = task_mb
        times = medians_ms(works, repeats=repeats)
        vectorizers = peers(view)
        fitted = vectorizers["TfidfVectorizer"].fit(few)
        peer_works = {
            "TfidfVectorizer, fit": lambda v=vectorizers: v["TfidfVectorizer"].fit_transform(few),
            "TfidfVectorizer, transform": lambda v=fitted: v.transform(few),
            "HashingVectorizer": lambda v=vectorizers: v["HashingVectorizer"].transform(few),
        }
        times |= medians_ms(peer_works, repeats=min(repeats, 3))
        sizes_mb |= dict.fromkeys(peer_works, few_mb)
        speeds = {work: round(sizes_mb[work] / times[work] * 1e3, 1) for work in times}
        records.append(
            {
                "set": name,
                "view": view,
                "train_mb": round(mb, 2),
                "test_mb": round(test_mb, 2),
                "peer_mb": round(few_mb, 2),
                "features": vocabulary.n_features,
                "mb_per_s": speeds,
                "mb_per_cpu_s": {
                    label: round(sizes_mb[label] / statistics.median(seen), 1) for label, seen in cpu_s.items()
                },
                "bar_mb_per_s": BARS_MB_PER_S[view],
            }
        )
    return records


def line_of(row: dict[str, Any]) -> str:
    """Return a record as a line of the table."""
    speed = row["mb_per_s"]
    fit, fit_one, transform, transform_one = (
        speed[f"{work}, {n} threads"] for work in ("fit", "transform") for n in (THREADS, 1)
    )
    label = row["set"] + (", words" if row["view"] == "words" else ", + chars")
    theirs = ", ".join(f"{speed[peer]:.1f}" for peer in speed if "Vectorizer" in peer)
    below = f"   below the bar of {row['bar_mb_per_s']}" if min(fit, transform) < row["bar_mb_per_s"] else ""
    fit_cpu, transform_cpu = (row["mb_per_cpu_s"][f"{work}, {THREADS} threads"] for work in ("fit", "transform"))
    ours = f"{fit:>9.0f}{fit_one:>7.0f}{transform:>12.0f}{transform_one:>7.0f}{fit_cpu:>11.0f}{transform_cpu:>5.0f}"
    return f"{label:<24}{ours}   {theirs}{below}"


def size_mb(texts: list[str]) -> float:
    """Return how many megabytes of UTF-8 the texts are."""
    return sum(len(text.encode()) for text in texts) / 1e6


def main() -> None:
    """Compare, time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    options = parser.parse_args()
    records = []
    ours = f"{'fit ×2':>9}{'×1':>7}{'transf. ×2':>12}{'×1':>7}{'a core: fit, tr.':>16}"
    print(f"{'MB/s of text':<24}{ours}   scikit-learn: Tfidf fit, transform, Hashing")
    for name in options.sets:
        for row in measure(name, options.data, options.repeats):
            records.append(row)
            print(line_of(row), flush=True)
    machine = describe("logitkit", "numpy", "numba", "pyarrow", "scikit-learn")
    path = write_json(
        "features", {"machine": machine, "threads": THREADS, "repeats": options.repeats, "results": records}
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
