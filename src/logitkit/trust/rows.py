"""What one row adds to a metric: the formulas that `trust.metrics` averages and `report.evaluation` streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_labels, as_logits, check_count, check_temperature, input_error
from logitkit.errors import OptionError
from logitkit.kernels import split
from logitkit.ops import argmax, log_softmax, softmax

__all__ = ["Reliability", "RowMeasures", "measure_rows", "reliability_of"]

_BLOCK = 2**18  # logits that are held as probabilities at a time


@dataclass(frozen=True, slots=True)
class RowMeasures:
    """Arrays `[N]` in float64, and `predicted` in intp: what the metrics need to know of each row.

    `correct` is 1.0 where the arg max is the label. `log_loss` is -log p of the label, in [0, inf]. `brier` is the
    sum over classes of (p - 1[label])^2, in [0, 2].
    """

    predicted: NDArray[np.intp]
    correct: NDArray[np.float64]
    confidence: NDArray[np.float64]
    log_loss: NDArray[np.float64]
    brier: NDArray[np.float64]


def measure_rows(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    unseen: bool = False,
    first_row: int = 0,
    function: str = "measure_rows",
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
        function: what errors call this function.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or `temperature` is out of range.

    Example:
        >>> from logitkit.trust.rows import measure_rows
        >>> measure_rows([0, 1], probs=[[0.9, 0.1], [0.6, 0.4]]).brier.round(2).tolist()
        [0.02, 0.72]
    """
    if (logits is None) == (probs is None):
        found = "neither" if probs is None else "both"
        raise OptionError(f"Exactly one of 'logits' and 'probs' of {function} must be given; got {found}.")
    temperature = check_temperature(temperature, function)
    if probs is not None and temperature != 1.0:
        raise OptionError(f"The 'temperature' option of {function} divides logits; it cannot be used with probs.")
    name = "logits" if probs is None else "probs"
    values = as_logits(logits if probs is None else probs, function, ndim=2, name=name)
    N, C = values.shape
    y = as_labels(labels, (N,), C, function, lowest=-1 if unseen else 0)
    measures = RowMeasures(np.empty(N, np.intp), *(np.empty(N) for _ in range(4)))
    for start, stop in split(N, _BLOCK // C):
        block = np.array(values[start:stop], np.float64)
        p = softmax(block, temperature=temperature) if probs is None else block
        predicted = argmax(block)
        confidence = _at(p, predicted)
        nan = np.flatnonzero(np.isnan(confidence))  # a NaN is the arg max of its row, and makes all of its softmax NaN
        if nan.size:
            raise input_error(name, function, "free of NaN", f"NaN in row {first_row + start + nan[0]}")
        out = RowMeasures(*(getattr(measures, field)[start:stop] for field in RowMeasures.__slots__))
        y_block, known = y[start:stop], y[start:stop] >= 0
        p_label = np.where(known, _at(p, y_block), 0.0)
        out.predicted[:] = predicted
        out.correct[:] = predicted == y_block
        out.confidence[:] = confidence
        out.brier[:] = np.einsum("nc,nc->n", p, p) - 2.0 * p_label + 1.0
        if probs is None:
            log_p = _at(log_softmax(block, temperature=temperature), y_block)
            out.log_loss[:] = np.where(known, -log_p, np.inf)
        else:
            _check_probs(block, function, first_row + start)
            with np.errstate(divide="ignore"):
                out.log_loss[:] = -np.log(p_label)
        np.maximum(out.log_loss, 0.0, out=out.log_loss)  # -0.0, too, is 0
    return measures


def _at(values: NDArray[np.float64], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return one value a row; column -1 gives that of the last, which the caller does not use."""
    return np.take_along_axis(values, columns[:, None], axis=1)[:, 0]


def _check_probs(probs: NDArray[np.float64], function: str, first_row: int) -> None:
    low, high, total = probs.min(axis=1), probs.max(axis=1), probs.sum(axis=1)
    wrong = np.flatnonzero((low < 0.0) | (high > 1.0) | (abs(total - 1.0) > 1e-3))
    if wrong.size:
        row = wrong[0]
        found = f"values in [{low[row]:.6g}, {high[row]:.6g}] with sum {total[row]:.6g} in row {first_row + row}"
        raise input_error("probs", function, "in [0, 1] with rows that sum to 1 (logits are passed as logits)", found)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Sums `[n_bins]` over the rows of each bin; bin b holds confidences in (b / n_bins, (b + 1) / n_bins]."""

    count: NDArray[np.int64]
    weight: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.float64]

    def __iadd__(self, other: Reliability) -> Reliability:
        """Add the sums of other rows to these."""
        for mine, theirs in zip(self._sums(), other._sums(), strict=True):
            np.add(mine, theirs, out=mine)
        return self

    def _sums(self) -> tuple[NDArray[Any], ...]:
        return self.count, self.weight, self.confidence, self.correct

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
    n_bins = check_count(n_bins, 1, 10**6, "n_bins", "reliability_of")
    bins = np.searchsorted(np.arange(1, n_bins) / n_bins, confidence, side="left")
    w = np.ones(len(confidence)) if weights is None else weights
    sums = (np.bincount(bins, column, n_bins).astype(np.float64) for column in (w, w * confidence, w * correct))
    return Reliability(np.bincount(bins, minlength=n_bins).astype(np.int64), *sums)
