"""The drain of a job, in a stop of everything, on request, and in a reload."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from cp.engine.states import State
from cp.plan import Drain
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import STARTUP, advertised, check, job, once

IDLE = Drain(min=2.0, max=30.0, is_idle=True)
SHORT = Drain(min=5.0, max=5.0)


def app(name: str = "app", drain: Drain | None = SHORT, **changes: Any) -> Any:
    fields = {"health": check(name), "service": advertised(name), "drain": drain, "counted": True, **changes}
    return job(name, **fields)


def world_of(*jobs: Any, connections: int | str = 0, stubborn: bool = False, **settings: Any) -> JobsWorld:
    """A world in which all jobs run and are healthy, 2.5 s after the start."""
    world = JobsWorld(*jobs, **settings)
    world.processes.termination["check"] = (0.1, 0)
    world.connections[80] = connections
    if stubborn:
        world.processes.stubborn.add("app")
    world.start().advance(2.5)  # no check runs
    world.happened.clear()
    return world


def messages(world: JobsWorld, name: str = "app") -> list[str]:
    return [line for line in world.log.lines if line.startswith((f"info: {name} ", "warning: "))]


# --- a stop of everything


def test_a_job_serves_for_the_time_of_its_drain_between_deregistration_and_stopping() -> None:
    world = world_of(app())
    world.discovery.delay = 0.2
    world.terminate()
    world.advance(0.2)
    assert (world.state("app"), world.happened) == ("draining", ["deregister app"])
    world.advance(4.9)
    assert (world.state("app"), world.happened) == ("draining", ["deregister app"])
    assert "stopping app" not in world.events
    world.advance(0.1)
    assert world.happened[:2] == ["deregister app", "SIGTERM app"]
    assert world.over
    assert messages(world) == ["info: app drains for 5.0 s", "info: app has drained after 5.0 s"]


def test_nothing_checks_or_registers_a_job_that_drains() -> None:
    world = world_of(app())
    world.terminate()
    world.advance(4.9)
    assert world.story("start check", "passing") == []
    assert world.seen("app")["service"]["registered"] == "no"


def test_a_stop_waits_for_the_catalogue_only_within_its_limit_before_it_drains() -> None:
    world = world_of(app())
    world.discovery.delay = None
    world.terminate()
    world.advance(0.9)
    assert world.state("app") == "running"
    world.advance(0.2)
    assert world.state("app") == "draining"


def test_all_drain_at_the_same_time_and_no_job_ends_before_the_last_has_drained() -> None:
    world = world_of(app("a", Drain(min=1.0, max=1.0)), app("b", Drain(min=3.0, max=3.0)), job("c"))
    world.terminate()
    world.advance(0.0)
    assert [world.state(name) for name in "abc"] == ["draining", "draining", "running"]
    world.advance(2.9)
    assert [world.state(name) for name in "abc"] == ["draining", "draining", "running"]
    assert world.seen("a")["about"] == "has drained; waits for other jobs that drain"
    assert world.story("SIGTERM") == []
    world.advance(0.1)
    assert sorted(world.story("SIGTERM")) == ["SIGTERM a", "SIGTERM b", "SIGTERM c"]
    assert world.over


def test_hooks_on_stopping_run_after_the_drain() -> None:
    world = world_of(app(), job("hook", once("stopping", "app")))
    world.terminate()
    world.advance(4.9)
    assert world.starts("hook") == []
    world.advance(0.1)
    assert world.starts("hook") == ["hook"]
    assert world.state("app") == "stopping"


def test_the_end_of_the_process_ends_the_drain() -> None:
    world = world_of(app(), app("other", Drain(min=9.0, max=9.0)), job("post", once("stopped", "app")))
    world.terminate()
    world.advance(1.5)
    world.exit("app", 3)
    assert (world.state("app"), world.starts("post")) == ("complete", ["post"])
    assert world.state("other") == "draining"
    assert messages(world)[1:] == ["info: app has drained for 1.5 s and stops draining: its process has ended"]
    world.exit("other")
    world.exit("post")
    assert world.over


def test_the_end_of_the_last_process_that_drains_ends_the_others() -> None:
    world = world_of(app(), job("other"))
    world.terminate()
    world.advance(1.0)
    world.exit("app")
    assert world.story("SIGTERM") == ["SIGTERM other"]


def test_the_end_of_the_last_process_that_drains_does_not_wait_for_its_hooks() -> None:
    world = world_of(app(), job("hook", once("stopping", "app")), job("other"))
    world.terminate()
    world.advance(1.0)
    world.exit("app")
    assert (world.state("app"), world.starts("hook")) == ("stopping", ["hook"])
    assert world.story("SIGTERM") == ["SIGTERM other"]


def test_a_second_sigterm_ends_all_drains() -> None:
    world = world_of(app(), app("other", IDLE), connections=1)
    world.terminate()
    world.advance(1.0)
    world.terminate()
    assert sorted(world.story("SIGTERM")) == ["SIGTERM app", "SIGTERM other"]
    assert world.over
    assert messages(world)[-1] == "info: app has drained for 1.2 s and stops draining: ContainerPilot ends it now"


def test_a_second_sigterm_before_the_deregistration_lets_no_drain_begin() -> None:
    world = world_of(app())
    world.discovery.delay = None
    world.terminate()
    world.terminate()
    world.advance(1.0)
    assert world.story("SIGTERM") == ["SIGTERM app"]
    assert messages(world) == []


def test_a_third_sigterm_kills_what_drains() -> None:
    world = world_of(app(), stop_timeout=-1.0)
    world.discovery.delay = None
    for _ in range(3):
        world.terminate()
    assert "SIGKILL app" in world.happened
    assert world.over


def test_shutdown_timeout_limits_drains() -> None:
    world = world_of(app(), shutdown_timeout=3.0)
    world.terminate()
    world.advance(2.9)
    assert world.state("app") == "draining"
    world.advance(0.1)
    assert "SIGKILL app" in world.happened
    assert world.over


def test_the_budget_of_the_stop_is_whole_after_the_drain() -> None:
    world = world_of(app(), stubborn=True, stop_timeout=4.0)
    world.terminate()
    world.advance(5.0)
    assert world.state("app") == "terminating"
    world.advance(3.9)
    assert world.story("SIGKILL") == []
    world.advance(0.1)
    assert world.story("SIGKILL") == ["SIGKILL app"]


@pytest.mark.parametrize("state", ["waiting", "pausing", "complete"])
def test_a_job_without_a_process_does_not_drain(state: str) -> None:
    when = once("exitSuccess", "never") if state == "waiting" else STARTUP
    world = JobsWorld(app(restarts=None if state == "pausing" else 0, when=when), job("never")).start()
    if state != "waiting":
        world.exit("app")
        world.advance(0.0)
    if state == "pausing":
        world.exit("app")
    assert world.state("app") == state
    world.terminate()
    world.advance(0.0)
    assert world.over


def test_a_job_that_has_no_command_drains_too() -> None:
    world = world_of(app(command=None), job("other"))
    assert world.state("app") == State.ACTIVE
    world.terminate()
    world.advance(4.9)
    assert (world.state("app"), world.story("SIGTERM")) == ("draining", [])
    world.advance(0.2)
    assert world.over


def test_a_run_that_has_failed_does_not_drain() -> None:
    world = world_of(app(), stubborn=True, stop_timeout=10.0)
    world.engine.jobs["app"].fail_run("onUnhealthy", "restart")
    world.ask("stop", "app")
    assert world.state("app") == "terminating"


def test_a_failure_of_a_run_restarts_it_without_a_drain() -> None:
    world = world_of(app(restarts=None))
    world.engine.jobs["app"].fail_run("onUnhealthy", "restart")
    world.advance(0.0)
    assert world.starts("app") == ["app"]
    assert messages(world) == []


# --- on request


def test_a_request_drains_the_job_alone() -> None:
    world = world_of(app(), job("other"))
    world.discovery.delay = 0.3
    outcome = world.ask("stop", "app")
    world.advance(5.2)
    assert (outcome, world.state("app"), world.story("SIGTERM")) == ([], "draining", [])
    world.advance(0.2)
    assert (outcome, world.state("app"), world.state("other")) == ([""], "held", "running")
    assert world.happened[0] == "deregister app"


def test_a_request_waits_for_the_deregistration_within_the_limit_of_a_stop() -> None:
    world = world_of(app())
    world.discovery.delay = None
    world.ask("restart", "app")
    assert world.seen("app")["about"] == "drains; is being deregistered"
    world.advance(1.0)
    assert world.seen("app")["about"] == "drains; 5 s more"
    world.advance(5.1)
    assert world.starts("app") == ["app"]


def test_a_reload_drains_a_job_that_it_replaces() -> None:
    world = world_of(app())
    changed = app(drain=Drain(min=1.0, max=1.0))
    world.reload(changed)
    assert world.state("app") == "draining"
    world.advance(5.1)
    assert (world.outcomes, world.starts("app")) == ([""], ["app"])


def test_a_job_that_drains_is_neither_checked_nor_registered_again() -> None:
    world = world_of(app())
    world.ask("stop", "app")
    world.advance(4.9)
    assert world.story("passing", "start") == []
    assert world.state("app") == "draining"


def test_a_job_that_becomes_ready_while_it_drains_is_not_registered() -> None:
    world = world_of(app(service=advertised("app", "passing")))
    world.ask("stop", "app")
    world.engine.jobs["app"].announce()
    world.engine.jobs["app"].readiness.became_ready()
    world.loop.settle()
    assert world.story("passing") == []


def test_a_stop_of_everything_goes_on_with_the_drain_of_a_request() -> None:
    world = world_of(app(), app("other", Drain(min=9.0, max=9.0)))
    world.ask("stop", "app")
    world.advance(2.0)
    world.terminate()
    world.advance(3.0)
    assert world.engine.jobs["app"].state == "draining"
    assert not world.engine.jobs["app"].is_draining
    assert world.story("SIGTERM") == []
    world.advance(6.2)
    assert world.over
    assert [line for line in messages(world) if "drains for" in line] == ["info: app drains for 5.0 s"]


def test_a_stop_of_everything_waits_for_the_drain_of_a_request_alone() -> None:
    world = world_of(app(), job("other"))
    world.ask("stop", "app")
    world.advance(2.0)
    world.terminate()
    world.advance(2.9)
    assert (world.state("app"), world.story("SIGTERM")) == ("draining", [])
    world.advance(0.2)
    assert sorted(world.story("SIGTERM")) == ["SIGTERM app", "SIGTERM other"]
    assert world.over


def test_a_confirmation_that_comes_after_the_drain_changes_nothing() -> None:
    world = world_of(app())
    world.discovery.delay = 0.5
    world.ask("stop", "app")
    world.exit("app")
    world.advance(10.0)
    assert world.state("app") == "held"
    assert [line for line in messages(world) if "drain" in line] == [
        "info: app has drained for 0.0 s and stops draining: its process has ended"
    ]


def test_a_hook_that_drains_after_a_request_ends_in_a_stop() -> None:
    hook = job("hook", once("stopping", "app"), service=advertised("hook"), health=check("hook"), drain=SHORT)
    world = world_of(job("app"), hook)
    assert world.ask("start", "hook") == [""]
    world.ask("stop", "hook")
    world.advance(1.0)
    assert world.state("hook") == "draining"
    world.terminate()
    world.advance(4.5)
    assert world.over


def test_a_hook_that_drains_does_not_delay_the_end_of_its_job() -> None:
    hook = job("hook", once("stopping", "app"), service=advertised("hook"), health=check("hook"), drain=SHORT)
    world = world_of(job("app"), hook)
    assert world.ask("start", "hook") == [""]
    world.ask("stop", "hook")
    world.advance(1.0)
    assert world.state("hook") == "draining"
    world.engine.jobs["app"].stop()
    world.loop.settle()
    assert (world.state("hook"), world.story("SIGTERM")) == ("draining", ["SIGTERM app"])


def test_without_its_module_no_job_drains_and_the_others_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor is left to read it, for instance."""
    world = world_of(app(), job("other"), stubborn=True)
    monkeypatch.setitem(sys.modules, "cp.engine.drain", None)
    world.terminate()
    world.advance(0.1)
    assert sorted(world.story("SIGTERM")) == ["SIGTERM app", "SIGTERM other"]
    assert any(line.startswith("error: cannot drain app: ") for line in world.log.lines)


