"""The watches of a plan: from what a catalogue reports to events that jobs wait for."""

from __future__ import annotations

from cp.engine.events import Code, Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from json.encoder import encode_basestring_ascii as quote

    from cp import plan
    from cp.engine.host import Host, Instance, Watcher
    from cp.engine.registrations import Registrations
else:
    try:
        from _json import encode_basestring_ascii as quote  # the C function: `json` imports re
    except ImportError:  # a minimal Python
        from cp.jsontext import encode_basestring_ascii as quote

# The kernel refuses a longer environment entry (MAX_ARG_STRLEN is 128 KiB with the name and a zero byte).
ENVIRONMENT_LIMIT = 120_000


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
        self._paused = False

    def apply(self, watches: tuple[plan.Watch, ...]) -> None:
        """From now on follow these: unchanged ones go on, others stop; new ones start with their event."""
        for watch in tuple(self._watchers):
            if watch not in watches:
                watcher = self._watchers.pop(watch)
                if watch.remembers:
                    self._memory[_key(watch)] = watcher.memory
                self._reports.pop(watch.source, None)
                watcher.stop()
                self._registrations.catalogue.dropped(watch.source)
        self._waiting = [watch for watch in watches if watch not in self._watchers]

    def happened(self, code: str, source: str) -> None:
        """An event that a watch may wait for to start."""
        for watch in tuple(self._waiting):
            if watch.starts_on == (code, source):
                self._waiting.remove(watch)
                self._start(watch)

    def _start(self, watch: plan.Watch) -> None:
        memory = self._memory.get(_key(watch), []) if watch.remembers else []
        watcher = self._registrations.discovery.watch(
            watch, lambda instances, added, removed: self._report(watch, instances, added, removed), memory
        )
        self._watchers[watch] = watcher
        watcher.start()
        if self._paused and watch.pauses_in_maintenance:
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
        self.apply(())

    def _report(
        self, watch: plan.Watch, instances: list[Instance], added: list[Instance], removed: list[Instance]
    ) -> None:
        if watch not in self._watchers:
            return  # stopped while the report was on its way
        environ = [("CONTAINERPILOT_WATCH", watch.name)]
        for name, listed in (("INSTANCES", instances), ("ADDED", added), ("REMOVED", removed)):
            text = _to_text(listed)
            if text is not None:
                environ.append((f"CONTAINERPILOT_WATCH_{name}", text))
            else:
                self._host.log.warning(
                    f"{watch.source}: CONTAINERPILOT_WATCH_{name} is not set: "
                    f"{len(listed)} instances do not fit into an environment variable"
                )
        changed = Event(Code.CHANGED, watch.source, tuple(environ))
        status = Event(Code.HEALTHY if instances else Code.UNHEALTHY, watch.source, tuple(environ))
        if not watch.remembers:
            self._reports[watch.source] = changed, status
        self._host.bus.publish(changed)
        self._host.bus.publish(status)

    def counts(self) -> list[tuple[str, int]]:
        """The names of the watches that have begun, and how many instances each has reported."""
        return [(watch.name, len(watcher.memory)) for watch, watcher in self._watchers.items()]

    def seen(self, key: tuple[str, str]) -> Event | None:
        """The event of this code and source, if it was in the last report of its watch and still holds."""
        code, source = key
        return next((event for event in self._reports.get(source, ()) if event.code == code), None)


def _key(watch: plan.Watch) -> tuple[str, str, str]:
    return (watch.name, watch.tag, watch.datacenter)


def _to_text(instances: Iterable[Instance]) -> str | None:
    """A list for the environment; None if it is too long, found out without writing all of it."""
    parts: list[str] = []
    left = ENVIRONMENT_LIMIT - 1
    for instance in instances:
        part = _to_json(instance)
        left -= len(part) + 1
        if left < 0:
            return None
        parts.append(part)
    return f"[{','.join(parts)}]"


def _to_json(instance: Instance) -> str:
    tags = ",".join(quote(tag) for tag in instance.tags)
    return f'{{"id":{quote(instance.id)},"address":{quote(instance.address)},"port":{instance.port},"tags":[{tags}]}}'
