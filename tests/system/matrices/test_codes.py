"""Exit codes for all exit codes of the application, and for all its signals, with and without a core dump."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.size import CASES, FULL
from tests.system import proc
from tests.system.matrices.signals import ALL, DIALECTS, JOBS
from tests.system.scripts import sh

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

    Record = Callable[[str, object], None]

AT_ONCE = 4  # programs that run beside each other: each waits most of its time
TELLING = {0, 1, 2, 7, 124, 125, 126, 127, 128, 129, 137, 143, 254, 255}
CODES = list(range(256)) if FULL else sorted(TELLING | set(random.sample(range(256), 10)))
BATCH = 32

IGNORED = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
HALTING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
FATAL = [
    number
    for number in ALL
    if number not in IGNORED | HALTING and (FULL or number <= signal.SIGRTMIN or number == signal.SIGRTMAX)
]
CORE = "QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS"
DUMPING = {signal.Signals[f"SIG{name}"] for name in CORE.split()}
WITH_INIT = FATAL if FULL else [signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMAX]


def start(pilot: StartPilot, dialect: str, script: str, *, init: bool = False) -> Pilot:
    if dialect == JOBS:
        main = {"name": "app", "exec": sh(script), "main": True}
        return pilot({"control": {"socket": "control.socket"}, "jobs": [main]}, init=init)
    return pilot({}, sh(script), init=init)


def codes(pilot: StartPilot, dialect: str, scripts: list[str], **options: Any) -> list[int]:
    """The exit code of ContainerPilot for each of these applications."""
    found: list[int] = []
    for begin in range(0, len(scripts), AT_ONCE):
        running = [start(pilot, dialect, script, **options) for script in scripts[begin : begin + AT_ONCE]]
        for started in running:
            found.append(started.wait_exit())
            assert started.errors() == ""
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("begin", range(0, len(CODES), BATCH), ids=lambda begin: f"from {CODES[begin]}")
def test_the_exit_code_of_the_app_is_that_of_containerpilot(
    pilot: StartPilot, record_property: Record, dialect: str, begin: int
) -> None:
    batch = CODES[begin : begin + BATCH]
    record_property(CASES, len(batch))

    assert codes(pilot, dialect, [f"exit {code}" for code in batch]) == batch


@pytest.mark.parametrize("init", [False, True], ids=["ordinary", "PID 1"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_signal_that_ends_the_app_gives_128_and_its_number(
    pilot: StartPilot, record_property: Record, dialect: str, init: bool
) -> None:
    numbers = WITH_INIT if init else FATAL
    record_property(CASES, len(numbers))

    found = codes(pilot, dialect, [f"kill -{int(number)} $$" for number in numbers], init=init)

    assert found == [128 + number for number in numbers]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_core_dump_changes_nothing(pilot: StartPilot, record_property: Record, dialect: str) -> None:
    numbers = sorted(DUMPING)
    record_property(CASES, len(numbers))
    started = [start(pilot, dialect, f"ulimit -c unlimited; kill -{int(number)} $$") for number in numbers]

    assert [each.wait_exit() for each in started] == [128 + number for number in numbers]

    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern and not pattern.startswith(("|", "/")):  # else they go elsewhere, or nowhere
        dumped = [any(path.name.startswith(pattern[:4]) for path in each.folder.iterdir()) for each in started]
        assert dumped == [True for _ in numbers]


def wait_for_halt(started: Pilot, pid: int) -> None:
    started.wait_for(lambda: proc.state(pid) == "T", what="the halt")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_signal_that_halts_the_app_or_that_it_ignores_does_not_end_containerpilot(
    pilot: StartPilot, record_property: Record, dialect: str
) -> None:
    numbers = sorted(HALTING | IGNORED)
    record_property(CASES, len(numbers))
    for number in numbers:
        started = start(pilot, dialect, f"mark $$; kill -{int(number)} $$; mark after; exit 7")
        app = int(started.wait_for(started.words)[0])
        if number in HALTING:
            wait_for_halt(started, app)
            assert started.count("after") == 0
            os.kill(app, signal.SIGCONT)

        assert started.wait_exit() == 7
        assert started.count("after") == 1