def test_a_job_that_ends_by_itself_while_a_request_drains_it_is_held() -> None:
    world = world_of(app(restarts=None), job("hook", once("stopping", "app")))
    outcome = world.ask("stop", "app")
    world.advance(1.0)
    world.exit("app", 1)
    assert (outcome, world.starts()) == ([], ["hook"])
    world.exit("hook")
    world.advance(0.0)
    assert (outcome, world.state("app")) == ([""], "held")


def test_a_draining_job_is_not_ready() -> None:
    world = world_of(app())
    assert world.engine.readiness.unready(()) == []
    world.ask("restart", "app")
    assert world.engine.readiness.unready(()) == ["app"]


# --- until no connection is left


def test_a_drain_until_idle_ends_when_the_last_connection_has_ended() -> None:
    world = world_of(app(drain=IDLE), connections=3)
    world.ask("stop", "app")
    world.advance(4.5)
    world.connections[80] = 1
    world.advance(1.0)
    assert world.seen("app")["about"] == "drains; 1 connection is left on port 80; at most 24 s more"
    assert world.seen("app")["drain"]["connections"] == 1
    world.connections[80] = 0
    world.advance(0.4)
    assert world.state("app") == "draining"
    world.advance(0.1)
    assert world.state("app") == "held"
    assert messages(world) == [
        "info: app drains: 3 connections are left on port 80",
        "info: app has drained after 6.0 s",
    ]
    assert world.story("look") == ["look at port 80"] * 7


