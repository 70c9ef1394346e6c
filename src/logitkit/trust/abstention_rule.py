"""A threshold with its promise: which rows it answers, and how it does on rows that it was not fitted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import as_labels, check_count, input_error
from logitkit.errors import OptionError
from logitkit.trust.binomial import MAX_ROWS, clopper_pearson

__all__ = [
    "AbstentionCheck",
    "AbstentionReason",
    "AbstentionRule",
    "as_confidence",
    "as_correct",
    "check_abstention",
]


class AbstentionReason(StrEnum):
    """Whether a threshold is promised, and if not, why not. A member is its own text."""

    PROMISED = "promised"
    TOO_FEW_ROWS = "too few rows"
    TOO_MANY_ERRORS = "too many errors"


@dataclass(frozen=True, slots=True)
class AbstentionRule:
    """A row is answered if its confidence is at least `threshold`. `fit_abstention` makes it.

    Attributes:
        max_error: the share of answers that may be wrong.
        certainty: the probability, over the rows for fitting, that the promise holds.
        thresholds: one, or one for each predicted class: in [0, 1], or inf where nothing is promised.
        rows: how many rows it was fitted on.
        answered: how many of these it answers.
        errors: how many of those were wrong.
        error_bound: the Clopper-Pearson upper bound of the error rate of the answers at `certainty`, at most
            `max_error` if there is a promise; 1 where nothing is answered. By class, the largest of those that answer.
        reachable_error: about the lowest `max_error` that these rows could promise at this certainty.
        rows_needed: how many rows, all of them right, it takes for any promise; by class, how many of one class.
        reason: "promised", "too few rows" (fewer than `rows_needed`) or "too many errors".
        by_class: the rule of each predicted class, or none. Their certainty is what each is tested at, so that the
            promises of all classes hold together with the `certainty` of the whole.

    Example:
        >>> from logitkit.trust.abstention import fit_abstention
        >>> rule = fit_abstention([0.9] * 80 + [0.6] * 20, [True] * 80 + [False] * 20)
        >>> rule.promise, rule.coverage, rule.answers([0.95, 0.6]).tolist()
        (True, 0.8, [True, False])
    """

    max_error: float
    certainty: float
    thresholds: tuple[float, ...]
    rows: int
    answered: int
    errors: int
    error_bound: float
    reachable_error: float
    rows_needed: int
    reason: AbstentionReason
    by_class: tuple[AbstentionRule, ...] = ()

    @property
    def threshold(self) -> float | NDArray[np.float64]:
        """What a decision compares the confidence with: a number, or `[C]`, one for each class that may be predicted.

        inf where nothing is promised: it answers nothing.
        """
        return np.array(self.thresholds) if self.by_class else self.thresholds[0]

    @property
    def promise(self) -> bool:
        """Whether there is a threshold with a guarantee; by class, whether there is one for at least one class."""
        return self.reason is AbstentionReason.PROMISED

    @property
    def coverage(self) -> float:
        """The share of the rows for fitting that it answers, in [0, 1]; NaN without rows."""
        return self.answered / self.rows if self.rows else math.nan

    def answers(self, confidence: Any, *, predicted: Any = None) -> NDArray[np.bool_]:
        """Return which rows are answered, `[N]`. Arguments and errors as for `fit_abstention`."""
        p = as_confidence(confidence, "answers")
        if (predicted is None) == bool(self.by_class):
            words = "one threshold for all" if predicted is not None else "a threshold for each"
            raise OptionError(f"The 'predicted' option of answers does not fit a rule that has {words} classes.")
        if predicted is None:
            return p >= self.thresholds[0]
        return p >= np.array(self.thresholds)[as_labels(predicted, p.shape, len(self.thresholds), "answers")]

    def parts(self) -> dict[str, Any]:
        """Return the rule in terms of JSON, inf as None, for a file; `restore` takes it back."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        thresholds = [None if math.isinf(threshold) else threshold for threshold in self.thresholds]
        by_class = [rule.parts() for rule in self.by_class]
        return {**facts, "reason": str(self.reason), "thresholds": thresholds, "by_class": by_class}

    @classmethod
    def restore(cls, parts: dict[str, Any]) -> AbstentionRule:
        """Return the rule that `parts` took apart.

        Raises:
            KeyError, TypeError or ValueError: if the parts are not such, or do not fit together.
        """
        fractions = (_fraction(parts[name]) for name in ("max_error", "certainty", "error_bound", "reachable_error"))
        max_error, certainty, error_bound, reachable_error = fractions
        names = ("rows", "answered", "errors", "rows_needed")
        rows, answered, errors, needed = (check_count(parts[name], 0, MAX_ROWS, name, "restore") for name in names)
        thresholds = tuple(math.inf if value is None else _fraction(value) for value in parts["thresholds"])
        reason, by_class = AbstentionReason(parts["reason"]), tuple(map(cls.restore, parts["by_class"]))
        fits = thresholds == tuple(rule.thresholds[0] for rule in by_class) if by_class else len(thresholds) == 1
        promised = any(threshold <= 1.0 for threshold in thresholds)
        if not (fits and errors <= answered <= rows and promised == (reason is AbstentionReason.PROMISED)):
            raise ValueError("the parts of the rule do not fit together")
        bounds = (error_bound, reachable_error)
        return cls(max_error, certainty, thresholds, rows, answered, errors, *bounds, needed, reason, by_class)


