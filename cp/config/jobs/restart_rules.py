"""`restarts` as an object: in which time, after which runs and after which pauses a job is restarted.

Imported only for a configuration with one.
"""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import show
from cp.config.jobs.health import refuse_switch
from cp.config.jobs.restarts import read_number, refuse_unlimited_each
from cp.config.jobs.triggers import SIGNAL_EVENT
from cp.plan import Restarts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import When

_KEYS = ("max", "per", "on", "pause", "maxPause", "then")
_ON = ("always", "failure")
_THEN = ("fail", "delay")


def read_rules(job: Fields, name: str, when: When) -> tuple[int | None, Restarts | None]:
    """The number of restarts, None for no limit, and the rules for them."""
    fields = job.object("restarts", _KEYS)
    if fields is None:
        return 0, None
    if when.interval:
        job.error(
            "restarts",
            "does not go with `when.interval` as an object: a number is the number of runs after the first one, and "
            "without `restarts` the job runs after each interval",
        )
    number = read_number(fields, "max", name)
    per = _duration(fields, "per", name)
    on_failure = _choice(fields, "on", _ON) == "failure"
    pause, max_pause = _duration(fields, "pause", name), _duration(fields, "maxPause", name)
    delays = _choice(fields, "then", _THEN) == "delay"
    if number is None and when.each and when.code != SIGNAL_EVENT:
        refuse_unlimited_each(fields, name, "max")
    if fields.has("per"):
        _check_window(fields, name, number, when)
    elif delays:
        fields.error("then", '"delay" needs a `per`, such as "per": "10m": without it no restart is ever left again')
    if pause and max_pause and max_pause < pause:
        fields.error("maxPause", f"is {fields.written('maxPause')}, shorter than `pause`: make it at least as long")
    return number, Restarts(per=per, on_failure=on_failure, pause=pause, max_pause=max_pause, delays=delays)


def _check_window(fields: Fields, name: str, number: int | None, when: When) -> None:
    if when.each:
        why = "does not go with `when.each`: the number is for the whole life of such a job, so remove `per`"
        fields.error("per", why)
    elif when.code == "stopping":
        why = (
            f"does not go with a job that waits for `stopping`: {when.source} would wait for its restarts without limit"
        )
        fields.error("per", why)
    if not number:
        is_missing = not fields.has("max") or fields.is_null("max")
        written = "which is missing" if is_missing else f"not {fields.written('max')}"
        fields.error("per", f'needs a number of at least 1 as `max`, {written}: write one, such as "max": 5')


def _choice(fields: Fields, key: str, choices: tuple[str, ...]) -> str:
    if not fields.has(key):
        return ""
    text = fields.string(key)
    if text not in choices:
        from cp.config.nearest import did_you_mean

        known = " or ".join(show(choice) for choice in choices)
        fields.error(key, f"must be {known}, not {fields.written(key)}{did_you_mean(text, choices)}")
    return text


def _duration(fields: Fields, key: str, name: str) -> float | None:
    refuse_switch(fields, key)
    text = fields.string(key)
    label = f"job[{name}].restarts.{key}"
    limit = fields.duration(key, f"unable to parse {label} '{text}': ")
    if limit is None:
        return None
    if limit[0] < durations.MILLISECOND:
        fields.error(key, f"{label} '{text}' cannot be less than 1ms")
    return durations.seconds(limit[0])
