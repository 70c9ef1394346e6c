"""`logitkit train`: a table of labelled texts → a model file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logitkit.cli.console import (
    BAD_ROW_HELP,
    bad_rows,
    byte_progress,
    check_output,
    print_json,
    say,
    show,
    stage_progress,
)  # fmt: skip
from logitkit.errors import InputError, OutputError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def train(
    data: Annotated[str, typer.Argument(help="CSV, TSV, JSON Lines (also .gz, .zst), Parquet or Arrow; - is a pipe.")],
    output: Annotated[str, typer.Option("-o", "--output", help="The model file to write, NAME.logitkit.")],
    text: Annotated[str, typer.Option(help="The column that holds the texts.")] = "text",
    label: Annotated[str, typer.Option(help="The column that holds the labels.")] = "label",
    weight: Annotated[str | None, typer.Option(help="A column that says how much each text counts.")] = None,
    group: Annotated[
        str | None, typer.Option(help="A column; its equal texts stay on one side of held-out splits.")
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Let rare classes count as much as frequent ones.")
    ] = False,
    l2: Annotated[float | None, typer.Option(help="Regularisation; chosen on held-out texts if not given.")] = None,
    label_smoothing: Annotated[float, typer.Option(help="Share of each target that goes to all classes alike.")] = 0.0,
    epochs: Annotated[int | None, typer.Option(help="Passes over the texts; by their number if not given.")] = None,
    patience: Annotated[int, typer.Option(help="Worse passes on held-out texts before training stops.")] = 2,
    max_error: Annotated[
        float | None,
        typer.Option(help="Answer only where at most this share of answers is wrong, as held-out texts say."),
    ] = None,
    certainty: Annotated[float, typer.Option(help="Of that promise.")] = 0.95,
    false_alarms: Annotated[
        float, typer.Option(help="Do not answer outliers; take at most this share of known texts for such.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    format: Annotated[str | None, typer.Option(help="The input's format, where its name does not say it.")] = None,
    on_bad_row: Annotated[str, typer.Option(help=BAD_ROW_HELP)] = "fail",
    force: Annotated[bool, typer.Option("--force", help="Replace the model file if it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a classifier, calibrate it on texts its weights did not see, and write it to one file.

    Example: logitkit train news.csv --text text --label label -o news.logitkit
    """
    from logitkit.model.options import TrainOptions
    from logitkit.report.training import render_promises, render_training
    from logitkit.tables import read_table

    options = TrainOptions(
        l2=l2,
        label_smoothing=label_smoothing,
        class_weights="balanced" if balanced else None,
        epochs=epochs,
        patience=patience,
        max_error=max_error,
        certainty=certainty,
        false_alarm_rate=false_alarms,
        seed=seed,
    )
    if output == "-":
        raise OutputError("A model does not go into a pipe; name a file, such as -o news.logitkit.")
    check_output(output, data, force=force)
    columns = [column for column in (text, label, weight, group) if column is not None]
    strings = [column for column in (text, label, group) if column is not None]
    with byte_progress("reading") as progress, bad_rows(on_bad_row, output, force) as bad:
        table = read_table(
            data, columns=columns, strings=strings, required=columns, format=format, bad_rows=bad, progress=progress
        )
    if bad.count:
        say("{} rows could not be used; they are in {}.", f"{bad.count:,}", str(bad.side_path))
    from logitkit.classifier import TextClassifier

    started = time.perf_counter()
    with stage_progress() as stages:
        model = TextClassifier(options).fit(
            table.column(text),
            table.column(label),
            sample_weights=None if weight is None else _weights(table.column(weight), weight, data),
            groups=None if group is None else table.column(group),
            progress=stages,
        )
    seconds = time.perf_counter() - started
    model.save(output, force=force)
    for warning in model.record.warnings:
        say("[yellow]Note:[/] {}", warning)
    if as_json:
        record = model.record.to_json()
        del record["steps"]
        rules = {"threshold": model.threshold if model.threshold <= 1.0 else None, "max_error": max_error}
        times = {"model": output, "seconds": round(seconds, 3)}
        print_json({**times, "temperature": model.temperature, **rules, **record})
    else:
        show(render_training(model.record, model.class_names, model.temperature))
        show(render_promises([model.abstention(allowed, certainty=certainty) for allowed in (0.01, 0.02, 0.05, 0.1)]))
        say("Trained on {} texts in {} s; the model is in {}.", f"{model.record.rows:,}", f"{seconds:.2f}", output)


def _weights(column: pa.ChunkedArray, name: str, file: str) -> NDArray[Any]:
    """Return the column of weights as numbers, once all are finite and none is negative."""
    from logitkit.tables.numbers import as_numbers

    weights = as_numbers(column, name, file)
    for row, value in enumerate(weights.tolist(), start=1):
        if not 0.0 <= value < float("inf"):
            raise InputError(f"{file}, row {row}, column {name!r} must be finite and at least 0; got {value:g}.")
    return weights
