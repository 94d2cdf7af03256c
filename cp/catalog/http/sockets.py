"""Sockets on which everything that happens has one deadline."""

from __future__ import annotations

import socket
import time

from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# A server that is gone without a packet is noticed after 15 + 3 x 5 seconds of silence, even during a long poll.
KEEP_ALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))

# Seconds. The kernel counts the time of a wait in milliseconds, so a closer timeout has the same effect.
SAME_TIMEOUT = 0.001

# What urllib3 and http.client mean by their exceptions, by name.
KNOWN = {"IncompleteRead": "the answer ends too early", "InvalidHeader": "it gives several lengths"}


class Deadline:
    """The time at which the work under way must be over, whether it is one long recv() or a thousand short ones."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = 0.0  # on the monotonic clock

    def restart(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; TimeoutError if there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class DeadlineSocket(socket.socket):
    """A socket whose calls share a deadline, whatever timeout others give it."""

    deadline: Deadline

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: urllib3 would set its own timeout twice for each request."""

    def limit(self, seconds: float) -> None:
        """Set the timeout of the next calls.

        A change costs a system call and lets another thread take the interpreter, so a needless one is left out.
        """
        current = self.gettimeout()
        if current is None or abs(current - seconds) >= SAME_TIMEOUT:
            super().settimeout(seconds)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.limit(self.deadline.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.limit(self.deadline.left())  # of the whole call
        super().sendall(*args, **kwargs)

    def dup(self) -> DeadlineSocket:
        """The same connection under another descriptor."""
        duplicate = super().dup()
        duplicate.deadline = self.deadline
        return duplicate


def open_unix(path: str, deadline: Deadline, watch: Callable[[socket.socket], None]) -> DeadlineSocket:
    """A connected socket, or OSError. `watch` gets the socket before it is connected, and may raise."""
    return open_socket(socket.AF_UNIX, 0, to_bytes(path), deadline, deadline.left(), watch)


def open_socket(
    family: int, protocol: int, peer: Any, deadline: Deadline, limit: float, watch: Callable[[socket.socket], None]
) -> DeadlineSocket:
    """A socket that is connected within `limit` seconds, or OSError. `watch` is as that of `open_unix`."""
    connected = DeadlineSocket(family, socket.SOCK_STREAM, protocol)
    connected.deadline = deadline
    try:
        connected.limit(limit)
        if family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEP_ALIVE:
                if hasattr(socket, option):
                    connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        watch(connected)
        connected.connect(peer)
    except BaseException:  # it goes on from here; the descriptor must not stay open
        connected.close()
        raise
    return connected


def origin(error: BaseException) -> BaseException:
    """The error that urllib3 caught and wrapped; the error itself if it wraps none."""
    while True:
        inner = error.__cause__ or (error.args[-1] if error.args else None)
        if not isinstance(inner, Exception):
            return error
        error = inner


def reason(error: BaseException, masked: Callable[[str], str] = str) -> str:
    """One line about an error, for people: the system's words, or at most 200 characters of a library's.

    `masked` replaces secrets in words that may quote the server.
    """
    if isinstance(error, OSError) and error.errno:
        return reason_of(error)
    if known := KNOWN.get(type(error).__name__):
        return known
    text = masked(" ".join(str(error).split()))[:200] or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text)
