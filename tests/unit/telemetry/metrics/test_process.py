"""The metrics that all programs have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cp.telemetry.metrics.process import (
    CPU_SECONDS,
    MAX_FDS,
    OPEN_FDS,
    RESIDENT_MEMORY,
    START_TIME,
    VIRTUAL_MEMORY,
    process_values,
)

if TYPE_CHECKING:
    from pathlib import Path

STAT = (
    b"1 (od) d (name) S 0 1 1 0 -1 4194560 1500 0 0 0 250 150 0 0 20 0 3 0 1200 104857600 2048 18446744073709551615 "
    b"1 1 0 0 0 0 0 4096 16387 0 0 0 17 1 0 0 0 0 0\n"
)
LIMITS = (
    b"Limit                     Soft Limit           Hard Limit           Units     \n"
    b"Max cpu time              unlimited            unlimited            seconds   \n"
    b"Max open files            1024                 524288               files     \n"
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with one process, that has three files open besides the one that lists them."""
    (tmp_path / "self" / "fd").mkdir(parents=True)
    for number in range(4):
        (tmp_path / "self" / "fd" / str(number)).touch()
    (tmp_path / "self" / "stat").write_bytes(STAT)
    (tmp_path / "self" / "limits").write_bytes(LIMITS)
    (tmp_path / "stat").write_bytes(b"cpu  1 2 3\nintr 5\nbtime 1700000000\nprocesses 7\n")
    return tmp_path


def test_figures_of_the_kernel_are_shown_in_base_units(proc: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    assert dict(process_values(str(proc))) == {
        CPU_SECONDS: 400 / ticks,
        OPEN_FDS: 3,
        MAX_FDS: 1024,
        VIRTUAL_MEMORY: 104857600,
        RESIDENT_MEMORY: 2048 * os.sysconf("SC_PAGE_SIZE"),
        START_TIME: 1700000000 + 1200 / ticks,
    }


def test_no_limit_is_shown_as_infinity(proc: Path) -> None:
    (proc / "self" / "limits").write_bytes(LIMITS.replace(b"1024     ", b"unlimited"))
    assert dict(process_values(str(proc)))[MAX_FDS] == float("inf")


def test_figures_that_the_kernel_hides_are_left_out(proc: Path) -> None:
    (proc / "stat").unlink()
    (proc / "self" / "limits").write_bytes(b"")
    assert set(dict(process_values(str(proc)))) == {CPU_SECONDS, OPEN_FDS, VIRTUAL_MEMORY, RESIDENT_MEMORY}


def test_without_proc_there_is_nothing(tmp_path: Path) -> None:
    assert process_values(str(tmp_path)) == []
