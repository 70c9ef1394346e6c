"""What can be promised of calibrated probabilities: chosen on one half of the compared rows, checked on the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.audit.judging import finite
from logitkit.audit.options import AuditOptions
from logitkit.audit.record import AbstentionFigures, ConformalFigures, OutlierFigures
from logitkit.audit.rows import Sample
from logitkit.errors import InputError
from logitkit.ops import argmax
from logitkit.trust.abstention import fit_abstention
from logitkit.trust.abstention_rule import AbstentionRule, check_abstention
from logitkit.trust.calibrators.base import Array, Calibrator
from logitkit.trust.conformal import fit_conformal
from logitkit.trust.conformal_predictor import ConformalPredictor
from logitkit.trust.outlier_rule import OutlierRule, fit_outlier_rule, fit_outlier_threshold
from logitkit.trust.outliers import OUTLIER_METHODS, outlier_scores
from logitkit.trust.rows import measure_rows
from logitkit.trust.separation import auroc, false_positive_rate_at
from logitkit.trust.set_evaluation import evaluate_sets

__all__ = ["Promises", "promise"]

_ALLOWED = (0.01, 0.02, 0.05, 0.1)
_SETS = (("lac", "all"), ("lac", "class"), ("aps", "all"), ("raps", "all"))
_MOST_SET_ROWS = 20_000


@dataclass(frozen=True)
class Promises:
    """The figures for the record, and the rules, fitted on all compared rows, for the file."""

    abstention: tuple[AbstentionFigures, ...]
    conformal: tuple[ConformalFigures, ...]
    outliers: tuple[OutlierFigures, ...]
    abstention_rule: AbstentionRule
    outlier_rule: OutlierRule | None
    sets: ConformalPredictor


def promise(
    compared: Sample, calibrator: Calibrator, class_names: tuple[str, ...], options: AuditOptions, unknown: Array | None
) -> Promises:
    """Fit every rule on every other compared row and check it on the rest; then fit those for the file on all.

    The calibrator saw none of these rows, so the promises are exact.
    """
    log_probs = calibrator.log_probs(compared.logits)
    measured = measure_rows(compared.labels, logits=log_probs)
    confidence, correct = measured.confidence, measured.correct > 0.0
    abstention, rule = _abstention(confidence, correct, options)
    some = slice(0, _MOST_SET_ROWS)
    conformal = _conformal(log_probs[some], compared.labels[some], class_names, options)
    outliers, outlier_rule = _outliers(compared, options.false_alarm_rate, unknown)
    sets = fit_conformal(compared.labels, logits=log_probs, method="lac", alpha=options.alpha)
    return Promises(abstention, conformal, outliers, rule, outlier_rule, sets)


def _abstention(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], options: AuditOptions
) -> tuple[tuple[AbstentionFigures, ...], AbstentionRule]:
    figures, shipped = [], None
    for max_error in sorted({*_ALLOWED, options.max_error}):
        rule = fit_abstention(confidence[::2], correct[::2], max_error=max_error, certainty=options.certainty)
        check = check_abstention(rule, confidence[1::2], correct[1::2])
        whole = fit_abstention(confidence, correct, max_error=max_error, certainty=options.certainty)
        if max_error == options.max_error:
            shipped = whole
        there = rule.promise
        figures.append(
            AbstentionFigures(
                max_error=max_error,
                certainty=options.certainty,
                reason=str(rule.reason),
                threshold=finite(rule.thresholds[0]) if there else None,
                fit_rows=rule.rows,
                fit_coverage=finite(rule.coverage) if there else None,
                rows_needed=rule.rows_needed,
                reachable_error=finite(rule.reachable_error),
                checked_rows=check.rows,
                checked_coverage=finite(check.coverage) if there else None,
                checked_error=finite(check.error) if there else None,
                checked_low=finite(check.low) if there else None,
                checked_high=finite(check.high) if there else None,
                shipped_threshold=finite(whole.thresholds[0]) if whole.promise else None,
            )
        )
    assert shipped is not None
    return tuple(figures), shipped


def _conformal(
    log_probs: Array, labels: NDArray[np.intp], class_names: tuple[str, ...], options: AuditOptions
) -> tuple[ConformalFigures, ...]:
    figures = []
    for method, per in _SETS:
        predictor = fit_conformal(
            labels[::2], logits=np.ascontiguousarray(log_probs[::2]), method=method, alpha=options.alpha, per=per,
            seed=options.seed,
        )  # fmt: skip
        found = evaluate_sets(predictor.predict_sets(logits=np.ascontiguousarray(log_probs[1::2])), labels[1::2])
        worst, rows = found.worst_class, max(1, found.all.rows)
        figures.append(
            ConformalFigures(
                method=method,
                by_class=per == "class",
                alpha=options.alpha,
                coverage=finite(found.all.coverage),
                mean_size=finite(found.all.mean_size),
                singletons=found.singletons / rows,
                empty=found.empty / rows,
                worst_class=None if worst is None else class_names[int(worst.name)],
                worst_class_coverage=None if worst is None else finite(worst.coverage),
            )
        )
    return tuple(figures)


def _outliers(
    compared: Sample, rate: float, unknown: Array | None
) -> tuple[tuple[OutlierFigures, ...], OutlierRule | None]:
    right = argmax(compared.logits) == compared.labels
    figures: list[OutlierFigures] = []
    refused = set()
    for method in OUTLIER_METHODS:
        try:
            known = outlier_scores(compared.logits, method=method)
            others = None if unknown is None else outlier_scores(unknown, method=method)
        except InputError:  # log-probabilities have no energy, and no logit to speak of
            refused.add(method)
            nothing = (None, None, None, None, None, None)
            figures.append(OutlierFigures(method, rate, *nothing, "log-probabilities"))
            continue
        threshold = fit_outlier_threshold(known[::2], false_alarm_rate=rate)
        both = right.any() and not right.all()
        figures.append(
            OutlierFigures(
                method=method,
                false_alarm_rate=rate,
                threshold=finite(threshold),
                checked_alarms=float((known[1::2] > threshold).mean()),
                auroc_errors=auroc(known[right], known[~right]) if both else None,
                auroc_unknown=None if others is None else auroc(known, others),
                fpr_at_95=None if others is None else false_positive_rate_at(known, others),
                detected=None if others is None else float((others > threshold).mean()),
                refused=None,
            )
        )
    method = next(m for m in ("energy", "entropy") if m not in refused)
    return tuple(figures), fit_outlier_rule(compared.logits, method=method, false_alarm_rate=rate)
