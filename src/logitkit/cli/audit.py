"""`logitkit audit`: saved logits and labels → can they be believed, what mends them, what can be promised."""

from __future__ import annotations

from typing import Annotated

import typer

from logitkit.cli.console import byte_progress, check_output, print_json, say, show, stage_progress
from logitkit.errors import OptionError


def audit(
    logits: Annotated[str, typer.Argument(help="npy, npz, safetensors, or a table (CSV, JSON Lines, Parquet …).")],
    labels: Annotated[str | None, typer.Argument(help="A file with the labels, if they are not in the first.")] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="Write calibrator and rules to this file, NAME.logitkit.")
    ] = None,
    report: Annotated[str | None, typer.Option(help="Write a page for a browser to this file.")] = None,
    fit: Annotated[
        str | None, typer.Option(help="Fit calibrators on the logits and labels of this file, and judge on all rows.")
    ] = None,
    unknown: Annotated[str | None, typer.Option(help="Logits of inputs that belong to no class.")] = None,
    label_errors: Annotated[
        str | None, typer.Option("--label-errors", help="Write labels that are probably wrong to this table.")
    ] = None,
    probs: Annotated[bool, typer.Option("--probs", help="The file holds probabilities, not logits.")] = False,
    multilabel: Annotated[
        bool | None, typer.Option("--multilabel/--no-multilabel", help="Whether a row may have several labels.")
    ] = None,
    method: Annotated[str, typer.Option(help="The calibrator; auto lets cross-validation choose.")] = "auto",
    split: Annotated[float, typer.Option(help="The share of the rows that calibrators are fitted on.")] = 0.5,
    max_error: Annotated[float, typer.Option(help="The share of answers that may be wrong.")] = 0.05,
    certainty: Annotated[float, typer.Option(help="Of that promise.")] = 0.95,
    alpha: Annotated[float, typer.Option(help="How often a prediction set may miss the label.")] = 0.1,
    false_alarms: Annotated[float, typer.Option(help="The share of known inputs that may pass for unknown.")] = 0.05,
    logits_name: Annotated[str | None, typer.Option(help="The array or column(s) of the logits: a,b,c.")] = None,
    labels_name: Annotated[str | None, typer.Option(help="The array or column(s) of the labels.")] = None,
    classes: Annotated[str | None, typer.Option(help="Names of the classes, separated by commas.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not compare all methods, only the chosen one.")] = False,
    language: Annotated[str, typer.Option(help="Of what is printed: en or zh.")] = "en",
    seed: Annotated[int, typer.Option(help="The same seed gives the same audit.")] = 0,
    format: Annotated[str | None, typer.Option(help="Of the logits, where the name does not say it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Audit the logits of any model: no figure comes from rows that a calibrator saw.

    Example: logitkit audit logits.npz -o net.logitkit --report audit.html
    """
    from logitkit.audit.options import AuditOptions
    from logitkit.audit.run import audit_file
    from logitkit.report.audit_terminal import render_audit
    from logitkit.tables import open_logits

    options = AuditOptions(
        method=method, split=split, max_error=max_error, certainty=certainty, alpha=alpha,
        false_alarm_rate=false_alarms, compare=not quick, seed=seed,
    )  # fmt: skip
    if language not in ("en", "zh"):
        raise OptionError(f"The 'language' option of audit must be 'en' or 'zh'; got {language!r}.")
    inputs = [path for path in (logits, labels, fit, unknown) if path is not None]
    for path in (output, report, label_errors):
        if path == "-":
            raise OptionError("The files of an audit do not go into a pipe; name them, or print it with --json.")
        if path is not None:
            check_output(path, *inputs, force=force)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    with byte_progress("reading") as reading:
        file = open_logits(
            logits, labels, logits_name=logits_name, labels_name=labels_name, class_names=names, probs=probs,
            multilabel=multilabel, format=format, progress=reading,
        )  # fmt: skip
        others = (
            None
            if fit is None
            else open_logits(fit, class_names=names, probs=probs, multilabel=multilabel, progress=reading)
        )
        outside = None
        if unknown is not None:
            with open_logits(unknown, class_names=names, probs=probs, progress=reading) as found:
                outside = found.rows.read(0, found.rows.shape[0])
    with file, stage_progress() as stages:
        result = audit_file(file, fit=others, unknown=outside, options=options, progress=stages)
        if label_errors is not None:
            from logitkit.audit.labels import write_label_errors

            count = write_label_errors(file, result.policy.calibrator, label_errors, force=force)
    if output is not None:
        result.policy.save(output, force=force)
    if report is not None:
        from logitkit.files import atomic_write
        from logitkit.report.audit_page import render_audit_page

        with atomic_write(report, force=force) as page:
            page.write(render_audit_page(result.audit).encode())
    if as_json:
        print_json(result.audit.to_json())
    else:
        show(render_audit(result.audit, language))
    if label_errors is not None:
        say("{} labels that are probably wrong are in {}.", f"{count:,}", label_errors)
    if output is not None:
        say("The calibrator and its rules are in {}: logitkit calibrate apply {} NEW -o OUT.", output, output)
    if report is not None:
        say("The report is in {}.", report)
