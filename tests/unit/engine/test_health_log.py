"""Log lines of health checks: failures, changes of health, and no floods."""

from __future__ import annotations

from typing import Any

import pytest

from cp.engine.health import HEALTHY, LOGGED_FAILURES, SHOWN_OUTPUT, UNHEALTHY, UNKNOWN, Consequence, Health, Result
from cp.plan import Check
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import app, check, job, service
from tests.unit.engine.world import World

FAILURE = "check.app exited with error: exit status 3"


def logged(world: World, level: str, word: str = "check.app") -> list[str]:
    """The lines of this level, or of a higher one, about the check."""
    levels = ("debug", "info", "warning", "error")
    found = (line.split(": ", 1) for line in world.log.lines)
    return [f"{its}: {text}" for its, text in found if levels.index(its) >= levels.index(level) and word in text]


def failing(seconds: float = 0.1, code: int = 3, interval: float = 1) -> JobsWorld:
    world = JobsWorld(job("app", health=check("app", interval=interval)))
    world.processes.termination["check"] = (seconds, code)
    return world.start()


# --- in the engine


def test_each_failed_check_is_an_error_in_the_words_of_containerpilot_3() -> None:
    world = failing()
    world.advance(3.5)
    assert logged(world, "error") == [f"error: {FAILURE}"] * 3


def test_a_change_of_health_is_logged_once_with_the_reason_and_its_end_with_the_duration() -> None:
    world = failing()
    world.advance(3.5)
    world.processes.termination["check"] = (0.1, 0)
    world.advance(3)
    changes = [line for line in logged(world, "info") if FAILURE not in line]
    assert changes == [
        "warning: check.app: app is unhealthy: exit status 3",
        "info: check.app: app is healthy again after 3.0 s and 3 failures",
    ]
    world.processes.termination["check"] = (0.1, 3)
    world.advance(1)
    assert logged(world, "warning")[-1] == "warning: check.app: app is unhealthy: exit status 3"


def test_after_ten_failures_in_a_row_there_is_one_line_a_minute_with_their_number() -> None:
    world = failing(seconds=0.25)  # which floats have exactly
    world.advance(200.5)
    lines = logged(world, "error")
    assert lines[:LOGGED_FAILURES] == [f"error: {FAILURE}"] * LOGGED_FAILURES
    assert lines[LOGGED_FAILURES:] == [f"error: {FAILURE} (failure {number} in a row)" for number in (70, 130, 190)]
    assert len(logged(world, "warning")) == len(lines) + 1


def test_a_success_resets_the_count_of_failures() -> None:
    world = failing()
    world.advance(20.5)
    world.processes.termination["check"] = (0.1, 0)
    world.advance(1)
    world.processes.termination["check"] = (0.1, 3)
    world.advance(2)
    assert logged(world, "error")[LOGGED_FAILURES:] == [f"error: {FAILURE}"] * 2


def test_checks_that_are_rare_are_all_logged() -> None:
    world = failing(interval=60)
    world.advance(60 * 15 + 1)
    assert len(logged(world, "error")) == 15


def test_a_check_that_runs_too_long_is_logged_with_its_failure_and_not_each_time() -> None:
    world = JobsWorld(job("app", health=check("app", timeout=0.5, timeout_text="500ms"))).start()
    world.processes.stubborn.add("check")
    world.advance(30)
    assert logged(world, "warning")[:4] == [
        "warning: check.app timeout after 500ms: '[]'",
        "warning: killing command for check.app",
        "error: check.app exited with error: signal: killed",
        "warning: check.app: app is unhealthy: timeout",
    ]
    assert len(logged(world, "error")) == LOGGED_FAILURES
    assert len(logged(world, "warning")) == 3 * LOGGED_FAILURES + 1
    world.advance(60)
    assert len(logged(world, "warning")) == 3 * LOGGED_FAILURES + 1 + 3


def test_a_check_that_cannot_be_started_is_logged_likewise() -> None:
    world = failing()
    world.processes.missing.add("check")
    world.advance(100.5)
    reason = 'exec: "check": executable file not found in $PATH'
    lines = logged(world, "warning")
    assert lines[:2] == [
        f"error: unable to start check.app: {reason}",
        f"warning: check.app: app is unhealthy: {reason}",
    ]
    assert len(lines) == LOGGED_FAILURES + 2
    assert lines[-1].startswith(f"error: unable to start check.app: {reason} (failure ")


def test_a_query_that_a_stop_or_maintenance_ends_has_not_failed() -> None:
    world = failing(seconds=0.8)
    world.advance(1.5)  # it runs
    world.maintenance(True)
    world.advance(2)
    world.maintenance(False)
    world.advance(0.7)
    world.terminate()
    world.advance(1)
    assert logged(world, "info") == []


def test_maintenance_ends_an_outage_without_a_word() -> None:
    world = failing()
    world.advance(2.5)
    world.maintenance(True)
    world.processes.termination["check"] = (0.1, 0)
    world.maintenance(False)
    world.advance(2)
    assert logged(world, "info")[-1] == f"error: {FAILURE}"


