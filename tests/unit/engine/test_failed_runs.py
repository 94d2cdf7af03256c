"""Runs that fail although their process lives: by a check, by readiness that does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cp.plan import Ready
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, job, once

if TYPE_CHECKING:
    from cp import plan
    from cp.plan import OnFailure


def app(then: OnFailure = "restart", **changes: Any) -> plan.Job:
    """A job that is unhealthy after two failures of its check, one second apart."""
    health = check("app", "check", failures=2, on_unhealthy=then)
    return job("app", **{"restarts": 1, "health": health, **changes})


def started(*jobs: plan.Job, code: int = 1, stubborn: bool = False, **settings: Any) -> JobsWorld:
    """A world whose checks end with this code; `stubborn`: the processes of the jobs ignore SIGTERM."""
    world = JobsWorld(*jobs, **settings)
    if stubborn:
        world.processes.stubborn |= {job.name for job in jobs}
    world.processes.termination["check"] = (0.01, code)
    return world.start()


def test_an_unhealthy_job_is_restarted_within_its_budget_and_then_complete() -> None:
    world = started(app(), job("other"))
    world.advance(2.5)
    assert world.starts("app") == ["app", "app"]
    assert world.story("SIGTERM") == ["SIGTERM app"]
    assert world.count("exitFailed app") == 1
    assert world.count("exitSuccess app") == 0
    world.advance(2.5)
    assert (world.state("app"), world.starts("app")) == ("complete", ["app", "app"])
    assert world.count("exitFailed app") == 2


def test_with_stop_the_job_is_complete_whatever_its_restarts() -> None:
    world = started(app("stop", restarts=None), job("other"))
    world.advance(3)
    assert (world.state("app"), world.starts("app")) == ("complete", ["app"])
    assert world.count("stopped app") == 1


@pytest.mark.parametrize(("code", "outside"), [(0, 1), (7, 7), (-15, 143)])
def test_a_main_job_that_is_stopped_ends_everything_with_a_failure(code: int, outside: int) -> None:
    world = started(app("stop", main=True), stubborn=True)
    world.advance(2.5)
    world.exit("app", code)
    world.advance(1)
    assert world.over
    assert world.engine.exit_code == outside


def test_the_process_has_the_time_of_a_stop_and_hooks_wait_for_the_end_of_the_job() -> None:
    hook = job("hook", once("stopping", "app"))
    world = started(app("stop"), hook, job("other"), stop_timeout=3.0, stubborn=True)
    world.advance(4.9)
    assert world.story("SIG") == ["SIGTERM app"]
    assert world.starts("hook") == []
    world.advance(0.3)
    assert world.story("SIG") == ["SIGTERM app", "SIGKILL app"]
    assert world.starts("hook") == ["hook"]
    assert "info: Killing Process 1000: app did not end within 3 s" in world.log.lines


def test_with_a_negative_budget_the_process_is_killed_at_once() -> None:
    world = started(app("stop"), job("other"), stop_timeout=-1.0)
    world.advance(2.5)
    assert world.story("SIG") == ["SIGKILL app"]


def test_while_a_failed_run_ends_nothing_is_checked_and_nothing_is_registered() -> None:
    world = started(app(service=advertised("app")), stubborn=True)
    world.advance(2.5)
    world.processes.termination["check"] = (0.01, 0)
    world.happened.clear()
    world.advance(2)
    assert world.story("start", "passing") == []


def test_a_stop_that_comes_meanwhile_ends_the_job_as_any_other() -> None:
    world = started(app(), stop_timeout=60.0, stubborn=True)
    world.advance(2.5)
    world.terminate()
    world.exit("app", 0)
    world.advance(0.1)
    assert world.over
    assert world.starts("app") == ["app"]


def test_a_job_started_by_each_event_is_complete_after_stop() -> None:
    world = started(app("stop", when=each("exitSuccess", "tick"), restarts=0), job("tick"), job("other"))
    world.exit("tick", 0)
    world.advance(3)
    assert world.state("app") == "complete"


# --- readiness


def ready_job(ready: Ready, **changes: Any) -> plan.Job:
    return job("app", ready=ready, announces_ready=True, **changes)


def test_ready_comes_once_in_each_run_and_starts_others() -> None:
    world = JobsWorld(ready_job(Ready(kind="log", text="listening"), restarts=1), job("late", each("ready", "app")))
    world.start()
    read = world.monitors["app"].on_line
    assert read is not None
    for line in ("starting", "now listening on 80", "listening again"):
        read(line)
    world.loop.settle()
    assert (world.count("ready app"), world.engine.jobs["app"].is_ready) == (1, True)
    assert world.starts("late") == ["late"]

    world.exit("app", 1)
    assert not world.engine.jobs["app"].is_ready
    world.advance(0.1)
    read("listening")
    world.loop.settle()
    assert world.count("ready app") == 1, "that line is of something that the first run left in the background"
    read = world.monitors["app"].on_line
    assert read is not None
    read("listening")
    world.loop.settle()
    assert world.count("ready app") == 2


def test_a_service_is_registered_when_it_is_ready_and_its_check_passes() -> None:
    world = JobsWorld(ready_job(Ready(kind="log", text="listening"), health=check("app"), service=advertised("app")))
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(3.5)
    assert world.story("passing") == []
    read = world.monitors["app"].on_line
    assert read is not None
    read("listening")
    assert world.story("passing") == ["passing app"], "its check has passed already"


def test_an_initial_status_does_not_wait_for_readiness() -> None:
    service = advertised("app", "warning")
    world = JobsWorld(ready_job(Ready(kind="log", text="listening"), health=check("app"), service=service))
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(1.5)
    assert world.story("passing") == ["passing app"]


@pytest.mark.parametrize("then", ["none", "restart", "stop"])
def test_a_run_that_is_not_ready_in_time(then: OnFailure) -> None:
    ready = Ready(kind="health", timeout=5.0, timeout_text="5s", on_timeout=then)
    world = JobsWorld(ready_job(ready, restarts=1, health=check("app")), job("other"))
    world.processes.termination["check"] = (0.01, 1)
    world.start().advance(5.5)
    assert "warning: app is not ready after 5s: it waits for a check that passes" in world.log.lines
    assert world.starts("app") == ["app"] * (2 if then == "restart" else 1)
    assert world.state("app") == ("complete" if then == "stop" else "running")


def test_a_ready_run_has_no_limit_any_more() -> None:
    ready = Ready(kind="health", timeout=5.0, timeout_text="5s", on_timeout="stop")
    world = JobsWorld(ready_job(ready, health=check("app")))
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(1.5)
    world.processes.termination["check"] = (0.01, 1)
    world.advance(20)
    assert world.state("app") == "running"


def test_without_a_report_a_job_is_ready_when_it_runs_or_is_healthy() -> None:
    world = JobsWorld(job("plain"), job("checked", health=check("checked")), job("none", command=None))
    world.processes.termination["check"] = (0.01, 1)
    world.start().advance(1.5)
    ready = {name: each.is_ready for name, each in world.engine.jobs.items()}
    assert ready == {"plain": True, "checked": False, "none": True}
    world.processes.termination["check"] = (0.01, 0)
    world.advance(1)
    world.processes.termination["check"] = (0.01, 1)
    world.advance(1)
    assert world.engine.jobs["checked"].is_ready, "it was healthy once in this run"
    world.exit("plain", 0)
    assert not world.engine.jobs["plain"].is_ready
