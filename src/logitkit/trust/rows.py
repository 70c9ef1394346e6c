"""What one row adds to a metric: the formulas that `trust.metrics` averages and `report.evaluation` streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_labels, as_logits, check_count, check_temperature, input_error
from logitkit.errors import InputError, OptionError
from logitkit.kernels import run_blocks, split

__all__ = ["Reliability", "RowMeasures", "given_values", "measure_rows", "reliability_of"]

_BLOCK = 2**18  # logits that a thread measures at a time


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
    """Return arg max, correctness, confidence, log loss and Brier score of every row, as float64.

    Exactly one of `logits` and `probs` is given; nothing is guessed from the numbers. The log loss of logits is that of
    log_softmax, never from a probability that was rounded or clipped. float64 is measured to a few ulp; float32, which
    is not copied, to 1e-8; float16 and bfloat16 are widened to it. A row has the same bits in any batch.

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
    name, values = given_values(logits, probs, function)
    temperature = check_temperature(temperature, function)
    if probs is not None and temperature != 1.0:
        raise OptionError(f"The 'temperature' option of {function} divides logits; it cannot be used with probs.")
    N, C = values.shape
    y = as_labels(labels, (N,), C, function, lowest=-1 if unseen else 0)
    measures = RowMeasures(memory.empty((N,), np.intp), *(memory.empty((N,), np.float64) for _ in range(4)))
    wrong_row = _measure(values, y, None if probs is not None else 1.0 / temperature, measures)
    if wrong_row >= 0:
        raise _wrong(values[wrong_row], name, function, first_row + wrong_row)
    np.equal(measures.predicted, y, out=measures.correct, casting="unsafe")
    return measures


def given_values(logits: Any, probs: Any, function: str) -> tuple[str, NDArray[Any]]:
    """Return which of the two is given, by name, and its numbers `[N, C]`.

    Raises:
        InputError: if it is no array of numbers of two dimensions with a class or more.
        OptionError: if not exactly one is given.

    Example:
        >>> from logitkit.trust.rows import given_values
        >>> given_values(None, [[0.9, 0.1]], "judge")[0]
        'probs'
    """
    if (logits is None) == (probs is None):
        found = "neither" if probs is None else "both"
        raise OptionError(f"Exactly one of 'logits' and 'probs' of {function} must be given; got {found}.")
    name = "logits" if probs is None else "probs"
    return name, as_logits(logits if probs is None else probs, function, ndim=2, name=name)


def _measure(values: NDArray[Any], y: NDArray[np.intp], scale: float | None, measures: RowMeasures) -> int:
    """Fill `measures` in all threads, from probabilities where there is no scale; return the first wrong row, or -1."""
    from logitkit.kernels.measures import measure_block, measure_probs_block, measure_scratch

    N, C = values.shape
    dtype = compute_dtype(values.dtype)
    out = measures.predicted, measures.confidence, measures.log_loss, measures.brier

    def work(start: int, stop: int) -> int:
        block = read_only(np.require(values[start:stop], dtype, ["C", "A"]))
        outs = (array[start:stop] for array in out)
        if scale is None:
            row = measure_probs_block(block, y[start:stop], *outs)
        else:
            row = measure_block(block, y[start:stop], scale, measure_scratch(C, dtype), *outs)
        return start + int(row) if row >= 0 else -1

    wrong_rows = run_blocks(work, split(N, _BLOCK // C))
    return next((row for row in wrong_rows if row >= 0), -1)


def _wrong(row: NDArray[Any], name: str, function: str, number: int) -> InputError:
    """Return the error for a row that has a NaN, or is no distribution."""
    p = row.astype(np.float64)
    if np.isnan(p).any():
        return input_error(name, function, "free of NaN", f"NaN in row {number}")
    with np.errstate(invalid="ignore"):  # the sum of two infinities
        found = f"values in [{p.min():.6g}, {p.max():.6g}] with sum {p.sum():.6g} in row {number}"
    return input_error(name, function, "in [0, 1] with rows that sum to 1 (logits are passed as logits)", found)


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
