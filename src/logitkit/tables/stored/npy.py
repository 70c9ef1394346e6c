"""The header of an npy file: the shape and type of the array that follows it. Pickle is never read."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from logitkit.errors import InputError

__all__ = ["MOST_HEADER_BYTES", "NpyHeader", "read_npy_header"]

MOST_HEADER_BYTES = 16 << 10
"""No header is longer: NumPy itself refuses one of 10,000 characters."""


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What a header says.

    Attributes:
        shape: The array's shape.
        kind: The type of its items.
        by_column: Whether it lies in Fortran order.
        size: How many bytes the header takes.
    """

    shape: tuple[int, ...]
    kind: np.dtype[Any]
    by_column: bool
    size: int


def read_npy_header(head: bytes, size: int, source: str) -> NpyHeader:
    """Return what the header says, after checking that the array fits the file.

    Args:
        head: The first `MOST_HEADER_BYTES` of the file, or all of it.
        size: The bytes of the whole file.
        source: What messages call it.

    Raises:
        InputError: if this is no npy file, its header is damaged, or the array does not fill the file.

    Example:
        >>> file = io.BytesIO()
        >>> np.save(file, np.zeros((2, 3), np.float32))
        >>> read_npy_header(file.getvalue(), len(file.getvalue()), "logits.npy").shape
        (2, 3)
    """
    if not head.startswith(npy_format.MAGIC_PREFIX):
        raise InputError(f"{source} is no npy file, or a damaged one; save the array again by numpy.save.")
    stream = io.BytesIO(head)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python 2 wrote it
            version = npy_format.read_magic(stream)
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            if version not in ((1, 0), (2, 0), (3, 0)):  # 3.0 differs from 2.0 in the names of fields alone
                raise ValueError(f"version {version}")
            shape, by_column, kind = read(stream)
    except Exception:  # NumPy tries several parsers on what is no header, and each has errors of its own
        raise InputError(f"{source} has a damaged npy header; save the array again by numpy.save.") from None
    shown, known = f"{list(shape)}"[:60], f"{kind}"[:60]
    if any(type(length) is not int or not 0 <= length < 1 << 62 for length in shape):
        raise InputError(f"{source} has the impossible shape {shown}; save the array again by numpy.save.")
    found, expected = size - stream.tell(), math.prod(shape) * kind.itemsize
    if kind.hasobject:
        expected = found  # a pickle, whose size nobody knows: it is refused when it is asked for
    if found != expected:
        said = f"its header says {shown} of {known}, {expected:,} bytes, and {found:,} follow"
        cause = "it is truncated" if found < expected else "several arrays in one file belong into an npz file"
        raise InputError(f"{source} does not hold what it says: {said}; {cause}.")
    return NpyHeader(shape, kind, by_column, stream.tell())
