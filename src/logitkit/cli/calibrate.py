"""`logitkit calibrate apply`: new logits of an audited model → probabilities and decisions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from logitkit.cli.console import byte_progress, check_output, say
from logitkit.errors import OptionError

if TYPE_CHECKING:
    from logitkit.policy import DecisionPolicy
    from logitkit.tables import LogitsFile

app = typer.Typer(help="Use what an audit has found.", no_args_is_help=True)

_ROWS_BYTES = 16 << 20


@app.callback()
def _group() -> None:
    """Use what an audit has found."""


@app.command("apply")
def apply(
    calibrator: Annotated[str, typer.Argument(help="The file that `logitkit audit -o` wrote.")],
    logits: Annotated[str, typer.Argument(help="Logits of the same model: array file or table; - is a pipe.")],
    output: Annotated[
        str, typer.Option("-o", "--output", help="A table of decisions, or NAME.npy for probabilities; - is a pipe.")
    ],
    probs: Annotated[bool, typer.Option("--probs", help="The input holds probabilities, not logits.")] = False,
    with_probs: Annotated[bool, typer.Option("--with-probs", help="Add the probabilities of all classes.")] = False,
    sets: Annotated[bool, typer.Option("--sets", help="Add each row's prediction set.")] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Do not answer below this probability; the audit's threshold if not given.")
    ] = None,
    logits_name: Annotated[str | None, typer.Option(help="The array or column(s) of the logits: a,b,c.")] = None,
    format: Annotated[str | None, typer.Option(help="Of the logits, where the name does not say it.")] = None,
    to_format: Annotated[str | None, typer.Option(help="Of the output, where its name does not say it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")] = False,
) -> None:
    """Calibrate new logits and decide by the audit's rules, row by row.

    A table has label, probability, decision and reason; NAME.npy has the calibrated probabilities.

    Example: logitkit calibrate apply net.logitkit new.npy -o answers.parquet --sets
    """
    from logitkit.checks import check_fraction
    from logitkit.policy import DecisionPolicy
    from logitkit.tables import open_logits

    check_output(output, calibrator, logits, force=force)
    if threshold is not None:
        check_fraction(threshold, "threshold", "calibrate apply")
    policy = DecisionPolicy.load(calibrator)
    as_array = output.endswith(".npy")
    if as_array and (sets or with_probs or threshold is not None):
        raise OptionError("An .npy output has the probabilities alone; name a table for sets and decisions.")
    started = time.perf_counter()
    with byte_progress("reading") as progress:
        file = open_logits(logits, logits_name=logits_name, probs=probs, format=format, progress=progress)
    with file:
        N, C = file.rows.shape
        if policy.calibrator.n_classes != C:
            raise OptionError(f"{calibrator} is for {policy.calibrator.n_classes} classes; {file.name} has {C}.")
        if as_array:
            _write_probs(policy, file, output, force)
        else:
            _write_table(policy, file, output, to_format, force, with_probs=with_probs, sets=sets, threshold=threshold)
    if output != "-":
        seconds = time.perf_counter() - started
        say("{} rows in {} s; they are in {}.", f"{N:,}", f"{seconds:.2f}", output)


def _blocks(file: LogitsFile) -> list[tuple[int, int]]:
    from logitkit.kernels import split

    N, C = file.rows.shape
    return split(N, max(1, _ROWS_BYTES // (C * file.rows.dtype.itemsize)))


def _write_probs(policy: DecisionPolicy, file: LogitsFile, output: str, force: bool) -> None:
    from numpy.lib import format as npy

    from logitkit.files import atomic_write

    rows = file.rows
    with atomic_write(output, force=force) as out, byte_progress("calibrating") as progress:
        head = {"descr": npy.dtype_to_descr(rows.dtype), "fortran_order": False, "shape": rows.shape}
        npy.write_array_header_2_0(out, head)
        for start, stop in _blocks(file):
            out.write(policy.calibrator.probs(rows.read(start, stop)).data)
            progress(stop, rows.shape[0])


def _write_table(
    policy: DecisionPolicy, file: LogitsFile, output: str, to_format: str | None, force: bool, *, with_probs: bool,
    sets: bool, threshold: float | None,
) -> None:  # fmt: skip
    from logitkit.report.calibrated_columns import CalibratedColumns
    from logitkit.tables import open_writer

    columns = CalibratedColumns(policy, probs=with_probs, sets=sets, threshold=threshold)
    with (
        open_writer(output, columns.schema, force=force, format=to_format) as writer,
        byte_progress("calibrating") as progress,
    ):
        for start, stop in _blocks(file):
            writer.write(columns.make(file.rows.read(start, stop)))
            progress(stop, file.rows.shape[0])
