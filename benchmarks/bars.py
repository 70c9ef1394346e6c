"""What the comparison must show, and whether it does."""

from __future__ import annotations

from typing import Any

from sets import SOURCES

__all__ = ["judge"]

FIT_RATIO = 0.3
CALIBRATION_ERROR = 0.03
CALIBRATION_ROWS = 1_000


def judge(rows: list[dict[str, Any]], facts: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each bar with the figure that was measured and whether it is met: accuracy, time, calibration."""
    by_set = {(row["set"], row["model"]): row for row in rows if "skipped" not in row}
    bars = []
    for name, source in SOURCES.items():
        ours, fasttext = by_set.get((name, "logitkit")), by_set.get((name, "fasttext"))
        if ours is None:
            continue
        if source.accuracy_bar is not None:
            bars.append(_bar(f"{source.title}, accuracy", ours["accuracy"], ">=", source.accuracy_bar))
        if fasttext is not None:
            ratio = round(ours["fit_s"] / fasttext["fit_s"], 4)
            bars.append(_bar(f"{source.title}, training time / fastText's", ratio, "<=", FIT_RATIO))
        if facts[name]["test_rows"] >= CALIBRATION_ROWS:
            error = ours["expected_calibration_error"]
            bars.append(_bar(f"{source.title}, calibration error", error, "<=", CALIBRATION_ERROR))
    return bars


def _bar(what: str, value: float, sign: str, bar: float) -> dict[str, Any]:
    met = value >= bar if sign == ">=" else value <= bar
    return {"what": what, "value": value, "sign": sign, "bar": bar, "met": met}
