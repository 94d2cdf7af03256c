"""`status` of a check by `http`: the statuses of a response with which it passes."""

from __future__ import annotations

from cp.config.fields import show
from cp.config.json5.parser import kind
from cp.encoding.go_numbers import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.json5.parser import Value

    Ranges = tuple[tuple[int, int], ...]

_DEFAULT = ((200, 299),)
_FIRST, _LAST = 200, 599  # an interim response, 1xx, is never the last one
_FORMS = 'such as 200, "2xx", "200,204", "200-204", or [200, 301]'


def read_statuses(http: Fields) -> Ranges:
    """The ranges of statuses, with both ends."""
    value = http.value("status")
    if value is None:
        return _DEFAULT
    path = http.key_path_of("status")
    if not isinstance(value.data, list):
        return tuple(sorted(set(_of_value(http, value, path)))) or _DEFAULT
    found: set[tuple[int, int]] = set()
    for index, element in enumerate(value.data):
        if element.data is not None:
            found.update(_of_value(http, element, f"{path}[{index}]"))
    if all(element.data is None for element in value.data):
        http.error("status", f"has no status: name one, {_FORMS}")
    return tuple(sorted(found)) or _DEFAULT


def _of_value(http: Fields, value: Value, path: str) -> Ranges:
    data = value.data
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        http.problems.unreadable(value.offset, path, f"must be a status, not {kind(value)}: {_FORMS}")
        return ()
    words = (data if isinstance(data, str) else plain(data)).split(",")
    ranges = [_of_word(word.strip()) for word in words]
    if None in ranges:
        word = words[ranges.index(None)].strip()
        why = f"must be a status from {_FIRST} to {_LAST}, {_FORMS}, not {show(word)}"
        http.problems.error(value.offset, path, why)
    return tuple(each for each in ranges if each is not None)


def _of_word(word: str) -> tuple[int, int] | None:
    """The range of `200`, `2xx` or `200-204`; None for another word."""
    if len(word) == 3 and word[1:].lower() == "xx" and word[0] in "2345":
        first = int(word[0]) * 100
        return first, first + 99
    start, dash, end = word.partition("-")
    first_last = [
        int(part)
        for part in (start.strip(), end.strip() if dash else start.strip())
        if part.isascii() and part.isdecimal() and len(part) == 3
    ]
    if len(first_last) == 2 and _FIRST <= first_last[0] <= first_last[1] <= _LAST:
        return first_last[0], first_last[1]
    return None
