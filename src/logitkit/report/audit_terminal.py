"""An audit for a terminal: what it comes to in words, what to know of the data, then the tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from logitkit.audit.record import Audit
from logitkit.report.audit_promise_tables import (
    abstention_table,
    classes_table,
    conformal_table,
    labels_table,
    outliers_table,
    suspects_table,
)
from logitkit.report.audit_tables import AuditTable, Cell, judged_table, methods_table, parts_table
from logitkit.report.audit_words import facts, language_of, say, short_name
from logitkit.report.page_markup import Language

__all__ = ["render_audit"]

_CLASSES = 8
_SUSPECTS = 10
_LABELS = 20
_NAME_WIDTH = 24


def render_audit(audit: Audit, language: str = "en") -> RenderableType:
    """Return the verdict in words, the notes and the tables, in at most 100 columns, for `rich.print`.

    What the audit has no rows for is left out. A figure that there is none of is a dash.

    Args:
        audit: the record.
        language: "en" or "zh".

    Example:
        >>> import rich
        >>> from logitkit.report.audit_terminal import render_audit
        >>> rich.print(render_audit(audit))  # doctest: +SKIP
        Its confidence is too high: ...
    """
    tongue = language_of(language)
    parts: list[RenderableType] = [
        Text(say(sentence, language), style="" if i else "bold") for i, sentence in enumerate(audit.verdict)
    ]
    parts += [Text(say(sentence, language), style="yellow") for sentence in audit.notes]
    parts.append(Text(facts(audit, tongue), style="dim"))
    for table in _tables(audit, tongue):
        parts += [Text(), Text(table.caption, style="bold"), _drawn(table)]
        parts += [Text(say(note, language), style="dim") for note in table.notes]
    return Group(*parts)


def _tables(audit: Audit, language: Language) -> Iterator[AuditTable]:
    found = (
        methods_table(audit, language),
        labels_table(audit, language, _LABELS),
        judged_table(audit, language),
        parts_table(audit, language),
        abstention_table(audit, language),
        conformal_table(audit, language),
        outliers_table(audit, language),
        classes_table(audit, language, _CLASSES),
        suspects_table(audit, language, _SUSPECTS),
    )
    return (table for table in found if table is not None)


def _drawn(found: AuditTable) -> Table:
    # Every text is a Text: rich would read square brackets in a plain string as markup.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    columns = zip(*([_cell(cell) for cell in row] for row in found.rows), strict=True)
    for i, (title, cells) in enumerate(zip(found.head, columns, strict=True)):
        words = i == 0 or any(row[i].foreign for row in found.rows)
        head = _folded(title, max(cell.cell_len for cell in cells))
        table.add_column(Text(head), justify="left" if words else "right", no_wrap=not words, vertical="bottom")
    for i, row in enumerate(found.rows):
        table.add_row(*map(_cell, row), style="bold" if i == found.strong else "")
    return table


def _folded(title: str, width: int) -> str:
    """Return a title in lines that are no wider than what stands below, as far as words can be parted."""
    return "\n".join(textwrap.wrap(title, max(width, 8), break_long_words=False, break_on_hyphens=False))


def _cell(cell: Cell) -> Text:
    if cell.foreign:
        return Text(short_name(cell.text, _NAME_WIDTH))
    return Text(f"{cell.text} {cell.interval}".rstrip())
