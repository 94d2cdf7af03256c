"""Rules for restarts, with real processes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import app, config, job
from tests.system.scripts import deaf, mark, python, sh

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

FAILS = mark("run", "exit 3")


def test_main_job_that_gives_up_ends_everything_with_its_code(pilot: StartPilot) -> None:
    rules = {"max": 2, "per": "1h", "on": "failure", "maxPause": "50ms"}
    started = pilot(config(job("app", FAILS, main=True, restarts=rules), app("other")))

    assert started.wait_exit() == 3
    assert started.count("run") == 3
    assert "app is not started again: 2 restarts in 1 hour" in started.output()


def test_with_delay_the_job_waits_for_its_window_and_every_view_says_so(pilot: StartPilot) -> None:
    rules = {"max": 2, "per": "1h", "maxPause": "50ms", "then": "delay"}
    started = pilot(config(job("app", FAILS, restarts=rules)))
    started.wait_for_line(r"app starts again in 3\d{3} s: 2 restarts in 1 hour")

    table, details = started.run("-jobs").stdout, started.run("-job", "app").stdout
    for text in (table, details, started.run("-status").stdout):
        assert "pausing" in text
        assert ": 2 restarts in 1 hour" in text
    assert "restarts: 2 (0 left within 1h0m)" in details
    assert "next start: " in details
    assert started.count("run") == 3

    assert started.run("-start", "app").code == 0
    started.wait_for_mark("run", 4)
    started.wait_for_state("app", "pausing")
    assert started.stop() == 0


@pytest.mark.timing
def test_a_window_that_is_over_has_room_again(pilot: StartPilot) -> None:
    rules = {"max": 1, "per": "700ms", "then": "delay", "maxPause": "1ms"}
    started = pilot(config(job("app", FAILS, restarts=rules)))
    started.wait_for_mark("run", 4)

    marks = [each.at for each in started.marks() if each.word == "run"]
    assert all(later - earlier >= 0.6 for earlier, later in pairwise(marks[1:])), marks


@pytest.mark.parametrize(("code", "words"), [(0, 1), (143, 1), (5, 2)])
def test_on_failure_restarts_only_what_failed(pilot: StartPilot, code: int, words: int) -> None:
    rules = {"max": 1, "on": "failure"}
    command = mark("run", f"exit {code}")
    started = pilot(config(job("app", command, restarts=rules, successExitCodes=[143]), app("other")))
    started.wait_for_state("app", "complete")

    assert started.count("run") == words


def test_a_silent_process_that_exits_with_0_is_restarted_on_failure(pilot: StartPilot) -> None:
    command = python("signal.signal(signal.SIGABRT, lambda *_: sys.exit(0))\nmark('run')\ntime.sleep(1000)")
    started = pilot(config(job("app", command, watchdog="2s", restarts={"max": 1, "on": "failure"}), app("other")))
    started.wait_for_mark("run", 2)


def test_reload_leaves_an_unchanged_job_its_window(pilot: StartPilot) -> None:
    failing = job("app", FAILS, restarts={"max": 1, "per": "1h", "maxPause": "1ms", "then": "delay"})
    started = pilot(config(failing))
    started.wait_for_line("app starts again in")
    started.configure(config(failing, app("other")))
    assert started.run("-reload").code == 0
    started.wait_for_mark("other")

    assert started.jobs()["app"]["restartsLeft"] == 0
    assert started.jobs()["app"]["state"] == "pausing"
    assert started.count("run") == 2


def test_timeouts_are_failures(pilot: StartPilot) -> None:
    rules = {"max": 1, "on": "failure"}
    started = pilot(config(job("app", deaf(), timeout="2s", restarts=rules), job("b", sh("sleep 1000"))))
    started.wait_for_mark("app", 2)
    started.wait_for_state("app", "complete")


def test_a_job_that_gave_up_says_so_in_the_table(pilot: StartPilot) -> None:
    rules = {"max": 1, "per": "1h", "maxPause": "1ms"}
    started = pilot(config(job("app", FAILS, restarts=rules), app("other")))
    started.wait_for_state("app", "complete")

    assert "is not started again: 1 restart in 1 hour; exited 3" in started.run("-jobs").stdout
