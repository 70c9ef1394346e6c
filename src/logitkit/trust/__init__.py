"""Logits and labels → whether confidence can be believed, what mends it, and what can be promised.

- calibrators: `fit_calibrator` makes logits into probabilities; `fit_temperature` is its simplest form.
- metrics and calibration errors judge; `judge` gives them intervals. What they are given, logits or probabilities, is
  said by keyword.
- promises: `fit_abstention` (when not to answer), `fit_conformal` (which classes cannot be ruled out),
  `fit_false_negative_control` (several labels), `fit_outlier_rule` (unknown inputs).
- `find_label_errors` finds labels that are probably wrong.

Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logitkit.trust.abstention import fit_abstention
    from logitkit.trust.abstention_rule import AbstentionRule, check_abstention
    from logitkit.trust.calibration_error import (
        debiased_calibration_error,
        expected_calibration_error,
        maximum_calibration_error,
    )
    from logitkit.trust.calibrators.base import Calibrator
    from logitkit.trust.calibrators.fit import fit_calibrator, select_calibrator
    from logitkit.trust.calibrators.methods import METHODS
    from logitkit.trust.calibrators.restore import load_calibrator
    from logitkit.trust.class_calibration_error import classwise_calibration_error, top_label_calibration_error
    from logitkit.trust.conformal import fit_conformal
    from logitkit.trust.conformal_predictor import ConformalPredictor
    from logitkit.trust.conformity import RapsPenalty
    from logitkit.trust.costs import cost_threshold
    from logitkit.trust.judgement import Estimate, Judgement
    from logitkit.trust.judging import Judge, judge
    from logitkit.trust.label_errors import LabelErrors, find_label_errors
    from logitkit.trust.metrics import (
        accuracy,
        brier_score,
        confusion_matrix,
        log_loss,
        macro_f1,
        precision_recall_f1,
    )
    from logitkit.trust.outlier_rule import OutlierRule, fit_outlier_rule
    from logitkit.trust.outliers import outlier_scores
    from logitkit.trust.refinement import LossSplit, split_loss
    from logitkit.trust.reliability_diagram import ReliabilityDiagram, reliability
    from logitkit.trust.risk_control import FalseNegativeControl, fit_false_negative_control
    from logitkit.trust.selective import RiskCoverageCurve, area_under_risk_coverage, risk_coverage_curve
    from logitkit.trust.separation import auroc, false_positive_rate_at, separation
    from logitkit.trust.set_evaluation import SetEvaluation, evaluate_sets
    from logitkit.trust.smooth_calibration import smooth_calibration_error
    from logitkit.trust.temperature import fit_temperature

_HOMES = {
    "abstention": ("fit_abstention",),
    "abstention_rule": ("AbstentionRule", "check_abstention"),
    "calibration_error": ("debiased_calibration_error", "expected_calibration_error", "maximum_calibration_error"),
    "calibrators.base": ("Calibrator",),
    "calibrators.fit": ("fit_calibrator", "select_calibrator"),
    "calibrators.methods": ("METHODS",),
    "calibrators.restore": ("load_calibrator",),
    "class_calibration_error": ("classwise_calibration_error", "top_label_calibration_error"),
    "conformal": ("fit_conformal",),
    "conformal_predictor": ("ConformalPredictor",),
    "conformity": ("RapsPenalty",),
    "costs": ("cost_threshold",),
    "judging": ("Judge", "judge"),
    "judgement": ("Estimate", "Judgement"),
    "label_errors": ("LabelErrors", "find_label_errors"),
    "metrics": ("accuracy", "brier_score", "confusion_matrix", "log_loss", "macro_f1", "precision_recall_f1"),
    "outlier_rule": ("OutlierRule", "fit_outlier_rule"),
    "outliers": ("outlier_scores",),
    "refinement": ("LossSplit", "split_loss"),
    "reliability_diagram": ("ReliabilityDiagram", "reliability"),
    "risk_control": ("FalseNegativeControl", "fit_false_negative_control"),
    "selective": ("RiskCoverageCurve", "area_under_risk_coverage", "risk_coverage_curve"),
    "separation": ("auroc", "false_positive_rate_at", "separation"),
    "set_evaluation": ("SetEvaluation", "evaluate_sets"),
    "smooth_calibration": ("smooth_calibration_error",),
    "temperature": ("fit_temperature",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "METHODS",
    "AbstentionRule", "Calibrator", "ConformalPredictor", "Estimate", "FalseNegativeControl", "Judge", "Judgement",
    "LabelErrors", "LossSplit", "OutlierRule", "RapsPenalty", "ReliabilityDiagram", "RiskCoverageCurve",
    "SetEvaluation", "accuracy", "area_under_risk_coverage", "auroc", "brier_score", "check_abstention",
    "classwise_calibration_error", "confusion_matrix", "cost_threshold", "debiased_calibration_error",
    "evaluate_sets", "expected_calibration_error", "false_positive_rate_at", "find_label_errors", "fit_abstention",
    "fit_calibrator", "fit_conformal", "fit_false_negative_control", "fit_outlier_rule", "fit_temperature", "judge",
    "load_calibrator", "log_loss", "macro_f1", "maximum_calibration_error", "outlier_scores", "precision_recall_f1",
    "reliability", "risk_coverage_curve", "select_calibrator", "separation", "smooth_calibration_error", "split_loss",
    "top_label_calibration_error",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        found = getattr(importlib.import_module(f"logitkit.trust.{_MODULES[name]}"), name)
        globals()[name] = found  # a module of the same name, such as `judge`, must not take its place
        return found
    raise AttributeError(f"module 'logitkit.trust' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
