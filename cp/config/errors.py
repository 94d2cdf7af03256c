"""Collects the errors and warnings of a configuration, and reports all of them, each with its location."""

from __future__ import annotations

from cp.platform.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cp.config.json5.parser import Document


SHOWN = 50  # errors, and as many warnings; more are not useful, and computing their locations takes time
_LONGEST_WORD = 80  # characters; longer keys and values are cut
_LONGEST_MESSAGE = 1000  # characters; longer than any message with short keys and values
_WORDS = 500


def short(message: str) -> str:
    """Cut everything that a message quotes to a readable length, even if a value has a megabyte."""
    if len(message) <= _LONGEST_WORD:
        return message
    words = message.split(" ", _WORDS)  # the last one has the rest
    return _cut(" ".join(_cut(word, _LONGEST_WORD) for word in words), _LONGEST_MESSAGE)


def _cut(text: str, most: int) -> str:
    """Cut the middle: names often differ at their end, and messages have their advice there."""
    return text if len(text) <= most else f"{text[: most - most // 4]}…{text[-(most // 4) + 1 :]}"


class ConfigError(Exception):
    """The configuration cannot be used. `errors` has the reasons, `warnings` the other findings.

    Its text has both, and marks the warnings, so that a reader knows what to correct first.
    """

    def __init__(self, errors: Sequence[str], warnings: Sequence[str] = ()) -> None:
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        super().__init__("\n".join((*self.errors, *(f"warning: {each}" for each in self.warnings))))


class Problems:
    """Collects the errors and warnings about one document, each of them once.

    `name` is the document in messages; `note` is added to each message with a location. `masked` masks secrets in a
    message, before it is cut, because parts of secrets cannot be recognised afterwards. `origin` describes the
    template's part in the value at an offset.
    """

    __slots__ = ("_document", "_errors", "_masked", "_name", "_note", "_origin", "_remarks", "_unreadable", "_warnings")

    def __init__(
        self,
        document: Document,
        name: str,
        note: str = "",
        masked: Callable[[str], str] = str,
        origin: Callable[[int], str] | None = None,
    ) -> None:
        self._origin = origin
        self._document = document
        self._name = name
        self._note = note
        self._masked = masked
        self._errors: list[tuple[int, str, str]] = []
        self._warnings: list[tuple[int, str, str]] = []
        self._unreadable: set[tuple[int, str]] = set()
        self._remarks: list[str] = []

    def error(self, offset: int, key_path: str, text: str) -> None:
        """Add an error at `offset`. `key_path` may be empty.

        It is dropped if the value has the wrong type, because then it is about the value's replacement.
        """
        if (offset, key_path) not in self._unreadable:
            self._errors.append(self._shortened(offset, key_path, text))

    def unreadable(self, offset: int, key_path: str, text: str) -> None:
        """Add an error: the value has the wrong type."""
        self.error(offset, key_path, text)
        self._unreadable.add((offset, key_path))

    def origin(self, offset: int) -> str:
        """The template's part in the value at `offset`; empty if it has none."""
        return self._origin(offset) if self._origin is not None else ""

    def warning(self, offset: int, key_path: str, text: str) -> None:
        """Add a warning at `offset`."""
        self._warnings.append(self._shortened(offset, key_path, text))

    def location(self, offset: int) -> str:
        """File, line and column of an offset, for a message about another part of the text."""
        line, column = self._document.line_and_column(offset)
        return f"{self._name}:{line}:{column}"

    def remark(self, text: str) -> None:
        """Add a warning that is not about a part of the document."""
        self._remarks.append(short(self._masked(text)))

    def _shortened(self, offset: int, key_path: str, text: str) -> tuple[int, str, str]:
        return offset, _cut(readable(self._masked(key_path)), _LONGEST_WORD), short(readable(self._masked(text)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, ordered by their offsets."""
        return (*self._formatted(self._warnings, "warnings"), *self._remarks)

    def check(self) -> None:
        """Raise ConfigError with all errors and warnings, if there is an error."""
        if self._errors:
            raise ConfigError(self._formatted(self._errors, "errors", self._origin), self.warnings)

    def _formatted(
        self, messages: list[tuple[int, str, str]], what: str, origin: Callable[[int], str] | None = None
    ) -> tuple[str, ...]:
        """The first SHOWN messages, ordered by their offsets, each once."""
        # Sort by offset only, so that two messages about one offset keep their order.
        ordered = list(dict.fromkeys(sorted(messages, key=lambda message: message[0])))
        lines = tuple(self._sentence(*message, origin(message[0]) if origin else "") for message in ordered[:SHOWN])
        left = len(ordered) - SHOWN
        return lines if left <= 0 else (*lines, f"{self._name}: and {left} more {what}")

    def _sentence(self, offset: int, key_path: str, text: str, origin: str) -> str:
        first, newline, rest = text.partition("\n")
        first += f" ({origin})" if origin else ""
        return f"{self.location(offset)}: {key_path}{': ' if key_path else ''}{first}{self._note}{newline}{rest}"
