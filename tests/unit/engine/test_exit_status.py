"""Which ends of a run are a success, for whom, and how they are reported."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cp.engine.exit_status import Exit, describe_exit, shell_code
from cp.engine.job_runs import report_exit
from cp.plan import Job
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import STARTUP, app, check, job, once
from tests.unit.engine.world import FakeLog


def ended(code: int, *success: int, error: str = "", is_failure: bool = False) -> Exit:
    plan = Job(name="app", when=STARTUP, success_codes=success)
    return Exit(plan, code, 0.0, error=error, is_failure=is_failure)


@pytest.mark.parametrize(
    ("end", "succeeded", "outside"),
    [
        (ended(0), True, 0),
        (ended(0, 143), True, 0),
        (ended(7), False, 7),
        (ended(7, 0, 7), True, 0),
        (ended(143, 143), True, 0),
        (ended(-15, 143), True, 0),
        (ended(-15, 15), False, 143),
        (ended(15, 143), False, 15),
        (ended(-9, 143), False, 137),
        (ended(-64, 192), True, 0),
        (ended(127, 127, error="not found"), False, 127),
        (ended(-9, 137, is_failure=True), False, 137),
    ],
)
def test_a_success_and_the_events_that_others_see(end: Exit, succeeded: bool, outside: int) -> None:
    assert (end.succeeded, end.outside) == (succeeded, outside)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (255, "exit status 255"),
        (-1, "signal: hangup"),
        (-2, "signal: interrupt"),
        (-3, "signal: quit"),
        (-4, "signal: illegal instruction"),
        (-5, "signal: trace/breakpoint trap"),
        (-6, "signal: aborted"),
        (-7, "signal: bus error"),
        (-8, "signal: floating point exception"),
        (-9, "signal: killed"),
        (-10, "signal: user defined signal 1"),
        (-11, "signal: segmentation fault"),
        (-12, "signal: user defined signal 2"),
        (-13, "signal: broken pipe"),
        (-14, "signal: alarm clock"),
        (-15, "signal: terminated"),
        (-16, "signal: signal 16"),
        (-64, "signal: signal 64"),
    ],
)
def test_words_for_an_exit_are_those_of_go(code: int, words: str) -> None:
    assert describe_exit(code) == words


@pytest.mark.parametrize(("code", "shells"), [(0, 0), (1, 1), (255, 255), (-1, 129), (-9, 137)])
def test_shells_give_a_death_by_a_signal_128_and_its_number(code: int, shells: int) -> None:
    assert shell_code(code) == shells


BY_US = {"interrupted": True}
BY_ITS_LIMIT = {"interrupted": True, "timed_out": True}
LOUD = job("app", success_codes=(3,))
QUIET = job("app", failure_level="warning")
MAIN = job("app", main=True)
OLD = app(failure_text="exited ({code}): {reason}")  # of the services dialect


@pytest.mark.parametrize(
    ("plan", "code", "error", "how", "line"),
    [
        (LOUD, 0, "", {}, "debug: app exited without error"),
        (LOUD, 3, "", {}, "debug: app exited with exit status 3, which counts as a success"),
        (LOUD, 1, "", {}, "error: app exited with error: exit status 1"),
        (LOUD, -15, "", BY_US, "debug: app exited with error: signal: terminated"),
        (LOUD, -9, "", BY_ITS_LIMIT, "error: app exited with error: signal: killed"),
        (MAIN, -15, "", BY_US, "error: app exited with error: signal: terminated"),
        (LOUD, 127, "not found", {}, "debug: app exited with error: not found"),  # it is an error in the log already
        (QUIET, 127, "not found", {}, "warning: app exited with error: not found"),
        (QUIET, 1, "", {}, "warning: app exited with error: exit status 1"),
        (OLD, -9, "", {}, "debug: APP exited (-1): signal: killed"),
        (OLD, 7, "", {}, "debug: APP exited (7): exit status 7"),
    ],
)
def test_end_is_reported_as_loudly_as_it_matters(
    plan: Job, code: int, error: str, how: dict[str, bool], line: str
) -> None:
    log = FakeLog()
    run = SimpleNamespace(
        **{"label": plan.name, "log_fields": (), "interrupted": False, "timed_out": False, "failure": "", **how}
    )
    report_exit(log, plan, cast("Any", run), Exit(plan, code, 0.0, error=error, is_failure=run.timed_out))
    assert log.lines == [line]


def test_a_success_code_starts_jobs_that_wait_for_success_and_is_shown_unchanged() -> None:
    world = JobsWorld(
        job("app", success_codes=(3,)),
        job("good", once("exitSuccess", "app")),
        job("bad", once("exitFailed", "app"), timeout=60.0),
    ).start()

    world.exit("app", 3)

    assert world.starts("good", "bad") == ["good"]
    assert (world.count("exitSuccess app"), world.count("exitFailed app"), world.count("error app: exit status 3")) == (
        1,
        0,
        0,
    )
    last = world.seen("app")["lastExit"]
    assert (last["code"], last["success"], last["text"]) == (3, True, "exit status 3")
    assert not [line for line in world.log.lines if line.startswith("error")]


def test_main_job_that_ends_with_a_code_of_success_gives_zero() -> None:
    world = JobsWorld(job("app", main=True, success_codes=(143,))).start()
    world.terminate()
    assert (world.over, world.engine.exit_code) == (True, 0)


def test_main_job_that_is_killed_by_its_time_limit_has_failed_with_any_success_codes() -> None:
    world = JobsWorld(job("app", main=True, success_codes=(137,), timeout=5.0)).start()
    world.advance(6)
    assert (world.over, world.engine.exit_code) == (True, 137)
    assert world.count("exitFailed app") == 1


def test_stop_before_the_main_job_has_started_counts_as_its_end_by_that_signal() -> None:
    for codes, code in (((), 143), ((143,), 0)):
        world = JobsWorld(job("prepare"), job("app", once("exitSuccess", "prepare"), main=True, success_codes=codes))
        world.start().engine.request_stop(signal.SIGTERM)
        world.loop.settle()
        assert (world.over, world.engine.exit_code) == (True, code)


def test_code_of_success_uses_up_restarts_as_any_other() -> None:
    world = JobsWorld(job("app", restarts=1, success_codes=(3,)), job("other")).start()
    world.exit("app", 3)
    world.advance(1)
    world.exit("app", 3)
    assert world.starts("app") == ["app", "app"]


def test_exit_of_a_check_is_not_meant_by_the_codes_of_its_job() -> None:
    world = JobsWorld(job("app", success_codes=(3,), health=check("app"))).start()
    world.processes.termination["check"] = (0.1, 3)
    world.advance(1.5)
    assert world.count("unhealthy app") == 1
