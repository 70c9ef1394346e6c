"""Logits → decisions: which class it leans to, whether to say so, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import as_logits, input_error, option_error
from logitkit.ops import argmax, softmax

__all__ = ["Decision", "DecisionColumns", "Reason", "decide", "decide_columns"]


class Reason(StrEnum):
    """Why a decision is what it is. A member is its own text, so it goes into JSON and tables as it is."""

    CONFIDENT = "confident"
    BELOW_THRESHOLD = "below threshold"
    NO_KNOWN_WORDS = "no known words"
    OUTLIER = "outlier"


_REASONS = tuple(Reason)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the logits of one row come to.

    `raw_label` is the arg max of the logits, whatever its probability; `label` is the same, or None if the row is not
    answered; `probability` is that of `raw_label`, in [0, 1]; `reason` says why.
    """

    raw_label: str
    label: str | None
    probability: float
    reason: Reason

    @property
    def abstained(self) -> bool:
        """Whether the answer is "I don't know"."""
        return self.label is None


@dataclass(frozen=True, slots=True)
class DecisionColumns:
    """Decisions of many rows as arrays `[N]`: what a table is written from.

    `raw_labels` and `labels` are class indices in intp, `labels` being -1 where it abstains; `probabilities` has the
    dtype of the softmax; `reasons` are indices into `tuple(Reason)` in int8.
    """

    raw_labels: NDArray[np.intp]
    labels: NDArray[np.intp]
    probabilities: NDArray[Any]
    reasons: NDArray[np.int8]

    def named(self, class_names: Sequence[str]) -> list[Decision]:
        """Return one `Decision` a row, its classes by name."""
        names = (*class_names, None)
        columns = (self.raw_labels, self.labels, self.probabilities, self.reasons)
        return [
            Decision(class_names[raw], names[label], probability, _REASONS[reason])
            for raw, label, probability, reason in zip(*(column.tolist() for column in columns), strict=True)
        ]


def decide_columns(
    logits: Any, *, temperature: float = 1.0, threshold: Any = 0.0, known: Any = None, outliers: Any = None
) -> DecisionColumns:
    """Decide every row and return columns of class indices. Arguments and errors are those of `decide`.

    Example:
        >>> from logitkit.decision import decide_columns
        >>> decide_columns([[2.0, 1.0, 0.1], [0.2, 0.1, 0.0]], threshold=0.5).labels.tolist()
        [0, -1]
    """
    z = as_logits(logits, "decide", ndim=2)
    N, C = z.shape
    thresholds = to_numpy(threshold, "threshold", "decide")
    in_range = thresholds.dtype.kind in "fiu" and bool(
        ((thresholds >= 0.0) & ((thresholds <= 1.0) | (thresholds == np.inf))).all()
    )
    if thresholds.shape not in ((), (C,)) or not in_range:
        constraint = f"in [0, 1], or inf to answer nothing, one number or one for each of {C} classes"
        raise option_error("threshold", "decide", constraint, threshold)
    raw_labels = argmax(z)
    probs = softmax(z, temperature=temperature)
    probabilities = np.take_along_axis(probs, raw_labels[:, None], axis=1)[:, 0]
    nan = np.flatnonzero(np.isnan(probabilities))  # a NaN anywhere makes its row NaN
    if nan.size:
        raise input_error("logits", "decide", "free of NaN", f"NaN in row {nan[0]}")
    reasons = np.full(N, _REASONS.index(Reason.CONFIDENT), np.int8)
    reasons[probabilities < np.broadcast_to(thresholds, C)[raw_labels]] = _REASONS.index(Reason.BELOW_THRESHOLD)
    if outliers is not None:
        reasons[_rows_that("outliers", outliers, N)] = _REASONS.index(Reason.OUTLIER)
    if known is not None:
        reasons[~_rows_that("known", known, N)] = _REASONS.index(Reason.NO_KNOWN_WORDS)
    labels = np.where(reasons == _REASONS.index(Reason.CONFIDENT), raw_labels, -1)
    return DecisionColumns(raw_labels, labels, probabilities, reasons)


def _rows_that(name: str, values: Any, N: int) -> NDArray[np.bool_]:
    rows = to_numpy(values, name, "decide")
    if rows.shape != (N,) or rows.dtype != np.bool_:
        found = f"{rows.dtype} of the shape {list(rows.shape)}"
        raise input_error(name, "decide", f"{N} booleans, one for each row of logits", found)
    return rows


def decide(
    logits: Any,
    *,
    class_names: Sequence[str],
    temperature: float = 1.0,
    threshold: Any = 0.0,
    known: Any = None,
    outliers: Any = None,
) -> list[Decision]:
    """Return one `Decision` a row.

    The label is the arg max of the logits (the first of equals), its probability that of softmax(logits /
    temperature). It abstains where that is below `threshold`, where the input is an outlier, or where the text had
    nothing that the model knows. The last of these that holds is the reason.

    Args:
        logits: `[N, C]`, any real numbers and infinities.
        class_names: the C classes, in the order of the logits' columns.
        temperature: divides the logits; greater than 0.
        threshold: in [0, 1]; one number, or `[C]`, one for each class that may be the arg max. 0 never abstains, inf
            always does.
        known: `[N]` booleans; False where no feature of the text is in the model, so that its logits are only the bias.
        outliers: `[N]` booleans; True where the input is unlike what the model knows (`trust.OutlierRule`).

    Raises:
        InputError: if a logit is NaN (the row is named) or the shapes disagree.
        OptionError: if `threshold` or `temperature` is out of range, or `class_names` are not C names.

    Example:
        >>> from logitkit.decision import decide
        >>> logits, class_names = [[2.0, 1.0, 0.1], [0.2, 0.1, 0.0]], ["News", "Entertainment", "Technology"]
        >>> decisions = decide(logits, class_names=class_names, threshold=0.5)
        >>> [(d.label, d.raw_label, round(d.probability, 2), str(d.reason)) for d in decisions]
        [('News', 'News', 0.66, 'confident'), (None, 'News', 0.37, 'below threshold')]
    """
    z = as_logits(logits, "decide", ndim=2)
    if len(class_names) != z.shape[1]:
        raise option_error("class_names", "decide", f"{z.shape[1]} names, one for each class", list(class_names))
    columns = decide_columns(z, temperature=temperature, threshold=threshold, known=known, outliers=outliers)
    return columns.named(class_names)
