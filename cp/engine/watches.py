"""The watches of a plan: from the reports of a catalogue to events that start jobs."""

from __future__ import annotations

from cp.engine.events import Code, Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp import plan
    from cp.engine.context import Context
    from cp.engine.ports import Instance, Watcher
    from cp.engine.registrations import Registrations
    from cp.engine.watch_variables import Found
    from cp.plan import EventCode


class Watches:
    """Starts, pauses and stops the watchers, and publishes `changed` and `healthy` or `unhealthy` for each report."""

    def __init__(self, context: Context, registrations: Registrations) -> None:
        """`registrations` has the catalogue of the plan."""
        self._context = context
        self._registrations = registrations
        self._watchers: dict[plan.Watch, Watcher] = {}
        self._waiting: list[plan.Watch] = []
        self._memory: dict[tuple[str, str, str], list[Instance]] = {}
        self._reports: dict[plan.Watch, tuple[Event, Event]] = {}  # the last one of each
        # By source and slot, also of watches that a reload replaced, in the order of the reports.
        self._found: dict[tuple[str, int], Found] = {}
        self._slots: dict[plan.Watch, int] = {}  # the number of each watch among those of its source
        self._reported_at: dict[plan.Watch, float] = {}  # the time of the last report of each followed watch
        self._paused = False

    def apply(self, watches: tuple[plan.Watch, ...]) -> None:
        """Follow these watches from now on. Unchanged ones go on, others stop, and new ones start with their event."""
        self._stop_all_but(watches)
        counts: dict[str, int] = {}
        self._slots = {}
        for watch in watches:
            self._slots[watch] = counts.get(watch.source, 0)
            counts[watch.source] = self._slots[watch] + 1
        self._found = {key: found for key, found in self._found.items() if key[1] < counts.get(key[0], 0)}
        self._waiting = [watch for watch in watches if watch not in self._watchers]

    def _stop_all_but(self, watches: tuple[plan.Watch, ...]) -> None:
        for watch in tuple(self._watchers):
            if watch not in watches:
                watcher = self._watchers.pop(watch)
                if watch.remembers:
                    self._memory[_key(watch)] = watcher.memory
                self._reports.pop(watch, None)
                self._reported_at.pop(watch, None)
                watcher.stop()
                self._registrations.catalog_status.dropped(watch.source)

    def happened(self, code: EventCode, source: str) -> None:
        """Start the watches that wait for this event."""
        for watch in tuple(self._waiting):
            if watch.starts_on == (code, source):
                self._waiting.remove(watch)
                self._start(watch)

    def _start(self, watch: plan.Watch) -> None:
        memory = self._memory.get(_key(watch)) if watch.remembers else None
        last = self._found.get((watch.source, self._slots[watch]))
        if last is None:
            memory = memory or []
        elif memory != last.instances:
            # Jobs received other instances: they must receive the current ones, even if there are none.
            memory = None if last.instances or memory else []
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
        """Stop all watchers. Only `apply` follows watches again: a reload does that at another catalogue."""
        self._stop_all_but(())
        self._waiting = []

    def _report(self, watch: plan.Watch, instances: list[Instance]) -> None:
        if watch not in self._watchers:
            return  # stopped before the report arrived
        from cp.engine.watch_variables import Found  # a start has no report yet

        self._reported_at[watch] = self._context.loop.now()
        key = watch.source, self._slots[watch]
        self._found.pop(key, None)
        found = self._found[key] = Found(watch.name, *key, instances)
        changed = Event(Code.CHANGED, watch.source, found)
        status = Event(Code.HEALTHY if instances else Code.UNHEALTHY, watch.source, found)
        if not watch.remembers:
            self._reports[watch] = changed, status
        self._context.bus.publish(changed)
        self._context.bus.publish(status)

    def found(self, source: str) -> Found | None:
        """The last report of a watch with this source, which a reload may have replaced."""
        return next((found for found in reversed(self._found.values()) if found.source == source), None)

    def is_paused(self, watch: plan.Watch) -> bool:
        return self._paused and watch.pauses_in_maintenance

    def has_begun(self, watch: plan.Watch) -> bool:
        return watch in self._watchers

    def last_report(self, watch: plan.Watch) -> tuple[int, float | None]:
        """The number of instances in its last report, and the time of that; None if it has reported nothing yet."""
        watcher = self._watchers.get(watch)
        return len(watcher.memory) if watcher is not None else 0, self._reported_at.get(watch)

    def counts(self) -> list[tuple[str, int]]:
        """The names of the started watches, and the number of instances in the last report of each."""
        return [(watch.name, len(watcher.memory)) for watch, watcher in self._watchers.items()]

    def seen(self, key: tuple[str, str]) -> list[Event]:
        """The events of this code and source from the last reports of their watches."""
        return [event for reports in self._reports.values() for event in reports if (event.code, event.source) == key]


def _key(watch: plan.Watch) -> tuple[str, str, str]:
    return (watch.name, watch.tag, watch.datacenter)
