"""The catalogue as the engine sees it: it remembers the desired services, and reports other services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cp.catalog.protocol import Instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.ports import Report
    from tests.model.world import World


class FakeWatcher:
    """Tells of so many instances, when the world says so."""

    def __init__(self, catalog: FakeDiscovery, watch: plan.Watch, report: Report, memory: list[Any] | None) -> None:
        self._catalog = catalog
        self.watch = watch
        self._report = report
        self.memory = memory or []
        self._is_known = memory is not None
        self.running = False
        self.paused = False
        self.has_reported = False

    def start(self) -> None:
        self.running = True
        self._catalog.watchers.append(self)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self) -> None:
        self.running = False
        self._catalog.watchers.remove(self)

    def send_report(self, number: int) -> None:
        if not self.running or self.paused or (self._is_known and len(self.memory) == number):
            return
        instances: list[Any] = [Instance(f"db-{each}", f"10.0.0.{each}", 80) for each in range(number)]
        self.memory, self.has_reported, self._is_known = instances, True, True
        self._report(instances)


class FakeDiscovery:
    """`wanted` is the status of each service that is to be registered, by id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wanted: dict[str, str] = {}
        self.watchers: list[FakeWatcher] = []
        self.delay: float | None = 0.0  # until a deregistration is confirmed; None = never
        self.closed = False

    def start(self) -> None:
        pass

    def register(self, service: plan.Service, status: str, output: str = "", *, age: float = 0.0) -> None:
        self._world.note(f"    {service.name} is to be registered: {status or service.initial_status}")
        if status or service.id not in self.wanted:
            self.wanted[service.id] = status or service.initial_status
        self._world.model.registrations.catalog_called(service, status)

    def deregister(self, service: plan.Service, done: Callable[[], None]) -> None:
        self._world.note(f"    {service.name} is to be deregistered")
        self.wanted.pop(service.id, None)
        if self.delay is not None:
            self._world.at(self.delay, self._world.loop.call_soon, done)
        if getattr(done, "__name__", "") != "_nothing":  # else nobody waits for it
            self._world.model.registrations.deregistered(service, self.delay)

    def watch(self, watch: plan.Watch, report: Report, memory: list[Any] | None) -> FakeWatcher:
        return FakeWatcher(self, watch, report, memory)

    def stop(self) -> None:
        self.closed = True
