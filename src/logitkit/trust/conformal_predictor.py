"""The quantiles of conformity scores and the prediction sets that they give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import check_choice, check_count, input_error
from logitkit.errors import OptionError
from logitkit.trust.binomial import MAX_ROWS, check_open_fraction
from logitkit.trust.conformity import Conformity, RapsPenalty
from logitkit.trust.prob_rows import ProbRows

__all__ = ["PER", "ConformalPredictor", "Group", "as_groups", "quantile_rank"]

PER = ("all", "class")
Group = int | str


@dataclass(frozen=True, slots=True, eq=False)
class ConformalPredictor:
    """The quantiles of the conformity scores, and the sets that they give. `fit_conformal` makes it.

    Attributes:
        alpha: how often the set may miss the label.
        per: "all" or "class": whether each class has a quantile of its own.
        n_classes: C.
        allow_empty: whether a set may be empty; if not, the likeliest class is put in.
        groups: the names of the groups that have quantiles of their own, or None.
        quantiles: `[G, K]`, G groups (or 1) and K = C classes (or 1): the largest score that is taken in; inf where
            there were fewer than `rows_needed` rows, so that the class is in every set.
        rows: `[G, K]`, how many rows each quantile comes from.
        conformity: which score is meant.

    Example:
        >>> from logitkit.trust.conformal import fit_conformal
        >>> predictor = fit_conformal([0, 0, 1, 0], probs=[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], alpha=0.2)
        >>> predictor.rows_needed, predictor.predict_sets(probs=[[0.7, 0.3], [0.5, 0.5]]).tolist()
        (4, [[True, False], [False, False]])
    """

    alpha: float
    per: str
    n_classes: int
    allow_empty: bool
    groups: tuple[Group, ...] | None
    quantiles: NDArray[np.float64]
    rows: NDArray[np.int64]
    conformity: Conformity

    @property
    def method(self) -> str:
        """The conformity score's name: "lac", "aps" or "raps"."""
        return self.conformity.method

    @property
    def quantile(self) -> float | NDArray[np.float64]:
        """The quantile: a number, or one for each class `[C]`, for each group `[G]`, or for both `[G, C]`."""
        found = self.quantiles if self.groups is not None else self.quantiles[0]
        return found if self.per == "class" else found[..., 0] if found.ndim > 1 else float(found[0])

    @property
    def rows_needed(self) -> int:
        """How many rows a quantile needs not to be inf: the smallest n with (n + 1) * alpha >= 1."""
        return math.ceil(1 / _exact(self.alpha)) - 1

    def predict_sets(self, *, logits: Any = None, probs: Any = None, groups: Any = None) -> NDArray[np.bool_]:
        """Return prediction sets as booleans `[N, C]`: whether the class is in the row's set.

        Args:
            logits: `[N, C]` of the same model, or
            probs: `[N, C]`, as in fitting.
            groups: `[N]`, where it was fitted with groups. A group that was not there has no row to learn from: its
                sets hold all classes.

        Raises:
            InputError: if the shape does not fit, a value is NaN, or a row of `probs` is no distribution.
            OptionError: if not exactly one of `logits` and `probs` is given, or `groups` against how it was fitted.
        """
        rows = ProbRows.of(logits, probs, "predict_sets")
        N, C = rows.values.shape
        if self.n_classes != C:
            constraint = f"of {self.n_classes} classes, as in fitting"
            raise input_error(rows.name, "predict_sets", constraint, f"the shape {[N, C]}")
        if (groups is None) != (self.groups is None):
            words = "with groups" if groups is None else "without"
            raise OptionError(f"The 'groups' option of predict_sets does not fit a predictor that was fitted {words}.")
        cells = np.zeros(N, np.intp) if groups is None else self._cells(groups, N)
        unknown = np.full((1, C), np.inf)
        quantiles = np.concatenate([np.broadcast_to(self.quantiles, (len(self.quantiles), C)), unknown])
        if self.groups is None:
            quantiles = quantiles[:1]
        return self.conformity.sets(rows, quantiles, cells, allow_empty=self.allow_empty)

    def _cells(self, groups: Any, N: int) -> NDArray[np.intp]:
        """Return each row's index in `self.groups`, that after the last for an unknown group."""
        names, inverse = as_groups(groups, N, "predict_sets")
        known = {name: index for index, name in enumerate(self.groups or ())}
        kinds = {type(name) for name in known}
        if any(type(name) not in kinds for name in names):
            word = "integers" if int in kinds else "strings"
            raise input_error("groups", "predict_sets", f"{word}, as in fitting", type(names[0]).__name__)
        return np.array([known.get(name, len(known)) for name in names], np.intp)[inverse]

    def parts(self) -> dict[str, Any]:
        """Return the predictor in terms of JSON, inf as None, for a file; `restore` takes it back."""
        quantiles = [[None if math.isinf(value) else value for value in row] for row in self.quantiles.tolist()]
        raps = self.conformity.raps
        return {
            "method": self.method,
            "randomized": self.conformity.randomized,
            "seed": self.conformity.seed,
            "raps": None if raps is None else [raps.k_reg, raps.weight],
            "alpha": self.alpha,
            "per": self.per,
            "n_classes": self.n_classes,
            "allow_empty": self.allow_empty,
            "groups": None if self.groups is None else list(self.groups),
            "quantiles": quantiles,
            "rows": self.rows.tolist(),
        }

    @classmethod
    def restore(cls, parts: dict[str, Any]) -> ConformalPredictor:
        """Return the predictor that `parts` took apart.

        Raises:
            KeyError, TypeError or ValueError: if the parts are not such, or do not fit together.
        """
        raps = None
        if parts["raps"] is not None:
            k_reg, weight = parts["raps"]
            raps = RapsPenalty(k_reg, weight)
        options = (parts["method"], parts["randomized"], parts["seed"], raps)
        conformity = Conformity.checked(*options, "restore")
        alpha, per = (
            check_open_fraction(parts["alpha"], "alpha", "restore"),
            check_choice(parts["per"], PER, "per", ""),
        )
        C, allow_empty = check_count(parts["n_classes"], 1, 10**9, "n_classes", "restore"), parts["allow_empty"]
        groups = None if parts["groups"] is None else tuple(parts["groups"])
        known = groups is None or (len(set(groups)) == len(groups) and all(type(name) in (int, str) for name in groups))
        K = C if per == "class" else 1
        quantiles = np.array([[math.inf if q is None else q for q in row] for row in parts["quantiles"]], np.float64)
        quantiles, rows = quantiles.reshape(-1, K), np.array(parts["rows"], np.int64).reshape(-1, K)
        shape = (1 if groups is None else len(groups), K)
        counts = bool(((rows >= 0) & (rows <= MAX_ROWS)).all())
        if not (known and counts and quantiles.shape == rows.shape == shape and (quantiles >= 0.0).all()):
            raise ValueError("the parts of the predictor do not fit together")
        if not isinstance(allow_empty, bool):
            raise TypeError("allow_empty is no boolean")
        return cls(alpha, per, C, allow_empty, groups, quantiles, rows, conformity)


