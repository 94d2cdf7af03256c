"""Warns about jobs that wait for each other in a cycle."""

from __future__ import annotations

from cp.config.jobs.triggers import GLOBAL_EVENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.jobs.job import ReadJob

# The events that only a started job publishes, and those that a stop publishes.
EXITS = ("exitSuccess", "exitFailed")
_OF_A_RUN = (*EXITS, "healthy", "unhealthy", "ready")
_OF_A_STOP = ("stopping", "stopped")


def warn_about_cycles(jobs: list[ReadJob]) -> None:
    """Add a warning for each cycle, at the first of its jobs."""
    by_source: dict[str, list[ReadJob]] = {}
    for read in jobs:
        by_source.setdefault(read.source, []).append(read)
    numbers = {read.job.name: number for number, read in enumerate(jobs)}
    done: set[str] = set()
    for read in jobs:
        # Each job waits for at most one other job: a chain ends, or reaches a job that is in `done` or in the chain.
        chain: list[ReadJob] = []
        current: ReadJob | None = read
        while current is not None and current.job.name not in done:
            done.add(current.job.name)
            chain.append(current)
            current = _awaited(current, by_source)
        if current is not None and current in chain:
            _warn(chain[chain.index(current) :], numbers)


def _awaited(read: ReadJob, by_source: dict[str, list[ReadJob]]) -> ReadJob | None:
    """The job whose run or stop this job waits for; None if it waits for any of several jobs."""
    when = read.trigger.when
    if not read.trigger.checked or when.code in GLOBAL_EVENTS:
        return None
    others = by_source.get(when.source) or by_source.get(when.source.removeprefix("check.")) or []
    if others == [read] or (read in others and when.code in EXITS and when.source == read.source):
        return read
    return others[0] if len(others) == 1 and when.code in _OF_A_RUN + _OF_A_STOP else None


def _warn(cycle: list[ReadJob], numbers: dict[str, int]) -> None:
    on_runs = [read for read in cycle if read.trigger.when.code in _OF_A_RUN]
    first = min(on_runs or cycle, key=lambda read: numbers[read.job.name])
    start = cycle.index(first)
    others = [read.job.name for read in (*cycle[start + 1 :], *cycle[:start], first)]
    fields = first.trigger.fields
    if fields is None:
        return
    if len(cycle) == 1:
        fields.warning("source", f"the job never starts: it waits for an event of its own, '{others[0]}'")
    elif on_runs:
        fields.warning("source", f"the job never starts: it waits for {_chain_text(others)}")
    else:
        fields.warning(
            "source", f"a stop does not run the job: it waits for the end of {_chain_text(others, 'the end of ')}"
        )


def _chain_text(names: list[str], of: str = "") -> str:
    return f", which waits for {of}".join(f"'{name}'" for name in names)
