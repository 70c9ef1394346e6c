"""Where a loss comes from: what calibration could mend, and what only a better model can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype
from logitkit.checks import as_labels, check_choice, check_count
from logitkit.trust.calibrators.methods import METHODS, candidates, fit_method
from logitkit.trust.folds import FOLDS, deal_folds
from logitkit.trust.rows import given_values, measure_rows

__all__ = ["LossSplit", "split_loss"]

_NAME = "split_loss"


@dataclass(frozen=True, slots=True)
class LossSplit:
    """Losses and their parts: loss = calibration + refinement, each at least 0; NaN where no row could be held out.

    Log losses are in nats, Brier scores in [0, 2].

    Example:
        >>> from logitkit.trust.refinement import split_loss
        >>> split = split_loss([0, 1] * 50, probs=[[0.5, 0.5]] * 100)
        >>> round(split.log_loss, 3), round(split.log_loss_calibration, 3)  # as good as any map of one value can be
        (0.693, 0.0)
    """

    log_loss: float
    log_loss_calibration: float
    log_loss_refinement: float
    brier_score: float
    brier_calibration: float
    brier_refinement: float


def split_loss(
    labels: Any, *, logits: Any = None, probs: Any = None, method: str = "richest", folds: int = FOLDS, seed: int = 0
) -> LossSplit:
    r"""Return the log loss and the Brier score, each split into calibration and refinement.

    .. math:: \text{refinement} = \min_g \mathbb{E}\,\ell(g(z), y), \qquad \text{calibration} = \text{loss} - \text{refinement}

    g runs over calibrators. What the best of them leaves is due to the model, which cannot tell some classes apart; the
    rest is due to probabilities that do not say what the model knows. g is fitted on some rows and judged on others
    (cross-fitting), so refinement comes out a little too large where rows are few, and is at most the loss.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        method: how g is fitted, one of `trust.METHODS`; "richest" is the richest that "auto" would try.
        folds: 2 to 5.
        seed: of the folds.

    Raises:
        InputError: if shapes disagree, a label is out of range, or a value is NaN.
        OptionError: if an option is out of its range, or not exactly one of `logits` and `probs` is given.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.refinement import split_loss
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 2, 2000)
        >>> z = 4.0 * (labels - 0.5) + 2.0 * rng.normal(size=2000)  # the log-odds that are true for this noise
        >>> split = split_loss(labels, logits=np.stack([np.zeros(2000), 3.0 * z], axis=1))  # and thrice as sure
        >>> round(split.log_loss, 2), round(split.log_loss_calibration, 2), round(split.log_loss_refinement, 2)
        (0.52, 0.18, 0.35)

    Source: Berta, Holzmüller, Jordan, Bach, "Rethinking Early Stopping: Refine, Then Calibrate", 2025; the split itself:
    Bröcker, "Reliability, sufficiency, and the decomposition of proper scores", 2009.
    """  # noqa: E501
    check_choice(method, ("richest", *METHODS), "method", _NAME)
    folds = check_count(folds, 2, FOLDS, "folds", _NAME)
    name, values = given_values(logits, probs, _NAME)
    N, C = values.shape
    y = as_labels(labels, (N,), C, _NAME)
    before = measure_rows(y, logits=logits, probs=probs, function=_NAME)
    z = np.ascontiguousarray(values, compute_dtype(values.dtype))
    if name == "probs":
        with np.errstate(divide="ignore"):
            z = np.log(z)
    best = candidates(C, N)[-1] if method == "richest" else method
    fold = deal_folds(y, None, seed) % folds if N else np.empty(0, np.int8)
    after: list[NDArray[np.float64]] = [before.log_loss.copy(), before.brier.copy()]
    for k in range(folds):
        rows = np.flatnonzero(fold == k)
        if not len(rows) or len(rows) == N:
            continue
        calibrator = fit_method(best, z[fold != k], y[fold != k])
        judged = measure_rows(y[rows], logits=calibrator.log_probs(z[rows]))
        after[0][rows], after[1][rows] = judged.log_loss, judged.brier
    return LossSplit(*_parts(before.log_loss, after[0]), *_parts(before.brier, after[1]))


def _parts(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float, float]:
    if not before.size:
        return float("nan"), float("nan"), float("nan")
    loss = float(before.mean())
    refinement = min(loss, float(after.mean()))
    return loss, loss - refinement if refinement < np.inf else 0.0, refinement
