"""The events of each source, and the check that a job waits for an event that can happen."""

from __future__ import annotations

from cp.config.jobs.job import TELEMETRY_JOB
from cp.config.jobs.triggers import GLOBAL_EVENTS, SIGNAL_EVENT, SIGNALS, without_event
from cp.plan import GLOBAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.jobs.job import ReadJob
    from cp.plan import Job, Watch, When

_COMPARISONS = 5_000  # comparisons of names for suggestions; more would take too long for a huge file
_EXITS = ("exitSuccess", "exitFailed")
_STATUSES = ("healthy", "unhealthy")
_NEEDED = {
    "exitSuccess": "exec",
    "exitFailed": "exec",
    "healthy": "health.exec` or `health.http",
    "unhealthy": "health.exec` or `health.http",
    "timerExpired": "when.timeout",
}


def check_sources(jobs: list[ReadJob], watches: list[Watch], *, has_telemetry: bool) -> None:
    """Check the triggers: a missing source is an error; an event that its source never publishes, and a source without
    an event, are warnings, because ContainerPilot 3 accepted them and never started the job."""
    sources = _sources(jobs, watches, has_telemetry=has_telemetry)
    names = {read.source for read in jobs}
    missing = 0
    for read in jobs:
        trigger = read.trigger
        if trigger.fields is None or not (trigger.checked or trigger.eventless):
            continue
        source = trigger.eventless or trigger.when.source
        if trigger.when.code == "error":
            _check_error(trigger.fields, trigger.when, sources)
        elif source not in sources:
            missing += 1
            has_time = missing * len(sources) <= _COMPARISONS
            why = _no_such_source(source, sources, names, has_time=has_time)
            if trigger.eventless:
                _warn_of_eventless(trigger.fields, why)
            else:
                trigger.fields.error("source", why)
        elif trigger.eventless:
            sends = [event for event in sources[source] if event != SIGNAL_EVENT]
            _warn_of_eventless(trigger.fields, f"'{source}' sends {', '.join(sends)}: name one in `once` or `each`")
        elif trigger.when.code not in sources[trigger.when.source]:
            trigger.fields.warning("source", _never_sent(trigger.when, sources))


def _sources(jobs: list[ReadJob], watches: list[Watch], *, has_telemetry: bool) -> dict[str, tuple[str, ...]]:
    """The events of each source."""
    sources: dict[str, tuple[str, ...]] = {GLOBAL: GLOBAL_EVENTS}
    for signal in SIGNALS:
        sources[signal] = (SIGNAL_EVENT,)
    for watch in watches:
        sources[watch.source] = ("changed", *_STATUSES)
    for read in jobs:
        for check in read.job.health:
            if check.source:
                sources[check.source] = _EXITS
    others = set(sources)
    for read in jobs:
        name = read.source
        if not name:
            continue  # this is an error already
        if name in others:
            read.fields.warning("name", f"'{name}' is the source of other events too: give the job another name")
        sources[name] = (
            *sources.get(name, ()),
            *(new for new in _events_of(read.job) if new not in sources.get(name, ())),
        )
    if has_telemetry:
        sources.setdefault(TELEMETRY_JOB, ("stopping", "stopped"))
    return sources


def _events_of(job: Job) -> tuple[str, ...]:
    return (
        *(_EXITS if job.command is not None else ()),
        "stopping",
        "stopped",
        *(_STATUSES if any(not check.is_heartbeat for check in job.health) else ()),
        *(("timerExpired",) if job.when.timeout is not None else ()),
        "ready",  # also without a process: when it has started
    )


def _warn_of_eventless(fields: Fields, why: str) -> None:
    fields.problems.warning(fields.offset_of("source"), fields.key_path, f"{without_event(fields)}: {why}")


def _check_error(fields: Fields, when: When, sources: dict[str, tuple[str, ...]]) -> None:
    if when.source in sources:
        fields.warning(
            "source",
            f"the source of an `error` is its text, such as '{when.source}: exit status 1', so this event never "
            "happens: `exitFailed` has the job as its source",
        )


def _no_such_source(source: str, sources: dict[str, tuple[str, ...]], jobs: set[str], *, has_time: bool) -> str:
    from cp.config.nearest import did_you_mean

    known = "a source is the name of a job, check.JOB, watch.NAME, global, SIGHUP or SIGUSR2"
    if source.startswith("check.") and source.removeprefix("check.") in jobs:
        return f"the job '{source.removeprefix('check.')}' has no `health.exec`, so there are no events of '{source}'"
    printable = source if source.isprintable() else repr(source)[1:-1]
    watch = f"watch.{source}"
    hint = f" (did you mean '{watch}'?)" if watch in sources else did_you_mean(source, sources) if has_time else ""
    return f"there is no source '{printable}'{hint}: {known}"


def _never_sent(when: When, sources: dict[str, tuple[str, ...]]) -> str:
    events = [event for event in sources[when.source] if event != SIGNAL_EVENT]
    hint = f" (a job with `{_NEEDED[when.code]}` would)" if when.code in _NEEDED and "stopped" in events else ""
    for other in (f"watch.{when.source}", when.source.partition(".")[2]):
        if when.code in sources.get(other, ()):  # the user meant the job, not its check; or the watch, not a job
            hint = f" (did you mean '{other}'?)"
    what = f"sends only {', '.join(events)}" if events else "is a signal"
    return f"'{when.source}' never sends `{when.code}`{hint}: it {what}"
