"""What the template of a configuration has to do with an error in what it was rendered to.

Imported for a configuration that cannot be used.
"""

from __future__ import annotations

from cp.config.errors import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.config.source import Source
    from cp.config.template.trace import Origin

_FAR = 200  # characters from an empty place to what a parser stumbles over because of it


def meant_by(message: str, environ: Mapping[str, str]) -> str:
    """What was probably meant by a function that a template calls and that is not there: a variable, whose name begins
    with a dot, or another function. Empty for any other message of a template."""
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
    """Knows the template's part in the text that it was rendered to, once somebody asks."""

    def __init__(self, source: Source, environ: Mapping[str, str], text: str, masked: Callable[[str], str]) -> None:
        self._source = source
        self._environ = environ
        self._text = text
        self._masked = masked
        self._found: list[Origin] | None = None

    def of_syntax_error(self, at: int) -> str:
        """The action to which the text at offset `at`, which cannot be parsed, is due; empty if it is none."""
        at = max(at, 0)  # -1 where there is nothing at all
        before = None
        for origin in self._all():
            if origin.start <= at < origin.end:
                return self._told(origin)
            if origin.start < at == origin.end:
                return f"Right before it is what {self._place(origin)} wrote"
            if origin.start <= at and origin.start == origin.end:
                before = origin
        if before is None:
            return ""
        gap = self._text[before.start : at]
        # After an empty place the parser reads on, up to what cannot be there: never past the end of the pair.
        return self._told(before) if len(gap) <= _FAR and "," not in gap else ""

    def of_value(self, at: int) -> str:
        """The actions that wrote a value that begins at offset `at`, or left an element of an array of strings empty;
        empty if it was none, or the value is an object or another array."""
        if self._text[at : at + 1] == "[":
            holes = self._empty_strings(at)
            told = [self._told(origin) for origin in self._all() if origin.start == origin.end in holes]
        else:
            end = self._end(at)
            told = [self._told(origin) for origin in self._all() if at <= origin.start <= end and origin.end <= end]
        return "; ".join(told[:3])

    def _empty_strings(self, at: int) -> set[int]:
        """The offsets at which the empty strings of an array end; none if there are objects or arrays in it."""
        text, at = self._text, at + 1
        holes: set[int] = set()
        while at < len(text) and text[at] not in "{[]":
            end = self._end(at) if text[at] in ('"', "'") else at
            if end == at + 1:
                holes.add(end)
            at = end + 1
        return holes if text[at : at + 1] == "]" else set()

    def _end(self, at: int) -> int:
        """Of a string, a number or a word."""
        text, end = self._text, at + 1
        quote = text[at : at + 1]
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
                self._found = []  # it was rendered a moment ago
        return self._found

    def _told(self, origin: Origin) -> str:
        action = self._place(origin)
        if origin.start < origin.end:
            return f"{action} wrote it"
        names = [f"the variable {name} is not set" for name in origin.missing]
        names += [f"the variable {name} is empty" for name in origin.empty]
        return f"{action} gives nothing{': ' if names else ''}{', '.join(names)}"

    def _place(self, origin: Origin) -> str:
        return f"{short(self._masked(origin.action))} at {self._source.name}:{origin.line}:{origin.column}"
