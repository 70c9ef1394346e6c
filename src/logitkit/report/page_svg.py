"""Drawings for the page, as SVG in the text: bars around zero, a reliability diagram, a line over time.

The colours are the page's style sheet's; every drawing has a title and a description for those who cannot see it.
Widths are those of a phone, so that letters keep their size there.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from logitkit.audit.record import ReliabilityPoint
from logitkit.report.evaluation import ReliabilityBin
from logitkit.report.page_markup import Html, join, number
from logitkit.report.page_shapes import WIDTH, circle, drawing, line, polyline, rectangle, text
from logitkit.trust.reliability_diagram import wilson_interval

__all__ = ["Bar", "draw_bars", "draw_line", "draw_reliability", "shorten"]

_MARGIN = 60.0  # for what is written at the end of a bar


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its name, how long, what is written at its end, and whether it is the chosen one."""

    name: str
    value: float
    text: str
    chosen: bool


def shorten(text: str, width: int = 32) -> str:
    """Cut a text that is wider than `width` letters; wide characters count twice.

    Example:
        >>> from logitkit.report.page_svg import shorten
        >>> shorten("Technology", 6), shorten("科学技术", 6)
        ('Techn…', '科学…')
    """
    used, kept = 0, ""
    for char in text:
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > width:
            while kept and sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in kept) >= width:
                kept = kept[:-1]
            return kept + "…"
        kept += char
    return text


def draw_bars(ident: str, told: tuple[str, str], bars: Sequence[Bar], top: float | None = None) -> Html:
    """Return bars from zero: to the left if negative, to the right if positive; infinite ones run to the edge.

    Args:
        ident: prefix of ids.
        told: what is drawn, and the same in words.
        bars: from top to bottom.
        top: the value at the right edge; the largest if None.

    Example:
        >>> from logitkit.report.page_svg import Bar, draw_bars
        >>> draw_bars("b", ("Logits", "A: 2"), [Bar("A", 2.0, "2.00", True)]).startswith('<svg viewBox="0 0 340 46"')
        True
    """
    # In units of the largest, so that no difference overflows.
    unit = max((abs(bar.value) for bar in bars if math.isfinite(bar.value)), default=0.0) if top is None else top
    values = [bar.value / (unit or 1.0) for bar in bars]
    finite = [value for value in values if math.isfinite(value)]
    right = max([0.0, *finite]) if top is None else 1.0
    left = min([0.0, *finite])
    span = right - left or 1.0
    right += span * (math.inf in values)
    left -= span * (-math.inf in values)
    margin_left = _MARGIN if left < 0.0 else 1.0
    margin_right = _MARGIN if right > 0.0 else 1.0
    scale = (WIDTH - margin_left - margin_right) / ((right - left) or 1.0)
    zero = margin_left - left * scale
    height = 46.0 * len(bars)
    parts: list[str] = []
    for i, (bar, wanted) in enumerate(zip(bars, values, strict=True)):
        y = 46.0 * i
        value = 0.0 if math.isnan(wanted) else max(left, min(right, wanted))
        length = abs(value) * scale
        mark = "chosen" if bar.chosen else ""
        start = zero - length if value < 0.0 else zero
        parts.append(text(0.0, y + 13.0, shorten(bar.name), f"name {mark}".strip()))
        parts.append(rectangle(start, y + 20.0, length, 15.0, f"bar {mark}"))
        end = start - 6.0 if bar.value < 0.0 else start + length + 6.0
        parts.append(text(end, y + 32.0, bar.text, f"{'end' if bar.value < 0.0 else ''} {mark}".strip()))
        parts.append(line(zero, y + 18.0, zero, y + 37.0, "zero"))
    return drawing(ident, (WIDTH, height), told, parts)


def draw_reliability(
    ident: str, told: tuple[str, str], bins: Sequence[ReliabilityBin | ReliabilityPoint], mark: float | None,
    axes: tuple[str, str, str],
) -> Html:  # fmt: skip
    """Return the reliability diagram: share of right rows against confidence, 95 % intervals, and counts below.

    Args:
        ident: prefix of ids.
        told: what is drawn, and the same in words.
        bins: those with rows are drawn.
        mark: a confidence whose bin gets a ring.
        axes: words for confidence, share of right rows, and number of rows.
    """
    left, top, size, strip = 36.0, 22.0, 290.0, 46.0
    bottom = top + size
    base = bottom + 84.0 + strip
    parts: list[str] = [text(0.0, 10.0, axes[1])]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = size * tick
        parts.append(line(left, bottom - at, left + size, bottom - at, "grid"))
        parts.append(text(left - 6.0, bottom - at + 4.0, f"{100 * tick:.0f}", "end"))
        parts.append(text(left + at, bottom + 16.0, f"{100 * tick:.0f}", "middle"))
    parts.append(line(left, bottom, left + size, top, "diagonal"))
    parts.append(text(left + size, bottom + 31.0, axes[0], "end"))
    parts.append(text(0.0, base + 14.0, axes[2]))
    parts.append(line(left, base, left + size, base, "zero"))
    largest = max([one.count for one in bins] or [0])
    dots: list[str] = []
    for one in bins:
        if one.mean_confidence is None or one.accuracy is None:
            continue
        x, y = left + size * one.mean_confidence, bottom - size * one.accuracy
        low, high = wilson_interval(one.accuracy * one.count, one.count)
        dots.append(line(x, bottom - size * low, x, bottom - size * high, "whisker"))
        here = mark is not None and one.lower < mark <= one.upper
        if here:
            dots.append(circle(x, y, 9, "ring"))
        dots.append(circle(x, y, 4, "dot"))
        tall = max(1.0, strip * one.count / largest)
        start, width = left + size * one.lower, size * (one.upper - one.lower)
        parts.append(rectangle(start + 1, base - tall, width - 2, tall, f"bar {'chosen' if here else ''}"))
        parts.append(text(start + width / 2 + 4.0, base - tall - 4.0, f"{one.count:,}", "count", -90))
    return drawing(ident, (WIDTH, base + 20.0), told, [*parts, *dots])


def draw_line(ident: str, told: tuple[str, str], xs: Sequence[float], ys: Sequence[float]) -> Html:
    """Return a line from zero up, its first and last value written beside it; what is not finite is left out."""
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
    width, left, right, top, bottom = 300.0, 8.0, 240.0, 22.0, 112.0
    highest = max([y for _, y in points] or [1.0]) or 1.0
    furthest = max([x for x, _ in points] or [1.0]) or 1.0
    parts: list[str] = [line(left, bottom, right, bottom, "zero"), text(left, bottom + 16.0, "0")]
    parts.append(text(right, bottom + 16.0, f"{furthest:g}", "middle"))
    places = [(left + (right - left) * (x / furthest), bottom - (bottom - top) * (y / highest)) for x, y in points]
    if places:
        parts.append(polyline(places, "course"))
        (x0, y0), (x1, y1) = places[0], places[-1]
        parts.append(text(x0 + (7.0 if y0 <= y1 else -4.0), y0 + (2.0 if y0 <= y1 else 19.0), number(points[0][1])))
        parts += [circle(x, y, 3.5, "dot") for x, y in places[:: len(places) - 1 or 1]]
        if len(places) > 1:
            parts.append(text(x1 + 8.0, y1 + 4.0, number(points[-1][1]), "chosen"))
    return drawing(ident, (width, 132.0), told, [join(parts)])
