"""How jobs end, and the jobs that run because another one ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cp.plan import When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, every, job, once

if TYPE_CHECKING:
    from collections.abc import Callable


def test_pre_stop_runs_before_sigterm_and_post_stop_after_the_end() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), job("post", once("stopped", "app"))).start()
    world.terminate()
    assert world.happened[-1] == "start pre"
    world.exit("pre")
    assert world.happened[-2:] == ["SIGTERM app", "start post"]
    world.exit("post")
    assert world.over
    assert world.engine.exit_code == 0


def test_job_that_ends_by_itself_gets_both_hooks_too() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), job("post", once("stopped", "app"))).start()
    world.exit("app")
    assert world.starts() == ["app", "pre"]
    world.exit("pre")
    assert world.starts() == ["app", "pre", "post"]
    world.exit("post")
    assert world.over


@pytest.mark.parametrize("when", [each("stopping", "app"), once("stopping", "app")])
def test_job_that_has_ended_by_itself_leaves_no_hook_behind(when: When) -> None:
    world = JobsWorld(job("app"), job("pre", when), job("other")).start()
    world.exit("app")
    world.exit("pre")
    assert world.state("app") == world.state("pre") == "complete"
    world.terminate()
    assert world.over


def test_all_hooks_on_one_job_are_waited_for() -> None:
    hooks = [job(f"hook{number}", once("stopping", "app")) for number in range(3)]
    world = JobsWorld(hooks[0], job("app"), *hooks[1:]).start()
    world.terminate()
    assert sorted(world.starts()[1:]) == ["hook0", "hook1", "hook2"]
    for number in (1, 2, 0):
        assert world.story("SIGTERM") == []
        world.exit(f"hook{number}")
    assert world.story("SIGTERM") == ["SIGTERM app"]
    assert world.over


def test_slow_pre_stop_delays_the_job_no_longer_than_its_stop_timeout() -> None:
    world = JobsWorld(job("app", stop_timeout=1.0), job("pre", once("stopping", "app")))
    world.processes.termination["pre"] = (4.0, 0)
    world.start().terminate()
    world.advance(0.9)
    assert world.story("SIGTERM") == []
    world.advance(0.2)
    assert world.story("SIGTERM") == ["SIGTERM app"]
    world.advance(2.8)
    assert not world.over
    world.advance(0.2)
    assert world.over


def test_stop_timeout_holds_also_where_the_job_ended_by_itself() -> None:
    world = JobsWorld(job("app", stop_timeout=1.0), job("pre", once("stopping", "app")), job("other")).start()
    world.exit("app")
    world.advance(1.1)
    assert world.state("app") == "complete"
    assert world.state("pre") == "running"


def test_hook_on_a_job_that_does_not_exist_delays_nothing() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "ghost")), job("post", each("stopped", "ghost"))).start()
    world.terminate()
    assert world.over
    assert world.starts() == ["app"]


@pytest.mark.parametrize("code", ["stopping", "stopped"])
def test_hook_on_itself_delays_nothing(code: str) -> None:
    world = JobsWorld(job("app"), job("self", once(code, "self"))).start()
    world.terminate()
    assert world.over
    assert world.starts() == ["app"]


@pytest.mark.parametrize("codes", [("stopping", "stopping"), ("stopped", "stopped"), ("stopping", "stopped")])
def test_hooks_on_each_other_delay_nothing(codes: tuple[str, str]) -> None:
    world = JobsWorld(job("app"), job("a", once(codes[0], "b")), job("b", once(codes[1], "a"))).start()
    world.terminate()
    assert world.over


def test_ring_of_three_hooks_delays_nothing() -> None:
    ring = [job(name, once("stopping", other)) for name, other in (("a", "b"), ("b", "c"), ("c", "a"))]
    world = JobsWorld(job("app"), *ring).start()
    world.terminate()
    assert world.over


def test_hooks_on_each_other_of_which_one_runs_end_too() -> None:
    world = JobsWorld(job("app"), job("a", once("stopping", "b")), job("b", once("stopping", "a"))).start()
    world.ask("start", "a")
    world.terminate()
    world.exit("a")
    for name in ("a", "b"):
        for process in world.processes.running(name):
            process.exit(0)
    assert world.over


def test_hook_of_a_hook_runs_in_its_turn() -> None:
    world = JobsWorld(
        job("app"),
        job("pre", once("stopping", "app")),
        job("after-pre", once("stopped", "pre")),
        job("pre-pre", once("stopping", "pre")),
    ).start()
    world.terminate()
    assert world.starts() == ["app", "pre"]
    world.exit("pre")
    assert world.starts() == ["app", "pre", "pre-pre"]
    assert world.story("SIGTERM") == []
    world.exit("pre-pre")
    assert world.starts()[3:] == ["after-pre"]
    assert world.story("SIGTERM") == ["SIGTERM app"]
    world.exit("after-pre")
    assert world.over


def test_hook_with_unlimited_restarts_runs_once_in_a_stop() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app"), restarts=None)).start()
    world.terminate()
    world.exit("pre", 1)
    assert world.over
    assert world.starts() == ["app", "pre"]


def test_hook_that_waits_for_its_restart_when_the_stop_comes_is_not_waited_for() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app"), restarts=5), job("other")).start()
    world.exit("app")
    for _ in range(2):
        world.exit("pre", 1)
        world.advance(0)
    assert world.state("pre") == "pausing"
    world.terminate()
    assert world.over


def test_jobs_that_never_started_are_announced_too_and_their_hooks_run() -> None:
    world = JobsWorld(job("app", once("healthy", "db")), job("pre", once("stopping", "app")), job("db")).start()
    world.terminate()
    assert world.starts() == ["db", "pre"]
    world.exit("pre")
    assert world.over
    assert world.count("stopped app") == 1


def test_job_on_the_shutdown_runs_once_and_is_waited_for() -> None:
    world = JobsWorld(job("app"), job("farewell", each("shutdown", "global"))).start()
    world.terminate()
    assert world.story("start farewell", "SIGTERM app") == ["SIGTERM app", "start farewell"]
    world.advance(60)
    assert not world.over
    world.exit("farewell")
    assert world.over
    assert world.starts() == ["app", "farewell"]


def test_job_on_a_shutdown_that_nobody_announces_delays_nothing() -> None:
    world = JobsWorld(job("app"), job("farewell", once("shutdown", "app"))).start()
    world.terminate()
    assert world.over


def test_job_that_runs_since_another_ended_is_terminated_by_a_stop() -> None:
    world = JobsWorld(job("setup"), job("server", once("stopped", "setup"))).start()
    world.exit("setup")
    world.advance(3600)
    assert world.state("server") == "running"
    world.terminate()
    assert world.story("SIGTERM") == ["SIGTERM server"]
    assert world.over


def test_second_sigterm_ends_the_hook_and_the_stop_goes_on() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), job("post", once("stopped", "app"))).start()
    world.terminate()
    world.terminate()
    assert world.story("SIGTERM", "start p") == ["start pre", "SIGTERM pre", "SIGTERM app", "start post"]
    world.exit("post")
    assert world.over


def test_second_sigterm_kills_a_hook_that_ignores_it_within_the_budget() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), stop_timeout=2.0)
    world.processes.stubborn.add("pre")
    world.start().terminate()
    world.terminate()
    world.advance(2.1)
    assert "SIGKILL pre" in world.happened
    assert world.over


def test_third_sigterm_kills_hooks_and_jobs_and_starts_no_more() -> None:
    world = JobsWorld(
        job("app"),
        job("pre", once("stopping", "app")),
        job("post", once("stopped", "app")),
        job("farewell", once("shutdown", "global")),
    )
    world.processes.stubborn |= {"app", "pre", "farewell"}
    world.start()
    for _ in range(3):
        world.terminate()
    world.advance(2.1)
    assert world.over
    assert "post" not in world.starts()
    assert world.processes.running("pre") == world.processes.running("farewell") == []


def test_both_signals_go_to_the_group() -> None:
    world = JobsWorld(job("app"), stop_timeout=1.0)
    world.processes.stubborn.add("app")
    world.start().terminate()
    world.advance(1.1)
    assert world.processes.all[0].signals == [("SIGTERM", True), ("SIGKILL", True)]


def test_triggers_that_wait_are_dropped_by_a_stop() -> None:
    world = JobsWorld(job("app", each("signal", "SIGHUP"))).start()
    world.signal(1, "SIGHUP")
    world.signal(1, "SIGHUP")
    world.terminate()
    assert world.story("SIGTERM") == ["SIGTERM app"]
    assert world.over
    assert world.starts() == ["app"]


def test_events_during_a_stop_start_nothing() -> None:
    world = JobsWorld(job("app"), job("hup", each("signal", "SIGHUP")), job("bye", once("exitFailed", "app")))
    world.processes.stubborn.add("app")
    world.start().terminate()
    world.signal(1, "SIGHUP")
    world.exit("app", 1)
    assert world.over
    assert world.starts() == ["app"]


def test_restarts_end_with_a_stop() -> None:
    world = JobsWorld(job("app", restarts=None), job("task", every(1), restarts=None, timeout=1))
    world.processes.stubborn.add("app")
    world.start().terminate()
    world.exit("app", 1)
    assert world.over
    assert world.starts() == ["app", "task"]


def test_services_leave_the_catalogue_before_anything_is_terminated() -> None:
    world = JobsWorld(job("app", health=check("app", None), service=advertised("app"))).start()
    world.discovery.delay = 0.3
    world.advance(1.1)
    world.terminate()
    assert world.story("SIGTERM") == []
    world.advance(0.4)
    assert world.happened[-4:-1] == ["passing app", "deregister app", "SIGTERM app"]
    assert world.over


def test_many_jobs_end_together() -> None:
    jobs = [job(f"job{number}") for number in range(300)]
    hooks = [job(f"hook{number}", once("stopping", f"job{number}")) for number in range(300)]
    world = JobsWorld(*jobs, *hooks)
    for number in range(300):
        world.processes.termination[f"hook{number}"] = (1.0, 0)
    world.start().terminate()
    world.advance(1.1)
    assert world.over


def test_hook_with_a_timeout_of_its_own_runs_no_longer() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app"), timeout=2.0, timeout_text="2s"))
    world.processes.stubborn.add("pre")
    world.start().terminate()
    world.advance(2.1)
    assert "SIGKILL pre" in world.happened
    assert world.over


def test_timeout_of_a_trigger_that_comes_at_the_end_does_not_end_the_hook() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app", timeout=1.0))).start()
    world.advance(5)
    assert world.count("timerExpired pre") == 1
    assert world.state("pre") == "waiting"
    world.terminate()
    assert world.starts() == ["app", "pre"]


def test_hook_that_cannot_be_started_delays_nothing() -> None:
    world = JobsWorld(job("app"), job("pre", once("stopping", "app")), job("post", once("stopped", "app")))
    world.processes.missing |= {"pre", "post"}
    world.start().terminate()
    assert world.over
    assert sum("unable to start" in line for line in world.log.lines) == 2


def test_job_that_does_not_die_is_given_up_and_its_post_stop_runs() -> None:
    world = JobsWorld(job("app"), job("post", once("stopped", "app")), stop_timeout=1.0)
    world.processes.stubborn.add("app")
    world.processes.unkillable.add("app")
    world.start().terminate()
    world.advance(3.1)
    world.exit("post")
    assert world.over


@pytest.mark.parametrize("main", [True, False])
def test_exit_code_is_that_of_sigkill_when_the_main_job_hangs_in_the_kernel(main: bool) -> None:
    world = JobsWorld(job("app", main=main), stop_timeout=60.0)
    world.processes.stubborn.add("app")
    world.processes.unkillable.add("app")
    world.start()
    for _ in range(3):
        world.terminate()
    world.advance(2.1)
    assert world.over
    assert world.engine.exit_code == (137 if main else 0)


@pytest.mark.parametrize("code", [0, 1])
def test_result_of_a_check_that_outlives_the_checks_of_its_job_does_not_count(code: int) -> None:
    pre = job("pre", once("stopping", "app"))
    world = JobsWorld(job("app", health=check("app"), service=advertised("app")), pre, job("other"))
    world.processes.stubborn.add("check")
    world.start().advance(1)
    world.ask("stop", "app")
    world.exit("check", code)
    assert world.state("app") == "stopping"
    assert [event for event in world.events if event.endswith(("healthy app", "check.app"))] == []
    assert world.story("passing", "critical") == []


# --- many jobs


def test_a_stop_does_not_wait_until_a_thousand_jobs_have_started() -> None:
    world = JobsWorld(*(job(f"job{number}") for number in range(1000)))
    world.loop.calls = 300
    world.start()
    started = len(world.processes.all)
    assert 250 < started < 310
    world.terminate()
    assert len(world.processes.all) == started
    assert world.over
    assert all(process.signals == [("SIGTERM", True)] for process in world.processes.all)


def calls(work: Callable[[], object]) -> int:
    """The number of called functions."""
    count = 0

    def profile(_: object, what: str, __: object) -> None:
        nonlocal count
        count += what == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def stop(world: JobsWorld) -> None:
    world.terminate()
    assert world.over


def end(world: JobsWorld) -> None:
    for process in world.processes.all:
        process.exit(0)
    assert world.over


def replace(world: JobsWorld) -> None:
    world.reload(*(known.replace(timeout_text="another") for known in world.plan.jobs))
    assert world.outcomes == [""]


@pytest.mark.parametrize("work", [stop, end, replace])
def test_four_times_as_many_jobs_are_four_times_the_work(work: Callable[[JobsWorld], None]) -> None:
    few, many = (JobsWorld(*(job(f"job{number}") for number in range(count))).start() for count in (100, 400))
    assert calls(lambda: work(many)) < 5 * calls(lambda: work(few))
