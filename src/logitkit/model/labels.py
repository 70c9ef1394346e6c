"""Labels as people write them → class names and class indices."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from logitkit.errors import InputError

__all__ = ["as_label_column", "encode_labels"]

_TEXT = (pa.string(), pa.large_string(), pa.string_view())


def as_label_column(labels: Any, rows: int, name: str = "labels") -> pa.Array:
    """Return labels (or what else `name` says) as an Arrow string array; integers become their decimal text.

    Raises:
        InputError: if there are not as many as texts, or one is null or neither text nor an integer.

    Example:
        >>> from logitkit.model.labels import as_label_column
        >>> as_label_column([1, 0], rows=2).to_pylist()
        ['1', '0']
    """
    if isinstance(labels, str | bytes) or not hasattr(labels, "__iter__"):
        found = "one bare string" if isinstance(labels, str | bytes) else f"{labels!r:.50}"
        raise InputError(f"The {name} must be a sequence, one a text; got {found}.")
    if not isinstance(labels, pa.Array | pa.ChunkedArray):
        labels = _from_python(labels, name)
    content = labels.type.value_type if pa.types.is_dictionary(labels.type) else labels.type
    if not (len(labels) == 0 or content in _TEXT or pa.types.is_integer(content) or pa.types.is_null(content)):
        raise InputError(f"The {name} must be text or integers; got a column of type {labels.type}: convert it first.")
    labels = labels.cast(pa.large_string())
    if isinstance(labels, pa.ChunkedArray):
        labels = labels.combine_chunks()
    if len(labels) != rows:
        raise InputError(f"The {name} must be as many as the texts; got {len(labels)} {name} and {rows} texts.")
    if labels.null_count:
        row = pc.index(labels.is_null(), True).as_py()
        raise InputError(f"The {name} are null in row {row} (counted from 0): drop that text or fill it in.")
    return labels


def _from_python(labels: Any, name: str) -> pa.Array:
    values = np.atleast_1d(labels).tolist() if hasattr(labels, "__array__") else list(labels)
    for row, value in enumerate(values):
        if isinstance(value, bool) or not (value is None or isinstance(value, str | Integral)):
            raise InputError(f"The {name} must be text or integers; got {value!r:.50} in row {row} (counted from 0).")
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InputError(
                    f"The {name} must be valid Unicode; got {value!r:.50} in row {row} (counted from 0)."
                ) from None
    return pa.array([None if value is None else str(value) for value in values], pa.large_string())


def encode_labels(labels: pa.Array) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return the class names in order, and each label's index among them.

    Example:
        >>> import pyarrow as pa
        >>> from logitkit.model.labels import encode_labels
        >>> encode_labels(pa.array(["b", "a", "b"]))
        (('a', 'b'), array([1, 0, 1]))
    """
    encoded = labels.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.intp)
    rank[order] = np.arange(len(names))
    indices = rank[encoded.indices.to_numpy(zero_copy_only=False)] if len(labels) else np.empty(0, np.intp)
    return tuple(names[i] for i in order), indices
