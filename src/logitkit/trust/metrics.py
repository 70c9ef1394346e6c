"""How good are these logits or probabilities? The field's metrics, by the field's names.

What a metric is given is said by keyword, `logits=` or `probs=`, and never guessed from the numbers. Metrics of
decisions take the class indices that were predicted. No rows, or no weight, give NaN. Everything is computed in
float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import as_labels, as_weights, check_count, input_error
from logitkit.trust.rows import measure_rows

__all__ = [
    "accuracy",
    "brier_score",
    "confusion_matrix",
    "log_loss",
    "macro_f1",
    "precision_recall_f1",
]


def _mean(values: NDArray[np.float64], sample_weights: Any, function: str) -> float:
    if sample_weights is None:
        return float(values.mean()) if values.size else float("nan")
    weights = as_weights(sample_weights, values.shape, "sample_weights", function)
    counted = weights > 0.0  # 0 * inf is no loss
    total = float(weights.sum())
    return float(weights[counted] @ values[counted]) / total if total > 0.0 else float("nan")


def log_loss(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
) -> float:
    """Return the mean of -log p(label), in nats, in [0, inf].

    Logits go through log_softmax: a label 800 below the best costs 800, and nothing is clipped. A label with
    probability 0 costs inf.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits.
        sample_weights: `[N]`, finite and at least 0.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or `temperature` is out of range.

    Example:
        >>> from logitkit.trust.metrics import log_loss
        >>> log_loss([1, 1], logits=[[800.0, 0.0], [0.0, 800.0]])
        400.0
        >>> round(log_loss([0], probs=[[0.66, 0.24, 0.10]]), 4)
        0.4155
    """
    rows = measure_rows(labels, logits=logits, probs=probs, temperature=temperature, function="log_loss")
    return _mean(rows.log_loss, sample_weights, "log_loss")


def brier_score(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
) -> float:
    """Return the mean over samples of the sum over classes of (p - 1[label])^2, in [0, 2].

    This is Brier's own definition ("Verification of forecasts expressed in terms of probability", 1950), for two
    classes too, where some libraries halve it. Arguments and errors are those of `log_loss`.

    Example:
        >>> from logitkit.trust.metrics import brier_score
        >>> brier_score([0, 1], probs=[[1.0, 0.0], [1.0, 0.0]])
        1.0
    """
    rows = measure_rows(labels, logits=logits, probs=probs, temperature=temperature, function="brier_score")
    return _mean(rows.brier, sample_weights, "brier_score")


def accuracy(labels: Any, predicted: Any, *, sample_weights: Any = None) -> float:
    """Return the share of rows whose predicted class is the label, in [0, 1].

    Args:
        labels: `[N]` integers.
        predicted: `[N]` integers: the arg max of the logits.
        sample_weights: `[N]`, finite and at least 0.

    Raises:
        InputError: if the shapes disagree.

    Example:
        >>> from logitkit.trust.metrics import accuracy
        >>> accuracy([0, 1, 2, 2], [0, 1, 1, 2])
        0.75
    """
    y, q = to_numpy(labels, "labels", "accuracy"), to_numpy(predicted, "predicted", "accuracy")
    if y.shape != q.shape or y.ndim != 1:
        raise input_error(
            "labels", "accuracy", "of one shape [N] with predicted", f"{list(y.shape)} and {list(q.shape)}"
        )
    return _mean((y == q).astype(np.float64), sample_weights, "accuracy")


def confusion_matrix(labels: Any, predicted: Any, *, n_classes: int) -> NDArray[np.int64]:
    """Return counts `[C, C]`: row = label, column = predicted class.

    Raises:
        InputError: if the shapes disagree or an index is not in [0, n_classes).

    Example:
        >>> from logitkit.trust.metrics import confusion_matrix
        >>> confusion_matrix([0, 1, 1], [0, 0, 1], n_classes=2).tolist()
        [[1, 0], [1, 1]]
    """
    n_classes = check_count(n_classes, 1, 10**6, "n_classes", "confusion_matrix")
    q = to_numpy(predicted, "predicted", "confusion_matrix")
    q = as_labels(q, (q.size,), n_classes, "confusion_matrix")
    y = as_labels(labels, q.shape, n_classes, "confusion_matrix")
    return np.bincount(y * n_classes + q, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


def precision_recall_f1(confusion: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1 of each class, three arrays `[C]` in [0, 1], from counts `[R, C]` with R >= C.

    precision = hits / predicted, recall = hits / support, F1 = 2 hits / (predicted + support); 0 / 0 is NaN: a class
    that was never predicted has no precision. Rows after the C-th are labels that are no class: they count as
    predicted wrongly.

    Example:
        >>> from logitkit.trust.metrics import precision_recall_f1
        >>> [values.tolist() for values in precision_recall_f1([[2, 2], [0, 4]])]
        [[1.0, 0.6666666666666666], [0.5, 1.0], [0.6666666666666666, 0.8]]
    """
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] < counts.shape[1]:
        raise input_error("confusion", "precision_recall_f1", "of the shape [C, C]", f"the shape {list(counts.shape)}")
    C = counts.shape[1]
    hits, support, guesses = np.diagonal(counts), counts[:C].sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return hits / guesses, hits / support, 2 * hits / (guesses + support)


def macro_f1(confusion: Any) -> float:
    """Return the mean F1 of the classes that occur, as label or as prediction, in [0, 1]; NaN where none does.

    Example:
        >>> from logitkit.trust.metrics import macro_f1
        >>> round(macro_f1([[2, 2], [0, 4]]), 4)
        0.7333
    """
    f1 = precision_recall_f1(confusion)[2]
    f1 = f1[~np.isnan(f1)]
    return float(f1.mean()) if f1.size else float("nan")
