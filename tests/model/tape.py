"""Choices out of the bytes of a scenario."""

from __future__ import annotations

from typing import TypeVar

Choice = TypeVar("Choice")


class Tape:
    """Choices out of bytes; when they are used up, the first one always."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def of(self, *choices: Choice) -> Choice:
        return choices[self.number() % len(choices)]
