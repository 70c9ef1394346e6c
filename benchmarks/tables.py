"""Writes the tables of the README and the guide from results/*.json, between markers; numbers are never typed by hand.

    python -m benchmarks.tables [--check]

A page holds `<!-- table:NAME -->` and `<!-- /table -->` on lines of their own; what stands between is replaced. Names:
classifiers, classifiers-use, start, ops, selection, products, features, predict, calibration. With `--check`, nothing
is written, and a stale page fails.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from render import RENDERERS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
_MARKED = re.compile(r"^<!-- table:([\w-]+) -->\n(.*?)^<!-- /table -->$", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(r"^\s*<!-- table:", re.MULTILINE)


def pages(root: Path) -> list[Path]:
    """Return the pages that may hold tables: the READMEs and the guide."""
    return sorted([*root.glob("README*.md"), *root.glob("docs/**/*.md")])


def is_chinese(page: Path) -> bool:
    """Return whether a page is the Chinese one: NAME.zh.md, or in a folder `zh`."""
    return page.name.endswith(".zh.md") or "zh" in page.parent.parts


def fill(text: str, *, chinese: bool, results: Path) -> str:
    """Return the text with every marked table written anew; a page without markers is returned as it is.

    A table whose results are not there yet stays as it is.

    Raises:
        ValueError: if a marker is never closed, is not alone on its line, or names no table.
    """
    found = len(_OPENING.findall(text))
    whole = len(_MARKED.findall(text))
    if found != whole or any(_OPENING.search(match[1]) for match in _MARKED.findall(text)):
        raise ValueError(f"{found} tables begin and {whole} end: close each by <!-- /table --> on a line of its own")

    def table(match: re.Match[str]) -> str:
        name = match[1]
        if name not in RENDERERS:
            raise ValueError(f"there is no table {name!r}; there are {', '.join(RENDERERS)}")
        file, render = RENDERERS[name]
        source = results / f"{file}.json"
        if not source.exists():
            return match[0]
        record: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
        return f"<!-- table:{name} -->\n{render(record, chinese)}\n<!-- /table -->"

    return _MARKED.sub(table, text)


def main(arguments: list[str] | None = None, *, root: Path = ROOT, results: Path = RESULTS) -> int:
    """Write or check the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    check = parser.parse_args(arguments).check
    stale = 0
    for page in pages(root):
        name = page.relative_to(root)
        before = page.read_text(encoding="utf-8")
        try:
            after = fill(before, chinese=is_chinese(name), results=results)
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        if after == before:
            continue
        stale += 1
        if check:
            print(
                f"{name}: its tables are not those of benchmarks/results: run python -m benchmarks.tables",
                file=sys.stderr,
            )
        else:
            page.write_text(after, encoding="utf-8")
            print(f"{name}: tables written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
