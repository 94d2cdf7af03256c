"""Reads parsed objects with types: code reads each key once, with the type that it must have.

The conversions are those of ContainerPilot's decoder: numbers and booleans become strings, digits become numbers, keys
match in any case, null is the same as a missing key. A value that cannot be converted is an error with its location and
key path. After an error a method returns a harmless value, so that the rest of the file is checked as well.
"""

from __future__ import annotations

from cp.config import durations
from cp.config.commands import CommandError, parse_command
from cp.config.json5.parser import Value, kind
from cp.encoding.go_numbers import in_range, is_finite, parse_integer, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from cp.config.errors import Problems

    Choice = TypeVar("Choice", bound=str)

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False", "")


def one_of(text: str, choices: Iterable[Choice]) -> Choice | None:
    """The choice that is equal to the text; None if there is none."""
    return next((choice for choice in choices if choice == text), None)


def show(text: str) -> str:
    """Quote a string of the configuration for a message: in double quotes, on one line."""
    return f'"{text}"' if text.isprintable() else repr(text)


class Fields:
    """One object of the configuration.

    `key_path` is such as `services[0]`, or empty for the whole document. `offset` is where the object begins in the
    text.
    """

    __slots__ = ("_found", "_verbatim", "key_path", "offset", "problems")

    def __init__(
        self, problems: Problems, value: Value, key_path: str, known: tuple[str, ...], *, verbatim: bool = False
    ) -> None:
        """Read `value`, an object with these keys. Any other key is an error. Inside of objects the case of a key does
        not matter, at top level it does. Keys that the Go program accepted and ignored are warnings.

        `verbatim`: errors end with the exact words of ContainerPilot 3, because tools search for them.
        """
        self.problems = problems
        self.key_path = key_path
        self._verbatim = verbatim
        self.offset = value.offset
        self._found: dict[str, Value] = {}
        others: list[tuple[str, Value]] = []
        members = value.data if isinstance(value.data, dict) else {}
        for key, member in members.items():
            if key in known:
                self._found[key] = member
            else:
                others.append((key, member))
        for key, member in others:
            same = next((name for name in known if key_path and name.lower() == key.lower()), "")
            if same and same not in self._found:
                self._found[same] = member
            else:
                self._unknown(key, value.keys[key], same, known)

    def _unknown(self, key: str, offset: int, same: str, known: tuple[str, ...]) -> None:
        from cp.config.ignored import instead_of

        name = key if key.isprintable() else repr(key)
        advice = instead_of(self.key_path, key, jobs_dialect=self._verbatim)
        if advice:
            go = 3 if self._verbatim else 2
            text = f"has no effect, and had none in ContainerPilot {go}, which did not report it: use {advice}"
            self.problems.warning(offset, self.key_path_of(name), text)
            return
        if same:
            hint = f" ('{same}' is set already)"
        else:
            from cp.config.nearest import did_you_mean

            hint = did_you_mean(key, known) or f" (the keys here are {', '.join(known)})"
        # The original words of ContainerPilot, which tools search for, come last.
        if self.key_path:
            classic = f"'{_decoded(self.key_path)}' has invalid keys: {name}"
        else:
            classic = f"{'unknown' if self._verbatim else 'Unknown'} config keys: [{name}]"
        self.problems.error(
            offset, f"{self.key_path}.{name}" if self.key_path else name, f"unknown key{hint}: {classic}"
        )

    def _parsing(self, key_path: str, as_what: str, how: str, text: str) -> str:
        """The original words for a string that cannot be converted."""
        if not self._verbatim:
            return ""
        decoded = _decoded(key_path)
        return f": cannot parse '{decoded}' as {as_what}: strconv.{how}: parsing {show(text)}: invalid syntax"

    # -- keys, their locations, and errors about them

    def has(self, key: str) -> bool:
        """Whether the key is present and not null."""
        return self.value(key) is not None

    def is_null(self, key: str) -> bool:
        """Whether the key is present and null, which is the same as missing."""
        value = self._found.get(key)
        return value is not None and value.data is None

    def is_boolean(self, key: str) -> bool:
        value = self._found.get(key)
        return value is not None and isinstance(value.data, bool)

    def value(self, key: str) -> Value | None:
        """The parsed value; None if it is null or missing."""
        value = self._found.get(key)
        return None if value is None or value.data is None else value

    def offset_of(self, key: str) -> int:
        """The offset of the value, or of the object if the key is missing."""
        value = self._found.get(key)
        return self.offset if value is None else value.offset

    def location_of(self, key: str) -> str:
        """File, line and column of the value, or of the object if the key is missing."""
        return self.problems.location(self.offset_of(key))

    def key_path_of(self, key: str) -> str:
        """The key path of a key."""
        return f"{self.key_path}.{key}" if self.key_path else key

    def error(self, key: str, text: str) -> None:
        """Add an error about a key, or about its absence."""
        self.problems.error(self.offset_of(key), self.key_path_of(key), text)

    def _unreadable(self, key: str, text: str) -> None:
        self.problems.unreadable(self.offset_of(key), self.key_path_of(key), text)

    def warning(self, key: str, text: str) -> None:
        """Add a warning about a key."""
        self.problems.warning(self.offset_of(key), self.key_path_of(key), text)

    def written(self, key: str) -> str:
        """A value for a message: a string in quotes, a number or a boolean without."""
        value = self.value(key)
        data = None if value is None else value.data
        if value is None or data is None:
            return "null"
        if isinstance(data, str):
            return show(data)
        if isinstance(data, bool):
            return "true" if data else "false"
        return plain(data) if isinstance(data, int | float) and is_finite(data) else kind(value)

    # -- values

    def string(self, key: str, default: str = "") -> str:
        """A string. A number becomes its decimal text, a boolean `1` or `0`."""
        value = self.value(key)
        return default if value is None else self._string(value, self.key_path_of(key), default)

    def _string(self, value: Value, key_path: str, default: str = "") -> str:
        data = value.data
        if isinstance(data, str):
            if "\0" in data:
                self.problems.unreadable(value.offset, key_path, "must not contain a NUL character")
                return default
            return data
        if isinstance(data, bool):
            return "1" if data else "0"
        if isinstance(data, int | float) and is_finite(data):
            return plain(data)
        self.problems.unreadable(value.offset, key_path, f"must be a string, not {kind(value)}")
        return default

    def integer(self, key: str, default: int = 0) -> int | None:
        """A whole number. A fraction is cut off; a string may have the prefix 0x or 0. None after an error."""
        value = self.value(key)
        return default if value is None else self._integer(value, self.key_path_of(key), _seconds_hint)

    def _integer(self, value: Value, key_path: str, hint: Callable[[str], str] | None = None) -> int | None:
        data = value.data
        if isinstance(data, bool):
            return int(data)
        if isinstance(data, int | float):
            if is_finite(data) and in_range(int(data)) is not None:
                return int(data)
            self.problems.unreadable(value.offset, key_path, "the number is out of range")
        elif isinstance(data, str):
            number = parse_integer(data)
            if number is not None:
                return number
            classic = self._parsing(key_path, "int", "ParseInt", data)
            hinted = hint(data) if hint is not None else ""
            self.problems.unreadable(
                value.offset, key_path, f"must be a whole number, not {show(data)}{hinted}{classic}"
            )
        else:
            self.problems.unreadable(value.offset, key_path, f"must be a whole number, not {kind(value)}")
        return None

    def integers(self, key: str, least: int, most: int) -> tuple[int, ...]:
        """An array of whole numbers in this range, or a single one. Invalid ones are left out."""
        value = self.value(key)
        if value is None:
            return ()
        elements = value.data if isinstance(value.data, list) else [value]
        found: list[int] = []
        for index, element in enumerate(elements):
            key_path = f"{self.key_path_of(key)}[{index}]" if isinstance(value.data, list) else self.key_path_of(key)
            number = None if element.data is None else self._integer(element, key_path)
            if number is not None and not least <= number <= most:
                self.problems.error(element.offset, key_path, f"must be from {least} to {most}, not {number}")
            elif number is not None:
                found.append(number)
        return tuple(found)

    def positive(self, key: str, prefix: str, example: int, default: int = 0) -> int:
        """A whole number of at least 1; `prefix` begins the error for another one. 0 after an error."""
        number = self.integer(key, default)
        if number is None:
            return 0
        if number < 1:
            written = self.written(key)
            if not self.has(key):
                why = f"add it, such as {_pair(key, example)}"
            elif "." in written:
                of_seconds = "" if key == "port" else " of seconds"
                why = f"it is {written}, and must be a whole number{of_seconds}"
            else:
                why = f"it is {number}"
            self.error(key, f"{prefix}: {why}")
            return 0
        return number

    def boolean(self, key: str, default: bool = False) -> bool:
        """A boolean. A number is true unless it is 0; a string must be one of Go's spellings."""
        value = self.value(key)
        if value is None:
            return default
        data = value.data
        if isinstance(data, bool | int | float):
            return bool(data)
        if isinstance(data, str) and data in _TRUE + _FALSE:
            if not data:
                why = self.problems.origin(value.offset)
                self.warning(key, f"is empty, which means false: write true or false{f' ({why})' if why else ''}")
            return data in _TRUE
        classic = self._parsing(self.key_path_of(key), "bool", "ParseBool", data) if isinstance(data, str) else ""
        given = show(data) if isinstance(data, str) else kind(value)
        self._unreadable(key, f"must be true or false, not {given}{classic}")
        return default

    def strings(self, key: str, *, single: bool = False) -> tuple[str, ...]:
        """A list of strings; an empty object is an empty list. With `single`, a single value is a list of one."""
        value = self.value(key)
        if value is None or value.data == {}:
            return ()
        if isinstance(value.data, list):
            return tuple(
                "" if element.data is None else self._string(element, f"{self.key_path_of(key)}[{index}]")
                for index, element in enumerate(value.data)
            )
        if isinstance(value.data, str | bool | int | float) and single:
            return (self._string(value, self.key_path_of(key)),)
        hint = f": write [{show(value.data)}]" if isinstance(value.data, str) else ""
        self._unreadable(key, f"must be an array of strings, not {kind(value)}{hint}")
        return ()

    def duration(
        self, key: str, prefix: str = "", parse: Callable[[str], int] = durations.parse
    ) -> tuple[int, str] | None:
        """Nanoseconds and their text; None if missing, empty or invalid. `prefix` begins the error."""
        text = self.string(key)
        if not text:
            return None
        try:
            return parse(text), text
        except durations.DurationError as error:
            self.error(key, f"{prefix}{error} ({error.hint})")
            return None

    def command(self, key: str, prefix: str = "", *, of_object: str = "") -> tuple[str, ...] | None:
        """An executable and its arguments; None if missing or invalid. `prefix` begins the error.

        `of_object` is added to the error if the value is an object.
        """
        value = self.value(key)
        if value is None:
            return None
        try:
            return parse_command(value)
        except CommandError as error:
            hint = of_object if isinstance(value.data, dict) else ""
            self.problems.error(error.offset, self.key_path_of(key), f"{prefix}{error}{hint}")
            return None

    # -- objects inside

    def object(self, key: str, known: tuple[str, ...]) -> Fields | None:
        """The object under a key; None if missing or invalid."""
        value = self.value(key)
        return None if value is None else self._open(value, self.key_path_of(key), known)

    def objects(self, key: str, known: tuple[str, ...]) -> list[Fields]:
        """The objects of the array under a key. Templates produce nulls in it, which are dropped."""
        value = self.value(key)
        if value is None:
            return []
        if not isinstance(value.data, list):
            self._unreadable(key, f"must be an array [{{…}}], not {kind(value)}")
            return []
        opened = [
            self._open(element, f"{self.key_path_of(key)}[{index}]", known)
            for index, element in enumerate(value.data)
            if element.data is not None
        ]
        return [fields for fields in opened if fields is not None]

    def _open(self, value: Value, key_path: str, known: tuple[str, ...]) -> Fields | None:
        if isinstance(value.data, dict) or value.data == []:  # the decoder takes an empty array as an empty object
            return Fields(self.problems, value, key_path, known, verbatim=self._verbatim)
        classic = f": '{_decoded(key_path)}' expected a map, got '{_go_type(value)}'" if self._verbatim else ""
        self.problems.unreadable(value.offset, key_path, f"must be an object {{…}}, not {kind(value)}{classic}")
        return None


def _decoded(key_path: str) -> str:
    """A key path in the decoder's words: it decoded each element of an array, and each top-level value, separately."""
    if "[" in key_path:
        return key_path[key_path.index("[") :]
    return key_path.partition(".")[2]


def _go_type(value: Value) -> str:
    data = value.data
    if isinstance(data, bool):
        return "bool"
    if isinstance(data, int | float):
        return "float64"
    return "string" if isinstance(data, str) else "slice"


def _pair(key: str, example: int) -> str:
    return f'"{key}": {example}'


def _seconds_hint(text: str) -> str:
    """A hint for a duration where a number of seconds is expected."""
    try:
        nanoseconds = durations.parse_go(text)
    except durations.DurationError:
        return ""
    return f": it is in seconds, write {max(round(nanoseconds / durations.SECOND), 1)}"
