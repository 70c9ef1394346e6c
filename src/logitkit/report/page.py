"""The page of a demo run."""

from __future__ import annotations

import html

from logitkit.report.demo import DemoReport

__all__ = ["render_page"]


def render_page(report: DemoReport) -> str:
    """Return the run as one self-contained HTML page."""
    return f"<!doctype html><title>logitkit</title><p>{html.escape(report.sentence)}: {report.decision.raw_label}</p>"
