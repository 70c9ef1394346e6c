"""Does a classifier keep its promise on test texts? Of its answers, at most so many are wrong, with 95 % certainty.

    python -m benchmarks.promises --data ../shared/data [--write]

Thresholds come from texts that training held out. Where the test set is drawn otherwise than the training set, nothing
can promise anything for it: the accuracy on both is printed beside.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe, write_json
from sets import SOURCES, load_set

ALLOWED = (0.01, 0.02, 0.05, 0.1)


def main() -> None:
    """Train on each set, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write results/promises.json")
    options = parser.parse_args()
    rows = [row for name in SOURCES if (options.data / name).is_dir() for row in measure(options.data, name)]
    if options.write:
        print("written:", write_json("promises", {"machine": describe("logitkit", "numpy"), "results": rows}))


def measure(data: Path, name: str) -> list[dict[str, Any]]:
    """Return how many test texts get an answer, and how many of the answers are wrong, by what was promised."""
    from logitkit import TextClassifier

    known = load_set(data, name)
    model = TextClassifier().fit(known.train_texts, [known.class_names[label] for label in known.train_labels])
    held_out = float(model.held_out.correct.mean())
    right = model.predict_logits(known.test_texts).argmax(axis=1) == known.test_labels
    rows = []
    for max_error in ALLOWED:
        rule = model.abstention(max_error)
        answered = model.decide_columns(known.test_texts, threshold=rule.threshold)[0].labels >= 0
        wrong = float((~right[answered]).mean()) if answered.any() else None
        row = {
            "set": name, "held_out_accuracy": round(held_out, 4), "test_accuracy": round(float(right.mean()), 4),
            "max_error": max_error, "promised": rule.promise, "answered": round(float(answered.mean()), 4),
            "wrong": None if wrong is None else round(wrong, 4),
        }  # fmt: skip
        print(row, flush=True)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
