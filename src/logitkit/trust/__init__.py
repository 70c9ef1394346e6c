"""Logits and labels → whether confidence can be believed, and the temperature that mends it.

`fit_temperature` fits; the metrics judge. What a metric is given, logits or probabilities, is said by keyword.
"""

from logitkit.trust.metrics import (
    accuracy,
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    log_loss,
    macro_f1,
    precision_recall_f1,
)
from logitkit.trust.temperature import fit_temperature

__all__ = [
    "accuracy",
    "brier_score",
    "confusion_matrix",
    "expected_calibration_error",
    "fit_temperature",
    "log_loss",
    "macro_f1",
    "precision_recall_f1",
]
