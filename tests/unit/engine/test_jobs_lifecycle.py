"""Triggers, restarts and intervals of the jobs dialect."""

from __future__ import annotations

import pytest

from cp.engine.events import Event
from cp.plan import Job
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import check, each, every, job, once, watch


def idle() -> Job:
    """Keeps the program alive, and does nothing."""
    return job("idle", command=None)


def test_job_announces_its_end_and_later_events_do_no_harm() -> None:
    world = JobsWorld(job("sleep")).start()
    world.terminate()
    world.publish("changed", "sleep")
    assert world.over
    assert [event for event in world.events if not event.startswith(("exit", "error"))] == [
        "startup global",
        "shutdown global",
        "stopping sleep",
        "stopped sleep",
    ]


def test_stop_announces_a_job_with_a_health_check_once() -> None:
    world = JobsWorld(job("app", health=check("app"))).start()
    world.terminate()
    for event in ("shutdown global", "stopping app", "stopped app"):
        assert world.count(event) == 1


def test_signals_are_events_and_start_jobs_each_time() -> None:
    world = JobsWorld(job("hup", each("signal", "SIGHUP")), job("usr2", each("signal", "SIGUSR2"))).start()
    world.signal(1, "SIGHUP")
    world.signal(12, "SIGUSR2")
    assert world.starts() == ["hup", "usr2"]
    world.exit("hup")
    world.signal(1, "SIGHUP")
    assert world.starts() == ["hup", "usr2", "hup"]
    assert world.count("signal SIGHUP") == 2
    world.terminate()
    assert [world.count(f"{code} {name}") for code in ("stopping", "stopped") for name in ("hup", "usr2")] == [1] * 4


def test_job_gives_up_when_its_event_does_not_come_in_time() -> None:
    world = JobsWorld(job("app", once("exitSuccess", "idle", timeout=0.1)), idle()).start()
    world.advance(0.2)
    assert [world.count(f"{code} app") for code in ("timerExpired", "stopping", "stopped")] == [1, 1, 1]
    assert world.state("app") == "complete"
    world.publish("exitSuccess", "idle")
    assert world.starts() == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("exitSuccess", "idle did not succeed within 10 s"),
        ("healthy", "idle did not become healthy within 10 s"),
        ("timerExpired", "the event timerExpired of idle did not come within 10 s"),
    ],
)
def test_a_main_job_that_gives_up_waiting_ends_the_program_with_1(code: str, reason: str) -> None:
    world = JobsWorld(job("app", once(code, "idle", timeout=10), main=True), idle()).start()
    world.advance(10)
    assert world.over
    assert world.engine.exit_code == 1
    assert f"error: app was never started: {reason}" in world.log.lines


def test_timeout_of_the_trigger_counts_no_longer_once_the_job_runs() -> None:
    world = JobsWorld(job("app", once("startup", "global", timeout=0.5))).start()
    world.advance(1)
    assert world.count("timerExpired app") == 0
    assert world.state("app") == "running"


def test_event_that_comes_together_with_the_timeout_starts_the_job_permanently() -> None:
    world = JobsWorld(job("app", once("healthy", "db", timeout=1)), idle()).start()
    app = world.engine.jobs["app"]
    app._waited_too_long()
    app.triggered(Event("healthy", "db"))  # it was on the bus when the time was up
    world.loop.settle()
    assert world.state("app") == "running"


@pytest.mark.parametrize(("restarts", "runs"), [(3, 4), (1, 2), (0, 1)])
def test_job_runs_once_and_again_for_each_restart(restarts: int, runs: int) -> None:
    world = JobsWorld(job("short", restarts=restarts), idle())
    world.processes.termination["short"] = (0.01, 0)
    world.start().advance(60)
    assert world.count("exitSuccess short") == runs
    assert world.state("short") == "complete"


def test_interval_with_two_restarts_runs_three_times_and_ends_one_interval_later() -> None:
    world = JobsWorld(job("task", every(0.25), restarts=2, timeout=0.25), idle())
    world.processes.termination["task"] = (0.01, 0)
    world.start()
    assert world.starts() == ["task"]
    world.advance(0.74)
    assert world.state("task") == "scheduled"
    world.advance(0.26)
    assert world.count("exitSuccess task") == 3
    assert world.count("exitFailed task") == 0
    assert world.state("task") == "complete"


