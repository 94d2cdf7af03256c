"""`restarts` as an object: in which time, after which runs and after which pauses a job is restarted.

Imported only for a configuration with one.
"""

from __future__ import annotations

from cp.config.jobs.restarts import read_number, refuse_unlimited_each
from cp.config.jobs.triggers import SIGNAL_EVENT
from cp.config.jobs.values import read_choice, read_duration
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
    per, pause, max_pause = (
        read_duration(fields, key, f"job[{name}].restarts.{key}")[0] for key in ("per", "pause", "maxPause")
    )
    on_failure = read_choice(fields, "on", _ON) == "failure"
    delays = read_choice(fields, "then", _THEN) == "delay"
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
