"""Venn-Abers calibration: for every row two probabilities, one of which is calibrated whatever the model is.

    p0, p1 = the isotonic fit at the row, with the row itself added under label 0, and under label 1
    p = p1 / (1 - p0 + p1)

More than two classes are compared in pairs, and the pairs are put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_labels, as_logits, input_error
from logitkit.kernels import run_blocks, split
from logitkit.trust.calibrators.base import Array, Calibrator, check_no_nan
from logitkit.trust.calibrators.pair_steps import pair_steps

__all__ = ["MAX_CLASSES", "VennAbersCalibrator", "fit_venn_abers"]

MAX_CLASSES = 200
"""C classes have C (C - 1) / 2 pairs: 19,900 here, and half a million with 1,000 classes."""

Vector = NDArray[np.float64]

_ROWS = 2**10  # whose pairs are looked up at a time
_LEAST = 2.0**-64  # p1 is at least 1 / (n + 1) for n rows


@dataclass(frozen=True, eq=False)
class VennAbersCalibrator(Calibrator):
    """p_c = 1 / (1 + Σ_j (1 - p_cj) / p_cj), divided by the sum over classes; p_cj is that of c in the pair (c, j).

    This is 1 / (Σ_j 1 / p_cj - (C - 2)), the same with nothing to cancel. With two classes it is p of the pair.

    Attributes:
        method: "venn-abers".
        n_classes: C.
        indptr: int64 `[P + 1]`, P = C (C - 1) / 2 pairs (0, 1), (0, 2), …, (1, 2), …: the knots of pair k are those
            from indptr[k] to indptr[k + 1].
        knots: float64 `[K]`, differences of logits in ascending order within a pair, at which p0 or p1 changes.
        low: float64 `[K + P]`, p0 before the first knot of the pair, and from each knot on.
        high: float64 `[K + P]`, p1 up to the first knot of the pair, and up to each next one.
    """

    method: str
    n_classes: int
    indptr: NDArray[np.int64]
    knots: Vector
    low: Vector
    high: Vector

    layout: ClassVar[str] = "venn-abers"

    def _log_probs(self, logits: Array) -> Array:
        from logitkit.kernels.pair_steps import pair_log_probs

        N, C = logits.shape
        log_probs: Array = memory.empty(logits.shape, logits.dtype)
        steps = self._steps()

        def work(start: int, stop: int) -> None:
            scratch, counts = np.empty((2 * C + 2, stop - start)), np.empty(stop - start, np.intp)
            pair_log_probs(logits[start:stop], steps, scratch, counts, log_probs[start:stop])

        run_blocks(work, split(N, _ROWS))
        return log_probs

    def intervals(self, logits: Any) -> tuple[Array, Array]:
        """Return bounds of the probabilities, low and high `[N, C]` in [0, 1], with low <= `probs` <= high.

        With two classes they are p0 and p1 for class 1, and 1 - p1 and 1 - p0 for class 0: one of the two ends is
        calibrated, and how far they are apart says how little the rows of fitting tell about such a row.

        With more classes they are the least and the largest that p_c can be when every pair may take any probability
        between its p0 and its p1: an outer bound, since not all pairs can be at their ends at once.

        Args:
            logits: `[N, C]` of the same model.

        Raises:
            InputError: if the shape does not fit or a logit is NaN; the first such row is named.

        Example:
            >>> from logitkit.trust.calibrators.venn_abers import fit_venn_abers
            >>> calibrator = fit_venn_abers([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]], [0, 0, 1, 1])
            >>> low, high = calibrator.intervals([[0.0, 4.0]])
            >>> low.round(3).tolist(), high.round(3).tolist()
            ([[0.0, 0.667]], [[0.333, 1.0]])
        """
        from logitkit.kernels.pair_steps import pair_bounds

        z = as_logits(logits, "intervals", ndim=2)
        if z.shape[1] != self.n_classes:
            constraint = f"of {self.n_classes} classes, as in fitting"
            raise input_error("logits", "intervals", constraint, f"the shape {list(z.shape)}")
        z = np.ascontiguousarray(z, compute_dtype(z.dtype))
        check_no_nan(z, "intervals")
        z = read_only(z)
        N, C = z.shape
        low, high = memory.empty(z.shape, z.dtype), memory.empty(z.shape, z.dtype)
        steps = self._steps()

        def work(start: int, stop: int) -> None:
            scratch, counts = np.empty((3 * C + 2, stop - start)), np.empty(stop - start, np.intp)
            pair_bounds(z[start:stop], steps, scratch, counts, low[start:stop], high[start:stop])

        run_blocks(work, split(N, _ROWS))
        return low, high

    def _steps(self) -> tuple[Array, Array, Array, Array]:
        return read_only(self.indptr), read_only(self.knots), read_only(self.low), read_only(self.high)

    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the tensors and the facts (JSON) that `restore` takes."""
        return {"indptr": self.indptr, "knots": self.knots, "low": self.low, "high": self.high}, {}

    @classmethod
    def restore(
        cls, method: str, n_classes: int, tensors: dict[str, Array], facts: dict[str, Any]
    ) -> VennAbersCalibrator:
        """Return what `parts` took apart, once it is checked."""
        indptr, knots, low, high = tensors["indptr"], tensors["knots"], tensors["low"], tensors["high"]
        if method != "venn-abers" or facts or set(tensors) != {"indptr", "knots", "low", "high"}:
            raise ValueError("its parts are not those of a Venn-Abers calibrator")
        if type(n_classes) is not int or not 1 <= n_classes <= MAX_CLASSES:
            raise ValueError(f"it has {n_classes} classes")
        P = n_classes * (n_classes - 1) // 2
        if indptr.dtype != np.int64 or indptr.shape != (P + 1,):
            raise ValueError("its pairs are not as many as its classes have")
        if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():  # no differences, which could overflow
            raise ValueError("its pairs are not marked off one after the other")
        K = int(indptr[-1])
        for array, length in ((knots, K), (low, K + P), (high, K + P)):
            if array.dtype != np.float64 or array.shape != (length,) or not np.isfinite(array).all():
                raise ValueError("its numbers are not finite float64, one for each place")
        if P and not (low.min() >= 0.0 and low.max() < 1.0 and high.min() >= _LEAST and high.max() <= 1.0):
            raise ValueError("a probability of it is not in range")
        first = indptr + np.arange(P + 1)  # where the steps of each pair begin
        inside = np.ones(max(K + P - 1, 0), np.bool_)  # True where a step and the next belong to one pair
        inside[first[1:-1] - 1] = False
        between = np.ones(max(K - 1, 0), np.bool_)  # the same for knots; a pair may have none
        ends = indptr[1:-1]
        between[ends[(ends > 0) & (ends < K)] - 1] = False
        sinks = ((low[1:] < low[:-1]) | (high[1:] < high[:-1]))[inside]
        if (knots[1:] <= knots[:-1])[between].any() or sinks.any():
            raise ValueError("its knots or probabilities are not in ascending order")
        if (low > high).any() or (low[1:] > high[:-1])[inside].any():  # at a knot, p0 is that after it, p1 that before
            raise ValueError("p0 is above p1 somewhere")
        return cls(method, n_classes, indptr, knots, low, high)


