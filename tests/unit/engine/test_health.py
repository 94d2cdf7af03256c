"""Checks, heartbeats, maintenance."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, app, backend, check, every, job, service, task
from tests.unit.engine.world import World


def test_first_check_comes_one_interval_after_the_start() -> None:
    world = World(app(), service("check", poll=5)).start()
    world.advance(4.9)
    assert world.story("start check") == []
    world.advance(0.2)
    assert world.story("start check") == ["start check"]


def test_each_passing_check_is_one_heartbeat() -> None:
    world = World(app(), service("check"))
    world.processes.termination["check"] = (0.1, 0)
    world.start().advance(5.5)
    assert world.story("passing") == ["passing web"] * 5


def test_a_failing_check_sends_nothing_to_the_catalogue() -> None:
    world = World(app(), service("check"))
    world.processes.termination["check"] = (0.1, 1)
    world.start().advance(5.5)
    assert world.story("passing", "critical") == []
    assert world.engine.jobs["web"].health.status == "unhealthy"


def test_so_many_failures_in_a_row_are_critical_and_one_success_is_passing() -> None:
    world = World(app(), service("check", critical_after=2))
    world.processes.termination["check"] = (0.1, 1)
    world.start().advance(3.5)
    assert world.story("critical") == ["critical web"] * 2
    world.processes.termination["check"] = (0.1, 0)
    world.advance(1)
    assert world.happened[-1] == "passing web"


def test_a_service_without_a_check_sends_a_heartbeat_each_interval() -> None:
    world = World(app(), service(poll=2)).start()
    world.advance(6.5)
    assert world.story("passing") == ["passing web"] * 3


@pytest.mark.parametrize("trusted", [True, False])
def test_heartbeats_are_not_checks_and_count_as_health_only_where_they_are_trusted(trusted: bool) -> None:
    world = JobsWorld(job("app"), service(poll=2, trusted=trusted)).start()

    def shown() -> tuple[str, Any, str, bool]:
        health = world.seen("web")["health"]
        return health["status"], health["at"], health["output"], health["since"] is not None

    assert shown() == ("unknown", None, "", False)
    world.advance(4.5)
    steady = ("healthy", None, "", True) if trusted else ("unknown", None, "", False)
    assert shown() == steady
    assert world.count("healthy web") == 0
    since = world.engine.jobs["web"].health.since
    world.advance(2)
    assert world.engine.jobs["web"].health.since == since
    world.maintenance(True)
    assert shown() == ("maintenance", None, "", False)
    world.maintenance(False)
    assert shown() == ("unknown", None, "", False)
    world.advance(2)
    assert shown() == steady
    world.ask("stop", "web")
    world.advance(2)
    assert shown()[0] == "unknown"


@pytest.mark.parametrize("command", ["check", None])
def test_nothing_is_checked_in_the_pause_before_a_restart(command: str | None) -> None:
    health = check("web", command, trusted=command is None)
    world = JobsWorld(job("web", restarts=None, health=health, service=advertised("web")))
    world.processes.termination["check"] = (0.1, 0)
    world.processes.termination["web"] = (0.01, 3)
    world.start().advance(120)  # by now the pauses last for ten seconds
    for state in ("running", "pausing"):
        while world.state("web") != state:
            world.advance(0.005)
    world.happened.clear()
    world.advance(8.9)
    assert world.state("web") == "pausing"
    assert world.story("start", "passing") == []
    assert world.seen("web")["health"]["status"] == "unknown"

    del world.processes.termination["web"]
    world.advance(4)
    assert world.state("web") == "running"
    assert world.seen("web")["health"]["status"] == "healthy"
    assert world.story("passing")


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("lasts", [0.5, 2.0])
def test_a_check_that_outlives_the_process_says_nothing_about_the_next_one(code: int, lasts: float) -> None:
    """The first restart has no pause; one after a short run has."""
    health = check("web", failures=1, timeout=5)
    world = JobsWorld(job("web", restarts=None, health=health, service=advertised("web")))
    world.processes.termination["check"] = (lasts, code)
    world.start().advance(1.1)
    world.exit("web", 3)
    world.advance(lasts - 0.05)
    assert world.state("web") == "running"
    assert world.story("passing", "critical") == []
    assert world.seen("web")["health"]["status"] == "unknown"
    assert world.engine.jobs["web"].health.checks[0].failures == 0
    world.advance(lasts + 1)
    assert world.seen("web")["health"]["status"] == ("unhealthy" if code else "healthy")


def test_a_periodic_job_is_checked_between_its_runs() -> None:
    world = JobsWorld(job("web", every(5), health=check("web"), service=advertised("web")))
    world.processes.termination["check"] = (0.1, 0)
    world.processes.termination["web"] = (0.01, 0)
    world.start().advance(4.5)
    assert world.state("web") == "scheduled"
    assert world.story("passing") == ["passing web"] * 4
    assert world.seen("web")["health"]["status"] == "healthy"


def test_a_check_never_overlaps_itself_and_one_missed_tick_is_remembered() -> None:
    world = World(app(), service("check"))
    world.processes.termination["check"] = (2.5, 0)
    world.start().advance(3.4)
    assert len(world.story("start check")) == 1
    world.advance(0.2)
    assert len(world.story("start check")) == 2
    assert len(world.processes.running("check")) == 1


def test_a_check_that_hangs_is_killed_with_its_group_at_the_timeout_and_counts_as_failed() -> None:
    world = World(app(), service("check", timeout=0.2, timeout_text="200ms"))
    world.processes.stubborn.add("check")
    world.start().advance(1.3)
    (check,) = [process for process in world.processes.all if process.command[0] == "check"]
    assert check.signals == [("SIGKILL", True)]
    assert "warning: web.health timeout after 200ms: '[]'" in world.log.lines
    assert world.engine.jobs["web"].health.status == "unhealthy"


def test_a_check_that_cannot_be_started_fails_and_is_logged() -> None:
    world = World(app(), service("check"))
    world.processes.missing.add("check")
    world.start().advance(1.1)
    assert world.engine.jobs["web"].health.status == "unhealthy"
    assert any(line.startswith("error: Unable to start web.health") for line in world.log.lines)


def test_a_running_check_is_terminated_by_a_stop_and_its_result_does_not_count() -> None:
    world = World(app(), service("check")).start()
    world.advance(1.1)
    world.terminate()
    world.advance(0.1)
    assert "SIGTERM check" in world.happened
    assert world.story("passing") == []
    assert world.over


def test_a_check_that_ignores_a_stop_is_killed_within_the_budget() -> None:
    world = World(app(), service("check"), stop_timeout=1.0)
    world.processes.stubborn.add("check")
    world.start().advance(1.1)
    world.terminate()
    world.advance(0.9)
    assert not world.over
    world.advance(0.2)
    assert "SIGKILL check" in world.happened
    assert world.over


def test_maintenance_deregisters_once_and_nothing_is_polled_until_it_ends() -> None:
    watch, handler = backend()
    world = World(app(), service("check"), task(1), handler, watches=(watch,))
    world.processes.termination.update({"check": (0.1, 0), "task": (0.1, 0)})
    world.start().advance(2.5)
    world.engine.set_maintenance(True)
    world.happened.clear()
    world.advance(10)
    assert world.happened == []
    world.engine.set_maintenance(False)
    world.advance(1)
    assert world.happened[0] == "resume watch db"
    assert "passing web" in world.happened
    assert "start task" in world.happened


def test_maintenance_is_announced_and_marks_each_service() -> None:
    world = World(app(), service()).start()
    world.engine.set_maintenance(True)
    world.engine.set_maintenance(True)
    world.loop.settle()
    assert world.story("deregister") == ["deregister web"]
    assert "info: Marking for maintenance: web" in world.log.lines
    assert "enterMaintenance global" in world.events


def test_a_check_that_runs_when_maintenance_begins_does_not_register_again() -> None:
    world = World(app(), service("check"))
    world.start().advance(1.1)
    world.engine.set_maintenance(True)
    world.exit("check", 0)
    assert world.story("passing") == []
