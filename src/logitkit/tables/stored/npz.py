"""The arrays of an npz file: read in place where they are stored as they are, inflated where they are compressed."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from logitkit.errors import InputError
from logitkit.tables.stored.arrays import StoredArray
from logitkit.tables.stored.bytes import Spool, StoredBytes
from logitkit.tables.stored.npy import MOST_HEADER_BYTES, read_npy_header

__all__ = ["npz_arrays"]

_LOCAL_HEADER = struct.Struct("<26xHH")  # the lengths of the name and of the extra field that follow it
_CHUNK_BYTES = 1 << 20
_FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, OverflowError)


def npz_arrays(
    stored: StoredBytes, name: str, progress: Callable[[int, int | None], None] | None = None
) -> dict[str, StoredArray]:
    """Return the arrays of an npz file by name.

    What a member takes when inflated is compared with what its array needs, and no byte more is taken: no file blows
    up. Members' names are only names; nothing is written under them.

    Args:
        stored: The file.
        name: What messages call it.
        progress: Called with the bytes inflated and the bytes of the array, while a compressed one is read.

    Raises:
        InputError: if the file is damaged, encrypted, without an array, or an archive of PyTorch, which needs pickle.
    """
    assert stored.file is not None
    with _faults_named(name):
        archive = zipfile.ZipFile(stored.file)
    members = archive.infolist()
    if any(member.filename.endswith("data.pkl") for member in members):
        raise InputError(
            f"{name} is an archive of PyTorch, whose pickle could run any code and is never opened; save the logits and"
            " labels by numpy.savez(path, logits=..., labels=...) or by safetensors."
        )
    arrays: dict[str, StoredArray] = {}
    for member in members:
        if not member.filename.endswith(".npy"):
            continue
        key = member.filename.removesuffix(".npy")
        if key in arrays:
            raise InputError(f"{name} has two arrays named {key[:80]!r}; save it again by numpy.savez.")
        arrays[key] = _Member(stored, archive, member, f"{name}, array {key[:80]!r}", progress).array()
    if not arrays:
        raise InputError(f"{name} holds no arrays; save them by numpy.savez(path, logits=..., labels=...).")
    return arrays


@dataclass(frozen=True)
class _Member:
    """One member of the archive; it holds the file open."""

    stored: StoredBytes
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    source: str
    progress: Callable[[int, int | None], None] | None

    def array(self) -> StoredArray:
        with _faults_named(self.source), self.archive.open(self.info) as stream:
            head = stream.read(MOST_HEADER_BYTES)
        header = read_npy_header(head, self.info.file_size, self.source)

        def place() -> tuple[StoredBytes, int]:
            if self.info.compress_type == zipfile.ZIP_STORED:
                return self.stored, self._offset() + header.size
            return self._inflated(), header.size

        return StoredArray(self.source, header.shape, header.kind, header.by_column, place)

    def _offset(self) -> int:
        """Where a member that is not compressed begins: after a header of its own, which alone says its length."""
        local = np.empty(_LOCAL_HEADER.size, np.uint8)
        self.stored.read_into(local, self.info.header_offset)
        name_bytes, extra_bytes = _LOCAL_HEADER.unpack(local.tobytes())
        offset: int = self.info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if self.info.compress_size != self.info.file_size or offset + self.info.file_size > self.stored.size:
            raise _damaged(self.source, "its place lies beyond the end of the file")
        return offset

    def _inflated(self) -> StoredBytes:
        size, done = self.info.file_size, 0
        spool = Spool(self.source, size)
        with _faults_named(self.source), self.archive.open(self.info) as stream:
            while data := stream.read(_CHUNK_BYTES):  # never gives more than the size, and checks the sum at the end
                spool.write(data)
                done += len(data)
                if self.progress is not None:
                    self.progress(done, size)
        if done < size:
            raise _damaged(self.source, "it ends early")
        return spool.stored()


@contextmanager
def _faults_named(source: str) -> Iterator[None]:
    """Say in one sentence what the zip reader finds."""
    try:
        yield
    except InputError:
        raise
    except (NotImplementedError, RuntimeError) as error:  # a method of compression, or a password
        said = str(error).split("\n")[0][:120].rstrip(".")
        raise InputError(f"{source} cannot be read: {said}; save it again by numpy.savez.") from None
    except _FAULTS as error:
        raise _damaged(source, str(error).split("\n")[0][:120].rstrip(".") or type(error).__name__) from None


def _damaged(source: str, what: str) -> InputError:
    return InputError(f"{source} is damaged or truncated: {what}; save it again by numpy.savez.")
