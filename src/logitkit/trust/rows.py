"""What one row adds to a metric: the formulas that `trust.metrics` averages and `report.evaluation` streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logitkit.errors import InputError, OptionError
from logitkit.kernels import split
from logitkit.trust.stand_in import checked_labels, checked_logits, log_softmax, softmax

__all__ = ["Reliability", "RowMeasures", "measure_rows", "reliability_of"]

_BLOCK = 2**18  # logits that are held as probabilities at a time


@dataclass(frozen=True, slots=True)
class RowMeasures:
    """Arrays `[N]` in float64, and `predicted` in intp: what the metrics need to know of each row.

    `correct` is 1.0 where the arg max is the label. `log_loss` is -log p of the label, in [0, inf]. `brier` is the sum over
    classes of (p - 1[label])^2, in [0, 2].
    """

    predicted: NDArray[np.intp]
    correct: NDArray[np.float64]
    confidence: NDArray[np.float64]
    log_loss: NDArray[np.float64]
    brier: NDArray[np.float64]


def measure_rows(
    labels: ArrayLike,
    *,
    logits: ArrayLike | None = None,
    probs: ArrayLike | None = None,
    temperature: float = 1.0,
    unseen: bool = False,
    first_row: int = 0,
) -> RowMeasures:
    """Return arg max, correctness, confidence, log loss and Brier score of every row, computed in float64.

    Exactly one of `logits` and `probs` is given; nothing is guessed from the numbers. The log loss of logits comes from
    log_softmax, never from a probability that was rounded or clipped.

    Args:
        labels: `[N]` integers in [0, C); with `unseen`, -1 marks a label that is none of the C classes: such a row is
            never correct, its log loss is inf, and its Brier score counts the missing class as one with probability 0.
        logits: `[N, C]`.
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits; greater than 0.
        unseen: allow -1.
        first_row: what errors call the first row.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or `temperature` is out of range.

    Example:
        >>> from logitkit.trust.rows import measure_rows
        >>> measure_rows([0, 1], probs=[[0.9, 0.1], [0.6, 0.4]]).brier.round(2).tolist()
        [0.02, 0.72]
    """
    if (logits is None) == (probs is None):
        raise OptionError("Exactly one of logits and probs must be given; got " + ("neither." if probs is None else "both."))
    if not 0.0 < temperature < np.inf:
        raise OptionError(f"temperature must be greater than 0 and finite; got {temperature}.")
    if probs is not None and temperature != 1.0:
        raise OptionError(f"temperature divides logits and cannot be used with probs; got {temperature}.")
    values = checked_logits(logits if probs is None else probs)
    N, C = values.shape
    y = checked_labels(labels, N, C, lowest=-1 if unseen else 0)
    measures = RowMeasures(np.empty(N, np.intp), *(np.empty(N) for _ in range(4)))
    for start, stop in split(N, _BLOCK // C):
        block = RowMeasures(*(getattr(measures, name)[start:stop] for name in RowMeasures.__slots__))
        _measure_block(values[start:stop], y[start:stop], first_row + start, logits is None, temperature, block)
    return measures


def _measure_block(
    values: NDArray[np.floating[Any]], y: NDArray[np.intp], first_row: int, are_probs: bool, temperature: float, out: RowMeasures
) -> None:
    values = values.astype(np.float64)
    if np.isnan(values.sum()):  # also where inf meets -inf, which is not wrong: so look closer
        wrong = np.flatnonzero(np.isnan(values).any(axis=1))
        if wrong.size:
            kind = "probs" if are_probs else "logits"
            raise InputError(f"The {kind} in row {first_row + wrong[0]} hold NaN; drop that row or mend its source.")
    p = _checked_probs(values, first_row) if are_probs else softmax(values, temperature=temperature)
    rows, known = np.arange(len(y)), y >= 0
    label = np.where(known, y, 0)
    p_label = np.where(known, p[rows, label], 0.0)
    predicted = values.argmax(axis=1)
    if are_probs:
        with np.errstate(divide="ignore"):
            loss = -np.log(p_label)
    else:
        log_p = log_softmax(values, temperature=temperature)
        loss = np.where(known, -log_p[rows, label], np.inf)
    out.predicted[:] = predicted
    out.correct[:] = predicted == y
    out.confidence[:] = p[rows, predicted]
    out.log_loss[:] = np.maximum(loss, 0.0)
    out.brier[:] = np.einsum("nc,nc->n", p, p) - 2.0 * p_label + 1.0


def _checked_probs(probs: NDArray[np.float64], first_row: int) -> NDArray[np.float64]:
    wrong = np.flatnonzero((probs < 0.0).any(axis=1) | (probs > 1.0).any(axis=1) | (abs(probs.sum(axis=1) - 1.0) > 1e-3))
    if wrong.size:
        row = probs[wrong[0]]
        raise InputError(
            f"The probs in row {first_row + wrong[0]} must be in [0, 1] and sum to 1; they lie in [{row.min():.6g}, {row.max():.6g}] "
            f"and sum to {row.sum():.6g}; if they are logits, pass them as logits."
        )
    return probs


@dataclass(frozen=True, slots=True)
class Reliability:
    """Sums `[n_bins]` over the rows of each bin of confidence; bin b holds confidences in (b / n_bins, (b + 1) / n_bins]."""

    count: NDArray[np.int64]
    weight: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.float64]

    def expected_calibration_error(self) -> float:
        """Return sum_b |confidence_b - correct_b| / sum_b weight_b, in [0, 1]; NaN where no row counts."""
        total = float(self.weight.sum())
        return float(abs(self.confidence - self.correct).sum()) / total if total > 0.0 else float("nan")


def reliability_of(
    confidence: NDArray[np.float64], correct: NDArray[np.float64], weights: NDArray[np.float64] | None, n_bins: int
) -> Reliability:
    """Sort rows into bins of equal width by their confidence; weights are 1 where there are none.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.rows import reliability_of
        >>> reliability_of(np.array([0.5, 0.9]), np.array([0.0, 1.0]), None, 2).count.tolist()
        [1, 1]
    """
    if n_bins < 1:
        raise OptionError(f"n_bins must be at least 1; got {n_bins}.")
    bins = np.searchsorted(np.arange(1, n_bins) / n_bins, confidence, side="left")
    w = np.ones(len(confidence)) if weights is None else weights
    sums = [np.bincount(bins, column, n_bins) for column in (w, w * confidence, w * correct)]
    return Reliability(np.bincount(bins, minlength=n_bins), *sums)
