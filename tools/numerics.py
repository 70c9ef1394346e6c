"""Write the tables of docs/numerics.md and docs/numerics.zh.md: `python tools/numerics.py [--behaviour] [--check]`.

What a function does with unusual input is found by calling it, its errors by measuring: nothing is typed by hand. Both
takes about a minute. `--behaviour` leaves the measured errors as they are; `--check` writes nothing and fails
if the tables of behaviour are not those of the pages.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numerics_behaviour
import numerics_errors
from numerics_behaviour import Say, markdown
from numerics_exact import MEASURES

ROOT = Path(__file__).resolve().parents[1]
PAGES = tuple(ROOT / "docs" / name for name in ("numerics.md", "numerics.zh.md"))


def say_in(page: Path) -> Say:
    """Return what picks the page's language."""
    chinese = page.name.endswith(".zh.md")
    return lambda english, in_chinese: in_chinese if chinese else english


def put(text: str, name: str, table: str) -> str:
    """Return the page with one marked table written anew."""
    marks = re.compile(rf"(<!-- numerics:{name} -->\n).*?(<!-- /numerics -->)", re.DOTALL)
    if len(marks.findall(text)) != 1:
        raise ValueError(f"the page must have the marks of numerics:{name} once")
    return marks.sub(lambda match: f"{match[1]}\n{table}\n\n{match[2]}", text)


def _shown(ulp: float) -> str:
    return f"{ulp:.2f}" if ulp < 9.995 else f"{ulp:.0f}"


def largest_errors(found: dict[tuple[str, str, int, float], float], say: Say) -> str:
    """Return the table of functions by dtypes: the largest error over all numbers of classes and all spreads."""
    dtypes = [dtype.name for dtype in numerics_errors.DTYPES]
    lines = [[say("function", "函数"), *dtypes], ["---"] + ["---:"] * len(dtypes)]
    for one in MEASURES:
        worst = [max(ulp for key, ulp in found.items() if key[:2] == (one.name, dtype)) for dtype in dtypes]
        name, _, part = one.name.partition(": ")
        lines.append([f"`{name}` {part}".rstrip(), *map(_shown, worst)])
    return markdown(lines)


def errors_by_size(found: dict[tuple[str, str, int, float], float], say: Say) -> str:
    """Return the table of softmax and log_softmax in float32 and float64, by classes and spreads."""
    cases = [(name, dtype) for dtype in ("float32", "float64") for name in ("softmax", "log_softmax")]
    lines = [["C", *(f"`{name}` {dtype}" for name, dtype in cases)], ["---:"] * (len(cases) + 1)]
    for C in numerics_errors.CLASSES:
        cells = [
            " · ".join(_shown(found[name, dtype, C, spread]) for spread in numerics_errors.SPREADS)
            for name, dtype in cases
        ]
        lines.append([f"{C:,}", *cells])
    head = say(
        "Each cell: logits N(0, 1) · N(0, 10) · N(0, 100).", "每格：logits 取自 N(0, 1) · N(0, 10) · N(0, 100)。"
    )
    return f"{head}\n\n{markdown(lines)}"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--behaviour", action="store_true", help="write the tables of behaviour alone")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the behaviour is not the pages'")
    options = parser.parse_args(arguments)
    found = None
    if not options.behaviour and not options.check:
        print(f"references against mpmath: {numerics_errors.check_reference():.4f} ulp of float64")
        found = numerics_errors.measure()
    stale = 0
    for page in PAGES:
        say, before = say_in(page), page.read_text(encoding="utf-8")
        after = put(before, "types", numerics_behaviour.types(say))
        after = put(after, "behaviour", numerics_behaviour.behaviour(say))
        if found is not None:
            after = put(after, "errors", largest_errors(found, say))
            after = put(after, "sizes", errors_by_size(found, say))
        if after != before:
            stale += 1
            name = page.relative_to(ROOT)
            print(
                f"{name}: its tables are not what ops does: run tools/numerics.py"
                if options.check
                else f"{name}: written"
            )
            if not options.check:
                page.write_text(after, encoding="utf-8")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
