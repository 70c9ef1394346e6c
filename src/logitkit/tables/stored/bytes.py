"""The bytes that arrays are read from, at any place and from several threads: a file, or what was kept of a stream.

Nothing is memory-mapped: the pages of a map count as memory of the process, which dies when someone truncates the file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables.sources import unreadable

__all__ = ["KEPT_IN_MEMORY", "Spool", "StoredBytes", "open_file"]

KEPT_IN_MEMORY = 256 << 20
"""How many bytes of a stream are kept in memory; a longer one is kept in a temporary file without a name."""

_MOST_AT_ONCE = 1 << 30  # systems read 2 GiB at most in one call
_HAS_PREADV = hasattr(os, "preadv")


class StoredBytes:
    """Bytes that can be read at any place; `open_file` and `Spool` make it.

    Attributes:
        name: How messages call them.
        size: How many.
        file: The open file, or None where they are in memory.
    """

    def __init__(self, name: str, source: BinaryIO | bytearray) -> None:
        self.name = name
        self.file: BinaryIO | None = None
        self._memory: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()  # for systems that can only seek and then read
        if isinstance(source, bytearray):
            self._memory = np.frombuffer(source, np.uint8)
            self.size = len(source)
        else:
            self.file = source
            self.size = source.seek(0, os.SEEK_END)
            self._close = weakref.finalize(self, source.close)

    def read_into(self, out: NDArray[Any], offset: int) -> None:
        """Fills a contiguous array with the bytes from `offset` on.

        Raises:
            InputError: The file ends before, or cannot be read.
        """
        bytes_out = out.reshape(-1).view(np.uint8)
        if self._memory is not None:
            part = self._memory[offset : offset + bytes_out.size]
            bytes_out[: part.size] = part
            done = part.size
        else:
            done = self._read_file(bytes_out, offset)
        if done < bytes_out.size:
            raise InputError(f"{self.name} became shorter while it was read; wait until it is written, and try again.")

    def _read_file(self, out: NDArray[np.uint8], offset: int) -> int:
        assert self.file is not None
        done, rest = 0, out.data
        try:
            while done < out.size:
                part = rest[done : done + _MOST_AT_ONCE]
                if _HAS_PREADV:
                    count = os.preadv(self.file.fileno(), [part], offset + done)
                else:
                    with self._lock:
                        self.file.seek(offset + done)
                        count = self.file.readinto(part)  # type: ignore[attr-defined]
                if not count:
                    break
                done += count
        except (OSError, ValueError) as error:
            raise unreadable(self.name, error) from None
        return done

    def close(self) -> None:
        """Closes the file; a temporary one is gone then. It also closes when nobody holds it any more."""
        if self.file is not None:
            self._close()


def open_file(path: str | os.PathLike[str]) -> StoredBytes:
    """Opens a file on the disk.

    Raises:
        InputError: It is missing, empty, a folder, no plain file, or may not be read.

    Example:
        >>> open_file("missing.npy")
        Traceback (most recent call last):
        logitkit.errors.InputError: missing.npy does not exist; check the path.
    """
    place = Path(path)
    if place.is_dir():
        raise InputError(f"{path} is a folder; name a file in it.")
    if place.exists() and not place.is_file():  # opening a named pipe would wait for a writer
        raise InputError(f"{path} is a pipe or a device, and arrays are read in place; save a file and name it.")
    try:
        file = place.open("rb", buffering=0)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from None
    stored = StoredBytes(str(path), file)
    if stored.size == 0:
        stored.close()
        raise InputError(f"{path} is empty; save the arrays again.")
    return stored


class Spool:
    """Keeps a stream of bytes that will be read at any place: in memory, or on the disk if it is long.

    Args:
        name: How messages call the bytes.
        expected: How many will come at least, if that is known: so many must fit on the disk before a byte is written.

    Raises:
        InputError: There is no room for them.

    Example:
        >>> spool = Spool("news.csv")
        >>> spool.write(np.arange(4.0))
        >>> spool.stored().size
        32
    """

    def __init__(self, name: str, expected: int = 0) -> None:
        self._name = name
        self._memory: bytearray | None = bytearray()
        self._file: BinaryIO | None = None
        if expected > KEPT_IN_MEMORY:
            self._to_disk(expected)

    def write(self, data: bytes | NDArray[Any]) -> None:
        """Takes more bytes, or a contiguous array."""
        view = memoryview(data) if isinstance(data, bytes) else data.reshape(-1).view(np.uint8).data
        if self._memory is not None and len(self._memory) + view.nbytes > KEPT_IN_MEMORY:
            self._to_disk(len(self._memory) + view.nbytes)
        if self._memory is not None:
            self._memory += view
        else:
            self._write_file(view)

    def stored(self) -> StoredBytes:
        """Ends the stream, and returns what came."""
        if self._memory is not None:
            return StoredBytes(self._name, self._memory)
        assert self._file is not None
        self._close.detach()
        return StoredBytes(self._name, self._file)

    def _to_disk(self, size: int) -> None:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if size > free:
            raise InputError(
                f"{self._name} needs {size / 1e9:,.1f} GB in {folder}, and {free / 1e9:,.1f} GB are free there;"
                " set TMPDIR to a larger folder, or save the logits as .npy, which is read in place."
            )
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (has no name on the disk)
        self._close = weakref.finalize(self, self._file.close)
        kept, self._memory = self._memory, None
        if kept:
            self._write_file(memoryview(kept))

    def _write_file(self, view: memoryview) -> None:
        assert self._file is not None
        try:
            while view.nbytes:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise InputError(
                f"{self._name} cannot be kept in {tempfile.gettempdir()}: {(error.strerror or str(error)).lower()};"
                " set TMPDIR to a larger folder, or save the logits as .npy, which is read in place."
            ) from None
