"""The state that the parts of a services configuration share while it is compiled."""

from __future__ import annotations

from cp.config.names import SERVICE_NAME_RULE, Variables, is_service_name
from cp.plan import When

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.host_info import HostInfo
    from cp.plan import EventCode

_DEFAULT_INTERFACES = ("eth0:inet",)
_ON_DEFAULT = 'The default is eth0: name another, such as "interfaces": ["inet"].'


class Scope:
    """`start` has code and source of the event that starts everything; `host_info` is about this machine."""

    __slots__ = ("_at_start", "_names", "host_info", "start", "variables")

    def __init__(self, start: tuple[EventCode, str], host_info: HostInfo) -> None:
        self.start = start
        self._at_start = When(code=start[0], source=start[1])
        self.host_info = host_info
        self.variables = Variables()
        self._names: set[str] = set()

    def unique(self, name: str) -> str:
        """The name; with `#2`, `#3`, … if it is in use."""
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name}#{number}"
        self._names.add(candidate)
        return candidate

    def at_start(self, *, interval: float | None = None) -> When:
        """The trigger at the start; with an interval, one interval after the start and after each further interval."""
        if interval is None:
            return self._at_start
        code, source = self.start
        return When(code=code, source=source, interval=interval, delay=interval)

    def address(self, fields: Fields) -> str:
        """The address that `interfaces` selects; an error and "" if none matches."""
        return self.host_info.address(fields, _DEFAULT_INTERFACES, _ON_DEFAULT)


def read_name(fields: Fields, *, kind: str) -> str:
    """Read the `name` of a service or a backend; `kind` is one of these words."""
    name = fields.string("name")
    if not name.strip():
        fields.error("name", f"`name` must not be blank: it is the name of the {kind} in the catalogue")
    elif not is_service_name(name):
        fields.warning(
            "name",
            f"deprecated: {SERVICE_NAME_RULE} "
            f"(a small letter, then one or more letters, digits or dashes), '{name}' is not",
        )
    return name
