"""`drain`: how long a job goes on serving between its deregistration and its end.

Imported only for a job that has one.
"""

from __future__ import annotations

from cp.config.jobs.values import read_choice, read_duration
from cp.plan import Drain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields

_KEYS = ("min", "max", "until")
_IDLE = "idle"
# Seconds. Who sends requests to the job learns of its deregistration a moment later.
DEFAULT_MIN, DEFAULT_MAX = 2.0, 30.0


def read_drain(job: Fields, name: str, shutdown_timeout: float | None) -> Drain | None:
    """The drain of a job; None for one that takes no time. `shutdown_timeout` ends every drain of a stop."""
    value = job.value("drain")
    if value is None:
        return None
    if not job.integer("port"):
        job.error("drain", "needs a `port`: only a job with a port is registered, and gets requests by the catalogue")
        return None
    is_object = isinstance(value.data, dict)
    drain = _rules(job, name) if is_object else _fixed(_seconds(job, "drain", f"job[{name}].drain"))
    if drain is not None and shutdown_timeout and drain.max >= shutdown_timeout:
        text = f"may take {drain.max:g} s, but a stop takes at most {shutdown_timeout:g} s (`shutdownTimeout`): then "
        job.warning("drain", f"{text}everything is killed, so make `shutdownTimeout` longer, or the drain shorter")
    return drain


def _fixed(seconds: float | None) -> Drain | None:
    return Drain(min=seconds, max=seconds) if seconds else None


def _rules(job: Fields, name: str) -> Drain | None:
    fields = job.object("drain", _KEYS)
    if fields is None:
        return None
    least, most = (_seconds(fields, key, f"job[{name}].drain.{key}") for key in ("min", "max"))
    if not fields.has("until"):
        if fields.has("max"):
            fields.error("max", 'needs "until": "idle": without it, `min` is the time that the drain takes')
        return _fixed(DEFAULT_MIN if least is None else least)
    read_choice(fields, "until", (_IDLE,))
    if least is not None and most is not None and least > most:
        fields.error("min", f"is {fields.written('min')}, longer than `max`: make it at most {fields.written('max')}")
    if least is None:
        least = DEFAULT_MIN if most is None else min(DEFAULT_MIN, most)
    return Drain(min=least, max=max(DEFAULT_MAX, least) if most is None else most, is_idle=True)


def _seconds(fields: Fields, key: str, label: str) -> float | None:
    return read_duration(fields, key, label, may_be_zero=True)[0]
