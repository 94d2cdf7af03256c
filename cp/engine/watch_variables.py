"""The report of a watch, and its variables in the environment of a run. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from json.encoder import encode_basestring_ascii as quote

    from cp.engine.ports import Instance

    Environ = tuple[tuple[str, str], ...]
else:
    try:
        from _json import encode_basestring_ascii as quote  # the C function: `json` imports re
    except ImportError:  # a minimal Python
        from cp.json_fallback import encode_basestring_ascii as quote

# The kernel refuses a longer environment entry (MAX_ARG_STRLEN is 128 KiB with the name and a zero byte).
ENVIRONMENT_LIMIT = 120_000


class Found:
    """The healthy instances that one report of a watch lists.

    `source` is that of the watch's events, and `slot` tells watches of one source apart: services with different tags.
    """

    __slots__ = ("_compared", "_listed", "instances", "name", "slot", "source")

    def __init__(self, name: str, source: str, slot: int, instances: list[Instance]) -> None:
        self.name = name  # of the service
        self.source = source
        self.slot = slot
        self.instances = instances
        self._listed: Environ | None = None
        self._compared: tuple[Found | None, Environ] | None = None  # what it was compared with last, and the result

    def environ(self, before: Found | None, warn: Callable[[str], object]) -> Environ:
        """The variables of a run that is given this report, where the last run was given `before`.

        `warn` gets a text for each list that does not fit into a variable; that variable is left out.
        """
        if self._listed is None:
            self._listed = (("CONTAINERPILOT_WATCH", self.name), *self._variable("INSTANCES", self.instances, warn))
        # Jobs that share a watch mostly were given the same report before.
        if self._compared is None or self._compared[0] is not before:
            old = before.instances if before is not None else []
            added = self._variable("ADDED", missing(old, self.instances), warn)
            removed = self._variable("REMOVED", missing(self.instances, old), warn)
            self._compared = before, (*added, *removed)
        return (*self._listed, *self._compared[1])

    def _variable(self, word: str, instances: list[Instance], warn: Callable[[str], object]) -> Environ:
        name, text = f"CONTAINERPILOT_WATCH_{word}", _to_text(instances)
        if text is not None:
            return ((name, text),)
        warn(f"{self.source}: {name} is not set: {len(instances)} instances do not fit into an environment variable")
        return ()


def missing(present: Iterable[Instance], wanted: Iterable[Instance]) -> list[Instance]:
    """Those of `wanted` whose address and port are not present; of several at one place, as many as are too many."""
    places: dict[tuple[str, int], int] = {}
    for instance in present:
        place = (instance.address, instance.port)
        places[place] = places.get(place, 0) + 1
    found = []
    for instance in wanted:
        place = (instance.address, instance.port)
        if places.get(place, 0) > 0:
            places[place] -= 1
        else:
            found.append(instance)
    return found


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
