"""Parses durations of a configuration: `30`, `"500ms"`, `"1h30m"`."""

from __future__ import annotations

SECOND = 10**9  # nanoseconds, the unit of all results here
MILLISECOND = 10**6

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # micro sign
    "\u03bcs": 10**3,  # Greek mu
    "ms": MILLISECOND,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_LARGEST = 2**63 - 1
_DIGITS = "0123456789"


class DurationError(ValueError):
    """Not a duration. `str()` is Go's message; `hint` says what to write."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def parse(value: str | int | float) -> int:
    """Nanoseconds of a number of seconds, of its text, or of a text for Go's ParseDuration. Raises DurationError."""
    if isinstance(value, bool | float):
        raise DurationError(f"time: unexpected duration of type {type(value).__name__}", _hint_for("invalid"))
    if isinstance(value, int):
        return _in_range(value * SECOND, str(value))
    digits = value[1:] if value[:1] in ("+", "-") else value
    if digits and len(digits) < 20 and digits.isascii() and digits.isdecimal():
        return _in_range(int(value) * SECOND, value)
    return parse_go(value)


def parse_go(text: str) -> int:
    """Nanoseconds of a text for Go's ParseDuration, which requires a unit except for `0`. Raises DurationError."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    if not rest:
        raise DurationError(f"time: invalid duration {text}", _hint_for("invalid"))
    total = 0
    offset = 0
    while offset < len(rest):
        start = offset
        while offset < len(rest) and rest[offset] in _DIGITS:
            offset += 1
        whole = rest[start:offset]
        fraction = ""
        if rest[offset : offset + 1] == ".":
            start = offset = offset + 1
            while offset < len(rest) and rest[offset] in _DIGITS:
                offset += 1
            fraction = rest[start:offset]
        if (not whole and not fraction) or len(whole) > 20:
            raise DurationError(f"time: invalid duration {text}", _hint_for("invalid"))
        start = offset
        while offset < len(rest) and rest[offset] != "." and rest[offset] not in _DIGITS:
            offset += 1
        name = rest[start:offset]
        if not name:
            raise DurationError(f"time: missing unit in duration {text}", _hint_for("missing", text))
        unit = _UNITS.get(name)
        if unit is None:
            raise DurationError(f"time: unknown unit {name} in duration {text}", _hint_for("unit"))
        fraction = fraction[:18]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
    return _in_range(sign * total, text)


def seconds(nanoseconds: int) -> float:
    """Convert nanoseconds to seconds."""
    return nanoseconds / SECOND


def _in_range(nanoseconds: int, text: str) -> int:
    if abs(nanoseconds) > _LARGEST:
        raise DurationError(f"time: invalid duration {text}", "at most 292 years")
    return nanoseconds


def _hint_for(error: str, text: str = "") -> str:
    if error == "missing":
        return f'add the unit, such as "{text}s"'
    if error == "unit":
        return "units are ns, us, ms, s, m and h"
    return 'write seconds, such as 10, or a duration such as "500ms", "30s" or "1h30m"'
