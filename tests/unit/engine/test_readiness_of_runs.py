"""Readiness belongs to a run: when it does not come."""

from __future__ import annotations

from cp.plan import Ready, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, job

NOTIFY = Ready(kind="notify")


def test_a_check_that_passes_between_two_runs_of_a_periodic_job_makes_none_ready() -> None:
    every_minute = When(code="startup", source="global", interval=60.0)
    world = JobsWorld(job("app", every_minute, restarts=None, health=check("app"), announces_ready=True))
    world.processes.termination |= {"app": (0.1, 0), "check": (0.01, 0)}
    world.start().advance(30)
    assert (world.state("app"), world.count("healthy app") > 0) == ("scheduled", True)
    assert world.count("ready app") == 0

    del world.processes.termination["app"]
    world.advance(32)
    assert (world.count("ready app"), world.engine.jobs["app"].is_ready) == (1, True)


def test_a_run_that_has_failed_is_not_ready_and_does_not_become_ready() -> None:
    ill = check("app", "check", on_unhealthy="stop")
    world = JobsWorld(job("app", health=ill, ready=NOTIFY, announces_ready=True, service=advertised("app")))
    world.processes.stubborn.add("app")
    world.processes.termination["check"] = (0.01, 1)
    world.start().advance(1.5)
    assert world.story("SIGTERM") == ["SIGTERM app"]
    world.sources["app"].send("READY=1")
    assert (world.count("ready app"), world.engine.jobs["app"].is_ready) == (0, False)


def test_a_ready_run_that_fails_is_not_ready_any_more() -> None:
    world = JobsWorld(job("app", health=check("app", "check", on_unhealthy="stop"), ready=NOTIFY))
    world.processes.stubborn.add("app")
    world.processes.termination["check"] = (0.01, 1)
    world.start()
    world.sources["app"].send("READY=1")
    assert world.engine.jobs["app"].is_ready
    world.advance(1.5)
    assert not world.engine.jobs["app"].is_ready


def test_in_a_stop_a_run_does_not_fail() -> None:
    ready = Ready(kind="notify", timeout=1.0, timeout_text="1s", on_timeout="stop")
    world = JobsWorld(
        job("app", ready=ready, main=True),
        job("web", service=advertised("web"), health=check("web")),
        stop_timeout=4.0,
    )
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(0.5)
    world.discovery.delay = None
    world.terminate()
    world.advance(0.7)
    assert world.story("SIG") == [], "the catalogue has a second, in which the jobs go on"
    world.advance(1)
    assert world.engine.exit_code == 128 + 15


def test_a_service_that_becomes_ready_after_a_check_has_failed_waits_for_the_next_check() -> None:
    forgiving = check("app", "check", failures=3)
    world = JobsWorld(job("app", health=forgiving, ready=NOTIFY, service=advertised("app")))
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(1.5)
    world.processes.termination["check"] = (0.01, 1)
    world.advance(1)
    world.sources["app"].send("READY=1")
    assert world.story("passing") == []
    world.processes.termination["check"] = (0.01, 0)
    world.advance(1)
    assert world.story("passing") == ["passing app"]


def test_a_run_that_could_not_start_does_not_fail_a_second_time() -> None:
    every_second = When(code="startup", source="global", interval=1.0)
    slow = check("app", "check", on_unhealthy="stop")
    world = JobsWorld(job("app", every_second, restarts=None, health=slow), job("other"))
    world.processes.termination |= {"app": (0.1, 0), "check": (0.5, 1)}
    world.start().advance(1.2)
    world.processes.missing.add("app")
    world.loop.advance(0.2)
    world.loop.calls = 0
    job_ = world.engine.jobs["app"]
    job_.ticked()
    assert (job_.state, job_.runs.pid) == ("running", 0)
    assert not job_.fail_run("onUnhealthy", "stop")
    world.advance(3)
    assert world.state("app") == "scheduled"
