"""What drawings in SVG are made of. The colours are the style sheet's, by class."""

from __future__ import annotations

from collections.abc import Sequence

from logitkit.report.page_markup import Html, element

__all__ = ["WIDTH", "circle", "drawing", "line", "polyline", "rectangle", "text"]

WIDTH = 340
"""Of a drawing: that of a phone, so that letters keep their size there."""


def drawing(ident: str, size: tuple[float, float], told: tuple[str, str], parts: Sequence[str]) -> Html:
    """Return the drawing with a title and a description for those who cannot see it; `ident` begins their ids."""
    (width, height), (title, description) = size, told
    heads = element("title", title, id=f"{ident}-t"), element("desc", description, id=f"{ident}-d")
    return element(
        "svg", *heads, *parts, viewBox=f"0 0 {width:g} {height:g}", role="img",
        aria_labelledby=f"{ident}-t", aria_describedby=f"{ident}-d",
    )  # fmt: skip


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    """Return a straight line."""
    return Html(f'<line class="{class_}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')


def polyline(places: Sequence[tuple[float, float]], class_: str) -> Html:
    """Return a line through all places."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Html(f'<polyline class="{class_}" points="{path}"/>')


def rectangle(x: float, y: float, width: float, height: float, class_: str) -> Html:
    """Return a filled rectangle."""
    return Html(f'<rect class="{class_}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>')


def circle(x: float, y: float, radius: float, class_: str) -> Html:
    """Return a circle."""
    return Html(f'<circle class="{class_}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>')


def text(x: float, y: float, content: str, class_: str = "", turn: int = 0) -> Html:
    """Return one line of text that begins at a place; the classes "middle" and "end" centre it there or end it."""
    turned = f"rotate({turn} {x:.1f} {y:.1f})" if turn else None
    return element("text", content, x=f"{x:.1f}", y=f"{y:.1f}", class_=class_ or None, transform=turned)
