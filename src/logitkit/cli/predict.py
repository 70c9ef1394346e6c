"""`logitkit predict`: a table of texts → the same table with labels, probabilities and decisions."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from logitkit.cli.console import BAD_ROW_HELP, bad_rows, byte_progress, check_output, rows_at_once, say
from logitkit.errors import OptionError


def predict(
    model: Annotated[str, typer.Argument(help="The model file.")],
    data: Annotated[str, typer.Argument(help="A table with texts: CSV, TSV, JSON Lines, Parquet, Arrow; - is a pipe.")],
    output: Annotated[str, typer.Option("-o", "--output", help="The table to write; - is a pipe.")] = "-",
    text: Annotated[str, typer.Option(help="The column that holds the texts.")] = "text",
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="Only the label: the arg max, no softmax.")
    ] = False,
    logits: Annotated[bool, typer.Option("--logits", help="Add the raw logits of all classes.")] = False,
    probs: Annotated[bool, typer.Option("--probs", help="Add the probabilities of all classes.")] = False,
    top_k: Annotated[int | None, typer.Option(help="Add the k most probable classes.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Do not answer below this probability.")] = None,
    max_error: Annotated[
        float | None,
        typer.Option(help="Answer only where at most this share of answers is wrong, as held-out texts say."),
    ] = None,
    certainty: Annotated[float, typer.Option(help="Of that promise.")] = 0.95,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="Let the promise hold for the answers of each class.")
    ] = False,
    false_alarms: Annotated[
        float | None, typer.Option(help="Do not answer outliers; take at most this share of known texts for such.")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Put this before the names of the new columns.")] = None,
    format: Annotated[str | None, typer.Option(help="The format of both tables, where names do not say it.")] = None,
    on_bad_row: Annotated[str, typer.Option(help=BAD_ROW_HELP)] = "fail",
    force: Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")] = False,
) -> None:
    """Add label, probability, decision and reason to every row; the input's columns stay.

    `label` is the arg max. `decision` is the same, or empty where the model does not answer; `reason` says why.

    Example: logitkit predict news.logitkit new.csv -o answers.csv --threshold 0.8
    """
    from logitkit.checks import check_fraction
    from logitkit.classifier import TextClassifier
    from logitkit.model.warnings import refusal_warning
    from logitkit.report.columns import OutputColumns
    from logitkit.tables import open_writer, read_batches

    check_output(output, model, data, force=force)
    if threshold is not None:
        check_fraction(threshold, "threshold", "predict")
    classifier = TextClassifier.load(model)
    if max_error is not None and (threshold is not None or labels_only):
        raise OptionError("--max-error finds the threshold itself; leave out --threshold and --labels-only.")
    limit: Any = threshold
    if max_error is not None:
        rule = classifier.abstention(max_error, certainty=certainty, by_class=by_class)
        limit = rule.threshold
        if not rule.promise:
            say("[yellow]Note:[/] {}", refusal_warning(rule))
    outliers = None if false_alarms is None else classifier.outlier_rule(false_alarms)
    started = time.perf_counter()
    rows = 0
    bad = bad_rows(on_bad_row, output, force)
    with byte_progress("predicting") as progress, bad:
        reader = read_batches(
            data, strings=[text], required=[text], format=format, bad_rows=bad, progress=progress,
            batch_rows=rows_at_once(len(classifier.class_names)),
        )  # fmt: skip
        with reader:
            columns = OutputColumns(
                classifier, reader.schema.names, labels_only=labels_only, logits=logits, probs=probs, top_k=top_k,
                threshold=limit, outliers=outliers, prefix=prefix,
            )  # fmt: skip
            if columns.renamed:
                say("The input has columns of these names already, so the new ones begin with {}.", columns.prefix)
            with open_writer(output, columns.schema(reader.schema), force=force, format=format) as writer:
                for batch in reader:
                    writer.write(columns.append(batch, text))
                    rows += batch.num_rows
    seconds = time.perf_counter() - started
    if bad.count:
        say("{} rows could not be used; they are in {}.", f"{bad.count:,}", str(bad.side_path))
    if output != "-":
        say(
            "{} rows in {} s ({} a second); they are in {}.",
            f"{rows:,}",
            f"{seconds:.2f}",
            f"{rows / seconds:,.0f}",
            output,
        )
