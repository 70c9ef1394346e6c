"""Bins of confidence: where one ends and the next begins, and what the rows of each add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.checks import as_weights, check_choice, check_count
from logitkit.trust.rows import Reliability, RowMeasures, measure_rows

__all__ = [
    "BINNINGS",
    "N_BINS",
    "bin_bounds",
    "bin_edges",
    "bin_rows",
    "bin_rows_by_class",
    "check_bins",
    "measure_weighted_rows",
]

BINNINGS = ("width", "mass")
N_BINS = 15
MAX_BINS = 10_000
_MANY = 2**17  # rows, from which on finding a few of them in their order is quicker than sorting all

Floats = NDArray[np.float64]


def check_bins(n_bins: Any, binning: Any, function: str) -> tuple[int, str]:
    """Return a number of bins in [1, 10000] and one of `BINNINGS`."""
    return check_count(n_bins, 1, MAX_BINS, "n_bins", function), check_choice(binning, BINNINGS, "binning", function)


def measure_weighted_rows(
    labels: Any, logits: Any, probs: Any, temperature: float, sample_weights: Any, function: str
) -> tuple[RowMeasures, Floats]:
    """Return what `measure_rows` does, and the weights: empty where every row counts once."""
    rows = measure_rows(labels, logits=logits, probs=probs, temperature=temperature, function=function)
    if sample_weights is None:
        return rows, np.empty(0)
    return rows, as_weights(sample_weights, rows.confidence.shape, "sample_weights", function)


def bin_edges(confidence: Floats, weights: Floats, n_bins: int, binning: str) -> Floats:
    """Return the ascending upper edges `[n_bins - 1]` of all bins but the last, which ends at 1.

    Bin b holds the confidences above edge b - 1 and up to edge b. "width": edge b is (b + 1) / n_bins. "mass": edge b
    is the smallest confidence that at least (b + 1) / n_bins of the rows do not exceed. So every bin holds the same
    number of rows, to one, where no confidence occurs twice; rows that tie stay together, and where a tie is larger
    than a bin, the bins after it are empty.

    Args:
        confidence: `[N]`, no NaN.
        weights: `[N]`, a weight counts as that many rows; or empty.
        n_bins: at least 1.
        binning: "width" or "mass".

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.calibration_bins import bin_edges
        >>> bin_edges(np.array([0.5, 0.7, 0.7, 0.9]), np.empty(0), 2, "mass").tolist()
        [0.7]
    """
    k = np.arange(1, n_bins)
    if binning == "width":
        return k / n_bins
    N = len(confidence)
    if not N:
        return np.ones(n_bins - 1)
    if not weights.size:
        at = -(-k * N // n_bins) - 1
        return np.asarray(np.sort(confidence)[at] if N < _MANY else np.partition(confidence, at)[at], np.float64)
    order = np.argsort(confidence, kind="stable")
    below = np.cumsum(weights[order])
    at = np.searchsorted(below * n_bins, k * below[-1], side="left")
    return np.asarray(confidence[order[at]], np.float64)


def bin_bounds(edges: Floats) -> Floats:
    """Return the bounds `[G, n_bins + 1]` that kernels take: the edges `[G, n_bins - 1]` between -inf and inf."""
    bounds = np.full((edges.shape[0], edges.shape[1] + 2), np.inf)
    bounds[:, 0], bounds[:, 1:-1] = -np.inf, edges
    return bounds


def bin_rows(
    confidence: Floats, correct: Floats, weights: Floats, n_bins: int, binning: str
) -> tuple[Reliability, Floats]:
    """Return what the rows of each bin add up to, and `bin_edges`. Empty `weights` mean that every row counts once.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.calibration_bins import bin_rows
        >>> bins, edges = bin_rows(np.array([0.6, 0.7, 0.9]), np.ones(3), np.empty(0), 2, "mass")
        >>> bins.count.tolist(), edges.tolist()
        ([2, 1], [0.7])
    """
    edges = bin_edges(confidence, weights, n_bins, binning)
    groups = np.empty(0, np.intp)
    bins = _sums(confidence, correct, weights, groups, edges[None], binning == "width", 1)
    return Reliability(bins.count[0], bins.weight[0], bins.confidence[0], bins.correct[0]), edges


def bin_rows_by_class(rows: RowMeasures, weights: Floats, n_bins: int, binning: str) -> Reliability:
    """Sort rows into `n_bins` bins within each class that is predicted; the sums are `[G, n_bins]`, G such classes."""
    occurs = np.bincount(rows.predicted) > 0
    G = int(occurs.sum())
    groups = (np.cumsum(occurs) - 1)[rows.predicted]
    if binning == "width":
        edges = bin_edges(rows.confidence, weights, n_bins, binning)[None]
    else:
        order = np.argsort(groups, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(groups, minlength=G))[:-1]) if G else []
        edges = np.empty((G, n_bins - 1))
        for part, out in zip(parts, edges, strict=True):
            out[:] = bin_edges(rows.confidence[part], weights[part] if weights.size else weights, n_bins, binning)
    even = binning == "width"
    return _sums(rows.confidence, rows.correct, weights, groups, edges, even, G)


def _sums(
    confidence: Floats,
    correct: Floats,
    weights: Floats,
    groups: NDArray[np.intp],
    edges: Floats,
    even: bool,
    G: int,
) -> Reliability:
    from logitkit.kernels.bins import CONFIDENCE, CORRECT, COUNT, N_SUMS, WEIGHT, add_rows

    sums = np.zeros((G, edges.shape[1] + 1, N_SUMS))
    if len(confidence):
        f, y, w, g, bounds = map(read_only, (confidence, correct, weights, groups, bin_bounds(edges)))
        add_rows(f, y, w, g, bounds, even, sums)
    others = (np.ascontiguousarray(sums[..., i]) for i in (WEIGHT, CONFIDENCE, CORRECT))
    return Reliability(sums[..., COUNT].astype(np.int64), *others)
