"""Texts that belong to no class: how many a classifier refuses, and what that costs in answers that were right.

    python -m benchmarks.unknown --data ../shared/data [--write]

CLINC150 has 1,000 test texts outside its 150 intents. The classifier is trained without any such text. Thresholds come
from its own held-out training texts at a stated share of false alarms, so nothing is chosen on the test set; the last
rows give the published comparison instead: the recall where 0.88 of the known texts keep a right answer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe, write_json
from sets import load_set, read_part

KEPT = 0.88


def main() -> None:
    """Train, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write results/unknown.json")
    options = parser.parse_args()
    record = {"machine": describe("logitkit", "numpy"), **measure(options.data)}
    for row in record["at_false_alarms"]:
        print(row)
    print(record["at_kept_accuracy"], record["abstention"])
    if options.write:
        print("written:", write_json("unknown", record))


def measure(data: Path) -> dict[str, Any]:
    """Return accuracy kept and recall of unknown texts, by threshold."""
    from logitkit import TextClassifier
    from logitkit.trust import auroc, outlier_scores

    known = load_set(data, "clinc150")
    strange = read_part(data / "clinc150", "oos_test")[0]
    model = TextClassifier().fit(known.train_texts, [known.class_names[label] for label in known.train_labels])
    logits, outside = model.predict_logits(known.test_texts), model.predict_logits(strange)
    right = logits.argmax(axis=1) == known.test_labels
    by_alarms = []
    for rate in (0.01, 0.02, 0.05, 0.1):
        rule = model.outlier_rule(rate)
        alarms = rule.is_outlier(logits)
        by_alarms.append({
            "promised_false_alarms": rate, "false_alarms": round(float(alarms.mean()), 4),
            "accuracy_kept": round(float((right & ~alarms).mean()), 4),
            "recall_of_unknown": round(float(rule.is_outlier(outside).mean()), 4),
        })  # fmt: skip
    at_kept = {}
    for method in ("energy", "logit", "entropy", "probability", "margin"):
        scores = {who: outlier_scores(z, method=method) for who, z in (("known", logits), ("unknown", outside))}
        threshold = np.sort(scores["known"][right])[int(np.ceil(KEPT * len(right))) - 1]
        recall = float((scores["unknown"] > threshold).mean())
        at_kept[method] = {"recall": round(recall, 4), "auroc": round(auroc(scores["known"], scores["unknown"]), 4)}
    promised: list[dict[str, float]] = []
    for max_error in (0.01, 0.02, 0.05):
        threshold = model.abstention(max_error).threshold
        decided = model.decide_columns(known.test_texts, threshold=threshold)[0]
        answered = decided.labels >= 0
        wrong = float((decided.labels[answered] != known.test_labels[answered]).mean())
        promised.append({
            "max_error": max_error, "answered": round(float(answered.mean()), 4), "wrong": round(wrong, 4)
        })  # fmt: skip
    return {
        "set": "clinc150", "known_rows": len(right), "unknown_rows": len(strange),
        "accuracy": round(float(right.mean()), 4), "at_false_alarms": by_alarms, "at_kept_accuracy": at_kept,
        "abstention": promised,
    }  # fmt: skip


if __name__ == "__main__":
    main()
