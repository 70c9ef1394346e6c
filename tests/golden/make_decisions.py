"""Write decisions.json: logits → decisions, by the plain loops of tests/naive_trust.py alone. Run it from tests/.

The reason to change the file is a changed meaning of a decision, never a failing test.
"""

import json
import random
from pathlib import Path

import naive_trust

PATH = Path(__file__).with_name("decisions.json")
INFINITY = float("inf")
ODD_ROWS = [
    [2.0, 1.0, 0.1],
    [0.0, 0.0, 0.0],
    [1.0, 3.0, 3.0],
    [1000.0, 1001.0, 0.0],
    [-1e4, 1e4, 0.0],
    [INFINITY, 0.0, -INFINITY],
    [INFINITY, 0.0, INFINITY],
    [-INFINITY, -INFINITY, -INFINITY],
    [-INFINITY, 0.5, 0.25],
    [-0.0, 0.0, -1.0],
]


def make():
    numbers = random.Random(20261122)
    rows = ODD_ROWS + [[round(numbers.gauss(0.0, 3.0), 3) for _ in range(3)] for _ in range(30)]
    cases = []
    for temperature, threshold in ((1.0, 0.0), (1.0, 0.7), (2.5, 0.5), (0.4, 0.9)):
        known = [numbers.random() < 0.8 for _ in rows]
        decisions = [naive_trust.decide(row, threshold, temperature, k) for row, k in zip(rows, known, strict=True)]
        cases.append({"temperature": temperature, "threshold": threshold, "known": known, "decisions": decisions})
    return json.loads(json.dumps({"logits": rows, "cases": cases}))  # lists for tuples, as the file has them


if __name__ == "__main__":
    PATH.write_text(json.dumps(make()) + "\n", encoding="utf-8")
