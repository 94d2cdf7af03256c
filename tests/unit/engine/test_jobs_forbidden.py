"""Processes that ContainerPilot may not signal: they count as running, and waits for them have a limit."""

from __future__ import annotations

from tests.unit.engine.jobs_world import JobsWorld, refusal
from tests.unit.engine.plans import job, once

DONE = [""]
LIMIT = 5.0  # the budget of a stop


def forbidden(*more: str) -> JobsWorld:
    """A running job `app`, with these others, whose process we may not signal."""
    world = JobsWorld(job("app"), job("after", once("stopped", "app")), *map(job, more), job("other"))
    world.processes.forbidden.add("app")
    return world.start()


def refused(outcomes: list[str], *words: str) -> bool:
    (outcome,) = outcomes
    return all(word in outcome for word in ("process 1000", "operation not permitted", *words))


def test_stop_is_refused_when_the_budget_is_spent_and_the_job_is_about_to_end_until_it_has() -> None:
    world = forbidden()
    outcomes = world.ask("stop", "app")
    world.advance(LIMIT - 0.1)
    assert outcomes == []
    world.advance(0.2)

    assert refused(outcomes, "app still runs: ")
    assert (world.state("app"), world.pid("app"), world.seen("app")["lastExit"]) == ("terminating", 1000, None)
    assert "process 1000" in world.seen("app")["about"]
    assert world.story("SIG", "start after") == []
    assert not [line for line in world.log.lines if "killed" in line or "Killing" in line]

    world.exit("app", 3)
    assert world.state("app") == "held"
    assert world.count("exitFailed app") == 1
    assert world.starts("after") == ["after"]


def test_nothing_is_started_beside_it() -> None:
    world = forbidden()
    world.ask("stop", "app")
    world.advance(LIMIT)

    assert refused(world.ask("start", "app"), "app is still stopping: try again when it has ended")
    assert refused(world.ask("restart", "app"))
    assert world.starts("app") == ["app"]


def test_other_requests_are_served_meanwhile() -> None:
    world = forbidden()
    world.ask("stop", "app")
    restarted = world.ask("restart", "other")
    assert restarted == []
    world.advance(LIMIT)
    assert restarted == DONE
    assert world.starts("other") == ["other"] * 2


def test_restart_starts_it_when_it_has_ended_and_a_later_request_wins() -> None:
    for last, state in (("restart", "running"), ("stop", "held")):
        world = forbidden()
        world.ask("restart", "app")
        world.advance(LIMIT)
        assert refused(world.ask(last, "app"))
        world.exit("app")
        assert world.state("app") == state


def test_end_of_a_main_job_that_was_to_be_stopped_ends_nothing_else_even_if_it_comes_late() -> None:
    world = JobsWorld(job("app", main=True), job("other"))
    world.processes.forbidden.add("app")
    world.start().ask("stop", "app")
    world.advance(LIMIT)
    world.exit("app", 3)
    assert (world.over, world.state("app"), world.state("other")) == (False, "held", "running")


def test_reload_uses_the_new_job_when_the_old_one_has_ended() -> None:
    world = forbidden()
    new = (job("app", command=("new",)), job("other", command=("else",)))
    world.reload(*new)
    world.advance(LIMIT)

    assert refused(world.outcomes, "the new configuration is in use, but app still runs: ")
    assert world.starts("else", "new") == ["else"]
    world.exit("app")
    assert world.starts("else", "new") == ["else", "new"]


def test_reload_without_the_job_forgets_it_when_it_has_ended() -> None:
    world = forbidden()
    world.reload(job("other"))
    world.advance(LIMIT)
    assert set(world.engine.jobs) == {"app", "other"}
    world.exit("app")
    assert set(world.engine.jobs) == {"other"}
    assert not world.over


def test_renewed_restarts_are_those_of_a_reload_and_not_of_a_late_end() -> None:
    world = JobsWorld(job("app"), job("other", restarts=1))
    world.processes.forbidden.add("app")
    world.start().exit("other")
    world.ask("stop", "app")
    world.advance(LIMIT)
    world.exit("app")
    assert world.state("app") == "held"
    assert world.engine.jobs["other"].restarts.left(world.loop.time) == 0


def test_whole_stop_goes_on_without_it_after_the_budget() -> None:
    world = forbidden()
    world.terminate()
    world.advance(LIMIT - 0.1)
    assert not world.over
    world.advance(0.2)
    assert world.starts("after") == ["after"], "hooks on its end are not forgotten"
    world.exit("after")
    assert (world.over, world.engine.exit_code) == (True, 0)
    assert world.count("exitFailed app") == 0


def test_exit_code_is_not_that_of_a_killed_process_if_the_main_job_lives() -> None:
    world = JobsWorld(job("app", main=True))
    world.processes.forbidden.add("app")
    world.start().terminate()
    world.advance(LIMIT)
    assert (world.over, world.engine.exit_code) == (True, 1)


def test_third_request_leaves_a_main_job_that_lives_with_the_same_exit_code() -> None:
    world = JobsWorld(job("app", main=True), stop_timeout=100.0)
    world.processes.forbidden.add("app")
    world.start()
    for _ in range(3):
        world.terminate()
    world.advance(2)
    assert (world.over, world.engine.exit_code) == (True, 1)


def test_whole_stop_after_a_refused_one_ends_within_its_budget() -> None:
    world = forbidden()
    world.ask("stop", "app")
    world.advance(LIMIT)
    world.terminate()
    world.advance(LIMIT)
    world.exit("after")
    assert world.over


def test_whole_stop_does_not_wait_if_it_ends_by_itself() -> None:
    world = forbidden()
    world.ask("stop", "app")
    world.advance(LIMIT)
    world.terminate()
    world.exit("app")
    world.exit("after")
    assert world.over
    assert world.loop.time < LIMIT + 1


def test_time_limit_leaves_it_running_and_says_so() -> None:
    world = JobsWorld(job("app", timeout=3.0, restarts=None), job("other"))
    world.processes.forbidden.add("app")
    world.start().advance(60)
    assert world.starts("app") == ["app"]
    assert world.state("app") == "running"
    assert (
        len([line for line in world.log.lines if line.startswith("warning: cannot tell app to end: process 1000")]) == 1
    )


def test_overdue_hook_does_not_delay_a_request() -> None:
    world = JobsWorld(job("app"), job("hook", once("stopping", "app"), timeout=3.0))
    world.processes.forbidden.add("hook")
    outcomes = world.start().ask("stop", "app")
    world.advance(3 + LIMIT)
    assert outcomes
    assert "hook still runs: process 1001" in outcomes[0]


def test_signal_says_why_it_cannot_be_sent() -> None:
    world = forbidden()
    assert refused([refusal(world.admin.signal_job, "app", 1)], "app cannot be sent a signal: ")


def test_signal_that_cannot_be_passed_on_is_logged() -> None:
    world = JobsWorld(job("app", main=True))
    world.processes.forbidden.add("app")
    world.start().signal(28, "SIGWINCH")
    (line,) = [line for line in world.log.lines if line.startswith("warning: ")]
    assert line.startswith("warning: cannot pass SIGWINCH on to app: process 1000")
