"""The audit of a multi-label model: each label is a question of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.audit.judging import calibration_errors, finite, judged_figures
from logitkit.audit.options import AuditOptions
from logitkit.audit.record import JudgedFigures, LabelFigures, Sentence
from logitkit.audit.rows import Sample
from logitkit.ops import log_softmax
from logitkit.trust.calibrators.base import Array
from logitkit.trust.calibrators.multilabel import MultilabelCalibrator, two_classes
from logitkit.trust.judging import judge
from logitkit.trust.metrics import log_loss
from logitkit.trust.refinement import split_loss
from logitkit.trust.risk_control import false_negative_share, fit_false_negative_control
from logitkit.trust.rows import reliability_of

__all__ = ["MultilabelFindings", "audit_labels"]

N_BINS = 15


@dataclass(frozen=True)
class MultilabelFindings:
    """Figures of all questions together, of each label, and what they come to."""

    before: JudgedFigures
    after: JudgedFigures
    labels: tuple[LabelFigures, ...]
    verdict: tuple[Sentence, ...]


def audit_labels(
    compared: Sample, calibrator: MultilabelCalibrator, class_names: tuple[str, ...], options: AuditOptions
) -> MultilabelFindings:
    """Judge each label before and after its calibrator, and all of them together as questions of yes or no."""
    odds = calibrator.log_odds(compared.logits).astype(compared.logits.dtype)
    targets = np.ascontiguousarray(compared.labels, np.intp)
    before, after = _figures(compared.logits, targets, options.seed), _figures(odds, targets, options.seed)
    labels = tuple(
        _label_figures(name, calibrator.calibrators[k].method, compared.logits[:, k], odds[:, k], targets[:, k])
        for k, name in enumerate(class_names)
    )
    control = fit_false_negative_control(targets[::2], logits=np.ascontiguousarray(odds[::2]), alpha=options.alpha)
    sets = control.predict_sets(logits=np.ascontiguousarray(odds[1::2]))
    missed = false_negative_share(sets, targets[1::2])
    verdict = (
        Sentence(
            "verdict.multilabel",
            {
                "labels": len(class_names),
                "loss_before": before.log_loss.value,
                "loss_after": after.log_loss.value,
                "error_before": _mean([one.calibration_error_before for one in labels]),
                "error_after": _mean([one.calibration_error_after for one in labels]),
            },
        ),
        Sentence(
            "verdict.multilabel_control",
            {
                "alpha": options.alpha,
                "threshold": control.threshold,
                "missed": finite(missed),
                "size": float(sets.sum(axis=1).mean()),
            },
        ),
    )
    return MultilabelFindings(before, after, labels, verdict)


def _figures(odds: Array, targets: NDArray[np.intp], seed: int) -> JudgedFigures:
    pairs, answers = two_classes(odds.ravel()), targets.ravel()
    log_probs = np.asarray(log_softmax(pairs))
    parts = split_loss(answers, logits=pairs, method="temperature", seed=seed)
    return judged_figures(judge(answers, logits=pairs, seed=seed), calibration_errors(answers, log_probs), parts)


def _label_figures(name: str, method: str, before: Array, after: Array, answers: NDArray[np.intp]) -> LabelFigures:
    losses = [finite(log_loss(answers, logits=two_classes(odds))) for odds in (before, after)]
    errors = [_error_of_yes(odds, answers) for odds in (before, after)]
    return LabelFigures(name, finite(float(answers.mean())), method, *losses, *errors)


def _error_of_yes(odds: Array, answers: NDArray[np.intp]) -> float | None:
    """Return the calibration error of the probability of yes, in bins of equal width."""
    yes = np.exp(np.asarray(log_softmax(two_classes(odds)), np.float64)[:, 1])
    return finite(reliability_of(yes, answers.astype(np.float64), None, N_BINS).expected_calibration_error())


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