def _fraction(value: Any) -> float:
    if isinstance(value, bool) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{value!r} is not in [0, 1]")
    return float(value)


@dataclass(frozen=True, slots=True)
class AbstentionCheck:
    """How a rule did on rows that it was not fitted on.

    Attributes:
        rows: how many rows there were.
        answered: how many of them were answered.
        errors: how many of those were wrong.
        low: Clopper-Pearson lower bound of the error rate, two-sided at the rule's certainty; 0 without answers.
        high: the upper bound; 1 without answers.
    """

    rows: int
    answered: int
    errors: int
    low: float
    high: float

    @property
    def coverage(self) -> float:
        """The share of rows that were answered, in [0, 1]; NaN without rows."""
        return self.answered / self.rows if self.rows else math.nan

    @property
    def error(self) -> float:
        """The share of answers that were wrong, in [0, 1]; NaN without answers."""
        return self.errors / self.answered if self.answered else math.nan


def check_abstention(rule: AbstentionRule, confidence: Any, correct: Any, *, predicted: Any = None) -> AbstentionCheck:
    """Judge a rule on rows that it was not fitted on. Arguments and errors as for `fit_abstention`.

    Example:
        >>> from logitkit.trust.abstention import fit_abstention
        >>> from logitkit.trust.abstention_rule import check_abstention
        >>> rule = fit_abstention([0.9] * 100, [True] * 100)
        >>> check = check_abstention(rule, [0.95, 0.91, 0.92], [True, False, True])
        >>> check.answered, check.errors, round(check.error, 3), round(check.high, 3)
        (3, 1, 0.333, 0.906)
    """
    p = as_confidence(confidence, "check_abstention")
    right = as_correct(correct, p.shape, "check_abstention")
    answers = rule.answers(p, predicted=predicted)
    answered, errors = int(answers.sum()), int((answers & ~right).sum())
    return AbstentionCheck(len(p), answered, errors, *clopper_pearson(errors, answered, rule.certainty))


def as_confidence(values: Any, function: str) -> NDArray[np.float64]:
    """Return confidences `[N]` in [0, 1] as float64; an error names the first row that is not."""
    array = to_numpy(values, "confidence", function)
    numbers = array.dtype.kind in "fiu" or array.dtype.name == "bfloat16"
    if array.ndim != 1 or not numbers:
        found = f"{array.dtype.name} of the shape {list(array.shape)}"
        raise input_error("confidence", function, "numbers of the shape [N]", found)
    confidence = array.astype(np.float64)
    if confidence.size and not (confidence.min() >= 0.0 and confidence.max() <= 1.0):
        row = int(np.argmin((confidence >= 0.0) & (confidence <= 1.0)))
        raise input_error("confidence", function, "in [0, 1]", f"{confidence[row]:.6g} in row {row}")
    return confidence


def as_correct(values: Any, shape: tuple[int, ...], function: str) -> NDArray[np.bool_]:
    """Return booleans of this shape."""
    array = to_numpy(values, "correct", function)
    if array.shape != shape or (array.size and array.dtype != np.bool_):
        found = f"{array.dtype.name} of the shape {list(array.shape)}"
        raise input_error("correct", function, f"booleans of the shape {list(shape)}, one for each confidence", found)
    return array.astype(np.bool_)
