"""Jobs of the same name: all of them run, and share the source of their events. Each gets a unique name in the plan."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.jobs.job import ReadJob
    from cp.config.shared_telemetry import ReadTelemetry
    from cp.plan import Job


def rename_duplicates(root: Fields, jobs: list[ReadJob], telemetry: ReadTelemetry | None) -> None:
    """Give the second job of a name the name `NAME#2` and the service id `…-2`, the third `NAME#3`, and so on.

    Adds a warning for each, with the location of the first one. The job of telemetry comes last.
    """
    taken = {read.job.name for read in jobs}
    if telemetry is not None:
        taken.add(telemetry.job.name)
    names = _Numbers("#", taken)
    ids = _Numbers("-", set())
    firsts: dict[str, ReadJob] = {}
    locations: dict[str, str] = {}  # of names that repeat; computed only for them, because it is slow in a large file

    def warning(job: Job) -> str:
        if job.source not in locations:
            fields = firsts[job.source].fields
            locations[job.source] = f"{fields.key_path} ({fields.location_of('name')})"
        return _warning(job, locations[job.source])

    for read in jobs:
        if not read.source.strip():
            continue  # this is an error already
        first = firsts.setdefault(read.source, read)
        read.job = _made_unique(read.job, names, None if read.fields.has("id") else ids)
        if first is not read:
            read.fields.warning("name", warning(read.job))
    if telemetry is not None:
        telemetry.job = _made_unique(telemetry.job, names, ids)
        telemetry.telemetry = telemetry.telemetry.replace(job=telemetry.job.name)
        if telemetry.job.source:
            root.warning("telemetry", f"has a job of its own: {warning(telemetry.job)}")


class _Numbers:
    """Numbers repeated names, and skips numbered names that are `taken`."""

    __slots__ = ("_last", "_separator", "_taken")

    def __init__(self, separator: str, taken: set[str]) -> None:
        self._separator = separator
        self._taken = taken
        self._last: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name at its first call, then `name#2`, `name#3`, …."""
        unique, number = name, self._last.get(name, 0) + 1
        if number > 1:
            unique = f"{name}{self._separator}{number}"
            while unique in self._taken:
                number += 1
                unique = f"{name}{self._separator}{number}"
        self._last[name] = number
        self._taken.add(unique)
        return unique


def _made_unique(job: Job, names: _Numbers, ids: _Numbers | None) -> Job:
    """The job, with a unique name if it is not the first one of its name. The id of its service becomes unique as well,
    unless it comes from the configuration (`ids` is None)."""
    service, name = job.service, names.unique(job.name)
    if service is not None and ids is not None:
        service_id = ids.unique(service.id)
        if service_id != service.id:
            job = job.replace(service=service.replace(id=service_id))
    return job if name == job.name else job.replace(name=name, source=job.name)


def _warning(job: Job, first: str) -> str:
    registered = f", and is registered as '{job.service.id}'" if job.service is not None else ""
    return (
        f"'{job.source}' is the name of {first} too: all jobs of a name run, and its events come from any of them. "
        f"This one is '{job.name}' in the control plane{registered}. Give it another name to tell its events apart"
    )
