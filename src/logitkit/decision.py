"""Logits → decisions: which class it leans to, whether to say so, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logitkit.errors import InputError, OptionError
from logitkit.trust.stand_in import checked_logits, softmax

__all__ = ["Decision", "DecisionColumns", "Reason", "decide", "decide_columns"]


class Reason(StrEnum):
    """Why a decision is what it is. A member is its own text, so it goes into JSON and tables as it is."""

    CONFIDENT = "confident"
    BELOW_THRESHOLD = "below threshold"
    NO_KNOWN_WORDS = "no known words"


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

    `raw_labels` and `labels` are class indices in intp, `labels` being -1 where it abstains; `probabilities` has the dtype of
    the softmax; `reasons` are indices into `tuple(Reason)` in int8.
    """

    raw_labels: NDArray[np.intp]
    labels: NDArray[np.intp]
    probabilities: NDArray[np.floating]
    reasons: NDArray[np.int8]


def decide_columns(
    logits: ArrayLike, *, temperature: float = 1.0, threshold: ArrayLike = 0.0, known: ArrayLike | None = None
) -> DecisionColumns:
    """Decide every row and return columns of class indices. Arguments and errors are those of `decide`.

    Example:
        >>> from logitkit.decision import decide_columns
        >>> decide_columns([[2.0, 1.0, 0.1], [0.2, 0.1, 0.0]], threshold=0.5).labels.tolist()
        [0, -1]
    """
    z = checked_logits(logits)
    N, C = z.shape
    nan = np.flatnonzero(np.isnan(z).any(axis=1))
    if nan.size:
        raise InputError(f"The logits in row {nan[0]} hold NaN; drop that row or mend its source.")
    thresholds = np.asarray(threshold, np.float64)
    if thresholds.shape not in ((), (C,)) or not ((thresholds >= 0.0) & (thresholds <= 1.0)).all():
        raise OptionError(f"threshold must be in [0, 1], one number or one for each of {C} classes; got {threshold}.")
    raw_labels = z.argmax(axis=1)
    probs = softmax(z, temperature=temperature)
    probabilities = np.take_along_axis(probs, raw_labels[:, None], axis=1)[:, 0]
    reasons = np.full(N, _REASONS.index(Reason.CONFIDENT), np.int8)
    reasons[probabilities < np.broadcast_to(thresholds, C)[raw_labels]] = _REASONS.index(Reason.BELOW_THRESHOLD)
    if known is not None:
        is_known = np.asarray(known)
        if is_known.shape != (N,) or is_known.dtype != np.bool_:
            raise InputError(f"known must be {N} booleans, one a row of logits; got {is_known.dtype} {list(is_known.shape)}.")
        reasons[~is_known] = _REASONS.index(Reason.NO_KNOWN_WORDS)
    labels = np.where(reasons == _REASONS.index(Reason.CONFIDENT), raw_labels, -1)
    return DecisionColumns(raw_labels, labels, probabilities, reasons)


def decide(
    logits: ArrayLike,
    *,
    class_names: Sequence[str],
    temperature: float = 1.0,
    threshold: ArrayLike = 0.0,
    known: ArrayLike | None = None,
) -> list[Decision]:
    """Return one `Decision` a row.

    The label is the arg max of the logits (the first of equals), its probability that of softmax(logits / temperature). It
    abstains where that is below `threshold`, or where the text had nothing that the model knows.

    Args:
        logits: `[N, C]`, any real numbers and infinities.
        class_names: the C classes, in the order of the logits' columns.
        temperature: divides the logits; greater than 0.
        threshold: in [0, 1]; one number, or `[C]`, one for each class that may be the arg max. 0 never abstains.
        known: `[N]` booleans; False where no feature of the text is in the model, so that its logits are only the bias.

    Raises:
        InputError: if a logit is NaN (the row is named) or the shapes disagree.
        OptionError: if `threshold` or `temperature` is out of range, or `class_names` are not C names.

    Example:
        >>> from logitkit.decision import decide
        >>> decisions = decide([[2.0, 1.0, 0.1], [0.2, 0.1, 0.0]], class_names=["News", "Sports", "Tech"], threshold=0.5)
        >>> [(d.label, d.raw_label, round(float(d.probability), 2), str(d.reason)) for d in decisions]
        [('News', 'News', 0.66, 'confident'), (None, 'News', 0.37, 'below threshold')]
    """
    columns = decide_columns(logits, temperature=temperature, threshold=threshold, known=known)
    C = np.shape(logits)[1]
    if len(class_names) != C:
        raise OptionError(f"class_names must hold one name for each of {C} classes; got {len(class_names)}.")
    names = (*class_names, None)
    return [
        Decision(class_names[raw], names[label], probability, _REASONS[reason])
        for raw, label, probability, reason in zip(
            columns.raw_labels.tolist(),
            columns.labels.tolist(),
            columns.probabilities.tolist(),
            columns.reasons.tolist(),
            strict=True,
        )
    ]