def fit_venn_abers(logits: Any, labels: Any) -> VennAbersCalibrator:
    """Return the inductive Venn-Abers calibrator of these rows: one binary predictor for each pair of classes.

    The predictor of a pair (i, j), i < j, is fitted on the rows whose label is i or j, by z_j - z_i: the label j is 1.
    All isotonic fits with one row added are computed beforehand, in O(n log n), so that a probability is a lookup. If
    the rows of fitting and the new ones are exchangeable, one of p0 and p1 is perfectly calibrated, but one cannot know
    which; p is the choice between them that loses least log loss in the worst case.

    A class that no row of fitting has is no special case: its pairs learn from the rows of the other class alone, and
    a pair without any row says 1/2, between 0 and 1.

    Sources: Vovk, Petej and Fedorova, "Large-scale probabilistic predictors with and without guarantees of validity",
    NIPS 2015; Manokhin, "Multi-class probabilistic classification using inductive and cross Venn-Abers predictors",
    COPA 2017 (pairs); Price, Knerr, Personnaz and Dreyfus, "Pairwise neural network classifiers with probabilistic
    outputs", NIPS 1994 (putting pairs together). The result has the same bits at any number of threads.

    Args:
        logits: `[N, C]`, any real numbers and infinities, N >= 1, C <= `MAX_CLASSES`.
        labels: `[N]` integers in [0, C).

    Raises:
        InputError: if there is no row or are too many classes, the shapes disagree, a label is not in [0, C), or a
            logit is NaN.

    Example:
        >>> from logitkit.trust.calibrators.venn_abers import fit_venn_abers
        >>> calibrator = fit_venn_abers([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]], [0, 0, 1, 1])
        >>> calibrator.probs([[0.0, 4.0]]).round(3).tolist()  # p0 = 2/3, p1 = 1
        [[0.25, 0.75]]
    """
    z = as_logits(logits, "fit_venn_abers", ndim=2)
    N, C = z.shape
    y = as_labels(labels, (N,), C, "fit_venn_abers")
    if N == 0:
        raise input_error("logits", "fit_venn_abers", "of one row or more", f"the shape {list(z.shape)}")
    if C > MAX_CLASSES:
        constraint = f"of at most {MAX_CLASSES} classes, since each pair has its own fit (use fit_isotonic for more)"
        raise input_error("logits", "fit_venn_abers", constraint, f"{C} classes")
    z = np.ascontiguousarray(z, compute_dtype(z.dtype))
    check_no_nan(z, "fit_venn_abers")
    return VennAbersCalibrator("venn-abers", C, *pair_steps(read_only(z), y))
