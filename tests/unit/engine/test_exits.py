"""Which ends of a run are a success, for whom, and how they are reported."""

from __future__ import annotations

import signal

import pytest

from cp.engine.exits import Exit
from cp.plan import Job
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import STARTUP, check, job, once


def ended(code: int, *success: int, error: str = "", timed_out: bool = False) -> Exit:
    plan = Job(name="app", when=STARTUP, success_codes=success)
    return Exit(plan, code, 0.0, error=error, timed_out=timed_out)


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
        (ended(-9, 137, timed_out=True), False, 137),
    ],
)
def test_what_is_a_success_and_what_others_see(end: Exit, succeeded: bool, outside: int) -> None:
    assert (end.succeeded, end.outside) == (succeeded, outside)


def test_code_of_a_success_starts_what_waits_for_one_and_is_shown_as_it_is() -> None:
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


def test_main_job_that_is_killed_by_its_time_limit_has_failed_whatever_codes_are_a_success() -> None:
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
    world.processes.endings["check"] = (0.1, 3)
    world.advance(1.5)
    assert world.count("unhealthy app") == 1
