"""Jobs that wait for what can no longer come: they are skipped, and wait again when it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.engine.events import Event
from cp.engine.exit_status import Exit
from cp.engine.trigger import Trigger, never_comes
from cp.plan import Job, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import check, each, job, once

if TYPE_CHECKING:
    from cp.engine.trigger import Key
    from cp.plan import EventCode

DONE = [""]
AFTER_PREPARE = once("exitSuccess", "prepare")


def idle() -> Job:
    """Keeps the program alive, and does nothing."""
    return job("idle", command=None)


def skips(world: JobsWorld) -> list[str]:
    """The lines of the log, above debug, about jobs that are skipped."""
    return [line for line in world.log.lines if "skipped" in line and not line.startswith("debug")]


def chain(length: int) -> list[Job]:
    """Each waits for the one before it."""
    return [job(f"link-{number}", once("exitSuccess", f"link-{number - 1}")) for number in range(1, length)]


# --- the main job


@pytest.mark.parametrize(("code", "ours"), [(1, 1), (3, 3), (-9, 137)])
def test_a_failed_preparation_ends_the_program_with_its_code(code: int, ours: int) -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE, main=True), job("agent")).start()
    world.exit("prepare", code)
    assert world.over
    assert world.engine.exit_code == ours
    assert world.story("start", "SIG") == ["start prepare", "start agent", "SIGTERM agent"]


def test_a_preparation_that_cannot_be_started_ends_the_program_with_127() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE, main=True))
    world.processes.missing.add("prepare")
    world.start()
    assert world.over
    assert world.engine.exit_code == 127
    (line,) = skips(world)
    assert line.startswith(
        "error: app is skipped, and ContainerPilot stops: it waits for exitSuccess of prepare, which "
    )
    assert "not found" in line


def test_a_main_job_that_waits_for_the_health_of_a_complete_job_ends_the_program_with_1() -> None:
    world = JobsWorld(job("db", health=check("db")), job("app", once("healthy", "db"), main=True)).start()
    world.exit("db", 0)
    assert world.over
    assert world.engine.exit_code == 1


def test_a_skipped_main_job_ends_the_program_with_the_code_of_the_first_failure() -> None:
    jobs = (job("prepare"), job("migrate", AFTER_PREPARE), job("app", once("exitSuccess", "migrate"), main=True))
    world = JobsWorld(*jobs).start()
    world.exit("prepare", 4)
    assert world.over
    assert world.engine.exit_code == 4
    assert [line.partition(": ")[2].split()[0] for line in skips(world)] == ["migrate", "app"]


def test_the_stop_for_a_skipped_main_job_runs_its_hooks_as_any_stop_does() -> None:
    hooks = (job("drain", once("stopping", "app")), job("report", once("stopped", "app")))
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE, main=True), *hooks).start()
    world.exit("prepare", 1)
    world.exit("drain")
    world.exit("report")
    assert world.over
    assert [event for event in world.events if event.endswith(" app")] == ["stopping app", "stopped app"]
    assert world.engine.exit_code == 1


# --- without a main job


def test_without_a_main_job_the_program_goes_on_and_the_log_says_once_why() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE), job("hup", each("signal", "SIGHUP"))).start()
    world.exit("prepare", 3)
    world.advance(3600)
    reason = "waits for exitSuccess of prepare, which has ended (exit status 3)"
    assert world.seen("app")["state"] == "skipped"
    assert world.seen("app")["about"] == reason
    assert world.seen("app")["waitsFor"] == {"event": "exitSuccess", "source": "prepare", "each": False}
    world.signal(1, "SIGHUP")
    world.exit("hup")
    assert skips(world) == [f"warning: app is skipped: it {reason}"]
    assert not world.over


def test_a_skipped_job_alone_keeps_the_program_alive() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE)).start()
    world.exit("prepare", 1)
    world.advance(3600)
    assert not world.over
    world.terminate()
    assert world.over
    assert world.engine.exit_code == 0


@pytest.mark.parametrize("event", ["exitFailed", "unhealthy", "timerExpired"])
def test_a_job_that_waits_for_a_failure_that_does_not_come_is_skipped_quietly(event: str) -> None:
    after = job("after", once("exitSuccess", "alarm"))
    world = JobsWorld(job("app", health=check("app")), job("alarm", once(event, "app")), after, idle()).start()
    world.exit("app", 0)
    assert [world.state(name) for name in ("alarm", "after")] == ["skipped"] * 2
    assert skips(world) == []


def test_the_exits_of_a_check_can_no_longer_come_when_its_job_has_ended() -> None:
    watcher = job("watcher", once("exitSuccess", "check.app"))
    world = JobsWorld(job("app", health=check("app")), watcher, idle()).start()
    world.exit("app", 0)
    assert world.state("watcher") == "skipped"


def test_a_thousand_jobs_that_wait_for_each_other_are_skipped() -> None:
    world = JobsWorld(job("link-0"), *chain(1000), idle()).start()
    world.exit("link-0", 1)
    assert world.state("link-999") == "skipped"
    assert len(skips(world)) == 999


# --- what is not skipped


def test_a_job_that_waits_for_the_end_of_a_skipped_job_waits_on() -> None:
    hooks = (job("pre", once("stopping", "app")), job("post", once("stopped", "app")))
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE), *hooks).start()
    world.exit("prepare", 1)
    assert [world.state(name) for name in ("pre", "post")] == ["waiting"] * 2
    world.terminate()
    world.exit("pre")
    world.exit("post")
    assert world.over


def test_a_job_is_never_skipped_whose_event_is_on_its_way() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE, main=True)).start()
    world.exit("prepare", 0)
    assert world.state("app") == "running"
    assert not [line for line in world.log.lines if "skipped" in line]


def test_a_job_that_will_be_restarted_can_still_succeed() -> None:
    world = JobsWorld(job("prepare", restarts=1), job("app", AFTER_PREPARE)).start()
    world.exit("prepare", 1)
    assert world.state("app") == "waiting"
    world.advance(0)
    world.exit("prepare", 1)
    assert world.state("app") == "skipped"


def test_a_dependent_of_a_held_job_waits_on() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE)).start()
    assert world.ask("stop", "prepare") == DONE
    assert [world.state(name) for name in ("prepare", "app")] == ["held", "waiting"]


def test_a_job_that_ran_on_each_event_waits_on() -> None:
    jobs = (job("task", restarts=1), job("after", each("exitSuccess", "task")))
    world = JobsWorld(*jobs, idle()).start()
    world.exit("task")
    world.exit("after")
    world.advance(0)
    world.exit("task")
    world.exit("after")
    assert world.seen("after")["starts"] == 2
    world.reload(*jobs, idle(), job("new"))  # all that wait are looked at
    assert world.state("after") == "waiting"


def test_a_job_that_never_ran_on_each_event_is_skipped() -> None:
    world = JobsWorld(job("prepare"), job("app", each("exitSuccess", "prepare"), main=True)).start()
    world.exit("prepare", 2)
    assert world.over
    assert world.engine.exit_code == 2


def test_nothing_is_skipped_in_a_stop() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE, main=True), job("drain", once("stopping", "app")))
    world.start().terminate()
    world.exit("drain")
    assert world.over
    assert world.engine.exit_code == 143
    assert not [line for line in world.log.lines if "skipped" in line]


# --- waiting again


def test_a_skipped_job_waits_again_when_the_failed_job_is_started_again() -> None:
    jobs = (job("prepare"), job("app", AFTER_PREPARE), job("last", once("exitSuccess", "app")))
    world = JobsWorld(*jobs).start()
    world.exit("prepare", 1)
    assert [world.state(name) for name in ("app", "last")] == ["skipped"] * 2
    assert world.ask("start", "prepare") == DONE
    assert [world.state(name) for name in ("app", "last")] == ["waiting"] * 2
    world.exit("prepare", 0)
    assert world.state("app") == "running"


def test_a_job_that_waits_again_may_be_skipped_again() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE)).start()
    for code in (1, 2):
        world.exit("prepare", code)
        assert world.seen("app")["about"].endswith(f"(exit status {code})")
        world.ask("restart", "prepare")
    assert len(skips(world)) == 2


@pytest.mark.parametrize("request_", ["start", "restart"])
def test_a_skipped_job_is_started_by_hand_and_its_dependents_wait_again(request_: str) -> None:
    jobs = (job("prepare"), job("app", AFTER_PREPARE), job("last", once("exitSuccess", "app")))
    world = JobsWorld(*jobs).start()
    world.exit("prepare", 1)
    assert world.ask(request_, "app") == DONE
    assert [world.state(name) for name in ("app", "last")] == ["running", "waiting"]
    assert world.count("stopping app") == 0
    world.exit("app", 0)
    assert world.state("last") == "running"


def test_a_dependent_of_a_job_that_fails_after_a_start_by_hand_is_skipped_again() -> None:
    jobs = (job("prepare"), job("app", AFTER_PREPARE), job("last", once("exitSuccess", "app")))
    world = JobsWorld(*jobs).start()
    world.exit("prepare", 1)
    world.ask("start", "app")
    world.exit("app", 5)
    assert world.seen("last")["about"] == "waits for exitSuccess of app, which has ended (exit status 5)"


def test_a_skipped_job_that_is_stopped_is_held_and_its_hooks_run() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE), job("post", once("stopped", "app"))).start()
    world.exit("prepare", 1)
    outcomes = world.ask("stop", "app")
    world.exit("post")
    assert outcomes == DONE
    assert world.state("app") == "held"


def test_jobs_that_only_each_other_keep_skipped_wait_again() -> None:
    first = job("first", once("exitSuccess", "second"))
    world = JobsWorld(first, job("second"), job("third", once("exitSuccess", "first")), idle()).start()
    world.exit("second", 1)
    assert [world.state(name) for name in ("first", "third")] == ["skipped"] * 2
    world.reload(first, job("second", once("exitSuccess", "third")), job("third", once("exitSuccess", "first")), idle())
    assert [world.state(name) for name in ("first", "second", "third")] == ["waiting"] * 3


# --- the time that a job gives its event


def test_a_skipped_job_still_gives_up_when_its_time_is_over_and_others_get_the_event() -> None:
    app = job("app", once("exitSuccess", "prepare", timeout=10))
    world = JobsWorld(job("prepare"), app, job("instead", once("timerExpired", "app")), idle()).start()
    world.exit("prepare", 1)
    assert [world.state(name) for name in ("app", "instead")] == ["skipped", "waiting"]
    world.advance(10)
    assert world.state("app") == "complete"
    assert world.state("instead") == "running"


def test_a_job_that_waits_for_the_timeout_of_a_started_job_is_skipped() -> None:
    app = job("app", once("exitSuccess", "prepare", timeout=10))
    world = JobsWorld(job("prepare"), app, job("instead", once("timerExpired", "app")), idle()).start()
    world.exit("prepare", 0)
    assert world.state("instead") == "waiting"
    world.exit("app", 0)
    assert world.state("instead") == "skipped"


# --- reloads


def test_nothing_is_skipped_while_a_reload_goes_on_but_when_it_is_made() -> None:
    slow = (job("slow"), job("drain", once("stopping", "slow")))
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE, main=True), *slow).start()
    world.reload(job("prepare"), job("app", AFTER_PREPARE, main=True), idle())
    world.exit("prepare", 6)
    assert world.state("app") == "waiting"
    assert not world.over
    world.exit("drain")
    assert world.outcomes == DONE
    assert world.over
    assert world.engine.exit_code == 6


def test_a_reload_that_fixes_the_failed_job_lets_the_other_wait_again() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE)).start()
    world.exit("prepare", 1)
    world.reload(job("prepare", command=("mended",)), job("app", AFTER_PREPARE))
    assert world.state("app") == "waiting"
    world.exit("mended", 0)
    assert world.state("app") == "running"


def test_a_reload_of_something_else_changes_nothing_and_is_not_logged_again() -> None:
    world = JobsWorld(job("prepare"), job("app", AFTER_PREPARE)).start()
    world.exit("prepare", 1)
    world.reload(job("prepare"), job("app", AFTER_PREPARE), idle())
    assert world.state("app") == "skipped"
    assert len(skips(world)) == 1


def test_a_new_job_that_waits_for_an_ended_job_is_skipped_at_once() -> None:
    world = JobsWorld(job("prepare"), idle()).start()
    world.exit("prepare", 1)
    world.reload(job("prepare"), idle(), job("late", AFTER_PREPARE))
    assert world.state("late") == "skipped"
    assert len(skips(world)) == 1


# --- the rule alone


class Sender:
    """A job, as far as the rule looks at it."""

    def __init__(self, *, has_ended: bool = True, exit_code: int | None = 1, timeout: float | None = None) -> None:
        self.name = "prepare"
        self.plan = Job(name="prepare", when=When(code="startup", source="global", timeout=timeout))
        self.has_ended = has_ended
        self.last_exit = None if exit_code is None else Exit(self.plan, exit_code, 0.0)
        self.skip = None


@pytest.mark.parametrize("code", ["stopping", "stopped", "startup", "changed", "shutdown", "signal", "error", "metric"])
def test_events_outside_the_life_of_a_job_can_always_come(code: EventCode) -> None:
    assert never_comes((code, "prepare"), [Sender()], lambda sender: None) is None


def test_an_event_without_a_sender_can_always_come() -> None:
    assert never_comes(("healthy", "watch.db"), [], lambda sender: None) is None


def test_an_event_can_come_while_one_of_its_senders_lives() -> None:
    key: Key = ("exitSuccess", "prepare")
    assert never_comes(key, [Sender(), Sender(has_ended=False)], lambda sender: None) is None
    skip = never_comes(key, [Sender(exit_code=7), Sender(exit_code=0)], lambda sender: None)
    assert skip is not None
    assert skip.exit_code == 7


def test_a_job_that_never_started_is_shown_as_such() -> None:
    skip = never_comes(("healthy", "prepare"), [Sender(exit_code=None)], lambda sender: None)
    assert skip is not None
    assert (skip.reason, skip.exit_code) == ("waits for healthy of prepare, which was never started", 1)


def test_a_trigger_with_an_event_in_hand_is_not_in_vain() -> None:
    trigger = Trigger(job("app", each("exitSuccess", "prepare")))
    skip = never_comes(trigger.key, [Sender()], lambda sender: None)
    assert trigger.never_fires(lambda key: skip) is skip
    trigger.remember(Event(*trigger.key))
    assert trigger.never_fires(lambda key: skip) is None


def test_a_trigger_that_started_its_job_waits_for_nothing() -> None:
    trigger = Trigger(job("app", AFTER_PREPARE))
    skip = never_comes(trigger.key, [Sender()], lambda sender: None)
    trigger.close()
    assert trigger.never_fires(lambda key: skip) is None


def test_job_that_waits_for_its_next_start_is_not_skipped() -> None:
    world = JobsWorld(job("app", health=check("app")), job("fix", each("healthy", "app")), idle()).start()
    world.publish("healthy", "app")
    world.exit("fix")
    world.exit("app")
    assert (world.state("app"), world.state("fix")) == ("complete", "waiting")
    assert skips(world) == []


def test_time_limit_of_a_skipped_job_is_of_use_to_those_alone_that_wait_for_it() -> None:
    late = job("late", once("exitSuccess", "prepare", timeout=60.0))
    after, instead = job("after", once("exitSuccess", "late")), job("instead", once("timerExpired", "late"))
    world = JobsWorld(job("prepare"), late, after, instead, idle()).start()
    world.exit("prepare", 1)
    assert [world.state(name) for name in ("late", "after", "instead")] == ["skipped", "skipped", "waiting"]
    world.advance(61)
    assert world.starts("after", "instead") == ["instead"]
