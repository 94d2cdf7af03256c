#!/usr/bin/env python3
"""Writes into the pages what is described once in code: between `<!-- generated: NAME -->` and `<!-- end -->`.

Usage: scripts/generate-docs.py          write
       scripts/generate-docs.py --check  write nothing; exit code 1 if a page differs from the code
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cp.cli import USAGE  # noqa: E402 - the path had to be set first
from cp.engine.states import MEANINGS, MOVES  # noqa: E402

MARKED = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def states() -> str:
    rows = ["| state | meaning | next |", "| --- | --- | --- |"]
    for state, meaning in MEANINGS.items():
        following = ", ".join(f"`{each}`" for each in MOVES[state]) or "none"
        rows.append(f"| `{state}` | {meaning} | {following} |")
    return "\n".join(rows)


def usage() -> str:
    return f"```text\n{USAGE.rstrip()}\n```"


GENERATORS = {"states": states, "usage": usage}


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def renewed(text: str) -> str:
    """The page with what is generated as the code says it now. KeyError for a name that nobody generates."""
    return MARKED.sub(lambda found: f"{found[1]}{GENERATORS[found[2]]()}\n{found[3]}", text)


def main(arguments: list[str]) -> int:
    stale = [page for page in pages() if renewed(page.read_text()) != page.read_text()]
    if "--check" in arguments:
        for page in stale:
            print(f"{page.relative_to(ROOT)} differs from the code: run scripts/generate-docs.py")
        return 1 if stale else 0
    for page in stale:
        page.write_text(renewed(page.read_text()))
        print(f"{page.relative_to(ROOT)} is written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
