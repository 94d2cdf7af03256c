"""Prints the tables of docs/scale.md.

Usage: python3 -m benchmarks.fleet            1,000 and 10,000 instances
       python3 -m benchmarks.fleet --write    the same, and puts them into docs/scale.md
       python3 -m benchmarks.fleet --quick    200 instances
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from benchmarks.fleet.scenes import AWAY, DEPLOY, GO, MINUTE, OURS, STEADY, STEADY_IN_STEP, Figures, play
from benchmarks.report import table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
MARKED = re.compile(r"(<!-- simulated: fleet -->\n).*?(<!-- end -->)", re.DOTALL)
SIZES, QUICK_SIZES = (1000, 10_000), (200,)
HEADER = [
    "",
    "requests/s: mean, p99, peak",
    "of each instance, a minute",
    "all well after",
    f"{GO}: requests/s",
    "of each, a minute",
    "all well after",
]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.fleet", description="Simulates the load of a fleet.")
    parser.add_argument("--quick", action="store_true", help="200 instances")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    options = parser.parse_args(arguments)
    if options.quick and options.write:
        parser.error("docs have the figures of a full run: --write without --quick")
    text = "\n".join(_tables(QUICK_SIZES if options.quick else SIZES))
    if options.write:
        page = PAGE.read_text()
        PAGE.write_text(MARKED.sub(lambda match: f"{match[1]}\n{text}\n{match[2]}", page))
    else:
        print(text)
    return 0


def _tables(sizes: tuple[int, ...]) -> list[str]:
    lines = []
    for size in sizes:
        figures = []
        for who in (OURS, GO):
            print(f"{who}, {size} instances", file=sys.stderr)
            figures.append(play(who, size))
        rows = [[ours.scene, *_cells(ours), *_cells(theirs)] for ours, theirs in zip(*figures, strict=True)]
        lines += [f"{size:,} instances:", "", table(HEADER, rows), ""]
    return lines


def _cells(figures: Figures) -> list[str]:
    rates = f"{figures.mean:.0f}, {figures.p99:.0f}, {figures.peak}"
    return [rates, f"{figures.each * MINUTE / figures.seconds:.0f}", _end(figures)]


def _end(figures: Figures) -> str:
    """In seconds, those of a deploy from the last replacement; or how many were missing, or refused, at the end."""
    words = []
    if figures.missing:
        words.append(f"{figures.missing} missing")
    elif figures.healed is not None and figures.scene not in (STEADY, STEADY_IN_STEP, AWAY):
        words.append(f"{figures.healed - (MINUTE if figures.scene == DEPLOY else 0):.1f} s")
    if figures.stale:
        words.append(f"{figures.stale} behind")
    if figures.refused:
        words.append(f"{figures.refused} requests refused")
    return ", ".join(words) or "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
