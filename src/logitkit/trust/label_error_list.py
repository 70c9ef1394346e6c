"""Which labels are most likely wrong: the list that `trust.label_errors` makes, and what it says of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import check_count
from logitkit.errors import InputError

__all__ = ["LabelErrors", "LabelPair"]

Indices = NDArray[np.intp]
Numbers = NDArray[np.float64]


class LabelPair(NamedTuple):
    """How many rows with one given label seem to be of another class."""

    given: int
    suggested: int
    rows: int


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """The labels that are most likely wrong, the most suspicious first; `find_label_errors` makes one.

    Attributes:
        rows: `[K]` row numbers.
        given: `[K]` the labels of those rows.
        suggested: `[K]` the classes that the model is for.
        p_given: `[K]` the probabilities of the given labels.
        p_suggested: `[K]` those of the suggested classes.
        rank_values: `[K]` what the list is ordered by, lowest first.
        rank: "log-odds", "margin" or "self-confidence": what `rank_values` are.
        prune: "class" or "confident-joint": how rows came into the list.
        n_rows: N, how many labels were looked at.
        n_suspects: how many rows are suspicious: K, or more where the list was cut at `most`.
        class_counts: `[C]` rows given each label.
        thresholds: `[C]` the mean probability of a class over the rows given it; +inf for a class without rows.
        confident_joint: `[C, C]` counts, row = given label, column = confident class; None where C is above 1,000.
        estimated_noise_rate: the share of labels that the confident joint calls wrong, in [0, 1]; NaN where N is 0. The
            model's own confident mistakes are counted too, so it is too high rather than too low.

    Example:
        >>> from logitkit.trust.label_errors import find_label_errors
        >>> found = find_label_errors([0, 0, 1, 1, 1], logits=[[4, 0], [3, 0], [0, 3], [0, 4], [5, 0]])
        >>> found.by_pair(), found.to_table(["ham", "spam"])["suggested"]
        ([LabelPair(given=1, suggested=0, rows=1)], ['ham'])
    """

    rows: Indices
    given: Indices
    suggested: Indices
    p_given: Numbers
    p_suggested: Numbers
    rank_values: Numbers
    rank: str
    prune: str
    n_rows: int
    n_suspects: int
    class_counts: NDArray[np.int64]
    thresholds: Numbers
    confident_joint: NDArray[np.int64] | None
    estimated_noise_rate: float

    def __len__(self) -> int:
        """How many rows are listed."""
        return len(self.rows)

    def by_pair(self, most: int = 20) -> list[LabelPair]:
        """Return the pairs of given label and suggested class that occur most often, largest count first.

        They are the entries of the confident joint off its diagonal; where there is none, pairs of the listed rows.

        Raises:
            OptionError: if `most` is below 0.
        """
        most = check_count(most, 0, 2**63 - 1, "most", "by_pair")
        if self.confident_joint is None:
            C = len(self.class_counts)
            pairs, counts = np.unique(self.given.astype(np.int64) * C + self.suggested, return_counts=True)
            given, suggested = np.divmod(pairs, C)
        else:
            apart = self.confident_joint.copy()
            np.fill_diagonal(apart, 0)
            given, suggested = np.nonzero(apart)
            counts = apart[given, suggested]
        order = np.argsort(-counts, kind="stable")[:most]
        columns = (column[order].tolist() for column in (given, suggested, counts))
        return [LabelPair(*pair) for pair in zip(*columns, strict=True)]

    def estimated_joint(self) -> Numbers | None:
        """Return the estimated distribution of given and true labels, `[C, C]`, which sums to 1; None with the counts.

        Each row of the confident joint is scaled to the rows given its label, then all to 1; a class none of whose rows
        is confidently of any class, since each gives it no probability, stays on the diagonal. No rows give zeros.
        """
        if self.confident_joint is None:
            return None
        joint = self.confident_joint.astype(np.float64)
        counted = joint.sum(axis=1)
        np.fill_diagonal(joint, np.where(counted > 0.0, np.diagonal(joint), 1.0))
        joint *= (self.class_counts / np.maximum(counted, 1.0))[:, None]
        return joint / max(self.n_rows, 1)

    def to_table(self, class_names: Sequence[str] | None = None) -> dict[str, list[Any]]:
        """Return the list as columns for a table: row, given, suggested, p_given, p_suggested and the rank's values.

        Args:
            class_names: C names to write instead of class indices.

        Raises:
            InputError: if there are not C names.
        """
        C = len(self.class_counts)
        if class_names is not None and len(class_names) != C:
            raise InputError(f"The 'class_names' of to_table must be {C} names; got {len(class_names)}.")
        given, suggested = self.given.tolist(), self.suggested.tolist()
        return {
            "row": self.rows.tolist(),
            "given": given if class_names is None else [class_names[c] for c in given],
            "suggested": suggested if class_names is None else [class_names[c] for c in suggested],
            "p_given": self.p_given.tolist(),
            "p_suggested": self.p_suggested.tolist(),
            self.rank.replace("-", "_"): self.rank_values.tolist(),
        }
