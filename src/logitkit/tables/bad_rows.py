"""What happens to rows that cannot be used: they stop the run with a listing, or go to a side file."""

import contextlib
import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from logitkit.errors import InputError, OptionError
from logitkit.files import atomic_write, check_output_path

__all__ = ["BadRows"]

_LISTED = 5


class BadRows:
    """Collects rows that cannot be used, with their number and the reason.

    A row's number counts the rows of data from 1, without the header. With the policy `fail`, `check` raises and lists
    the first few. With `skip` they go to a CSV file with the columns `row`, `reason`, `raw` (the line as it was, when
    it could not be split into columns) and the columns of the input; the file appears when the block ends, and only
    if there were such rows.

    Args:
        policy: `fail` or `skip`.
        side_path: Where `skip` writes them.
        force: Whether an existing side file may be replaced.

    Attributes:
        count: The bad rows so far.

    Raises:
        OptionError: The policy is unknown, or `skip` has no `side_path`.
        OutputError: The side file cannot be written.

    Example:
        >>> bad_rows = BadRows()
        >>> bad_rows.add(7, "text is null", {"text": None, "label": "News"})
        >>> bad_rows.check("news.csv", 100)
        Traceback (most recent call last):
        logitkit.errors.InputError: news.csv has 1 bad row in its first 100: row 7: text is null; fix it, or pass ...
    """

    def __init__(
        self, policy: str = "fail", side_path: str | os.PathLike[str] | None = None, *, force: bool = False
    ) -> None:
        if policy not in ("fail", "skip"):
            raise OptionError(f"The policy for bad rows must be 'fail' or 'skip', not {policy!r}.")
        if policy == "skip":
            if side_path is None:
                raise OptionError("Skipping bad rows needs a side file to keep them in; give its path.")
            check_output_path(side_path, force=force)
        self.policy = policy
        self.side_path = side_path
        self.count = 0
        self._force = force
        self._first: list[str] = []
        self._coming: list[tuple[int, str, str | Mapping[str, Any]]] = []
        self._columns: list[str] = []
        self._file = contextlib.ExitStack()
        self._text: io.TextIOWrapper | None = None

    def expect(self, columns: Sequence[str]) -> None:
        """Names the input's columns, which the side file will have after its own three."""
        if not self._columns:
            self._columns = list(columns)

    def add(self, row: int, reason: str, content: str | Mapping[str, Any]) -> None:
        """Takes one bad row: its number, the reason, and its columns or, if it has none, its raw text."""
        self.count += 1
        self._coming.append((row, reason, content))

    def check(self, name: str, rows: int) -> None:
        """Ends one batch: its bad rows are listed in an InputError, or go to the side file, by their numbers.

        Args:
            name: The input, as messages call it.
            rows: The rows looked at so far.
        """
        self._settle()
        if self.policy == "fail" and self.count:
            more = f"; and {self.count - len(self._first):,} more" * (self.count > len(self._first))
            raise InputError(
                f"{name} has {self.count:,} bad row{'s' * (self.count > 1)} in its first {rows:,}:"
                f" {'; '.join(self._first)}{more}; fix {'them' if self.count > 1 else 'it'}, or pass"
                " --on-bad-row skip to leave such rows out and keep them in a side file."
            )

    def _settle(self) -> None:
        self._coming.sort(key=lambda bad: bad[0])
        for row, reason, content in self._coming:
            if len(self._first) < _LISTED:
                self._first.append(f"row {row:,}: {reason}")
            if self.policy == "skip":
                self._write(row, reason, content)
        self._coming.clear()

    def _write(self, row: int, reason: str, content: str | Mapping[str, Any]) -> None:
        if self._text is None:
            assert self.side_path is not None
            file = self._file.enter_context(atomic_write(self.side_path, force=self._force))
            self._text = io.TextIOWrapper(file, "utf-8", errors="replace", newline="", write_through=True)
            self._writer = csv.writer(self._text, lineterminator="\n")
            own = [name if name not in self._columns else f"bad_{name}" for name in ("row", "reason", "raw")]
            self._writer.writerow([*own, *self._columns])
        raw = content if isinstance(content, str) else ""
        cells = {} if isinstance(content, str) else content
        self._writer.writerow([row, reason, raw, *(_cell(cells.get(name)) for name in self._columns)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._settle()
        if self._text is not None:
            self._text.detach()
            self._text = None
        self._file.__exit__(kind, error, trace)

    def close(self) -> None:
        """Finishes the side file, as the end of the `with` block does."""
        self.__exit__(None, None, None)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
