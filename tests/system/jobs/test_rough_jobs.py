"""Jobs that fork and leave, ignore signals, print too much, end while they begin, and trigger each other."""

from __future__ import annotations

import itertools
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.jobs.configs import app, config, each, job, once
from tests.system.pilot import now
from tests.system.scripts import deaf, forever, mark, sh

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

LATE = 0.6  # seconds that a tick may be late on a machine that does much else
TICKER = job("ticker", mark("tick"), when={"interval": "100ms"}, timeout="5s")


# A daemon's parent is gone: only PID 1, or who has made itself a subreaper in time, can tell that it is of the job.
def test_daemon_that_puts_itself_into_the_background_is_stopped_with_its_time(pilot: StartPilot) -> None:
    daemon = sh("(trap 'sleep 0.3; mark daemon-end; exit' TERM; mark daemon; while :; do sleep 0.02; done) &\nexit 0")
    started = pilot(config(app(), job("daemon", daemon)), init=True)
    started.wait_for_mark("daemon")
    started.wait_for(lambda: started.jobs()["daemon"]["state"] == "running")

    assert started.stop() == 0

    assert started.words()[-1] == "daemon-end"
    started.assert_nothing_is_left()


def test_restart_of_a_daemon_waits_for_its_end(pilot: StartPilot) -> None:
    daemon = sh("(trap 'sleep 0.3; mark daemon-end; exit' TERM; mark daemon; while :; do sleep 0.02; done) &\nexit 0")
    started = pilot(config(app(), job("daemon", daemon)), init=True)
    started.wait_for_mark("daemon")

    assert started.run("-restart", "daemon").code == 0
    started.wait_for_mark("daemon", 2)

    # The first mark of the application, which starts at the same time, may be anywhere between.
    assert [word for word in started.words() if word != "app"] == ["daemon", "daemon-end", "daemon"]


def test_group_that_ignores_sigterm_is_killed_when_the_budget_is_spent(pilot: StartPilot) -> None:
    family = sh("trap '' TERM\nsleep 1000 &\nsleep 1000 &\nmark family\nwait\nsleep 1000")
    started = pilot(config(job("family", family), app(), stopTimeout=1))
    started.wait_for_mark("family")
    requested_at = now()

    assert started.stop() == 0
    assert now() - requested_at > 0.9
    started.assert_nothing_is_left()


def test_deaf_daemon_in_the_background_is_killed_when_the_budget_is_spent(pilot: StartPilot) -> None:
    daemon = sh("trap '' TERM\n(mark daemon; exec sleep 1000) &\nexit 0")
    started = pilot(config(job("daemon", daemon), app(), stopTimeout=1), init=True)
    started.wait_for_mark("daemon")

    assert started.stop() == 0
    started.assert_nothing_is_left()


@pytest.mark.timing
def test_many_deaf_jobs_share_one_budget(pilot: StartPilot) -> None:
    started = pilot(config(*(job(f"deaf{number}", deaf(f"deaf{number}")) for number in range(10)), stopTimeout=1))
    for number in range(10):
        started.wait_for_mark(f"deaf{number}")
    requested_at = now()

    assert started.stop() == 0
    assert now() - requested_at < 3.0
    started.assert_nothing_is_left()


@pytest.mark.timing
@pytest.mark.parametrize("raw", [False, True], ids=["logged", "raw"])
def test_flood_of_output_delays_nothing(pilot: StartPilot, raw: bool) -> None:
    # What is raw costs us nothing, but takes the processors from everybody.
    flood = [job(f"flood{number}", "yes", logging={"raw": raw}) for number in range(1 if raw else 3)]
    started = pilot(config(app(), TICKER, *flood), stdout=subprocess.DEVNULL)
    started.wait_for_mark("tick", 3)
    before = proc.resident_kilobytes(started.pid)
    began = now()

    started.wait_for_mark("tick", started.count("tick") + 15)
    ended = now()

    assert longest_gap(started, began, ended) < 0.1 + LATE
    assert proc.resident_kilobytes(started.pid) - before < 20_000
    requested_at = now()
    assert started.stop() == 0
    assert now() - requested_at < 4.0
    started.assert_nothing_is_left()


def test_output_that_nobody_reads_does_not_delay_a_stop(pilot: StartPilot) -> None:
    reader = subprocess.Popen(["sleep", "1000"], stdin=subprocess.PIPE)
    try:
        started = pilot(config(app(), job("flood", "yes"), stopTimeout=600), stdout=reader.stdin)
        started.wait_for_mark("app")
        started.child("yes")

        assert started.stop() == 0
    finally:
        reader.kill()
        reader.communicate()


