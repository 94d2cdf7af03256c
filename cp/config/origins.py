"""Describes the template's part in an error in the rendered configuration.

Imported for a configuration with errors.
"""

from __future__ import annotations

from cp.config.errors import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.config.source import Source
    from cp.config.template.trace import Origin

_FAR = 200  # characters between an empty action and the syntax error that it causes, at most


def meant_by(message: str, environ: Mapping[str, str]) -> str:
    """A suggestion for an undefined function in a template: a variable, whose name begins with a dot, or another
    function. Empty for any other message."""
    start, quote, rest = message.partition('"')
    name, _, end = rest.rpartition('"')
    if (start, quote, end) != ("function ", '"', " not defined"):
        return ""
    if name in environ or name.isupper():
        return f" (did you mean .{name}?)"
    from cp.config.nearest import did_you_mean
    from cp.config.template.functions import functions

    return did_you_mean(name, functions({}))


class Origins:
    """Finds the template actions that wrote a part of the rendered text. Traces the template at the first call."""

    def __init__(self, source: Source, environ: Mapping[str, str], text: str, masked: Callable[[str], str]) -> None:
        self._source = source
        self._environ = environ
        self._text = text
        self._masked = masked
        self._found: list[Origin] | None = None

    def of_syntax_error(self, offset: int) -> str:
        """The action that caused a syntax error at `offset`; empty if none did."""
        offset = max(offset, 0)  # -1 for an empty text
        before = None
        for origin in self._all():
            if origin.start <= offset < origin.end:
                return self._described(origin)
            if origin.start < offset == origin.end:
                return f"The text before it is from {self._location(origin)}"
            if origin.start <= offset and origin.start == origin.end:
                before = origin
        if before is None:
            return ""
        gap = self._text[before.start : offset]
        # After an empty action the parser reads up to a character that is not allowed, within the same pair.
        return self._described(before) if len(gap) <= _FAR and "," not in gap else ""

    def of_value(self, offset: int) -> str:
        """The actions that wrote the value at `offset`, or left an element of its array of strings empty. Empty if
        there are none, or for an object or any other array."""
        if self._text[offset : offset + 1] == "[":
            holes = self._empty_strings(offset)
            found = [self._described(origin) for origin in self._all() if origin.start == origin.end in holes]
        else:
            end = self._end(offset)
            found = [self._described(each) for each in self._all() if offset <= each.start <= end and each.end <= end]
        return "; ".join(found[:3])

    def _empty_strings(self, offset: int) -> set[int]:
        """The offsets at which the empty strings of an array end; none if it contains objects or arrays."""
        text, offset = self._text, offset + 1
        holes: set[int] = set()
        while offset < len(text) and text[offset] not in "{[]":
            end = self._end(offset) if text[offset] in ('"', "'") else offset
            if end == offset + 1:
                holes.add(end)
            offset = end + 1
        return holes if text[offset : offset + 1] == "]" else set()

    def _end(self, offset: int) -> int:
        """The offset at which a string, a number or a word ends."""
        text, end = self._text, offset + 1
        quote = text[offset : offset + 1]
        if quote in ("{", "["):
            return -1
        if quote in ('"', "'"):
            while end < len(text) and text[end] != quote:
                end += 2 if text[end] == "\\" else 1
            return end
        while end < len(text) and text[end] not in ",:]} \t\r\n":
            end += 1
        return end

    def _all(self) -> list[Origin]:
        if self._found is None:
            from cp.config.template import TemplateError
            from cp.config.template.trace import trace

            try:
                self._found = trace(self._source.text, self._environ)
            except TemplateError:
                self._found = []  # cannot happen: the template was rendered before
        return self._found

    def _described(self, origin: Origin) -> str:
        action = self._location(origin)
        if origin.start < origin.end:
            return f"{action} wrote it"
        names = [f"the variable {name} is not set" for name in origin.missing]
        names += [f"the variable {name} is empty" for name in origin.empty]
        return f"{action} gives nothing{': ' if names else ''}{', '.join(names)}"

    def _location(self, origin: Origin) -> str:
        return f"{short(self._masked(origin.action))} at {self._source.name}:{origin.line}:{origin.column}"
