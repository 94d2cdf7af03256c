"""Children that are hard to be the parent of: halted ones, ones without a descriptor, thousands of orphans."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.size import FULL
from tests.system import proc
from tests.system.exhaustion.limits import ends_well, supervised, wait_for_two_ticks
from tests.system.jobs.configs import config, job, once
from tests.system.pilot import now, settle
from tests.system.scripts import deaf, forever, python, service, sh

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


ORPHANS = 10_000 if FULL else 1_000
WAVE = 1_000  # that exit at once
BUDGET = 1  # seconds: stopTimeout


def everything(dialect: str, app: list[str]) -> tuple[dict[str, Any], list[str]]:
    """An application, and one child of each other kind, all of which run until they are ended; and the command."""
    if dialect == "services":
        settings = {
            "directory": "catalogue",
            "stopTimeout": BUDGET,
            "coprocesses": [{"command": forever("coprocess")}],
            "tasks": [{"command": forever("task"), "frequency": "100ms", "timeout": "1h"}],
            "services": [service(health=forever("check"), timeout="1h")],
        }
        return settings, app
    health = {"exec": forever("check"), "interval": 1, "ttl": 10, "timeout": "1h"}
    address = {"port": 8000, "interfaces": "static:127.0.0.1"}
    jobs = [
        job("app", app, main=True, health=health, **address),
        job("agent", forever("coprocess"), restarts="unlimited"),
        job("task", forever("task"), when={"interval": "100ms"}, timeout="1h"),
    ]
    return config(*jobs, directory="catalogue", stopTimeout=BUDGET), []


def halt_all(started: Pilot) -> None:
    for word in ("app", "coprocess", "task", "check"):
        started.wait_for_mark(word)
    for pid in started.children():
        os.kill(pid, signal.SIGSTOP)
    started.wait_for(lambda: {proc.state(pid) for pid in started.children()} == {"T"}, what="the halt of all")


@pytest.mark.parametrize("init", [False, True], ids=["ordinary", "PID 1"])
@pytest.mark.parametrize("dialect", ["services", "jobs"])
def test_halted_children_end_at_once(pilot: StartPilot, dialect: str, init: bool) -> None:
    settings, command = everything(dialect, forever("app"))
    started = pilot(settings, command, init=init)
    halt_all(started)

    assert started.stop() == 128 + signal.SIGTERM
    started.assert_nothing_is_left()


@pytest.mark.parametrize("dialect", ["services", "jobs"])
def test_halted_and_deaf_children_end_with_the_budget(pilot: StartPilot, dialect: str) -> None:
    settings, command = everything(dialect, deaf("app"))
    started = pilot(settings, command)
    halt_all(started)
    requested_at = now()

    assert started.stop() == 128 + signal.SIGKILL
    assert now() - requested_at > BUDGET - 0.1
    started.assert_nothing_is_left()


def test_children_that_are_halted_again_and_again_do_not_prolong_a_stop(pilot: StartPilot) -> None:
    # SIGCONT wakes it, and it halts itself at once: only SIGKILL is left.
    stubborn = python(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGCONT, lambda *_: os.kill(os.getpid(), signal.SIGSTOP))\n"
        "mark('app')\n"
        "while True:\n    os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    started = pilot({"stopTimeout": BUDGET}, stubborn)
    started.wait_for_mark("app")

    assert started.stop() == 128 + signal.SIGKILL
    started.assert_nothing_is_left()


def test_halted_hook_goes_on_with_a_second_request(pilot: StartPilot) -> None:
    hook = job("hook", sh("mark hook\nkill -STOP $$\nmark never"), when=once("stopping", "app"))
    started = pilot(config(job("app", forever("app"), main=True), hook))
    started.wait_for_mark("app")
    started.signal("TERM")
    started.wait_for_mark("hook")
    started.wait_for(lambda: "T" in {proc.state(pid) for pid in started.children()}, what="the halt")
    settle(0.25)  # two requests within 0.2 s are one

    assert started.stop() == 128 + signal.SIGTERM
    assert "never" not in started.words()
    started.assert_nothing_is_left()


CLOSES_ALL = "os.closerange(0, 1024)\nmark('app')\n"


@pytest.mark.parametrize("how", ["runs on", "halts", "closes again and again"])
def test_a_child_that_closes_all_its_descriptors_lives_on(pilot: StartPilot, how: str) -> None:
    then = {
        "runs on": "signal.pause()\n",
        "halts": "os.kill(os.getpid(), signal.SIGSTOP)\nsignal.pause()\n",
        "closes again and again": "while True:\n    os.closerange(0, 1024)\n    time.sleep(0.05)\n",
    }[how]
    started = pilot(config(job("app", python(CLOSES_ALL + then), main=True), stopTimeout=BUDGET))
    started.wait_for_mark("app")
    before = processor_seconds(started.pid)
    began = now()
    started.wait_for(lambda: now() > began + 1)

    assert processor_seconds(started.pid) - before < 0.3, "it is busy with nothing"
    assert started.jobs()["app"]["state"] == "running"
    assert started.stop() == 128 + signal.SIGTERM
    started.assert_nothing_is_left()


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def waves_of_orphans(count: int) -> str:
    """An intermediate makes a wave of children, which say who they are, and leaves them alone; they exit at once."""
    return (
        "def wave(size):\n"
        "    readable, writable = os.pipe()\n"
        "    middle = os.fork()\n"
        "    if middle:\n"
        "        os.close(readable)\n"
        "        os.waitpid(middle, 0)\n"
        "        os.close(writable)\n"
        "        return\n"
        "    os.close(writable)\n"
        "    for _ in range(size):\n"
        "        if os.fork() == 0:\n"
        "            os.read(readable, 1)\n"
        "            os._exit(0)\n"
        "    os._exit(0)\n"
        f"for _ in range({count // WAVE}):\n"
        f"    wave({WAVE})\n"
        "mark('released')\n"
        "signal.pause()\n"
    )


@pytest.mark.parametrize("init", [False, True], ids=["ordinary", "PID 1"])
def test_thousands_of_orphans(pilot: StartPilot, init: bool) -> None:
    orphans = job("orphans", python(waves_of_orphans(ORPHANS)), when={"source": "SIGHUP"})
    started = pilot(supervised(orphans), init=init)
    # The first ones of an ordinary process would go to its own reaper: it makes itself one after the start.
    started.wait_for_mark("tick", 2)
    before, memory = started.descriptors(), proc.resident_kilobytes(started.pid)

    started.signal("HUP")
    started.wait_for_mark("released", timeout=90)
    started.wait_for(lambda: not started.zombies() and len(started.children()) <= 4, what="the end of the orphans")

    wait_for_two_ticks(started)
    assert len(started.family()) <= 8
    assert len(started.descriptors()) <= len(before) + 4, "those of a check and a tick under way"
    assert proc.resident_kilobytes(started.pid) < memory + 4096
    ends_well(started)
