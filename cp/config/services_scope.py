"""What the parts of a services configuration share while it is read."""

from __future__ import annotations

from cp.config import interfaces
from cp.plan import When

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.config.fields import Fields
    from cp.config.interfaces import Address

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-" + _LOWER)


class Scope:
    """`start` is the event (code and source) on which everything begins; `hostname` is part of each service's id.

    `addresses` reads the addresses of this machine; it is called at most once, and only if a choice depends on them.
    """

    __slots__ = ("_addresses", "_at_start", "_known", "_names", "hostname", "start")

    def __init__(self, start: tuple[str, str], hostname: str, addresses: Callable[[], list[Address]]) -> None:
        self.start = start
        self._at_start = When(code=start[0], source=start[1])
        self.hostname = hostname
        self._addresses = addresses
        self._known: list[Address] | None = None
        self._names: set[str] = set()

    def unique(self, name: str) -> str:
        """The name, with `#2`, `#3`, … if it was given away before."""
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name}#{number}"
        self._names.add(candidate)
        return candidate

    def at_start(self, *, interval: float | None = None) -> When:
        """The trigger of what begins at the start; with an interval, one interval later, and then again and again."""
        if interval is None:
            return self._at_start
        code, source = self.start
        return When(code=code, source=source, interval=interval, delay=interval)

    def address(self, fields: Fields, *, single: bool) -> str:
        """The address that `interfaces` chooses; a fault, and an empty text, if there is none."""
        specs = fields.strings("interfaces", single=single) or ("eth0:inet",)
        try:
            if self._known is None and interfaces.needs_addresses(specs):
                self._known = self._addresses()
            return interfaces.choose(specs, self._known or [])
        except interfaces.InterfaceError as error:
            fix = (
                ""
                if fields.has("interfaces")
                else '\nThe default is eth0; name another, such as "interfaces": ["inet"].'
            )
            fields.fault("interfaces", f"{error}{fix}")
        except OSError as error:
            fields.fault("interfaces", f"cannot read the network addresses: {error.strerror or error}")
        return ""


def read_name(fields: Fields, *, kind: str) -> str:
    """The `name` of a service or a backend, `kind` being one of these words."""
    name = fields.string("name")
    if not name.strip():
        fields.fault("name", f"`name` must not be blank: it is what the {kind} is called in the catalogue")
    elif not (len(name) > 1 and name[0] in _LOWER and _NAME.issuperset(name)):
        fields.warning(
            "name",
            "deprecated: service names must be alphanumeric with dashes to comply with service discovery "
            f"(a small letter, then one or more letters, digits or dashes), '{name}' is not",
        )
    return name
