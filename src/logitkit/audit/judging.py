"""What probabilities are worth on judged rows, before and after a calibrator."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from logitkit.audit.record import (
    CalibrationErrors,
    ClassFigures,
    Estimate,
    JudgedFigures,
    LogitHistogram,
    ReliabilityPoint,
)
from logitkit.audit.rows import Deal, Sample, refuse_nan
from logitkit.kernels import run_blocks, split
from logitkit.ops import argmax
from logitkit.tables import LogitsFile
from logitkit.trust import judgement
from logitkit.trust.calibration_error import (
    debiased_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
)
from logitkit.trust.calibrators.affine import AffineCalibrator
from logitkit.trust.calibrators.base import Array, Calibrator
from logitkit.trust.class_calibration_error import classwise_calibration_error, top_label_calibration_error
from logitkit.trust.judgement import Judgement
from logitkit.trust.judging import Judge
from logitkit.trust.metrics import confusion_matrix, precision_recall_f1
from logitkit.trust.refinement import LossSplit
from logitkit.trust.rows import RowMeasures, measure_rows
from logitkit.trust.smooth_calibration import smooth_calibration_error

__all__ = [
    "calibration_errors", "class_figures", "estimate", "finite", "judge_file", "judge_sample", "judged_figures",
    "logit_histogram",
]  # fmt: skip

_BLOCK_BYTES = 4 << 20  # of a file, that stay in the cache while they are judged twice
_AT_ONCE = 32  # blocks whose measures wait to be added up
_CURVE_POINTS = 200
_HISTOGRAM_BINS = 40
_MOST_CLASSES = 200  # beyond, class-wise errors cost more than they tell


def finite(value: float | None) -> float | None:
    """Return a number, or None for what is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def measure_after(calibrator: Calibrator, logits: Array, labels: NDArray[np.intp]) -> RowMeasures:
    """Measure rows at their calibrated probabilities; a temperature alone needs no probabilities in between."""
    if isinstance(calibrator, AffineCalibrator) and calibrator.only_divides:
        return measure_rows(labels, logits=logits, temperature=calibrator.temperature)
    return measure_rows(labels, logits=calibrator.log_probs(logits))


