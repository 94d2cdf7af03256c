"""Why a run ended: by ContainerPilot, for a limit of the control group, or by somebody else."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from cp.engine.cause_of_death import EXPLAINS, KILLED, KILLED_OR_MEMORY, Deaths
from cp.plan import RESTART
from cp.platform.cgroup import Counters
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import app, job, once

if TYPE_CHECKING:
    from cp.engine.exit_status import Exit

OOM = "probably out of memory: the memory limit of 64 MiB was reached"
KILL = -signal.SIGKILL


class FakeGroup:
    def __init__(self) -> None:
        self.kills: int | None = 3  # before the start, in an older life of the group
        self.hits = 7
        self.memory: int | None = 64 << 20
        self.pids: int | None = 20

    def counters(self) -> Counters:
        return Counters(self.kills, self.hits)

    def memory_limit(self) -> int | None:
        return self.memory

    def pids_limit(self) -> int | None:
        return self.pids

    def kill(self, count: int = 1) -> None:
        """The kernel kills for lack of memory."""
        self.kills = (self.kills or 0) + count


class Deadly(JobsWorld):
    def __init__(self, *jobs: Any, **settings: Any) -> None:
        super().__init__(*jobs, **settings)
        self.group = FakeGroup()

    def start(self) -> Deadly:
        self.context.deaths = Deaths(self.group, self.loop.now)
        super().start()
        return self

    def last(self, name: str) -> Exit:
        end = self.engine.jobs[name].last_exit
        assert end is not None
        return end

    def cause(self, name: str) -> tuple[str, str] | None:
        cause = self.last(name).cause
        return None if cause is None else (cause.code, cause.text)


def named(name: str = "app", **changes: Any) -> Any:
    """A job as the jobs dialect compiles it."""
    return job(name, names_causes=True, **changes)


def test_a_kill_that_the_kernel_counted_was_for_memory() -> None:
    world = Deadly(named()).start()
    world.group.kill()
    world.exit("app", KILL)
    assert world.cause("app") == ("oom", OOM)
    assert f"error: app exited with error: signal: killed ({OOM})" in world.log.lines
    last = world.seen("app")["lastExit"]
    assert (last["text"], last["cause"], last["causeCode"]) == ("signal: killed", OOM, "oom")


def test_without_a_limit_the_machine_had_no_memory() -> None:
    world = Deadly(named()).start()
    world.group.memory = None
    world.group.kill()
    world.exit("app", KILL)
    assert "probably out of memory: the memory of the machine" in world.last("app").cause.text  # type: ignore[union-attr]


def test_a_kill_that_the_kernel_did_not_count_was_by_somebody_else() -> None:
    world = Deadly(named()).start()
    world.exit("app", KILL)
    assert world.cause("app") == ("killed", KILLED)


def test_where_nothing_is_counted_both_are_possible() -> None:
    world = Deadly(named())
    world.group.kills = None
    world.start().exit("app", KILL)
    assert world.cause("app") == ("killed", KILLED_OR_MEMORY)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Deadly:
    """The application has started, and nothing has looked at the counters yet."""
    world = Deadly(named())
    monkeypatch.setattr("cp.platform.cgroup.ControlGroup", lambda: world.group)
    world.context._watches_deaths = True
    JobsWorld.start(world)
    return world


def test_a_death_before_the_first_look_counts_all_kills_as_its_own(late: Deadly) -> None:
    world = late
    world.group.hits = 0
    world.exit("app", KILL)
    assert world.cause("app") == ("oom", OOM)


def test_a_success_before_the_first_look_looks_at_nothing(late: Deadly) -> None:
    late.exit("app", 0)
    assert (late.cause("app"), late.context.deaths) == (None, None)


def test_the_first_look_makes_the_numbers_before_it_meaningless(late: Deadly) -> None:
    late.context.watch_deaths()
    late.exit("app", KILL)
    assert late.cause("app") == ("killed", KILLED)


def test_no_memory_for_the_module_is_no_cause(late: Deadly, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> FakeGroup:
        raise MemoryError

    monkeypatch.setattr("cp.platform.cgroup.ControlGroup", exhausted)
    late.exit("app", KILL)
    assert late.cause("app") is None


def test_processes_that_die_together_each_have_their_cause() -> None:
    world = Deadly(named("one"), named("two"), named("three")).start()
    world.group.kill(2)
    for name in ("one", "two", "three"):
        world.exit(name, KILL)
    assert [world.cause(name) for name in ("one", "two", "three")] == [("oom", OOM), ("oom", OOM), ("killed", KILLED)]


def test_a_kill_that_no_run_died_of_explains_no_later_death() -> None:
    """A worker of the application, for instance."""
    world = Deadly(named(), named("tick", restarts=None), named("other")).start()
    world.group.kill()
    world.exit("other", 1)  # looked at
    world.advance(EXPLAINS + 1)
    world.exit("app", KILL)
    assert world.cause("app") == ("killed", KILLED)


def test_shell_whose_command_was_killed_for_memory() -> None:
    world = Deadly(named(), named("other")).start()
    world.group.kill()
    world.exit("app", 137)
    world.exit("other", 137)
    assert (world.cause("app"), world.cause("other")) == (("oom", OOM), None)
    assert f"error: app exited with error: exit status 137 ({OOM})" in world.log.lines


@pytest.mark.parametrize("code", [1, 137, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGTERM])
def test_other_ends_keep_their_plain_text(code: int) -> None:
    world = Deadly(named()).start()
    world.exit("app", code)
    assert world.cause("app") is None
    assert not [line for line in world.log.lines if "exited" in line and "(" in line]


def test_time_limit() -> None:
    world = Deadly(named(timeout=5.0, timeout_text="5s")).start()
    world.advance(6)
    assert world.cause("app") == ("timeout", "its `timeout` of 5s is over")


def test_a_kill_for_memory_is_not_hidden_by_a_stop_that_had_begun() -> None:
    world = Deadly(named()).start()
    world.processes.running("app")[0].polite = False
    world.terminate()
    world.group.kill()
    world.exit("app", KILL)
    assert world.cause("app") == ("oom", OOM)


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("onUnhealthy", "its health check failed: `onUnhealthy`"),
        ("ready.timeout", "it was not ready in time: `ready.timeout`"),
        ("watchdog", "it sent no WATCHDOG=1 in time: `watchdog`"),
    ],
)
def test_failure_of_a_run(why: str, text: str) -> None:
    world = Deadly(named(restarts=1)).start()
    for polite in (True, False):
        world.processes.running("app")[0].polite = polite
        world.engine.jobs["app"].fail_run(why, RESTART, why == "watchdog")
        if why == "watchdog" and polite:
            world.exit("app", -signal.SIGABRT)
        world.advance(world.plan.stop_timeout + 2)
        world.loop.settle()
        assert world.cause("app") == (why, text if polite else f"{text}; it did not end in time")


def test_stop_of_everything() -> None:
    world = Deadly(named("polite"), named("stubborn"), named("handles")).start()
    for name in ("stubborn", "handles"):
        world.processes.running(name)[0].polite = False
    world.terminate()
    world.exit("handles", 0)
    world.advance(60)
    assert world.cause("polite") == ("stop", "ContainerPilot stops")
    assert world.cause("handles") == ("stop", "ContainerPilot stops")
    assert world.cause("stubborn") == (
        "stopTimeout",
        "ContainerPilot stops, and it did not end within `stopTimeout`",
    )


def test_stop_that_kills_at_once() -> None:
    world = Deadly(named(), stop_timeout=-1.0).start()
    world.terminate()
    assert world.cause("app") == ("stop", "ContainerPilot stops")


@pytest.mark.parametrize("way", ["shutdownTimeout", "signals"])
def test_stop_that_kills_everything(way: str) -> None:
    world = Deadly(named(), shutdown_timeout=1.0 if way == "shutdownTimeout" else None, stop_timeout=60.0).start()
    world.processes.running("app")[0].polite = False
    for _ in range(1 if way == "shutdownTimeout" else 3):
        world.terminate()
    world.advance(2)
    assert world.cause("app") == (
        "kill",
        "ContainerPilot kills everything: `shutdownTimeout` is over, or a third signal asked for it",
    )


def test_request_and_reload() -> None:
    world = Deadly(named(), named("other")).start()
    app_before = world.engine.jobs["app"]
    world.ask("restart", "app")
    assert app_before.last_exit is not None
    assert app_before.last_exit.cause is not None
    assert app_before.last_exit.cause.code == "request"

    before = world.engine.jobs["other"]
    world.reload(named(), named("other", restarts=3))
    assert before.last_exit is not None
    assert before.last_exit.cause is not None
    assert before.last_exit.cause.code == "reload"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_signal_that_was_passed_on(number: int) -> None:
    world = Deadly(named(main=True)).start()
    if number == signal.SIGKILL:
        world.admin.signal_job("app", number)
        world.loop.settle()
    else:
        world.signal(number, "SIGQUIT")
        world.exit("app", -number)
    assert world.cause("app") == ("signal", "the signal came through ContainerPilot")


def test_signal_that_does_not_end_the_process_is_no_cause() -> None:
    world = Deadly(named()).start()
    world.admin.signal_job("app", signal.SIGHUP)
    world.exit("app", 1)
    assert world.cause("app") is None


def test_limit_of_processes_is_added_to_a_failure() -> None:
    world = Deadly(named(), named("well")).start()
    world.group.hits += 2
    world.exit("well", 0)
    world.exit("app", 1)
    text = "the limit of 20 processes was reached"
    assert (world.cause("app"), world.cause("well")) == (("pids", text), None)
    assert f"error: app exited with error: exit status 1 ({text})" in world.log.lines


def test_limit_of_processes_comes_after_another_cause() -> None:
    world = Deadly(named()).start()
    world.group.pids = None
    world.group.hits += 1
    world.group.kill()
    world.exit("app", KILL)
    assert world.cause("app") == ("oom", f"{OOM}; the limit of processes was reached")


def test_limit_of_processes_is_about_the_run_in_which_it_was_reached() -> None:
    world = Deadly(named(), named("later", when=once("exitFailed", "app"))).start()
    world.group.hits += 1
    world.exit("app", 1)
    world.exit("later", 1)
    assert world.cause("later") is None


def test_start_that_fails_for_the_limit_of_processes() -> None:
    world = Deadly(named(), named("later", when=once("exitSuccess", "app"))).start()
    world.processes.missing.add("later")
    world.exit("app", 0)
    assert world.cause("later") is None
    assert world.last("later").error


@pytest.mark.parametrize(
    ("kills", "hits", "line"),
    [
        (1, 0, f"APP exited (-1): signal: killed ({OOM})"),
        (0, 1, f"APP exited (-1): signal: killed ({KILLED}; the limit of 20 processes was reached)"),
        (0, 0, "APP exited (-1): signal: killed"),
    ],
)
def test_services_dialect_adds_a_limit_to_the_line_and_nothing_else(kills: int, hits: int, line: str) -> None:
    world = Deadly(app()).start()
    world.group.kill(kills)
    world.group.hits += hits
    world.exit("app", KILL)
    assert [each for each in world.log.lines if "APP exited" in each] == [f"debug: {line}"]


class Observed:
    """The part of telemetry that counts deaths."""

    def __init__(self) -> None:
        self.deaths: list[tuple[str, str]] = []

    def job_died(self, name: str, cause: str) -> None:
        self.deaths.append((name, cause))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def test_deaths_are_counted_by_cause() -> None:
    world = Deadly(named(), named("other"), named("stays")).start()
    world.context.observer = observed = Observed()
    world.group.kill()
    world.exit("app", KILL)
    world.exit("other", 1)
    world.terminate()
    assert observed.deaths == [("app", "oom"), ("stays", "stop")]


def test_counters_are_not_asked_about_a_success() -> None:
    class Unreadable(FakeGroup):
        def counters(self) -> Counters:
            raise AssertionError("it is looked at")

    world = Deadly(named()).start()
    world.context.deaths = deaths = Deaths(FakeGroup(), world.loop.now)
    deaths._group = Unreadable()
    world.exit("app", 0)
    assert world.cause("app") is None


def test_signal_to_what_an_exited_process_left_did_not_end_it() -> None:
    world = Deadly(named()).start()
    run = world.engine.jobs["app"].runs.current
    assert run is not None
    run._exit_code = 3  # and its output is still open
    run.terminate(group=True)
    assert run.sent == {}
