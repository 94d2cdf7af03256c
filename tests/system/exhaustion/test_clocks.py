"""Clocks that jump, and a halted ContainerPilot: intervals stay the same, and missed runs are not repeated."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.limits import DEADLINE
from tests.size import FULL
from tests.system import proc
from tests.system.exhaustion.catalog import Catalog
from tests.system.exhaustion.clocks import WallClock
from tests.system.exhaustion.limits import (
    TICK,
    ends_well,
    is_registered,
    supervised,
    wait_for_two_ticks,
)
from tests.system.jobs.configs import job
from tests.system.pilot import namespaces, now, settle
from tests.system.scripts import mark

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

YEAR = 365 * 86400
CENTISECOND = 0.01  # to which marks are exact, rounded down
SLACK = 0.9  # seconds that a busy machine may be late
LASTS = 3.0 if FULL else 1.5  # seconds after each jump
HALTED = 10.0 if FULL else 3.0
JUMPS = [YEAR, -YEAR, 3600, -3600, 0] if FULL else [YEAR, -YEAR]


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler (cc) to make a clock that can be set")
    return WallClock(tmp_path)


def times(pilot: Pilot, word: str, begin: float, end: float) -> list[float]:
    return [mark.at for mark in pilot.marks() if mark.word == word and begin < mark.at < end]


def keeps_its_interval(pilot: Pilot, word: str, interval: float, begin: float, end: float) -> None:
    """Allows neither a pause nor a burst between the two moments."""
    found = times(pilot, word, begin, end)
    gaps = [later - earlier for earlier, later in itertools.pairwise([begin, *found, end])]
    assert max(gaps) < interval + SLACK, f"{word}: {gaps}"
    assert len(found) <= (end - begin) / interval + 2, f"{word}: {gaps}"


def lasts(pilot: Pilot, seconds: float) -> tuple[float, float]:
    """Watch it for a while."""
    begin = now()
    pilot.wait_for(lambda: now() > begin + seconds, timeout=seconds + DEADLINE)
    return begin, now()


@pytest.mark.timing
def test_jumps_of_the_wall_clock_change_no_interval(pilot: StartPilot, clock: WallClock) -> None:
    with Catalog() as catalog:
        settings = {**supervised(), "directory": None, "consul": catalog.address}
        started = pilot(settings, env=clock.environ)
        started.wait_for(lambda: catalog.heartbeats, what="a heartbeat")
        begin = now()

        for ahead in JUMPS:
            clock.set(ahead)
            lasts(started, LASTS)

        end = now()
        keeps_its_interval(started, "tick", TICK, begin, end)
        keeps_its_interval(started, "check", 1, begin, end)
        beats = [begin, *(at for at in catalog.heartbeats if begin < at < end), end]
        assert max(later - earlier for earlier, later in itertools.pairwise(beats)) < 1 + SLACK, "a TTL runs out"
        assert started.count("app") == 1
        ends_well(started)


def test_the_log_and_the_catalogue_have_the_time_of_the_clock_as_it_is_now(pilot: StartPilot, clock: WallClock) -> None:
    started = pilot(supervised(job("says", ["echo", "now"], when={"interval": "200ms"})), env=clock.environ)
    started.wait_for(lambda: is_registered(started), what="the registration")
    (entry,) = (started.folder / "catalogue").glob("app-*.json")

    for ahead in (YEAR, -YEAR):
        clock.set(ahead)
        year = time.gmtime(time.time() + ahead).tm_year
        started.wait_for_line(rf"^{year}-\S+ says \d+ now")
        wait_for_deadline(started, entry, ahead)
    ends_well(started)


def wait_for_deadline(started: Pilot, entry: Path, ahead: int) -> None:
    def is_by_the_new_time() -> bool:
        deadline: float = json.loads(entry.read_text())["deadline"]
        return abs(deadline - time.time() - ahead) < 60

    started.wait_for(is_by_the_new_time, what="a heartbeat by the new time")


@pytest.mark.timing
@pytest.mark.parametrize("uptime", [20, 10 * YEAR], ids=["just booted", "ten years up"])
def test_a_machine_that_has_just_booted_or_is_up_for_years(pilot: StartPilot, uptime: int) -> None:
    offset = str(uptime - int(time.monotonic()))
    started = pilot(supervised(), prefix=namespaces("--time", "--monotonic", offset, "--boottime", offset))
    started.wait_for(lambda: is_registered(started), what="the registration")
    begin = started.wait_for_mark("check").at
    assert abs(begin - uptime) < 60

    wait_for_two_ticks(started)
    end = started.wait_for_mark("check", 3).at

    keeps_its_interval(started, "tick", TICK, begin, end)
    ends_well(started)


@pytest.mark.timing
def test_halted_and_continued_it_makes_up_for_nothing(pilot: StartPilot) -> None:
    slow = job("slow", mark("slow"), when={"interval": "1s"})
    started = pilot(supervised(slow))
    started.wait_for_mark("slow", 2)
    started.wait_for_mark("check", 2)
    app = next(pid for pid in started.children() if "trap" in proc.command_line(pid))

    os.kill(started.pid, signal.SIGSTOP)
    started.wait_for(lambda: proc.state(started.pid) == "T", what="the halt")
    # What had been started by then runs to its end.
    started.wait_for(lambda: {proc.state(pid) for pid in started.children() if pid != app} <= {"Z"})
    halted_at = now()
    settle(HALTED)
    woken_at = now()
    os.kill(started.pid, signal.SIGCONT)

    begin, end = lasts(started, 2.5)
    assert times(started, "tick", halted_at, woken_at - CENTISECOND) == []
    for word, interval in (("tick", TICK), ("slow", 1.0), ("check", 1.0)):
        keeps_its_interval(started, word, interval, begin, end)
        assert len(times(started, word, woken_at, woken_at + 0.2)) <= 2, f"{word}: a burst"
    # The phase stays: it is that of before, not of the moment of waking.
    marks = [mark.at for mark in started.marks() if mark.word == "slow"]
    phases = sorted(abs((at - marks[0] + 0.5) % 1 - 0.5) for at in marks if at > woken_at + 0.5)
    assert phases[0] < 0.25
    assert proc.alive(app)
    assert is_registered(started)
    assert started.count("app") == 1
    ends_well(started)


def test_a_stop_that_was_requested_during_a_halt(pilot: StartPilot) -> None:
    started = pilot(supervised())
    started.wait_for(lambda: is_registered(started), what="the registration")
    os.kill(started.pid, signal.SIGSTOP)
    started.wait_for(lambda: proc.state(started.pid) == "T", what="the halt")
    started.signal("TERM")
    settle(0.3)
    assert started.is_running()

    os.kill(started.pid, signal.SIGCONT)

    assert started.wait_exit() == 7
    started.assert_nothing_is_left()


def test_an_app_that_ends_during_a_halt(pilot: StartPilot) -> None:
    started = pilot(supervised())
    started.wait_for_mark("app")
    app = next(pid for pid in started.children() if "trap" in proc.command_line(pid))
    os.kill(started.pid, signal.SIGSTOP)
    started.wait_for(lambda: proc.state(started.pid) == "T", what="the halt")
    os.kill(app, signal.SIGTERM)
    started.wait_for(lambda: proc.state(app) == "Z", what="the end of the application")

    os.kill(started.pid, signal.SIGCONT)

    assert started.wait_exit() == 7
    started.assert_nothing_is_left()
