"""Stops of single jobs that an operator asks for."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Job, When
from tests.unit.engine.jobs_world import JobsWorld, refusal
from tests.unit.engine.plans import advertised, check, each, every, job, once

DONE = [""]


def hooked(**changes: Any) -> tuple[Job, Job, Job]:
    return (
        job("app", **changes),
        job("pre", once("stopping", "app")),
        job("post", once("stopped", "app")),
    )


@pytest.mark.parametrize("request_", ["start", "stop", "restart"])
def test_a_job_that_does_not_exist_is_refused(request_: str) -> None:
    world = JobsWorld(job("app")).start()
    (outcome,) = world.ask(request_, "ghost")
    assert "there is no job 'ghost'" in outcome
    assert "there is no job 'ghost'" in refusal(world.admin.signal_job, "ghost", 1)
    assert world.admin.job("ghost") is None


def test_a_stopped_job_is_held_and_only_a_request_starts_it() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP"), restarts=3), job("other")).start()
    world.signal(1, "SIGHUP")
    assert world.ask("stop", "app") == DONE
    assert world.state("app") == "held"
    world.signal(1, "SIGHUP")
    world.advance(3600)
    assert world.starts("app") == ["app"]
    assert world.ask("start", "app") == DONE
    assert world.starts("app") == ["app"] * 2
    world.ask("stop", "app")
    world.maintenance(True)
    world.maintenance(False)
    assert world.state("app") == "held"


def test_stop_is_done_when_the_process_is_gone() -> None:
    world = JobsWorld(job("app"), stop_timeout=2.0)
    world.processes.stubborn.add("app")
    outcomes = world.start().ask("stop", "app")
    world.advance(1.9)
    assert outcomes == []
    world.advance(0.2)
    assert outcomes == DONE
    assert world.story("SIG") == ["SIGTERM app", "SIGKILL app"]
    assert not world.over


def test_hooks_run_at_each_stop_and_are_there_again_afterwards() -> None:
    world = JobsWorld(*hooked()).start()
    for _ in range(3):
        world.happened.clear()
        outcomes = world.ask("stop", "app")
        world.exit("pre")
        assert outcomes == []
        world.exit("post")
        assert outcomes == DONE
        assert world.happened == ["start pre", "SIGTERM app", "start post"]
        assert [world.state(name) for name in ("app", "pre", "post")] == ["held", "waiting", "waiting"]
        world.ask("start", "app")
    world.terminate()
    world.exit("pre")
    world.exit("post")
    assert world.over


def test_held_job_does_not_keep_a_stop_from_ending() -> None:
    world = JobsWorld(job("app"), job("other")).start()
    world.ask("stop", "app")
    world.terminate()
    assert world.over


def test_held_jobs_keep_the_program_up() -> None:
    world = JobsWorld(job("app")).start()
    world.ask("stop", "app")
    world.advance(3600)
    assert not world.over


@pytest.mark.parametrize("when", [once("healthy", "db"), each("healthy", "db"), once("startup", "nobody", 5)])
def test_a_waiting_job_is_held_at_once(when: When) -> None:
    world = JobsWorld(job("app", when), job("db")).start()
    assert world.ask("stop", "app") == DONE
    world.publish("healthy", "db")
    world.advance(10)
    assert world.state("app") == "held"
    assert world.starts("app") == []
    assert world.count("timerExpired app") == 0


def test_an_interval_job_is_stopped_between_runs_and_during_one() -> None:
    world = JobsWorld(job("task", every(1), restarts=None, timeout=1)).start()
    assert world.ask("stop", "task") == DONE
    assert world.story("SIGTERM") == ["SIGTERM task"]
    world.advance(10)
    assert world.starts() == ["task"]
    world.ask("start", "task")
    world.exit("task")
    assert world.state("task") == "scheduled"
    assert world.ask("stop", "task") == DONE
    world.advance(10)
    assert world.starts() == ["task"] * 2


def test_a_job_that_waits_for_its_restart_is_stopped() -> None:
    world = JobsWorld(job("app", restarts=None))
    world.processes.termination["app"] = (0.0, 1)
    world.start().advance(0.05)
    assert world.state("app") == "pausing"
    assert world.ask("stop", "app") == DONE
    started = len(world.starts())
    world.advance(60)
    assert len(world.starts()) == started


def test_stopping_a_held_or_complete_job_succeeds_at_once() -> None:
    world = JobsWorld(job("app"), job("short")).start()
    world.exit("short")
    world.ask("stop", "app")
    assert world.ask("stop", "app") == world.ask("stop", "short") == DONE
    assert world.state("short") == "complete"


def test_stopping_the_main_job_does_not_stop_the_program() -> None:
    world = JobsWorld(job("app", main=True), job("other")).start()
    assert world.ask("stop", "app") == DONE
    assert not world.over
    assert world.state("other") == "running"
    world.ask("start", "app")
    world.exit("app", 5)
    assert world.over
    assert world.engine.exit_code == 5


def test_a_stopped_job_leaves_the_catalogue_and_stays_away() -> None:
    service = advertised("app", initial_status="warning")
    world = JobsWorld(job("app", health=check("app", None), service=service)).start()
    world.advance(1.1)
    world.ask("stop", "app")
    world.advance(5)
    world.maintenance(True)
    world.maintenance(False)
    world.advance(5)
    assert world.story("passing", " app", "deregister", "warning")[-1] == "deregister app"
    assert world.seen("app")["service"]["registered"] == "no"
    world.happened.clear()
    world.ask("start", "app")
    world.advance(1.1)
    assert world.happened[-1] == "passing app"


def test_a_job_with_an_initial_status_is_not_registered_again_by_its_stop() -> None:
    world = JobsWorld(job("app", health=check("app", None), service=advertised("app", "critical")), job("x")).start()
    world.advance(1.1)
    world.happened.clear()
    world.ask("stop", "app")
    world.advance(5)
    assert world.happened == ["deregister app", "SIGTERM app"]
