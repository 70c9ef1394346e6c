"""Prediction sets that hold the right label with a stated probability, whatever the model: conformal prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_labels, check_choice, option_error
from logitkit.ops import rank_of_label
from logitkit.trust.binomial import check_open_fraction
from logitkit.trust.conformal_predictor import PER, ConformalPredictor, as_groups, quantile_rank
from logitkit.trust.conformity import Conformity, RapsPenalty
from logitkit.trust.prob_rows import ProbRows

__all__ = ["fit_conformal", "tune_raps"]

_WEIGHTS = (0.001, 0.01, 0.1, 0.2, 0.5)


def fit_conformal(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    method: str = "lac",
    alpha: float = 0.1,
    per: str = "all",
    groups: Any = None,
    raps: RapsPenalty | None = None,
    randomized: bool = True,
    seed: int = 0,
    allow_empty: bool = True,
) -> ConformalPredictor:
    r"""Return a predictor whose sets hold the right label with a probability of at least `1 - alpha`.

    The n conformity scores of the labels give the quantile: the :math:`\lceil (n + 1)(1 - \alpha) \rceil`-th smallest,
    inf where n is smaller. For a new row, drawn like these, the set of all classes with a score of at most the quantile
    holds the label with probability :math:`\ge 1 - \alpha`, and :math:`\le 1 - \alpha + 1 / (n + 1)` if no scores are
    equal: on average over calibration rows and new rows, whatever the model. `alpha` counts as the decimal it is
    written as.

    - `per="class"`: the same for the rows of each class (Vovk, "Conditional validity of inductive conformal
      predictors", ACML 2012). A class with few rows is in every set.
    - `groups`: the same for the rows of each group, such as a language or a source (Mondrian); with `per="class"`, for
      each class in each group.

    "lac" has the smallest sets on average, "aps" covers hard and easy rows more alike, "raps" has fewer large sets.
    Where a model is right more often than `1 - alpha`, some sets of "lac", and of randomised "aps" and "raps", are
    empty: no class fits well enough. `allow_empty=False` puts the likeliest class in; that never covers less, and may
    cover more than the upper bound.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]` of rows that neither the model nor its calibrator has seen, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        method: "lac", "aps" or "raps": see `conformity_scores`.
        alpha: how often a set may miss the label; greater than 0 and below 1.
        per: "all" or "class".
        groups: `[N]` integers or strings.
        raps: the penalty of "raps".
        randomized: whether "aps" and "raps" draw a number for each row.
        seed: any integer.
        allow_empty: whether a set may be empty.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of range.

    Example:
        >>> from logitkit.trust.conformal import fit_conformal
        >>> probs = [[0.9, 0.08, 0.02], [0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.4, 0.35, 0.25]]
        >>> predictor = fit_conformal([0, 0, 1, 0], probs=probs, alpha=0.2)
        >>> round(predictor.quantile, 3)
        0.6
        >>> predictor.predict_sets(probs=[[0.7, 0.2, 0.1], [0.41, 0.4, 0.19]]).tolist()
        [[True, False, False], [True, True, False]]
    """
    rows = ProbRows.of(logits, probs, "fit_conformal")
    N, C = rows.values.shape
    y = as_labels(labels, (N,), C, "fit_conformal")
    conformity = Conformity.checked(method, randomized, seed, raps, "fit_conformal")
    alpha = check_open_fraction(alpha, "alpha", "fit_conformal")
    per = check_choice(per, PER, "per", "fit_conformal")
    if not isinstance(allow_empty, bool):
        raise option_error("allow_empty", "fit_conformal", "True or False", allow_empty)
    names, inverse = ([0], np.zeros(N, np.intp)) if groups is None else as_groups(groups, N, "fit_conformal")
    G, K = len(names), C if per == "class" else 1
    cells = inverse * K + y if per == "class" else inverse
    counts = np.bincount(cells, minlength=G * K).astype(np.int64)
    quantiles = _quantiles(conformity.label_scores(rows, y), cells, counts, alpha).reshape(G, K)
    group_names = None if groups is None else tuple(names)
    return ConformalPredictor(alpha, per, C, allow_empty, group_names, quantiles, counts.reshape(G, K), conformity)


def _quantiles(
    scores: NDArray[np.float64], cells: NDArray[np.intp], counts: NDArray[np.int64], alpha: float
) -> NDArray[np.float64]:
    """Return the quantile of each cell's scores."""
    rising = np.sort(scores) if len(counts) == 1 else scores[np.lexsort((scores, cells))]
    ranks = {n: quantile_rank(n, alpha) for n in np.unique(counts).tolist()}
    quantiles, first = np.full(len(counts), np.inf), 0
    for cell, n in enumerate(counts.tolist()):
        if ranks[n] <= n:
            quantiles[cell] = rising[first + ranks[n] - 1]
        first += n
    return quantiles


def tune_raps(
    labels: Any, *, logits: Any = None, probs: Any = None, alpha: float = 0.1, randomized: bool = True, seed: int = 0
) -> RapsPenalty:
    """Return the penalty with which RAPS makes small sets, chosen on rows that are kept for that.

    `k_reg` is the rank that the label has or betters in a share of `1 - alpha` of the rows (their conformal quantile),
    and `weight` is the one of 0.001, 0.01, 0.1, 0.2 and 0.5 with the smallest mean set on these rows: the choice of
    Angelopoulos, Bates, Malik, Jordan, ICLR 2021, section 2. The promise of `fit_conformal` holds on other rows only:
    pass it none of these. Arguments and errors are those of `fit_conformal`.

    Example:
        >>> from logitkit.trust.conformal import tune_raps
        >>> tune_raps([0, 1, 2, 0], logits=[[4, 1, 0], [1, 3, 2], [0, 2, 1], [3, 1, 1]], alpha=0.3)
        RapsPenalty(k_reg=2, weight=0.001)
    """
    rows = ProbRows.of(logits, probs, "tune_raps")
    N, C = rows.values.shape
    y = as_labels(labels, (N,), C, "tune_raps")
    alpha = check_open_fraction(alpha, "alpha", "tune_raps")
    ranks = np.sort(rank_of_label(rows.values, y)) + 1
    at = quantile_rank(N, alpha)
    k_reg = int(ranks[at - 1]) if at <= N else C
    best, smallest = RapsPenalty(k_reg), np.inf
    for weight in _WEIGHTS:
        raps = RapsPenalty(k_reg, weight)
        options = {"logits": logits, "probs": probs}
        predictor = fit_conformal(y, **options, method="raps", alpha=alpha, raps=raps, randomized=randomized, seed=seed)
        size = float(np.count_nonzero(predictor.predict_sets(**options))) / max(N, 1)
        if size < smallest:
            best, smallest = raps, size
    return best