def judge_file(
    file: LogitsFile, deal: Deal, calibrators: list[Calibrator], seed: int, progress: Callable[[float], None]
) -> list[Judgement]:
    """Judge all rows that judge with each calibrator, in one pass over the file, as it lies on the disk."""
    rows, labels = file.rows, file.labels
    assert labels is not None
    N, C = rows.shape
    judges = [Judge(C, seed=seed) for _ in calibrators]
    blocks = split(N, max(1, _BLOCK_BYTES // (C * rows.dtype.itemsize)))

    def work(start: int, stop: int) -> list[RowMeasures]:
        logits = rows.read(start, stop)
        refuse_nan(rows, file.name, logits, range(start, stop))
        return [measure_after(calibrator, logits, labels[start:stop]) for calibrator in calibrators]

    for first in range(0, len(blocks), _AT_ONCE):
        some = blocks[first : first + _AT_ONCE]
        for (start, stop), measured in zip(some, run_blocks(work, some), strict=True):
            counted = None if deal.judged is None else deal.judged[start:stop]
            for judge, measures in zip(judges, measured, strict=True):
                judge.update_measures(measures, where=counted)
        progress(some[-1][1] / N)
    return [judge.finish() for judge in judges]


def judge_sample(sample: Sample, calibrators: list[Calibrator], seed: int, replicates: int = 1000) -> list[Judgement]:
    """Judge rows that are in memory with each calibrator."""
    judged = []
    for calibrator in calibrators:
        judge = Judge(calibrator.n_classes, seed=seed)
        judge.update_measures(measure_after(calibrator, sample.logits, sample.labels))
        judged.append(judge.finish(replicates=replicates))
    return judged


def calibration_errors(labels: NDArray[np.intp], log_probs: Array) -> CalibrationErrors:
    """Measure the calibration error in every other way."""
    few = log_probs.shape[1] <= _MOST_CLASSES
    return CalibrationErrors(
        equal_mass=finite(expected_calibration_error(labels, logits=log_probs, binning="mass")),
        debiased=finite(debiased_calibration_error(labels, logits=log_probs)),
        smooth=finite(smooth_calibration_error(labels, logits=log_probs)),
        class_wise=finite(classwise_calibration_error(labels, logits=log_probs)) if few else None,
        top_label=finite(top_label_calibration_error(labels, logits=log_probs)) if few else None,
        maximum=finite(maximum_calibration_error(labels, logits=log_probs)),
    )


def estimate(found: judgement.Estimate) -> Estimate:
    """Return a figure as a record holds it."""
    return Estimate(finite(found.value), finite(found.low), finite(found.high))


def judged_figures(judged: Judgement, errors: CalibrationErrors, parts: LossSplit) -> JudgedFigures:
    """Put together what is known of the judged rows; the parts of the losses are those of the compared rows."""
    reliability, curve = judged.reliability, judged.curve.thinned(_CURVE_POINTS)
    n_bins = len(reliability.count)
    points = tuple(
        ReliabilityPoint(
            b / n_bins,
            (b + 1) / n_bins,
            int(count),
            float(reliability.confidence[b] / count) if count else None,
            float(reliability.correct[b] / count) if count else None,
        )
        for b, count in enumerate(reliability.count)
    )
    return JudgedFigures(
        rows=judged.rows,
        accuracy=estimate(judged.accuracy),
        log_loss=estimate(judged.log_loss),
        brier_score=estimate(judged.brier_score),
        expected_calibration_error=estimate(judged.expected_calibration_error),
        area_under_risk_coverage=estimate(judged.aurc),
        mean_confidence=finite(judged.mean_confidence),
        rows_with_infinite_loss=judged.rows_with_infinite_loss,
        log_loss_calibration=finite(parts.log_loss_calibration),
        log_loss_refinement=finite(parts.log_loss_refinement),
        brier_calibration=finite(parts.brier_calibration),
        brier_refinement=finite(parts.brier_refinement),
        errors=errors,
        reliability=points,
        coverages=tuple(curve.coverage.tolist()),
        risks=tuple(curve.risk.tolist()),
        curve_thresholds=tuple(curve.threshold.tolist()),
    )


def logit_histogram(sample: Sample) -> LogitHistogram | None:
    """Count right and wrong rows by their margin, the largest logit less the second; None where none is finite.

    The margin and not the logit: it does not depend on what is added to a row.
    """
    from logitkit.ops import margin

    margins = np.asarray(margin(sample.logits), np.float64)
    there = np.isfinite(margins)
    if not there.any():
        return None
    edges = np.linspace(0.0, float(np.quantile(margins[there], 0.995)) or 1.0, _HISTOGRAM_BINS + 1)
    right = argmax(sample.logits) == sample.labels
    counts = [np.histogram(np.minimum(margins[there & rows], edges[-1]), edges)[0] for rows in (right, ~right)]
    return LogitHistogram(
        "margin", tuple(edges.tolist()), tuple(counts[0].tolist()), tuple(counts[1].tolist()), int((~there).sum())
    )


def class_figures(labels: NDArray[np.intp], log_probs: Array, class_names: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    """Return a line for each class that occurs, as label or as prediction; the least recalled first."""
    C = len(class_names)
    if C > _MOST_CLASSES * 50:
        return ()
    confusion = confusion_matrix(labels, argmax(log_probs), n_classes=C)
    precision, recall, _ = precision_recall_f1(confusion)
    said = np.zeros(C)
    for start, stop in split(len(labels), max(1, 2**18 // C)):
        said += np.exp(log_probs[start:stop], dtype=np.float64).sum(axis=0)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    order = np.lexsort((-support, np.where(support > 0, np.nan_to_num(recall, nan=2.0), 2.0)))
    N = max(1, len(labels))
    return tuple(
        ClassFigures(
            class_names[c], int(support[c]), int(predicted[c]), finite(precision[c]), finite(recall[c]),
            float(said[c] / N), float(support[c] / N),
        )
        for c in order.tolist() if support[c] or predicted[c]
    )  # fmt: skip
