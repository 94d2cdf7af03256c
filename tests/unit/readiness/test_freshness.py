"""Whether a file is newer than the start of a run."""

from __future__ import annotations

import pytest

from cp.readiness.file import TOLERANCE, Freshness

START = 1_000_000_000_000
SECOND = 1_000_000_000
TICK = 4_000_000  # of the clock that files have


def stamp(time: int, inode: int = 7) -> tuple[int, int, int]:
    return (1, inode, time)


@pytest.mark.parametrize(
    ("time", "fresh"),
    [
        (START - TICK, False),
        (START, True),  # in the same tick of the clock: a process may be as fast
        (START + TICK, True),
        (START - 3600 * SECOND, False),
        (START + 3600 * SECOND, False),  # left by an earlier run when the clock was ahead
        (START + TOLERANCE, True),
    ],
)
def test_at_the_first_look_the_time_of_the_file_decides(time: int, fresh: bool) -> None:
    assert Freshness(START).is_fresh(stamp(time), START + TICK) is fresh


def test_a_file_that_appears_counts_whatever_its_time() -> None:
    """The clock of a file server may be behind, and some file systems have whole seconds only."""
    freshness = Freshness(START)
    assert not freshness.is_fresh(None, START)
    assert freshness.is_fresh(stamp(START - 3600 * SECOND), START + SECOND)


def test_a_file_of_an_earlier_run_counts_once_it_changes() -> None:
    freshness = Freshness(START)
    left = stamp(START - SECOND)
    assert not freshness.is_fresh(left, START)
    assert not freshness.is_fresh(left, START + SECOND)
    assert freshness.is_fresh(stamp(START - SECOND // 2), START + SECOND)


def test_a_file_of_an_earlier_run_that_is_replaced_counts() -> None:
    freshness = Freshness(START)
    assert not freshness.is_fresh(stamp(START - SECOND), START)
    assert freshness.is_fresh(stamp(START - SECOND, inode=8), START + SECOND)


def test_a_file_of_an_earlier_run_that_is_removed_and_written_again_counts() -> None:
    freshness = Freshness(START)
    assert not freshness.is_fresh(stamp(START - SECOND), START)
    assert not freshness.is_fresh(None, START)
    assert freshness.is_fresh(stamp(START - SECOND), START + SECOND)
