"""Put a real session of the demo between the session marks of both READMEs: `python tools/readme_session.py`.

It runs `logitkit demo` as a person does, and keeps the lines from the first figures to the probabilities.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIRST = "Learnt from"
LAST = "The worked example"


def run_session() -> str:
    """Return the middle of what the demo prints, without trailing blanks."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "logitkit", "demo", "--out", folder, "--force"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.rstrip() for line in printed.splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith(FIRST))
    stop = next(i for i, line in enumerate(lines) if line.startswith(LAST))
    text = "\n".join(lines[start:stop]).strip()
    return re.sub(r"\n{3,}", "\n\n", text)


def main() -> None:
    """Rewrite the block in both READMEs."""
    block = f"<!-- session -->\n```\n$ make demo\n{run_session()}\n```\n<!-- /session -->"
    for name in ("README.md", "README.zh.md"):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"<!-- session -->.*?<!-- /session -->", lambda _: block, text, flags=re.S), "utf-8")


if __name__ == "__main__":
    main()
