"""What every command shares: where words go, progress, and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.markup import escape

from logitkit.errors import OutputError
from logitkit.files import check_output_path

if TYPE_CHECKING:
    from logitkit.tables import BadRows

__all__ = [
    "BAD_ROW_HELP", "bad_rows", "byte_progress", "check_output", "print_json", "rows_at_once", "say", "show",
    "stage_progress",
]  # fmt: skip

BAD_ROW_HELP = "fail: list rows that cannot be used and stop; skip: leave them out and keep them in a side file."

_words = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
_LOGITS_AT_ONCE = 1 << 24


def say(message: str, *parts: str) -> None:
    """Print words on the standard error; `parts` fill the `{}` of the message and may hold anything."""
    _words.print(message.format(*(escape(part) for part in parts)))


def show(*results: RenderableType) -> None:
    """Print results on the standard output; as wide as the terminal, or 120 columns in a pipe."""
    width = None if sys.stdout.isatty() else 120
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    for result in results:
        console.print(result)


def print_json(record: dict[str, Any]) -> None:
    """Print one JSON object; NaN is refused, never written."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(record, ensure_ascii=not is_utf8, indent=2, allow_nan=False) + "\n")


def check_output(output: str, *inputs: str, force: bool) -> None:
    """Refuse, before any work, an output that cannot be written or that is one of the inputs."""
    place = Path(output)
    if output == "-":
        return
    for given in inputs:
        if place.is_file() and Path(given).is_file() and place.samefile(given):
            raise OutputError(f"{output} is read by this command, so it is not written over; choose another output.")
    check_output_path(output, force=force)


def rows_at_once(n_classes: int) -> int:
    """Return how many rows to predict at a time, so that their logits take 64 MB at most."""
    return max(1, min(65_536, _LOGITS_AT_ONCE // n_classes))


def bad_rows(policy: str, output: str, force: bool) -> BadRows:
    """Return what happens to rows that cannot be used; skipped ones go beside the output."""
    from logitkit.tables import BadRows

    side = f"{output if output != '-' else 'logitkit'}.bad-rows.csv"
    return BadRows(policy, side if policy == "skip" else None, force=force)


@contextmanager
def byte_progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show bytes read, rate and time left while a file is gone through; the result is `read_batches`' progress."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )  # fmt: skip

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_words, transient=True, disable=not _words.is_terminal) as progress:
        task = progress.add_task(title, total=None)

        def update(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield update


@contextmanager
def stage_progress() -> Iterator[Callable[[str, float], None]]:
    """Show the stages of training as they go on."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_words, transient=True, disable=not _words.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def update(stage: str, fraction: float) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    progress.update(task, completed=1.0)
                tasks[stage] = progress.add_task(stage, total=1.0)
            progress.update(tasks[stage], completed=fraction)

        yield update
