"""Calibrators without a formula, one class against the rest: isotonic regression and histogram binning.

    s_c = log p_c - log(1 - p_c),   probs_c = v_c(s_c) / Σ_j v_j(s_j),   p = softmax(logits)

Each class has a map v_c of its own; with two classes there is one map, that of class 1, and class 0 has the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_labels, as_logits, as_weights, check_count, input_error
from logitkit.kernels import run_blocks, split
from logitkit.trust.calibrators.base import Array, Calibrator, check_no_nan
from logitkit.trust.calibrators.rest_maps import Map, maps_of, rising_map, step_map

__all__ = ["OneVsRestCalibrator", "fit_histogram", "fit_isotonic"]

Vector = NDArray[np.float64]

_BLOCK = 2**16  # values that are mapped at a time,
_ROWS = 2**11  # but no more rows than this


@dataclass(frozen=True, eq=False)
class OneVsRestCalibrator(Calibrator):
    """probs_c = v_c(s_c) / Σ_j v_j(s_j), where v_c runs straight between knots and is level beyond them.

    No value is 0 or 1, so every row has a sum to divide by, and the log loss is finite. A step is two knots at one
    place: the value there is that of the first.

    Attributes:
        method: "isotonic" or "histogram".
        n_classes: C.
        indptr: int64 `[F + 1]`: the knots of map f are those from indptr[f] to indptr[f + 1]; F is C, or 1 if C = 2.
        knots: float64 `[K]`, s in ascending order within a map.
        values: float64 `[K]` in (0, 1).
    """

    method: str
    n_classes: int
    indptr: NDArray[np.int64]
    knots: Vector
    values: Vector

    layout: ClassVar[str] = "one-vs-rest"

    def _log_probs(self, logits: Array) -> Array:
        from logitkit.kernels.one_vs_rest import map_rows

        N, C = logits.shape
        log_probs: Array = memory.empty(logits.shape, logits.dtype)
        indptr, knots, values = read_only(self.indptr), read_only(self.knots), read_only(self.values)

        def work(start: int, stop: int) -> None:
            scratch, counts = np.empty((stop - start) * (C + 1)), np.empty(stop - start, np.intp)
            map_rows(logits[start:stop], indptr, knots, values, scratch, counts, log_probs[start:stop])

        run_blocks(work, split(N, min(_BLOCK // C, _ROWS)))
        return log_probs

    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the tensors and the facts (JSON) that `restore` takes."""
        return {"indptr": self.indptr, "knots": self.knots, "values": self.values}, {}

    @classmethod
    def restore(
        cls, method: str, n_classes: int, tensors: dict[str, Array], facts: dict[str, Any]
    ) -> OneVsRestCalibrator:
        """Return what `parts` took apart, once it is checked."""
        indptr, knots, values = tensors["indptr"], tensors["knots"], tensors["values"]
        if method not in ("isotonic", "histogram") or facts or set(tensors) != {"indptr", "knots", "values"}:
            raise ValueError("its parts are not those of a one-vs-rest calibrator")
        if type(n_classes) is not int or n_classes < 1:
            raise ValueError(f"it has {n_classes} classes")
        F = 1 if n_classes == 2 else n_classes
        if indptr.dtype != np.int64 or indptr.shape != (F + 1,):
            raise ValueError("its maps are not as many as its classes need")
        if indptr[0] != 0 or (indptr[1:] <= indptr[:-1]).any():  # no differences, which could overflow
            raise ValueError("its maps are not marked off one after the other")
        for array in (knots, values):
            if array.dtype != np.float64 or array.shape != (indptr[-1],) or not np.isfinite(array).all():
                raise ValueError("its knots and values are not finite float64, one for each place")
        if not (values.min() > 0.0 and values.max() < 1.0):
            raise ValueError("a value is not between 0 and 1")
        inside = np.ones(len(knots) - 1, np.bool_)  # True where a knot and the next belong to one map
        inside[indptr[1:-1] - 1] = False
        falls, level = (knots[1:] < knots[:-1])[inside], (knots[1:] == knots[:-1])[inside]
        sinks = (values[1:] < values[:-1])[inside]
        if falls.any() or (method == "isotonic" and (level.any() or sinks.any())):
            raise ValueError("its knots or values are not in ascending order")
        return cls(method, n_classes, indptr, knots, values)


