"""`logitkit info`: what is in a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logitkit.cli.console import print_json, show


def info(
    model: Annotated[str, typer.Argument(help="The model file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a model's classes, features, how it was trained, and what calibration was worth."""
    from logitkit.classifier import TextClassifier
    from logitkit.report.training import render_promises, render_training

    classifier = TextClassifier.load(model)
    if as_json:
        spec = classifier.vocabulary.spec
        print_json(
            {
                "file_bytes": Path(model).stat().st_size,
                "classes": list(classifier.class_names),
                "ngrams": {"words": spec.words, "chars": spec.chars, "ideographs": spec.ideographs},
                "temperature": classifier.temperature,
                "threshold": classifier.threshold if classifier.threshold <= 1.0 else None,
                "outliers": None if classifier.outliers is None else classifier.outliers.parts(),
                "training": classifier.record.to_json(),
            }
        )
    else:
        show(render_training(classifier.record, classifier.class_names, classifier.temperature))
        show(render_promises([classifier.abstention(allowed) for allowed in (0.01, 0.02, 0.05, 0.1)]))
