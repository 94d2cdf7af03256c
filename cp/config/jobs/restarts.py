"""`restarts` of a job: the number of times that it is restarted."""

from __future__ import annotations

from cp.config.fields import show
from cp.config.jobs.triggers import SIGNAL_EVENT
from cp.config.json5.parser import kind
from cp.encoding.go_numbers import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import When

_DIGITS = 9  # the longest accepted number of restarts


def read_restarts(fields: Fields, name: str, when: When) -> int | None:
    """The number of restarts; None for no limit."""
    if not fields.has("restarts"):
        return None if when.interval else 0
    number = read_number(fields, "restarts", name)
    if number is None and when.each and when.code != SIGNAL_EVENT:
        refuse_unlimited_each(fields, name)
    return number


def read_number(fields: Fields, key: str, name: str) -> int | None:
    """A number of restarts; None for no limit."""
    value = fields.value(key)
    if value is None:
        return None
    data = value.data
    why = 'accepts positive integers, "unlimited", or "never"'
    given = data if isinstance(data, str) and data.isprintable() else kind(value)
    if isinstance(data, bool):
        given = "true" if data else "false"
    elif isinstance(data, int | float):
        if 0 <= data < 10**_DIGITS:
            return int(data)
        given = plain(data)
        why = "number must be positive integer (or 0, which means never)"
    elif isinstance(data, str):
        if data == "unlimited":
            return None
        if data == "never":
            return 0
        digits = data.removeprefix("+")
        if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS:
            return int(digits)
        given = show(data)[1:-1]
    fields.error(key, f"job[{name}].restarts field '{given}' invalid: {why}")
    return 1  # not 0, which other keys refuse


def refuse_unlimited_each(fields: Fields, name: str, key: str = "restarts") -> None:
    """Refuse `unlimited` for a job with `each`: every event would start one more process that is restarted forever."""
    why = "may not be used when 'job.when.each' is set because it may result in infinite processes"
    fields.error(key, f"job[{name}].restarts field 'unlimited' invalid: {why}")
