"""How good prediction sets are: how often they hold the label, how large they are, and for whom they fail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import as_labels, input_error
from logitkit.trust.conformal_predictor import Group, as_groups

__all__ = ["SetEvaluation", "SetGroup", "evaluate_sets"]


@dataclass(frozen=True, slots=True)
class SetGroup:
    """Some of the rows: those of one class, of one size of set, or of one group.

    Attributes:
        name: the class index, the size of the set, or the group.
        rows: how many rows there are.
        covered: in how many of them the set holds the label.
        mean_size: how many classes a set has; NaN without rows.
    """

    name: Group
    rows: int
    covered: int
    mean_size: float

    @property
    def coverage(self) -> float:
        """The share of rows whose set holds the label, in [0, 1]; NaN without rows."""
        return self.covered / self.rows if self.rows else math.nan

    def to_json(self) -> dict[str, Any]:
        """Return the numbers in terms of JSON, None for NaN."""
        values = {"rows": self.rows, "coverage": self.coverage, "mean_size": self.mean_size}
        return {"name": self.name, **{key: None if math.isnan(value) else value for key, value in values.items()}}


@dataclass(frozen=True, slots=True)
class SetEvaluation:
    """What `evaluate_sets` found.

    Attributes:
        all: all rows together; its name is "all".
        singletons: in how many rows the set has one class.
        empty: in how many rows it has none.
        by_class: the rows of each label, C of them.
        by_size: the rows of each size of set that occurs, the smallest first.
        by_group: the rows of each group, where groups were given.

    Example:
        >>> from logitkit.trust.set_evaluation import evaluate_sets
        >>> found = evaluate_sets([[True, False], [True, True], [False, False]], [0, 1, 1])
        >>> [(one.name, one.rows, one.coverage) for one in found.by_size]
        [(0, 1, 0.0), (1, 1, 1.0), (2, 1, 1.0)]
    """

    all: SetGroup
    singletons: int
    empty: int
    by_class: tuple[SetGroup, ...]
    by_size: tuple[SetGroup, ...]
    by_group: tuple[SetGroup, ...] = ()

    @property
    def worst_class(self) -> SetGroup | None:
        """The class with the lowest coverage, the first of equals; None without rows."""
        return min((one for one in self.by_class if one.rows), key=lambda one: one.coverage, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the whole in terms of JSON, None for NaN.

        Example:
            >>> from logitkit.trust.set_evaluation import evaluate_sets
            >>> evaluate_sets([[True, False]], [1]).to_json()["worst_class"]
            {'name': 1, 'rows': 1, 'coverage': 0.0, 'mean_size': 1.0}
        """
        worst = self.worst_class
        whole = self.all.to_json()
        del whole["name"]
        return {
            **whole,
            "singletons": self.singletons / self.all.rows if self.all.rows else None,
            "empty": self.empty / self.all.rows if self.all.rows else None,
            "worst_class": None if worst is None else worst.to_json(),
            "by_class": [one.to_json() for one in self.by_class],
            "by_size": [one.to_json() for one in self.by_size],
            "by_group": [one.to_json() for one in self.by_group],
        }


def evaluate_sets(sets: Any, labels: Any, *, groups: Any = None) -> SetEvaluation:
    """Judge prediction sets on rows that no quantile was fitted on.

    Args:
        sets: `[N, C]` booleans, from `predict_sets`.
        labels: `[N]` integers in [0, C).
        groups: `[N]` integers or strings, to be judged one by one.

    Raises:
        InputError: if the shapes disagree, a label is out of range, or `sets` has no booleans.

    Example:
        >>> from logitkit.trust.set_evaluation import evaluate_sets
        >>> found = evaluate_sets([[True, False, False], [True, True, False], [False] * 3], [0, 1, 2])
        >>> round(found.all.coverage, 3), found.all.mean_size, found.singletons, found.empty, found.worst_class.name
        (0.667, 1.0, 1, 1, 2)
    """
    array = to_numpy(sets, "sets", "evaluate_sets")
    if array.ndim != 2 or array.dtype != np.bool_ or array.shape[1] == 0:
        found = f"{array.dtype.name} of the shape {list(array.shape)}"
        raise input_error("sets", "evaluate_sets", "booleans of the shape [N, C], one class or more", found)
    N, C = array.shape
    y = as_labels(labels, (N,), C, "evaluate_sets")
    covered = array[np.arange(N), y]
    sizes = np.count_nonzero(array, axis=1)
    by_size = _groups(list(range(C + 1)), sizes, covered, sizes)
    by_group: tuple[SetGroup, ...] = ()
    if groups is not None:
        names, inverse = as_groups(groups, N, "evaluate_sets")
        by_group = _groups(names, inverse, covered, sizes)
    return SetEvaluation(
        all=_groups(["all"], np.zeros(N, np.intp), covered, sizes)[0],
        singletons=by_size[1].rows,
        empty=by_size[0].rows,
        by_class=_groups(list(range(C)), y, covered, sizes),
        by_size=tuple(one for one in by_size if one.rows),
        by_group=by_group,
    )


def _groups(
    names: Any, cells: NDArray[np.intp], covered: NDArray[np.bool_], sizes: NDArray[np.intp]
) -> tuple[SetGroup, ...]:
    """Return the rows of each cell together."""
    rows = np.bincount(cells, minlength=len(names))
    hits = np.bincount(cells[covered], minlength=len(names))
    total = np.bincount(cells, sizes, minlength=len(names))
    with np.errstate(invalid="ignore"):
        means = total / rows
    numbers = zip(names, rows.tolist(), hits.tolist(), means.tolist(), strict=True)
    return tuple(SetGroup(*each) for each in numbers)
