"""Starts and restarts that an operator asks for."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Job, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import each, every, job, once

DONE = [""]


def hooked(**changes: Any) -> tuple[Job, Job, Job]:
    return (
        job("app", **changes),
        job("pre", once("stopping", "app")),
        job("post", once("stopped", "app")),
    )


@pytest.mark.parametrize("when", [once("healthy", "db"), each("healthy", "db"), every(10)])
def test_start_does_not_wait_for_the_event(when: When) -> None:
    world = JobsWorld(job("app", when), job("db")).start()
    for process in world.processes.running("app"):
        process.exit(0)
    started = len(world.starts("app"))
    assert world.ask("start", "app") == DONE
    assert len(world.starts("app")) == started + 1


def test_starting_a_running_job_changes_nothing() -> None:
    world = JobsWorld(job("app")).start()
    pid = world.pid("app")
    assert world.ask("start", "app") == DONE
    assert world.pid("app") == pid
    world.exit("app")
    assert world.over


def test_starting_a_complete_job_runs_it_again() -> None:
    world = JobsWorld(*hooked(restarts=1), job("other")).start()
    for _ in range(2):
        world.exit("app")
        world.advance(0)
    world.exit("pre")
    world.exit("post")
    assert world.state("app") == "complete"
    assert world.ask("start", "app") == DONE
    assert world.state("app") == "running"
    world.exit("app")
    world.advance(0)
    assert world.state("app") == "running"  # its restarts are new
    world.exit("app")
    world.exit("pre")
    world.exit("post")
    assert world.state("app") == "complete"


def test_starting_cuts_the_pause_before_a_restart_short() -> None:
    world = JobsWorld(job("app", restarts=None))
    world.processes.termination["app"] = (0.0, 1)
    world.start().advance(60)
    world.processes.termination.clear()
    assert world.state("app") == "pausing"
    world.ask("start", "app")
    assert world.state("app") == "running"
    world.advance(60)
    assert len(world.processes.running("app")) == 1


def test_starting_a_job_that_is_about_to_end_is_refused_until_it_has() -> None:
    world = JobsWorld(*hooked(), job("other")).start()
    world.exit("app")
    (outcome,) = world.ask("start", "app")
    assert "app is still stopping" in outcome
    world.exit("pre")
    world.exit("post")
    assert world.ask("start", "app") == DONE


def test_starting_a_missing_program_fails_and_shows_in_its_last_exit() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP")))
    world.processes.missing.add("app")
    (outcome,) = world.start().ask("start", "app")
    assert outcome.startswith("app cannot be started: ")
    last = world.seen("app")["lastExit"]
    assert last["code"] == 127
    assert "not found" in last["text"]


def test_a_hook_that_was_started_by_hand_still_runs_when_its_time_comes() -> None:
    world = JobsWorld(*hooked()).start()
    world.ask("start", "pre")
    world.exit("pre")
    assert world.state("pre") == "waiting"
    world.terminate()
    assert world.starts("pre") == ["pre"] * 2
    world.exit("pre")
    world.exit("post")
    assert world.over


# --- restart


def test_restart_ends_it_with_its_hooks_and_starts_it_again() -> None:
    world = JobsWorld(*hooked()).start()
    outcomes = world.ask("restart", "app")
    world.exit("pre")
    world.exit("post")
    assert outcomes == DONE
    assert world.story("start", "SIG") == ["start app", "start pre", "SIGTERM app", "start post", "start app"]
    world.terminate()
    world.exit("pre")
    world.exit("post")
    assert world.over


def test_restart_of_the_main_job_does_not_stop_the_program() -> None:
    world = JobsWorld(job("app", main=True), job("other")).start()
    assert world.ask("restart", "app") == DONE
    assert not world.over
    assert world.starts("app") == ["app"] * 2


@pytest.mark.parametrize("request_", ["start", "restart"])
def test_start_and_restart_of_a_held_job_run_no_hooks(request_: str) -> None:
    world = JobsWorld(*hooked()).start()
    world.ask("stop", "app")
    world.exit("pre")
    world.exit("post")
    world.happened.clear()
    assert world.ask(request_, "app") == DONE
    assert world.happened == ["start app"]


def test_restart_of_a_waiting_job_starts_it() -> None:
    world = JobsWorld(job("app", once("healthy", "db")), job("pre", once("stopping", "app")), job("db")).start()
    assert world.ask("restart", "app") == DONE
    assert world.starts() == ["db", "app"]


def test_restart_of_a_complete_job_runs_it_again() -> None:
    world = JobsWorld(job("short"), job("other")).start()
    world.exit("short")
    assert world.ask("restart", "short") == DONE
    assert world.starts("short") == ["short"] * 2


def test_restart_starts_no_job_that_waits_for_the_first_run() -> None:
    world = JobsWorld(job("setup"), job("app", once("exitSuccess", "setup"))).start()
    world.exit("setup")
    world.ask("restart", "setup")
    world.exit("setup")
    assert world.starts() == ["setup", "app", "setup"]


def test_start_after_another_ended_terminates_the_server_that_runs_because_of_it() -> None:
    world = JobsWorld(job("setup"), job("server", once("stopped", "setup"))).start()
    world.exit("setup")
    assert world.ask("start", "setup") == DONE
    assert world.story("SIGTERM") == ["SIGTERM server"]
    world.exit("setup")
    assert world.starts() == ["setup", "server", "setup", "server"]


def test_restart_of_a_job_ends_although_a_job_after_it_restarts_without_limit() -> None:
    world = JobsWorld(job("setup", command=None), job("server", once("stopped", "setup"), restarts=None)).start()
    outcomes = world.ask("stop", "setup")
    world.exit("server")
    world.advance(1)
    assert outcomes == DONE
    assert world.state("server") == "waiting"


def test_stop_of_a_running_hook_ends_it() -> None:
    world = JobsWorld(*hooked(), job("other")).start()
    world.exit("app")
    assert world.state("app") == "stopping"
    assert world.ask("stop", "pre") == DONE
    assert world.story("SIGTERM") == ["SIGTERM pre"]
    assert world.state("app") == "complete"
    assert world.state("pre") == "held"


def test_a_held_hook_does_not_run() -> None:
    world = JobsWorld(*hooked()).start()
    assert world.ask("stop", "pre") == DONE
    world.terminate()
    assert world.starts() == ["app", "post"]
    world.exit("post")
    assert world.over


def test_stop_of_a_hook_on_itself_ends_it() -> None:
    world = JobsWorld(job("self", once("stopping", "self")), job("other")).start()
    world.ask("start", "self")
    assert world.ask("stop", "self") == DONE
    assert world.state("self") == "held"
