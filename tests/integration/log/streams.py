"""Parts that the tests of the log's sink share: a loop, a pipe and a channel that do what the test says."""

from __future__ import annotations

import fcntl
import os
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cp.log.channels import Channel
from tests.descriptors import is_ready
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from cp.log.channels import Loop

LINE = b"x" * 99 + b"\n"


class FakeTimer:
    def __init__(self, deadline: float, callback: Callable[[], object]) -> None:
        self.deadline = deadline
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """The engine's loop, with a clock that the test moves and descriptors that are looked at when the test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.timers: list[FakeTimer] = []
        self.writers: dict[int, Callable[[], object]] = {}
        self.posted: list[Callable[[], object]] = []
        self.rung = threading.Event()

    def now(self) -> float:
        return self.time

    def call_at(self, deadline: float, callback: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(deadline, callback)
        self.timers.append(timer)
        return timer

    def post(self, callback: Callable[[], object]) -> None:
        self.posted.append(callback)
        self.rung.set()

    def add_writer(self, fd: int, callback: Callable[[], object]) -> None:
        with select.epoll() as probe:
            probe.register(fd, select.EPOLLOUT)  # refuses what the real loop would refuse
        self.writers[fd] = callback

    def remove_writer(self, fd: int) -> None:
        del self.writers[fd]

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = [timer for timer in self.timers if timer.deadline <= self.time]
        self.timers = [timer for timer in self.timers if timer.deadline > self.time]
        for timer in due:
            if not timer.cancelled:
                timer.callback()

    def turn(self) -> None:
        """One round: call those whose descriptors can be written to, and what other threads posted."""
        self.rung.clear()
        for fd, callback in list(self.writers.items()):
            if is_ready(fd, select.POLLOUT):
                callback()
        while self.posted:
            self.posted.pop(0)()


class Wire(Channel):
    """A channel that follows a script: how many bytes each write takes, or what it raises; then it takes everything."""

    def __init__(self, *script: int | OSError) -> None:
        self.script = list(script)
        self.data = b""
        self.sizes: list[int] = []
        self.watcher: Callable[[], object] | None = None

    def watch(self, loop: Loop, callback: Callable[[], object]) -> None:
        self.watcher = callback

    def unwatch(self, loop: Loop) -> None:
        self.watcher = None

    def write(self, data: bytes) -> int:
        step = self.script.pop(0) if self.script else len(data)
        if isinstance(step, OSError):
            raise step
        if data[step : step + 1] == b"\n":  # a line cut there looks whole, and is counted as lost
            step += 1
        self.data += data[:step]
        self.sizes.append(min(step, len(data)))
        return self.sizes[-1]


class Pipe:
    """A pipe whose write end is like our standard output: shared, blocking."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def read_all(self) -> bytes:
        """The current content of the pipe."""
        os.set_blocking(self.read_end, False)
        parts = []
        try:
            while part := os.read(self.read_end, 1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    def is_blocking(self) -> bool:
        return not fcntl.fcntl(self.write_end, fcntl.F_GETFL) & os.O_NONBLOCK

    def close(self) -> None:
        for fd in (self.read_end, self.write_end):
            if fd >= 0:
                os.close(fd)
        self.read_end = self.write_end = -1


def read_until(pipe: Pipe, loop: FakeLoop, enough: Callable[[bytes], bool]) -> bytes:
    """Read the pipe and turn the loop until enough has come."""
    deadline = time.monotonic() + DEADLINE
    data = b""
    while not enough(data):
        assert time.monotonic() < deadline, f"only {len(data)} bytes came, ending in {data[-200:]!r}"
        loop.turn()
        loop.rung.wait(0.001)
        data += pipe.read_all()
    return data


def numbered(count: int) -> list[bytes]:
    return [b"%099d\n" % number for number in range(count)]


def errno_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
