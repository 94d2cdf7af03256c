"""When ContainerPilot as a whole is ready, and what a client that waits for it learns."""

from __future__ import annotations

from typing import Any

import pytest

from cp.engine import program_readiness
from cp.plan import INHERIT, Check, Job, Ready, Service, When
from tests.unit.engine.jobs_world import JobsWorld

START = When(code="startup", source="global")


def job(name: str, when: When = START, **more: Any) -> Job:
    return Job(name=name, when=when, **{"command": (name,), "output": INHERIT, "counted": True, **more})


def checked(name: str, **more: Any) -> Job:
    check = Check(label=f"check.{name}", interval=5.0, command=(f"{name}-check",), output=INHERIT, source="c")
    return job(name, health=(check,), **more)


class Waiting:
    """A world in which the readiness is announced, and clients wait."""

    def __init__(self, *jobs: Job, **settings: Any) -> None:
        self.world = JobsWorld(*jobs, **settings)
        self.readiness = self.world.engine.readiness
        self.readiness.announce("", is_shown=True)
        self.world.start()

    @property
    def lines(self) -> list[str]:
        return [line for line in self.world.log.lines if "ready after" in line]

    def wait(self, *names: str) -> list[str]:
        outcomes: list[str] = []
        self.readiness.wait(names, outcomes.append)
        self.world.loop.settle()
        return outcomes

    def pass_check(self, name: str, code: int = 0) -> None:
        """The next check of a job ends."""
        if not self.world.processes.running(f"{name}-check"):
            self.world.advance(5)
        self.world.exit(f"{name}-check", code)
        self.world.advance(0)


def test_it_is_ready_when_all_counted_jobs_are() -> None:
    late = job("late", When(code="exitSuccess", source="migrate"))
    waiting = Waiting(job("migrate", counted=False), checked("app", restarts=1), late)
    assert waiting.lines == []

    waiting.world.advance(1)
    waiting.world.exit("migrate")
    assert waiting.lines == []
    waiting.pass_check("app")
    assert waiting.lines == ["info: ready after 6.0 s"]

    waiting.world.exit("app", 1)
    waiting.world.advance(100)
    assert len(waiting.lines) == 1


def test_a_plan_without_counted_jobs_is_ready_at_once_and_says_so_quietly() -> None:
    assert Waiting(job("app", counted=False)).lines == ["debug: ready after 0.0 s"]


def test_jobs_that_are_out_of_use_do_not_count() -> None:
    never = job("never", When(code="exitSuccess", source="migrate"))
    stopped = job("stopped", When(code="signal", source="SIGHUP"))
    waiting = Waiting(
        job("migrate", counted=False), never, stopped, job("ends"), job("app", When(code="signal", source="SIGUSR2"))
    )

    waiting.world.exit("migrate", 1)
    assert waiting.world.state("never") == "skipped"
    waiting.world.exit("ends", 1)
    waiting.world.ask("stop", "stopped")
    assert waiting.world.state("stopped") == "held"
    assert waiting.lines == []
    waiting.world.signal(12, "SIGUSR2")
    assert waiting.lines == ["info: ready after 0.0 s"]


def test_a_job_that_is_replaced_counts() -> None:
    """Between its two lives it is complete, and not out of use."""
    hook = job("hook", When(code="stopped", source="app"), counted=False)
    waiting = Waiting(job("app"), hook)
    outcomes = waiting.world.ask("restart", "app")
    assert waiting.world.state("app") == "complete"
    assert waiting.wait() == []

    waited = waiting.wait()
    waiting.world.exit("hook")
    assert outcomes == [""]
    assert waited == ["ready"]


def test_a_reload_can_end_a_wait() -> None:
    blocked = job("blocked", When(code="signal", source="SIGHUP"))
    waiting = Waiting(job("app"), blocked)
    everything, named = waiting.wait(), waiting.wait("blocked")
    assert everything == named == []

    waiting.world.reload(job("app"))
    assert everything == ["ready"]
    assert named == ["ended"]
    assert waiting.lines == ["info: ready after 0.0 s"]


