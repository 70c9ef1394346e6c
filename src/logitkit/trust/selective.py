"""Answer only where the model is sure: what share of the rows is answered, and how many of those answers are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only, to_numpy
from logitkit.checks import check_count, input_error
from logitkit.kernels import run_blocks, split
from logitkit.trust.rows import measure_rows

__all__ = ["RiskCoverageCurve", "area_under_risk_coverage", "risk_coverage_curve", "risk_coverage_of_keys"]

_MANY = 2**19  # keys that are sorted at once

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverageCurve:
    """What answering only the surest rows costs, at every threshold that makes a difference.

    Arrays `[K]`, the strictest threshold first. Rows of equal confidence are answered together: they are one point.

    Attributes:
        threshold: in [0, 1], descending. The rows with confidence >= threshold are answered.
        answered: how many these are, ascending; the last is N.
        errors: how many of the answers are wrong.

    Example:
        >>> from logitkit.trust.selective import risk_coverage_curve
        >>> curve = risk_coverage_curve([0.9, 0.8, 0.8, 0.4], [True, True, False, False])
        >>> curve.coverage.tolist(), curve.risk.round(3).tolist()
        ([0.25, 0.75, 1.0], [0.0, 0.333, 0.5])
    """

    threshold: Floats
    answered: Counts
    errors: Counts

    @property
    def coverage(self) -> Floats:
        """The share of the rows that is answered, in (0, 1], ascending; the last is 1."""
        return self.answered / self.answered[-1:]

    @property
    def risk(self) -> Floats:
        """The share of the answers that is wrong, in [0, 1]."""
        return self.errors / self.answered

    @property
    def accuracy(self) -> Floats:
        """1 - risk: against coverage, this is the accuracy-coverage curve."""
        return (self.answered - self.errors) / self.answered

    def aurc(self) -> float:
        """Return the area under the curve, in [0, 1]: the mean over k = 1..N of the risk at coverage k / N.

        Among rows of equal confidence the order is random: errors grow linearly. NaN where there are no rows.

        Source: Geifman and El-Yaniv, "Selective classification for deep neural networks", 2017.

        Example:
            >>> from logitkit.trust.selective import risk_coverage_curve
            >>> risk_coverage_curve([0.9, 0.8], [False, True]).aurc()  # the mean of 1 / 1 and 1 / 2
            0.75
        """
        return _area(self.answered, self.errors)

    def eaurc(self) -> float:
        """Return the excess of `aurc` over that of the best order, every error last: what is lost by ranking alone.

        In [0, 1]; NaN where there are no rows.

        Source: Geifman, Uziel, El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.

        Example:
            >>> from logitkit.trust.selective import risk_coverage_curve
            >>> risk_coverage_curve([0.9, 0.8], [False, True]).eaurc()  # 3 / 4, and 1 / 4 at best
            0.5
        """
        N, wrong = self.answered[-1:], self.errors[-1:]
        best = _area(np.concatenate([N - wrong, N]), np.concatenate([0 * wrong, wrong]))
        return max(0.0, self.aurc() - best) if N.size else float("nan")

    def thinned(self, points: int = 200) -> RiskCoverageCurve:
        """Return at most `points` of the points, each as it was, about evenly spaced in coverage; first and last stay.

        What lies between two points is then taken for tied: `aurc` of a thinned curve is nearly that of the whole.

        Raises:
            OptionError: if `points` is below 2.
        """
        points = check_count(points, 2, 10**9, "points", "thinned")
        if self.answered.size <= points:
            return self
        kept = np.unique(np.searchsorted(self.answered, _wanted(int(self.answered[-1]), points)))
        return RiskCoverageCurve(self.threshold[kept], self.answered[kept], self.errors[kept])

    def to_json(self) -> dict[str, list[Any]]:
        """Return lists by the names of the arrays, coverage and risk among them."""
        names = ("threshold", "coverage", "risk", "answered", "errors")
        return {name: getattr(self, name).tolist() for name in names}


def risk_coverage_curve(confidence: Any, correct: Any) -> RiskCoverageCurve:
    """Return risk and coverage at every threshold on the confidence.

    Nothing is rounded: float64 confidences are ranked as float64, so that 1 - 1e-15 comes before 1 - 1e-14.

    Args:
        confidence: `[N]` numbers in [0, 1]: the largest probability of each row.
        correct: `[N]` booleans, or 0 and 1: whether the arg max is the label.

    Raises:
        InputError: if the shapes disagree, a confidence is not in [0, 1], or a `correct` is neither 0 nor 1.

    Example:
        >>> from logitkit.trust.selective import risk_coverage_curve
        >>> curve = risk_coverage_curve([0.5, 0.9, 0.7], [0, 1, 1])
        >>> curve.threshold.tolist(), curve.errors.tolist()
        ([0.9, 0.7, 0.5], [0, 0, 1])
    """
    function = "risk_coverage_curve"
    c, right = to_numpy(confidence, "confidence", function), to_numpy(correct, "correct", function)
    if c.ndim != 1 or right.shape != c.shape:
        found = f"{list(c.shape)} and {list(right.shape)}"
        raise input_error("confidence", function, "of one shape [N] with correct", found)
    for name, array in (("confidence", c), ("correct", right)):
        if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16" and array.size:
            raise input_error(name, function, "numbers", array.dtype.name)
    narrow = c.dtype.itemsize <= 4 and c.dtype.kind not in "iub"
    c = np.add(c, 0.0, dtype=np.float32 if narrow else np.float64)  # -0, too, is 0
    for name, fine, constraint in (
        ("confidence", (c >= 0.0) & (c <= 1.0), "in [0, 1]"),
        ("correct", (right == 0) | (right == 1), "True or False, or 1 and 0"),
    ):
        if not fine.all():
            row = int(np.argmin(fine))
            raise input_error(name, function, constraint, f"{(c if name == 'confidence' else right)[row]} in row {row}")
    keys: NDArray[Any] = c.view(np.uint32 if narrow else np.uint64)
    keys <<= keys.dtype.type(1)
    keys |= right.astype(np.bool_)
    sort_keys(keys)
    return points_of_keys(keys, None)[0]


def risk_coverage_of_keys(keys: NDArray[Any]) -> RiskCoverageCurve:
    """Return the curve of rows that are given as one unsigned number each, in any order.

    A key is the bit pattern of the confidence, as float32 (uint32 keys) or float64 (uint64), shifted left by one, with
    `correct` in the lowest bit. Bit patterns of numbers that are not negative order as the numbers do, and integers
    are what NumPy sorts fastest; a stream need not keep more of a row.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.selective import risk_coverage_of_keys
        >>> bits = np.array([0.9, 0.6]).view(np.uint64)
        >>> risk_coverage_of_keys(bits << np.uint64(1) | np.array([1, 0], np.uint64)).risk.tolist()
        [0.0, 0.5]
    """
    ordered = keys.copy()
    sort_keys(ordered)
    return points_of_keys(ordered, None)[0]


def sort_keys(keys: NDArray[Any]) -> None:
    """Sort keys in their place, many of them in several threads: a partition takes a sixth of the time of sorting."""
    blocks = split(len(keys), max(_MANY, len(keys) // 4))
    if len(blocks) > 1:
        keys.partition([start for start, _ in blocks[1:]])
    run_blocks(lambda start, stop: keys[start:stop].sort(), blocks)


def points_of_keys(ordered: NDArray[Any], points: int | None) -> tuple[RiskCoverageCurve, float]:
    """Return the curve of ascending keys, thinned where `points` says so, and the area under all of it.

    The curve of many rows is never held as a whole: it is larger than the keys.
    """
    from logitkit.kernels.risk import count_points, walk_keys

    N, ordered = len(ordered), read_only(ordered)
    room, wanted = int(count_points(ordered, N if points is None else points)), np.empty(0, np.int64)
    if points is not None and room > points:
        room, wanted = points, _wanted(N, points)
    bits, answered, errors = np.empty(room, ordered.dtype), np.empty(room, np.int64), np.empty(room, np.int64)
    K, total = walk_keys(ordered, wanted, bits, answered, errors)
    threshold = bits[:K].view(np.float32 if ordered.itemsize == 4 else np.float64).astype(np.float64)
    curve = RiskCoverageCurve(threshold, answered[:K], errors[:K])
    return curve, float(total) / N if N else float("nan")


def _wanted(N: int, points: int) -> Counts:
    """Return how many answers each of some evenly spaced points should have at least."""
    return np.ceil(np.linspace(1, N, points)).astype(np.int64)


def _area(answered: Counts, errors: Counts) -> float:
    """Return the mean of the risks under a curve; NaN where there are no rows."""
    from logitkit.kernels.risk import risk_sum

    return float(risk_sum(answered, errors)) / int(answered[-1]) if answered.size else float("nan")


def area_under_risk_coverage(labels: Any, *, logits: Any = None, probs: Any = None, temperature: float = 1.0) -> float:
    """Return the area under the risk-coverage curve (AURC) of ranking by confidence, in [0, 1]; less is better.

    The mean, over k = 1..N, of the error rate among the k surest rows. NaN where there are no rows.

    Arguments and errors are those of `trust.log_loss`. Source: see `RiskCoverageCurve.aurc`.

    Example:
        >>> from logitkit.trust.selective import area_under_risk_coverage
        >>> area_under_risk_coverage([0, 1], probs=[[0.9, 0.1], [0.6, 0.4]])  # the mean of 0 / 1 and 1 / 2
        0.25
    """
    function = "area_under_risk_coverage"
    rows = measure_rows(labels, logits=logits, probs=probs, temperature=temperature, function=function)
    return risk_coverage_curve(rows.confidence, rows.correct).aurc()
