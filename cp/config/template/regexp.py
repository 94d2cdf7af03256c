"""`regexReplaceAll`: Go's regexp (RE2), matched by Python's `re`.

Python's `re` searches by backtracking, so some expressions take forever, which is impossible in Go: a time limit ends
them.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from time import thread_time

from cp.config.template.errors import FunctionError
from cp.config.template.resyntax import Reader
from cp.config.template.values import MAX_TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Iterator
else:
    import _signal  # the C module: `signal` imports enum

TIME_LIMIT = 1.0  # seconds of CPU time, for all calls in one template
_SHOWN = 200  # characters of a pattern in an error
_LEAST = 0.001  # seconds; 0 would disable the timer


def replace_all(pattern: str, replacement: str, text: str, seconds: float = TIME_LIMIT) -> tuple[str, float]:
    """Replace every match; the replacement may have `$1`, `${1}` and `${name}`. Return the result and the remaining
    seconds. Raises FunctionError."""
    # Parsing and compiling a pattern can take long, too, for example a large class that ignores case.
    with _time_limit(pattern, seconds) as clock:
        reader = Reader(pattern, text)
        expression = reader.read()
        try:
            compiled = re.compile(expression)
        except (re.error, OverflowError, RecursionError) as error:
            raise reader.error(f"Python's re cannot compile it: {error}", pattern) from None
        parts = _expansion(replacement, reader.names, compiled.groups)
        result = _replaced(compiled, parts, text)
    return result, clock.left


class _Clock:
    __slots__ = ("left",)

    def __init__(self, left: float) -> None:
        self.left = left  # seconds


@contextmanager
def _time_limit(pattern: str, seconds: float) -> Iterator[_Clock]:
    """Raise FunctionError after this CPU time. Only a signal can interrupt the matcher, which is C code."""

    def too_long(number: int, frame: object) -> None:
        excerpt = pattern if len(pattern) <= _SHOWN else pattern[:_SHOWN] + "..."
        raise FunctionError(f"regexReplaceAll: {excerpt!r} takes more than {TIME_LIMIT:g} s: too many ways to match")

    if seconds <= 0:
        too_long(0, None)
    clock = _Clock(seconds)
    try:
        before = _signal.signal(_signal.SIGVTALRM, too_long)
    except ValueError:  # another thread than the main one cannot use signals
        yield clock
        return
    mask = _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGVTALRM,))
    _signal.setitimer(_signal.ITIMER_VIRTUAL, max(seconds, _LEAST))
    # This timer counts only what runs at the kernel's ticks, 250 times a second, so it may miss many short calls.
    began = thread_time()
    try:
        yield clock
    finally:
        _signal.setitimer(_signal.ITIMER_VIRTUAL, 0)
        clock.left -= thread_time() - began
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        _signal.signal(_signal.SIGVTALRM, before)


def _replaced(compiled: re.Pattern[str], parts: list[str | int], text: str) -> str:
    out: list[str] = []
    size = len(text)  # of the result, at most
    copied = offset = 0
    while offset <= len(text):
        match = compiled.search(text, offset)
        if match is None:
            break
        out.append(text[copied : match.start()])
        # An empty match directly after another match does not count.
        if match.end() > copied or match.start() == 0:
            pieces = [part if isinstance(part, str) else match.group(part) or "" for part in parts]
            size += sum(map(len, pieces))
            if size > MAX_TEXT:
                raise FunctionError(f"regexReplaceAll: the result has more than {MAX_TEXT} characters")
            out += pieces
        copied = match.end()
        offset = max(offset + 1, copied)
    out.append(text[copied:])
    return "".join(out)


def _expansion(template: str, names: dict[str, int], groups: int) -> list[str | int]:
    """Split the replacement into texts and numbers of groups. A group that does not exist is empty."""
    parts: list[str | int] = []
    offset = 0
    while True:
        dollar = template.find("$", offset)
        if dollar < 0:
            return [*parts, template[offset:]]
        parts.append(template[offset:dollar])
        offset = dollar + 1
        if template.startswith("$", offset):
            parts.append("$")
            offset += 1
            continue
        braced = template.startswith("{", offset)
        start = end = offset + braced
        while end < len(template) and (template[end] == "_" or template[end].isalpha() or template[end].isdecimal()):
            end += 1
        name = template[start:end]
        if not name or (braced and not template.startswith("}", end)):
            parts.append("$")
            continue
        offset = end + braced
        numeric = name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 10
        number = int(name) if numeric else names.get(name, -1)
        if 0 <= number <= groups:
            parts.append(number)
