"""Logits and labels → a calibrator: the front door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only, to_numpy
from logitkit.checks import as_binary_targets, as_labels, as_logits, as_weights, check_choice, check_count, input_error
from logitkit.trust.calibrators.base import Array, Calibrator, check_no_nan
from logitkit.trust.calibrators.methods import METHODS, fit_method
from logitkit.trust.calibrators.multilabel import MultilabelCalibrator, column_labels, two_classes
from logitkit.trust.calibrators.selection import CalibratorSelection, choose_calibrator

__all__ = ["fit_calibrator", "select_calibrator"]

_NAME = "fit_calibrator"


def fit_calibrator(
    logits: Any, labels: Any, *, method: str = "auto", sample_weights: Any = None, seed: int = 0
) -> Calibrator:
    """Return what turns logits of this model into probabilities that can be believed.

    Fit it on rows that the model was not trained on, and judge it on rows that it was not fitted on.

    Args:
        logits: `[N, C]`, any real numbers and infinities.
        labels: `[N]` integers in [0, C); or, of a multi-label model, `[N, C]` zeros and ones: each label is then
            calibrated on its own.
        method: what to fit, from the simplest to the richest:

            - "auto": what cross-validation finds best among a few of these; never worse than doing nothing on
              held-out rows (see `select_calibrator`).
            - "none": the softmax as it is.
            - "temperature": one number (Guo et al. 2017).
            - "shared beta": three numbers, which bend the top by itself (see `fit_bend`).
            - "bias-corrected temperature": one number and a bias a class (Alexandari, Kundaje, Shrikumar 2020).
            - "vector": a scale and a bias a class (Guo et al. 2017), regularised.
            - "beta": two classes (Kull, Silva Filho, Flach 2017).
            - "structured matrix": all of it, each part held to what it adds (Berta et al. 2026); "half structured
              matrix" lies half-way between it and the temperature, "shared beta matrix" comes after the bend.
            - "dirichlet": a matrix on log-probabilities (Kull et al. 2019).
            - "isotonic", "histogram": a step function a class, one against the rest (Zadrozny and Elkan 2001, 2002).
            - "venn-abers": with an interval for each probability (Vovk, Petej, Fedorova 2015).
        sample_weights: `[N]`, finite and at least 0; a weight counts as that many rows. Not for "venn-abers".
        seed: of the folds of "auto".

    Raises:
        InputError: if shapes disagree, a label is out of range, a logit is NaN (the row is named), or there is no row.
        OptionError: if there is no such method, or not for so many classes.

    Example:
        >>> from logitkit import trust
        >>> logits, labels = [[4.0, 0.0]] * 4, [0, 0, 0, 1]  # says 98 %, right 75 % of the time
        >>> calibrator = trust.fit_calibrator(logits, labels, method="temperature")
        >>> calibrator.probs([[4.0, 0.0], [0.0, 8.0]]).round(2).tolist()
        [[0.75, 0.25], [0.1, 0.9]]
    """
    return select_calibrator(logits, labels, method=method, sample_weights=sample_weights, seed=seed).calibrator


def select_calibrator(
    logits: Any,
    labels: Any,
    *,
    method: str = "auto",
    sample_weights: Any = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> CalibratorSelection:
    """Return a calibrator as `fit_calibrator` does, with what each method was worth on held-out rows.

    "auto" takes the simplest method whose cross-validated log loss exceeds the lowest by no more than one standard
    error, and by no more than 0.001 nats.

    Args:
        logits: as for `fit_calibrator`, as are all but the last.
        labels: the same.
        method: the same.
        sample_weights: the same.
        seed: the same.
        progress: called with the fraction done.

    Example:
        >>> import numpy as np
        >>> from logitkit import trust
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 3, 600)
        >>> logits = 9.0 * (np.eye(3)[labels] + rng.normal(size=(600, 3)))  # ten times too sure
        >>> selection = trust.select_calibrator(logits, labels)
        >>> [trial.method for trial in selection.trials]
        ['none', 'temperature', 'shared beta', 'half structured matrix', 'structured matrix', 'shared beta matrix']
        >>> selection.trials[0].log_loss > 2.0 * selection.trials[1].log_loss, selection.rows
        (True, 600)
    """
    check_choice(method, ("auto", *METHODS), "method", _NAME)
    check_count(seed, 0, 2**63 - 1, "seed", _NAME)
    z = as_logits(logits, _NAME, ndim=2)
    z = np.ascontiguousarray(z, compute_dtype(z.dtype))
    check_no_nan(z, _NAME)
    N, C = z.shape
    if N == 0:
        raise input_error("logits", _NAME, "of one row or more", f"the shape {list(z.shape)}")
    w = None if sample_weights is None else as_weights(sample_weights, (N,), "sample_weights", _NAME)
    if w is not None:
        counted = w > 0.0
        if not counted.all():
            return select_calibrator(
                z[counted], to_numpy(labels, "labels", _NAME)[counted], method=method, sample_weights=w[counted],
                seed=seed, progress=progress,
            )  # fmt: skip
    y = to_numpy(labels, "labels", _NAME)
    if y.ndim == 2:
        return _each_label(z, as_binary_targets(y, z.shape, _NAME, "labels"), w, method, seed, progress)
    return _select(read_only(z), as_labels(y, (N,), C, _NAME), w, method, seed, progress)


def _select(
    z: Array, y: NDArray[np.intp], w: NDArray[np.float64] | None, method: str, seed: int,
    progress: Callable[[float], None],
) -> CalibratorSelection:  # fmt: skip
    if method == "auto":
        return choose_calibrator(z, y, w, seed=seed, progress=progress)
    return CalibratorSelection(fit_method(method, z, y, w), (), 0)


def _each_label(
    z: Array, targets: NDArray[Any], w: NDArray[np.float64] | None, method: str, seed: int,
    progress: Callable[[float], None],
) -> CalibratorSelection:  # fmt: skip
    calibrators, rows = [], 0
    for k, y in enumerate(column_labels(targets)):
        chosen = _select(read_only(two_classes(z[:, k])), y, w, method, seed, lambda _: None)
        calibrators.append(chosen.calibrator)
        rows = max(rows, chosen.rows)
        progress((k + 1) / z.shape[1])
    return CalibratorSelection(MultilabelCalibrator(method, z.shape[1], tuple(calibrators)), (), rows)
