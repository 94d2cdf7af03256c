"""`when` of a job: the event that starts it, or its interval."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import one_of
from cp.plan import GLOBAL, When

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from cp.config.fields import Fields
    from cp.plan import EventCode

GLOBAL_EVENTS: tuple[EventCode, ...] = ("startup", "shutdown", "enterMaintenance", "exitMaintenance")
SIGNALS = ("SIGHUP", "SIGUSR2")
SIGNAL_EVENT: Final = "signal"

_CODES: tuple[EventCode, ...] = (
    *("exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy", "ready", "timerExpired", "changed"),
    *GLOBAL_EVENTS,
    "error",
    "quit",
)
_EVENTS = (*_CODES, *SIGNALS)
_KEYS = ("interval", "source", "once", "each", "timeout")
_AT_START = When(code="startup", source=GLOBAL)


class ReadTrigger:
    """`when` for the plan, and the object of the configuration, if there is one.

    `interval` is the text of the interval, empty without one; `checked`: the source must exist; `eventless` is a source
    without an event, which starts nothing.
    """

    __slots__ = ("checked", "eventless", "fields", "interval", "when")

    def __init__(
        self,
        when: When,
        fields: Fields | None = None,
        *,
        interval: str = "",
        checked: bool = False,
        eventless: str = "",
    ) -> None:
        self.when = when
        self.fields = fields
        self.interval = interval
        self.checked = checked
        self.eventless = eventless


def read_trigger(job: Fields, name: str) -> ReadTrigger:
    """The trigger of a job. The default is the start of ContainerPilot, once."""
    fields = job.object("when", _KEYS)
    if fields is None:
        return ReadTrigger(_AT_START)
    given = [key for key in ("interval", "once", "each") if fields.string(key)]
    if len(given) > 1:
        job.error("when", f"job[{name}].when can have only one of 'interval', 'once', or 'each'")
        return ReadTrigger(_AT_START, fields)
    if given == ["interval"]:
        return _periodic(fields, name)
    source = fields.string("source")
    if source in SIGNALS:
        return ReadTrigger(_signal(fields, name, source), fields)
    if not given:
        if not source:
            _warn_of_nothing(fields)
        return ReadTrigger(_AT_START, fields, eventless=source)
    return _on_event(fields, name, given[0], source)


def _warn_of_nothing(fields: Fields) -> None:
    fields.problems.warning(fields.offset, fields.key_path, without_event(fields))


def without_event(fields: Fields) -> str:
    """The warning about a `when` without an event, with the template actions that left its keys empty."""
    empty = [key for key in ("interval", "once", "each", "source") if fields.has(key) and not fields.string(key)]
    why = "; ".join(filter(None, (fields.problems.origin(fields.offset_of(key)) for key in empty)))
    return (
        "has none of 'interval', 'once' and 'each', so the job is started at once, as without `when`"
        f"{f' ({why})' if why else ''}"
    )


def _periodic(fields: Fields, name: str) -> ReadTrigger:
    text = fields.string("interval")
    limit = fields.duration("interval", f"unable to parse job[{name}].when.interval '{text}': ")
    for key in ("source", "timeout"):
        if fields.has(key):
            fields.warning(key, "has no effect beside `interval`")
    if limit is None:
        return ReadTrigger(_AT_START, fields)
    if limit[0] < durations.MILLISECOND:
        fields.error("interval", f"job[{name}].when.interval '{text}' cannot be less than 1ms")
    when = When(code="startup", source=GLOBAL, interval=durations.seconds(limit[0]))
    return ReadTrigger(when, fields, interval=limit[1])


def _signal(fields: Fields, name: str, source: str) -> When:
    return When(code=SIGNAL_EVENT, source=source, each=True, timeout=_timeout(fields, name))


def _on_event(fields: Fields, name: str, key: str, source: str) -> ReadTrigger:
    event = fields.string(key)
    if event not in _EVENTS:
        from cp.config.nearest import did_you_mean

        fields.error(
            key,
            f"unable to parse job[{name}].when.event: {event} is not a valid event code"
            f"{did_you_mean(event, _EVENTS) or ': choose one of ' + ', '.join(_EVENTS)}",
        )
        return ReadTrigger(_AT_START, fields)
    if not source:
        if event in SIGNALS:
            return ReadTrigger(_signal(fields, name, event), fields)
        if event not in GLOBAL_EVENTS:
            fields.error("source", f"is missing: {_who_sends(event)}")
            return ReadTrigger(_AT_START, fields)
        source = GLOBAL
    when = When(
        code=one_of(event, _CODES) or SIGNAL_EVENT,
        source=source,
        each=key == "each",
        timeout=_timeout(fields, name),
    )
    if when.timeout is not None and event in ("stopping", "stopped"):
        # In ContainerPilot 3 this timeout has no effect. Without this rule the hook would be gone when it is needed.
        fields.warning("timeout", f"has no effect: a job on `{event}` waits until a stop, however late that is")
        when = when.replace(timeout=None)
    return ReadTrigger(when, fields, checked=True)


def _timeout(fields: Fields, name: str) -> float | None:
    limit = fields.duration("timeout", f"unable to parse job[{name}].when.timeout: ")
    return durations.seconds(limit[0]) if limit is not None and limit[0] > 0 else None


def _who_sends(event: str) -> str:
    if event == "changed":
        return 'name the watch, such as "source": "watch.upstream"'
    if event == "error":
        return "the source of an `error` is its text"
    return f"name the job whose `{event}` this one waits for"
