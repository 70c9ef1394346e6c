"""The arrays of npy, npz and safetensors files by name."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from logitkit.errors import InputError
from logitkit.tables.stored.arrays import StoredArray
from logitkit.tables.stored.bytes import StoredBytes, open_file
from logitkit.tables.stored.npy import MOST_HEADER_BYTES, read_npy_header
from logitkit.tables.stored.npz import npz_arrays
from logitkit.tables.stored.tensors import tensor_arrays

__all__ = ["ARRAY_FORMATS", "open_arrays", "pickle_error"]

ARRAY_FORMATS = ("npy", "npz", "safetensors")
"""The formats of arrays."""

_PICKLE_STARTS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_OTHERS = {b"\x93NUMPY": "npy", b"PK\x03\x04": "npz", b"PAR1": "parquet", b"ARROW1": "arrow"}


def open_arrays(
    path: str | os.PathLike[str], format: str, progress: Callable[[int, int | None], None] | None = None
) -> dict[str, StoredArray]:
    """Return the arrays of a file by name; that of an npy file has the name "".

    Args:
        path: The file.
        format: `npy`, `npz` or `safetensors`.
        progress: Called with the bytes done and the total, while a compressed array is read.

    Raises:
        InputError: if the file is missing, damaged, of another kind than its name says, or a pickle.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "logits.npy"
        >>> np.save(path, np.array([[2.0, 1.0, 0.1]], np.float32))
        >>> array = open_arrays(path, "npy")[""]
        >>> array.shape, array.rows().read(0, 1).shape
        ((1, 3), (1, 3))
    """
    name = str(path)
    if "://" in name or name == "-":
        given = "The standard input" if name == "-" else name
        raise InputError(
            f"{given} cannot be read as {format}, whose arrays are read in place; give a file on the disk."
        )
    stored = open_file(path)
    start = np.empty(min(8, stored.size), np.uint8)
    stored.read_into(start, 0)
    _check_start(start.tobytes(), stored.size, name, format)
    if format == "npz":
        return npz_arrays(stored, name, progress)
    if format == "safetensors":
        return tensor_arrays(stored, name)
    return {"": _npy_array(stored, name)}


def _npy_array(stored: StoredBytes, name: str) -> StoredArray:
    head = np.empty(min(MOST_HEADER_BYTES, stored.size), np.uint8)
    stored.read_into(head, 0)
    header = read_npy_header(head.tobytes(), stored.size, name)
    return StoredArray(name, header.shape, header.kind, header.by_column, lambda: (stored, header.size))


def _check_start(start: bytes, size: int, name: str, format: str) -> None:
    """Refuse a file that begins as one of another kind."""
    if format == "safetensors" and int.from_bytes(start, "little") < size:
        return  # it is the size of the header, which may look like anything
    if start.startswith(_PICKLE_STARTS):
        raise pickle_error(name)
    for magic, other in _OTHERS.items():
        if start.startswith(magic) and other != format:
            raise InputError(f"{name} is {other} and not {format}; give its name the ending .{other}.")


def pickle_error(name: str) -> InputError:
    """Return the error for a pickle.

    Example:
        >>> print(pickle_error("logits.pkl"))
        logits.pkl is a pickle, which could run any code and is never opened; save the logits and labels by ...
    """
    return InputError(
        f"{name} is a pickle, which could run any code and is never opened; save the logits and labels by"
        " numpy.savez(path, logits=..., labels=...) or by safetensors."
    )
