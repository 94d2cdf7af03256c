"""Converts the character classes and escapes of Go's regular expressions to Python's `re`."""

from __future__ import annotations

import re

from cp.config.template.errors import FunctionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Ranges: TypeAlias = list[tuple[int, int]]

_MAX_CODE = 0x10FFFF
_ESCAPES = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL = "01234567"
_HEX = "0123456789abcdefABCDEF"
# Classes as pairs of first and last character.
_PERL = {"d": "09", "s": "\t\n\f\r  ", "w": "09AZ__az"}
_POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZ__az",
    "xdigit": "09AFaf",
}
_CATEGORIES = {"L": "ultmo", "M": "nce", "N": "dlo", "P": "cdseifo", "S": "mcko", "Z": "slp", "C": "cfson"}


class ClassReader:
    """Parses expressions for one character. The whole expression is for one text only."""

    __slots__ = ("alphabet", "flags", "offset", "out", "pattern")

    def __init__(self, pattern: str, text: str) -> None:
        self.pattern = pattern
        # A class of Unicode is reduced to the characters of the text: computing all of its members takes a second.
        self.alphabet = "".join(sorted(set(text + text.lower() + text.upper())))
        self.offset = 0
        self.flags: frozenset[str] = frozenset()  # of `imsU`, those that are set at the current offset
        self.out: list[str] = []

    def error(self, problem: str, part: str) -> FunctionError:
        return FunctionError(f"error parsing regexp: {problem}: `{part}`")

    def write(self, single: str) -> None:
        """Write an expression that matches one character."""
        self.out.append(f"(?i:{single})" if "i" in self.flags else single)

    def literal(self, char: str) -> None:
        self.write(re.escape(char))

    def named_class(self, start: int) -> Ranges | None:
        """Parse `\\d`, `\\pL` and similar classes, after the backslash. Return None if there is none."""
        c = self.pattern[self.offset : self.offset + 1]
        if c in ("p", "P"):
            return self.unicode_class(start)
        if c == "" or c not in "dDsSwW":
            return None
        self.offset += 1
        ranges = _ranges(_PERL[c.lower()])
        return ranges if c.islower() else _complement(ranges)

    def unicode_class(self, start: int) -> Ranges:
        pattern = self.pattern
        negative = pattern[self.offset] == "P"
        self.offset += 1
        if pattern.startswith("{", self.offset):
            end = pattern.find("}", self.offset)
            if end < 0:
                raise self.error("invalid character class range", pattern[start:])
            name = pattern[self.offset + 1 : end]
            self.offset = end + 1
        else:
            name = pattern[self.offset : self.offset + 1]
            self.offset += 1
        if name.startswith("^"):
            name = name[1:]
            negative = not negative
        if name == "Any":
            ranges = [(0, _MAX_CODE)]
        elif name and name[1:] in ("", *_CATEGORIES.get(name[0], "")) and name[0] in _CATEGORIES:
            ranges = [(ord(c), ord(c)) for c in self.alphabet if _category(c).startswith(name)]
        else:
            known = "" if len(name) < 3 else " (only Unicode's general categories are supported, not its scripts)"
            raise self.error(f"invalid character class range{known}", pattern[start : self.offset])
        return _complement(ranges) if negative else ranges

    def code(self, start: int) -> int:
        """The character of an escape, after the backslash."""
        pattern = self.pattern
        c = pattern[self.offset : self.offset + 1]
        if not c:
            raise self.error("trailing backslash at end of expression", "")
        self.offset += 1
        if c in _ESCAPES:
            return _ESCAPES[c]
        if c < "\x80" and not c.isalnum():
            return ord(c)
        if c in _OCTAL and (c == "0" or pattern[self.offset : self.offset + 1] in tuple(_OCTAL)):
            digits = c
            while len(digits) < 3 and pattern[self.offset : self.offset + 1] in tuple(_OCTAL):
                digits += pattern[self.offset]
                self.offset += 1
            return int(digits, 8)
        if c == "x":
            braced = pattern.startswith("{", self.offset)
            end = pattern.find("}", self.offset) if braced else self.offset + 2
            digits = pattern[self.offset + braced : end] if end >= 0 else ""
            self.offset = min(max(end + braced, self.offset), len(pattern))
            if digits and not digits.strip(_HEX) and (braced or len(digits) == 2):
                code = int(digits, 16) if len(digits.lstrip("0")) < 7 else _MAX_CODE + 1
                if code <= _MAX_CODE:
                    return code
        raise self.error("invalid escape sequence", pattern[start : self.offset])

    def bracket(self, start: int) -> None:
        """Parse a class in brackets, after the first bracket."""
        pattern = self.pattern
        negative = pattern.startswith("^", self.offset)
        self.offset += negative
        first = self.offset
        ranges: Ranges = []
        while not pattern.startswith("]", self.offset) or self.offset == first:
            offset = self.offset
            if pattern.startswith("[:", offset) and pattern.find(":]", offset + 2) >= 0:
                ranges += self.posix_class(offset)
                continue
            if pattern.startswith("\\", offset):
                self.offset += 1
                named = self.named_class(offset)
                if named is not None:
                    ranges += named
                    continue
                self.offset = offset
            low = high = self.class_character(start)
            if pattern.startswith("-", self.offset) and pattern[self.offset + 1 : self.offset + 2] not in ("", "]"):
                self.offset += 1
                high = self.class_character(start)
                if high < low:
                    raise self.error("invalid character class range", pattern[offset : self.offset])
            ranges.append((low, high))
        self.offset += 1
        self.write(written(ranges, negative))

    def posix_class(self, start: int) -> Ranges:
        end = self.pattern.index(":]", start + 2) + 2
        expression = self.pattern[start:end]
        name = expression[2:-2]
        negative = name.startswith("^")
        pairs = _POSIX.get(name[negative:])
        if pairs is None:
            raise self.error("invalid character class range", expression)
        self.offset = end
        return _complement(_ranges(pairs)) if negative else _ranges(pairs)

    def class_character(self, start: int) -> int:
        if self.offset >= len(self.pattern):
            raise self.error("missing closing ]", self.pattern[start:])
        c = self.pattern[self.offset]
        self.offset += 1
        return self.code(self.offset - 1) if c == "\\" else ord(c)


def _ranges(pairs: str) -> Ranges:
    return [(ord(low), ord(high)) for low, high in zip(pairs[::2], pairs[1::2], strict=True)]


def _complement(ranges: Ranges) -> Ranges:
    rest = []
    free = 0
    for low, high in sorted(ranges):
        if free < low:
            rest.append((free, low - 1))
        free = max(free, high + 1)
    if free <= _MAX_CODE:
        rest.append((free, _MAX_CODE))
    return rest


def _category(char: str) -> str:
    from unicodedata import category

    return category(char)


def written(ranges: Ranges, negative: bool = False) -> str:
    """Format a class for `re`. Every character is written as a number, so that none has a special meaning."""
    inside = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    if not inside:
        return "(?!)"
    return f"[{'^' * negative}{inside}]"