def test_what_comes_after_a_reload_counts_too() -> None:
    waiting = Waiting(job("app"))
    waiting.world.reload(job("app"), checked("new"))
    waited = waiting.wait()
    assert waited == []

    waiting.pass_check("new")
    assert waited == ["ready"]
    assert len(waiting.lines) == 1


def test_a_client_waits_for_health_too() -> None:
    waiting = Waiting(checked("app"))
    waiting.pass_check("app")
    assert waiting.wait() == waiting.wait("app") == ["ready"]

    waiting.pass_check("app", 1)
    waited = waiting.wait()
    assert waited == waiting.wait("app") == []
    waiting.pass_check("app")
    assert waited == ["ready"]


def test_nothing_is_ready_in_maintenance() -> None:
    waiting = Waiting(job("app"))
    waiting.world.maintenance(True)
    waited = waiting.wait()
    assert waited == []

    waiting.world.maintenance(False)
    assert waited == ["ready"]


def test_it_is_not_announced_in_maintenance_or_a_stop() -> None:
    waiting = Waiting(job("app", When(code="signal", source="SIGHUP")), job("other", counted=False))
    waiting.world.maintenance(True)
    waiting.world.signal(1, "SIGHUP")
    assert waiting.lines == []
    waiting.world.maintenance(False)
    assert len(waiting.lines) == 1

    waiting = Waiting(job("app", When(code="signal", source="SIGHUP")), job("other", counted=False))
    waiting.world.terminate()
    waiting.world.advance(10)
    assert waiting.lines == []


def test_a_stop_ends_all_waits() -> None:
    waiting = Waiting(checked("app"), job("task", counted=False))
    (process,) = waiting.world.processes.running("app")
    process.polite = False
    waited = [waiting.wait(), waiting.wait("app")]
    waiting.world.exit("task")
    waiting.world.terminate()
    assert waited == [["stopping"], ["stopping"]]
    assert waiting.wait() == waiting.wait("app", "task") == ["stopping"]
    assert waiting.wait("task") == ["ready"]


def test_a_wait_does_not_outlast_the_beginning_of_a_stop() -> None:
    """No job ends before the catalogue has answered."""
    service = Service(name="app", id="app", address="127.0.0.1", port=80, ttl=10, initial_status="passing")
    waiting = Waiting(checked("app", service=service))
    waiting.world.discovery.delay = None
    waited = [waiting.wait(), waiting.wait("app")]
    waiting.world.terminate()
    assert waiting.world.state("app") == "running"
    assert waited == [["stopping"], ["stopping"]]


@pytest.mark.parametrize(("code", "outcome"), [(0, "ready"), (3, "ended")])
def test_a_named_job_that_has_ended_ends_the_wait(code: int, outcome: str) -> None:
    waiting = Waiting(job("task", counted=False), job("app"))
    assert waiting.wait("task", "app") == ["ready"]  # it runs
    waiting.world.exit("task", code)
    assert waiting.wait("task", "app") == [outcome]


def test_a_named_job_that_fails_ends_the_wait_for_all_of_them() -> None:
    first = job("first", ready=Ready(kind="log", text="never"))
    waiting = Waiting(first, checked("second"))
    waited = waiting.wait("first", "second")
    waiting.world.exit("second", 1)
    assert waited == ["ended"]


def test_a_named_job_that_waits_in_vain_ends_the_wait() -> None:
    never = job("never", When(code="exitSuccess", source="migrate"))
    waiting = Waiting(job("migrate", counted=False), never, job("app"))
    waited = waiting.wait("never")
    assert waited == []
    waiting.world.exit("migrate", 1)
    assert waited == ["ended"]
    waiting.world.ask("stop", "app")
    assert waiting.wait("app") == ["ended"]


def test_a_periodic_job_is_ready_if_its_last_run_succeeded() -> None:
    every = When(code="startup", source="global", interval=5.0)
    waiting = Waiting(job("often", every, counted=False, restarts=None), job("app"))
    waiting.world.exit("often")
    assert waiting.world.state("often") == "scheduled"
    assert waiting.wait("often") == ["ready"]

    waiting.world.advance(5)
    waiting.world.exit("often", 1)
    waited = waiting.wait("often")
    assert waited == []
    waiting.world.advance(5)
    assert waited == ["ready"]


