"""Parses JSON5 into values that know their offsets, so that every later error has a line and a column.

The language is a superset of JSON (RFC 7159) and of the JSON5 of ContainerPilot 3: comments, one trailing comma, keys
without quotes, single quotes, `+1`, `.5`, `5.`, hexadecimal, `Infinity`, `NaN`, escapes such as `\\x41`. A missing
comma is an error. An unknown escape (`\\d`) is an error, too, because dropping its backslash would silently change a
pattern. If a key repeats, the last one counts.
"""

from __future__ import annotations

from cp.config.json5.errors import JsonError, line_and_column
from cp.config.json5.scanner import AFTER_DOCUMENT, AFTER_ELEMENT, AFTER_KEY, AFTER_PAIR, KEY, VALUE, Relaxed, Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    Data = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

__all__ = ["MAX_DEPTH", "Document", "JsonError", "Relaxed", "Value", "parse"]

MAX_DEPTH = 100
EXTRA_COMMA = "Do you have an extra comma somewhere?"

_LITERALS: dict[str, tuple[str, bool | None]] = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_NO_KEYS: dict[str, int] = {}


class Value:
    """A value and the offset of its first character. An object also has the offsets of its keys."""

    __slots__ = ("data", "keys", "offset")

    def __init__(self, data: Data, offset: int, keys: dict[str, int] = _NO_KEYS) -> None:
        self.data = data
        self.offset = offset
        self.keys = keys


def kind(value: Value) -> str:
    """The type of a value, with its article."""
    data = value.data
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "a boolean"
    if isinstance(data, int | float):
        return "a number"
    if isinstance(data, str):
        return "a string"
    return "an array" if isinstance(data, list) else "an object"


class Document:
    """A parsed text. `repeated`: repeated keys and their offsets; `relaxed`: the first part that is not strict JSON."""

    __slots__ = ("relaxed", "repeated", "root", "text")

    def __init__(self, text: str, root: Value, relaxed: Relaxed | None, repeated: list[tuple[str, int]]) -> None:
        self.text = text
        self.root = root
        self.relaxed = relaxed
        self.repeated = repeated

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, in characters."""
        return line_and_column(self.text, offset)


def parse(text: str) -> Document:
    """Parse a whole text. Raises JsonError."""
    parser = Parser(text)
    root = parser.value(parser.skip(VALUE))
    parser.skip(AFTER_DOCUMENT)
    if parser.offset < parser.end:
        raise parser.refused(AFTER_DOCUMENT)
    return Document(text, root, parser.relaxed, parser.repeated)


class Parser(Scanner):
    """A recursive descent parser, up to MAX_DEPTH levels."""

    __slots__ = ("repeated",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[tuple[str, int]] = []

    def value(self, character: str) -> Value:
        """Parse the value that begins at `offset` with this character."""
        offset = self.offset
        if character == '"':
            return Value(self.string('"'), offset)
        if character == "{":
            return self._object()
        if character == "[":
            return self._array()
        if character in "-+.0123456789" or self.text.startswith(("Infinity", "NaN"), offset):
            return Value(self.number(), offset)
        if character in _LITERALS:
            return Value(self._literal(character), offset)
        if character == "'":
            self.relax("single quotes", VALUE)
            return Value(self.string("'"), offset)
        raise self._refused_value(character)

    def _refused_value(self, character: str) -> JsonError:
        if character in ",]}":
            before = self.text[: self.offset].rstrip()[-1:]
            extra = before == "," or (before == "[" and character == ",")
            return self.refused(VALUE, EXTRA_COMMA if extra else "A value is missing before it.")
        return self.refused(VALUE, *self._hint_for_word())

    def _hint_for_word(self) -> tuple[str, ...]:
        """A hint for a word without quotes."""
        end = self.offset
        while end < self.end and (self.text[end].isalnum() or self.text[end] in "_-./:"):
            end += 1
        word = self.text[self.offset : end]
        constant = {"true": "true", "false": "false", "null": "null", "none": "null", "nil": "null"}.get(word.lower())
        if constant:
            return (f"Write {constant}.",)
        return ("Write a string in double quotes.",) if word else ()

    def _literal(self, first: str) -> bool | None:
        word, value = _LITERALS[first]
        hints = self._hint_for_word()
        for expected in word:
            if self.text[self.offset] != expected:
                raise self.refused(f"in literal {word} (expecting '{expected}')", *hints)
            self.offset += 1
        return value

    def _object(self) -> Value:
        start = self.enter()
        text = self.text
        members: dict[str, Value] = {}
        keys: dict[str, int] = {}
        character = self.skip(KEY)
        while character != "}":
            key_offset = self.offset
            key = self.string('"') if character == '"' else self.key(character)
            if key in members:
                self.repeated.append((key, key_offset))
            keys[key] = key_offset
            # Usually the colon or the comma follows directly. Checking that first halves the time of parsing.
            if text[self.offset] != ":" and self.skip(AFTER_KEY) != ":":
                raise self.refused(AFTER_KEY, "Write a colon between a key and its value.")
            self.offset += 1
            character = self.skip(VALUE)
            offset = self.offset
            members[key] = Value(self.string('"'), offset) if character == '"' else self.value(character)
            character = text[self.offset]
            if character != ",":
                character = self.skip(AFTER_PAIR)
            if character == ",":
                self.offset += 1
                character = self.skip(KEY)
                if character == "}":
                    self.relax("a trailing comma", KEY)
            elif character != "}":
                raise self.refused(AFTER_PAIR, self._hint_after_value())
        self._leave()
        return Value(members, start, keys)

    def _array(self) -> Value:
        start = self.enter()
        text = self.text
        elements: list[Value] = []
        character = self.skip(VALUE)
        while character != "]":
            elements.append(self.value(character))
            character = text[self.offset]
            if character != ",":
                character = self.skip(AFTER_ELEMENT)
            if character == ",":
                self.offset += 1
                character = self.skip(VALUE)
                if character == "]":
                    self.relax("a trailing comma", VALUE)
            elif character != "]":
                raise self.refused(AFTER_ELEMENT, self._hint_after_value())
        self._leave()
        return Value(elements, start)

    def enter(self) -> int:
        """Enter the object or array that begins at `offset`. Return its offset."""
        if len(self.open) >= MAX_DEPTH:
            raise self.refused_because(self.offset, f"objects and arrays are nested deeper than {MAX_DEPTH} levels")
        self.open.append(self.offset)
        self.offset += 1
        return self.open[-1]

    def _leave(self) -> None:
        self.open.pop()
        self.offset += 1

    def _hint_after_value(self) -> str:
        here, before = self.text[self.offset], self.text[self.offset - 1]
        if before in "0123456789" and here.isalpha():
            return 'Write a number with a unit as a string in double quotes, such as "10s".'
        if here in "]}":
            return f"It does not close the {self.text[self.open[-1]]} that is open."
        return "Is a comma missing before it?"

    def key(self, character: str) -> str:
        """Parse a key that is not in double quotes."""
        if character == "'":
            self.relax("single quotes", KEY)
            return self.string("'")
        if not (character.isalpha() or character in "_$"):
            raise self.refused(KEY, *((EXTRA_COMMA,) if character == "," else ()))
        self.relax("a key without double quotes", KEY)
        start = self.offset
        text = self.text
        while text[self.offset].isalnum() or text[self.offset] in "_$":
            self.offset += 1
        if text[self.offset] == "-":
            raise self.refused(AFTER_KEY, "Write a key with a dash in double quotes.")
        return text[start : self.offset]
