"""The quick part of the matrix: what a small root and this machine's Pythons do under every condition.

All of it is `scripts/test-images.sh`, which makes the other roots as well.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.images import facts, machine, matrix, report, roots, scene
from tests.images.__main__ import PAGE
from tests.images.cell import Cell
from tests.images.conditions import CONDITIONS
from tests.images.rows import ROOT, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.images.rows import Row

BASELINE = CONDITIONS[0]
EVERYTHING_AWAY = next(each for each in CONDITIONS if each.key == "all")


@pytest.fixture(autouse=True)
def namespaces() -> None:
    try:
        matrix.require_namespaces()
    except Unavailable as error:
        pytest.fail(str(error), pytrace=False)


def play(rows: list[Row], archive: Path) -> None:
    outcomes = matrix.play_all([(row, each) for row in rows for each in matrix.quick(row)], archive)

    assert not [each for each in outcomes if each.result == matrix.FAILED], report.for_terminal(outcomes, CONDITIONS)


@pytest.mark.timeout(300)  # the root may have to be made
@pytest.mark.parametrize("root", roots.quick(), ids=lambda root: root.name)
def test_the_scene_in_a_root(root: roots.Root, built_archive: Path) -> None:
    try:
        row = roots.row(root)
    except Unavailable as error:
        pytest.fail(str(error), pytrace=False)

    play([row], built_archive)


@pytest.mark.timeout(300)  # there may be many
def test_the_scene_with_the_pythons_of_this_machine(built_archive: Path) -> None:
    rows = machine.rows()
    assert rows

    play(rows, built_archive)


def test_a_program_that_does_not_start_is_a_failed_cell(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import sys\nsys.exit('out of order')\n")

    outcome = matrix.play(machine.rows()[0], BASELINE, broken)

    assert outcome.result == matrix.FAILED
    assert "it ended before that" in outcome.reason
    assert "out of order" in outcome.reason


def test_a_condition_that_does_not_hold_is_seen(tmp_path: Path, built_archive: Path) -> None:
    row = machine.rows()[0]
    with Cell(row, BASELINE, built_archive, tmp_path, scene.config(8001), scene.APP) as cell:
        cell.wait_for_mark("app runs")

        differing = facts.differences(cell.pilot(), row, EVERYTHING_AWAY)

    assert {each.partition(":")[0] for each in differing} == set(facts.wanted(BASELINE)) - {"PID 1"}


def test_the_seccomp_filter_forbids_its_calls() -> None:
    tried = """
import ctypes, errno, os
from tests.images import seccomp
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0)))
seccomp.install(libc)
for call in (lambda: os.memfd_create("x"), lambda: os.pidfd_open(1), lambda: os.getrandom(1)):
    try:
        call()
    except OSError as error:
        print(errno.errorcode[error.errno])
"""

    done = subprocess.run([sys.executable, "-c", tried], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["EPERM", "ENOSYS", "EPERM"]


def test_the_page_is_about_these_conditions() -> None:
    """If this fails, write the page again: `scripts/test-images.sh --write`."""
    assert report.legend(CONDITIONS) in PAGE.read_text()
