"""Names that a catalogue accepts, and the environment variables that are made of names."""

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
    """Whether it is a small letter and then at least one letter, digit or dash, as DNS requires it."""
    return len(name) > 1 and name[0] in _LOWER and _NAME.issuperset(name)


def ip_variable(name: str) -> str:
    """The environment variable that has the address of a service, for children."""
    return f"CONTAINERPILOT_{name.upper().replace('-', '_')}_IP"


def pid_variable(name: str) -> str:
    """The environment variable that has the pid of a job, for children. The name may be the path of a program.

    Only the last part of a path counts, without its extension. Other characters than letters and digits become `_`.
    """
    base = name.rpartition("/")[2]
    _, dot, extension = base.rpartition(".")
    if dot:
        # Remove the first occurrence of the extension, which may not be the last one (`a.b.b`), as the Go program does.
        base = base.replace(dot + extension, "", 1)
    words: list[str] = [""]
    for character in base:
        if character in _WORD:
            words[-1] += character
        elif words[-1] or len(words) == 1:
            words.append("")
    return f"CONTAINERPILOT_{'_'.join(words).upper()}_PID"


class Variables:
    """The variables that jobs set. If two jobs set the same one, children see only one of the values."""

    __slots__ = ("_owners",)

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}  # the job's name, and the value (for a pid, the name)

    def claim(self, job: Job, fields: Fields | None = None) -> None:
        """Register the variables of a job. Warns, at its `name`, about the first one that another job sets to another
        value. Jobs with the same name have their own warning."""
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
