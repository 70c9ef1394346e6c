"""Axes, curves and bars as SVG: plain text without fonts in it, light or dark as the reader's page is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["COLOURS", "Panel", "line", "svg"]

COLOURS = ("#2f7fc1", "#d1495b", "#e08e0b", "#2e9e6b", "#8a63b5", "#7a7a7a")
STYLE = """
text { fill: #333; font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", sans-serif }
.small { font-size: 12px; fill: #666 }
.title { font-weight: 600 }
.paper { fill: #fff }
.grid { stroke: #e4e4e4 }
.axis { stroke: #888 }
.mark { stroke: #999; stroke-dasharray: 3 3 }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .small { fill: #9aa }
  .paper { fill: #0d1117 }
  .grid { stroke: #2b3036 }
}
"""


@dataclass
class Panel:
    """A pair of axes at a place of the drawing; data go in, SVG comes out."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    log_x: bool = False
    log_y: bool = False
    parts: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Return the place of a number along x."""
        return self.left + self.width * _fraction(value, self.x, self.log_x)

    def py(self, value: float) -> float:
        """Return the place of a number along y."""
        return self.top + self.height * (1.0 - _fraction(value, self.y, self.log_y))

    def axes(self, title: str, x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str = "") -> Panel:
        """Draw grid, ticks and title."""
        right, bottom = self.left + self.width, self.top + self.height
        self.write(title, self.left, self.top - 12, "title")
        for tick in y_ticks:
            y = self.py(tick)
            self.parts.append(line(self.left, y, right, y, "grid"))
            self.write(_tick(tick), self.left - 6, y + 4, "small", "end")
        for tick in x_ticks:
            self.write(_tick(tick), self.px(tick), bottom + 17, "small", "middle")
        self.parts.append(line(self.left, bottom, right, bottom, "axis"))
        if x_label:
            self.write(x_label, (self.left + right) / 2, bottom + 36, "small", "middle")
        return self

    def curve(self, x: Iterable[float], y: Iterable[float], colour: str, dashes: str = "") -> None:
        """Draw a line through the points; what is not finite or below a logarithmic axis breaks it."""
        pieces: list[list[str]] = [[]]
        for a, b in zip(x, y, strict=True):
            if not math.isfinite(b) or (self.log_y and b <= 0.0):
                pieces.append([])
                continue
            low, high = self.y
            pieces[-1].append(f"{self.px(a):.1f},{self.py(min(max(b, low), high)):.1f}")
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        for points in pieces:
            if len(points) > 1:
                self.parts.append(f'<polyline class="curve" stroke="{colour}"{dashed} points="{" ".join(points)}"/>')

    def bar(self, x: float, value: float, colour: str, label: str, width: float = 34.0, opacity: float = 1.0) -> None:
        """Draw a bar from 0, its number at the end."""
        zero, end = self.py(max(0.0, self.y[0])), self.py(value)
        self.parts.append(
            f'<rect x="{self.px(x) - width / 2:.1f}" y="{min(zero, end):.1f}" width="{width:.1f}" '
            f'height="{abs(end - zero):.1f}" fill="{colour}" opacity="{opacity:g}"/>'
        )
        if label:
            self.write(label, self.px(x), min(zero, end) - 5, "small", "middle")

    def write(self, text: str, x: float, y: float, class_: str = "", anchor: str = "start", colour: str = "") -> None:
        """Write at a place of the drawing."""
        style = f' style="fill:{colour}"' if colour else ""
        self.parts.append(
            f'<text class="{class_}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'
        )


def _fraction(value: float, bounds: tuple[float, float], logarithmic: bool) -> float:
    low, high = bounds
    if logarithmic:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _tick(value: float) -> str:
    power = math.log10(value) if value > 0 else 0.5
    if (value >= 1e4 or 0 < value <= 1e-3) and power == round(power):
        return "10" + str(round(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value:g}".replace("-", "−")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return f'<line class="{class_}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def svg(width: int, height: int, title: str, *panels: Panel) -> str:
    """Return a whole drawing."""
    body = "\n".join(part for panel in panels for part in panel.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect class="paper" width="{width}" height="{height}"/>\n{body}\n</svg>\n'
    )
