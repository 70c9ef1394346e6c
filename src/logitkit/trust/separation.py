"""How well outlier scores tell unknown inputs from known ones: AUROC, false-positive rate, detection rate.

Both functions and the record take the outlier scores of known and of unknown inputs; larger says more unlike what the
model knows, as `outlier_scores` gives them. Infinities are scores like others; no scores on one side give NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import check_fraction, input_error

__all__ = ["SeparationFigures", "as_outlier_scores", "auroc", "false_positive_rate_at", "separation"]

Scores = NDArray[np.float64]


def as_outlier_scores(values: Any, name: str, function: str) -> Scores:
    """Return outlier scores `[N]` as float64; refuse other shapes and NaN, whose row is named.

    Example:
        >>> from logitkit.trust.separation import as_outlier_scores
        >>> as_outlier_scores([-9, -3], "known", "auroc")
        array([-9., -3.])
    """
    array = to_numpy(values, name, function)
    if array.ndim != 1:
        raise input_error(name, function, "of the shape [N], one number a row", f"the shape {list(array.shape)}")
    if array.size and array.dtype.kind not in "iuf" and array.dtype.name != "bfloat16":
        raise input_error(name, function, "numbers", array.dtype.name)
    numbers = array.astype(np.float64, copy=False)
    nan = np.isnan(numbers)
    if nan.any():
        raise input_error(name, function, "free of NaN", f"NaN in row {int(np.argmax(nan))}")
    return numbers


def auroc(known: Any, unknown: Any) -> float:
    """Return the probability that an unknown input has a larger outlier score than a known one, in [0, 1].

    Ties count half: the area under the ROC curve, which is the Mann-Whitney U of the two groups divided by the number
    of pairs (Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", 1982). 1 tells all apart, 0.5 is chance. The pairs are counted exactly, by sorting.

    Args:
        known: `[N]` outlier scores of inputs like those of training.
        unknown: `[M]` outlier scores of others.

    Returns:
        A float; NaN where N or M is 0.

    Raises:
        InputError: if one is not `[N]` numbers, or has a NaN, whose row is named.

    Example:
        >>> from logitkit.trust.separation import auroc
        >>> auroc([-9.0, -7.0, -3.0], [-3.0, -1.0])
        0.9166666666666666
    """
    k, u = as_outlier_scores(known, "known", "auroc"), as_outlier_scores(unknown, "unknown", "auroc")
    return _auroc(np.sort(k), np.sort(u))


def _auroc(known: Scores, unknown: Scores) -> float:
    """The same of sorted scores: sorted questions walk through memory, which searching at random does not."""
    if not (known.size and unknown.size):
        return math.nan
    below = np.searchsorted(known, unknown, side="left").sum(dtype=np.int64)
    not_above = np.searchsorted(known, unknown, side="right").sum(dtype=np.int64)
    return (int(below) + int(not_above)) / (2 * known.size * unknown.size)


def false_positive_rate_at(known: Any, unknown: Any, *, recall: float = 0.95) -> float:
    """Return the share of unknown inputs that are taken for known where `recall` of the known are, in [0, 1].

    The threshold t is the ceil(recall * N)-th smallest outlier score of the N known inputs: the smallest at which at
    least `recall` of them have scores <= t. The figure is the share of the unknown with scores <= t. With recall 0.95
    it is the FPR at 95 % TPR, or FPR95, of Liang, Li, Srikant, "Enhancing the reliability of out-of-distribution image
    detection in neural networks", ICLR 2018, where known inputs are the positive class. Lower is better.

    Args:
        known: `[N]` outlier scores of inputs like those of training.
        unknown: `[M]` outlier scores of others.
        recall: the share of known inputs to keep, in [0, 1]; 0 keeps none and gives 0.

    Returns:
        A float; NaN where N or M is 0.

    Raises:
        InputError: as `auroc`.
        OptionError: if `recall` is not in [0, 1].

    Example:
        >>> from logitkit.trust.separation import false_positive_rate_at
        >>> false_positive_rate_at([-9.0, -8.0, -7.0, -3.0], [-8.0, -3.0, -1.0, 0.0], recall=0.75)
        0.25
    """
    name = "false_positive_rate_at"
    k, u = as_outlier_scores(known, "known", name), as_outlier_scores(unknown, "unknown", name)
    return _false_positive_rate(np.sort(k), np.sort(u), check_fraction(recall, "recall", name))


def _false_positive_rate(known: Scores, unknown: Scores, recall: float) -> float:
    if not (known.size and unknown.size):
        return math.nan
    kept = math.ceil(Fraction(repr(recall)) * known.size)  # as written: 0.95 of 20 are 19, whatever floats make of it
    if kept == 0:
        return 0.0
    return int(np.searchsorted(unknown, known[kept - 1], side="right")) / unknown.size


@dataclass(frozen=True, slots=True)
class SeparationFigures:
    """How well outlier scores tell unknown inputs from known ones; `separation` makes one.

    Attributes:
        n_known: N.
        n_unknown: M.
        auroc: the probability that an unknown input scores above a known one, ties half.
        fpr_at_95: the share of unknown inputs taken for known where 95 % of the known are.
        detection_at_1: the share of unknown inputs above the threshold that at most 1 % of the known are above.
        detection_at_5: the same at 5 %: 1 - fpr_at_95.
        detection_at_10: the same at 10 %.
    """

    n_known: int
    n_unknown: int
    auroc: float
    fpr_at_95: float
    detection_at_1: float
    detection_at_5: float
    detection_at_10: float


def separation(known: Any, unknown: Any) -> SeparationFigures:
    """Return AUROC, FPR at 95 % and the detection rates at false-alarm rates of 1, 5 and 10 %.

    The detection rate at a false-alarm rate a is 1 - `false_positive_rate_at(known, unknown, recall=1 - a)`. Its
    threshold is that of the very inputs it is judged on; the threshold of an `OutlierRule` comes from others, and
    guarantees its rate. Sorts each side once: millions of scores take a second.

    Args:
        known: `[N]` outlier scores of inputs like those of training.
        unknown: `[M]` outlier scores of others.

    Returns:
        The figures; NaN in all rates where N or M is 0.

    Raises:
        InputError: as `auroc`.

    Example:
        >>> from logitkit.trust.separation import separation
        >>> separation([-9.0, -7.0, -3.0], [-3.0, -1.0]).detection_at_5
        0.5
    """
    k = np.sort(as_outlier_scores(known, "known", "separation"))
    u = np.sort(as_outlier_scores(unknown, "unknown", "separation"))
    at_99, at_95, at_90 = (_false_positive_rate(k, u, recall) for recall in (0.99, 0.95, 0.9))
    return SeparationFigures(k.size, u.size, _auroc(k, u), at_95, 1.0 - at_99, 1.0 - at_95, 1.0 - at_90)
