"""Random plans under random events against the model. A usual run plays the same scenarios each time."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, seed, settings

from cp.engine.checks import Check, Checks
from cp.engine.engine import Engine
from cp.engine.health import CheckState, Health, Result
from cp.engine.job import Job
from cp.engine.job_runs import JobRuns
from cp.engine.readiness import Readiness
from cp.engine.registry import JobRegistry
from cp.engine.restart_policy import RestartPolicy
from cp.engine.run import Run
from cp.engine.shutdown import ExitCode
from cp.engine.skipping import SkippedJobs
from cp.engine.states import STOPPING_STATES, State
from cp.engine.termination import Termination
from cp.engine.timers import Backoff
from cp.engine.trigger import Trigger
from cp.readiness.monitor import Monitor
from cp.readiness.watchdog import Watchdog
from tests.model.children import FakeProcesses
from tests.model.drawing import from_seed, play, scenarios
from tests.model.reports import FakeProbe
from tests.model.scenario import Scenario
from tests.size import FULL

PARTS = [("jobs", number) for number in range(6)] + [("services", number) for number in range(2)]
EACH = 1250 if FULL else 125
FOUND = (5000622, 5002248, 5003210, 77015165, 99008817, 88000900, 1796038648000685)  # by the soak, and mended since


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("dialect", "part"), PARTS)
def test_the_engine_always_does_what_the_model_expects(dialect: str, part: int) -> None:
    @seed(part)
    @settings(max_examples=EACH)
    @given(scenarios(dialect))
    def check(scenario: Scenario) -> None:
        play(scenario)

    open_before = len(os.listdir("/proc/self/fd"))
    check()
    assert len(os.listdir("/proc/self/fd")) <= open_before


@pytest.mark.parametrize("number", FOUND)
def test_bugs_that_the_soak_found_are_fixed(number: int) -> None:
    play(from_seed(number, more=False))  # they are older than `more`


def test_a_seed_is_always_the_same_scenario() -> None:
    assert repr(from_seed(7)) == repr(from_seed(7))
    assert repr(from_seed(7)) != repr(from_seed(8))


# --- the model finds what is wrong

took, ended, failed, next_start = CheckState.take, JobRuns.end, Job.fail_run, RestartPolicy.next_start


def below_the_threshold(check: CheckState, result: Result, now: float) -> Any:
    lines = took(check, result, now)
    check.verdict = "unhealthy" if check.failures else check.verdict
    return lines


def after_one_success(check: CheckState, result: Result, now: float) -> Any:
    check.passes = 9
    return took(check, result, now)


def without_its_failure(runs: JobRuns, job: Any, run: Run, code: int | None, start_error: str) -> Any:
    run.failure = ""
    return ended(runs, job, run, code, start_error)


def after_a_success(restarts: RestartPolicy, now: float, seconds: float, *, failed: bool) -> float | None:
    return next_start(restarts, now, seconds, failed=True)


def ready_again(readiness: Readiness) -> None:
    """As if nothing had been so far."""
    readiness.since = readiness._context.loop.now()
    readiness._on_ready()


Change = tuple[type, str, Any]

FAULTS: dict[str, Change] = {
    "an event that came while the process ran is lost": (Job, "_wait_again", lambda job: job._move(State.WAITING)),
    "there is one restart more than there should be": (RestartPolicy, "_take", lambda restarts: True),
    "an old restart still counts": (RestartPolicy, "_within", lambda restarts, now: restarts._recent),
    "a job with `on: failure` is restarted after a success": (RestartPolicy, "next_start", after_a_success),
    "a job does not wait for a restart to be left": (RestartPolicy, "_room_at", lambda restarts, start, *_: start),
    "a held job waits for its event": (Job, "hold", lambda job: None),
    "no restart has a pause before it": (Backoff, "pause_after", lambda backoff, seconds: 0.0),
    "nobody waits for hooks": (JobRegistry, "dependents", lambda registry, job: []),
    "nobody receives that a hook is done": (Job, "dependent_done", lambda job, other: None),
    "nothing is killed when the budget is spent": (Termination, "_spent", lambda termination: None),
    "what is to be killed gets SIGTERM": (
        Termination,
        "kill",
        lambda termination, run: termination.terminate(run, True),
    ),
    "a timeout is forgotten": (Run, "_time_is_up", lambda run: None),
    "a process that hangs is waited for": (Termination, "_give_up", lambda termination, run: None),
    "a service stays when its job has ended": (Engine, "deregister", lambda engine, service: None),
    "no health check is run": (Check, "start", lambda check: None),
    "a job is checked in the pause between two runs": (
        Job,
        "_is_checked",
        lambda job: not (job._supervisor.stopping or job._supervisor.maintenance or job.state in STOPPING_STATES),
    ),
    "a check of the last process counts for the next one": (Health, "process_ended", Health.reset),
    "each run gets all instances, and never the removed ones": (Trigger, "started", lambda trigger: None),
    "a job that a reload replaces has forgotten the instances it got": (
        Trigger,
        "succeed",
        lambda trigger, other: None,
    ),
    "a new job does not receive earlier events": (JobRegistry, "catch_up", lambda registry, job, missed: None),
    "a job waits for what can no longer come": (SkippedJobs, "review", lambda skipping, ended=None: None),
    "a skipped job does not wait again": (Job, "wait", lambda job, skip=None: skip and job._move(State.SKIPPED)),
    "our exit code is not that of the main job": (ExitCode, "main_completed", lambda exit_code, main, stopping: None),
    "an unhealthy job is not restarted": (Job, "fail_run", lambda job, why, then, abort=False: why == "onUnhealthy"),
    "failures below the threshold count": (CheckState, "take", below_the_threshold),
    "successes below the threshold count": (
        CheckState,
        "take",
        after_one_success,
    ),
    "the start period is ignored": (CheckState, "is_starting", lambda check, now: False),
    "the start interval is ignored": (Checks, "run_started", lambda checks: None),
    "a job is healthy when one of its checks is": (
        Health,
        "_verdict",
        lambda health: "healthy" if any(check.verdict == "healthy" for check in health.checks) else "unhealthy",
    ),
    "a run keeps the failures of the one before": (CheckState, "reset", lambda check, now: None),
    "ready comes twice": (Readiness, "became_ready", ready_again),
    "a run is ready before its process says so": (
        Readiness,
        "run_started",
        lambda readiness, is_checked: readiness.became_ready(),
    ),
    "a service is registered before it is ready": (Readiness, "may_register", True),
    "a run that is not ready in time goes on": (Monitor, "_is_too_late", lambda monitor, ready: None),
    "a ready run has a time limit still": (Monitor, "_cancel_limit", lambda monitor: None),
    "the watchdog never fires": (Watchdog, "start", lambda watchdog: None),
    "the watchdog receives nothing": (Watchdog, "reported", lambda watchdog: None),
    "a failed run counts as a success": (JobRuns, "end", without_its_failure),
    "a failed run is not killed": (Run, "_kill_failed", lambda run, seconds: None),
    "a job with `stop` is restarted": (
        Job,
        "fail_run",
        lambda job, why, then, abort=False: failed(job, why, "restart", abort),
    ),
    "a check runs while a failed run ends": (JobRuns, "is_failing", False),
    "a run that has failed becomes ready": (Readiness, "is_stopping", lambda readiness: None),
    "a probe goes on after its job": (FakeProbe, "cancel", lambda probe: None),
    "what was left in the background stays": (Termination, "end_leftovers", lambda termination: False),
    "a daemon outlives its job": (FakeProcesses, "holders", lambda processes, *_, **__: iter(())),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_model_finds_a_fault(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these breaks the engine; scenarios are played until a promise is found broken."""
    owner, name, instead = FAULTS[fault]
    monkeypatch.setattr(owner, name, instead)
    found = next(filter(None, map(what_breaks, range(2000))), "it is not found")
    assert found.startswith("broken: ")


def what_breaks(number: int) -> str:
    """The finding when the scenario of this number is played; empty if all rules are kept."""
    try:
        play(from_seed(number))
    except AssertionError as broken:
        return str(broken)
    return ""
