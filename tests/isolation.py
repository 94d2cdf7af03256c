"""Keeps unit tests apart from the machine: no sockets, processes, threads or waiting, and a clock that stands still.

A folder of tests has it by importing these hooks into its conftest.py.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import FrameType, ModuleType

MOMENT = 1_501_601_127.25  # on the wall
UPTIME = 1000.0

# What the interpreter reports before it does it, whichever module asks (sys.audit).
REPORTED = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.posix_spawn",
    "os.system",
    "socket.__new__",
    "socket.getaddrinfo",
    "subprocess.Popen",
}
# What it does not report.
UNREPORTED: list[tuple[ModuleType | type, str]] = [
    (os, "pipe"),
    (os, "pipe2"),
    (select, "epoll"),
    (select, "poll"),
    (select, "select"),
    (threading.Thread, "start"),
]


class _Guard:
    def __init__(self) -> None:
        self.thread = 0  # the one that runs a test now
        self.refused: list[str] = []

    def refuse(self, what: str) -> None:
        self.refused.append(what)
        raise AssertionError(f"a unit test uses {what}: it belongs to tests/integration")

    def audit(self, event: str, _: object) -> None:
        if event in REPORTED and threading.get_ident() == self.thread and not _importing():
            self.refuse(event)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:  # zero only lets other threads run
            self.refuse("time.sleep")

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Refuses everything meanwhile, and fails at the end, too: the code under test may have caught the error."""
        self.refused.clear()
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in UNREPORTED:
                what = f"{owner.__name__}.{name}"
                patch.setattr(owner, name, lambda *_, what=what, **__: self.refuse(what))
            patch.setattr(time, "sleep", self.sleep)
            patch.setattr(time, "time", lambda: MOMENT)
            patch.setattr(time, "monotonic", lambda: UPTIME)
            self.thread = threading.get_ident()
            try:
                yield
            finally:
                self.thread = 0
        if self.refused:
            self.refuse(self.refused[0])


def _importing() -> bool:
    """Whether a module is being imported: urllib3 tries whether this machine has IPv6, whichever test comes first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


_guard = _Guard()
sys.addaudithook(_guard.audit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    with _guard.closed():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with _guard.closed():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    """After the last test of a run the fixtures of all tests end, such as the servers of system tests."""
    with _guard.closed() if nextitem else nullcontext():
        yield
