"""Which calibrator suits these logits? Chosen by cross-validated log loss, and by simplicity where that cannot say."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.trust.calibrators.affine import AffineCalibrator
from logitkit.trust.calibrators.base import Array, Calibrator
from logitkit.trust.calibrators.methods import candidates, fit_method
from logitkit.trust.folds import FOLDS, deal_folds
from logitkit.trust.rows import measure_rows

__all__ = ["CalibratorSelection", "CalibratorTrial", "choose_calibrator"]

_SIMPLICITY = 1e-3  # nats that may be given for simplicity, where they may be chance
_TRIFLE = 2e-4  # nats that are never worth more numbers
_ENOUGH_ROWS = 20_000  # that are judged: more folds would not move the mean by a thousandth


@dataclass(frozen=True, slots=True)
class CalibratorTrial:
    """One method, and what it was worth on rows that it had not seen.

    Attributes:
        method: its name.
        log_loss: mean over the held-out rows, in nats; None where no row could be held out.
        worse_by: how much higher that is than the lowest; None likewise.
        standard_error: of `worse_by`, from the differences row by row; None likewise.
        seconds: for all fits on folds.
    """

    method: str
    log_loss: float | None
    worse_by: float | None
    standard_error: float | None
    seconds: float


@dataclass(frozen=True)
class CalibratorSelection:
    """What was chosen, and why.

    Attributes:
        calibrator: of the chosen method, fitted on all rows.
        trials: all, the simplest first.
        rows: how many rows were held out.
    """

    calibrator: Calibrator
    trials: tuple[CalibratorTrial, ...]
    rows: int


def choose_calibrator(
    logits: Array,
    labels: NDArray[np.intp],
    sample_weights: NDArray[np.float64] | None = None,
    *,
    methods: Sequence[str] | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> CalibratorSelection:
    """Return the simplest method whose held-out log loss is within one standard error of the lowest, and within 0.001.

    The standard error is that of the difference to the best, row by row: far smaller than that of either loss, since
    both stumble over the same rows. With few rows it is large all the same, and what is within it may still be worse:
    so simplicity is given 0.001 nats at most, and 0.0002 always. "none" is the simplest of all, so that what is chosen
    is never worse than it on held-out rows. Rule: Breiman, Friedman, Olshen, Stone, "Classification and Regression
    Trees", 1984, section 3.4.3.

    Args:
        logits: `[N, C]` contiguous float32 or float64, no NaN.
        labels: `[N]` class indices.
        sample_weights: `[N]` or None.
        methods: to choose from, the simplest first; by default what suits C and N.
        seed: of the folds.
        progress: called with the fraction done.
    """
    N, C = logits.shape
    names = tuple(methods) if methods is not None else candidates(C, N)
    folds = deal_folds(labels, None, seed)
    held = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    enough = int(np.searchsorted(np.cumsum([len(rows) for rows in held]), _ENOUGH_ROWS)) + 1
    held = [rows for rows in held[:enough] if len(rows)]
    judged = np.concatenate(held) if held else np.empty(0, np.intp)
    if len(names) == 1 or not len(judged) or (len(held) < 2 and N < FOLDS):
        best = names[0] if len(names) == 1 else "none"
        calibrator = fit_method(best, logits, labels, sample_weights)
        return CalibratorSelection(calibrator, (CalibratorTrial(best, None, None, None, 0.0),), 0)
    weights = np.ones(len(judged)) if sample_weights is None else sample_weights[judged]
    by_fold, seconds = [], np.zeros(len(names))
    for i, rows in enumerate(held):
        by_fold.append(_losses(names, logits, labels, sample_weights, rows, seconds))
        progress((i + 1) / (len(held) + 1))
    losses = [np.concatenate(of_method) for of_method in zip(*by_fold, strict=True)]
    means = [_mean(loss, weights) for loss in losses]
    lowest = int(np.argmin(means))
    errors = [_standard_error(loss - losses[lowest], weights) for loss in losses]
    chosen = next(
        i for i, mean in enumerate(means) if mean - means[lowest] <= max(_TRIFLE, min(errors[i], _SIMPLICITY))
    )
    trials = tuple(
        CalibratorTrial(method, _finite(mean), _finite(mean - means[lowest]), _finite(error), spent)
        for method, mean, error, spent in zip(names, means, errors, seconds.tolist(), strict=True)
    )
    return CalibratorSelection(fit_method(names[chosen], logits, labels, sample_weights), trials, len(judged))


def _losses(
    methods: Sequence[str], logits: Array, labels: NDArray[np.intp], weights: NDArray[np.float64] | None,
    rows: NDArray[np.intp], seconds: NDArray[np.float64],
) -> list[NDArray[np.float64]]:  # fmt: skip
    """Return the log loss of each of these rows by each method, fitted on the other rows alone; add up its seconds."""
    inside = np.ones(len(labels), np.bool_)
    inside[rows] = False
    z, y, w = logits[inside], labels[inside], None if weights is None else weights[inside]
    losses: dict[str, NDArray[np.float64]] = {}
    made: dict[str, Calibrator] = {}
    for method in reversed(methods):  # the richest first: half of a structured matrix needs the whole
        started = time.perf_counter()
        whole = made.get(method.removeprefix("half "))
        half = isinstance(whole, AffineCalibrator) and method.startswith("half ")
        made[method] = whole.half_way(method) if half else fit_method(method, z, y, w)  # type: ignore[union-attr]
        losses[method] = measure_rows(labels[rows], logits=made[method].log_probs(logits[rows])).log_loss
        seconds[methods.index(method)] += time.perf_counter() - started
    return [losses[method] for method in methods]


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    counted = weights > 0.0  # 0 * inf is no loss
    total = float(weights[counted].sum())
    return float(weights[counted] @ values[counted]) / total if total > 0.0 else math.inf


def _standard_error(differences: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the standard error of the weighted mean; 0 where a difference is infinite, or NaN as of two infinities."""
    if not np.isfinite(differences).all():
        return 0.0
    total = float(weights.sum())
    if total <= 0.0:
        return 0.0
    mean = float(weights @ differences) / total
    return math.sqrt(float(weights**2 @ (differences - mean) ** 2)) / total


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
