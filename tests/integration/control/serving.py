"""A control plane on a real loop and a real socket; the test turns the loop, moves its clock, and is the clients."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from cp.control.server import ControlServer
from cp.control.socket_file import open_listener
from cp.engine.admin import NotPossible
from cp.engine.job_output import JobOutput
from cp.engine.loop import Loop
from cp.http.server import DEFAULT_LIMITS, Limits
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from cp.control.ports import Outcome
    from cp.engine.job_output import Matcher


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert self.body.endswith(b"\n")
        assert self.headers["content-type"] == "application/json"
        (key,) = self.json
        assert key == "error"
        return str(self.json["error"])


class Entry:
    def __init__(self, number: int, code: str, source: str = "app") -> None:
        self.number = number
        self.at = f"2026-11-22T16:50:{number % 60:02}.000Z"
        self.code = code
        self.source = source

    def concerns(self, name: str) -> bool:
        return name == self.source


class FakeHistory:
    def __init__(self) -> None:
        self.kept: list[Entry] = []
        self.followers: list[Callable[[Entry], None]] = []

    @property
    def number(self) -> int:
        return self.kept[-1].number if self.kept else 0

    def entries(self, name: str = "") -> list[Entry]:
        return [entry for entry in self.kept if not name or entry.concerns(name)]

    def follow(self, callback: Callable[[Entry], None]) -> Callable[[], None]:
        self.followers.append(callback)
        return lambda: self.followers.remove(callback)

    def happen(self, code: str, source: str = "app") -> None:
        entry = Entry(self.number + 1, code, source)
        self.kept.append(entry)
        for follower in list(self.followers):
            follower(entry)


class Masks:
    matcher: Matcher | None = None


class FakeOperator:
    """Does what a test says, and notes the requests."""

    def __init__(self) -> None:
        self.history = FakeHistory()
        self.jobs: dict[str, dict[str, object]] = {
            name: {"name": name, "state": "running"} for name in ("app", "of two words/and a slash")
        }
        self.requests: list[tuple[str, ...]] = []
        self.environment: dict[str, str | None] = {"KEPT": "as it was"}
        self.metrics: list[tuple[str, str]] = []
        self.in_maintenance = False
        self.stopping = False
        self.signals: list[int] = []
        self.fault = ""  # with which it refuses
        self.waits = False  # whether what takes time takes it, until `finish`
        self._open: list[Callable[[str], object]] = []
        self.waiting: list[tuple[tuple[str, ...], Callable[[Outcome], object]]] = []  # for the jobs to be ready
        self.masks = Masks()
        self.output: JobOutput | None = None

    def names(self) -> list[str]:
        return [*self.jobs]

    def open_output(self) -> JobOutput:
        if self.output is None:
            self.output = JobOutput(self.masks)
        return self.output

    def output_notes(self, names: list[str]) -> list[dict[str, object]]:
        raw = [name for name, job in self.jobs.items() if job.get("raw") and name in (names or self.jobs)]
        return [{"job": name, "about": "unread"} for name in raw]

    def overview(self) -> dict[str, object]:
        return {
            "maintenance": self.in_maintenance,
            "stopping": self.stopping,
            "reloading": False,
            "jobs": [*self.jobs.values()],
        }

    def status(self) -> dict[str, object]:
        return {"version": "1", "jobs": iter(self.jobs.values())}

    def job(self, name: str) -> dict[str, object] | None:
        return self.jobs.get(name)

    def nearest(self, name: str) -> str:
        return " (did you mean 'app'?)" if name == "ap" else ""

    def wait_until_ready(self, names: tuple[str, ...], on_end: Callable[[Outcome], object]) -> Callable[[], None]:
        for name in names:
            if name not in self.jobs:
                raise NotPossible(f"there is no job '{name}'{self.nearest(name)}")
        entry = (names, on_end)
        self.waiting.append(entry)
        return lambda: self.waiting.remove(entry) if entry in self.waiting else None

    def end_wait(self, outcome: Outcome) -> None:
        self.waiting.pop(0)[1](outcome)

    def readiness(self, names: tuple[str, ...], outcome: Outcome) -> dict[str, object]:
        jobs = ({"name": name, "state": "running", "about": "is not ready"} for name in names or self.jobs)
        return {"ready": outcome == "ready", "outcome": outcome, "jobs": jobs if outcome != "ready" else []}

    def start_job(self, name: str, done: Callable[[str], object]) -> None:
        self._note_request(done, "start", name)

    def stop_job(self, name: str, done: Callable[[str], object]) -> None:
        self._note_request(done, "stop", name)

    def restart_job(self, name: str, done: Callable[[str], object]) -> None:
        self._note_request(done, "restart", name)

    def signal_job(self, name: str, number: int) -> None:
        self.signals.append(number)
        self._refuse()

    def reload(self, done: Callable[[str], object]) -> None:
        self._note_request(done, "reload")

    def set_maintenance(self, wanted: bool) -> bool:
        was, self.in_maintenance = self.in_maintenance, wanted
        return was != wanted

    def change_environment(self, changes: dict[str, str | None]) -> None:
        self._refuse()
        self.environment.update(changes)

    def record_metrics(self, values: list[tuple[str, str]]) -> None:
        self._refuse()
        self.metrics += values

    def _refuse(self) -> None:
        if self.fault:
            raise NotPossible(self.fault)

    def _note_request(self, done: Callable[[str], object], *what: str) -> None:
        self.requests.append(what)
        if self.waits and not self.fault:
            self._open.append(done)
        else:
            done(self.fault)

    def finish(self, fault: str = "") -> None:
        self._open.pop(0)(fault)


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, message: str) -> None:
        self.lines.append(f"debug {message}")

    def info(self, message: str) -> None:
        self.lines.append(f"info {message}")

    def warning(self, message: str) -> None:
        self.lines.append(f"warning {message}")

    def error(self, message: str) -> None:
        self.lines.append(f"error {message}")

    def errors(self) -> list[str]:
        return [line for line in self.lines if line.startswith("error ")]


class World:
    """A served operator. Nothing happens but while the test pumps, and time also passes when the test says so."""

    def __init__(self, path: str, limits: Limits = DEFAULT_LIMITS, *, announced: bool = True) -> None:
        self._ahead = 0.0
        self._clients: list[Client] = []
        self.faults: list[BaseException] = []
        self.admin = FakeOperator()
        self.history = self.admin.history
        self.log = FakeLog()
        self.counted: list[tuple[str, int]] = []
        self.path = path
        self.loop = Loop(clock=lambda: time.monotonic() + self._ahead, on_error=self.faults.append)
        self.control = ControlServer(
            self.loop,
            open_listener(path),
            self.admin,
            self.log,
            announced=announced,
            on_answer=lambda pattern, status: self.counted.append((pattern, status)),
            limits=limits,
        )
        self.control.announce()

    def pump(self, until: Callable[[], object]) -> None:
        """Turn the loop until something is so."""
        end = time.monotonic() + DEADLINE
        while not until():
            assert time.monotonic() < end, "that never came"
            self.turn()

    def turn(self, patience: float = 0.01) -> None:
        """One turn of the loop, which waits no longer than so many seconds for something to do."""
        waker = self.loop.call_later(patience, lambda: None)
        self.loop.run_once()
        waker.cancel()

    def settle(self) -> None:
        """Runs until nothing is left to do: a few turns in a row in which no descriptor had anything."""
        for _ in range(5):
            self.turn(0.001)

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._ahead += seconds
        self.settle()

    def client(self) -> Client:
        return Client(self)

    def ask(self, method: str, target: str, body: bytes | str | object = b"", headers: str = "") -> Answer:
        """One request on a connection of its own. A body that is neither text nor bytes is sent as JSON."""
        client = self.client()
        client.send(request(method, target, body, headers))
        answer = client.answer(head=method == "HEAD")
        client.close()
        return answer

    def close(self) -> None:
        """Close everything; whatever the test did, nothing is left behind."""
        for client in self._clients:
            client.close()
        closed: list[bool] = []
        self.control.close(lambda: closed.append(True), grace=0)
        self.pump(lambda: closed)
        assert self.control.connections == 0
        assert self.history.followers == []
        assert not self.faults
        assert closed == [True]

    def track(self, client: Client) -> None:
        self._clients.append(client)


class Client:
    """A connection of the test's own, which reads only when the test calls it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""
        self.ended = False
        self.first = b""  # what came together with the head of a stream
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.connect(world.path)
        world.track(self)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
            except BlockingIOError:
                self._world.turn()

    def send_end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def read(self, enough: Callable[[bytes], object]) -> bytes:
        """Take what has come once it is enough, or all there was at the end of the connection."""
        while not self.ended and not enough(self._buffer):
            self._world.pump(self._has_read)
        found, self._buffer = self._buffer, b""
        return found

    def _has_read(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        self.ended = not data
        self._buffer += data
        return True

    def until_closed(self) -> bytes:
        return self.read(lambda _: False)

    def answer(self, *, head: bool = False) -> Answer:
        """The next answer; to HEAD it has no body."""
        data = self.read(lambda data: b"\r\n\r\n" in data)
        first, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = first.decode().split("\r\n")
        assert status.startswith("HTTP/1.1 "), data
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if head else int(headers["content-length"])
        self._buffer = rest
        body = self.read(lambda data: len(data) >= length)
        self._buffer = body[length:]
        return Answer(int(status.split()[1]), headers, body[:length])


def request(method: str, target: str, body: bytes | str | object = b"", headers: str = "") -> bytes:
    """The bytes of a request. `headers`: more of them, each with its line's end."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    length = f"Content-Length: {len(data)}\r\n" if data or method == "POST" else ""
    return f"{method} {target} HTTP/1.1\r\nHost: containerpilot\r\n{length}{headers}\r\n".encode() + data
