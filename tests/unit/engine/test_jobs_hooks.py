"""Hooks that run when they are not expected to, and processes that outlive their time: faults that the model found."""

from __future__ import annotations

import pytest

from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, every, job, once


@pytest.mark.parametrize(("code", "source"), [("stopping", "app"), ("stopped", "app"), ("shutdown", "global")])
def test_hook_that_runs_by_hand_when_a_stop_begins_runs_again_for_its_own_event(code: str, source: str) -> None:
    world = JobsWorld(job("app"), job("hook", once(code, source))).start()
    world.ask("start", "hook")
    world.terminate()
    assert "SIGTERM hook" not in world.happened
    world.exit("hook")
    assert world.starts("hook") == ["hook"] * 2
    world.exit("hook")
    assert world.over


def test_hook_that_runs_by_hand_and_ends_before_its_event_waits_for_it_in_a_stop() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), job("post", once("stopped", "app"))).start()
    world.ask("start", "post")
    world.terminate()
    assert world.starts() == ["app", "post", "pre"]
    world.exit("post")
    assert world.state("post") == "waiting"
    world.exit("pre")
    assert world.starts("post") == ["post"] * 2
    world.exit("post")
    assert world.over


def test_hook_between_two_runs_by_hand_when_a_stop_begins_runs_for_its_own_event() -> None:
    world = JobsWorld(job("app"), job("farewell", once("shutdown", "global"), restarts=5)).start()
    world.ask("start", "farewell")
    world.exit("farewell")
    world.advance(0)
    world.exit("farewell")
    assert world.state("farewell") == "pausing"
    world.terminate()
    assert world.starts("farewell") == ["farewell"] * 3
    world.exit("farewell")
    assert world.over


def test_hooks_on_each_other_that_run_by_hand_delay_nothing() -> None:
    world = JobsWorld(job("app"), job("a", once("stopping", "b")), job("b", once("stopping", "a"))).start()
    world.ask("start", "a")
    world.ask("start", "b")
    world.terminate()
    world.exit("a")
    for _ in range(2):
        for name in ("a", "b"):
            for process in world.processes.running(name):
                process.exit(0)
    assert world.over


def test_third_request_leaves_a_hook_by_hand_no_time_for_its_event() -> None:
    world = JobsWorld(job("app"), job("post", once("stopped", "app")))
    world.processes.stubborn |= {"app", "post"}
    world.start().ask("start", "post")
    for _ in range(3):
        world.terminate()
        world.advance(0.3)
    world.advance(2.1)
    assert world.over
    assert world.starts("post") == ["post"]


def test_hook_whose_restart_was_for_its_event_does_not_wait_for_it_any_more() -> None:
    """Started by hand, it ran when its event came; the restart is the run for it."""
    world = JobsWorld(job("app", main=True), job("pre", once("stopping", "app"), restarts=1)).start()
    world.ask("start", "pre")
    world.exit("app", 3)
    world.exit("pre")
    world.advance(0)
    assert world.starts("pre") == ["pre"] * 2
    world.exit("pre")
    assert world.over
    assert world.engine.exit_code == 3


def test_stop_timeout_of_a_job_that_is_about_to_end_holds_when_a_stop_begins() -> None:
    world = JobsWorld(job("app", stop_timeout=1.0), job("pre", once("stopping", "app"))).start()
    world.ask("stop", "app")
    world.advance(0.5)
    world.terminate()
    assert world.story("SIGTERM") == []
    world.advance(0.6)
    assert world.story("SIGTERM") == ["SIGTERM app"]


@pytest.mark.parametrize("hangs", ["before the stop", "during the stop"])
def test_hook_that_hangs_in_the_kernel_after_its_timeout_is_given_up_by_a_stop(hangs: str) -> None:
    hook = job("hook", once("shutdown", "global"), timeout=1.0, timeout_text="1s")
    world = JobsWorld(job("app"), hook, stop_timeout=2.0)
    world.processes.unkillable.add("hook")
    world.start()
    if hangs == "before the stop":
        world.ask("start", "hook")
        world.advance(1.1)
    world.terminate()
    world.advance(2 * (1.0 + 2.0 + 2.1))  # twice: one that was started by hand runs for its own event as well
    assert world.over


def test_hook_that_hangs_in_the_kernel_after_its_timeout_is_given_up_by_a_reload() -> None:
    hook = job("hook", once("stopping", "app"), timeout=1.0, timeout_text="1s")
    world = JobsWorld(job("app"), hook, stop_timeout=2.0)
    world.processes.unkillable.add("hook")
    world.start().reload(job("other"))
    world.advance(1.0 + 2.0 + 2.1)
    assert world.outcomes == [""]


def test_job_that_hangs_after_its_timeout_is_not_given_up_because_another_one_is_stopped() -> None:
    """It would be started again beside the process that cannot be killed."""
    world = JobsWorld(job("task", every(10), restarts=None, timeout=1.0, timeout_text="1s"), job("other"))
    world.processes.unkillable.add("task")
    world.start().advance(2)
    assert world.ask("stop", "other") == [""]
    world.advance(60)
    assert world.starts("task") == ["task"]


def test_jobs_have_their_time_though_containerpilot_was_suspended_during_deregistration() -> None:
    service = advertised("app")
    world = JobsWorld(job("app", health=check("app", None), service=service), stop_timeout=4.0)
    world.processes.stubborn.add("app")
    world.discovery.delay = None
    world.start().advance(1.1)
    world.terminate()
    world.loop.time += 60  # SIGSTOP, and SIGCONT a minute later
    world.advance(0)
    assert world.story("SIG") == ["SIGTERM app"]
    world.advance(2.9)
    assert world.story("SIGKILL") == []
    world.advance(0.2)
    assert world.over


def test_hook_on_each_end_of_one_job_is_complete_when_it_has_run_for_it() -> None:
    world = JobsWorld(job("app"), job("pre", each("stopping", "app")))
    world.processes.stubborn.add("app")
    world.start().terminate()
    world.exit("pre")
    assert (world.state("app"), world.state("pre")) == ("terminating", "complete")
    assert world.count("stopped pre") == 1
