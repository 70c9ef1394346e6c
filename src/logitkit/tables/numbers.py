"""A column of numbers, whatever its format made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logitkit.errors import InputError

__all__ = ["as_numbers"]


def as_numbers(column: pa.ChunkedArray, name: str, file: str) -> NDArray[Any]:
    """Return a column as float64; text that is a number, as in CSV, counts as one.

    Raises:
        InputError: if a value is no number; the first one is named.

    Example:
        >>> import pyarrow as pa
        >>> from logitkit.tables.numbers import as_numbers
        >>> as_numbers(pa.chunked_array([["1", "2.5"]]), "weight", "news.csv").tolist()
        [1.0, 2.5]
    """
    try:
        numbers: NDArray[Any] = column.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for row, value in enumerate(column.to_pylist(), start=1):
            try:
                float(value)
            except (TypeError, ValueError):
                raise InputError(f"{file}, row {row}, column {name!r} must be a number; got {value!r:.40}.") from None
        numbers = np.array([float(value) for value in column.to_pylist()])
    return numbers