def _exact(alpha: float) -> Fraction:
    """Return the decimal that `alpha` is written as: 0.1 and not 0.1000000000000000055."""
    return Fraction(repr(alpha))


def quantile_rank(n: int, alpha: float) -> int:
    """Return which of n scores, from the smallest on, is the quantile: ceil((n + 1) * (1 - alpha)); n + 1 for inf.

    Example:
        >>> from logitkit.trust.conformal_predictor import quantile_rank
        >>> quantile_rank(99, 0.1), quantile_rank(9, 0.1), quantile_rank(8, 0.1)
        (90, 9, 9)
    """
    return n + 1 - math.floor((n + 1) * _exact(alpha))


def as_groups(values: Any, N: int, function: str) -> tuple[list[Group], NDArray[np.intp]]:
    """Return the distinct names of groups, sorted, and each row's index among them."""
    array = to_numpy(values, "groups", function)
    if array.dtype == object and all(isinstance(name, str) for name in array.flat):
        array = array.astype(np.str_)
    if array.shape != (N,) or (array.dtype.kind not in "iuU" and array.size):
        found = f"{array.dtype.name} of the shape {list(array.shape)}"
        raise input_error("groups", function, f"{N} integers or strings, one for each row", found)
    names, inverse = np.unique(array, return_inverse=True)
    return names.tolist(), inverse.astype(np.intp, copy=False)
