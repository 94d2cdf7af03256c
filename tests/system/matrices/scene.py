"""One ContainerPilot in one phase of its life, in either dialect, PID 1 or not, whose children tell what they get."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.system import proc
from tests.system.matrices.signals import BEFORE, JOBS, PRE_START, RUNNING, SERVICES, STOP
from tests.system.pilot import settle
from tests.system.scripts import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

LOG = "pilot.log"
APP_CODE = 7
SAME_REQUEST = 0.25  # seconds, and more than those within which two requests to stop count as one
# A process in the group of the application, which ends with it.
CHILD = "child"

# By sigwait, for a handler may miss its moment between two looks; and they come one at a time.
LISTENS = (
    "blocked = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, blocked)\n"
    "def listen(word):\n"
    "    mark(word)\n"
    "    number = 0\n"
    "    while number != signal.SIGTERM:\n"
    "        number = signal.sigwait(blocked)\n"
    "        mark(f'{word} {int(number)}')\n"
)


def app(dialect: str) -> list[str]:
    """Exits with APP_CODE when it gets SIGTERM; where its group gets that too, after its child."""
    wait = "    os.wait()\n" if dialect == JOBS else ""
    return python(
        f"{LISTENS}if os.fork() == 0:\n    listen('{CHILD}')\n"
        f"else:\n    listen('app')\n{wait}    os._exit({APP_CODE})\n"
    )


def hook(word: str) -> list[str]:
    """Ends well when it gets SIGTERM."""
    return python(f"{LISTENS}listen('{word}')")


def config(dialect: str, phase: str) -> dict[str, Any]:
    if dialect == SERVICES:
        hooks = {PRE_START: {"preStart": hook("preStart")}, STOP: {"preStop": hook("preStop")}}
        return {"dialect": SERVICES, "logging": {"level": "DEBUG"}, **hooks.get(phase, {})}
    main: dict[str, Any] = {"name": "app", "exec": app(JOBS), "main": True}
    jobs = [main]
    if phase == PRE_START:
        main["when"] = {"source": "prepare", "once": "exitSuccess"}
        jobs.append({"name": "prepare", "exec": hook("preStart")})
    elif phase == STOP:
        jobs.append({"name": "preStop", "exec": hook("preStop"), "when": {"source": "app", "once": "stopping"}})
    return {"logging": {"level": "DEBUG", "output": LOG}, "control": {"socket": "control.socket"}, "jobs": jobs}


class Scene:
    """Use `in_phase` to make one."""

    def __init__(self, pilot: Pilot, dialect: str, phase: str, configure: int) -> None:
        self.pilot = pilot
        self.dialect = dialect
        self.phase = phase
        self.app_pid = 0
        self._configure = configure  # where the configuration is waited for, before the handlers stand

    def log(self) -> str:
        """All that was logged: to standard output, to the old log files and to the new one."""
        files = sorted(self.pilot.folder.glob(f"{LOG}*"), key=lambda path: path.stat().st_mtime_ns)
        return self.pilot.output() + "".join(path.read_text(errors="replace") for path in files)

    def rename_log(self, number: int) -> None:
        (self.pilot.folder / LOG).rename(self.pilot.folder / f"{LOG}.{number}")

    def has_new_log(self) -> bool:
        return (self.pilot.folder / LOG).exists()

    def pending(self) -> set[int]:
        """The signals that wait for the handlers."""
        bits = int(proc.status(self.pilot.pid).get("ShdPnd", "0"), 16)
        return {number for number in range(1, 65) if bits >> (number - 1) & 1}

    def begin(self) -> None:
        """Give it its configuration: the handlers are about to stand."""
        if self._configure >= 0:
            try:
                os.write(self._configure, json.dumps(config(self.dialect, self.phase)).encode())
            except BrokenPipeError:
                pass  # it is gone already
            os.close(self._configure)
            self._configure = -1

    def hook_pid(self) -> int:
        """The pid of the running hook; 0 if there is none, or no pilot."""
        hooks = [pid for pid in self.pilot.children() if pid != self.app_pid and proc.state(pid) not in ("", "Z")]
        return hooks[0] if hooks else 0

    def release_hook(self) -> None:
        """The hook of the phase has done its work."""
        os.kill(self.hook_pid(), signal.SIGTERM)

    def close(self) -> None:
        if self._configure >= 0:
            os.close(self._configure)


@contextmanager
def in_phase(pilot: StartPilot, dialect: str, phase: str, *, init: bool) -> Iterator[Scene]:
    """A ContainerPilot that has come to this phase and stays there."""
    command = app(SERVICES) if dialect == SERVICES else ()
    if phase == BEFORE:
        reader, writer = os.pipe()
        every = sorted(signal.valid_signals())
        started = pilot(None, ["-config", "-", *command], init=init, stdin=reader, blocked=every)
        os.close(reader)
        made = Scene(started, dialect, phase, writer)
    else:
        made = Scene(pilot(config(dialect, phase), command, init=init), dialect, phase, -1)
    try:
        started = made.pilot
        if phase == PRE_START:
            started.wait_for_mark("preStart")
        if phase in (RUNNING, STOP):
            started.wait_for_mark("app")
            started.wait_for_mark(CHILD)
            made.app_pid = started.children()[0]
        if phase == STOP:
            started.signal("TERM")
            started.wait_for_mark("preStop")
            settle(SAME_REQUEST)
        yield made
    finally:
        made.close()


def getters(dialect: str) -> tuple[str, ...]:
    """The processes that get a signal that is passed on."""
    return ("app", CHILD) if dialect == JOBS else ("app",)
