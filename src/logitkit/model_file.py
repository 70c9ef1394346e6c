"""The `.logitkit` file: a valid safetensors file whose metadata holds the manifest, a version and a checksum.

Layout: eight bytes with the length of the header (little-endian), the header as JSON, the tensors' bytes. The header
names each tensor's dtype, shape and place; its `__metadata__` has four strings: `format`, `format_version`, `manifest`
(JSON) and `checksum`, the SHA-256 of the whole file as it is when the checksum itself is 64 zeros. So any altered byte
is found. Nothing in the file is ever executed, and nothing is believed before it is checked.
"""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from logitkit.errors import InputError, ModelFileError
from logitkit.files import atomic_write

__all__ = ["FORMAT_VERSION", "read_model_file", "write_model_file"]

FORMAT_VERSION = 1
"""The newest version of the file format that this library reads, and the one it writes."""

_FORMAT = "logitkit"
_MAX_HEADER_BYTES = 64 << 20
_MAX_DEPTH = 32
_NO_CHECKSUM = "0" * 64
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive, perhaps of PyTorch",
    b"\x80": "a Python pickle, which could run any code and is never opened",
    b"\x1f\x8b": "a gzip file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\x93NUMPY": "a NumPy array file",
    b"GGUF": "a GGUF model",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\xba\x16\x4f\x2f": "a fastText model",
}


def write_model_file(
    path: str | os.PathLike[str], tensors: dict[str, np.ndarray], manifest: dict[str, Any], *, force: bool = False
) -> None:
    """Writes tensors and a manifest to one file: the same input gives the same bytes.

    Args:
        path: The file to be written; it appears whole or not at all.
        tensors: Arrays of any shape, of bool, 8- to 64-bit integers, or 16- to 64-bit floats, by name.
        manifest: What can be said in JSON: dicts with string keys, lists, strings, numbers, true, false, None; no NaN.
        force: Whether an existing file may be replaced.

    Raises:
        InputError: A tensor's dtype or name, or something in the manifest, has no place in the file.
        OutputError: The path is refused or the disk is full.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "news.logitkit"
        >>> write_model_file(path, {"bias": np.array([0.5, -0.5])}, {"class_names": ["News", "Technology"]})
        >>> tensors, manifest = read_model_file(path)
        >>> tensors["bias"].tolist(), manifest["class_names"]
        ([0.5, -0.5], ['News', 'Technology'])
    """
    arrays = {name: _storable(name, array) for name, array in tensors.items()}
    # The widest items first, so that every tensor starts at a multiple of its item size.
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {
        "__metadata__": {
            "checksum": _NO_CHECKSUM,
            "format": _FORMAT,
            "format_version": str(FORMAT_VERSION),
            "manifest": _manifest_text(manifest),
        }
    }
    end = 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": _dtype_name(arrays[name].dtype),
            "shape": list(arrays[name].shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER_BYTES:
        raise InputError(f"The manifest of {path} takes {len(text):,} bytes; at most {_MAX_HEADER_BYTES:,} fit.")
    digest = hashlib.sha256(len(text).to_bytes(8, "little") + text)
    for name in order:
        digest.update(_bytes_of(arrays[name]))
    with atomic_write(path, force=force) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text.replace(_NO_CHECKSUM.encode(), digest.hexdigest().encode(), 1))
        for name in order:
            file.write(_bytes_of(arrays[name]))


def read_model_file(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `write_model_file` wrote, after checking that every byte is as it was written.

    Each tensor is read straight into an array of its own, so the file is held in memory once.

    Args:
        path: A `.logitkit` file.

    Returns:
        The tensors by name, and the manifest. The checksum says that the file is unaltered, not that its author is
        honest: the manifest's meaning is the caller's to check.

    Raises:
        InputError: There is no such file, it is a folder, or it may not be read.
        ModelFileError: The file is empty, truncated, altered, of another kind, or of a newer format.

    Example:
        >>> read_model_file("missing.logitkit")
        Traceback (most recent call last):
        logitkit.errors.InputError: missing.logitkit does not exist; check the path of the model file.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(path, file)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path of the model file.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name the .logitkit file in it.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None


def _read(path: str | os.PathLike[str], file: BinaryIO) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    if not start:
        raise ModelFileError(f"{path} is empty; train the model again or fetch the file again.")
    header_bytes = int.from_bytes(start, "little")
    text = file.read(header_bytes) if len(start) == 8 and header_bytes <= min(size - 8, _MAX_HEADER_BYTES) else b""
    if not text.startswith(b"{"):
        raise _foreign(path, start, size)
    header = _parsed(path, text, "header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise ModelFileError(
            f"{path} is a safetensors file, but not one of logitkit; give a file that `logitkit train` wrote."
        )
    version, checksum, manifest = (metadata.get(key) for key in ("format_version", "checksum", "manifest"))
    if not (isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 9):
        raise _altered(path, "its format version is not a number")
    if int(version) > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version}, and this logitkit reads up to {FORMAT_VERSION}; upgrade logitkit."
        )
    if not (isinstance(checksum, str) and isinstance(manifest, str) and text.count(checksum.encode()) == 1):
        raise _altered(path, "its checksum or manifest is missing")
    layout = _layout(path, header, size - 8 - header_bytes)
    digest = hashlib.sha256(start + text.replace(checksum.encode(), _NO_CHECKSUM.encode(), 1))
    tensors = {}
    for name, dtype, shape in layout:
        try:
            array = np.empty(shape, dtype)
        except (ValueError, MemoryError):
            raise _altered(path, f"tensor {name[:80]!r} has the impossible shape {shape}") from None
        data = _bytes_of(array)
        if file.readinto(data) != data.nbytes:  # type: ignore[attr-defined]
            raise _altered(path, "it ends early")
        digest.update(data)
        tensors[name] = array
    if digest.hexdigest() != checksum:
        raise _altered(path, "its checksum does not match its content")
    return tensors, _parsed(path, manifest.encode(), "manifest")


