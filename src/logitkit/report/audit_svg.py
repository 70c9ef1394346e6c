"""Drawings of an audit, as SVG in the text: figures with their intervals, a histogram of logits, risk–coverage curves.

As in `page_svg`, colours are the style sheet's, widths those of a phone, and every drawing is told in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from logitkit.report.page_markup import Html, number
from logitkit.report.page_shapes import WIDTH, circle, drawing, line, polyline, rectangle, text

__all__ = ["Interval", "Mark", "draw_histogram", "draw_intervals", "draw_risk_coverage", "round_steps"]

_LETTER = 6.4  # the width of one, about


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its bounds, what is written beside it, and whether it is the chosen one. None is not drawn."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a curve, and what is written there."""

    x: float
    y: float
    text: str


def round_steps(low: float, high: float, most: int = 5) -> list[float]:
    """Return at most so many round numbers between two, evenly apart, for an axis.

    Example:
        >>> from logitkit.report.audit_svg import round_steps
        >>> round_steps(0.0, 0.13), round_steps(3.0, 3.0)
        ([0.0, 0.05, 0.1], [3.0])
    """
    if not high - low > 1e-12 * max(1.0, abs(low), abs(high)):
        return [low]
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * (1.0 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def draw_intervals(ident: str, told: tuple[str, str], rows: Sequence[Interval], end: float | None = None) -> Html:
    """Return a dot and a line for each figure and its interval, one below the other, over one scale.

    Args:
        ident: prefix of ids.
        told: what is drawn, and the same in words.
        rows: from top to bottom.
        end: of the scale, at most; figures beyond are arrows. None draws all.
    """
    bounds = [v for one in rows for v in (one.value, one.low, one.high) if v is not None]
    low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
    high = high if end is None else max(low, min(high, end))
    left, right, each = 8.0, 272.0, 40.0
    scale = (right - left) / ((high - low) or 1.0)
    bottom = each * len(rows) + 4.0
    parts: list[str] = []
    for tick in round_steps(low, high, 4) if high > low and bounds else []:
        x = left + (tick - low) * scale
        parts += [line(x, 0.0, x, bottom, "grid"), text(x, bottom + 15.0, f"{tick:g}", "middle")]
    for i, one in enumerate(rows):
        y, mark = each * i, "chosen" if one.chosen else ""
        parts.append(text(0.0, y + 13.0, one.name, f"name {mark}".strip()))
        parts.append(text(WIDTH, y + 31.0, one.text, f"end {mark}".strip()))
        if one.value is not None and one.value > high:
            parts.append(text(right, y + 31.0, "→", f"end {mark}".strip()))
            continue
        if one.low is not None and one.high is not None:
            ends = [left + (min(bound, high) - low) * scale for bound in (one.low, one.high)]
            parts.append(line(ends[0], y + 27.0, ends[1], y + 27.0, f"span {mark}".strip()))
        if one.value is not None:
            parts.append(circle(left + (one.value - low) * scale, y + 27.0, 4.5, "dot" if one.chosen else "point"))
    return drawing(ident, (WIDTH, bottom + 20.0), told, parts)


def draw_histogram(
    ident: str, told: tuple[str, str], edges: Sequence[float], up: Sequence[int], down: Sequence[int],
    words: tuple[str, str, str],
) -> Html:  # fmt: skip
    """Return two histograms over one axis, one upwards and one downwards, each as a share of its own sum.

    Args:
        ident: prefix of ids.
        told: what is drawn, and the same in words.
        edges: of the bins, one more than there are.
        up: counts drawn upwards.
        down: counts drawn downwards.
        words: for the counts upwards, for those downwards, and for the axis.
    """
    left, right = 4.0, 336.0
    sums = [max(1, sum(counts)) for counts in (up, down)]
    shares = [[count / total for count in counts] for counts, total in zip((up, down), sums, strict=True)]
    tops = [max(side, default=0.0) for side in shares]
    tall = 130.0 / (max(tops) or 1.0)  # of a share of 1: the same upwards and downwards
    middle = 24.0 + max(20.0, tall * tops[0])
    below = middle + 24.0
    bottom = below + max(20.0, tall * tops[1])
    first, last = edges[0], edges[-1]
    scale = (right - left) / ((last - first) or 1.0)
    parts: list[str] = [text(left, 12.0, words[0], "name"), text(left, bottom + 16.0, words[1], "name")]
    for i, (above, under) in enumerate(zip(*shares, strict=True)):
        x, width = left + (edges[i] - first) * scale, max(0.5, (edges[i + 1] - edges[i]) * scale - 1.0)
        if above:
            parts.append(rectangle(x, middle - tall * above, width, tall * above, "bar right"))
        if under:
            parts.append(rectangle(x, below, width, tall * under, "bar wrong"))
    parts += [line(left, middle, right, middle, "zero"), line(left, below, right, below, "zero")]
    axis_end = right - _LETTER * _wide(words[2]) - 8.0
    for tick in round_steps(first, last):
        x = left + (tick - first) * scale
        if x < axis_end - 10.0:
            parts.append(text(x, middle + 16.0, number(tick, 0 if last - first >= 5.0 else 1), "middle" if i else ""))
    parts.append(text(right, middle + 16.0, words[2], "end"))
    return drawing(ident, (WIDTH, bottom + 22.0), told, parts)


def draw_risk_coverage(
    ident: str, told: tuple[str, str], curves: Sequence[tuple[str, str, Sequence[tuple[float, float]]]],
    marks: Sequence[Mark], axes: tuple[str, str],
) -> Html:  # fmt: skip
    """Return curves of (coverage, risk), both in [0, 1], with a legend, and marks on them.

    Args:
        ident: prefix of ids.
        told: what is drawn, and the same in words.
        curves: class, name and points of each.
        marks: places with a word.
        axes: words for coverage and risk.
    """
    left, top, size, tall = 36.0, 44.0, 290.0, 220.0
    bottom = top + tall
    highest = max([y for _, _, points in curves for _, y in points] + [one.y for one in marks] or [0.0]) or 0.01
    parts: list[str] = [text(0.0, 10.0, axes[1])]

    def place(x: float, y: float) -> tuple[float, float]:
        return left + size * x, bottom - tall * y / highest

    for tick in round_steps(0.0, highest):
        y = place(0.0, tick)[1]
        parts += [line(left, y, left + size, y, "grid"), text(left - 6.0, y + 4.0, f"{100.0 * tick:g}", "end")]
    parts += [
        text(left + size * tick, bottom + 16.0, f"{100 * tick:.0f}", "middle") for tick in (0, 0.25, 0.5, 0.75, 1)
    ]
    parts.append(text(left + size, bottom + 31.0, axes[0], "end"))
    at = left
    for class_, name, points in curves:
        parts += [line(at, 26.0, at + 22.0, 26.0, f"course {class_}".strip()), text(at + 28.0, 30.0, name, "name")]
        at += 28.0 + _LETTER * _wide(name) + 24.0
        if points:
            parts.append(polyline([place(x, y) for x, y in points], f"course {class_}".strip()))
    places = [(*place(one.x, one.y), one.text) for one in marks]
    return drawing(ident, (WIDTH, bottom + 38.0), told, [*parts, *_marked(places, left, top, bottom)])


def _marked(places: Sequence[tuple[float, float, str]], left: float, top: float, bottom: float) -> list[str]:
    """Return a ring at each place, and its word where a rising curve leaves room: to the left of it, or above."""
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for x, y, word in places:
        wide = _LETTER * _wide(word)
        room = x - 9.0 - wide >= left
        start, level = (x - 9.0 - wide, y - 7.0) if room else (x - 4.0, y - 12.0)
        free = (
            at
            for k in range(2 * len(taken) + 6)  # up by a line, down by a line, up by two
            if top < (at := level + 13.0 * ((k + 1) // 2) * (-1) ** k) < bottom
            and not any(abs(at - other) < 13.0 and start < end and begin < start + wide for begin, end, other in taken)
        )
        level = next(free, level)
        taken.append((start, start + wide, level))
        parts += [
            circle(x, y, 6, "ring"),
            text(start + wide if room else start, level, word, "mark end" if room else "mark"),
        ]
    return parts


def _wide(content: str) -> float:
    return sum(2.0 if ord(char) > 0x2E80 else 1.0 for char in content)
