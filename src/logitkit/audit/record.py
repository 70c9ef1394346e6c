"""What an audit of logits finds, as numbers: a record that becomes JSON, tables in a terminal, and a page.

Every figure in it comes from rows that no calibrator saw, except where a name says `fit`. A figure that no row supports
is None, and so is one that is infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

__all__ = [
    "AbstentionFigures", "Audit", "CalibrationErrors", "ClassFigures", "ConformalFigures", "Estimate", "FitFigures",
    "JudgedFigures", "LabelErrorFigures", "LabelFigures", "LogitHistogram", "MethodFigures", "OutlierFigures",
    "ReliabilityPoint", "Sentence", "SuspectLabel", "TrialFigures",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval (95 % unless the audit says otherwise)."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something to say in words: a key of the languages' words, and the values that fill it."""

    key: str
    values: dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Rows whose confidence is in (`lower`, `upper`]."""

    lower: float
    upper: float
    count: int
    mean_confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """A method in the cross-validation by which "auto" chose. Losses in nats, on rows for fitting."""

    method: str
    log_loss: float | None
    worse_by: float | None
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class FitFigures:
    """How the calibrator was made: from how many rows, by which method, chosen among which."""

    source: str
    rows: int
    asked: str
    chosen: str
    temperature: float | None
    trials: tuple[TrialFigures, ...]


@dataclass(frozen=True, slots=True)
class CalibrationErrors:
    """Calibration error measured in other ways, all in [0, 1]."""

    equal_mass: float | None
    debiased: float | None
    smooth: float | None
    class_wise: float | None
    top_label: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class JudgedFigures:
    """What probabilities are worth on judged rows.

    `log_loss` is infinite, and so None, where `rows_with_infinite_loss` is not 0. `log_loss_refinement` is what the
    best calibration that cross-validation finds leaves of the loss, `log_loss_calibration` the rest; Brier likewise.
    `coverages` and `risks` draw the risk–coverage curve, with `curve_thresholds`, the least confidence answered.
    """

    rows: int
    accuracy: Estimate
    log_loss: Estimate
    brier_score: Estimate
    expected_calibration_error: Estimate
    area_under_risk_coverage: Estimate
    mean_confidence: float | None
    rows_with_infinite_loss: int
    log_loss_calibration: float | None
    log_loss_refinement: float | None
    brier_calibration: float | None
    brier_refinement: float | None
    errors: CalibrationErrors
    reliability: tuple[ReliabilityPoint, ...]
    coverages: tuple[float, ...]
    risks: tuple[float, ...]
    curve_thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """A method on the compared rows. `refused` says why it was not tried, or is None."""

    method: str
    accuracy: Estimate | None
    log_loss: Estimate | None
    brier_score: Estimate | None
    expected_calibration_error: Estimate | None
    fit_seconds: float | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class LogitHistogram:
    """How many judged rows, right and wrong, have their largest logit (or their margin) in each bin."""

    what: str
    edges: tuple[float, ...]
    right: tuple[int, ...]
    wrong: tuple[int, ...]
    infinite: int


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class, after calibration: `said` is its mean probability, `true_share` how often it is the label."""

    name: str
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    said: float | None
    true_share: float | None


@dataclass(frozen=True, slots=True)
class AbstentionFigures:
    """The threshold that promises at most `max_error` wrong answers: chosen on one half, checked on the other.

    `threshold` is None where nothing can be promised; `reason` is then "too few rows" or "too many errors".
    `fit_coverage` is the share of rows answered in the half on which it was chosen. `checked_low` and `checked_high`
    bound the error rate of the other half (95 %). `shipped_threshold` is the one fitted on all judged rows, which the
    calibrator file carries.
    """

    max_error: float
    certainty: float
    reason: str
    threshold: float | None
    fit_rows: int
    fit_coverage: float | None
    rows_needed: int
    reachable_error: float | None
    checked_rows: int
    checked_coverage: float | None
    checked_error: float | None
    checked_low: float | None
    checked_high: float | None
    shipped_threshold: float | None


@dataclass(frozen=True, slots=True)
class ConformalFigures:
    """Prediction sets: `quantile` from one half, coverage and sizes on the other."""

    method: str
    by_class: bool
    alpha: float
    coverage: float | None
    mean_size: float | None
    singletons: float | None
    empty: float | None
    worst_class: str | None
    worst_class_coverage: float | None


@dataclass(frozen=True, slots=True)
class OutlierFigures:
    """One way to tell unknown inputs: the threshold for a share of false alarms, from one half, checked on the other.

    `auroc_errors`: how well it ranks wrong rows above right ones. The last three are of inputs that are known to be
    unknown, if they were given.
    """

    method: str
    false_alarm_rate: float
    threshold: float | None
    checked_alarms: float | None
    auroc_errors: float | None
    auroc_unknown: float | None
    fpr_at_95: float | None
    detected: float | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class SuspectLabel:
    """A label that is probably wrong. `row` counts from 0 in the file."""

    row: int
    given: str
    suggested: str
    p_given: float
    p_suggested: float


@dataclass(frozen=True, slots=True)
class LabelErrorFigures:
    """Labels that are probably wrong among `rows` rows: how many, the likeliest, and the most frequent confusions."""

    rows: int
    count: int
    likeliest: tuple[SuspectLabel, ...]
    pairs: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """One label of a multi-label model, before and after calibration."""

    name: str
    share: float | None
    method: str
    log_loss_before: float | None
    log_loss_after: float | None
    calibration_error_before: float | None
    calibration_error_after: float | None


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of saved logits.

    Attributes:
        name: of the file.
        rows: in it.
        class_names: C.
        given: "logits" or "probs".
        multilabel: whether each row may have several labels.
        seed: of every random choice.
        level: of the intervals.
        fit: how the calibrator was made.
        judged_rows: rows that no calibrator saw.
        compared_rows: how many of them the methods, sets, outliers and label errors are judged on.
        verdict: in words, the most important first.
        notes: what a reader should know of the data.
        before: the probabilities as they came, on all judged rows.
        after: the same rows after the chosen calibrator.
        methods: each, the simplest first.
        histogram: of the largest logit.
        classes: those that most need a look first; all if there are few.
        abstention: by the share of errors that is allowed.
        conformal: prediction sets.
        outliers: unknown inputs.
        unknown_rows: how many inputs were given that are known to be unknown.
        label_errors: labels that are probably wrong.
        labels: of a multi-label model.
        seconds: by part.
    """

    name: str
    rows: int
    class_names: tuple[str, ...]
    given: str
    multilabel: bool
    seed: int
    level: float
    fit: FitFigures
    judged_rows: int
    compared_rows: int
    verdict: tuple[Sentence, ...]
    notes: tuple[Sentence, ...]
    before: JudgedFigures
    after: JudgedFigures
    methods: tuple[MethodFigures, ...]
    histogram: LogitHistogram | None
    classes: tuple[ClassFigures, ...]
    abstention: tuple[AbstentionFigures, ...]
    conformal: tuple[ConformalFigures, ...]
    outliers: tuple[OutlierFigures, ...]
    unknown_rows: int
    label_errors: LabelErrorFigures | None
    labels: tuple[LabelFigures, ...]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts; NaN and infinity never occur: they are null (None)."""
        record = _plain(self)
        assert isinstance(record, dict)
        return record


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
