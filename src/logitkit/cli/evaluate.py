"""`logitkit evaluate`: a model and labelled texts → how good and how believable it is."""

from __future__ import annotations

from typing import Annotated

import typer

from logitkit.cli.console import BAD_ROW_HELP, bad_rows, byte_progress, print_json, rows_at_once, say, show


def evaluate(
    model: Annotated[str, typer.Argument(help="The model file.")],
    data: Annotated[str, typer.Argument(help="A table with texts and labels; - is a pipe.")],
    text: Annotated[str, typer.Option(help="The column that holds the texts.")] = "text",
    label: Annotated[str, typer.Option(help="The column that holds the labels.")] = "label",
    format: Annotated[str | None, typer.Option(help="The table's format, where its name does not say it.")] = None,
    on_bad_row: Annotated[str, typer.Option(help=BAD_ROW_HELP)] = "fail",
    force: Annotated[bool, typer.Option("--force", help="Replace the side file of bad rows if it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print accuracy, macro-F1, log loss, Brier score, calibration error, a table per class and the confusions.

    Example: logitkit evaluate news.logitkit test.csv --json
    """
    from logitkit.classifier import TextClassifier
    from logitkit.report.evaluation import EvaluationBuilder
    from logitkit.report.terminal import render_evaluation
    from logitkit.tables import read_batches

    classifier = TextClassifier.load(model)
    builder = EvaluationBuilder(classifier.class_names, temperature=classifier.temperature)
    with byte_progress("evaluating") as progress, bad_rows(on_bad_row, "logitkit-evaluate", force) as bad:
        reader = read_batches(
            data, columns=[text, label], strings=[text, label], required=[text, label], format=format,
            bad_rows=bad, progress=progress, batch_rows=rows_at_once(len(classifier.class_names)),
        )  # fmt: skip
        with reader:
            for batch in reader:
                builder.update_names(classifier.predict_logits(batch.column(text)), batch.column(label))
    evaluation = builder.finish()
    if bad.count:
        say("{} rows could not be used; they are in {}.", f"{bad.count:,}", str(bad.side_path))
    if as_json:
        print_json(evaluation.to_json())
    else:
        show(render_evaluation(evaluation))
