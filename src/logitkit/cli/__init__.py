"""The command line: parse, call, print. One command a file.

Results go to the standard output, progress and words to the standard error. Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import sys

import typer

from logitkit.cli import demo, evaluate, explain, info, predict, softmax, train
from logitkit.cli.console import say
from logitkit.errors import LogitkitError, OutputError

__all__ = ["app", "main"]

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
app.command("info")(info.info)
app.command(
    "softmax", context_settings={"ignore_unknown_options": True}  # -1.5 is a number here
)(softmax.softmax)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        from logitkit import __version__

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
    debug = "--debug" in sys.argv
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app()
    except LogitkitError as error:
        if debug:
            raise
        say(f"[bold red]Error:[/] {{}}", str(error))
        raise SystemExit(1 if isinstance(error, OutputError) else 2) from None
    except MemoryError:
        if debug:
            raise
        say("[bold red]Error:[/] {}", "There is not enough memory for this; pass less data at a time.")
        raise SystemExit(1) from None
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as `head` does: nothing more to say
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
