"""The watches of a plan: from what a catalogue reports to events that jobs wait for."""

from __future__ import annotations

from cp.engine.events import Code, Event
from cp.engine.instances import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp import plan
    from cp.engine.host import Host, Instance, Watcher
    from cp.engine.registrations import Registrations


class Watching:
    """Starts, pauses and stops the watchers, and publishes `changed` and `healthy` or `unhealthy` for each report."""

    def __init__(self, host: Host, registrations: Registrations) -> None:
        """`registrations` has the catalogue of the plan."""
        self._host = host
        self._registrations = registrations
        self._watchers: dict[plan.Watch, Watcher] = {}
        self._waiting: list[plan.Watch] = []
        self._memory: dict[tuple[str, str, str], list[Instance]] = {}
        self._reports: dict[str, tuple[Event, Event]] = {}  # the last one of each source
        self._found: dict[str, Found] = {}  # the same, also of watches that a reload replaced
        self._reported_at: dict[plan.Watch, float] = {}  # the last report of each that is followed
        self._paused = False

    def apply(self, watches: tuple[plan.Watch, ...]) -> None:
        """From now on follow these: unchanged ones go on, others stop; new ones start with their event."""
        self._stop_all_but(watches)
        sources = {watch.source for watch in watches}
        self._found = {source: found for source, found in self._found.items() if source in sources}
        self._waiting = [watch for watch in watches if watch not in self._watchers]

    def _stop_all_but(self, watches: tuple[plan.Watch, ...]) -> None:
        for watch in tuple(self._watchers):
            if watch not in watches:
                watcher = self._watchers.pop(watch)
                if watch.remembers:
                    self._memory[_key(watch)] = watcher.memory
                self._reports.pop(watch.source, None)
                self._reported_at.pop(watch, None)
                watcher.stop()
                self._registrations.catalogue.dropped(watch.source)

    def happened(self, code: str, source: str) -> None:
        """An event that a watch may wait for to start."""
        for watch in tuple(self._waiting):
            if watch.starts_on == (code, source):
                self._waiting.remove(watch)
                self._start(watch)

    def _start(self, watch: plan.Watch) -> None:
        memory = self._memory.get(_key(watch)) if watch.remembers else None
        told = self._found.get(watch.source)
        if told is None:
            memory = memory or []
        elif memory != told.instances:
            # Jobs were given something else: they must hear of what there is now, even if that is nothing.
            memory = None if told.instances or memory else []
        watcher = self._registrations.discovery.watch(watch, lambda instances: self._report(watch, instances), memory)
        self._watchers[watch] = watcher
        watcher.start()
        if self.is_paused(watch):
            watcher.pause()

    def pause(self, paused: bool) -> None:
        """Maintenance begins or ends."""
        self._paused = paused
        for watch, watcher in self._watchers.items():
            if watch.pauses_in_maintenance:
                if paused:
                    watcher.pause()
                else:
                    watcher.resume()

    def stop(self) -> None:
        self._stop_all_but(())
        self._waiting = []

    def _report(self, watch: plan.Watch, instances: list[Instance]) -> None:
        if watch not in self._watchers:
            return  # stopped while the report was on its way
        self._reported_at[watch] = self._host.loop.now()
        found = self._found[watch.source] = Found(watch.name, watch.source, instances)
        changed = Event(Code.CHANGED, watch.source, found)
        status = Event(Code.HEALTHY if instances else Code.UNHEALTHY, watch.source, found)
        if not watch.remembers:
            self._reports[watch.source] = changed, status
        self._host.bus.publish(changed)
        self._host.bus.publish(status)

    def found(self, source: str) -> Found | None:
        """The last report of the watch with this source, also of one that a reload replaced."""
        return self._found.get(source)

    def is_paused(self, watch: plan.Watch) -> bool:
        return self._paused and watch.pauses_in_maintenance

    def has_begun(self, watch: plan.Watch) -> bool:
        return watch in self._watchers

    def last_report(self, watch: plan.Watch) -> tuple[int, float | None]:
        """How many instances it has reported last, and when; None if it has reported nothing yet."""
        watcher = self._watchers.get(watch)
        return len(watcher.memory) if watcher is not None else 0, self._reported_at.get(watch)

    def counts(self) -> list[tuple[str, int]]:
        """The names of the watches that have begun, and how many instances each has reported."""
        return [(watch.name, len(watcher.memory)) for watch, watcher in self._watchers.items()]

    def seen(self, key: tuple[str, str]) -> Event | None:
        """The event of this code and source, if it was in the last report of its watch and still holds."""
        code, source = key
        return next((event for event in self._reports.get(source, ()) if event.code == code), None)


def _key(watch: plan.Watch) -> tuple[str, str, str]:
    return (watch.name, watch.tag, watch.datacenter)
