"""One look over logits: what their range, rows and arg max are, as `check_logits` needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.tables.stored import StoredRows

__all__ = ["Look", "look_at", "nan_rows"]

_CHECKED_NUMBERS = 50_000_000  # so many are looked at in full
_SAMPLED_ROWS = 100_000  # of more than that at most so many rows, evenly spaced
_SUM_TOLERANCE = 0.02  # probabilities that were rounded to two or three digits look like such still
_BLOCK_BYTES = 1 << 20  # of which several passes stay in the cache


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes:
        n_rows: How many rows were looked at.
        has_nan: Whether one has a NaN.
        in_unit_interval: Whether all numbers are in [0, 1].
        sum_to_one: Whether all rows sum to 1 within 0.02; meant only where `in_unit_interval`.
        rows_vary: Whether some row has two different numbers.
        rows_differ: Whether two rows differ.
        plus_inf: How many numbers are +inf.
        minus_inf: How many are -inf.
        n_correct: In how many rows the arg max is the label.
    """

    n_rows: int
    has_nan: bool
    in_unit_interval: bool
    sum_to_one: bool
    rows_vary: bool
    rows_differ: bool
    plus_inf: int
    minus_inf: int
    n_correct: int


def look_at(rows: StoredRows, labels: NDArray[np.intp] | None) -> Look:
    """Look at all rows where they are few, else at some, evenly spaced.

    Args:
        rows: `[N, C]`.
        labels: Class indices `[N]`, or None.

    Example:
        >>> from logitkit.tables.stored import MemoryRows
        >>> look_at(MemoryRows([[0.7, 0.3], [0.1, 0.9]]), np.array([0, 0])).n_correct
        1
    """
    from logitkit.kernels import run_blocks, split
    from logitkit.ops import argmax

    N, C = rows.shape
    few = min(_SAMPLED_ROWS, max(1, _CHECKED_NUMBERS // C))
    chosen = np.linspace(0, N - 1, few).astype(np.intp) if N * C > _CHECKED_NUMBERS and few < N else None
    first_row = rows.read(0, 1)

    def work(start: int, stop: int) -> Look:
        block = rows.read(start, stop) if chosen is None else rows.take(chosen[start:stop])
        low, high = block.min(), block.max()
        unit = bool(low >= 0.0 and high <= 1.0)
        n_correct = 0
        if labels is not None:
            there = labels[start:stop] if chosen is None else labels[chosen[start:stop]]
            n_correct = int(np.count_nonzero(argmax(block) == there))
        return Look(
            n_rows=len(block),
            has_nan=bool(np.isnan(low)),
            in_unit_interval=unit,
            sum_to_one=unit and bool((abs(block.sum(axis=1) - 1.0) <= _SUM_TOLERANCE).all()),
            rows_vary=bool((block != block[:, :1]).any()),
            rows_differ=bool((block != first_row).any()),
            plus_inf=int(np.count_nonzero(block == np.inf)) if not high < np.inf else 0,
            minus_inf=int(np.count_nonzero(block == -np.inf)) if not low > -np.inf else 0,
            n_correct=n_correct,
        )

    n_rows = N if chosen is None else len(chosen)
    looks = run_blocks(work, split(n_rows, max(1, _BLOCK_BYTES // (C * rows.dtype.itemsize))))
    return Look(
        n_rows=n_rows,
        has_nan=any(look.has_nan for look in looks),
        in_unit_interval=all(look.in_unit_interval for look in looks),
        sum_to_one=all(look.sum_to_one for look in looks),
        rows_vary=any(look.rows_vary for look in looks),
        rows_differ=any(look.rows_differ for look in looks),
        plus_inf=sum(look.plus_inf for look in looks),
        minus_inf=sum(look.minus_inf for look in looks),
        n_correct=sum(look.n_correct for look in looks),
    )


def nan_rows(rows: StoredRows) -> tuple[int, int]:
    """Return the first row that has a NaN, -1 where none has, and how many have one; all rows are looked at.

    Example:
        >>> from logitkit.tables.stored import MemoryRows
        >>> nan_rows(MemoryRows([[0.7, 0.3], [0.1, np.nan], [np.nan, 0.0]]))
        (1, 2)
    """
    from logitkit.kernels import run_blocks, split

    def work(start: int, stop: int) -> tuple[int, int]:
        found = np.flatnonzero(np.isnan(rows.read(start, stop)).any(axis=1))
        return (start + int(found[0]) if found.size else -1), found.size

    N, C = rows.shape
    found = run_blocks(work, split(N, max(1, 8 * _BLOCK_BYTES // (C * rows.dtype.itemsize))))
    return next((row for row, _ in found if row >= 0), -1), sum(count for _, count in found)
