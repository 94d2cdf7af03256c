"""Parses commands of a configuration: one string, which is split at its spaces, or an array."""

from __future__ import annotations

import os

from cp.config.json5.parser import kind
from cp.encoding.go_numbers import plain
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.json5.parser import Value

_ZERO_LENGTH = "received zero-length argument"
_SUSPICIOUS = 32 * 1024  # characters; a shorter argument always has fewer bytes than the kernel's MAX_ARG_STRLEN


class CommandError(Exception):
    """The value is not a command. `offset` is where the error is in the text."""

    def __init__(self, offset: int, text: str) -> None:
        super().__init__(text)
        self.offset = offset


def parse_command(value: Value) -> tuple[str, ...]:
    """The executable and its arguments. Raises CommandError.

    A string is trimmed and split at each space. There is no quoting, and two spaces make an empty argument. In an
    array, numbers and booleans become strings.
    """
    data = value.data
    if isinstance(data, str):
        words = tuple(data.strip().split(" "))
        if words == ("",):
            raise CommandError(value.offset, f"{_ZERO_LENGTH}: the command is empty")
    elif isinstance(data, list):
        if not data:
            raise CommandError(value.offset, f"{_ZERO_LENGTH}: the array is empty")
        words = tuple(_argument(element, index) for index, element in enumerate(data))
        if not words[0].strip():
            raise CommandError(data[0].offset, f"{_ZERO_LENGTH}: the name of the program is empty")
    else:
        what = f'must be a string, or an array such as ["/bin/app", "-v"], not {kind(value)}'
        raise CommandError(value.offset, f"{_ZERO_LENGTH}: {what}")
    for index, word in enumerate(words):
        if "\0" in word:
            raise CommandError(value.offset, "a command cannot contain a NUL character")
        if len(word) >= _SUSPICIOUS:
            _check_length(value, index, word)
    return words


def _check_length(value: Value, index: int, word: str) -> None:
    most = 32 * os.sysconf("SC_PAGE_SIZE") - 1
    length = len(to_bytes(word))
    if length > most:
        offset = value.data[index].offset if isinstance(value.data, list) else value.offset
        raise CommandError(offset, f"[{index}] has {length} bytes: an argument has at most {most}")


def _argument(element: Value, index: int) -> str:
    data = element.data
    if isinstance(data, str):
        return data
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, int | float):
        return plain(data)
    what = "null" if data is None else "an array" if isinstance(data, list) else "an object"
    raise CommandError(element.offset, f'[{index}] is {what}: an argument is a string (an empty one is "")')