def fit_isotonic(logits: Any, labels: Any, *, sample_weights: Any = None) -> OneVsRestCalibrator:
    """Return a calibrator whose maps rise with s: for each class the isotonic regression of "is it the label?" on s.

    Rows are pooled until the share of hits rises from run to run, which is least squares among all rising maps; rows
    of equal s are pooled first. Between runs the map is straight, and level beyond them, as in scikit-learn's
    `IsotonicRegression(out_of_bounds="clip")` on s.

    The first run of a class may have no hit, and the last no miss. n rows without an error do not show a rate below
    0.5 / (n + 1) (Krichevsky and Trofimov 1981), n being their sum of weights: so these runs have that value, or 1 less
    it, or their neighbour's where it is nearer to 0 or 1. A class that no label names has 0.5 / (n + 1) everywhere.

    Sources: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
    2002 (isotonic regression, classes one against the rest, rows divided by their sum). The result has the same bits
    at any number of threads.

    Args:
        logits: `[N, C]`, any real numbers and infinities, N >= 1.
        labels: `[N]` integers in [0, C).
        sample_weights: `[N]`, at least 0 and finite; a weight counts as that many rows.

    Raises:
        InputError: if there is no row or no weight, the shapes disagree, a label is not in [0, C), or a logit is NaN.

    Example:
        >>> from logitkit.trust.calibrators.one_vs_rest import fit_isotonic
        >>> calibrator = fit_isotonic([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]], [0, 1, 1, 1])
        >>> calibrator.probs([[9.0, 0.0], [0.0, 9.0]]).round(3).tolist()  # 1 - 0.5 / 3 where both were right
        [[0.5, 0.5], [0.167, 0.833]]
    """
    z, y, w = _checked(logits, labels, sample_weights, "fit_isotonic")
    from logitkit.kernels.isotonic import pool_rows

    def pool(keys: NDArray[np.int64], label: int, weights: Vector, scratch: Array) -> Map:
        return rising_map(scratch[:, : pool_rows(keys, y, label, weights, scratch)])

    return OneVsRestCalibrator("isotonic", z.shape[1], *maps_of(z, w, pool))


def fit_histogram(logits: Any, labels: Any, *, n_bins: int = 15, sample_weights: Any = None) -> OneVsRestCalibrator:
    """Return a calibrator whose maps are steps: for each class the share of hits in bins of equal mass along s.

    A bin of weight n with h hits has (h + 0.5) / (n + 1) (Krichevsky and Trofimov 1981), so that it is never 0 or 1.
    Rows of equal s share a bin, so there may be fewer bins than asked for. Bins meet halfway between their rows.

    Sources: Zadrozny and Elkan, "Obtaining calibrated probability estimates from decision trees and naive Bayesian
    classifiers", ICML 2001 (bins of equal mass); the same, KDD 2002 (classes one against the rest, rows divided by
    their sum). The result has the same bits at any number of threads.

    Args:
        logits: `[N, C]`, any real numbers and infinities, N >= 1.
        labels: `[N]` integers in [0, C).
        n_bins: at most so many bins a class, in [1, 1,000,000].
        sample_weights: `[N]`, at least 0 and finite; a weight counts as that many rows.

    Raises:
        InputError: if there is no row or no weight, the shapes disagree, a label is not in [0, C), or a logit is NaN.
        OptionError: if `n_bins` is out of range.

    Example:
        >>> from logitkit.trust.calibrators.one_vs_rest import fit_histogram
        >>> logits = [[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]]
        >>> fit_histogram(logits, [0, 1, 1, 1], n_bins=2).probs([[9.0, 0.0], [0.0, 9.0]]).round(3).tolist()
        [[0.5, 0.5], [0.167, 0.833]]
    """
    n_bins = check_count(n_bins, 1, 10**6, "n_bins", "fit_histogram")
    z, y, w = _checked(logits, labels, sample_weights, "fit_histogram")
    from logitkit.kernels.isotonic import bin_rows

    total = float(w.sum()) if w.size else float(len(y))

    def cut(keys: NDArray[np.int64], label: int, weights: Vector, scratch: Array) -> Map:
        return step_map(scratch[:, : bin_rows(keys, y, label, weights, total, n_bins, scratch)])

    return OneVsRestCalibrator("histogram", z.shape[1], *maps_of(z, w, cut))


def _checked(logits: Any, labels: Any, weights: Any, function: str) -> tuple[Array, NDArray[np.intp], Vector]:
    """Return contiguous logits without NaN, labels, and weights, which are empty where every row counts once."""
    z = as_logits(logits, function, ndim=2)
    N, C = z.shape
    y = as_labels(labels, (N,), C, function)
    w = np.empty(0) if weights is None else as_weights(weights, (N,), "sample_weights", function)
    if N == 0:
        raise input_error("logits", function, "of one row or more", f"the shape {list(z.shape)}")
    with np.errstate(over="ignore"):
        total = w.sum()
    if w.size and not 0.0 < total < np.inf:
        raise input_error("sample_weights", function, "of a sum above 0 and finite", f"a sum of {total}")
    z = np.ascontiguousarray(z, compute_dtype(z.dtype))
    check_no_nan(z, function)
    return read_only(z), y, read_only(w)