def test_ready_of_the_process_is_waited_for() -> None:
    waiting = Waiting(job("app", ready=Ready(kind="log", text="listening")))
    waited = waiting.wait("app")
    read = waiting.world.monitors["app"].on_line
    assert read is not None
    read("not yet")
    waiting.world.loop.settle()
    assert waited == waiting.lines == []

    read("listening on :80")
    waiting.world.loop.settle()
    assert waited == ["ready"]
    assert len(waiting.lines) == 1


def test_a_client_that_leaves_leaves_nothing() -> None:
    waiting = Waiting(job("app", When(code="signal", source="SIGHUP")))
    outcomes: list[str] = []
    for leave in [waiting.readiness.wait(names, outcomes.append) for names in ((), ("app",))]:
        leave()
    waiting.world.signal(1, "SIGHUP")
    assert outcomes == []
    assert not waiting.readiness._waits
    assert not waiting.readiness._waits_of


def test_a_thousand_jobs_are_looked_at_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients wait, and in whatever order the jobs become ready."""
    looks = 0
    original = program_readiness.is_in_service

    def counted(*arguments: Any) -> bool:
        nonlocal looks
        looks += 1
        return original(*arguments)

    monkeypatch.setattr(program_readiness, "is_in_service", counted)
    count = 1000
    names = [f"job{number}" for number in range(count)]
    waiting = Waiting(*(job(name, When(code="ready", source=f"s{name}")) for name in names))
    waited = [waiting.wait() for _ in range(50)]
    looks = 0
    for name in (*names[::2], *reversed(names[1::2])):
        waiting.world.publish("ready", f"s{name}")

    assert all(each == ["ready"] for each in waited)
    assert len(waiting.lines) == 1
    assert looks < 6 * count


def test_it_notifies_the_service_manager_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(program_readiness, "notify", lambda *message: sent.append(message))

    def run(socket: str, *jobs: Job, withheld: tuple[str, ...] = ("NOTIFY_SOCKET",)) -> list[tuple[str, str]]:
        sent.clear()
        world = JobsWorld(*jobs, withheld=withheld)
        world.engine.readiness.announce(socket, is_shown=True)
        world.start()
        world.reload(*jobs, job("new"), withheld=withheld)
        return sent

    assert run("/run/notify", job("app")) == [("/run/notify", "READY=1\nSTATUS=ready after 0.0 s")]
    assert run("/run/notify", job("app", counted=False)) == [("/run/notify", "READY=1\nSTATUS=ready after 0.0 s")]
    assert run("", job("app")) == []
    assert run("/run/notify", job("app", keeps_notify_socket=True)) == []
    assert run("/run/notify", job("app"), withheld=()) == []


def test_a_full_queue_of_the_service_manager_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = 0

    def notify(*_: str) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise BlockingIOError(11, "full")

    monkeypatch.setattr(program_readiness, "notify", notify)
    waiting = Waiting(job("other", When(code="signal", source="SIGHUP")), withheld=("NOTIFY_SOCKET",))
    waiting.readiness.announce("/run/notify", is_shown=True)
    waiting.world.signal(1, "SIGHUP")
    waiting.world.advance(10)
    assert attempts == 3
    assert not [line for line in waiting.world.log.lines if line.startswith("warning")]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BlockingIOError(11, "full"), "cannot send READY=1 to NOTIFY_SOCKET /run/notify: its queue is full"),
        (
            FileNotFoundError(2, "no such file or directory"),
            "cannot send READY=1 to NOTIFY_SOCKET /run/notify: no such file or directory",
        ),
        (ValueError("it is relative"), "cannot send READY=1 to NOTIFY_SOCKET /run/notify: it is relative"),
    ],
)
def test_a_failed_notification_is_one_warning(monkeypatch: pytest.MonkeyPatch, error: Exception, line: str) -> None:
    def notify(*_: str) -> None:
        raise error

    monkeypatch.setattr(program_readiness, "notify", notify)
    waiting = Waiting(job("app"), withheld=("NOTIFY_SOCKET",))
    waiting.readiness.announce("/run/notify", is_shown=True)
    waiting.world.advance(100)
    assert [each for each in waiting.world.log.lines if each.startswith("warning")] == [f"warning: {line}"]
