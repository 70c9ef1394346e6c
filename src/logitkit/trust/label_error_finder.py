"""Confident learning out of core: two passes over blocks of rows, and the labels that are most likely wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import check_choice, check_count
from logitkit.errors import InputError
from logitkit.trust.label_error_list import LabelErrors
from logitkit.trust.label_judgements import Judged, Labels, judge_labels

__all__ = ["LabelErrorFinder"]

PRUNES = ("class", "confident-joint")
RANKS = ("log-odds", "margin", "self-confidence")

_JOINT_CLASSES = 1000  # with more, the confident joint would not fit a report, nor perhaps the memory
_ONE = 2.0**30  # probabilities are added as two whole numbers of 30 bits: in any order, the sum is the same
_FLUSH = 2**16  # candidates that may wait for being cut
_CANDIDATE = np.dtype(
    [("given", "i4"), ("suggested", "i4"), ("row", "i8")]
    + [(name, "f8") for name in ("value", "log_odds", "p_given", "p_suggested")]
)

Array = NDArray[Any]


class LabelErrorFinder:
    """Finds label errors in blocks of rows, in two passes: `update_thresholds` over all rows, then `update`, `finish`.

    The result has the same bits however the rows are cut into blocks, and at any number of threads. Memory grows with
    the rows whose label the model is against, and with `most` with C * most at the most, never with the logits.
    Arguments are those of `find_label_errors`. After an error in a pass, begin anew.

    Args:
        n_classes: C.
        prune: "class" or "confident-joint".
        rank: "log-odds", "margin" or "self-confidence".
        most: keep so many rows in the list; None keeps all.
        function: what errors call the finder.

    Raises:
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit.trust.label_error_finder import LabelErrorFinder
        >>> blocks = [([0, 0, 1], [[4.0, 0.0], [3.0, 0.0], [0.0, 3.0]]), ([1, 1], [[0.0, 4.0], [5.0, 0.0]])]
        >>> finder = LabelErrorFinder(2)
        >>> for labels, logits in blocks:
        ...     finder.update_thresholds(labels, logits=logits)
        >>> for labels, logits in blocks:
        ...     finder.update(labels, logits=logits)
        >>> finder.finish().rows.tolist()
        [4]
    """

    def __init__(
        self, n_classes: int, *, prune: str = "class", rank: str = "log-odds", most: int | None = None,
        function: str = "LabelErrorFinder",
    ) -> None:  # fmt: skip
        name = self._function = function
        C = self._C = check_count(n_classes, 1, 2**31 - 1, "n_classes", name)
        self._prune = check_choice(prune, PRUNES, "prune", name)
        self._rank = check_choice(rank, RANKS, "rank", name)
        self._most = None if most is None else check_count(most, 0, 2**63 - 1, "most", name)
        self._counts = np.zeros(C, np.int64)
        self._masses = np.zeros((2, C), np.int64)
        self._thresholds: NDArray[np.float64] | None = None
        self._seen = 0
        self._tallies = np.zeros((3, C), np.int64)
        self._joint = np.zeros((C, C), np.int64) if C <= _JOINT_CLASSES else None
        self._kept: list[Array] = []
        self._flush_at = _FLUSH

    def update_thresholds(
        self, labels: Any, *, logits: Any = None, probs: Any = None, first_row: int | None = None
    ) -> None:
        """First pass: add a block to the mean probability of each class over the rows that are given it.

        Args:
            labels: `[n]` integers in [0, C).
            logits: `[n, C]`, or
            probs: `[n, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
            first_row: what errors call the first row; by default rows are counted on.

        Raises:
            InputError: if shapes disagree, a label is out of range (its row is counted in the block), a value is NaN,
                a row of `probs` is no distribution, or `update` was called before.
            OptionError: if not exactly one of `logits` and `probs` is given.
        """
        C = self._C
        if self._thresholds is not None:
            raise InputError(f"{self._function} must be given all blocks in update_thresholds before update is called.")

        def add_up(_start: int, y: Labels, judged: Judged) -> tuple[Array, Array]:
            scaled = judged["p_given"] * _ONE
            whole = np.floor(scaled)
            part = np.floor((scaled - whole) * _ONE)
            masses = [np.bincount(y, column, C) for column in (whole, part)]  # exact: below 2^53
            return np.bincount(y, minlength=C), np.array(masses).astype(np.int64)

        first = int(self._counts.sum()) if first_row is None else first_row
        for counts, masses in judge_labels(labels, logits, probs, np.full(C, np.inf), first, self._function, add_up):
            self._counts += counts
            self._masses += masses

    def update(self, labels: Any, *, logits: Any = None, probs: Any = None, first_row: int | None = None) -> None:
        """Second pass: look for errors in a block, of the same rows that `update_thresholds` saw.

        Arguments and errors are those of `update_thresholds`; `first_row` is also what the list calls the first row.
        """
        if self._thresholds is None:
            self._thresholds = self._mean_probs()
        C = self._C

        def look(start: int, y: Labels, judged: Judged) -> tuple[int, Array, Array, Array]:
            confident, against = judged["confident"], judged["log_odds"] < 0.0
            agreed = confident == y
            apart = (confident >= 0) & ~agreed
            rows = np.flatnonzero(against if self._prune == "class" else apart)
            counts = np.array([np.bincount(y[mask], minlength=C) for mask in (agreed, apart, against)])
            return len(y), counts, y[apart] * C + confident[apart], self._candidates(rows, start, y, judged)

        first = self._seen if first_row is None else first_row
        for n, counts, pairs, found in judge_labels(
            labels, logits, probs, self._thresholds, first, self._function, look
        ):
            self._seen += n
            self._tallies += counts
            if self._joint is not None:
                np.add.at(self._joint.reshape(-1), pairs, 1)
            self._kept.append(found)
            if self._most is not None and sum(map(len, self._kept)) >= self._flush_at:
                self._kept = [_lowest_by_class(np.concatenate(self._kept), np.full(C, self._most))]
                self._flush_at = max(_FLUSH, 2 * len(self._kept[0]))

    def finish(self) -> LabelErrors:
        """Return the labels that are most likely wrong.

        Raises:
            InputError: if the two passes saw different numbers of rows.
        """
        N = int(self._counts.sum())
        if self._seen != N:
            raise InputError(
                f"{self._function} must be given the same rows in both passes; got {N} in update_thresholds and "
                f"{self._seen} in update."
            )
        by_class = self._prune == "class"
        agreed, apart, against = self._tallies
        kept = np.concatenate([np.empty(0, _CANDIDATE), *self._kept])
        if by_class:
            kept = _lowest_by_class(kept, apart)
        kept = kept[_order(kept)][: self._most]
        rates = apart / np.maximum(apart + agreed, 1)
        return LabelErrors(
            rows=kept["row"].astype(np.intp),
            given=kept["given"].astype(np.intp),
            suggested=kept["suggested"].astype(np.intp),
            p_given=kept["p_given"].copy(),
            p_suggested=kept["p_suggested"].copy(),
            rank_values=kept["value"].copy(),
            rank=self._rank,
            prune=self._prune,
            n_rows=N,
            n_suspects=int((np.minimum(apart, against) if by_class else apart).sum()),
            class_counts=self._counts.copy(),
            thresholds=self._mean_probs(),
            confident_joint=None if self._joint is None else self._joint + np.diag(agreed),
            estimated_noise_rate=float(rates @ self._counts) / N if N else math.nan,
        )

    def _mean_probs(self) -> NDArray[np.float64]:
        """Return the mean probability of each class over the rows given it, rounded down, +inf where there are none.

        Rounded down, it is never above the probability that all rows of a class have.
        """
        one = int(_ONE)
        columns = zip(self._counts.tolist(), *self._masses.tolist(), strict=True)
        return np.array([(whole * one + part) / (n * one * one) if n else math.inf for n, whole, part in columns])

    def _candidates(self, rows: NDArray[np.intp], start: int, y: Labels, judged: Judged) -> Array:
        found = np.empty(len(rows), _CANDIDATE)
        suggested = "best" if self._prune == "class" else "confident"
        log_odds, p_given = judged["log_odds"][rows], judged["p_given"][rows]
        found["row"], found["given"], found["suggested"] = rows + start, y[rows], judged[suggested][rows]
        found["log_odds"], found["p_given"], found["p_suggested"] = log_odds, p_given, judged[f"p_{suggested}"][rows]
        if self._rank == "margin":
            ahead = np.exp(-np.maximum(log_odds, 0.0))
            found["value"] = p_given - np.where(log_odds < 0.0, judged["p_best"][rows], p_given * ahead)
        else:
            found["value"] = log_odds if self._rank == "log-odds" else p_given
        return found


def _order(found: Array, *first: Array) -> NDArray[np.intp]:
    """Return the order of suspicion: by value, the log odds where that is rounded to one number, and the row."""
    order: NDArray[np.intp] = np.lexsort((found["row"], found["log_odds"], found["value"], *first))
    return order


def _lowest_by_class(found: Array, limits: Array) -> Array:
    """Return of every given label the most suspicious rows, at most limits[label] of them."""
    found = found[_order(found, found["given"])]
    given = found["given"]
    place = np.arange(len(found)) - np.searchsorted(given, given, side="left")
    lowest: Array = found[place < limits[given]]
    return lowest