def test_an_outage_goes_on_while_the_job_is_restarted() -> None:
    world = JobsWorld(job("app", restarts=None, health=check("app")))
    world.processes.termination["check"] = (0.1, 3)
    world.start().advance(1.5)
    world.exit("app", 1)
    world.advance(2)
    world.processes.termination["check"] = (0.1, 0)
    world.advance(1)
    assert [line for line in logged(world, "info") if FAILURE not in line] == [
        "warning: check.app: app is unhealthy: exit status 3",
        "info: check.app: app is healthy again after 3.0 s and 3 failures",
    ]


def test_a_job_that_was_never_unhealthy_logs_nothing() -> None:
    world = failing(code=0)
    world.advance(5)
    assert logged(world, "info") == []
    assert "debug: check.app: app is healthy" in world.log.lines
    assert "debug: check.app exited without error" in world.log.lines


def test_a_job_without_a_command_for_its_check_says_nothing() -> None:
    world = JobsWorld(job("app", health=check("app", None))).start()
    world.advance(5)
    assert logged(world, "debug", "healthy") == []


def test_the_services_dialect_is_as_silent_as_containerpilot_2() -> None:
    world = World(app(), service("check"))
    world.processes.termination["check"] = (0.1, 3)
    world.start().advance(20.5)
    world.processes.termination["check"] = (0.1, 0)
    world.advance(1)
    assert logged(world, "info", "web.health") == []
    lines = logged(world, "debug", "web.health")
    assert lines.count("debug: web.health exited with error: exit status 3") == 20
    assert "debug: web.health: web is unhealthy: exit status 3" in lines
    assert "debug: web.health: web is healthy again after 20.0 s and 20 failures" in lines


def test_the_services_dialect_logs_each_check_that_cannot_be_started_or_runs_too_long() -> None:
    world = World(app(), service("check", timeout=0.5, timeout_text="500ms"))
    world.processes.missing.add("check")
    world.start().advance(15.5)
    assert len(logged(world, "error", "Unable to start web.health: ")) == 15
    world.processes.missing.clear()
    world.processes.stubborn.add("check")
    world.advance(15)
    assert len(logged(world, "warning", "web.health timeout after 500ms")) == 15


# --- alone

PLAN = Check(label="check.app", interval=1.0, command=("check",), logs_failures=True)


def checked_job(**changes: Any) -> Health:
    return Health("app", (PLAN.replace(**changes),), 0.0)


def take(health: Health, result: Result, now: float) -> Consequence:
    """The job's one check ends with this result."""
    return health.take(health.checks[0], result, now)


def failure(output: str = "", reason: str = "exit status 3") -> Result:
    return Result(output, reason, f"check.app exited with error: {reason}")


def test_status_failures_and_the_reported_state() -> None:
    health = checked_job(critical_after=2)
    steps = [
        (failure(), UNHEALTHY, 1, ""),
        (failure(), UNHEALTHY, 2, "critical"),
        (Result("fine"), HEALTHY, 0, "passing"),
        (failure("ill"), UNHEALTHY, 1, ""),
    ]
    for now, (result, status, failures, reported) in enumerate(steps):
        follows = take(health, result, float(now))
        assert (health.status, health.checks[0].failures, health.checks[0].output) == (status, failures, result.output)
        assert (follows.event, follows.reported) == (status, reported)
    health.reset(9.0)
    assert (health.status, health.checks[0].failures) == (UNKNOWN, 1)
    health.forget()
    assert health.checks[0].failures == 0


def test_the_last_output_is_the_reason_and_a_long_one_is_cut() -> None:
    assert take(checked_job(), failure("no database"), 0).lines[1] == (
        "warning",
        "check.app: app is unhealthy: no database",
    )
    _, text = take(checked_job(), failure("x" * 5000), 0).lines[1]
    assert text == f"check.app: app is unhealthy: {'x' * SHOWN_OUTPUT}…"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (12.34, "12.3 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_how_long_an_outage_lasted(seconds: float, words: str) -> None:
    health = checked_job()
    take(health, failure(), 10.0)
    level, text = take(health, Result("ok"), 10.0 + seconds).lines[-1]
    assert (level, text) == ("info", f"check.app: app is healthy again after {words} and 1 failure")


def test_since_when_it_is_so() -> None:
    health = checked_job()
    seen = []
    for now, result in enumerate([failure(), failure(), Result("ok"), Result("ok"), failure()], 10):
        take(health, result, float(now))
        seen.append(health.since)
    assert seen == [10.0, 10.0, 12.0, 12.0, 14.0]
    health.reset(9.0)
    assert (health.status, health.since) == (UNKNOWN, None)


def test_operators_are_shown_since_when() -> None:
    world = failing()
    assert world.seen("app")["health"]["since"] is None
    world.advance(3.5)
    health = world.seen("app")["health"]
    assert health["since"] < health["at"]


def test_time_of_the_last_change_of_health_does_not_move_with_each_check() -> None:
    health = checked_job()
    since = []
    for now, result in enumerate([Result(""), Result(""), failure(), failure(), Result("")]):
        take(health, result, float(now))
        since.append(health.since)
    assert since == [0.0, 0.0, 2.0, 2.0, 4.0]


def test_output_that_is_just_not_too_long_is_shown_whole() -> None:
    _, text = take(checked_job(), failure("x" * SHOWN_OUTPUT), 0).lines[1]
    assert text == f"check.app: app is unhealthy: {'x' * SHOWN_OUTPUT}"
