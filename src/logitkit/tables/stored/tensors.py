"""The arrays of a safetensors file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from logitkit.errors import InputError
from logitkit.tables.stored.arrays import StoredArray
from logitkit.tables.stored.bytes import StoredBytes
from logitkit.tables.stored.rows import BFLOAT16

__all__ = ["tensor_arrays"]

_KINDS: dict[str, np.dtype[Any]] = {
    **{"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": BFLOAT16},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    "BOOL": np.dtype(bool),
}


def tensor_arrays(stored: StoredBytes, name: str) -> dict[str, StoredArray]:
    """Return the arrays of a safetensors file by name.

    The safetensors library checks the header: its size, and that the tensors fill the file without a gap or an overlap.

    Args:
        stored: The file.
        name: What messages call it.

    Raises:
        InputError: if the file is damaged, or holds no tensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(name, "numpy"):
            pass
        length = np.empty(1, "<u8")
        stored.read_into(length, 0)
        text = np.empty(int(length[0]), np.uint8)
        stored.read_into(text, 8)
        header: dict[str, Any] = json.loads(text.tobytes())
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        said = str(error).removeprefix("Error while deserializing header: ").split("\n")[0][:120].rstrip(".")
        raise InputError(f"{name} is no safetensors file, or a damaged one: {said}; save it again.") from None
    header.pop("__metadata__", None)
    if not header:
        raise InputError(f"{name} holds no tensors; save them as 'logits' and 'labels'.")
    start = 8 + int(length[0])
    return {key: _array(stored, f"{name}, tensor {key[:80]!r}", entry, start) for key, entry in header.items()}


def _array(stored: StoredBytes, source: str, entry: dict[str, Any], start: int) -> StoredArray:
    offset = start + entry["data_offsets"][0]
    kind = _KINDS.get(entry["dtype"], np.dtype([(entry["dtype"], "V1")]))  # float8 and such: refused when asked for
    return StoredArray(source, tuple(entry["shape"]), kind, False, lambda: (stored, offset))