def test_a_drain_until_idle_takes_the_shortest_time_without_any_connection() -> None:
    world = world_of(app(drain=Drain(min=2.5, max=30.0, is_idle=True)))
    world.ask("stop", "app")
    world.advance(2.4)
    assert world.seen("app")["about"] == "drains; no connection is left; at least 0 s more"
    world.advance(0.1)
    assert messages(world) == [
        "info: app drains: no connection is left on port 80",
        "info: app has drained after 2.5 s",
    ]


def test_a_connection_that_comes_within_the_shortest_time_counts() -> None:
    world = world_of(app(drain=IDLE))
    world.ask("stop", "app")
    world.advance(1.5)
    world.connections[80] = 1
    world.advance(1.0)
    assert world.state("app") == "draining"


def test_the_limit_ends_a_drain_with_connections() -> None:
    world = world_of(app(drain=Drain(min=0.0, max=9.5, is_idle=True)), connections=2)
    world.ask("stop", "app")
    world.advance(9.5)
    assert messages(world)[1:] == [
        "info: app has drained for 9.5 s, its limit: 2 connections are left on port 80",
    ]
    world.advance(5.0)
    assert len(world.story("look")) == 10


def test_without_the_table_of_the_kernel_the_drain_takes_its_longest_time_with_one_warning() -> None:
    world = world_of(app(drain=IDLE), connections="/proc/net/tcp: permission denied")
    world.ask("stop", "app")
    world.advance(29.9)
    assert (world.state("app"), world.story("look")) == ("draining", ["look at port 80"])
    assert world.seen("app")["about"] == "drains; at most 0 s more"
    world.advance(0.1)
    assert messages(world) == [
        "warning: cannot count the connections of app: /proc/net/tcp: permission denied: "
        "it drains for the whole time, 30.0 s",
        "info: app has drained for 30.0 s, its limit",
    ]


def test_without_a_thread_the_look_comes_later() -> None:
    world = world_of(app(drain=IDLE))
    world.threads_left = False
    world.ask("stop", "app")
    world.advance(2.5)
    world.threads_left = True
    world.advance(0.5)
    assert world.state("app") == "held"


def test_a_look_that_ends_after_the_drain_changes_nothing() -> None:
    world = world_of(app(drain=IDLE), connections=1)
    counted: list[Any] = []
    world.context.count_connections = lambda loop, port, then: counted.append(then)
    world.ask("stop", "app")
    world.advance(0.0)
    world.exit("app")
    world.advance(0.0)
    counted[0](0, "")
    world.advance(60.0)
    assert len(counted) == 1
    assert [line for line in messages(world) if "drain" in line] == [
        "info: app has drained for 0.0 s and stops draining: its process has ended"
    ]
