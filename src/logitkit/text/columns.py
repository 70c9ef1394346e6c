"""Text columns: Arrow strings in, normalised UTF-8 bytes and offsets out, copied only where a row needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.kernels import run_blocks, split
from logitkit.kernels.utf8 import NEEDS_LOWER, NEEDS_NFKC, NEEDS_REPAIR, row_flags
from logitkit.text.alphabet import alphabet

Texts = Any
"""A list of str, a NumPy array of str, a pandas or Polars series, or a pyarrow Array or ChunkedArray of strings."""

_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 4096


class Column(NamedTuple):
    """The bytes of one string column: row r is `data[offsets[r]:offsets[r + 1]]`.

    Attributes:
        data: uint8; UTF-8, lower-cased and NFKC-normalised (but for ASCII capitals, which the tokeniser lowers).
        offsets: `[N + 1]` int32 or int64.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[Any]

    @property
    def rows(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1

    @property
    def size(self) -> int:
        """How many bytes the texts have."""
        return int(self.offsets[-1]) - int(self.offsets[0])

    def blocks(self, block_bytes: int = _BLOCK_BYTES) -> list[tuple[int, int]]:
        """Cut the rows into consecutive ranges of about `block_bytes`; the cut depends on the data alone."""
        if self.rows == 0:
            return []
        marks = np.arange(1, max(2, self.size // block_bytes + 1)) * block_bytes + int(self.offsets[0])
        cuts = np.unique(np.searchsorted(self.offsets, marks))
        cuts = np.concatenate([[0], cuts[(cuts > 0) & (cuts < self.rows)], [self.rows]])
        return list(pairwise(cuts.tolist()))


def as_arrow(texts: Texts) -> pa.Array:
    """Return `texts` as one Arrow string array, without copying Arrow's own.

    Args:
        texts: `[N]` strings; see `Texts`.

    Raises:
        InputError: if it is one bare string, or not strings, or a text is null (the message names the first).

    Example:
        >>> from logitkit.text.columns import as_arrow
        >>> as_arrow(["a", "b"]).type
        DataType(string)
    """
    if isinstance(texts, str | bytes):
        raise InputError("The texts must be a sequence of texts; got one bare string: put it into a list.")
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
        if isinstance(texts, pa.ChunkedArray):  # several chunks that no single array can hold
            texts = pa.concat_arrays(texts.cast(pa.large_string()).chunks)
    if not isinstance(texts, pa.Array):
        texts = _from_python(texts)
    if pa.types.is_dictionary(texts.type) or pa.types.is_string_view(texts.type):
        texts = texts.cast(pa.large_string())
    if pa.types.is_null(texts.type) and len(texts) == 0:
        texts = texts.cast(pa.string())
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise InputError(f"The texts must be strings; got a column of type {texts.type}: convert it first.")
    if texts.null_count:
        row = pc.index(texts.is_null(), True).as_py()
        raise InputError(f"Text {row} (counted from 0) is null: drop such rows, or replace them by an empty text.")
    return texts


def _from_python(texts: Iterable[Any]) -> pa.Array:
    if hasattr(texts, "to_arrow"):  # Polars
        return as_arrow(texts.to_arrow())
    if hasattr(texts, "__arrow_array__") or hasattr(texts, "__arrow_c_array__"):
        return pa.array(texts)
    if isinstance(texts, np.ndarray) or hasattr(texts, "to_numpy"):
        texts = np.asarray(texts).tolist()
    try:
        texts = list(texts)
    except TypeError:
        raise InputError(f"The texts must be a sequence of texts; got {type(texts).__name__}.") from None
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:  # lone surrogates, as `json` and `os.fsdecode` leave them
        return pa.array([text.encode("utf-8", "replace").decode("utf-8") for text in texts], pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        for row, text in enumerate(texts):
            if text is not None and not isinstance(text, str):
                raise InputError(
                    f"Text {row} (counted from 0) must be a string; got {type(text).__name__} {text!r:.50}."
                ) from None
        return pa.array(texts, pa.large_string())


def as_column(texts: Texts) -> Column:
    """Return `texts` as normalised bytes: invalid UTF-8 replaced, NFKC, lower case.

    Rows of plain ASCII, and rows that are normal already (most Chinese text), are passed on as they are.

    Args:
        texts: `[N]` strings; see `Texts`.

    Raises:
        InputError: as `as_arrow`.

    Example:
        >>> from logitkit.text.columns import as_column
        >>> bytes(as_column(["Ｆｕｌｌ Ünit"]).data).decode()
        'full ünit'
    """
    array = as_arrow(texts)
    column = _buffers(array)
    flags = np.zeros(column.rows, np.uint8)
    run_blocks(lambda a, b: row_flags(column.data, column.offsets[a : b + 1], alphabet(), flags[a:b]), column.blocks())
    if not flags.any():
        return column
    if (flags & NEEDS_REPAIR).any():
        array = _repair(array, column, np.flatnonzero(flags & NEEDS_REPAIR))
    # A row is changed by what it needs itself, whatever stands beside it.
    needs_nfkc = flags & NEEDS_NFKC > 0
    needs_lower = (flags & NEEDS_LOWER > 0) & ~needs_nfkc
    array = _change(array, np.flatnonzero(needs_nfkc), lambda part: pc.utf8_lower(pc.utf8_normalize(part, form="NFKC")))
    return _buffers(_change(array, np.flatnonzero(needs_lower), pc.utf8_lower))


def _buffers(array: pa.Array) -> Column:
    """View the buffers of a string array without nulls; a slice keeps its offset."""
    width: Any = np.int64 if pa.types.is_large_string(array.type) else np.int32
    _, offsets, data = array.buffers()
    if len(array) == 0 or offsets is None:
        return Column(np.zeros(0, np.uint8), np.zeros(1, width))
    view = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1]
    return Column(np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8), view)


def _change(array: pa.Array, rows: NDArray[np.intp], change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return `array` with `change` made to some of its rows, on all threads."""
    if len(rows) == 0:
        return array
    picked = array if len(rows) == len(array) else array.take(rows)
    parts = run_blocks(lambda start, stop: change(picked.slice(start, stop - start)), split(len(rows), _BLOCK_ROWS))
    return _put(array, rows, pa.concat_arrays([part.cast(pa.large_string()) for part in parts]))


def _put(array: pa.Array, rows: NDArray[np.intp], new: pa.Array) -> pa.Array:
    """Return `array` with `rows` replaced by `new`."""
    if len(rows) == len(array):
        return new
    order = np.arange(len(array))
    order[rows] = len(array) + np.arange(len(rows))
    return pa.concat_arrays([array.cast(pa.large_string()), new]).take(order)


def _repair(array: pa.Array, column: Column, rows: NDArray[np.intp]) -> pa.Array:
    """Replace invalid UTF-8 by U+FFFD, in the rows that have any."""
    texts = [
        bytes(column.data[column.offsets[row] : column.offsets[row + 1]]).decode("utf-8", "replace") for row in rows
    ]
    return _put(array, rows, pa.array(texts, pa.large_string()))