def test_interval_with_restarts_never_runs_once() -> None:
    world = JobsWorld(job("task", every(1), restarts=0, timeout=1), idle())
    world.processes.termination["task"] = (0.01, 0)
    world.start().advance(10)
    assert world.starts() == ["task"]
    assert world.state("task") == "complete"


@pytest.mark.parametrize(("seconds", "timeout", "timeouts"), [(0.2, 0.5, 0), (2, 0.1, 6), (2, 0.5, 6)])
def test_interval_with_five_restarts_runs_six_times_also_if_runs_are_slow(
    seconds: float, timeout: float, timeouts: int
) -> None:
    world = JobsWorld(job("task", every(0.5), restarts=5, timeout=timeout, timeout_text="t"), idle())
    world.processes.termination["task"] = (seconds, 0)
    world.start().advance(3.6)
    assert len(world.starts("task")) == 6
    assert sum("task timeout after t" in line for line in world.log.lines) == timeouts
    assert world.state("task") == "complete"


def test_interval_whose_timeout_is_longer_waits_for_the_run_before() -> None:
    world = JobsWorld(job("task", every(1), restarts=None, timeout=10), idle())
    world.processes.termination["task"] = (2.5, 0)
    world.start()
    for _ in range(99):
        world.advance(0.1)
        assert len(world.processes.running("task")) <= 1
    assert len(world.starts("task")) == 4
    assert world.story("SIG") == []


def test_interval_counts_restarts_also_where_runs_overlap_the_next_tick() -> None:
    world = JobsWorld(job("task", every(1), restarts=1, timeout=10), idle())
    world.processes.termination["task"] = (2.5, 0)
    world.start().advance(30)
    assert len(world.starts("task")) == 2
    assert world.state("task") == "complete"


def test_failing_interval_job_goes_on_without_limit() -> None:
    world = JobsWorld(job("task", every(1), restarts=None, timeout=1))
    world.processes.termination["task"] = (0.1, 3)
    world.start().advance(20.5)
    assert len(world.starts("task")) == 21


def test_once_is_once() -> None:
    world = JobsWorld(job("app", once("changed", "watch.db")), idle()).start()
    world.publish("changed", "watch.db")
    world.publish("changed", "watch.db")
    world.exit("app")
    assert world.starts() == ["app"]
    assert world.state("app") == "complete"


def test_once_with_two_restarts_ends_with_the_third_run() -> None:
    world = JobsWorld(job("app", once("changed", "watch.db"), restarts=2), idle()).start()
    for _ in range(2):
        world.publish("changed", "watch.db")
    budgets = [world.engine.jobs["app"].restarts.left(world.loop.time)]
    for _ in range(3):
        world.exit("app", 1)
        world.advance(1)
        budgets.append(world.engine.jobs["app"].restarts.left(world.loop.time))
    assert budgets == [2, 1, 0, 0]
    assert world.state("app") == "complete"


def test_once_with_unlimited_restarts_never_ends_by_itself() -> None:
    world = JobsWorld(job("app", once("changed", "watch.db"), restarts=None), idle()).start()
    world.publish("changed", "watch.db")
    for _ in range(5):
        world.exit("app")
        world.advance(20)
    assert world.state("app") == "running"


def test_each_waits_again_after_every_run() -> None:
    world = JobsWorld(job("app", each("changed", "watch.db")), idle()).start()
    for _ in range(3):
        world.publish("changed", "watch.db")
        world.exit("app")
        assert world.state("app") == "waiting"
    assert world.starts() == ["app"] * 3


def test_triggers_while_it_runs_are_remembered_as_one_more_run() -> None:
    world = JobsWorld(job("app", each("changed", "watch.db")), idle()).start()
    for _ in range(4):
        world.publish("changed", "watch.db")
    assert world.starts() == ["app"]
    world.exit("app")
    assert world.starts() == ["app"] * 2
    world.exit("app")
    assert world.starts() == ["app"] * 2
    assert world.state("app") == "waiting"


def test_restart_honours_the_trigger_that_came_meanwhile() -> None:
    world = JobsWorld(job("app", each("changed", "watch.db"), restarts=1), idle()).start()
    world.publish("changed", "watch.db")
    world.publish("changed", "watch.db")
    world.exit("app")
    world.advance(1)
    assert world.starts() == ["app"] * 2
    world.exit("app")
    world.advance(1)
    assert world.state("app") == "waiting"


