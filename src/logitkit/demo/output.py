"""Where the demo writes, and what it prints."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from logitkit.errors import OutputError
from logitkit.files import check_output_path, output_error
from logitkit.report.demo import DemoReport
from logitkit.report.explanation import render_explanation
from logitkit.report.terminal import format_number, reliability_sentence, render_steps
from logitkit.report.training import calibration_sentence

__all__ = ["FILES", "check_folder", "render_demo"]

FILES = ("news.logitkit", "demo.html", "report.json")


def check_folder(path: str, *, force: bool) -> Path:
    """Return the folder to write to, made if need be, once it is sure that each file can be written.

    Raises:
        OutputError: if it is a file, cannot be made, or holds an earlier demo and `force` is false.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{path} cannot be the folder of the demo: it is a file; choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    for name in FILES:
        check_output_path(folder / name, force=force)
    return folder


def render_demo(report: DemoReport) -> list[RenderableType]:
    """Return the demo as it is told on a terminal: corpus, model, judgement, and one sentence through every step."""
    return [
        Panel("Text → features → logits → probabilities → decision", expand=False),
        *(Text(sentence) for sentence in report.origin),
        Text(),
        Text(
            f"Learnt from {report.train_paragraphs:,} paragraphs of {report.train_articles:,} articles "
            f"in {report.seconds['training']:.1f} s; {report.record.features:,} features."
        ),
        *((Text(calibration_sentence(report.record.held_out, report.temperature)),) if report.record.held_out else ()),
        _judgement(report),
        Text(reliability_sentence(report.paragraphs)),
        Text(),
        Text(f"“{report.sentence}”", style="bold"),
        render_explanation(report.explanation, report.decision),
        Text("Its logits, step by step", style="bold"),
        render_steps(report.steps),
        Text(),
        Text("The worked example of the article, beside it", style="bold"),
        render_steps(report.worked),
    ]


def _judgement(report: DemoReport) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("articles that training never saw")
    for title in ("texts", "accuracy", "macro-F1", "log loss", "Brier", "calibration error"):
        table.add_column(title, justify="right")
    for name, e in (("paragraph by paragraph", report.paragraphs), ("as whole articles", report.whole_articles)):
        scores = (e.accuracy, e.macro_f1, e.log_loss, e.brier_score, e.expected_calibration_error)
        table.add_row(name, f"{e.rows:,}", *(format_number(score, 4) for score in scores))
    return table
