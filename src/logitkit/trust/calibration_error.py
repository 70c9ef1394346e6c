"""By how much is confidence off? The calibration errors that sort rows into bins of their confidence.

What a metric is given is said by keyword, `logits=` or `probs=`. No rows, or no weight, give NaN. Everything is
computed in float64. Class by class: `class_calibration_error.py`; without bins: `smooth_calibration.py`; to look at:
`reliability_diagram.py`.
"""

from __future__ import annotations

import math
from typing import Any

from logitkit.trust.calibration_bins import N_BINS, bin_rows, check_bins, measure_weighted_rows
from logitkit.trust.rows import Reliability

__all__ = [
    "debiased_calibration_error",
    "expected_calibration_error",
    "maximum_calibration_error",
]


def expected_calibration_error(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
    n_bins: int = N_BINS,
    binning: str = "width",
) -> float:
    r"""Return the mean gap between confidence and accuracy over bins of confidence, weighted by their rows, in [0, 1].

    .. math:: \sum_b \frac{n_b}{N} \, | \mathrm{conf}_b - \mathrm{acc}_b |

    0.02 says that confidence is off by two points on average. With few rows a bin the error is too large: noise in the
    accuracies adds to it (see `debiased_calibration_error`).

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits.
        sample_weights: `[N]`, finite and at least 0; a weight counts as that many rows.
        n_bins: in [1, 10000].
        binning: "width": bin b holds confidences in (b / n_bins, (b + 1) / n_bins]. "mass": bins of equal numbers of
            rows; bin b ends at the smallest confidence that at least (b + 1) / n_bins of the rows do not exceed, so
            that rows which tie stay together.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of its range.

    Example:
        >>> from logitkit.trust.calibration_error import expected_calibration_error
        >>> round(expected_calibration_error([0, 1], probs=[[0.9, 0.1], [0.9, 0.1]]), 3)  # says 90 %, right 50 %
        0.4

    References:
        "width": Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 2.
        "mass": Nguyen, O'Connor, "Posterior calibration and exploratory analysis for natural language processing
        models", EMNLP 2015.
    """
    function = "expected_calibration_error"
    bins = _binned(labels, logits, probs, temperature, sample_weights, n_bins, binning, function)
    return bins.expected_calibration_error()


def maximum_calibration_error(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
    n_bins: int = N_BINS,
    binning: str = "width",
) -> float:
    r"""Return the largest gap between mean confidence and accuracy of a bin that holds rows, in [0, 1].

    .. math:: \max_b | \mathrm{conf}_b - \mathrm{acc}_b |

    One row alone in its bin decides it: with "width" bins it says little unless every bin is well filled.

    Arguments and errors are those of `expected_calibration_error`.

    Example:
        >>> from logitkit.trust.calibration_error import maximum_calibration_error
        >>> probs = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]]
        >>> round(maximum_calibration_error([0, 0, 1], probs=probs), 3)
        0.6

    References:
        Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    function = "maximum_calibration_error"
    bins = _binned(labels, logits, probs, temperature, sample_weights, n_bins, binning, function)
    held = bins.weight > 0.0
    gaps = abs(bins.confidence[held] - bins.correct[held]) / bins.weight[held]
    return float(gaps.max()) if gaps.size else math.nan


def debiased_calibration_error(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
    n_bins: int = N_BINS,
    binning: str = "mass",
) -> float:
    r"""Return the root of the mean squared gap, less what chance alone adds to it, in [0, 1].

    .. math:: \sqrt{\max\Big(0, \sum_b \frac{n_b}{N} \Big[ (\mathrm{conf}_b - \mathrm{acc}_b)^2
              - \frac{\mathrm{acc}_b (1 - \mathrm{acc}_b)}{n_b - 1} \Big] \Big)}

    The accuracy of n rows scatters around the true one, so the squared gap of a perfect model is above 0; the second
    term takes that away, and the sum may come out below 0, which gives 0. As in the authors' code, a bin with a single
    row adds nothing, for one row cannot tell a gap from chance.

    Arguments and errors are those of `expected_calibration_error`. `sample_weights` are numbers of rows here: weights
    that are scaled to a sum of 1 would say that there is one row.

    Returns:
        NaN where no bin holds more than one row.

    Example:
        >>> from logitkit.trust.calibration_error import debiased_calibration_error
        >>> probs = [[0.75, 0.25]] * 100  # 65 of 100 right: 0.1 off, of which chance alone explains some
        >>> round(debiased_calibration_error([0] * 65 + [1] * 35, probs=probs), 4)
        0.0878

    References:
        Kumar, Liang, Ma, "Verified uncertainty calibration", NeurIPS 2019, definition 4.1.
    """
    function = "debiased_calibration_error"
    bins = _binned(labels, logits, probs, temperature, sample_weights, n_bins, binning, function)
    n = bins.weight
    held = n > 1.0
    if not held.any():
        return math.nan
    n, accuracy = n[held], bins.correct[held] / n[held]
    squares = (bins.confidence[held] / n - accuracy) ** 2 - accuracy * (1.0 - accuracy) / (n - 1.0)
    return math.sqrt(max(0.0, float(n @ squares) / float(bins.weight.sum())))


def _binned(
    labels: Any,
    logits: Any,
    probs: Any,
    temperature: float,
    sample_weights: Any,
    n_bins: int,
    binning: str,
    function: str,
) -> Reliability:
    """Check everything and sort the rows into bins of their confidence."""
    n_bins, binning = check_bins(n_bins, binning, function)
    rows, weights = measure_weighted_rows(labels, logits, probs, temperature, sample_weights, function)
    return bin_rows(rows.confidence, rows.correct, weights, n_bins, binning)[0]
