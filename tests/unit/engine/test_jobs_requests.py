"""Requests of an operator that wait for each other, and those that act on processes and on all jobs."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Job
from tests.unit.engine.jobs_world import JobsWorld, refusal
from tests.unit.engine.plans import each, every, job, once

DONE = [""]


def hooked(**changes: Any) -> tuple[Job, Job, Job]:
    return (
        job("app", **changes),
        job("pre", once("stopping", "app")),
        job("post", once("stopped", "app")),
    )


def test_requests_wait_for_their_turn_and_each_has_one_outcome() -> None:
    world = JobsWorld(*hooked()).start()
    stopped = world.ask("stop", "app")
    started = world.ask("start", "app")
    restarted = world.ask("restart", "app")
    assert stopped == started == restarted == []
    for name in ("pre", "post"):
        world.exit(name)
    assert stopped == started == DONE
    for name in ("pre", "post"):
        world.exit(name)
    assert restarted == DONE
    assert world.starts("app") == ["app"] * 3


def test_a_stop_of_the_program_refuses_requests() -> None:
    world = JobsWorld(*hooked()).start()
    stopped = world.ask("stop", "app")
    started = world.ask("start", "app")
    world.terminate()
    assert stopped == started == ["ContainerPilot is stopping"]
    assert world.ask("restart", "app") == ["ContainerPilot is stopping"]
    world.exit("pre")
    for process in world.processes.running("post"):
        process.exit(0)
    assert world.over
    assert stopped == started == ["ContainerPilot is stopping"]


def test_main_job_that_was_being_restarted_gives_its_code_to_a_stop() -> None:
    world = JobsWorld(job("app", main=True), job("post", once("stopped", "app"))).start()
    world.ask("restart", "app")
    assert world.state("app") == "complete"
    world.advance(1)
    world.terminate()
    assert world.over
    assert world.engine.exit_code == 143


def test_a_job_can_be_seen_while_it_is_replaced() -> None:
    world = JobsWorld(*hooked()).start()
    world.ask("restart", "app")
    world.exit("pre")
    assert world.seen("app")["state"] == "complete"
    overview: dict[str, Any] = world.admin.overview()
    assert [seen["name"] for seen in overview["jobs"]] == ["app", "pre", "post"]


def test_jobs_come_and_go_while_they_are_described() -> None:
    """An overview of thousands of jobs is made in steps: each job is described when its turn comes, if it is there."""
    world = JobsWorld(job("first"), job("gone"), job("stays")).start()
    overview: dict[str, Any] = world.admin.overview()
    jobs = iter(overview["jobs"])
    seen = [next(jobs)]
    world.reload(job("first"), job("stays"), job("new"))
    world.advance(1)
    world.exit("stays", 3)
    seen += jobs
    assert [(each["name"], each["state"]) for each in seen] == [("first", "running"), ("stays", "complete")]
    later: dict[str, Any] = world.admin.overview()
    assert [each["name"] for each in later["jobs"]] == ["first", "stays", "new"]


def test_a_thousand_requests_may_wait_and_no_more() -> None:
    world = JobsWorld(*hooked()).start()
    world.ask("stop", "app")
    outcomes: list[str] = []
    for _ in range(1001):
        world.admin.start_job("app", outcomes.append)
    assert outcomes == ["1000 changes are waiting for their turn already"]
    world.exit("pre")
    world.exit("post")
    assert outcomes[1:] == DONE * 1000


def test_a_reload_that_was_refused_does_not_swallow_those_that_come_later() -> None:
    world = JobsWorld(*hooked()).start()
    world.ask("stop", "app")
    for _ in range(1000):
        world.ask("start", "app")
    world.next_plan = world.plan
    refused, reloaded = reload(world), reload(world)
    assert refused == reloaded == ["1000 changes are waiting for their turn already"]
    world.exit("pre")
    world.exit("post")  # and now all that waited is done

    world.ask("restart", "app")
    later = reload(world)
    world.exit("pre")
    world.exit("post")

    assert later == DONE
    assert world.processes.running("app")


def test_an_internal_error_in_a_reload_is_reported_and_the_next_request_is_served() -> None:
    def load() -> None:
        raise OSError("no more of anything")

    world = JobsWorld(*hooked()).start()
    world.engine.changes._load = load  # type: ignore[assignment]
    world.ask("stop", "app")
    reloaded = reload(world)
    started = world.ask("start", "app")
    world.exit("pre")
    with pytest.raises(OSError, match="no more of anything"):
        world.exit("post")  # the real loop reports it and goes on
    world.loop.settle()

    assert reloaded == ["internal error: see the log"]
    assert started == DONE
    assert world.processes.running("app")


def reload(world: JobsWorld) -> list[str]:
    outcomes: list[str] = []
    world.admin.reload(outcomes.append)
    world.loop.settle()
    return outcomes


# --- what cannot be started

MISSING = 'cannot be started: exec: "app": executable file not found in $PATH'


@pytest.mark.parametrize("request_", ["start", "restart"])
@pytest.mark.parametrize(
    "planned",
    [
        job("app"),
        job("app", restarts=None),
        job("app", once("healthy", "other")),
        job("app", each("signal", "SIGHUP")),
        job("app", every(5)),
        job("app", once("stopped", "other")),
        job("app", main=True),
    ],
    ids=["complete", "restarts", "once", "each", "interval", "hook", "main"],
)
def test_a_job_that_cannot_be_started_is_not_a_success(request_: str, planned: Job) -> None:
    world = JobsWorld(planned, job("other")).start()
    world.ask("stop", "app")
    world.processes.missing.add("app")

    assert world.ask(request_, "app") == [f"app {MISSING}"]

    world.processes.missing.clear()
    if not world.over:
        assert world.ask(request_, "app") == DONE


def test_a_job_that_pauses_because_it_cannot_be_started_is_not_a_success() -> None:
    world = JobsWorld(job("app", restarts=None), job("other"))
    world.processes.missing.add("app")
    world.start().advance(1)
    assert world.state("app") == "pausing"
    for request in ("start", "restart"):
        assert world.ask(request, "app") == [f"app {MISSING}"]
    world.processes.missing.clear()
    assert world.ask("start", "app") == world.ask("start", "app") == DONE


def test_a_job_that_runs_is_started_after_any_failure() -> None:
    world = JobsWorld(job("app", restarts=None), job("other"))
    world.processes.missing.add("app")
    world.start()
    world.processes.missing.clear()
    world.advance(1)
    assert world.state("app") == "running"
    assert world.ask("start", "app") == DONE


def test_a_restart_reports_a_job_that_cannot_come_back() -> None:
    world = JobsWorld(*hooked()).start()
    world.processes.missing.add("app")
    restarted = world.ask("restart", "app")
    for name in ("pre", "post"):
        world.exit(name)
    assert restarted == [f"app {MISSING}"]


def test_a_reload_reports_jobs_that_cannot_be_started_and_stays_in_force() -> None:
    world = JobsWorld(job("kept"), job("old")).start()
    world.processes.missing |= {"app", "new"}
    world.next_plan = world.plan.replace(
        jobs=(job("kept"), job("app", restarts=None), job("new"), job("late", once("healthy", "kept")), job("fine"))
    )

    assert reload(world) == [
        f"the new configuration is in use, but app {MISSING}\n" + f"new {MISSING}".replace('"app"', '"new"')
    ]

    assert [name for name in ("kept", "fine") if world.processes.running(name)] == ["kept", "fine"]
    assert not world.processes.running("old")
    world.processes.missing.clear()
    assert reload(world) == DONE


def test_a_request_that_comes_before_a_failed_start_is_answered_waits_for_its_own_outcome() -> None:
    """At that moment the job looks as if it ran: a second start would find it done, and is tried instead."""
    world = JobsWorld(job("app"), job("other")).start()
    world.ask("stop", "app")
    world.processes.missing.add("app")
    outcomes: list[str] = []

    for _ in range(3):
        world.admin.start_job("app", outcomes.append)
    world.loop.settle()

    assert outcomes == [f"app {MISSING}"] * 3


def test_starts_that_fail_after_they_waited_for_their_turn_have_one_outcome_each() -> None:
    world = JobsWorld(*hooked(), job("bad", once("healthy", "app"), restarts=None)).start()
    world.processes.missing.add("bad")
    stopped = world.ask("stop", "app")
    outcomes = [world.ask("start", "bad") for _ in range(3)]
    assert outcomes == [[], [], []]

    for name in ("pre", "post"):
        world.exit(name)

    assert stopped == DONE
    assert outcomes == [["bad " + MISSING.replace('"app"', '"bad"')]] * 3


# --- signals


def test_signal_to_a_job_whose_process_has_exited_says_so() -> None:
    world = JobsWorld(job("app")).start()
    run = world.engine.jobs["app"].runs.current
    assert run is not None
    run._exit_code = 0  # a child of it has its output still

    assert refusal(world.admin.signal_job, "app", 1) == (
        "app has no process: it has exited, and what it left has its output open"
    )


def test_signal_goes_to_the_process_alone() -> None:
    world = JobsWorld(job("app"), job("none", command=None), job("held")).start()
    assert refusal(world.admin.signal_job, "app", 10) == ""
    assert world.processes.all[0].signals == [("SIGUSR1", False)]
    world.ask("stop", "held")
    assert refusal(world.admin.signal_job, "none", 10) == "none has no process: it is active"
    assert refusal(world.admin.signal_job, "held", 10) == "held has no process: it is held"


def test_signal_to_a_job_without_a_process_is_refused_in_every_state() -> None:
    world = JobsWorld(
        job("app", restarts=None),
        job("task", every(5), restarts=None),
        job("hook", once("stopping", "app")),
        job("late", once("healthy", "app")),
        job("short"),
    )
    world.processes.termination |= {"app": (0.0, 1), "task": (0.0, 0), "short": (0.0, 0)}
    world.start().advance(0.05)
    for name, state in (
        ("app", "pausing"),
        ("task", "scheduled"),
        ("hook", "waiting"),
        ("late", "waiting"),
        ("short", "complete"),
    ):
        assert refusal(world.admin.signal_job, name, 1) == f"{name} has no process: it is {state}"


def test_signal_that_the_system_refuses_is_reported() -> None:
    """The process has become another user's, and we are not root."""
    world = JobsWorld(job("app")).start()
    world.processes.signal = lambda process, number, *, group: False  # type: ignore[method-assign]

    assert refusal(world.admin.signal_job, "app", 1).startswith("app cannot be sent a signal: ")


