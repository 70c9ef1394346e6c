"""Rows that were measured, dealt at random into groups: all that judging keeps of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.kernels import run_blocks, split
from logitkit.trust.rows import RowMeasures
from logitkit.trust.selective import RiskCoverageCurve, points_of_keys, sort_keys

__all__ = ["GROUPS", "Groups", "figures_of", "reliability_sums"]

GROUPS = 1000  # an interval's width is off by about 1 / sqrt(2 · GROUPS) of itself
RANK_BINS = 1000  # of confidence, in which draws add up risks
_PIECE = 2**18  # rows in a piece of the keys

Floats = NDArray[np.float64]


class Groups:
    """Sums over the rows of each group, and 8 bytes of every row: its confidence, and whether it is right.

    The group of a row is a hash of its number, so that batches leave no trace. Where there are no more rows than
    groups, each row is a group.

    Example:
        >>> from logitkit.trust.groups import Groups
        >>> from logitkit.trust.rows import measure_rows
        >>> groups = Groups(15, seed=0)
        >>> groups.add(measure_rows([0, 1], probs=[[0.9, 0.1], [0.6, 0.4]]))
        >>> groups.rows, len(groups.sums())
        (2, 2)
    """

    def __init__(self, n_bins: int, seed: int) -> None:
        from logitkit.kernels.dealing import FIRST_BIN

        self.rows = 0
        self._hash_key = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        self._table = np.zeros((GROUPS, FIRST_BIN + 3 * n_bins))
        self._first = np.empty((4, GROUPS))  # the measures of the first rows, for when there are no others
        self._keys: list[NDArray[np.uint64]] = []

    def add(self, measured: RowMeasures) -> None:
        """Add rows to the sums of their groups, and keep their keys."""
        from logitkit.kernels.dealing import deal_measures

        measures = measured.confidence, measured.correct, measured.log_loss, measured.brier
        if self.rows < GROUPS:
            early = measures[0][: GROUPS - self.rows].size
            self._first[:, self.rows : self.rows + early] = [measure[:early] for measure in measures]
        done, N = 0, len(measures[0])
        while done < N:
            at = self.rows % _PIECE
            if at == 0:
                self._keys.append(np.empty(_PIECE, np.uint64))
            n = min(N - done, _PIECE - at)
            c, right, loss, brier = (measure[done : done + n] for measure in measures)
            keys = self._keys[-1][at : at + n]
            deal_measures(self.rows, self._hash_key, False, c, right, loss, brier, self._table, keys)
            self.rows, done = self.rows + n, done + n

    def sums(self) -> Floats:
        """Return the sums of each group, `[G, K]`; the columns are those of kernels/dealing.py."""
        from logitkit.kernels.dealing import deal_measures

        N = self.rows
        if N > GROUPS:
            return self._table
        table = np.zeros((N, self._table.shape[1]))
        c, right, loss, brier = self._first[:, :N]
        deal_measures(0, self._hash_key, True, c, right, loss, brier, table, np.empty(N, np.uint64))
        return table

    def ranks(self, points: int) -> tuple[RiskCoverageCurve, float, Floats, Floats]:
        """Return the risk-coverage curve of at most `points` points, and the area under the whole of it.

        And how many rows, and how many errors, each group has in bins of confidence: two arrays `[G, B]`. Bins are
        ascending, and hold about equally many rows; a bin is one confidence where there are few.
        """
        from logitkit.kernels.dealing import deal_ranks

        N, G = self.rows, min(self.rows, GROUPS)
        pieces = [read_only(keys[: N - i * _PIECE]) for i, keys in enumerate(self._keys)]
        ordered = np.concatenate([*pieces, np.empty(0, np.uint64)])
        sort_keys(ordered)
        curve, area = points_of_keys(ordered, points)
        lowest = points_of_keys(ordered, RANK_BINS)[0].threshold[::-1]
        del ordered
        thresholds = read_only(np.ascontiguousarray(lowest).view(np.uint64))

        def work(start: int, stop: int) -> NDArray[np.int64]:
            counts = np.zeros((G, len(thresholds)), np.int64)
            for i in range(start, stop):
                deal_ranks(i * _PIECE, self._hash_key, N <= GROUPS, pieces[i], thresholds, counts)
            return counts

        parts = run_blocks(work, split(len(pieces), max(1, len(pieces) // 4)))
        counts = sum(parts, np.zeros((G, len(thresholds)), np.int64))
        return curve, area, (counts & 0xFFFFFFFF).astype(np.float64), (counts >> 32).astype(np.float64)


def figures_of(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return accuracy, log loss, Brier score `[...]`, and gaps `[..., n_bins]`, of sums over rows `[..., K]`.

    The gap of a bin is the sum of confidence - correct over its rows, by all rows: the calibration error is the sum of
    the gaps' sizes.
    """
    from logitkit.kernels.dealing import BRIER, INFINITE, LOG_LOSS

    count, confidence, correct = reliability_sums(sums)
    N = count.sum(axis=-1)
    log_loss = np.where(sums[..., INFINITE] > 0.0, np.inf, sums[..., LOG_LOSS] / N)
    return correct.sum(axis=-1) / N, log_loss, sums[..., BRIER] / N, (confidence - correct) / N[..., None]


def reliability_sums(sums: Floats) -> tuple[Any, Any, Any]:
    """Return count, confidence and correct of the bins, `[..., n_bins]` each, of sums over rows `[..., K]`."""
    from logitkit.kernels.dealing import FIRST_BIN

    bins = sums[..., FIRST_BIN:].reshape(*sums.shape[:-1], -1, 3)
    return bins[..., 0], bins[..., 1], bins[..., 2]
