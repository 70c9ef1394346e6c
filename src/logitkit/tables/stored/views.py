"""Rows of logits made of others: of an array in memory, some of the rows, and logits from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_logits
from logitkit.errors import InputError
from logitkit.tables.stored.rows import StoredRows

__all__ = ["MemoryRows", "SomeRows", "as_log_odds", "as_log_probs"]

SUM_TOLERANCE = 1e-3
"""How far from 1 the probabilities of a row may add up, as in `trust.rows`."""

Array = NDArray[Any]


class MemoryRows(StoredRows):
    """The rows of an array in memory.

    Args:
        logits: `[N, C]`.
        first_row: What messages call the first row.

    Example:
        >>> MemoryRows([[2.0, 1.0, 0.1], [0.5, 0.0, -1.0]]).take(np.array([1])).tolist()
        [[0.5, 0.0, -1.0]]
    """

    def __init__(self, logits: Any) -> None:
        array = as_logits(logits, "MemoryRows", ndim=2)
        self.shape = array.shape
        self.dtype = compute_dtype(array.dtype)
        self._logits = array

    def read(self, start: int, stop: int) -> Array:
        """Return the rows from `start` to before `stop`, in the memory of the array where it is contiguous floats."""
        self.check_range(start, stop)
        return read_only(np.ascontiguousarray(self._logits[start:stop], self.dtype))

    def take(self, rows: NDArray[np.intp]) -> Array:
        """Return the rows of these numbers."""
        self.check_increasing(rows)
        return np.ascontiguousarray(self._logits[rows], self.dtype)

    def row_name(self, row: int) -> str:
        """Return what messages call a row."""
        return f"row {row:,} (counted from 0)"

    def close(self) -> None:
        """Do nothing: there is no file."""


class SomeRows(StoredRows):
    """Those rows of others whose numbers, which increase, are given.

    Example:
        >>> rows = MemoryRows([[2.0, 1.0], [0.5, 0.0], [7.0, 3.0]])
        >>> SomeRows(rows, np.array([0, 2])).read(1, 2).tolist()
        [[7.0, 3.0]]
    """

    def __init__(self, rows: StoredRows, kept: NDArray[np.intp]) -> None:
        self.shape = (len(kept), rows.shape[1])
        self.dtype = rows.dtype
        self._rows = rows
        self._kept = kept

    def read(self, start: int, stop: int) -> Array:
        """Return the rows from `start` to before `stop`."""
        self.check_range(start, stop)
        return self._rows.take(self._kept[start:stop])

    def take(self, rows: NDArray[np.intp]) -> Array:
        """Return the rows of these numbers."""
        self.check_increasing(rows)
        return self._rows.take(self._kept[rows])

    def row_name(self, row: int) -> str:
        """Return what messages call a row: what it is in the file."""
        return self._rows.row_name(int(self._kept[row]))

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


def as_log_probs(rows: StoredRows, name: str = "probs") -> StoredRows:
    """Return rows of probabilities as log p, which are logits whose softmax gives p back; log 0 is -inf.

    Every row is checked when it is read.

    Args:
        rows: `[N, C]`, each in [0, 1]; a row sums to 1 within 0.001.
        name: What messages call them.

    Returns:
        Rows whose `read` and `take` raise an InputError that names the first row that is no distribution. NaN passes.

    Example:
        >>> as_log_probs(MemoryRows([[1.0, 0.0], [0.5, 0.5]])).read(0, 2).round(2).tolist()
        [[0.0, -inf], [-0.69, -0.69]]
        >>> as_log_probs(MemoryRows([[2.0, 0.1]]), "p.npy").read(0, 1)
        Traceback (most recent call last):
        logitkit.errors.InputError: p.npy has values from 0.1 to 2 in row 0 (counted from 0), which are no ...
    """
    return _FromProbs(rows, name, one_sum=True)


def as_log_odds(rows: StoredRows, name: str = "probs") -> StoredRows:
    """Return rows of one probability a label, as of a multi-label model, as log(p / (1 - p)); p = 0 and 1 are infinite.

    Every row is checked when it is read.

    Args:
        rows: `[N, C]`, each in [0, 1].
        name: What messages call them.

    Returns:
        Rows whose `read` and `take` raise an InputError that names the first row with another number. NaN passes.

    Example:
        >>> as_log_odds(MemoryRows([[0.5, 1.0]])).read(0, 1).tolist()
        [[0.0, inf]]
    """
    return _FromProbs(rows, name, one_sum=False)


class _FromProbs(StoredRows):
    def __init__(self, rows: StoredRows, name: str, *, one_sum: bool) -> None:
        self.shape = rows.shape
        self.dtype = rows.dtype
        self._rows = rows
        self._name = name
        self._one_sum = one_sum

    def read(self, start: int, stop: int) -> Array:
        return self._logits(self._rows.read(start, stop), range(start, stop))

    def take(self, rows: NDArray[np.intp]) -> Array:
        return self._logits(self._rows.take(rows), rows)

    def row_name(self, row: int) -> str:
        return self._rows.row_name(row)

    def close(self) -> None:
        self._rows.close()

    def _logits(self, probs: Array, numbers: range | NDArray[np.intp]) -> Array:
        if probs.size:
            self._check(probs, numbers)
        out = probs if probs.flags.writeable else None
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._one_sum:
                return np.log(probs, out=out)
            return np.subtract(np.log(probs), np.log1p(-probs), out=out)

    def _check(self, probs: Array, numbers: range | NDArray[np.intp]) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            sums = probs.sum(axis=1) if self._one_sum else np.ones(1)
            if probs.min() >= 0.0 and probs.max() <= 1.0 and (abs(sums - 1.0) <= SUM_TOLERANCE).all():
                return
            low, high = probs.min(axis=1), probs.max(axis=1)
            wrong = (low < 0.0) | (high > 1.0) | (abs(sums - 1.0) > SUM_TOLERANCE)
        if not wrong.any():
            return
        row = int(np.argmax(wrong))
        place = self._rows.row_name(int(numbers[row]))
        if low[row] < 0.0 or high[row] > 1.0:
            has = f"values from {low[row]:.6g} to {high[row]:.6g} in {place}, which are no probabilities"
            raise InputError(f"{self._name} has {has}; pass logits without --probs (probs=True).")
        raise InputError(
            f"{self._name} has probabilities that sum to {sums[row]:.6g} and not to 1 in {place}; divide each row by"
            " its sum, or pass logits without --probs (probs=True)."
        )
