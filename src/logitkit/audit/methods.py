"""Every calibrator fitted on the same rows and judged on the same others."""

from __future__ import annotations

import time
from collections.abc import Callable

from logitkit.audit.judging import estimate, judge_sample
from logitkit.audit.record import MethodFigures
from logitkit.audit.rows import Sample
from logitkit.trust.calibrators.base import Calibrator
from logitkit.trust.calibrators.methods import MATRIX_CLASSES, METHODS, fit_method

__all__ = ["compare_methods"]

_FEW_CLASSES = 20  # for Venn-Abers, which has a predictor for every pair
_STEP_CLASSES = 1_000
_MATRICES = ("half structured matrix", "structured matrix", "shared beta matrix", "dirichlet")
_REPLICATES = 500


def refusal(method: str, C: int) -> str | None:
    """Return a word for why a method is not tried for so many classes, or None."""
    if method == "beta" and C != 2:
        return "two classes only"
    if method in _MATRICES and C > MATRIX_CLASSES:
        return "too many classes"
    if method == "venn-abers" and C > _FEW_CLASSES:
        return "too many classes"
    if method in ("isotonic", "histogram") and C > _STEP_CLASSES:
        return "too many classes"
    return None


def compare_methods(
    fit: Sample,
    compared: Sample,
    chosen: Calibrator,
    seed: int,
    *,
    all_methods: bool,
    progress: Callable[[float], None],
) -> tuple[MethodFigures, ...]:
    """Return what each method is worth on the compared rows, the simplest first; of the chosen one, the one chosen.

    Args:
        fit: what calibrators see.
        compared: what judges them.
        chosen: the calibrator that was chosen; it is not fitted again.
        seed: of the intervals.
        all_methods: whether to try all, or only "none" and the chosen one.
        progress: called with the fraction done.
    """
    C = fit.logits.shape[1]
    figures = []
    for i, method in enumerate(METHODS):
        if not all_methods and method not in ("none", chosen.method):
            continue
        why = refusal(method, C)
        if why is not None and method != chosen.method:
            figures.append(MethodFigures(method, None, None, None, None, None, why))
            continue
        started = time.perf_counter()
        calibrator = chosen if method == chosen.method else fit_method(method, fit.logits, fit.labels)
        seconds = time.perf_counter() - started
        judged = judge_sample(compared, [calibrator], seed, _REPLICATES)[0]
        figures.append(
            MethodFigures(
                method=method,
                accuracy=estimate(judged.accuracy),
                log_loss=estimate(judged.log_loss),
                brier_score=estimate(judged.brier_score),
                expected_calibration_error=estimate(judged.expected_calibration_error),
                fit_seconds=None if calibrator is chosen else seconds,
                refused=None,
            )
        )
        progress((i + 1) / len(METHODS))
    return tuple(figures)
