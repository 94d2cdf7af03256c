"""Readiness and the watchdog of a job in the virtual world, from what its process sends to what the engine does."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from cp.plan import Ready
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, each, job

if TYPE_CHECKING:
    from cp import plan
    from cp.plan import OnFailure
    from tests.unit.engine.world import FakeSources

NOTIFY = Ready(kind="notify")


def app(ready: Ready | None = NOTIFY, **changes: Any) -> plan.Job:
    return job("app", **{"ready": ready, "announces_ready": True, **changes})


def watched(ready: Ready | None = NOTIFY, **changes: Any) -> plan.Job:
    return app(ready, **{"watchdog": 30.0, "watchdog_text": "30s", "restarts": 1, **changes})


def started(*jobs: plan.Job, **settings: Any) -> tuple[JobsWorld, FakeSources]:
    world = JobsWorld(*jobs, job("other"), **settings).start()
    return world, world.sources["app"]


def is_ready(world: JobsWorld) -> bool:
    return world.engine.jobs["app"].is_ready


def variables(world: JobsWorld) -> dict[str, str]:
    (process,) = world.processes.running("app")
    return {name: value for name, value in process.environ.items() if name.startswith(("NOTIFY", "WATCHDOG"))}


# --- notify


def test_the_process_learns_its_socket_and_is_ready_when_it_says_so() -> None:
    world, sources = started(app(), job("late", each("ready", "app")))
    assert variables(world) == {"NOTIFY_SOCKET": "/run/app"}
    assert (is_ready(world), world.count("ready app")) == (False, 0)
    sources.send("READY=1")
    sources.send("READY=1")
    assert (is_ready(world), world.count("ready app"), world.starts("late")) == (True, 1, ["late"])


@pytest.mark.parametrize("assignment", ["READY=0", "READY=", "READY=yes", "RELOADING=1", "MAINPID=1", "STATUS=READY=1"])
def test_nothing_else_is_readiness(assignment: str) -> None:
    world, sources = started(app())
    sources.send(assignment)
    assert not is_ready(world)


def test_all_runs_have_the_same_socket_and_each_has_its_own_readiness() -> None:
    world, sources = started(app(restarts=1))
    sources.send("READY=1", "STATUS=up")
    world.exit("app", 1)
    world.advance(0.1)
    assert variables(world) == {"NOTIFY_SOCKET": "/run/app"}
    assert (is_ready(world), world.monitors["app"].status) == (False, "")
    sources.send("READY=1")
    assert (is_ready(world), world.count("ready app")) == (True, 2)
    world.exit("app", 1)
    world.advance(0.1)
    assert world.story("open socket", "close app") == ["open socket of app", "close app"]


def test_what_comes_between_two_runs_or_is_left_from_the_one_before_counts_for_none() -> None:
    world, sources = started(app(restarts=2))
    world.exit("app", 1)
    sources.send("READY=1")
    sources.queue("READY=1")
    world.advance(10)
    assert (is_ready(world), world.count("ready app")) == (False, 0)


def test_a_process_that_reports_and_exits_at_once_was_ready() -> None:
    world, sources = started(app())
    sources.queue("READY=1")
    world.exit("app", 0)
    assert world.events.index("ready app") < world.events.index("exitSuccess app")
    assert not is_ready(world)


def test_status_is_the_last_text_of_the_run() -> None:
    world, sources = started(app())
    sources.send("STATUS=loading", "STATUS=serving")
    assert world.monitors["app"].status == "serving"
    sources.send("STATUS=")
    assert world.monitors["app"].status == ""


def test_a_process_that_is_about_to_end_is_not_ready_any_more() -> None:
    world, sources = started(watched(restarts=0))
    sources.send("READY=1")
    sources.send("STOPPING=1")
    assert not is_ready(world)
    sources.send("READY=1")
    assert (is_ready(world), world.count("ready app")) == (False, 1)
    world.advance(100)
    assert world.story("SIG") == [], "what ends sends no WATCHDOG=1"
    world.exit("app", 0)
    assert world.count("exitSuccess app") == 1


def test_a_job_without_ready_is_not_ready_again_after_it_announced_its_end() -> None:
    world = JobsWorld(watched(None, health=check("app")), job("other"))
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(1.5)
    assert is_ready(world)
    world.sources["app"].send("STOPPING=1")
    world.advance(3)
    assert (is_ready(world), world.count("ready app")) == (False, 1)


def test_the_entry_of_a_service_that_is_about_to_end_gets_no_more_heartbeats() -> None:
    world = JobsWorld(app(health=check("app"), service=advertised("app")), job("other"))
    world.processes.termination["check"] = (0.01, 0)
    world.start().advance(1.5)
    world.sources["app"].send("READY=1", "STOPPING=1")
    world.happened.clear()
    world.advance(5)
    assert world.story("passing") == []


def test_what_has_no_effect_is_logged_once_and_within_a_limit() -> None:
    world, sources = started(app())
    for _ in range(3):
        sources.send("MAINPID=1", "FDSTORE=1", "EXTEND_TIMEOUT_USEC=1000", "BARRIER=1", "MONOTONIC_USEC=1")
    logged = [line for line in world.log.lines if "notify socket" in line]
    assert logged == [
        f"debug: app: {name} on its notify socket has no effect"
        for name in ("MAINPID", "FDSTORE", "EXTEND_TIMEOUT_USEC")
    ]
    for number in range(1000):
        sources.send(f"X{number}=1")
    assert len([line for line in world.log.lines if "notify socket" in line]) == 16


@pytest.mark.parametrize("ready", [NOTIFY, Ready(kind="fd", fd=3)])
def test_without_a_descriptor_the_run_cannot_start(ready: Ready) -> None:
    world = JobsWorld(app(ready), job("other"))
    world.refuses = OSError(errno.EMFILE, "Too many open files")
    world.start()
    assert "error: unable to start app: cannot prepare `ready`: too many open files" in world.log.lines
    assert (world.state("app"), world.count("exitFailed app")) == ("complete", 1)


# --- the other kinds


def test_a_newline_on_a_descriptor() -> None:
    world, sources = started(app(Ready(kind="fd", fd=5)))
    assert variables(world) == {}
    assert world.engine.jobs["app"].runs.current is not None
    assert world.engine.jobs["app"].runs.current.descriptors == ((90, 5),)
    assert world.story("close our end") == ["close our end of app"]
    assert world.monitors["app"].waits_for == "a newline on its descriptor 5"
    sources.newline()
    assert (is_ready(world), world.monitors["app"].waits_for) == (True, "")


def test_a_descriptor_that_is_closed_is_a_line_of_the_log() -> None:
    world, sources = started(app(Ready(kind="fd", fd=5)))
    sources.hang_up()
    assert "debug: app: has closed descriptor 5 without a newline: it does not become ready" in world.log.lines
    assert not is_ready(world)


def test_a_new_file() -> None:
    world, sources = started(app(Ready(kind="file", path="/run/up"), restarts=1))
    assert world.monitors["app"].waits_for == "the file /run/up, newer than its start"
    sources.error = "permission denied"
    assert world.monitors["app"].waits_for == "the file /run/up, newer than its start (permission denied)"
    sources.write_file()
    assert is_ready(world)
    world.exit("app", 1)
    world.advance(0.1)
    assert not is_ready(world)
    story = world.story("look")
    assert story[:3] == [
        "look for the file of app",
        "look no more for the file of app",
        "look for the file of app",
    ]


@pytest.mark.parametrize("ready", [NOTIFY, Ready(kind="fd", fd=3), Ready(kind="file", path="/x")], ids=lambda r: r.kind)
@pytest.mark.parametrize("then", ["none", "restart", "stop"])
def test_the_time_limit_holds_for_every_kind(ready: Ready, then: OnFailure) -> None:
    ready = ready.replace(timeout=5.0, timeout_text="5s", on_timeout=then)
    world, _ = started(app(ready, restarts=1))
    world.advance(5.5)
    waits_for = {
        "notify": "READY=1 on its notify socket",
        "fd": "a newline on its descriptor 3",
        "file": "the file /x, newer than its start",
    }
    assert f"warning: app is not ready after 5s: it waits for {waits_for[ready.kind]}" in world.log.lines
    assert world.starts("app") == ["app"] * (2 if then == "restart" else 1)
    assert world.state("app") == ("complete" if then == "stop" else "running")


def test_a_late_report_counts_where_a_timeout_has_no_consequence() -> None:
    world, sources = started(app(NOTIFY.replace(timeout=5.0, timeout_text="5s")))
    world.advance(10)
    sources.send("READY=1")
    assert (is_ready(world), world.count("ready app")) == (True, 1)


def test_a_report_while_the_failed_run_ends_does_not_count() -> None:
    world = JobsWorld(app(NOTIFY.replace(timeout=5.0, timeout_text="5s", on_timeout="stop")), job("other"))
    world.processes.stubborn.add("app")
    world.start().advance(5.5)
    world.sources["app"].send("READY=1")
    assert (is_ready(world), world.count("ready app")) == (False, 0)


# --- the watchdog


def test_a_silent_process_gets_sigabrt_and_is_started_again() -> None:
    world, sources = started(watched())
    assert variables(world) == {"NOTIFY_SOCKET": "/run/app", "WATCHDOG_USEC": "30000000"}
    sources.send("READY=1")
    world.advance(29)
    sources.send("WATCHDOG=1")
    world.advance(29.9)
    assert world.story("SIG") == []
    world.advance(0.2)
    assert world.story("SIG") == ["SIGABRT app"]
    assert "warning: app has sent no WATCHDOG=1 for 30s: it gets SIGABRT" in world.log.lines
    world.exit("app", -6)
    world.advance(0.1)
    assert world.starts("app") == ["app", "app"]
    assert world.count("exitFailed app") == 1


def test_a_process_that_ignores_sigabrt_is_killed() -> None:
    world, sources = started(watched(), stop_timeout=4.0)
    sources.send("READY=1")
    world.advance(33.9)
    assert world.story("SIG") == ["SIGABRT app"]
    world.advance(0.2)
    assert world.story("SIG") == ["SIGABRT app", "SIGKILL app"]
    assert world.starts("app") == ["app", "app"]


def test_with_notify_the_watchdog_waits_for_readiness() -> None:
    world, sources = started(watched())
    world.advance(100)
    assert world.story("SIG") == []
    sources.send("READY=1")
    world.advance(30.1)
    assert world.story("SIG") == ["SIGABRT app"]


@pytest.mark.parametrize("ready", [None, Ready(kind="health"), Ready(kind="fd", fd=3)])
def test_without_notify_the_watchdog_begins_with_the_run(ready: Ready | None) -> None:
    world, sources = started(watched(ready))
    sources.send("READY=1")
    assert is_ready(world) is (ready is None)
    world.advance(30.1)
    assert world.story("SIG") == ["SIGABRT app"]


@pytest.mark.parametrize("is_ready_before", [True, False])
def test_a_process_may_trigger_its_watchdog(is_ready_before: bool) -> None:
    world, sources = started(watched())
    if is_ready_before:
        sources.send("READY=1")
    sources.send("WATCHDOG=trigger", "WATCHDOG=trigger")
    assert world.story("SIG") == ["SIGABRT app"]
    assert "warning: app has sent WATCHDOG=trigger: it gets SIGABRT" in world.log.lines


def test_without_a_watchdog_nothing_is_triggered() -> None:
    world, sources = started(app())
    sources.send("READY=1", "WATCHDOG=1", "WATCHDOG=trigger")
    world.advance(1000)
    assert world.story("SIG") == []


def test_restarts_are_counted_and_then_the_job_is_complete() -> None:
    world, sources = started(watched(restarts=1))
    for _ in range(2):
        sources.send("READY=1", "WATCHDOG=trigger")
        world.exit("app", 0)
        world.advance(0.1)
    assert (world.state("app"), world.starts("app")) == ("complete", ["app", "app"])
    assert (world.count("exitFailed app"), world.count("exitSuccess app")) == (2, 0)


def test_in_maintenance_the_process_is_watched_too() -> None:
    world, sources = started(watched())
    sources.send("READY=1")
    world.maintenance(True)
    assert is_ready(world)
    world.advance(30.1)
    assert world.story("SIG") == ["SIGABRT app"]


def test_during_a_stop_silence_is_no_failure() -> None:
    world = JobsWorld(watched(), job("other"), stop_timeout=100.0)
    world.processes.stubborn.add("app")
    world.start()
    world.sources["app"].send("READY=1")
    world.advance(20)
    world.terminate()
    world.advance(50)
    assert world.story("SIGABRT") == []
    assert not [line for line in world.log.lines if "WATCHDOG" in line]


# --- reload


def test_a_job_that_a_reload_keeps_keeps_its_readiness_and_socket() -> None:
    job_plan = watched()
    world, sources = started(job_plan)
    sources.send("READY=1", "STATUS=up")
    world.reload(job_plan, job("another"))
    assert (is_ready(world), world.count("ready app")) == (True, 1)
    assert world.monitors["app"].status == "up"
    assert world.story("open socket", "close app") == ["open socket of app"]
    sources.send("WATCHDOG=1")
    world.advance(29.9)
    assert world.story("SIGABRT") == []


def test_a_job_that_a_reload_replaces_has_another_socket() -> None:
    world, sources = started(watched())
    sources.send("READY=1")
    world.reload(watched(watchdog=60.0), job("other"))
    assert world.story("open socket", "close app") == ["open socket of app", "close app", "open socket of app"]
    assert variables(world)["WATCHDOG_USEC"] == "60000000"
    assert not is_ready(world)
    world.sources["app"].send("READY=1")
    assert (is_ready(world), world.count("ready app")) == (True, 2)
