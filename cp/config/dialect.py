"""Detects the dialect in which a configuration is written."""

from __future__ import annotations

from cp.config.fields import show
from cp.config.json5.parser import kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.errors import Problems
    from cp.config.json5.parser import Value

SERVICES, JOBS = "services", "jobs"

SERVICES_KEYS = ("services", "backends", "tasks", "coprocesses", "preStart", "onStart", "preStop", "postStop")
JOBS_KEYS = ("jobs", "watches", "control")
_SHARED_KEYS = ("dialect", "consul", "etcd", "directory", "logging", "stopTimeout", "shutdownTimeout", "telemetry")

SERVED = 'keep to one of them; for a control socket in the services dialect add "dialect": "services"'


class Dialect:
    """`name` is SERVICES or JOBS. `reason` says how it was detected, and `offset` is that of the evidence."""

    __slots__ = ("name", "offset", "reason")

    def __init__(self, name: str, reason: str, offset: int) -> None:
        self.name = name
        self.reason = reason
        self.offset = offset


def detect(root: Value, problems: Problems, *, has_command: bool) -> Dialect:
    """The dialect of a document. Raises ConfigError if it has keys of both, or `dialect` is neither."""
    members = root.data if isinstance(root.data, dict) else {}
    declared = members.get("dialect")
    if declared is not None and declared.data is not None:
        return _declared(declared, problems)
    by_services = _first(root, SERVICES_KEYS, "sensors")
    by_jobs = _first(root, JOBS_KEYS, "metrics")
    if by_services and by_jobs:
        problems.error(
            max(by_services[1], by_jobs[1]),
            "",
            f"keys of two dialects: '{by_services[0]}' belongs to the services dialect, '{by_jobs[0]}' to the jobs "
            "dialect: " + (SERVED if by_jobs[0] == "control" else "keep to one of them"),
        )
        problems.check()
    if by_services:
        return Dialect(SERVICES, f"it has the key '{by_services[0]}'", by_services[1])
    if by_jobs:
        return Dialect(JOBS, f"it has the key '{by_jobs[0]}'", by_jobs[1])
    from cp.config.nearest import nearest

    for key in members:  # report `servces` as a misspelled key, instead of choosing the other dialect because of it
        if key not in _SHARED_KEYS and nearest(key, SERVICES_KEYS + JOBS_KEYS) in SERVICES_KEYS:
            return Dialect(SERVICES, f"the key '{key}' looks like one of its keys", root.keys[key])
    if has_command:
        return Dialect(SERVICES, "a command follows on the command line", root.offset)
    return Dialect(JOBS, "no key shows its dialect, and no command follows on the command line", root.offset)


def _declared(declared: Value, problems: Problems) -> Dialect:
    name = declared.data
    if name not in (SERVICES, JOBS):
        from cp.config.nearest import did_you_mean

        what = show(name) + did_you_mean(name, (SERVICES, JOBS)) if isinstance(name, str) else kind(declared)
        problems.error(declared.offset, "dialect", f'must be "services" or "jobs", not {what}')
        problems.check()
    return Dialect(str(name), f'it has "dialect": "{name}"', declared.offset)


def _first(root: Value, keys: tuple[str, ...], of_telemetry: str) -> tuple[str, int] | None:
    """The first key of a dialect, as a key path and the offset of the key."""
    members = root.data if isinstance(root.data, dict) else {}
    found = [(key, root.keys[key]) for key in keys if key in members]
    telemetry = members.get("telemetry")
    if telemetry is not None:
        found += [(f"telemetry.{key}", offset) for key, offset in telemetry.keys.items() if key.lower() == of_telemetry]
    return min(found, key=lambda one: one[1]) if found else None
