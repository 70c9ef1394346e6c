"""`logitkit demo`: the whole path on real news, in one command."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from logitkit.cli.console import print_json, say, show, stage_progress


def demo(
    out: Annotated[
        str, typer.Option(help="The folder for the model, news.logitkit, the page and the report.")
    ] = "logitkit-demo",
    seed: Annotated[int, typer.Option(help="Of the split of the articles and of the training.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the files of an earlier demo.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train on real BBC news, judge on held-out articles, and read one sentence through every step.

    Example: logitkit demo --out demo
    """
    from logitkit.demo.output import check_folder, render_demo
    from logitkit.files import atomic_write

    folder = check_folder(out, force=force)
    started = time.perf_counter()
    from logitkit.demo import run_demo
    from logitkit.report.page import render_page

    with stage_progress() as stages:
        model, report = run_demo(seed=seed, progress=stages)
    model.save(folder / "news.logitkit", force=force)
    record = report.to_json()
    for name, content in (
        ("demo.html", render_page(report)),
        ("report.json", json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"),
    ):
        with atomic_write(folder / name, force=force) as file:
            file.write(content.encode("utf-8"))
    if as_json:
        print_json(record)
    else:
        show(*render_demo(report))
    say(
        "Done in {} s. The model is {}, the page {}.",
        f"{time.perf_counter() - started:.1f}",
        str(Path(out) / "news.logitkit"),
        str(Path(out) / "demo.html"),
    )
