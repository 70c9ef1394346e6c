"""Runs `logitkit ARGUMENTS` in this process, which is quick, or as a process of its own."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from logitkit.cli import main
from synthetic import corpus

LOGITKIT = str(Path(sys.executable).with_name("logitkit"))


class Result(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        """The one object on the standard output; NaN and infinity are no JSON."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


def call(*arguments: object, stdin: bytes = b"") -> Result:
    """Run it in this process."""
    before = sys.argv, sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.argv = ["logitkit", *map(str, arguments)]
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    sys.stdout, sys.stderr = io.TextIOWrapper(out, "utf-8"), io.TextIOWrapper(err, "utf-8", errors="backslashreplace")
    streams = sys.stdout, sys.stderr  # a stream that is collected closes what is under it
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        for stream in streams:
            stream.flush()
        sys.argv, sys.stdin, sys.stdout, sys.stderr = before
    return Result(code, out.getvalue(), err.getvalue().decode())


def spawn(*arguments: object, stdin: bytes = b"", **options: Any) -> Result:
    """Run it as a person does."""
    command = [LOGITKIT, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False, **options)
    return Result(done.returncode, done.stdout, done.stderr.decode())


def refused(result: Result, *words: str, code: int = 2) -> None:
    """One sentence on the standard error, nothing on the standard output, no traceback."""
    assert result.code == code, result
    assert result.out == b"" and "Traceback" not in result.err, result
    assert result.err.startswith("Error: ") and result.err.count("\n") == 1 and result.err.endswith((".\n", "?\n")), (
        result.err
    )
    for word in words:
        assert word in result.err, result.err


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def labelled(rows: int, seed: int = 0) -> list[dict[str, Any]]:
    texts, labels = corpus(rows, seed=seed)
    return [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
