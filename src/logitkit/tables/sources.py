"""Where the bytes of a table come from: a file, a pipe or an object store, compressed or not."""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.fs as pafs

from logitkit.errors import InputError, LogitkitError, OptionError

__all__ = ["FORMATS", "Source", "table_format"]

FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow", "arrows")
"""The table formats: `arrow` is the IPC file that Feather version 2 also is, `arrows` the IPC stream."""

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrows",
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def table_format(path: str | os.PathLike[str], format: str | None = None) -> tuple[str, str | None]:
    """The format and the compression of a table, from the end of its name or as given.

    Args:
        path: A path, an address with `://`, or `-` for a pipe, which is CSV unless `format` says otherwise.
        format: One of `FORMATS`, or None.

    Raises:
        OptionError: `format` is unknown, or the name says nothing, or the format cannot be compressed that way.

    Example:
        >>> table_format("news.csv.gz"), table_format("-"), table_format("data.txt", "tsv")
        (('csv', 'gzip'), ('csv', None), ('tsv', None))
    """
    if format is not None and format not in FORMATS:
        raise OptionError(f"The table format {format!r} is unknown; choose one of {', '.join(FORMATS)}.")
    if str(path) == "-":
        return format or "csv", None
    place = Path(str(path).lower())
    compression = _COMPRESSIONS.get(place.suffix)
    ending = place.with_suffix("").suffix if compression else place.suffix
    found = format or _ENDINGS.get(ending)
    if found is None:
        raise OptionError(
            f"{path} does not end in a known table format; use one of {', '.join(_ENDINGS)} (text also with .gz or"
            f" .zst), or give the format ({', '.join(FORMATS)})."
        )
    if compression and found not in ("csv", "tsv", "jsonl"):
        raise OptionError(f"{path} is a compressed {found} file; {found} compresses inside, so drop the {compression}.")
    return found, compression


class _Counted(io.RawIOBase):
    """A raw binary file that counts the bytes read from it."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data: bytes = self.file.read(size)
        self.count += len(data)
        return data


class Source:
    """The bytes of one table, read once or, after `rewind`, again.

    Args:
        path: A path, an address with `://`, or `-` for the standard input.
        compression: `gzip`, `zstd` or None.

    Attributes:
        name: How messages call it.
        size: Its bytes on the disk, or None for a pipe.
    """

    def __init__(self, path: str | os.PathLike[str], compression: str | None = None) -> None:
        self.path = path
        self.name = "standard input" if str(path) == "-" else str(path)
        self.size: int | None = None
        self._compression = compression
        self._spool: BinaryIO | None = None
        self._earlier_bytes = 0
        self._open()

    def _open(self) -> None:
        try:
            if self._spool is not None:
                self._spool.seek(0)
                file: Any = self._spool
            elif str(self.path) == "-":
                file = sys.stdin.buffer
            elif "://" in str(self.path):
                system, place = pafs.FileSystem.from_uri(str(self.path))
                file = system.open_input_file(place)
                self.size = file.size()
            else:
                file = Path(self.path).open("rb", buffering=0)  # noqa: SIM115  (closed by `close`)
                status = os.fstat(file.fileno())
                self.size = status.st_size if Path(self.path).is_file() else None
        except FileNotFoundError:
            raise InputError(f"{self.name} does not exist; check the path.") from None
        except IsADirectoryError:
            raise InputError(f"{self.name} is a folder; name a file in it.") from None
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.name, error) from None
        self.file = file
        self._counted = _Counted(file)
        raw = pa.PythonFile(self._counted, mode="r")
        self._stream = pa.CompressedInputStream(raw, self._compression) if self._compression else self._counted

    @property
    def bytes_read(self) -> int:
        """The bytes taken from the disk or pipe so far, over all passes."""
        return self._earlier_bytes + self._counted.count

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, decompressed; fewer only at the end."""
        parts = []
        try:
            while size > 0 and (data := self._stream.read(size)):
                parts.append(data)
                size -= len(data)
        except LogitkitError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.name, error) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def spool(self) -> None:
        """Copies a pipe to a temporary file on the disk, so that it can be read twice or from its end."""
        if self.size is not None:
            return
        spool = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the source, and has no name on the disk)
        try:
            shutil.copyfileobj(self._counted, spool, 1 << 20)
        except OSError as error:
            raise InputError(
                f"standard input cannot be kept in {tempfile.gettempdir()}, and this format is read more than once:"
                f" {(error.strerror or str(error)).lower()}; give a file, or set TMPDIR to a larger folder."
            ) from None
        self._spool = spool
        self.size = spool.tell()
        self._earlier_bytes = self.bytes_read
        self._open()

    def rewind(self) -> None:
        """Starts again from the first byte."""
        self._earlier_bytes = self.bytes_read
        if self._spool is None:
            self.close()
        self._open()

    def close(self) -> None:
        """Closes the file; the standard input stays open."""
        if self.file is not sys.stdin.buffer:
            self.file.close()


def unreadable(name: str, error: Exception) -> InputError:
    """What the system or Arrow said about an input, in one sentence."""
    said = getattr(error, "strerror", None) or str(error).strip().split("\n")[0] or type(error).__name__
    return InputError(f"{name} cannot be read: {said.rstrip('.')}; is the file complete and of the kind its name says?")