@pytest.mark.timing
@pytest.mark.parametrize("restarts", [50, "unlimited"])
def test_job_that_ends_at_once_is_restarted_with_growing_pauses(pilot: StartPilot, restarts: Any) -> None:
    hasty, missing = job("hasty", "false", restarts=restarts), job("missing", "/no/such", restarts=restarts)
    started = pilot(config(app(), TICKER, hasty, missing))
    started.wait_for_mark("tick", 15)

    jobs = started.jobs()
    for name in ("hasty", "missing"):
        assert 3 <= jobs[name]["starts"] <= 8, "1.5 seconds are 0.1 + 0.2 + 0.4 + 0.8 of pauses"
        assert jobs[name]["lastExit"]["code"] in (1, 127)
    assert started.output().count("unable to start missing: fork/exec /no/such: no such file or directory") <= 8


@pytest.mark.parametrize("request_", ["stop", "restart", "reload", "sigterm"])
def test_job_that_ends_while_it_is_ended_or_started(pilot: StartPilot, request_: str) -> None:
    """Hundreds of times at every moment: a job that lives for some milliseconds gets every kind of request."""
    brief = job("brief", "true", restarts="unlimited")
    started = pilot(config(app(), brief, job("each", "true", when=each("exitSuccess", "brief"))))
    started.wait_for_mark("app")
    if request_ == "sigterm":
        assert started.stop() == 0
        return

    with started.client() as client:
        for _ in range(50):
            if request_ == "reload":
                assert client.ask("POST", "/v3/reload").status == 200
            else:
                assert client.ask("POST", f"/v3/jobs/brief/{request_}").status == 200
            assert client.ask("POST", "/v3/jobs/brief/start").status in (200, 409)

    assert started.is_running()
    assert started.stop() == 0
    assert "internal error" not in started.output()
    assert started.count("app") == 1


@pytest.mark.timing
def test_triggers_in_a_circle_neither_stop_the_world_nor_the_stop(pilot: StartPilot) -> None:
    ring = [job(f"ring{number}", "true", when=each("exitSuccess", f"ring{(number - 1) % 3}")) for number in range(3)]
    started = pilot(config(app(), TICKER, *ring))
    started.wait_for_line("the job never starts: it waits for 'ring2', which waits for 'ring1', which waits")
    started.wait_for_mark("tick", 3)
    assert started.run("-start", "ring0").code == 0
    began = now()

    started.wait_for_mark("tick", started.count("tick") + 10)

    assert longest_gap(started, began, now()) < 0.1 + LATE
    assert started.jobs()["ring0"]["starts"] > 10
    requested_at = now()
    assert started.stop() == 0
    assert now() - requested_at < 3.0


@pytest.mark.timing
def test_circle_of_jobs_that_cannot_be_started_is_slowed_down(pilot: StartPilot) -> None:
    ring = [job(f"ring{number}", "/no/such", when=each("exitFailed", f"ring{1 - number}")) for number in range(2)]
    started = pilot(config(app(), TICKER, *ring))
    started.wait_for_mark("tick", 1)
    started.run("-start", "ring0")

    started.wait_for_mark("tick", 10)

    assert 2 <= started.jobs()["ring0"]["starts"] < 12


def test_hooks_in_a_circle_do_not_delay_a_stop(pilot: StartPilot) -> None:
    hooks = [job(f"hook{number}", mark("hook"), when=once("stopping", f"hook{1 - number}")) for number in range(2)]
    started = pilot(config(app(), *hooks, stopTimeout=600))
    started.wait_for_mark("app")

    assert started.stop() == 0


@pytest.mark.timing
def test_two_hundred_jobs_and_fifty_watches_start_run_and_stop_in_time(pilot: StartPilot, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    workers = [job(f"worker{number}", forever(f"worker{number}")) for number in range(190)]
    service: dict[str, Any] = {"port": 80, "interfaces": "static:127.0.0.1", "health": {"interval": 1, "ttl": 10}}
    services = [job(f"service{number}", **service) for number in range(10)]
    watches = [{"name": f"service{number}", "interval": 1} for number in range(50)]
    changes = job("changes", mark("changes"), when=each("changed", "watch.service9"))
    started = pilot(config(TICKER, *workers, *services, changes, directory=str(shelf), watches=watches))

    began = started.wait_for_mark("tick", 1).at
    for number in range(190):
        started.wait_for_mark(f"worker{number}")
    started.wait_for(lambda: len(list(shelf.glob("*.json"))) == 10, what="all services in the catalogue")
    started.wait_for_mark("changes")
    steady = now()
    started.wait_for_mark("tick", started.count("tick") + 20)
    ended = now()

    assert longest_gap(started, began, steady) < 1.5, "while 190 processes are started"
    assert longest_gap(started, steady, ended) < 0.1 + LATE
    assert len(started.jobs()) == 202
    requested_at = now()
    assert started.stop() == 0
    assert now() - requested_at < 5.0
    started.assert_nothing_is_left()
    assert list(shelf.glob("*.json")) == []


def longest_gap(started: Pilot, begin: float, end: float) -> float:
    """Between two ticks, in seconds."""
    ticks = [mark.at for mark in started.marks() if mark.word == "tick" and begin - 0.2 < mark.at < end]
    return max(later - earlier for earlier, later in itertools.pairwise([*ticks, end]))
