"""By how much are probabilities off, class by class? An error of one class cannot hide one of another here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.checks import as_labels, as_logits
from logitkit.kernels import run_blocks, split
from logitkit.ops import softmax
from logitkit.trust.calibration_bins import (
    N_BINS,
    bin_bounds,
    bin_edges,
    bin_rows_by_class,
    check_bins,
    measure_weighted_rows,
)

__all__ = ["classwise_calibration_error", "top_label_calibration_error"]

Floats = NDArray[np.float64]

_BLOCK = 2**20  # probabilities that are held at a time
_COLUMNS = 32  # classes that one thread adds up at a time


def top_label_calibration_error(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
    n_bins: int = N_BINS,
    binning: str = "width",
) -> float:
    r"""Return the calibration error given the predicted class too, weighted by rows, in [0, 1].

    .. math:: \sum_c \sum_b \frac{n_{cb}}{N} \, | \mathrm{conf}_{cb} - \mathrm{acc}_{cb} |

    over the classes c that are predicted and the bins b of the rows predicted as c. Where cats are over-confident and
    dogs under-confident, `expected_calibration_error` may see nothing; this does, and it is never below that with
    "width" bins. With "mass", the bins of each class hold equal numbers of its rows.

    Arguments and errors are those of `expected_calibration_error`.

    Example:
        >>> from logitkit.trust.calibration_error import expected_calibration_error
        >>> from logitkit.trust.class_calibration_error import top_label_calibration_error
        >>> probs = [[0.75, 0.25], [0.75, 0.25], [0.25, 0.75], [0.25, 0.75]]
        >>> labels = [0, 0, 1, 0]  # the first class is right always, the second half the time: three of four in all
        >>> expected_calibration_error(labels, probs=probs)
        0.0
        >>> top_label_calibration_error(labels, probs=probs)
        0.25

    References:
        Gupta, Ramdas, "Top-label calibration and multiclass-to-binary reductions", ICLR 2022.
    """
    function = "top_label_calibration_error"
    n_bins, binning = check_bins(n_bins, binning, function)
    rows, weights = measure_weighted_rows(labels, logits, probs, temperature, sample_weights, function)
    return bin_rows_by_class(rows, weights, n_bins, binning).expected_calibration_error()


def classwise_calibration_error(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
    n_bins: int = N_BINS,
    binning: str = "width",
) -> float:
    r"""Return the mean over classes of the calibration error of that class's probability, in [0, 1].

    .. math:: \frac{1}{C} \sum_c \sum_b \frac{n_{cb}}{N} \, | \mathrm{mean}_{cb} p_c - \mathrm{share}_{cb} c |

    All N rows are sorted into bins by p_c, for each class; the share is that of rows whose label is c. With many
    classes most p_c are near 0 and nearly right, so the number is small: compare it at one C only. A probability of 0
    is in the first bin.

    Arguments and errors are those of `expected_calibration_error`. Memory: with "mass", all probabilities are held,
    8 N C bytes.

    Example:
        >>> from logitkit.trust.class_calibration_error import classwise_calibration_error
        >>> round(classwise_calibration_error([0, 1], probs=[[0.9, 0.1], [0.9, 0.1]]), 3)
        0.4

    References:
        Kull, Perello-Nieto, Kängsepp, Silva Filho, Song, Flach, "Beyond temperature scaling: obtaining well-calibrated
        multiclass probabilities with Dirichlet calibration", NeurIPS 2019. Nixon, Dusenberry, Zhang, Jerfel, Tran,
        "Measuring calibration in deep learning", CVPR workshops 2019 ("static"; with "mass" bins "adaptive").
    """
    function = "classwise_calibration_error"
    n_bins, binning = check_bins(n_bins, binning, function)
    rows, weights = measure_weighted_rows(labels, logits, probs, temperature, sample_weights, function)
    values = as_logits(logits if probs is None else probs, function, ndim=2)
    N, C = values.shape
    total = float(weights.sum()) if weights.size else float(N)
    if not total > 0.0:
        return math.nan
    y, w, gaps = as_labels(labels, (N,), C, function), read_only(weights), np.zeros((C, n_bins))
    even = binning == "width"
    edges = bin_edges(rows.confidence, weights, n_bins, "width")[None]
    for start, stop in split(N, _BLOCK // C if even else N):
        p = np.array(values[start:stop], np.float64)
        p = softmax(p, temperature=temperature) if probs is None else p
        bounds = bin_bounds(edges if even else _edges_of_columns(p, weights, n_bins))
        _add_columns(p, y[start:stop], w[start:stop] if w.size else w, bounds, even, gaps)
    return float(abs(gaps).sum() / (C * total))


def _add_columns(
    p: Floats, labels: NDArray[np.intp], weights: Floats, bounds: Floats, even: bool, gaps: Floats
) -> None:
    """Add the gaps of some rows to the bins `[C, n_bins]`; each thread has classes of its own."""
    from logitkit.kernels.bins import add_columns

    p, bounds = read_only(p), read_only(bounds)

    def work(first: int, stop: int) -> None:
        add_columns(p, labels, weights, bounds, even, first, stop, gaps)

    run_blocks(work, split(p.shape[1], _COLUMNS))


def _edges_of_columns(p: Floats, weights: Floats, n_bins: int) -> Floats:
    """Return the edges `[C, n_bins - 1]` of bins of equal mass, for each class."""
    edges = np.empty((p.shape[1], n_bins - 1))

    def work(first: int, stop: int) -> None:
        for c, column in enumerate(np.ascontiguousarray(p[:, first:stop].T), first):
            edges[c] = bin_edges(column, weights, n_bins, "mass")

    run_blocks(work, split(p.shape[1], _COLUMNS))
    return edges
