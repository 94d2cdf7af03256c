"""Several checks of one job, thresholds, the start period, and checks without a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cp.engine.health import Health, Result
from cp.plan import Check, SocketProbe
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, job

if TYPE_CHECKING:
    from cp.engine.health import Consequence

GOOD, BAD = Result("fine"), Result("ill", "exit status 3", "check.app exited with error: exit status 3")


class Job:
    """The health of a job with some checks, named `a`, `b`, …; results come one second apart."""

    def __init__(self, *checks: dict[str, Any]) -> None:
        plans = tuple(
            Check(label=f"check.app.{name}", name=name, interval=1.0, command=("check",), logs_failures=True, **each)
            for name, each in zip("abc", checks, strict=False)
        )
        self.health = Health("app", plans, 0.0)
        self.now = 0.0

    def take(self, name: str, result: Result) -> Consequence:
        self.now += 1
        return self.health.take(next(each for each in self.health.checks if each.plan.name == name), result, self.now)

    def events(self, *results: tuple[str, Result]) -> list[tuple[str, str]]:
        """The event and the status for the catalogue of each result."""
        follows = [self.take(*result) for result in results]
        return [(each.event, each.reported) for each in follows]


def test_a_job_is_healthy_when_all_checks_pass_and_unhealthy_when_one_fails() -> None:
    app = Job({}, {})
    assert app.events(("a", GOOD), ("b", GOOD), ("a", GOOD)) == [
        ("", ""),
        ("healthy", "passing"),
        ("healthy", "passing"),
    ]
    assert app.events(("b", BAD), ("a", GOOD)) == [("unhealthy", ""), ("", "")]
    assert app.health.status == "unhealthy"
    assert app.events(("b", GOOD)) == [("healthy", "passing")]


def test_one_failure_makes_a_job_unhealthy_before_the_other_checks_have_ended() -> None:
    app = Job({}, {})
    assert app.events(("a", BAD), ("b", GOOD)) == [("unhealthy", ""), ("", "")]


def test_failures_below_the_threshold_change_nothing_but_hold_back_heartbeats() -> None:
    app = Job({"failures": 3, "critical_after": 3}, {})
    app.events(("a", GOOD), ("b", GOOD))
    assert app.events(("a", BAD), ("b", GOOD), ("a", BAD)) == [("", ""), ("healthy", ""), ("", "")]
    assert app.health.status == "healthy"
    assert app.events(("a", BAD), ("a", BAD)) == [("unhealthy", "critical"), ("unhealthy", "critical")]


def test_a_success_starts_the_count_anew() -> None:
    app = Job({"failures": 2})
    for _ in range(3):
        app.events(("a", GOOD), ("a", BAD))
    assert app.health.status == "healthy"


def test_so_many_successes_end_an_outage_and_heartbeats_wait_for_them() -> None:
    app = Job({"passes": 3})
    assert app.events(("a", GOOD)) == [("healthy", "passing")], "the first one of a run is enough"
    app.events(("a", BAD))
    assert app.events(("a", GOOD), ("a", GOOD), ("a", GOOD)) == [("", ""), ("", ""), ("healthy", "passing")]
    app.events(("a", BAD), ("a", GOOD), ("a", BAD))
    assert app.events(("a", GOOD), ("a", GOOD)) == [("", ""), ("", "")], "a failure starts the count again"


def test_a_run_starts_without_the_failures_of_the_one_before() -> None:
    app = Job({"failures": 2})
    app.events(("a", BAD))
    app.health.reset(5.0)
    assert app.events(("a", BAD)) == [("", "")]


def test_failures_in_the_start_period_do_not_count_before_the_first_success() -> None:
    app = Job({"start_period": 5.5})
    assert app.events(("a", BAD), ("a", BAD)) == [("", ""), ("", "")]
    assert app.take("a", BAD).lines == [("debug", "check.app exited with error: exit status 3 (in the start period)")]
    assert (app.health.status, app.health.checks[0].failures) == ("unknown", 0)
    assert app.events(("a", GOOD), ("a", BAD)) == [("healthy", "passing"), ("unhealthy", "")]
    app.health.reset(10.0)
    app.now = 10.0
    assert app.events(*[("a", BAD)] * 6)[-2:] == [("", ""), ("unhealthy", "")]


def test_maintenance_does_not_start_the_start_period_again() -> None:
    app = Job({"start_period": 5.5})
    app.events(("a", GOOD))
    app.health.forget()
    assert app.events(("a", BAD)) == [("unhealthy", "")]


def test_the_action_follows_once_when_a_check_becomes_unhealthy() -> None:
    app = Job({"failures": 2, "on_unhealthy": "restart"}, {"on_unhealthy": "none"})
    actions = [app.take(name, BAD).action for name in "babaa"]
    assert actions == ["none", "none", "none", "restart", "none"]


def test_the_view_shows_each_check_and_the_unhealthy_one_explains_the_status() -> None:
    checks = (check("app", "good").replace(name="cache"), check("app", "bad").replace(name="database", failures=2))
    world = JobsWorld(job("app", health=checks))
    world.processes.termination |= {"good": (0.1, 0), "bad": (0.1, 3)}
    world.start().advance(3.5)

    health = world.seen("app")["health"]

    assert (health["status"], health["failures"]) == ("unhealthy", 3)
    assert [(each["name"], each["status"], each["failures"]) for each in health["checks"]] == [
        ("cache", "healthy", 0),
        ("database", "unhealthy", 3),
    ]
    assert world.count("exitFailed check.app") == world.count("exitSuccess check.app") == 3


# --- the start interval


def probed(**changes: Any) -> Check:
    return check("app", None, probe=SocketProbe(host="localhost", port=80), **changes)


def times(world: JobsWorld, what: str, seconds: float, step: float = 0.25) -> list[float]:
    """When something happened, in steps of time."""
    found = []
    for number in range(round(seconds / step)):
        before = len(world.story(what))
        world.advance(step)
        if len(world.story(what)) > before:
            found.append((number + 1) * step)
    return found


def test_until_the_first_success_it_is_checked_at_the_interval_for_starts() -> None:
    world = JobsWorld(job("app", restarts=None, health=probed(interval=4, start_period=30, start_interval=0.5)))
    world.probes[80] = (0.01, False, "refused")
    world.start()
    assert times(world, "probe 80", 2) == [0.5, 1.0, 1.5, 2.0]
    world.probes[80] = (0.01, True, "connected")
    assert times(world, "probe 80", 9) == [0.5, 1.0, 5.0, 9.0]

    world.exit("app", 1)
    world.probes[80] = (0.01, False, "refused")
    assert times(world, "probe 80", 1.5) == [0.5, 1.0, 1.5], "the next run starts again"


def test_after_the_start_period_it_is_checked_at_its_interval_though_nothing_has_passed() -> None:
    world = JobsWorld(job("app", health=probed(interval=4, start_period=2, start_interval=0.5)))
    world.probes[80] = (0.01, False, "refused")
    world.start()
    assert times(world, "probe 80", 10) == [0.5, 1.0, 1.5, 2.0, 6.0, 10.0]


# --- checks without a process


def test_a_check_without_a_process_starts_none_and_logs_only_changes() -> None:
    world = JobsWorld(job("app", health=probed(), service=advertised("app")))
    world.probes[80] = (0.01, False, "tcp 10.0.0.1:80: connection refused")
    world.start().advance(3.5)
    world.probes[80] = (0.01, True, "tcp 10.0.0.1:80: connected in 1 ms")
    world.advance(1)

    assert world.starts() == ["app"]
    assert [line for line in world.log.lines if "check.app" in line and not line.startswith("debug")] == [
        "warning: check.app: app is unhealthy: tcp 10.0.0.1:80: connection refused",
        "info: check.app: app is healthy again after 3.0 s and 3 failures",
    ]
    assert "debug: check.app failed: tcp 10.0.0.1:80: connection refused" in world.log.lines
    assert "debug: check.app passed: tcp 10.0.0.1:80: connected in 1 ms" in world.log.lines
    assert world.story("passing") == ["passing app"]
    assert world.count("exitFailed check.app") == 0


def test_a_probe_never_overlaps_itself_and_a_stop_cancels_it() -> None:
    world = JobsWorld(job("app", health=probed()))
    world.start().advance(3.5)
    assert world.story("probe 80") == ["probe 80"]
    world.terminate()
    assert world.story("probe cancelled") == ["probe cancelled"]
    assert world.over


def test_a_probe_that_began_before_a_pause_says_nothing_about_the_next_process() -> None:
    world = JobsWorld(job("app", restarts=None, health=probed()))
    world.processes.termination["app"] = (0.01, 3)
    world.start().advance(0.9)
    del world.processes.termination["app"]
    world.advance(5)
    world.probes[80] = (0.5, True, "connected")
    assert world.state("app") == "running"


@pytest.mark.parametrize("error", [ImportError("no module"), OSError(24, "Too many open files"), MemoryError()])
def test_a_probe_that_cannot_start_is_a_failed_check(error: BaseException) -> None:
    world = JobsWorld(job("app", health=probed()))

    def refuse(*_: object) -> Any:
        raise error

    world.context.open_probe = refuse
    world.start().advance(1.5)
    assert world.seen("app")["health"]["status"] == "unhealthy"
    assert world.seen("app")["health"]["output"].startswith("cannot check: ")
