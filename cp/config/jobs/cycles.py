"""Jobs that wait for each other in a circle."""

from __future__ import annotations

from cp.config.jobs.triggers import GLOBAL_EVENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.jobs.job import ReadJob

# The events that only a job sends which was started, and those that a stop sends.
EXITS = ("exitSuccess", "exitFailed")
_OF_A_RUN = (*EXITS, "healthy", "unhealthy")
_OF_A_STOP = ("stopping", "stopped")


def warn_about_cycles(jobs: list[ReadJob]) -> None:
    """A warning for each circle, at the first of its jobs that suffers from it."""
    by_source: dict[str, list[ReadJob]] = {}
    for read in jobs:
        by_source.setdefault(read.source, []).append(read)
    numbers = {read.job.name: number for number, read in enumerate(jobs)}
    done: set[str] = set()
    for read in jobs:
        # Each job waits for one other at most: a chain ends, meets what was looked at before, or bites its own tail.
        chain: list[ReadJob] = []
        at: ReadJob | None = read
        while at is not None and at.job.name not in done:
            done.add(at.job.name)
            chain.append(at)
            at = _awaited(at, by_source)
        if at is not None and at in chain:
            _warn(chain[chain.index(at) :], numbers)


def _awaited(read: ReadJob, by_source: dict[str, list[ReadJob]]) -> ReadJob | None:
    """The job on whose run or stop this one's start depends; None if it depends on either of several."""
    when = read.trigger.when
    if not read.trigger.checked or when.code in GLOBAL_EVENTS:
        return None
    others = by_source.get(when.source) or by_source.get(when.source.removeprefix("check.")) or []
    if others == [read] or (read in others and when.code in EXITS and when.source == read.source):
        return read
    return others[0] if len(others) == 1 and when.code in _OF_A_RUN + _OF_A_STOP else None


def _warn(circle: list[ReadJob], numbers: dict[str, int]) -> None:
    on_runs = [read for read in circle if read.trigger.when.code in _OF_A_RUN]
    first = min(on_runs or circle, key=lambda read: numbers[read.job.name])
    start = circle.index(first)
    others = [read.job.name for read in (*circle[start + 1 :], *circle[:start], first)]
    fields = first.trigger.fields
    if fields is None:
        return
    if len(circle) == 1:
        fields.warning("source", f"a job is never started by an event of its own, and this is one of '{others[0]}'")
    elif on_runs:
        fields.warning("source", f"the job never starts: it waits for {_told(others)}")
    else:
        fields.warning("source", f"a stop does not run the job: it waits for the end of {_told(others, 'the end of ')}")


def _told(names: list[str], of: str = "") -> str:
    return f", which waits for {of}".join(f"'{name}'" for name in names)
