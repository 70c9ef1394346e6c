"""What the sections of an audit's page are made of: paragraphs, notes and tables."""

from __future__ import annotations

from logitkit.audit.record import Sentence
from logitkit.report.audit_tables import AuditTable, Cell
from logitkit.report.audit_words import Raw, fill, gap, say, short_name
from logitkit.report.page_markup import Html, Language, element, join, name, table

__all__ = ["folded", "paragraph", "shown", "told"]


def paragraph(language: Language, key: str, *, class_: str | None = None, **values: Raw) -> Html:
    """Return the words of a key as a paragraph."""
    return element("p", fill(language, key, html=True, **values), class_=class_)


def told(language: Language, sentences: tuple[Sentence, ...], class_: str | None = "note") -> Html:
    """Return sentences as one paragraph; nothing if there are none."""
    if not sentences:
        return Html()
    return element("p", join((say(one, language.code, html=True) for one in sentences), gap(language)), class_=class_)


def shown(found: AuditTable | None, language: Language) -> Html:
    """Return a table with its notes below; nothing if there is none."""
    if found is None:
        return Html()
    rows = [[_cell(cell) for cell in row] for row in found.rows]
    caption = element("span", found.caption)  # no wider than a phone, though the table may be
    drawn = table(caption, found.head, rows, strong=found.strong)
    return Html(drawn + told(language, found.notes))


def _cell(cell: Cell) -> Html:
    if cell.foreign:
        return name(short_name(cell.text))
    return join([cell.text, element("small", cell.interval)] if cell.interval else [cell.text])


def folded(title: Html | str, *content: Html) -> Html:
    """Return what is shown on a click; nothing if there is nothing to show."""
    inner = join(content)
    return element("details", element("summary", title), inner) if inner else Html()
