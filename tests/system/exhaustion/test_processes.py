"""No more processes: a limit of the user or of a cgroup, and who runs into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.size import FULL
from tests.system.exhaustion.cgroups import ControlGroup, new_group
from tests.system.exhaustion.limits import (
    ends_well,
    is_registered,
    processes,
    supervised,
    wait_for_two_ticks,
)
from tests.system.jobs.configs import job
from tests.system.scripts import forever, python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.pilot_fixtures import StartPilot

ROOM = 200 if FULL else 80  # processes that a bomb can fill

# Every process makes more of itself, until it may not; then it tries again and again.
BOMB = "{begin}mark('bomb')\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.1)\n"
SLEEPERS = "for _ in range(1000):\n    try:\n        if os.fork() == 0:\n            time.sleep(1000)\n"
HOG = python(SLEEPERS + "    except OSError:\n        break\nmark('full')\ntime.sleep(1000)")

Limit = list[str]


@pytest.fixture
def pids_cgroup() -> Iterator[Callable[[int], Limit]]:
    """A cgroup with at most so many processes; what is in it at the end is killed."""
    made: list[ControlGroup] = []

    def make(number: int) -> Limit:
        group = new_group("pids", ("pids.max",))
        if group is None:
            pytest.skip("needs a pids cgroup, and none can be made here")
        made.append(group)
        group.limit_processes(number)
        return group.enter

    yield make
    for group in made:
        group.remove()


def test_a_start_that_fails_is_logged_and_repeated(pilot: StartPilot) -> None:
    started = pilot(supervised(job("hog", HOG, when={"source": "SIGHUP"})), prefix=processes(ROOM))
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200
    started.signal("HUP")
    started.wait_for_mark("full")

    started.wait_for_line("unable to start tick: fork/exec /bin/sh: resource temporarily unavailable")
    started.wait_for_line("unable to start check.app: fork/exec /bin/sh: resource temporarily unavailable")
    assert started.ask("POST", "/v3/jobs/hog/stop").status == 200

    wait_for_two_ticks(started)
    started.wait_for_mark("check", started.count("check") + 1)
    assert is_registered(started)
    ends_well(started)


def test_no_room_for_a_thread_is_logged_and_delays_nothing(pilot: StartPilot) -> None:
    # The application uses all processes, and no thread for the catalogue or for clients can be started.
    taken = python(SLEEPERS + "    except OSError:\n        break\nmark('full')\nsignal.pause()")
    config = supervised()
    config["jobs"][0] = {**config["jobs"][0], "exec": taken}
    started = pilot(config, prefix=processes(20))
    started.wait_for_mark("full")

    started.wait_for_line("unable to start tick: .*: resource temporarily unavailable")
    started.wait_for_line("unable to start check.app: .*: resource temporarily unavailable")

    ends_well(started, code=143)


@pytest.mark.parametrize("limit", ["user", "cgroup"])
def test_a_fork_bomb_is_cut_off_and_containerpilot_answers_and_stops(
    pilot: StartPilot, pids_cgroup: Callable[[int], Limit], limit: str
) -> None:
    prefix = processes(ROOM) if limit == "user" else pids_cgroup(ROOM)
    config = supervised(job("bomb", python(BOMB.format(begin="")), when={"source": "SIGHUP"}), stopTimeout=2)
    started = pilot(config, prefix=prefix)
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200
    started.signal("HUP")
    started.wait_for_line("unable to start tick: .*: resource temporarily unavailable")

    assert started.jobs()["app"]["state"] == "running"
    assert started.jobs()["bomb"]["state"] == "running"
    assert len(started.family()) > ROOM / 2

    ends_well(started)
    assert not is_registered(started)


def test_a_fork_bomb_can_be_stopped_and_all_goes_on(pilot: StartPilot) -> None:
    config = supervised(job("bomb", python(BOMB.format(begin="")), when={"source": "SIGHUP"}))
    started = pilot(config, prefix=processes(ROOM))
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200
    started.signal("HUP")
    started.wait_for_line("unable to start tick: .*: resource temporarily unavailable")

    assert started.ask("POST", "/v3/jobs/bomb/stop").json["state"] == "held"

    started.wait_for(lambda: len(started.family()) < 10 and not started.zombies(), what="the end of the bomb")
    wait_for_two_ticks(started)
    ends_well(started)


def test_a_bomb_that_leaves_its_group_goes_with_the_container(
    pilot: StartPilot, pids_cgroup: Callable[[int], Limit]
) -> None:
    escapes = "os.fork()\nif os.getpid() != os.getpgrp():\n    os.setsid()\n"
    config = supervised(job("bomb", python(BOMB.format(begin=escapes)), when={"source": "SIGHUP"}), stopTimeout=2)
    started = pilot(config, init=True, prefix=pids_cgroup(ROOM))
    started.wait_for(lambda: is_registered(started), what="the registration")
    assert started.ask("GET", "/v3/jobs").status == 200
    started.signal("HUP")
    started.wait_for_line("unable to start tick: .*: resource temporarily unavailable")

    assert started.jobs()["app"]["state"] == "running"

    ends_well(started)
    assert not is_registered(started)


def test_an_app_that_may_not_start_at_all_says_why(pilot: StartPilot) -> None:
    started = pilot({}, forever(), prefix=processes(1))

    assert started.wait_exit() == 126
    assert "unable to start APP: fork/exec /bin/sh: resource temporarily unavailable" in started.output()
