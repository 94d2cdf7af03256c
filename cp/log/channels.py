"""Channels write bytes to a standard stream or a log file, and never block the caller.

ContainerPilot shares its standard output with the application. O_NONBLOCK is a property of the open file description,
so setting it there would make the application's own writes fail. Each class avoids that in another way.
"""

from __future__ import annotations

import os
import stat
from errno import ENXIO, EPIPE

from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Timer(Protocol):
        def cancel(self) -> None: ...

    class Loop(Protocol):
        """The part of the engine's loop that a log uses.

        Not the protocol in `engine/ports.py`: the log is below the engine, which may log through it, and needs no
        knowledge of the engine.
        """

        def now(self) -> float: ...
        def call_at(self, deadline: float, callback: Callable[[], object], /) -> Timer: ...
        def post(self, callback: Callable[[], object], /) -> None: ...
        def add_writer(self, fd: int, callback: Callable[[], object], /) -> None: ...
        def remove_writer(self, fd: int, /) -> None: ...


_OWN = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
NULL_DEVICE = os.makedev(1, 3)


class Channel:
    """A destination of bytes. This class drops them: for /dev/null, or a stream that was closed at the start."""

    __slots__ = ()

    joins = True  # whether one write may have several records; False if each write is a datagram

    def write(self, data: bytes) -> int:
        """Return the number of bytes that were taken. Raises BlockingIOError if none can be taken now, and OSError if
        the other end is broken."""
        return len(data)

    def take_failure(self) -> tuple[int, OSError] | None:
        """Return the number of lines that `write` took and that failed later, and their error. Each is returned
        once."""
        return None

    def busy(self) -> bool:
        """Whether bytes that `write` took are not written yet."""
        return False

    def wait(self, seconds: float) -> None:
        """Wait until `write` may take more, or everything is written, for at most this time."""

    def watch(self, loop: Loop, callback: Callable[[], object]) -> None:
        """Call back on the loop when `write` may take more. Raises OSError if epoll does not support the file."""

    def unwatch(self, loop: Loop) -> None: ...

    def close(self) -> None: ...


class DescriptorChannel(Channel):
    """A file descriptor that ContainerPilot opened: to a regular file, or a non-blocking one to anything else.

    `path` is opened again when a FIFO has lost its reader.
    """

    __slots__ = ("_fd", "_flags", "_path")

    def __init__(self, path: str, flags: int = 0, fd: int = -1) -> None:
        self._path = path
        self._flags = flags
        self._fd = fd
        if fd < 0:
            try:
                self._open()
            except BrokenPipeError:
                # Nobody reads the FIFO yet, and this must not wait. A socket can never be opened, so it is an error.
                if not stat.S_ISFIFO(os.stat(to_bytes(path)).st_mode):
                    raise OSError(ENXIO, os.strerror(ENXIO)) from None

    def _open(self) -> None:
        try:
            self._fd = os.open(to_bytes(self._path), _OWN | self._flags, 0o666)
        except OSError as error:
            if error.errno == ENXIO:  # a FIFO without a reader
                raise BrokenPipeError(EPIPE, os.strerror(EPIPE)) from None
            raise

    def write(self, data: bytes) -> int:
        if self._fd < 0:
            self._open()
        return os.write(self._fd, data)

    def wait(self, seconds: float) -> None:
        wait_writable(self._fd, seconds)

    def watch(self, loop: Loop, callback: Callable[[], object]) -> None:
        loop.add_writer(self._fd, callback)

    def unwatch(self, loop: Loop) -> None:
        loop.remove_writer(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class SocketChannel(Channel):
    """A socket, written to with MSG_DONTWAIT. `fd` still belongs to the caller."""

    __slots__ = ("_flags", "_socket", "joins")

    def __init__(self, fd: int) -> None:
        import _socket

        self._socket = _socket.socket(fileno=os.dup(fd))
        self._flags = _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL
        self.joins = self._socket.type == _socket.SOCK_STREAM

    def write(self, data: bytes) -> int:
        return self._socket.send(data, self._flags)

    def wait(self, seconds: float) -> None:
        wait_writable(self._socket.fileno(), seconds)

    def watch(self, loop: Loop, callback: Callable[[], object]) -> None:
        loop.add_writer(self._socket.fileno(), callback)

    def unwatch(self, loop: Loop) -> None:
        loop.remove_writer(self._socket.fileno())

    def close(self) -> None:
        self._socket.close()


def wait_writable(fd: int, seconds: float | None) -> bool:
    """Wait until `fd` is writable. Return whether its other end is gone."""
    from select import POLLERR, POLLHUP, POLLNVAL, POLLOUT, poll

    waiter = poll()
    waiter.register(fd, POLLOUT)
    ready = waiter.poll(None if seconds is None else max(0, round(seconds * 1000)))
    return any(events & (POLLERR | POLLHUP | POLLNVAL) for _, events in ready)
