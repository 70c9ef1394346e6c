"""Writing a file so that it is either whole or not there: beside its place, then renamed.

Everything that logitkit leaves on a disk (tables, model files, reports) goes through `atomic_write`.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from logitkit.errors import OutputError

__all__ = ["atomic_write", "check_output_path"]

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file would exceed the size that this system allows; choose another folder or raise the limit",
    errno.EACCES: "there is no permission to write there; choose another folder",
    errno.EPERM: "there is no permission to write there; choose another folder",
    errno.EROFS: "that file system is read-only; choose another folder",
    errno.ENAMETOOLONG: "the name is too long for that file system; choose a shorter one",
}


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Turns what the system said about an output file into one sentence."""
    reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
    return OutputError(f"{path} cannot be written: {reason}.")


def check_output_path(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuses a path that `atomic_write` would refuse, before hours of work go into its content.

    Args:
        path: The file to be written.
        force: Whether an existing file may be replaced.

    Raises:
        OutputError: The path exists and `force` is false, is a folder, or its folder is missing or not writable.

    Example:
        >>> check_output_path("no-such-folder/out.csv")
        Traceback (most recent call last):
        logitkit.errors.OutputError: no-such-folder/out.csv cannot be written: the folder no-such-folder does not exist.
    """
    target = Path(path)
    try:
        mode: int | None = target.stat().st_mode
    except FileNotFoundError:
        mode = None
    except NotADirectoryError:
        raise OutputError(f"{path} cannot be written: {target.parent} is not a folder.") from None
    except OSError as error:
        raise output_error(path, error) from None
    if mode is not None and stat.S_ISDIR(mode):
        raise OutputError(f"{path} cannot be written: it is a folder; name a file in it.")
    if mode is not None and not stat.S_ISREG(mode):
        return
    if mode is not None and not force:
        raise OutputError(f"{path} exists already; choose another name or pass --force (force=True) to replace it.")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: the folder {target.parent} does not exist.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: there is no permission to write in {folder}.")


class _OutputFile(io.FileIO):
    """A file whose write errors are OutputErrors that name the final path, not the temporary one."""

    def __init__(self, handle: int | str, shown: str | os.PathLike[str]) -> None:
        super().__init__(handle, "wb")
        self.shown = shown
        self.discard = False

    def write(self, data: object, /) -> int:
        if self.discard:
            return memoryview(data).nbytes  # type: ignore[arg-type]
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise output_error(self.shown, error) from error


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[BinaryIO]:
    """Opens a binary file that appears at `path`, whole and on the disk, only when the block ends without an error.

    The bytes go to `.NAME.tmp-…` in the same folder, are flushed to the disk, and are renamed at the end. After an
    exception or Ctrl-C the temporary file is gone and an existing file at `path` is as it was. A symbolic link is
    followed; a device or named pipe is written directly.

    Args:
        path: The file to be written.
        force: Whether an existing file may be replaced.

    Yields:
        A buffered binary file, open for writing.

    Raises:
        OutputError: The path is refused (see `check_output_path`), or a write fails, as on a full disk.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "greeting.txt"
        >>> with atomic_write(path) as file:
        ...     _ = file.write(b"hello")
        ...     path.exists()
        False
        >>> path.read_bytes()
        b'hello'
    """
    check_output_path(path, force=force)
    target = Path(path).resolve()
    direct = target.exists() and not target.is_file()
    place = target if direct else target.with_name(f".{_shortened(target.name)}.tmp-{secrets.token_hex(4)}")
    try:
        flags = os.O_WRONLY if direct else os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(place, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise output_error(path, error) from error
    raw = _OutputFile(handle, path)
    file = io.BufferedWriter(raw, 1 << 20)
    try:
        yield cast("BinaryIO", file)
        file.flush()
        try:
            if not direct:
                os.fsync(handle)
                _rename(place, target, force)
        except FileExistsError:
            raise OutputError(
                f"{path} has come into being while it was being written; choose another name or pass --force."
            ) from None
        except OSError as error:
            raise output_error(path, error) from error
        file.close()
    except BaseException:
        raw.discard = True  # what is still buffered, or written by a closing library, goes nowhere
        with contextlib.suppress(OSError):
            file.close()
        if not direct:
            place.unlink(missing_ok=True)
        raise


def _shortened(name: str) -> str:
    """The name, cut so that the temporary name stays within the 255 bytes of common file systems."""
    return os.fsdecode(os.fsencode(name)[:200])


def _rename(place: Path, target: Path, force: bool) -> None:
    if force and target.exists():
        with contextlib.suppress(OSError):
            place.chmod(stat.S_IMODE(target.stat().st_mode))
    if force:
        place.replace(target)
    else:
        try:
            target.hardlink_to(place)  # unlike a rename, a link never replaces a file that came meanwhile
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            place.replace(target)
        else:
            place.unlink()
    with contextlib.suppress(OSError):  # not every system can sync a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
