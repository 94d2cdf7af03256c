"""How the bytes of one input become what a target needs: texts, parts, choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

SEPARATOR = b"\xff"  # which no text in UTF-8 has


def text_of(data: bytes) -> str:
    """The text as the system passes it: bytes that are not UTF-8 are surrogate escapes."""
    return data.decode("utf-8", "surrogateescape")


def parts(data: bytes, count: int) -> list[bytes]:
    """Exactly so many parts, between separators; what is not there is empty, and the last one has all the rest."""
    found = data.split(SEPARATOR, count - 1)
    return found + [b""] * (count - len(found))


def joined(*pieces: bytes) -> bytes:
    """The reverse of `parts`."""
    return SEPARATOR.join(pieces)


def choice(data: bytes) -> tuple[int, bytes]:
    """The first byte as a number, which is 0 if there is none, and the rest."""
    return (data[0], data[1:]) if data else (0, b"")


def whole(steps: Generator[None, None, T]) -> T:
    """The result of work in steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("T", end.value)


def is_place_in(text: str, line: int, column: int) -> bool:
    """Whether line and column, both counted from 1, are in the text or directly behind one of its lines."""
    lines = text.split("\n")
    return 1 <= line <= len(lines) and 0 <= column <= len(lines[line - 1]) + 1


def check(holds: object, otherwise: object = "") -> None:
    """An assertion about an error that was caught."""
    if not holds:
        raise AssertionError(otherwise)
