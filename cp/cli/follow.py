"""The flag -follow: prints events or lines as they come, from a stream of the server (server-sent events)."""

from __future__ import annotations

import os
from select import POLLERR, POLLHUP, POLLIN, POLLNVAL, poll
from time import monotonic

from cp.cli.client import TIMEOUT, ClientError, ControlConnection, CutOff, request
from cp.cli.console import complain, unwritable, write
from cp.cli.formatting import event_line
from cp.cli.replies import read, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn
else:
    import _signal  # the C module: `signal` imports enum

ALL = "/v3/events"  # the target of a request for all events
EVENT_STREAM = "text/event-stream"
_LONGEST_LINE = 1024 * 1024  # bytes


def follow_events(paths: list[str], hint: str, target: str, as_json: bool) -> int:
    """Print events as they happen. Return the exit code. Raises ClientError."""
    return follow(paths, hint, target, EventPrinter(as_json, counts=target == ALL))


def follow(paths: list[str], hint: str, target: str, printer: StreamPrinter) -> int:
    """Print a stream until the server stops, nobody reads, or a signal comes. Return the exit code.

    Raises ClientError if there is no answer, or no valid one.
    """
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _leave)
    while True:
        last = printer.last_id
        try:
            return _follow(paths, hint, target, printer)
        except CutOff as error:
            # The server disconnects a slow reader: the reader of our output may have paused.
            if printer.last_id == last:
                raise
            printer.resume()
            cut_off = error
        except ClientError:
            if last:
                raise cut_off from None  # the server has exited: report the error of the first answer
            raise


def _follow(paths: list[str], hint: str, target: str, printer: StreamPrinter) -> int:
    """Print one answer of the server until it ends."""
    connection = ControlConnection(paths, monotonic() + TIMEOUT, hint)
    seen = f"Last-Event-ID: {printer.last_id}\r\n" if printer.last_id else ""
    try:
        connection.send(request("GET", target, headers=f"Accept: {EVENT_STREAM}\r\n{seen}"))
        status, headers = connection.head()
        if status != 200:
            raise ClientError(refusal(status, b"".join(connection.body(headers))))
        connection.deadline = None
        connection.before_waiting = _unless_unread(connection)
        for piece in connection.body(headers):
            try:
                write(1, printer.take(piece))
            except BrokenPipeError:
                return 0  # nobody reads any longer
            except OSError as error:
                return unwritable(error)
        return 0
    finally:
        connection.close()


class StreamPrinter:
    """Formats a stream for people or as JSON. The stream may continue after a disconnection. `last_id` is the id of the
    last event."""

    def __init__(self, as_json: bool) -> None:
        self.last_id = ""
        self._as_json = as_json
        self._resumed = False
        self._id = ""
        self._kind = b""
        self._unread = b""
        self._data = b""

    def resume(self) -> None:
        """Expect another answer, which begins after `last_id`."""
        self._resumed = True
        self._unread = self._data = b""

    def take(self, piece: bytes) -> bytes:
        """Return the output for a piece of the stream."""
        *lines, self._unread = (self._unread + piece).split(b"\n")
        output = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data += line.removeprefix(b"data:").removeprefix(b" ")
            elif line.startswith(b"id:"):
                self._id = line.removeprefix(b"id:").strip().decode("ascii", "replace")
            elif line.startswith(b"event:"):
                self._kind = line.removeprefix(b"event:").strip()
            elif not line and self._data:
                data, self._data = self._data, b""
                output.append(self._event(self._kind, data))
        if len(self._unread) + len(self._data) > _LONGEST_LINE:
            raise ClientError("cannot read its answer as a stream of events: a line is too long")
        return b"".join(output)

    def _lost(self) -> int:
        """How many numbers are missing since a disconnection, before this event."""
        lost = 0
        if self._resumed and self._id.isdecimal() and self.last_id.isdecimal():
            lost = int(self._id) - int(self.last_id) - 1
            if lost < 0:
                raise ClientError("another ContainerPilot answers")
        self.last_id = self._id
        return lost

    def _event(self, kind: bytes, data: bytes) -> bytes:
        """Return the output for an event of this kind, whose id is `_id`."""
        raise NotImplementedError


class EventPrinter(StreamPrinter):
    """Prints the events of ContainerPilot."""

    def __init__(self, as_json: bool, *, counts: bool) -> None:
        """`counts`: the stream has all events, so that a missing number is a lost event."""
        super().__init__(as_json)
        self._counts = counts

    def _event(self, kind: bytes, data: bytes) -> bytes:
        lost = self._lost()
        if lost and self._counts:
            events = "1 event is" if lost == 1 else f"{lost} events are"
            complain(f"-events: {events} missing here: they happened faster than they were read\n")
        return data + b"\n" if self._as_json else event_line(read(data)).encode("utf-8", "replace")


def _unless_unread(connection: ControlConnection) -> Callable[[], None]:
    """Return a function that waits for input. It ends the program if the reader of standard output closes first."""
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
