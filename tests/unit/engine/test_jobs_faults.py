"""Commands that cannot be started, alone and in circles: nothing of it may keep the loop busy."""

from __future__ import annotations

from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import each, every, job, once


def failures(world: JobsWorld) -> int:
    return sum("unable to start" in line for line in world.log.lines)


def test_missing_command_is_a_failed_exit_with_its_reason() -> None:
    world = JobsWorld(job("app", main=True))
    world.processes.missing.add("app")
    world.start()
    assert world.over
    assert world.engine.exit_code == 127
    assert world.events[1:3] == ["exitFailed app", 'error exec: "app": executable file not found in $PATH']
    assert [line for line in world.log.lines if line.startswith("error")] == [
        'error: unable to start app: exec: "app": executable file not found in $PATH'
    ]


def test_missing_command_uses_up_its_restarts() -> None:
    world = JobsWorld(job("app", restarts=2), job("other"))
    world.processes.missing.add("app")
    world.start().advance(60)
    assert failures(world) == 3
    assert world.state("app") == "complete"


def test_missing_command_with_unlimited_restarts_is_tried_ever_less_often() -> None:
    world = JobsWorld(job("app", restarts=None))
    world.processes.missing.add("app")
    world.start().advance(3600)
    assert 300 < failures(world) < 400  # every 10 s
    world.processes.missing.clear()
    world.advance(11)
    assert world.state("app") == "running"


def test_jobs_that_start_on_each_other_s_failure_leave_the_loop_time_for_signals() -> None:
    world = JobsWorld(
        job("a", each("exitFailed", "b")),
        job("b", each("exitFailed", "a")),
        job("c", once("exitFailed", "seed")),
        job("seed"),
    )
    world.processes.missing |= {"a", "b"}
    world.start()
    world.ask("start", "a")
    world.advance(3600)
    assert failures(world) < 1000
    world.terminate()
    assert world.over


def test_circle_of_failures_goes_on_when_the_command_is_there_again() -> None:
    world = JobsWorld(job("a", each("exitFailed", "b")), job("b", each("exitFailed", "a")))
    world.processes.missing |= {"a", "b"}
    world.start().ask("start", "a")
    world.advance(100)
    world.processes.missing.clear()
    world.advance(21)
    assert len(world.processes.all) == 1


def test_trigger_during_the_pause_after_a_failed_start_is_remembered_once() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP")))
    world.processes.missing.add("app")
    world.start()
    for _ in range(5):
        world.signal(1, "SIGHUP")
    assert failures(world) == 2
    assert world.state("app") == "pausing"
    world.processes.missing.clear()
    world.advance(0.2)
    assert world.starts() == ["app"]
    world.exit("app")
    assert world.state("app") == "waiting"


def test_job_in_the_pause_after_a_failed_start_is_started_by_hand_and_stopped() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP")))
    world.processes.missing.add("app")
    world.start()
    for _ in range(3):
        world.signal(1, "SIGHUP")
    world.processes.missing.clear()
    world.ask("start", "app")
    assert world.starts() == ["app"]
    world.exit("app")
    world.processes.missing.add("app")
    for _ in range(3):
        world.signal(1, "SIGHUP")
    assert world.state("app") == "pausing"
    world.terminate()
    assert world.over


def test_missing_command_of_an_interval_job_is_tried_at_each_tick() -> None:
    world = JobsWorld(job("task", every(1), restarts=None))
    world.processes.missing.add("task")
    world.start().advance(5.5)
    assert failures(world) == 6


def test_circle_of_signal_jobs_with_pending_triggers_rests_too() -> None:
    names = ("a", "b", "c")
    world = JobsWorld(*[job(name, each("exitFailed", names[number - 1])) for number, name in enumerate(names)])
    world.processes.missing |= set(names)
    world.start()
    for name in names:
        world.ask("start", name)
    world.advance(600)
    assert failures(world) < 1000
    world.terminate()
    assert world.over
