"""The runs of a job's command, without a job."""

from __future__ import annotations

from typing import Any

from cp.engine.exit_status import NOT_ENDED
from cp.engine.job_runs import JobRuns
from tests.unit.engine.plans import job
from tests.unit.engine.world import World


class Runs:
    def __init__(self, **fields: Any) -> None:
        self.world = World()
        self.plan = job("app", **{"pid_variables": ("APP_PID",), **fields})
        self.runs = JobRuns(self.world.context)
        self.ends: list[tuple[int | None, str]] = []

    def start(self) -> bool:
        started = self.runs.start(self.plan, ("app",), (), lambda code, error: self.ends.append((code, error)))
        assert not self.ends  # never from inside of the call
        return started

    def variable(self) -> str | None:
        return self.world.context.environment.get().get("APP_PID")


def test_run_is_current_until_its_end_is_taken() -> None:
    scene = Runs()
    assert scene.runs.pid == 0
    assert scene.start()
    run = scene.runs.current
    assert run is not None
    assert (scene.runs.pid, scene.variable()) == (run.pid, str(run.pid))

    scene.world.exit("app", 3)
    scene.world.loop.settle()
    assert (scene.ends, scene.runs.pid) == ([(3, "")], 0)

    end = scene.runs.end(scene.plan, run, 3, "")
    assert (end.code, scene.runs.last_exit, scene.runs.current, scene.variable()) == (3, end, None, None)
    assert not scene.runs.has_succeeded


def test_start_that_fails_has_an_end_like_any_other() -> None:
    scene = Runs()
    scene.world.processes.missing.add("app")
    assert not scene.start()
    run = scene.runs.current
    assert run is not None
    scene.world.loop.settle()
    ((code, error),) = scene.ends
    assert (code, error) == (127, 'exec: "app": executable file not found in $PATH')
    scene.runs.end(scene.plan, run, code, error)
    assert (scene.runs.start_error, scene.runs.has_succeeded) == (error, False)


def test_end_of_a_run_that_lives_on_is_a_failure() -> None:
    scene = Runs()
    scene.start()
    run = scene.runs.current
    assert run is not None
    end = scene.runs.end(scene.plan, run, None, "")
    assert (end.code, end.succeeded, end.text) == (NOT_ENDED, False, "it did not end")


def test_nothing_is_known_without_a_run() -> None:
    runs = Runs().runs
    assert (runs.pid, runs.obstacle, runs.refusal, runs.start_error, runs.signal(1, group=False)) == (
        0,
        "",
        "",
        "",
        False,
    )


def test_the_time_limit_of_what_a_process_left_is_no_failure_of_a_process_that_succeeded() -> None:
    scene = Runs()
    assert scene.start()
    run = scene.runs.current
    assert run is not None
    run.timed_out = True
    assert scene.runs.end(scene.plan, run, 0, "").succeeded
    assert not scene.runs.end(scene.plan.replace(success_codes=(137,)), run, -9, "").succeeded