def test_each_with_unlimited_restarts_keeps_running() -> None:
    world = JobsWorld(job("app", each("changed", "watch.db"), restarts=None), idle()).start()
    world.publish("changed", "watch.db")
    world.publish("changed", "watch.db")
    world.exit("app")
    world.advance(0.5)
    world.publish("changed", "watch.db")
    assert world.state("app") == "running"
    assert len(world.processes.running("app")) == 1


def test_startup_with_one_restart_ends_with_the_second_exit() -> None:
    world = JobsWorld(job("app", restarts=1), idle()).start()
    world.exit("app")
    world.advance(0.1)
    assert world.state("app") == "running"
    world.exit("app")
    assert world.state("app") == "complete"


def test_job_cannot_be_triggered_by_its_own_exit() -> None:
    world = JobsWorld(job("app", each("exitSuccess", "app")), idle()).start()
    world.ask("start", "app")
    world.exit("app")
    assert world.starts() == ["app"]


def test_job_without_a_command_may_be_triggered_again_and_again() -> None:
    world = JobsWorld(job("mark", each("changed", "watch.db"), command=None)).start()
    for _ in range(3):
        world.publish("changed", "watch.db")
    assert world.state("mark") == "active"
    world.terminate()
    assert world.over


def test_nothing_to_do_at_all_stays_up_and_ends_with_sigterm() -> None:
    world = JobsWorld().start()
    world.advance(3600)
    assert not world.over
    world.terminate()
    assert world.over
    assert world.engine.exit_code == 0


def test_short_job_ends_the_program_without_lingering() -> None:
    world = JobsWorld(job("short")).start()
    world.exit("short")
    assert world.over
    assert world.loop.time == 0
    assert world.engine.exit_code == 0


def test_chain_of_exits_runs_in_order() -> None:
    world = JobsWorld(
        job("third", once("exitSuccess", "second")), job("second", once("exitSuccess", "first")), job("first")
    ).start()
    for name in ("first", "second", "third"):
        assert world.starts()[-1] == name
        world.exit(name)
    assert world.over


def test_failure_starts_the_job_for_failures_alone() -> None:
    world = JobsWorld(
        job("app"), job("good", once("exitSuccess", "app")), job("bad", once("exitFailed", "app"))
    ).start()
    world.exit("app", 2)
    assert world.starts() == ["app", "bad"]
    assert world.count("error app: exit status 2") == 1
    assert "error: app exited with error: exit status 2" in world.log.lines


def test_jobs_see_the_pids_of_those_that_run_and_not_of_those_that_ended() -> None:
    world = JobsWorld(job("first"), job("second", each("signal", "SIGHUP")), idle()).start()
    world.signal(1, "SIGHUP")
    (second,) = world.processes.running("second")
    assert second.environ["CONTAINERPILOT_FIRST_PID"] == str(world.pid("first"))
    assert "CONTAINERPILOT_SECOND_PID" not in second.environ
    world.exit("first")
    world.exit("second")
    world.signal(1, "SIGHUP")
    assert "CONTAINERPILOT_FIRST_PID" not in world.processes.running("second")[0].environ


def test_a_watch_starts_its_job_with_the_instances_each_time_they_change() -> None:
    world = JobsWorld(job("react", each("changed", "watch.db")), watches=(watch("db"),)).start()
    world.report("db")
    (process,) = world.processes.running("react")
    assert process.environ["CONTAINERPILOT_WATCH"] == "db"
    world.report("db")
    world.exit("react")
    assert world.starts() == ["react"] * 2


def test_main_job_ends_everything_with_its_code() -> None:
    world = JobsWorld(job("app", main=True), job("other")).start()
    world.exit("app", 7)
    assert world.story("SIGTERM") == ["SIGTERM other"]
    assert world.over
    assert world.engine.exit_code == 7


def test_main_job_with_restarts_ends_everything_only_after_the_last_of_them() -> None:
    world = JobsWorld(job("app", main=True, restarts=1), job("other")).start()
    world.exit("app", 7)
    world.advance(1)
    assert not world.over
    world.exit("app", 8)
    assert world.over
    assert world.engine.exit_code == 8
