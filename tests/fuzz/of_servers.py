"""Targets: the bytes of a client, on a real socket and the real loop, before the control plane and before telemetry."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from typing import TYPE_CHECKING, Protocol

from cp.engine.loop import Loop
from cp.http import tcp
from cp.telemetry.metrics.registry import Metrics
from cp.telemetry.server import TelemetryServer
from tests.fuzz.held import folder, hold
from tests.fuzz.material import choice
from tests.integration.control.serving import FakeHistory, FakeLog, FakeOperator, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_TURNS = 2000  # of the loop, for one client whose bytes are all there
LARGEST_INPUT = 100_000  # bytes, which the socket takes without anybody reading

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]*\r\n")


class Served(Protocol):
    """A server to which a client can be connected. It works only when the test calls it."""

    def connect(self) -> socket.socket: ...
    def turn(self) -> None: ...
    def connections(self) -> int: ...
    def check(self) -> None:
        """Nothing went wrong, and nothing is left of the clients."""


class ServedControl:
    def __init__(self) -> None:
        self._world = World(os.path.join(folder(), "control"))
        hold(self._world.close)
        self._reset()
        self._world.ask("GET", "/v3/ping")  # by which all is imported

    def _reset(self) -> None:
        operator: FakeOperator = self._world.admin
        operator.requests.clear()
        operator.metrics.clear()
        operator.signals.clear()
        operator.environment = {}
        operator.in_maintenance = False
        self._world.counted.clear()
        self._world.log.lines.clear()
        history: FakeHistory = self._world.history
        history.kept.clear()
        history.happen("exitSuccess")

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self._world.path)
        client.setblocking(False)
        return client

    def turn(self) -> None:
        self._world.turn(0)

    def connections(self) -> int:
        return self._world.control.connections

    def check(self) -> None:
        assert not self._world.faults, self._world.faults
        assert not self._world.log.errors(), self._world.log.errors()
        assert not self._world.history.followers
        assert set(self._world.admin.requests) <= {
            (verb, name) for verb in ("start", "stop", "restart") for name in self._world.admin.jobs
        } | {("reload",)}
        self._reset()


class _Source:
    def __init__(self) -> None:
        self._metrics = Metrics(lambda: 0.0)

    def form(self, accept: str, accept_encoding: str) -> tuple[str, str]:
        return self._metrics.form(accept, accept_encoding)

    def metrics(self, content_type: str, encoding: str) -> Iterable[bytes]:
        return self._metrics.page(content_type, encoding)

    def status(self) -> dict[str, object]:
        return {"Version": "1", "Jobs": [{"Name": "app"}]}

    def remarks(self) -> list[str]:
        return []

    def not_ready(self) -> list[str]:
        return ["job app: not \udcff healthy"]


class ServedTelemetry:
    def __init__(self) -> None:
        self._faults: list[BaseException] = []
        self._loop = Loop(on_error=self._faults.append)
        self._log = FakeLog()
        listener = tcp.listen("127.0.0.1", 0)
        self._place = listener.getsockname()
        self._telemetry = TelemetryServer(self._loop, listener, _Source(), self._log, "/metrics")
        hold(self._telemetry.close)
        with self.connect() as client:
            client.send(b"\r\n\r\nx\r\n\r\n")  # by which all is imported
            answers = bytearray()
            self._wait_for(lambda: _take(client, answers))
        self._wait_for(lambda: self.connections() == 0)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        while not condition():
            waker = self._loop.call_later(0.01, lambda: None)
            self._loop.run_once()
            waker.cancel()

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_INET)
        client.connect(self._place)
        client.setblocking(False)
        return client

    def turn(self) -> None:
        waker = self._loop.call_later(0, lambda: None)
        self._loop.run_once()
        waker.cancel()

    def connections(self) -> int:
        return self._telemetry.connections

    def check(self) -> None:
        assert not self._faults, self._faults
        assert not self._log.errors(), self._log.errors()
        self._log.lines.clear()


_served: dict[type[Served], Served] = {}


def fuzz_control(data: bytes) -> None:
    """The first byte says in how many pieces the rest comes: the answers are the same as if it came in one."""
    _fuzz(ServedControl, data)


def fuzz_telemetry(data: bytes) -> None:
    """The same on the telemetry port."""
    _fuzz(ServedTelemetry, data)


def _fuzz(kind: type[Served], data: bytes) -> None:
    served = _served.get(kind) or _served.setdefault(kind, kind())
    size, rest = choice(data[:LARGEST_INPUT])
    whole = _exchange(served, [rest])
    in_pieces = _exchange(served, list(_pieces(rest, size)))
    if _is_framed(rest):
        assert _statuses(whole) == _statuses(in_pieces), (whole, in_pieces)
    for answers in (whole, in_pieces):
        assert not answers or _STATUS.match(answers), answers[:200]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    """None is empty. They grow, so there are about fifty at most."""
    at = 0
    while at < len(data):
        step = size % 17 + 1 + at // 8
        yield data[at : at + step]
        at += step


def _is_framed(data: bytes) -> bool:
    """Whether the answers can be separated without the requests: none is to HEAD, and none is endless."""
    return b"HEAD" not in data and b"follow" not in data and b"event-stream" not in data.lower()


def _statuses(answers: bytes) -> list[int]:
    """The statuses of all answers. Each answer is complete."""
    found = []
    while answers:
        match = _STATUS.match(answers)
        assert match, answers[:200]
        status = int(match[1])
        found.append(status)
        head, end, answers = answers.partition(b"\r\n\r\n")
        assert end
        if status >= 200:
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            assert length, head
            assert len(answers) >= int(length[1])
            answers = answers[int(length[1]) :]
    return [status for status in found if status != 100]  # the number of 100s depends on the pieces of the request


def _exchange(served: Served, pieces: list[bytes]) -> bytes:
    """All that is answered to these pieces, until the client has closed its side and the server is done with it."""
    client = served.connect()
    answers = bytearray()
    try:
        for piece in pieces:
            with contextlib.suppress(OSError):  # the server had enough
                client.send(piece)
            for _ in range(3):
                served.turn()
            _take(client, answers)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        idle = 0
        for _ in range(MOST_TURNS):
            served.turn()
            before = len(answers)
            ended = _take(client, answers)
            idle = 0 if len(answers) > before else idle + 1
            # An endless answer goes on; and there is none yet while a body comes in many small chunks.
            if ended or idle > 60:
                break
        else:
            raise AssertionError("it never ends")
    finally:
        client.close()
    for _ in range(MOST_TURNS):
        if not served.connections():
            break
        served.turn()
    assert not served.connections(), "the connection outlives its client"
    served.check()
    return bytes(answers)


def _take(client: socket.socket, answers: bytearray) -> bool:
    """Read what is there; whether that was the end."""
    try:
        while data := client.recv(65536):
            answers += data
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
