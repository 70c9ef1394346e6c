"""HTML for the page: whatever is not marked as HTML is escaped."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logitkit.report.terminal import format_number

__all__ = ["Html", "Language", "element", "escape", "join", "name", "number", "signed", "table"]

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(value: str) -> Html:
    """Return `value` as HTML: escaped, quotes too, unless it is HTML already; what HTML cannot hold becomes U+FFFD.

    Example:
        >>> from logitkit.report.page_markup import Html, escape
        >>> escape("<b>'&'</b>"), escape(Html("<b>"))
        ('&lt;b&gt;&#x27;&amp;&#x27;&lt;/b&gt;', '<b>')
    """
    if isinstance(value, Html):
        return value
    return Html(html.escape(_FORBIDDEN.sub("\ufffd", value), quote=True))


def join(parts: Iterable[str], separator: str = "") -> Html:
    """Return the parts as one piece of HTML."""
    return Html(separator.join(escape(part) for part in parts))


def element(tag: str, *content: str, **attributes: str | None) -> Html:
    """Return an element. A trailing underscore in an attribute's name is dropped, others become hyphens.

    Example:
        >>> from logitkit.report.page_markup import element
        >>> element("p", "a < b", class_="note", aria_label='"', title=None)
        '<p class="note" aria-label="&quot;">a &lt; b</p>'
    """
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    opened = "".join(f' {key}="{escape(value)}"' for key, value in pairs)
    return Html(f"<{tag}{opened}>{join(content)}</{tag}>")


def name(value: str) -> Html:
    """Return a word or a class name: isolated, so that its writing direction moves nothing around it."""
    return element("bdi", value)


def number(value: float | None, digits: int = 2) -> str:
    """Return a number as the terminal shows it, with true signs and powers, and a dash for what is none.

    Example:
        >>> from logitkit.report.page_markup import number
        >>> [number(x) for x in (-1.406, float("nan"), None, float("-inf"), 0.00012)]
        ['−1.41', '–', '–', '−∞', '1.2×10⁻⁴']
    """
    if value is None or math.isnan(value):
        return "–"
    mantissa, _, power = format_number(abs(value), digits).replace("inf", "∞").partition("e")
    text = f"{mantissa}×10{str(int(power)).translate(_SUPERSCRIPTS)}" if power else mantissa
    if not text.strip("0."):  # -0.00 is 0.00
        return text
    return ("−" if value < 0.0 else "") + text


def signed(value: float, digits: int = 2) -> str:
    """Return a summand with its sign, in as many decimals for all, so that a column of them can be added.

    Example:
        >>> from logitkit.report.page_markup import signed
        >>> [signed(x) for x in (0.84, -0.1, 0.0001)]
        ['+0.84', '−0.10', '0.00']
    """
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[Sequence[str]] = (),
    *, strong: int | None = None, class_: str | None = None,
) -> Html:  # fmt: skip
    """Return a table in a box that scrolls by itself.

    Args:
        caption: what it shows.
        head: titles of the columns.
        rows: cells; the first of a row is its title.
        foot: rows of sums.
        strong: the index of the row to set in bold.
        class_: of the table.
    """

    def row(cells: Sequence[str], bold: bool) -> Html:
        tds = (element("td", cell) for cell in cells[1:])
        return element("tr", element("th", cells[0], scope="row"), *tds, class_="strong" if bold else None)

    # An empty corner is no header cell.
    columns = (element("th", title, scope="col") if title else Html("<td></td>") for title in head)
    parts = [element("caption", caption), element("thead", element("tr", *columns))]
    parts.append(element("tbody", *(row(cells, i == strong) for i, cells in enumerate(rows))))
    if foot:
        parts.append(element("tfoot", *(row(cells, False) for cells in foot)))
    label = html.unescape(re.sub("<[^>]*>", "", escape(caption)))
    box = element("table", *parts, class_=class_)
    return element("div", box, class_="scroll", role="group", aria_label=label, tabindex="0")


@dataclass(frozen=True)
class Language:
    """One language of the page.

    Attributes:
        code: prefix of its ids.
        tag: BCP 47.
        percent_sign: what follows the digits.
        words: templates by key: HTML with {placeholders}.
    """

    code: str
    tag: str
    percent_sign: str
    words: dict[str, str]

    def say(self, key: str, **values: str) -> Html:
        """Return the words of a key; the values are escaped."""
        return Html(self.words[key].format(**{name: escape(value) for name, value in values.items()}))

    def plain(self, key: str, **values: str) -> str:
        """Return the words of a key as text, not HTML: for titles and labels, where they are escaped later."""
        return html.unescape(self.words[key]).format(**values)

    def count(self, n: int, key: str) -> Html:
        """Return a number with its noun, in the singular for 1."""
        return self.say(f"{key}.one" if n == 1 else f"{key}.many", n=f"{n:,}")

    def percent(self, value: float | None, digits: int = 1) -> str:
        """Return a share of 1 in percent; what is neither 0 nor 1 is never shown as such."""
        if value is None or not math.isfinite(value):
            return "–"
        least = 0.1**digits
        if 1e-9 < value < 0.005 * least:
            return f"<{least:.{digits}f}{self.percent_sign}"
        if 1.0 - 0.005 * least <= value < 1.0 - 1e-9:
            return f">{100.0 - least:.{digits}f}{self.percent_sign}"
        return f"{100.0 * value:.{digits}f}{self.percent_sign}"
