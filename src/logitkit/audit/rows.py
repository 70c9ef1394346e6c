"""Which rows calibrators are fitted on, which judge them, and which of those all methods are compared on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables import LogitsFile
from logitkit.tables.stored import StoredRows

__all__ = ["Deal", "Sample", "deal_rows"]

MOST_FIT_ROWS = 25_000
MOST_COMPARED_ROWS = 50_000
_MOST_LOGITS = 2**24  # 64 MB in float32, of either


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows in memory.

    Attributes:
        numbers: `[n]` of the rows in the file, in order.
        logits: `[n, C]`.
        labels: `[n]`, or `[n, C]` of a multi-label model.
    """

    numbers: NDArray[np.intp]
    logits: NDArray[Any]
    labels: NDArray[Any]

    def __len__(self) -> int:
        """Return n."""
        return len(self.numbers)

    @classmethod
    def of(cls, file: LogitsFile, numbers: NDArray[np.intp]) -> Sample:
        """Read these rows, and refuse NaN."""
        assert file.labels is not None
        logits = file.rows.take(numbers)
        refuse_nan(file.rows, file.name, logits, numbers)
        return cls(numbers, logits, file.labels[numbers])

    def halves(self) -> tuple[Sample, Sample]:
        """Return two halves, drawn as evenly as rows in the order of the file can be: every other row."""
        return self._some(slice(0, None, 2)), self._some(slice(1, None, 2))

    def _some(self, rows: slice) -> Sample:
        return Sample(self.numbers[rows], np.ascontiguousarray(self.logits[rows]), self.labels[rows])


@dataclass(frozen=True, eq=False)
class Deal:
    """The rows of an audit. What is fitted is in `fit` alone, what is judged is in none of it.

    Attributes:
        fit: rows that calibrators see.
        fit_source: the file they come from.
        capped: whether there were more that could have been taken.
        judged: `[N]` whether a row of the file judges, or None where all do.
        judged_rows: how many do.
        compared: those that all methods are compared on: all that judge, or a sample of them.
    """

    fit: Sample
    fit_source: str
    capped: bool
    judged: NDArray[np.bool_] | None
    judged_rows: int
    compared: Sample


def deal_rows(file: LogitsFile, fit_file: LogitsFile | None, split: float, seed: int) -> Deal:
    """Draw the rows; the same seed draws the same.

    Args:
        file: what is audited.
        fit_file: where calibrators are fitted, if not on rows of `file`.
        split: the share of `file` that they are fitted on otherwise.
        seed: of the draw.

    Raises:
        InputError: if there are too few rows to fit and to judge, or a NaN among them.
    """
    N, C = file.rows.shape
    rng = np.random.default_rng(seed)
    room = max(1_000, _MOST_LOGITS // C)
    source = file if fit_file is None else fit_file
    available = source.rows.shape[0]
    wanted = available if fit_file is not None else round(split * available)
    n_fit = min(wanted, MOST_FIT_ROWS, room)
    fit_numbers = _draw(rng, available, n_fit)
    judged: NDArray[np.bool_] | None = None
    others = np.arange(0)
    if fit_file is None:
        judged = np.ones(N, np.bool_)
        judged[fit_numbers] = False
        others = np.flatnonzero(judged)
    judged_rows = N if fit_file is not None else len(others)
    if n_fit < 2 or judged_rows < 2:
        raise InputError(f"{file.name} has {N:,} rows; an audit needs four at least, half to fit and half to judge.")
    chosen = _draw(rng, judged_rows, min(judged_rows, MOST_COMPARED_ROWS, room))
    compared_numbers = chosen if fit_file is not None else others[chosen]
    return Deal(
        fit=Sample.of(source, fit_numbers),
        fit_source=source.name,
        capped=n_fit < wanted,
        judged=judged,
        judged_rows=judged_rows,
        compared=Sample.of(file, compared_numbers),
    )


def _draw(rng: np.random.Generator, N: int, n: int) -> NDArray[np.intp]:
    """Return n of N row numbers in order, without a permutation of all of them where few are wanted."""
    if n >= N:
        return np.arange(N)
    return np.sort(rng.choice(N, n, replace=False, shuffle=False)).astype(np.intp)


def refuse_nan(rows: StoredRows, name: str, logits: NDArray[Any], numbers: Any) -> None:
    """Refuse logits with a NaN; name the row as the file counts it."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(logits.sum()):  # infinities of both signs make one too
            return
    wrong = np.flatnonzero(np.isnan(logits).any(axis=1))
    if wrong.size:
        place = rows.row_name(int(numbers[wrong[0]]))
        raise InputError(f"{name} has a NaN in {place}; leave that row out or find out why the model made it.")
