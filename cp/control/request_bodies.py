"""Parses the bodies of requests to the control socket, in steps: a body may have 1 MiB."""

from __future__ import annotations

import signal
from json import JSONDecodeError, JSONDecoder

from cp.control.stepwise_json import TooDeep, read_json
from cp.encoding.go_numbers import is_finite, shortest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

LONGEST_SHOWN = 100  # letters of a name or a value in an error

_KINDS = {
    str: "a string",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
    dict: "an object",
    list: "an array",
}


class Unprocessable(Exception):
    """The body is not valid for this request; the text says why."""


def read_object(body: bytes) -> Generator[None, None, dict[str, object]]:
    """Read a JSON object; its numbers become floats. If a key occurs twice the last value counts."""
    try:
        found = yield from read_json(body.decode(), _DECODER)
    except UnicodeDecodeError as error:
        raise Unprocessable(f"the body is not UTF-8: see byte {error.start}") from None
    except JSONDecodeError as error:
        raise Unprocessable(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except TooDeep:
        raise Unprocessable("the body is nested too deeply") from None
    if not isinstance(found, dict):
        raise Unprocessable(f"the body must be a JSON object, not {_KINDS[type(found)]}")
    for key in found:
        _check_text(key, "a key")
        yield
    return found


def environment_changes(body: bytes) -> Generator[None, None, dict[str, str | None]]:
    """The value of each variable, None to unset it. Raises Unprocessable if any of them is not valid."""
    changes: dict[str, str | None] = {}
    found = yield from read_object(body)
    for name, value in found.items():
        if not name:
            raise Unprocessable("the name of a variable must not be empty")
        if "=" in name or "\0" in name:
            what = "'='" if "=" in name else "a NUL character"
            raise Unprocessable(f"the name {_shown(name)} must not have {what} in it")
        if value is not None and not isinstance(value, str):
            raise Unprocessable(f"the value of {_shown(name)} must be a string or null, not {_KINDS[type(value)]}")
        if value is not None:
            _check_text(value, f"the value of {_shown(name)}")
            if "\0" in value:
                raise Unprocessable(f"the value of {_shown(name)} must not have a NUL character in it")
        changes[name] = value
        yield
    return changes


def metric_values(body: bytes) -> Generator[None, None, list[tuple[str, str]]]:
    """(name, value) in the order of the body; each value is the text of a number. Raises Unprocessable."""
    values = []
    found = yield from read_object(body)
    for name, value in found.items():
        if isinstance(value, float):
            text = shortest(value)
        elif isinstance(value, str):
            text = value
            if not _is_number(text):
                raise Unprocessable(f"the value of {_shown(name)} must be a number, not '{_shown(text)}'")
        else:
            raise Unprocessable(f"the value of {_shown(name)} must be a number, not {_KINDS[type(value)]}")
        values.append((name, text))
        yield
    return values


def signal_number(body: bytes) -> Generator[None, None, int]:
    """The signal of `{"signal": "HUP"}`: a name with or without SIG, a real-time signal as RTMIN+3, or a number."""
    fields = yield from read_object(body)
    wanted = fields.get("signal")
    if wanted is None:
        raise Unprocessable('name a signal: {"signal": "HUP"}')
    if isinstance(wanted, float):
        number = int(wanted) if wanted.is_integer() else 0
        text = shortest(wanted)
    elif isinstance(wanted, str):
        number = _named_signal(wanted.strip().upper())
        text = _shown(wanted)
    else:
        raise Unprocessable(f"the signal must be a name or a number, not {_KINDS[type(wanted)]}")
    if number not in signal.valid_signals():
        raise Unprocessable(f"there is no signal {text}: name one as HUP, SIGHUP, 1 or RTMIN+3")
    return number


def _named_signal(name: str) -> int:
    """The number of a signal's name; 0 if there is none."""
    if name.isascii() and name.isdecimal():
        return int(name) if len(name) < 4 else 0
    name = name.removeprefix("SIG")
    for anchor, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        base, found, offset = name.partition(sign)
        if found and base == anchor and offset.isascii() and offset.isdecimal() and len(offset) < 4:
            number = int(getattr(signal, f"SIG{anchor}")) + int(f"{sign}{offset}")
            return number if signal.SIGRTMIN <= number <= signal.SIGRTMAX else 0
    if not name.isalnum():  # SIG_BLOCK is a number too
        return 0
    return int(getattr(signal, f"SIG{name}", 0))


def _number(text: str) -> float:
    value = float(text)
    if not is_finite(value):
        raise Unprocessable(f"the number {_shown(text)} is out of range")
    return value


def _no_constant(text: str) -> float:
    raise Unprocessable(f"the body is not JSON: {text} is none of its numbers")


_DECODER = JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_no_constant)


def _is_number(text: str) -> bool:
    if "_" in text or not text.isascii():  # Python accepts more than other languages do
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_text(text: str, what: str) -> None:
    """Refuse half of a surrogate pair: it is not text, and no process could receive it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unprocessable(f"{what} is not Unicode text") from None


def _shown(text: str) -> str:
    short = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return short if short.isprintable() else repr(short)
