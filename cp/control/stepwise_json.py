"""Reads JSON in steps of one member or element each: the module `json` takes 0.1 s for 1 MiB of numbers."""

from __future__ import annotations

import re
from json import JSONDecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from json import JSONDecoder

    Reading = Generator[None, None, tuple[object, int]]

DEEPEST = 100  # levels of objects and arrays
_SPACE = re.compile(r"[ \t\n\r]*")


class TooDeep(Exception):
    """Objects and arrays are nested deeper than DEEPEST levels."""


def read_json(text: str, decoder: JSONDecoder) -> Generator[None, None, object]:
    """Read a text; `decoder` reads strings, numbers and words. Raises JSONDecodeError, TooDeep."""
    value, end = yield from _value(text, _after_space(text, 0), decoder, 0)
    end = _after_space(text, end)
    if end != len(text):
        raise JSONDecodeError("Extra data", text, end)
    return value


def _value(text: str, place: int, decoder: JSONDecoder, depth: int) -> Reading:
    """Read the value at an offset; returns it with the offset after it."""
    first = text[place : place + 1]
    if first not in ("{", "["):
        return decoder.raw_decode(text, place)
    if depth == DEEPEST:
        raise TooDeep
    read = _object if first == "{" else _array
    return (yield from read(text, place + 1, decoder, depth + 1))


def _object(text: str, place: int, decoder: JSONDecoder, depth: int) -> Reading:
    found: dict[str, object] = {}
    place = _after_space(text, place)
    if text[place : place + 1] == "}":
        return found, place + 1
    while True:
        if text[place : place + 1] != '"':
            raise JSONDecodeError("Expecting property name enclosed in double quotes", text, place)
        key, place = decoder.raw_decode(text, place)
        place = _after_space(text, place)
        if text[place : place + 1] != ":":
            raise JSONDecodeError("Expecting ':' delimiter", text, place)
        found[key], place = yield from _value(text, _after_space(text, place + 1), decoder, depth)
        yield
        place = _after_space(text, place)
        if text[place : place + 1] == "}":
            return found, place + 1
        if text[place : place + 1] != ",":
            raise JSONDecodeError("Expecting ',' delimiter", text, place)
        place = _after_space(text, place + 1)


def _array(text: str, place: int, decoder: JSONDecoder, depth: int) -> Reading:
    found: list[object] = []
    place = _after_space(text, place)
    if text[place : place + 1] == "]":
        return found, place + 1
    while True:
        value, place = yield from _value(text, place, decoder, depth)
        found.append(value)
        yield
        place = _after_space(text, place)
        if text[place : place + 1] == "]":
            return found, place + 1
        if text[place : place + 1] != ",":
            raise JSONDecodeError("Expecting ',' delimiter", text, place)
        place = _after_space(text, place + 1)


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None  # an empty match counts as well
    return found.end()
