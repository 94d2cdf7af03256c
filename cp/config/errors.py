"""What is wrong with a configuration: all of it at once, each error with its place."""

from __future__ import annotations

from cp.platform.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cp.config.json5.parser import Document


SHOWN = 50  # errors, and as many warnings; nobody reads more, and finding their places takes time
_LONGEST_WORD = 80  # characters; keys and values are quoted up to this length
_LONGEST_MESSAGE = 1000  # so much if they have blanks in them; longer than any message of ours
_WORDS = 500


def short(message: str) -> str:
    """A message with all that it quotes cut to what a person can read, whoever wrote a megabyte there."""
    if len(message) <= _LONGEST_WORD:
        return message
    words = message.split(" ", _WORDS)  # the last one has what is left
    return _cut(" ".join(_cut(word, _LONGEST_WORD) for word in words), _LONGEST_MESSAGE)


def _cut(text: str, most: int) -> str:
    """The end is kept as well: names often differ there, and messages have their advice there."""
    return text if len(text) <= most else f"{text[: most - most // 4]}…{text[-(most // 4) + 1 :]}"


class ConfigError(Exception):
    """The configuration cannot be used. `errors` are the reasons, `warnings` what else was noticed.

    Its text has both, the warnings marked, so that a reader knows what to mend first.
    """

    def __init__(self, errors: Sequence[str], warnings: Sequence[str] = ()) -> None:
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        super().__init__("\n".join((*self.errors, *(f"warning: {each}" for each in self.warnings))))


class Problems:
    """Collects the errors and warnings about one document, each of them once.

    `name` is what messages call the document, `note` is added to each message that has a place. `masked` takes secrets
    out of a message: before it is cut, since nobody would know them afterwards. `origin` says what else there is to say
    of the value at an offset that is wrong.
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

    def error(self, at: int, path: str, text: str) -> None:
        """Something at offset `at` that makes the configuration useless; `path` is its key path, may be empty.

        Left out where the value is unreadable: then it is about what stands in for the value.
        """
        if (at, path) not in self._unreadable:
            self._errors.append(self._shortened(at, path, text))

    def unreadable(self, at: int, path: str, text: str) -> None:
        """An error: the value is of another type than it must be."""
        self.error(at, path, text)
        self._unreadable.add((at, path))

    def origin(self, at: int) -> str:
        """What the template has to do with the value at offset `at`; empty if nothing."""
        return self._origin(at) if self._origin is not None else ""

    def warning(self, at: int, path: str, text: str) -> None:
        """Something at offset `at` that the reader should know."""
        self._warnings.append(self._shortened(at, path, text))

    def where(self, at: int) -> str:
        """The place of an offset, for a message about another one: file, line and column."""
        line, column = self._document.place(at)
        return f"{self._name}:{line}:{column}"

    def remark(self, text: str) -> None:
        """A warning about something outside of the document."""
        self._remarks.append(short(self._masked(text)))

    def _shortened(self, at: int, path: str, text: str) -> tuple[int, str, str]:
        return at, _cut(readable(self._masked(path)), _LONGEST_WORD), short(readable(self._masked(text)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, in the order of their places."""
        return (*self._told(self._warnings, "warnings"), *self._remarks)

    def check(self) -> None:
        """ConfigError with everything so far, if there is any error."""
        if self._errors:
            raise ConfigError(self._told(self._errors, "errors", self._origin), self.warnings)

    def _told(
        self, messages: list[tuple[int, str, str]], what: str, origin: Callable[[int], str] | None = None
    ) -> tuple[str, ...]:
        """In the order of their places, each once, the first SHOWN of them."""
        # By place only, so that two messages about one place stay as they came.
        ordered = list(dict.fromkeys(sorted(messages, key=lambda message: message[0])))
        told = tuple(self._sentence(*message, origin(message[0]) if origin else "") for message in ordered[:SHOWN])
        left = len(ordered) - SHOWN
        return told if left <= 0 else (*told, f"{self._name}: and {left} more {what}")

    def _sentence(self, at: int, path: str, text: str, origin: str) -> str:
        first, newline, rest = text.partition("\n")
        first += f" ({origin})" if origin else ""
        return f"{self.where(at)}: {path}{': ' if path else ''}{first}{self._note}{newline}{rest}"
