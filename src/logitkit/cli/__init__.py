"""The command line: parse, call, print. One command a file.

Results go to the standard output, progress and words to the standard error.
Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import io
import sys

import typer

from logitkit.cli import audit, calibrate, demo, evaluate, explain, info, predict, softmax, train
from logitkit.cli.console import say
from logitkit.errors import LogitkitError, OutputError

__all__ = ["app", "main"]

_INTERRUPTED = 130

app = typer.Typer(
    name="logitkit",
    help="Text, or the saved logits of any model, into decisions one can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("explain")(explain.explain)
app.command("audit")(audit.audit)
app.add_typer(calibrate.app, name="calibrate")
app.command("info")(info.info)
app.command(
    "softmax", context_settings={"ignore_unknown_options": True}  # -1.5 is a number here
)(softmax.softmax)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        from logitkit._version import __version__

        typer.echo(f"logitkit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error (anywhere on the line)."),
) -> None:
    """Text, or the saved logits of any model, into decisions one can trust."""


def main() -> None:
    """Run the command line; an error is one sentence, with a traceback only after `--debug`."""
    words = sys.argv[1:]
    options = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in options
    sys.argv[1:] = [word for word in options if word != "--debug"] + words[len(options) :]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show is no reason to fail
    try:
        try:
            app(prog_name="logitkit")
        finally:
            sys.stdout.flush()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            say("[bold red]Stopped[/] by Ctrl-C; no half-written file is left.")
        raise
    except Exception as error:
        if debug and not isinstance(error, BrokenPipeError):
            raise
        raise SystemExit(_explain(error)) from None


def _explain(error: Exception) -> int:
    """Say what went wrong in one sentence, and return the exit code."""
    sentence, code = str(error), 1
    if isinstance(error, BrokenPipeError):  # the reader of our output has gone, as `head` does: nothing more to say
        return code
    if isinstance(error, LogitkitError):
        code = 1 if isinstance(error, OutputError) else 2
    elif isinstance(error, MemoryError):
        sentence = "There is not enough memory for this; pass less data at a time."
    elif isinstance(error, OSError):
        sentence = f"The system refused a read or a write: {(error.strerror or str(error)).lower()}."
    else:
        sentence = (
            f"logitkit has failed ({type(error).__name__}: {error}); this is a fault of its own: "
            "run it again with --debug and report what it prints."
        )
    say("[bold red]Error:[/] {}", " ".join(sentence.split()))
    return code


if __name__ == "__main__":
    main()
