"""Syntax errors of JSON5, and the report about them for people."""

from __future__ import annotations

EXCERPT = 200  # characters of a line in an excerpt


class JsonError(Exception):
    """The text is not JSON5 from `offset` on. `str()` has several lines: the reason, an excerpt with a pointer, and
    hints."""

    def __init__(self, text: str, offset: int, reason: str, hints: tuple[str, ...] = ()) -> None:
        self.offset = offset
        self.line, self.column = line_and_column(text, offset)
        self.reason = reason
        self.hints = hints
        super().__init__(self.report(text, hints))

    def report(self, text: str, hints: tuple[str, ...]) -> str:
        """The text of `str()` with other hints. `text` may have its secrets replaced, with the same length."""
        from cp.config.json5.excerpts import without_secrets

        lines = [f"Parse error at line:col [{self.line}:{self.column}]: {self.reason}"]
        source = without_secrets(text).split("\n")
        numbers = range(max(self.line - 1, 1), self.line + 1)
        # Only the part of a long line around the column.
        start = max(0, self.column - EXCERPT // 2) if len(source[self.line - 1]) > EXCERPT else 0
        lines += [f"{number:5d}: {source[number - 1].rstrip()[start : start + EXCERPT]}" for number in numbers]
        lines.append("-" * (7 + self.column - start - 1) + "^")
        return "\n".join((*lines, *hints))


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, in characters from 1. Offset -1, for an empty text, is 1:0."""
    if offset < 0:
        return 1, 0
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def quoted(character: str) -> str:
    """Quote a character for an error message: in single quotes, and escaped if it is not printable."""
    if character == "'":
        return "'\\''"
    if character.isprintable():
        return f"'{character}'"
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    return f"'{short}'" if short else f"'\\u{ord(character):04x}'"
