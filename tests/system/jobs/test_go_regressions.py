"""Faults that ContainerPilot 3 once had, where the built program shows them best."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.control import SOCKET
from tests.system.jobs.configs import app, config, each, job, once
from tests.system.pilot import now
from tests.system.scripts import forever, mark, python, sh, until_term

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# Keeps making orphans that live for some milliseconds: two hundred a second.
BREEDER = python(
    "mark('breeder')\n"
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    "while True:\n"
    "    if os.fork() == 0:\n"
    "        for _ in range(10):\n"
    "            if os.fork() == 0:\n"
    "                time.sleep(0.005)\n"
    "                os._exit(0)\n"
    "        os._exit(0)\n"
    "    time.sleep(0.05)\n"
)


@pytest.mark.timing
def test_signals_are_prompt_while_orphans_are_reaped(pilot: StartPilot) -> None:
    started = pilot(
        config(
            job("breeder", BREEDER),
            job("on-signal", mark("signal"), when={"source": "SIGUSR2"}),
        ),
        init=True,
    )
    started.wait_for_mark("breeder")
    threads = started.threads()

    for count in range(1, 6):
        requested_at = now()
        started.signal("USR2")
        assert started.wait_for_mark("signal", count).at - requested_at < 3.0
        started.wait_for(lambda: started.jobs()["on-signal"]["state"] == "waiting", what="the end of the job")
    # What is not reaped piles up.
    started.wait_for(lambda: len(started.zombies()) < 20, what="the end of zombies")
    started.wait_for(lambda: started.threads() <= threads, what="no more threads than before")
    requested_at = now()

    assert started.stop() == 0
    assert now() - requested_at < 5.0


def test_another_trigger_does_not_stop_the_running_job(pilot: StartPilot) -> None:
    started = pilot(config(job("each", until_term("each"), when={"source": "SIGHUP"})))
    started.wait_for_line("control: serving at ")
    started.signal("HUP")
    started.wait_for_mark("each")
    pid = started.jobs()["each"]["pid"]

    for count in range(2, 5):
        started.signal("HUP")
        started.wait_for(lambda count=count: signals(started, "SIGHUP") == count, what="the signal")  # type: ignore[misc]

    assert started.jobs()["each"]["pid"] == pid
    assert started.words() == ["each"]


def test_jobs_get_sigterm_before_they_are_killed(pilot: StartPilot) -> None:
    # The shell dies at once, and its child needs its time.
    family = sh("(trap 'sleep 0.2; mark child-term; exit' TERM; mark child; while :; do sleep 0.02; done) &\nwait")
    started = pilot(config(job("app", until_term()), job("family", family)))
    started.wait_for_mark("app")
    started.wait_for_mark("child")

    assert started.stop() == 0
    assert sorted(started.words()[2:]) == ["app-term", "child-term"]


def test_hooks_end_on_reload_and_on_a_stop(pilot: StartPilot) -> None:
    def plan(version: str) -> dict[str, Any]:
        hooks = [job(f"hook{number}", mark(f"hook{number}"), when=when) for number, when in enumerate(HOOKS)]
        return config(job("app", until_term(f"app-{version}")), *hooks)

    started = pilot(plan("old"))
    started.wait_for_mark("app-old")
    started.configure(plan("new"))

    assert started.run("-reload").code == 0
    started.wait_for_mark("app-new")

    assert [started.count(f"hook{number}") for number in range(len(HOOKS))] == [1] * len(HOOKS)
    assert started.stop() == 0
    assert [started.count(f"hook{number}") for number in range(len(HOOKS))] == [2] * len(HOOKS)


HOOKS = [once("stopping", "app"), each("stopping", "app"), once("stopped", "app"), each("stopped", "app")]


def test_a_socket_that_a_killed_one_left_is_replaced(pilot: StartPilot) -> None:
    first = pilot(config(app()))
    first.wait_for_mark("app")
    first.wait_for(lambda: (first.folder / SOCKET).is_socket())
    first.process.kill()
    first.wait_exit()
    assert (first.folder / SOCKET).is_socket()

    second = pilot(config(app(), control={"socket": str(os.path.relpath(first.folder / SOCKET, pilot.folder()))}))

    second.wait_for_mark("app")
    assert first.run("-ping").stdout == "ok\n"


def test_interval_jobs_go_on_without_a_limit_also_when_they_fail(pilot: StartPilot) -> None:
    started = pilot(config(job("task", mark("task", "exit 1"), when={"interval": "20ms"})))

    started.wait_for_mark("task", 20)

    assert started.is_running()


def test_join_works_in_a_pipe(pilot: StartPilot) -> None:
    text = '{ jobs: [{name: "app", exec: "echo {{ .PARTS | split `:` | join `.` }}"}] }'

    done = pilot.run("-config", text, "-template", env={"PARTS": "a:b:c"})

    assert done.stdout == '{ jobs: [{name: "app", exec: "echo a.b.c"}] }'


def test_entering_and_leaving_maintenance_start_jobs(pilot: StartPilot) -> None:
    started = pilot(
        config(
            app(),
            job("on-enter", mark("enter"), when=each("enterMaintenance", "global")),
            job("on-exit", mark("exit"), when=each("exitMaintenance", "global")),
        )
    )
    started.wait_for_mark("app")

    for count in (1, 2):
        assert started.ask("POST", "/v3/maintenance/enable").json == {"updated": True}
        assert started.ask("POST", "/v3/maintenance/enable").json == {"updated": False}
        started.wait_for_mark("enter", count)
        assert started.ask("POST", "/v3/maintenance/disable").json == {"updated": True}
        started.wait_for_mark("exit", count)

    assert started.words() == ["app", *["enter", "exit"] * 2]


def test_signals_and_rotations_leak_nothing(pilot: StartPilot) -> None:
    started = pilot(config(app(), job("on-hup", "true", when={"source": "SIGHUP"}), logging={"output": "cp.log"}))
    started.wait_for_mark("app")
    started.ask("GET", "/v3/ping")
    before = still(started)

    for count in range(1, 101):
        for name in ("USR1", "HUP"):
            started.signal(name)
        started.wait_for(lambda count=count: signals(started, "SIGHUP") >= min(count, 20), what="the signals")  # type: ignore[misc]

    started.wait_for(lambda: started.jobs()["on-hup"]["state"] == "waiting", what="the end of the last run")
    started.wait_for(lambda: still(started) <= before, what=f"no more than {before}")
    assert started.threads() <= 2


def test_a_program_that_starts_after_another_has_ended_finds_the_place_free(pilot: StartPilot) -> None:
    place = pilot.folder() / SOCKET
    for _ in range(3):
        control = {"socket": os.path.relpath(place, pilot.folder())}
        started = pilot(config(app(), control=control))
        started.wait_for_line("control: serving at ")
        assert started.stop() == 0
        assert not place.exists()


def test_unlimited_restarts_are_refused_for_a_job_that_is_started_each_time(pilot: StartPilot) -> None:
    wrong = job("each", "true", when=each("exitSuccess", "app"), restarts="unlimited")

    started = pilot(config(app(), wrong))

    assert started.wait_exit() == 1
    assert "job[each].restarts field 'unlimited' invalid: may not be used when 'job.when.each'" in started.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_prompt_although_a_child_cannot_be_waited_for(pilot: StartPilot, number: int) -> None:
    """A stopped child is neither dead nor doing anything."""
    started = pilot(config(job("app", forever()), app("stopped"), stopTimeout=600), init=True)
    started.wait_for_mark("app")
    started.wait_for_mark("stopped")
    os.kill(started.child("sleep 1000"), signal.SIGSTOP)

    started.send(number)

    assert started.wait_exit() == 0


def signals(started: Pilot, name: str) -> int:
    events = started.ask("GET", "/v3/events").json["events"]
    return sum(event["source"] == name for event in events)


def still(started: Pilot) -> int:
    """The number of open descriptors without a request under way."""
    return min(len(started.descriptors()) for _ in range(5))
