"""A clock, a loop, a log and a catalogue that do exactly what a test tells them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cp.catalog.protocol import CatalogEntry, CatalogForgotten, CatalogUnreachable, Instance
from cp.plan import Service, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

DOWN = CatalogUnreachable("cannot reach Consul at http://127.0.0.1:8500: connection refused")


def service(name: str = "web", **fields: Any) -> Service:
    return Service(**{"name": name, "id": f"{name}-box", "address": "10.0.0.1", "port": 80, "ttl": 10, **fields})


def watch(name: str = "web", **fields: Any) -> Watch:
    return Watch(**{"name": name, "source": f"watch.{name}", "interval": 5.0, **fields})


def instance(id: str, port: int = 80, address: str = "10.0.0.1") -> Instance:
    return Instance(id, address, port)


class Clock:
    """Time passes when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class FakeTimer:
    def __init__(self, deadline: float, callback: Callable[[], object]) -> None:
        self.deadline = deadline
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeLoop:
    """Runs what was posted when `turn` is called, and timers when their time has come by then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._posted: list[Callable[[], object]] = []
        self._timers: list[FakeTimer] = []
        self.wakeups = 0

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        self.wakeups += 1
        self._posted.append(lambda: callback(*args))

    def post_lazily(self, callback: Callable[..., object], *args: Any) -> None:
        self._posted.append(lambda: callback(*args))

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> FakeTimer:
        timer = FakeTimer(self._clock() + delay, lambda: callback(*args))
        self._timers.append(timer)
        return timer

    def turn(self) -> None:
        due = [timer for timer in self._timers if timer.deadline <= self._clock()]
        self._timers = [timer for timer in self._timers if timer not in due]
        for timer in due:
            if timer.callback is not None:
                timer.callback()
        while self._posted:
            self._posted.pop(0)()


class FakeLog:
    """Remembers lines as "level: message"."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, message: str) -> None:
        self.lines.append(f"debug: {message}")

    def info(self, message: str) -> None:
        self.lines.append(f"info: {message}")

    def warning(self, message: str) -> None:
        self.lines.append(f"warning: {message}")

    def error(self, message: str) -> None:
        self.lines.append(f"error: {message}")


class Facts:
    """Remembers reports of the catalogue's threads, each as one line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _keep(self, line: str) -> None:
        self.lines.append(line)

    def confirmed(self, service: Service, status: str, at: float, id: str) -> None:
        self._keep(f"confirmed {id} {service.address}:{service.port} {status} {at:g}")

    def absent(self, service: Service) -> None:
        self._keep(f"absent {service.id}")

    def refused(self, service: Service, why: str) -> None:
        self._keep(f"refused {service.id}: {why}")

    def taken(self, service: Service, place: str) -> None:
        self._keep(f"taken {service.id} by {place}")

    def answered(self, who: str) -> None:
        self._keep(f"answered {who}")

    def failed(self, who: str, why: str, answered: bool) -> None:
        self._keep(f"failed {who}{' (answered)' if answered else ''}: {why}")


class Deaf(Facts):
    """Remembers nothing."""

    def _keep(self, line: str) -> None:
        pass


class FakeCatalog:
    """Remembers calls, knows what is registered, and fails with `error` while one is set.

    `on_call` runs in the middle of each call, as other threads do.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.known: dict[str, str] = {}
        self.entries: dict[str, CatalogEntry] = {}
        self.looks: list[str] = []
        self.on_look: Callable[[], object] = lambda: None
        self.error: Exception | None = None
        self.on_call: Callable[[str], object] = lambda verb: None
        self.found: list[Instance] = []
        self.cursor: object = 1
        self.closed = False
        self.interrupted = 0

    def register(self, service: Service, status: str) -> None:
        self._call(f"register {service.id} {status}".strip())
        self.known[service.id] = status

    def heartbeat(self, service: Service, status: str, output: str) -> None:
        self._call(f"{status} {service.id} {output}".strip())
        if service.id not in self.known:
            raise CatalogForgotten("Unexpected response code: 500 (unknown check)")
        self.known[service.id] = status

    def deregister(self, service: Service) -> None:
        self._call(f"deregister {service.id}")
        self.known.pop(service.id, None)

    def entry(self, service: Service) -> CatalogEntry | None:
        """The entry from `entries`. These calls are only noted in `looks`."""
        self.looks.append(service.id)
        self.on_look()
        if self.error is not None:
            raise self.error
        return self.entries.get(service.id)

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        self._call("instances")
        return list(self.found), self.cursor

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        self._call(f"wait_for_change {cursor}")
        return list(self.found), self.cursor

    def interrupt(self) -> None:
        self.interrupted += 1

    def close(self) -> None:
        self.closed = True

    def _call(self, text: str) -> None:
        self.calls.append(text)
        self.on_call(text)
        if self.error is not None:
            raise self.error

    def new_calls(self) -> list[str]:
        """The calls since the last call of this method."""
        calls, self.calls = self.calls, []
        return calls