def _layout(
    path: str | os.PathLike[str], header: dict[str, Any], data_bytes: int
) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Each tensor's name, dtype and shape in the order of the file, whose data they fill without a gap."""
    entries = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise _altered(path, f"tensor {name[:80]!r} is not described as dtype, shape and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise _altered(path, f"tensor {name[:80]!r} has the unknown dtype {str(dtype)[:20]!r}")
        if not (_are_counts(shape) and len(shape) <= 32 and _are_counts(offsets) and len(offsets) == 2):
            raise _altered(path, f"tensor {name[:80]!r} has a shape or place that is not a list of counts")
        entries.append((offsets[0], offsets[1], name, _DTYPES[dtype], tuple(shape)))
    entries.sort(key=lambda entry: entry[:2])
    end = 0
    for first, last, name, dtype, shape in entries:
        if first != end or last - first != math.prod(shape) * dtype.itemsize:
            raise _altered(path, f"tensor {name[:80]!r} does not fill its place")
        end = last
    if end != data_bytes:
        word = "truncated" if data_bytes < end else "longer than it says"
        raise _altered(path, f"it is {word}, with {data_bytes:,} bytes of tensors instead of {end:,}")
    return [(name, dtype, shape) for _, _, name, dtype, shape in entries]


def _parsed(path: str | os.PathLike[str], text: bytes, part: str) -> dict[str, Any]:
    """JSON that is an object, without repeated keys, NaN or deep nesting."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise _altered(path, f"its {part} is not valid JSON") from None
    if not isinstance(value, dict):
        raise _altered(path, f"its {part} is not a JSON object")
    if _depth(value) > _MAX_DEPTH:
        raise _altered(path, f"its {part} is nested too deeply")
    return value


def _depth(value: object) -> int:
    """How deeply lists and dicts are nested, found level by level without recursion."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is repeated")
    return result


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 62 for item in value)


def _altered(path: str | os.PathLike[str], what: str) -> ModelFileError:
    return ModelFileError(f"{path} is damaged or altered: {what}; fetch the file again or train the model again.")


def _foreign(path: str | os.PathLike[str], start: bytes, size: int) -> ModelFileError:
    header_bytes = int.from_bytes(start, "little")  # of a model, unless these eight bytes are something else's
    for magic, kind in _FOREIGN.items():
        if start.startswith(magic) and (header_bytes > _MAX_HEADER_BYTES or start[2:3] == b"\x95"):
            return ModelFileError(f"{path} is {kind}; give a .logitkit file that `logitkit train` wrote.")
    if len(start) < 8 or size - 8 < header_bytes <= _MAX_HEADER_BYTES:
        return ModelFileError(
            f"{path} is truncated or not a logitkit model ({size:,} bytes); fetch the file again or train again."
        )
    return ModelFileError(f"{path} is not a logitkit model; give a .logitkit file that `logitkit train` wrote.")


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    if not isinstance(name, str) or not name or name == "__metadata__":
        raise InputError(f"A tensor's name must be a string that is not empty and not '__metadata__', not {name!r}.")
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    if little not in _DTYPES.values():
        raise InputError(f"Tensor {name!r} has the dtype {array.dtype}, which a model file cannot hold.")
    return np.ascontiguousarray(array, little).reshape(array.shape)


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return next(name for name, known in _DTYPES.items() if known == dtype)


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _manifest_text(manifest: dict[str, Any]) -> str:
    try:
        text = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=True)
        if json.loads(text) != manifest:
            raise ValueError("tuples, or keys that are not strings, would come back as something else")
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The manifest cannot be written as JSON: {error}.") from None
    if _depth(manifest) > _MAX_DEPTH:
        raise InputError(f"The manifest is nested more than {_MAX_DEPTH} levels deep.")
    return text
