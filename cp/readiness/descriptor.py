"""Readiness by a newline on a descriptor of the process: the protocol of s6."""

from __future__ import annotations

import errno
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop

READ_SIZE = 4096  # bytes read in one turn of the loop
STANDARD = 3  # numbers below are those of the standard streams


class ReadyPipe:
    """A pipe for one run. `on_newline()` is called once. What else comes is read and dropped: the process never waits.

    `on_closed()` is called if the process closes its end before a newline.
    """

    __slots__ = ("_loop", "_on_closed", "_on_newline", "_read_end", "_write_end", "number")

    def __init__(
        self, loop: Loop, number: int, on_newline: Callable[[], object], on_closed: Callable[[], object]
    ) -> None:
        """`number` is the descriptor of the process. OSError if there can be no pipe, or no such number."""
        self.number = number
        self._loop = loop
        self._on_newline: Callable[[], object] | None = on_newline
        self._on_closed = on_closed
        limit = os.sysconf("SC_OPEN_MAX")
        if 0 <= limit <= number:
            raise OSError(errno.EBADF, f"a process may have descriptors below {limit} only (ulimit -n), not {number}")
        self._read_end, write_end = os.pipe2(os.O_CLOEXEC)
        self._write_end = -1
        try:
            os.set_blocking(self._read_end, False)
            self._write_end = _apart(write_end, number)
            loop.add_reader(self._read_end, self._readable)
        except OSError:
            os.close(self._read_end)
            self.started()
            raise
        finally:
            os.close(write_end)

    @property
    def descriptors(self) -> tuple[tuple[int, int], ...]:
        """Our descriptor of the write end, and the number that it has in the process."""
        return ((self._write_end, self.number),)

    def started(self) -> None:
        """The process has its end."""
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1

    def close(self) -> None:
        """The run has ended: read what came before that."""
        self.started()
        if self._read_end >= 0:
            self._readable()
        self._close()

    def _close(self) -> None:
        if self._read_end >= 0:
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)
            self._read_end = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._read_end, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        on_newline = self._on_newline
        if not data:
            self._close()
            if on_newline is not None:
                self._on_newline = None
                self._on_closed()
        elif on_newline is not None and b"\n" in data:
            self._on_newline = None
            on_newline()


def _apart(fd: int, number: int) -> int:
    """A copy of a descriptor whose own number is none of the process's: not a standard stream's, and not `number`."""
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, STANDARD)
    if copy != number:
        return copy
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, STANDARD)
    finally:
        os.close(copy)
