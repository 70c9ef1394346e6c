"""What logits or probabilities are worth on labelled rows: figures, each with its interval, and two curves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from logitkit.trust.rows import Reliability
from logitkit.trust.selective import RiskCoverageCurve

__all__ = ["Estimate", "Judgement"]

_ESTIMATES = ("accuracy", "log_loss", "brier_score", "expected_calibration_error", "aurc")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the interval that holds the true one with the certainty that was asked for.

    Attributes:
        value: the figure of the rows that were judged; NaN where there are none.
        low: the lower end of the interval.
        high: the upper end.

    Example:
        >>> from logitkit.trust.judgement import Estimate
        >>> Estimate(0.9, 0.85, float("inf")).to_json()
        {'value': 0.9, 'low': 0.85, 'high': None}
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Return the three numbers by name; None for NaN and infinity."""
        return {name: _finite(getattr(self, name)) for name in ("value", "low", "high")}


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What logits or probabilities are worth on labelled rows; `Judge.finish` says how the intervals come about.

    Attributes:
        rows: N.
        level: the certainty of the intervals.
        accuracy: the share of rows whose arg max is the label.
        log_loss: inf where a label has probability 0: see `rows_with_infinite_loss`.
        brier_score: in [0, 2], as `trust.brier_score`.
        expected_calibration_error: of the top label, in bins of equal width, as `trust.expected_calibration_error`. It
            overstates the true one, which the interval allows for (see `calibration_interval`).
        aurc: the area under the risk-coverage curve, of all its points.
        mean_confidence: NaN where there are no rows.
        rows_with_infinite_loss: how many labels have probability 0.
        reliability: sums over the bins of confidence.
        curve: risk against coverage. Where it has more than 10,000 points, as many of them, evenly spaced.

    Example:
        >>> from logitkit.trust.judging import judge
        >>> judgement = judge([0, 1, 1], probs=[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
        >>> judgement.rows, round(judgement.accuracy.value, 3), judgement.curve.errors.tolist()
        (3, 0.667, [0, 0, 1])
    """

    rows: int
    level: float
    accuracy: Estimate
    log_loss: Estimate
    brier_score: Estimate
    expected_calibration_error: Estimate
    aurc: Estimate
    mean_confidence: float
    rows_with_infinite_loss: int
    reliability: Reliability = field(repr=False)
    curve: RiskCoverageCurve = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, lists and dicts; None for NaN and infinity. The curve has at most 200 points.

        A bin of confidence has `lower`, `upper`, `count`, `mean_confidence` and `accuracy`; the means of none are None.

        Example:
            >>> from logitkit.trust.judging import judge
            >>> judge([0, 1], probs=[[0.9, 0.1], [0.2, 0.8]]).to_json()["accuracy"]
            {'value': 1.0, 'low': 1.0, 'high': 1.0}
        """
        record: dict[str, Any] = {"rows": self.rows, "level": self.level}
        record |= {name: getattr(self, name).to_json() for name in _ESTIMATES}
        record["mean_confidence"] = _finite(self.mean_confidence)
        record["rows_with_infinite_loss"] = self.rows_with_infinite_loss
        record["reliability"] = _bins(self.reliability)
        record["curve"] = self.curve.thinned().to_json()
        return record


def _bins(reliability: Reliability) -> list[dict[str, float | int | None]]:
    n = len(reliability.count)
    columns = reliability.count, reliability.confidence, reliability.correct
    return [
        {
            "lower": b / n,
            "upper": (b + 1) / n,
            "count": count,
            "mean_confidence": confidence / count if count else None,
            "accuracy": correct / count if count else None,
        }
        for b, (count, confidence, correct) in enumerate(zip(*(column.tolist() for column in columns), strict=True))
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
