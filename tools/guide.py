"""Run the code of the guide, and write what it prints below each block: `python tools/guide.py [--write]`.

A page's Python blocks run in order in one namespace, in an empty folder, with `examples/` importable. A block that
prints is followed by a text block with exactly what it printed. The pages of all languages have the same blocks:
`--write` copies those of the English page, with their fresh output, into the other.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "guide"
PAIRS = tuple((GUIDE / f"{name}.md", GUIDE / f"{name}.zh.md") for name in ("what-are-logits", "trust"))
PAGES = tuple(page for pair in PAIRS for page in pair)
_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of code: the line it begins on, and the output that the page shows for it."""

    line: int
    code: str
    shown: str


def blocks(text: str) -> list[Block]:
    """Return the Python blocks of a page."""
    found = _BLOCK.finditer(text)
    return [Block(text.count("\n", 0, match.start()) + 2, match[1], match[2] or "") for match in found]


def run(page: Path, found: list[Block]) -> list[str]:
    """Return what each block prints. An error names the page and its line."""
    namespace: dict[str, object] = {"__name__": "__guide__"}
    printed = []
    before = list(sys.path)
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for block in found:
                out = io.StringIO()
                code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
                with contextlib.redirect_stdout(out):
                    exec(code, namespace)
                printed.append("".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines()))
    finally:
        sys.path[:] = before
    return printed


def fill(text: str, new: list[tuple[str, str]]) -> str:
    """Return a page whose blocks are `new`, pairs of code and output, in order."""
    if len(blocks(text)) != len(new):
        raise ValueError(f"the page has {len(blocks(text))} blocks of Python, not {len(new)}")
    queue = iter(new)

    def block(_: re.Match[str]) -> str:
        code, output = next(queue)
        return f"```python\n{code}```\n" + (f"\n```text\n{output}```\n" if output else "")

    return _BLOCK.sub(block, text)


def main(arguments: list[str] | None = None) -> int:
    """Run the first page of each pair and write or compare; return the exit code."""
    write = "--write" in (sys.argv[1:] if arguments is None else arguments)
    stale = sum(_renew(pair, write) for pair in PAIRS)
    return 1 if stale and not write else 0


def _renew(pair: tuple[Path, Path], write: bool) -> int:
    """Write or compare the pages of one guide; return how many were stale."""
    found = blocks(pair[0].read_text(encoding="utf-8"))
    new = list(zip([block.code for block in found], run(pair[0], found), strict=True))
    stale = 0
    for page in pair:
        before = page.read_text(encoding="utf-8")
        after = fill(before, new)
        if after != before:
            stale += 1
            print(f"{page.relative_to(ROOT)}: {'written' if write else 'out of date: run tools/guide.py --write'}")
            if write:
                page.write_text(after, encoding="utf-8")
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
