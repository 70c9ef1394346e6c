"""What a reliability diagram shows: how often each level of confidence is right, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from logitkit.trust.binomial import check_open_fraction
from logitkit.trust.calibration_bins import N_BINS, bin_rows, check_bins, measure_weighted_rows

__all__ = ["ReliabilityDiagram", "reliability", "wilson_interval"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityDiagram:
    """Bins of confidence, as arrays `[n_bins]`: what the rows of each say, and how often they are right.

    A bin without rows has NaN for both means, and the interval [0, 1]: anything may be true there. `trust.reliability`
    makes one.

    Attributes:
        lower: where a bin begins; its confidences are above.
        upper: where it ends; its confidences are at most this.
        count: how many rows it holds, int64.
        mean_confidence: what they say.
        accuracy: the share of them that is right.
        low: from where on the true accuracy is plausible, at this level.
        high: up to where.
        level: the level of the intervals.

    Example:
        >>> from logitkit.trust.reliability_diagram import reliability
        >>> found = reliability([0, 1], probs=[[0.9, 0.1], [0.6, 0.4]], n_bins=2)
        >>> round(found.expected_calibration_error(), 3)  # they say 75 % on average, and half of them are right
        0.25
    """

    lower: Floats
    upper: Floats
    count: NDArray[np.int64]
    mean_confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats
    level: float

    def expected_calibration_error(self) -> float:
        """Return the mean gap between confidence and accuracy, weighted by rows; NaN where there are none."""
        held = self.count > 0
        if not held.any():
            return float("nan")
        return float(self.count[held] @ abs(self.mean_confidence - self.accuracy)[held]) / float(self.count.sum())


def reliability(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    n_bins: int = N_BINS,
    binning: str = "width",
    level: float = 0.95,
) -> ReliabilityDiagram:
    """Return the data of a reliability diagram: confidence against accuracy in bins, with intervals.

    The interval of each bin is Wilson's for the accuracy of its rows. If it misses the bin's mean confidence, the gap
    is more than chance explains at this level, for this one bin: of 20 bins of a perfect model, about one misses at
    0.95.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits.
        n_bins: in [1, 10000].
        binning: "width" or "mass", as in `expected_calibration_error`.
        level: of the intervals, above 0 and below 1.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of its range.

    Example:
        >>> from logitkit.trust.reliability_diagram import reliability
        >>> found = reliability([0, 0, 0, 1], probs=[[0.9, 0.1]] * 4, n_bins=2)
        >>> found.count.tolist(), found.accuracy.tolist(), found.low.round(2).tolist(), found.high.round(2).tolist()
        ([0, 4], [nan, 0.75], [0.0, 0.3], [1.0, 0.95])

    References:
        DeGroot, Fienberg, "The comparison and evaluation of forecasters", The Statistician 1983.
    """
    function = "reliability"
    n_bins, binning = check_bins(n_bins, binning, function)
    level = check_open_fraction(level, "level", function)
    rows, no_weights = measure_weighted_rows(labels, logits, probs, temperature, None, function)
    bins, edges = bin_rows(rows.confidence, rows.correct, no_weights, n_bins, binning)
    with np.errstate(invalid="ignore"):
        said, right = bins.confidence / bins.weight, bins.correct / bins.weight
    low, high = wilson_interval(bins.correct, bins.count, level)
    lower, upper = np.concatenate([[0.0], edges]), np.concatenate([edges, [1.0]])
    return ReliabilityDiagram(lower, upper, bins.count, said, right, low, high, level)


@overload
def wilson_interval(right: float, count: int, level: float = ...) -> tuple[float, float]: ...


@overload
def wilson_interval(right: NDArray[Any], count: NDArray[Any], level: float = ...) -> tuple[Floats, Floats]: ...


def wilson_interval(right: Any, count: Any, level: float = 0.95) -> tuple[Any, Any]:
    r"""Return between which shares the true one plausibly lies, seeing `right` of `count`: Wilson's score interval.

    .. math:: \frac{k + z^2 / 2}{n + z^2} \pm \frac{z}{n + z^2} \sqrt{\frac{k (n - k)}{n} + \frac{z^2}{4}}

    k right, n in all, z the normal quantile of (1 + level) / 2. Of nothing (n = 0), it is the limit: [0, 1].

    Args:
        right: a number or an array, in [0, count].
        count: a number or an array, at least 0.
        level: above 0 and below 1.

    Returns:
        Two floats, or two arrays in float64, in [0, 1].

    Raises:
        OptionError: if `level` is out of its range.

    Example:
        >>> from logitkit.trust.reliability_diagram import wilson_interval
        >>> [round(bound, 3) for bound in wilson_interval(18, 36)]
        [0.345, 0.655]

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    z = NormalDist().inv_cdf(0.5 + 0.5 * check_open_fraction(level, "level", "wilson_interval"))
    k, n = np.asarray(right, np.float64), np.asarray(count, np.float64)
    centre = (k + 0.5 * z * z) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / np.maximum(n, 1.0) + 0.25 * z * z)
    low, high = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
    return (low, high) if low.ndim else (float(low), float(high))
