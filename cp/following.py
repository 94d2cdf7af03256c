"""The flags -events -follow: events as they come, from the server's stream (server-sent events)."""

from __future__ import annotations

import os
from select import POLLERR, POLLHUP, POLLIN, POLLNVAL, poll
from time import monotonic

from cp.answers import read, refusal
from cp.cli import write
from cp.server.client import TIMEOUT, ClientError, Connection, request
from cp.tables import event_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn
else:
    import _signal  # the C module: `signal` imports enum

_LONGEST_LINE = 1024 * 1024  # bytes


def follow(paths: list[str], hint: str, as_json: bool) -> int:
    """Print events until the server ends, nobody reads any more, or we are interrupted; the exit code. ClientError if
    there is no answer, or a strange one."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _leave)
    connection = Connection(paths, monotonic() + TIMEOUT, hint)
    try:
        connection.send(request("GET", "/v3/events", headers="Accept: text/event-stream\r\n"))
        status, headers = connection.head()
        if status != 200:
            raise ClientError(refusal(status, b"".join(connection.body(headers))))
        connection.deadline = None
        return _print_events(connection, headers, as_json)
    finally:
        connection.close()


def _print_events(connection: Connection, headers: dict[str, str], as_json: bool) -> int:
    connection.before_waiting = _unless_unread(connection)
    unread, data = b"", b""
    for piece in connection.body(headers):
        *lines, unread = (unread + piece).split(b"\n")
        output = b""
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data += line.removeprefix(b"data:").removeprefix(b" ")
            elif not line and data:
                output += data + b"\n" if as_json else event_line(read(data)).encode("utf-8", "replace")
                data = b""
        if len(unread) + len(data) > _LONGEST_LINE:
            raise ClientError("what it sends is no stream of events: a line does not end")
        try:
            write(1, output)
        except OSError:
            return 0  # nobody reads any more
    return 0


def _unless_unread(connection: Connection) -> Callable[[], None]:
    """Waits for more to come; ends the program where meanwhile the reader of standard output went away."""
    waiter = poll()
    waiter.register(connection.fileno(), POLLIN)
    waiter.register(1, 0)

    def wait() -> None:
        for fd, events in waiter.poll():
            if fd == 1 and events & (POLLERR | POLLHUP | POLLNVAL):
                os._exit(0)

    return wait


def _leave(*_: object) -> NoReturn:
    os._exit(0)
