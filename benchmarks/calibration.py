"""Calibrators on the logits of real networks: log loss on unseen rows beside the peers', and the time it takes.

    python -m benchmarks.calibration --data ../shared/data [--write]

Each file is dealt into halves, one to fit and one to judge (a network's own validation and test files stay as they
are), with several seeds. Figures are written out here, so that no library is judged by its own metrics.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from calibration_peers import PEERS, Probs
from machine import RESULTS, describe, medians_ms, write_json

SEEDS = (0, 1, 2)
N_BINS = 15
Pair = tuple[NDArray[Any], NDArray[np.intp]]


def main() -> None:
    """Run, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds logits/*.npz")
    parser.add_argument("--part", choices=["files", "speed", "both"], default="both", help="the other is kept as it is")
    parser.add_argument("--write", action="store_true", help="write results/calibration.json")
    options = parser.parse_args()
    path = RESULTS / "calibration.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    packages = ("logitkit", "scikit-learn", "netcal", "probmetrics", "torch", "numpy")
    record |= {"machine": describe(*packages), "threads": 2}
    folder = options.data / "logits"
    if options.part in ("speed", "both"):
        record["speed"] = speed(folder)
        print(*record["speed"], sep="\n")
    if options.part in ("files", "both"):
        record["files"] = [*_multiclass(folder), *_multilabel(folder)]
    if options.write:
        print("written:", write_json("calibration", record))


def _multiclass(folder: Path) -> list[dict[str, Any]]:
    rows = []
    names = ["densenet40_c10", "netcal_wrn16x4_c10", "netcal_wrn16x4_c100", "labelerrors_20news", "labelerrors_imdb"]
    for name in names:
        if (folder / f"{name}_val.npz").exists():
            halves = [(_load(folder / f"{name}_val.npz"), _load(folder / f"{name}_test.npz"))]
        else:
            seeds = SEEDS[:1] if name.endswith("c100") else SEEDS  # netcal takes minutes at 100 classes
            halves = [_halves(_load(folder / f"{name}.npz"), seed) for seed in seeds]
        rows += [_compare(name, seed, fit, judged) for seed, (fit, judged) in enumerate(halves)]
    return rows


def _multilabel(folder: Path) -> list[dict[str, Any]]:
    """Each label is a problem of two classes; losses are means over the labels."""
    logits, targets = _load(folder / "multilabel_chestxray14.npz")
    rows = []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(logits))
        fit, judged = order[: len(order) // 2], order[len(order) // 2 :]
        per_label = []
        for k in range(logits.shape[1]):
            pair = np.stack([np.zeros(len(logits), logits.dtype), logits[:, k]], axis=1)
            y = targets[:, k].astype(np.intp)
            per_label.append(_compare(f"label {k}", seed, (pair[fit], y[fit]), (pair[judged], y[judged]), quiet=True))
        losses = {
            method: None if any(one["log_loss"].get(method) is None for one in per_label)
            else round(float(np.mean([one["log_loss"][method] for one in per_label])), 5)
            for method in per_label[0]["log_loss"]
        }  # fmt: skip
        row = {
            "file": "multilabel_chestxray14", "seed": seed, "rows": len(judged), "chosen": "by label",
            "log_loss": losses, "before": round(float(np.mean([one["before"] for one in per_label])), 5),
            "ece": round(float(np.mean([one["ece"] for one in per_label])), 5),
        }  # fmt: skip
        rows.append(_judged(row))
    return rows


def _load(path: Path) -> Pair:
    with np.load(path) as file:
        return file["logits"], file["labels"].astype(np.intp)


def _halves(whole: Pair, seed: int) -> tuple[Pair, Pair]:
    logits, labels = whole
    order = np.random.default_rng(seed).permutation(len(labels))
    fit, judged = order[: len(order) // 2], order[len(order) // 2 :]
    return (logits[fit], labels[fit]), (logits[judged], labels[judged])


def _compare(name: str, seed: int, fit: Pair, judged: Pair, *, quiet: bool = False) -> dict[str, Any]:
    from logitkit import trust

    logits, labels = judged
    calibrator = trust.fit_calibrator(*fit)
    probs = calibrator.probs(logits).astype(np.float64)
    losses: dict[str, float | None] = {"logitkit": round(_loss(probs, labels), 5)}
    for peer, fit_peer in PEERS.items():
        try:
            losses[peer] = round(_loss(fit_peer(*fit)(logits), labels), 5)
        except Exception as error:  # a peer's own refusal is a result too
            losses[peer] = None
            if not quiet:
                print(f"{name}: {peer} failed: {type(error).__name__}: {error}"[:200], file=sys.stderr)
    raw = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    row = {
        "file": name, "seed": seed, "rows": len(labels), "chosen": calibrator.method, "log_loss": losses,
        "before": round(_loss(raw / raw.sum(axis=1, keepdims=True), labels), 5), "ece": round(_ece(probs, labels), 5),
    }  # fmt: skip
    return row if quiet else _judged(row)


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    peers = {name: loss for name, loss in row["log_loss"].items() if name != "logitkit" and loss is not None}
    row["best_peer"] = min(peers, key=lambda name: peers[name])
    row["above_best"] = round(row["log_loss"]["logitkit"] - peers[row["best_peer"]], 5)
    print(
        f"{row['file']:<24} seed {row['seed']}  {row['chosen']:<18} {row['log_loss']['logitkit']:.5f} "
        f"(before {row['before']:.5f})  best peer {peers[row['best_peer']]:.5f} {row['best_peer']:<30} "
        f"{row['above_best']:+.5f}  ECE {row['ece']:.4f}",
        flush=True,
    )
    return row


def _loss(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return the log loss; what is no distribution is made one, and a probability of 0 costs what 1e-12 would."""
    p = np.clip(probs / probs.sum(axis=1, keepdims=True), 1e-12, 1.0)
    return float(-np.log(p[np.arange(len(labels)), labels]).mean())


def _ece(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * N_BINS) - 1, 0, N_BINS - 1).astype(np.intp)
    return float(np.abs(np.bincount(bins, confidence - correct, N_BINS)).sum() / len(labels))


def speed(folder: Path) -> list[dict[str, Any]]:
    """Time the fits that the peers' users wait for, once their losses agree."""
    from logitkit import trust

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1000, 25_000)
    large = rng.normal(size=(25_000, 1000)).astype(np.float32)
    large[np.arange(25_000), labels] += 3.0
    large *= 1.7
    (fit, y), _ = _halves(_load(folder / "netcal_wrn16x4_c100.npz"), 0)
    cases: list[tuple[str, Pair, str, str]] = [
        ("temperature", (large, labels), "temperature", "scikit-learn temperature"),
        ("structured matrix", (fit[:5000], y[:5000]), "structured matrix", "probmetrics structured matrix"),
    ]
    found = []
    for name, (z, t), method, peer in cases:
        made: dict[str, Probs] = {}

        def mine(z: NDArray[Any] = z, t: NDArray[np.intp] = t, method: str = method, made: Any = made) -> None:
            made["logitkit"] = trust.fit_calibrator(z, t, method=method).probs

        def theirs(z: NDArray[Any] = z, t: NDArray[np.intp] = t, peer: str = peer, made: Any = made) -> None:
            made["peer"] = PEERS[peer](z, t)

        works: dict[str, Callable[[], object]] = {"logitkit": mine, "peer": theirs}
        started = time.perf_counter()
        theirs()
        slow = time.perf_counter() - started > 2.0
        times = medians_ms(works, repeats=3 if slow else 15)
        losses = {who: _loss(np.asarray(probs(z), np.float64), t) for who, probs in made.items()}
        assert losses["logitkit"] <= losses["peer"] + (1e-9 if name == "temperature" else 1e-4), losses
        found.append({
            "fit": name, "shape": list(z.shape), "peer": peer, "logitkit_ms": round(times["logitkit"], 2),
            "peer_ms": round(times["peer"], 1), "times_as_fast": round(times["peer"] / times["logitkit"], 1),
            "loss_minus_peer": losses["logitkit"] - losses["peer"],
        })  # fmt: skip
    return found


if __name__ == "__main__":
    main()
