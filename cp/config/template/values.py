"""Go's values in Python: the values of templates, and Go's names of their types.

string is `str` (bytes that are not UTF-8 are surrogate escapes, as in `os.environ`); bool, int, float64 and complex128
are `bool`, `int`, `float` and `complex`; uint8 is `Byte`; a slice is `Slice`; the map of the environment is a `dict`.
nil and a missing value are `None`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    Value: TypeAlias = "bool | int | float | complex | str | dict[str, str] | Slice | None"

#: The characters that Go's TrimSpace removes. Python's `strip` removes more.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)

#: The longest text that a function may return, in characters: a configuration has the same limit.
MAX_TEXT = 16 * 1024 * 1024

MAX_INT = 2**63 - 1
MIN_INT = -(2**63)


class Byte(int):
    """Go's uint8, the type of an indexed string."""

    __slots__ = ()


class Slice:
    """Go's slice: a window on shared items, which can be extended up to its capacity.

    `element` is Go's name of the type of the items.
    """

    __slots__ = ("element", "items", "limit", "start", "stop")

    def __init__(
        self, element: str, items: Sequence[Value], start: int = 0, stop: int | None = None, limit: int | None = None
    ) -> None:
        self.element = element
        self.items = items
        self.start = start
        self.stop = len(items) if stop is None else stop
        self.limit = len(items) if limit is None else limit

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> Value:
        return self.items[self.start + index]

    def __iter__(self) -> Iterator[Value]:
        return iter(self.items[self.start : self.stop])

    @property
    def capacity(self) -> int:
        return self.limit - self.start

    def window(self, start: int, stop: int, limit: int | None) -> Slice:
        """The slice `[start:stop:limit]` of this one. The caller checks the bounds."""
        end = self.limit if limit is None else self.start + limit
        return Slice(self.element, self.items, self.start + start, self.start + stop, end)


_TYPES: dict[type, str] = {
    str: "string",
    int: "int",
    bool: "bool",
    float: "float64",
    Byte: "uint8",
    complex: "complex128",
    dict: "map[string]string",
    type(None): "<nil>",
}


def type_name(value: Value) -> str:
    """Go's name of the type of a value; `<nil>` for nil."""
    if isinstance(value, Slice):
        return "[]" + value.element
    return _TYPES[type(value)]


def to_bytes(text: str) -> bytes:
    """The bytes of a string in Go."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that is not the escape of a byte
        return text.encode("utf-8", "surrogatepass")


def from_bytes(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def sorted_items(mapping: dict[str, str]) -> list[tuple[str, str]]:
    """The entries of a map in the order in which Go visits and prints them."""
    return sorted(mapping.items(), key=lambda item: to_bytes(item[0]))
