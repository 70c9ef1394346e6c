"""One classifier on one data set, in a process of its own: its scores, its times, its size and its memory."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers import PEERS
from sets import DataSet, load_set

__all__ = ["N_BINS", "measure", "score"]

N_BINS = 15
QUICK_S = 20.0  # what takes longer runs once, unless it is logitkit
_PREDICT_REPEATS = 3


def measure(folder: Path, set_name: str, peer_name: str, repeats: int) -> dict[str, Any]:
    """Return one row of the results: everything measured of one classifier on one data set.

    logitkit must give the same bits each time. Of fastText, whose results vary, the run of median accuracy is scored.

    Raises:
        AssertionError: if logitkit's logits differ between repeats.
    """
    data = load_set(folder, set_name)
    peer = PEERS[peer_name](data)
    peer.prepare()
    fit_times: list[float] = []
    fit_cpu_times: list[float] = []
    predict_times: list[float] = []
    scored: list[dict[str, Any]] = []
    first_logits: NDArray[Any] | None = None
    wanted = {"logitkit": repeats, "fasttext": repeats}.get(peer_name, 1)
    while len(fit_times) < wanted and not (peer_name == "fasttext" and fit_times and fit_times[0] > QUICK_S):
        cpu = time.process_time()
        fit_times.append(_seconds(peer.fit))
        fit_cpu_times.append(time.process_time() - cpu)
        predict_times += [_seconds(peer.predict) for _ in range(_PREDICT_REPEATS)]
        probs, log_probs, logits = peer.scores()
        if peer_name == "logitkit":
            first_logits = logits if first_logits is None else first_logits
            assert np.array_equal(first_logits.view(np.uint32), logits.view(np.uint32)), "logits differ between repeats"
        scored.append(score(data, peer.predict(), probs, log_probs))
    by_accuracy = sorted(scored, key=lambda scores: scores["accuracy"])
    peak = _peak_bytes()
    with tempfile.TemporaryDirectory() as folder_name:
        path = Path(folder_name) / "model"
        peer.save(path)
        size = path.stat().st_size
    predict_s = float(np.median(predict_times))
    return {
        "set": set_name,
        "model": peer_name,
        **by_accuracy[len(by_accuracy) // 2],
        "accuracies": [scores["accuracy"] for scores in scored],
        "fit_s": round(float(np.median(fit_times)), 4),
        "fit_s_min": round(min(fit_times), 4),
        "fit_cpu_s": round(float(np.median(fit_cpu_times)), 4),
        "fit_runs": len(fit_times),
        "predict_s": round(predict_s, 5),
        "predict_texts_per_s": round(len(data.test_texts) / predict_s),
        "model_bytes": size,
        "peak_memory_bytes": peak,
        "data_digest": data.digest(),
        "facts": data.facts(),
    }


def score(
    data: DataSet, predicted: NDArray[np.intp], probs: NDArray[np.float64] | None, log_probs: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Return accuracy, macro-F1, log loss, calibration error and the count of impossible probabilities.

    Written out here, so that no library is judged by its own metrics. Probabilities are taken as they are given.
    """
    labels = data.test_labels
    assert predicted.shape == labels.shape
    C = len(data.class_names)
    pairs = np.bincount(labels * C + predicted, minlength=C * C).reshape(C, C)
    occurring = (pairs.sum(axis=0) + pairs.sum(axis=1)) > 0
    f1 = 2 * np.diag(pairs)[occurring] / (pairs.sum(axis=0) + pairs.sum(axis=1))[occurring]
    scores: dict[str, Any] = {
        "accuracy": round(float((predicted == labels).mean()), 5),
        "macro_f1": round(float(f1.mean()), 5),
        "log_loss": None,
        "expected_calibration_error": None,
        "probabilities_above_1": None,
    }
    if probs is not None and log_probs is not None:
        assert probs.shape == log_probs.shape == (len(labels), C)
        confidence = probs.max(axis=1)
        bins = np.clip(np.ceil(confidence * N_BINS) - 1, 0, N_BINS - 1).astype(np.intp)
        correct = (probs.argmax(axis=1) == labels).astype(np.float64)
        gaps = np.bincount(bins, confidence - correct, N_BINS)
        scores["log_loss"] = round(float(-log_probs[np.arange(len(labels)), labels].mean()), 5)
        scores["expected_calibration_error"] = round(float(np.abs(gaps).sum() / len(labels)), 5)
        scores["probabilities_above_1"] = int((probs > 1.0).sum())
    return scores


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_bytes() -> int:
    """Return the most memory that this process has held, texts and libraries included."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count what the parent held when it started this process
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
