"""Names: which of them a catalogue can carry, and the environment variables that are made of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import Job

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
_WORD = frozenset(_LOWER + _UPPER + "0123456789")
_NAME = _WORD | {"-"}

SERVICE_NAME_RULE = "service names must be alphanumeric with dashes to comply with service discovery"


def is_service_name(name: str) -> bool:
    """A small letter, then one or more letters, digits or dashes: what DNS can carry."""
    return len(name) > 1 and name[0] in _LOWER and _NAME.issuperset(name)


def ip_variable(name: str) -> str:
    """The environment variable in which children find the address of a service."""
    return f"CONTAINERPILOT_{name.upper().replace('-', '_')}_IP"


def pid_variable(name: str) -> str:
    """The environment variable in which children find the process of a job; the name may be that of a program.

    Of a path the last part counts, without its extension; what is neither letter nor digit becomes an underscore.
    """
    base = name.rpartition("/")[2]
    _, dot, extension = base.rpartition(".")
    if dot:
        # The first place where the extension stands, which need not be the last one (`a.b.b`).
        base = base.replace(dot + extension, "", 1)
    words: list[str] = [""]
    for character in base:
        if character in _WORD:
            words[-1] += character
        elif words[-1] or len(words) == 1:
            words.append("")
    return f"CONTAINERPILOT_{'_'.join(words).upper()}_PID"


class Variables:
    """Which job sets which variable. Of two that set the same one, children see the value of one only."""

    __slots__ = ("_owners",)

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}  # the job's name, and what is its own in the value

    def claim(self, job: Job, fields: Fields | None = None) -> None:
        """Note those of a job; the first that another job sets to something else is a warning about its `name`. Jobs of
        one name have had theirs."""
        name = job.source or job.name
        mine = [(variable, name) for variable in job.pid_variables]
        if job.service is not None:
            mine.append((ip_variable(job.service.name), job.service.address))
        for variable, value in mine:
            owner, other = self._owners.setdefault(variable, (name, value))
            if owner != name and other != value and fields is not None:
                fields.warning(
                    "name",
                    f"'{name}' and '{owner}' both set {variable}: children see only one of the two, so give one of "
                    "them another name",
                )
                return
