"""The exit code of ContainerPilot, without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cp.engine.exit_status import Exit
from cp.engine.shutdown import ExitCode
from cp.engine.states import State
from tests.unit.engine.plans import job, once
from tests.unit.engine.world import FakeLog


class LivingRun:
    def __init__(self, *, is_forbidden: bool) -> None:
        self.is_forbidden = is_forbidden


def main_job(end: int | None = None, **changes: Any) -> Any:
    """The main job; `end` is the exit of its last run, -N after signal N."""
    plan = job("app", once("healthy", "db"), main=True)
    last_exit = None if end is None else Exit(plan, end, 0.0)
    runs = SimpleNamespace(count=0 if end is None else 1, current=None, pid=0)
    state = State.WAITING if end is None else State.COMPLETE
    members = {
        "name": "app",
        "plan": plan,
        "last_exit": last_exit,
        "runs": runs,
        "state": state,
        "started": bool(runs.count),
    }
    return SimpleNamespace(**{**members, **changes})


HELPER, HOOK = (SimpleNamespace(is_hook=is_hook) for is_hook in (False, True))


@pytest.mark.parametrize(("end", "code"), [(0, 0), (7, 7), (-9, 137), (-15, 143)])
def test_code_of_the_main_job_counts(end: int, code: int) -> None:
    exit_code = ExitCode(FakeLog())
    exit_code.main_completed(main_job(end), stopping=False)
    assert exit_code.value == code


@pytest.mark.parametrize(
    ("stopping", "code", "lines"),
    [(False, 1, ["error: app was never started: db did not become healthy"]), (True, 0, [])],
)
def test_main_job_that_was_never_started_is_a_failure_unless_a_stop_prevented_it(
    stopping: bool, code: int, lines: list[str]
) -> None:
    log = FakeLog()
    exit_code = ExitCode(log)
    exit_code.main_completed(main_job(), stopping=stopping)
    assert (exit_code.value, log.lines) == (code, lines)


@pytest.mark.parametrize(
    ("failed", "code", "main", "result"),
    [
        (HELPER, 3, None, 3),
        (HELPER, -9, None, 255),
        (HELPER, 3, 5, 5),  # the main job ended first
        (HOOK, 3, 5, 3),
        (HOOK, -9, 0, 255),
    ],
)
def test_failure_on_which_everything_depends(failed: Any, code: int, main: int | None, result: int) -> None:
    exit_code = ExitCode(FakeLog())
    exit_code.job_failed(failed, code, [main_job(main)])
    assert exit_code.value == result


@pytest.mark.parametrize(("end", "code"), [(None, 143), (4, 4)])
def test_stop_request_ends_a_main_job_that_has_not_run(end: int | None, code: int) -> None:
    exit_code = ExitCode(FakeLog())
    exit_code.stop_requested(15, [main_job(end)], 0.0)
    assert exit_code.value == code


def test_stop_request_leaves_the_code_to_a_main_job_that_runs() -> None:
    runs = SimpleNamespace(count=1, current=LivingRun(is_forbidden=False), pid=7)
    exit_code = ExitCode(FakeLog())
    exit_code.stop_requested(15, [main_job(runs=runs, state=State.RUNNING)], 0.0)
    assert exit_code.value == 0


@pytest.mark.parametrize(("is_forbidden", "code"), [(False, 137), (True, 1)])
def test_main_job_that_is_left_running(is_forbidden: bool, code: int) -> None:
    runs = SimpleNamespace(count=1, current=LivingRun(is_forbidden=is_forbidden), pid=7)
    exit_code = ExitCode(FakeLog())
    exit_code.left_running([main_job(runs=runs, state=State.TERMINATING)])
    assert exit_code.value == code