def test_signal_reaches_a_hook_that_runs_and_the_job_that_waits_for_it() -> None:
    world = JobsWorld(*hooked()).start()
    world.ask("stop", "app")
    assert refusal(world.admin.signal_job, "pre", 1) == refusal(world.admin.signal_job, "app", 1) == ""
    assert world.happened[-2:] == ["SIGHUP pre", "SIGHUP app"]


def test_a_signal_that_ends_the_process_is_an_exit_like_any_other() -> None:
    world = JobsWorld(job("app", restarts=1)).start()
    world.admin.signal_job("app", 15)
    world.advance(0)
    assert world.starts() == ["app"] * 2
    assert "error: app exited with error: signal: terminated" in world.log.lines


def test_an_environment_changed_by_the_operator_is_that_of_processes_to_come() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP"))).start()
    world.admin.change_environment({"GREETING": "a=b", "PATH": None})
    world.signal(1, "SIGHUP")
    (process,) = world.processes.running("app")
    assert process.environ["GREETING"] == "a=b"
    assert "PATH" not in process.environ


def test_metrics_are_events() -> None:
    world = JobsWorld(job("app")).start()
    assert refusal(world.admin.record_metrics, [("zed", "1.5"), ("other", "2")]) == ""
    world.loop.settle()
    assert world.events[-2:] == ["metric zed|1.5", "metric other|2"]
