"""Plays the scene in every cell and prints the table; scripts/test-images.sh calls this."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.images import machine, matrix, report, roots
from tests.images.conditions import CONDITIONS
from tests.images.rows import ROOT, Unavailable
from tests.system.program import archive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.images.conditions import Condition
    from tests.images.matrix import Outcome
    from tests.images.rows import Row

PAGE = ROOT / "docs" / "reference" / "images.md"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/test-images.sh", description="Plays one scene on every root file system under every condition."
    )
    parser.add_argument(
        "--quick", action="store_true", help="one small root, this machine's Pythons, musl if it is there"
    )
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="rows and columns; may be repeated")
    parser.add_argument(
        "--pyz", metavar="FILE", type=Path, help="default: CONTAINERPILOT_PYZ, or dist/containerpilot.pyz"
    )
    parser.add_argument("--write", action="store_true", help=f"renew {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    if given.write and (given.quick or given.only):
        parser.error("--write needs the whole table: leave --quick and --only out")
    return given


def columns(names: Sequence[str]) -> list[Condition]:
    named = [each for each in CONDITIONS if each.key in names]
    return named or list(CONDITIONS)


def rows(names: Sequence[str], *, quick: bool) -> list[Row]:
    """Makes missing images. Raises Unavailable, also for an unknown name."""
    left = [name for name in names if not any(name == each.key for each in CONDITIONS)]
    here = machine.rows()
    known = [*(each.name for each in roots.ALL), *(row.name for row in here)]
    for name in left:
        if name not in known:
            every = ", ".join([*known, *(each.key for each in CONDITIONS)])
            raise Unavailable(f"there is no row and no column {name}; there are {every}")
    wanted = [each for each in roots.ALL if each.name in left] if left else roots.quick() if quick else roots.ALL
    return [*map(roots.row, wanted), *(row for row in here if not left or row.name in left)]


def print_outcome(outcome: Outcome) -> None:
    sys.stderr.write(f"{outcome.result:6} {outcome.seconds:4.1f} s  {outcome.row.name}  {outcome.condition.key}\n")


def main() -> int:
    given = arguments()
    pyz = given.pyz.resolve() if given.pyz else archive()
    began = time.monotonic()
    try:
        if not pyz.is_file():
            raise Unavailable(f"cannot find the archive {pyz}")
        matrix.require_namespaces()
        chosen, conditions = rows(given.only, quick=given.quick), columns(given.only)
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    cells = [(row, each) for row in chosen for each in conditions if not given.quick or each in matrix.quick(row)]
    outcomes = matrix.play_all(cells, pyz, print_outcome)
    sys.stdout.write(report.for_terminal(outcomes, conditions))
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    failed = any(each.result == matrix.FAILED for each in outcomes)
    if given.write and not failed:
        PAGE.write_text(report.as_page(outcomes, conditions))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
