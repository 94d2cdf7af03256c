"""Go's regular expressions (RE2) → Python's `re`.

The expression is read as Go reads it and written again for `re`, so that what differs between the two (flags inside,
classes, anchors, what is refused) never reaches `re`. The scripts of Unicode (`\\p{Greek}`) are the one thing that
Python knows nothing about.
"""

from __future__ import annotations

import re

from cp.config.template.errors import FunctionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, TypeAlias

    Ranges: TypeAlias = list[tuple[int, int]]

#: How deep groups may nest: Go allows 1000, but Python's `re` works by recursion.
_MAX_DEPTH = 60
_MAX_REPEAT = 1000
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
_CATEGORIES = frozenset(
    "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Cs Co Cn".split()
)


class Reader:
    """Reads one expression; knows afterwards the numbers of its named groups (`names`)."""

    __slots__ = ("at", "flags", "names", "groups", "out", "pattern", "scopes")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags: frozenset[str] = frozenset()  # of `imsU`, those that hold at the present place
        self.groups = 0
        self.names: dict[str, int] = {}
        self.out: list[str] = []
        self.scopes: list[frozenset[str]] = []  # the flags that come back at the end of each open group

    def fail(self, problem: str, part: str) -> NoReturn:
        raise FunctionError(f"error parsing regexp: {problem}: `{part}`")

    def read(self) -> str:
        """The expression for `re`. Raises FunctionError in Go's words."""
        pattern = self.pattern
        repeated = ""  # the repetition that ends just before, which cannot be repeated
        atom = False  # whether anything stands just before that can be
        while self.at < len(pattern):
            start = self.at
            c = pattern[start]
            repetition = self.repetition(c) if c in "*+?{" else ""
            if repetition:
                shown = pattern[start : self.at]
                if repeated:
                    self.fail("invalid nested repetition operator", repeated + shown)
                if not atom:
                    self.fail("missing argument to repetition operator", shown)
                self.out.append(repetition)
                repeated = shown
                continue
            repeated = ""
            self.at = start + 1
            if c == "(":
                atom = not self.open_group(start) and atom
                continue
            if c == "|":
                self.out.append("|")
                atom = False
                continue
            if c == ")":
                if not self.scopes:
                    self.fail("unexpected )", pattern)
                self.out.append(")")
                self.flags = self.scopes.pop()
            elif c == "[":
                self.bracket(start)
            elif c == "\\":
                atom = self.escape(start) or atom
                continue
            else:
                self.special(c)
            atom = True
        if self.scopes:
            self.fail("missing closing )", pattern)
        return "".join(self.out)

    def write(self, single: str) -> None:
        """Writes what matches one character."""
        self.out.append(f"(?i:{single})" if "i" in self.flags else single)

    def literal(self, char: str) -> None:
        self.write(re.escape(char))

    def special(self, char: str) -> None:
        if char == "^":
            self.out.append("(?m:^)" if "m" in self.flags else "(?:\\A)")
        elif char == "$":
            self.out.append("(?m:$)" if "m" in self.flags else "(?:\\Z)")
        elif char == ".":
            self.out.append("(?s:.)" if "s" in self.flags else "[^\\n]")
        else:
            self.literal(char)

    # Repetition.

    def repetition(self, operator: str) -> str:
        """The repetition at this place; empty for a brace that is only a brace."""
        if operator == "{":
            operator = self.counted()
            if not operator:
                return ""
        else:
            self.at += 1
        lazy = "U" in self.flags
        if self.pattern.startswith("?", self.at):
            self.at += 1
            lazy = not lazy
        return operator + "?" * lazy

    def counted(self) -> str:
        end = self.pattern.find("}", self.at) + 1
        shown = self.pattern[self.at : end]
        low, comma, high = shown[1:-1].partition(",")
        if not _is_count(low) or not (_is_count(high) or high == ""):
            return ""
        counts = [int(count) if len(count) < 9 else _MAX_REPEAT + 1 for count in (low, high) if count]
        if max(counts) > _MAX_REPEAT or counts[-1] < counts[0]:
            self.fail("invalid repeat count", shown)
        self.at = end
        return shown

    # Groups.

    def open_group(self, start: int) -> bool:
        """What follows a parenthesis; False if that only sets flags."""
        pattern = self.pattern
        if len(self.scopes) >= _MAX_DEPTH:
            self.fail("expression nests too deeply", pattern)
        outer = self.flags
        capturing = True
        if pattern.startswith(("?P<", "?<"), self.at) and len(pattern) > pattern.index("<", self.at) + 1:
            self.named_group(start)
        elif pattern.startswith("?", self.at):
            if not self.flag_group(start):
                return False
            capturing = False
        if capturing:
            self.groups += 1
        self.out.append("(" if capturing else "(?:")
        self.scopes.append(outer)
        return True

    def named_group(self, start: int) -> None:
        pattern = self.pattern
        end = pattern.find(">", start)
        if end < 0:
            self.fail("invalid named capture", pattern[start:])
        name = pattern[pattern.index("<", start) + 1 : end]
        if not name.replace("_", "a").isalnum() or not name.isascii():
            self.fail("invalid named capture", pattern[start : end + 1])
        self.names.setdefault(name, self.groups + 1)
        self.at = end + 1

    def flag_group(self, start: int) -> bool:
        """`(?flags-flags:` opens a group, `(?flags-flags)` only sets them."""
        flags = set(self.flags)
        negative = seen = False
        for at in range(start + 2, len(self.pattern)):
            c = self.pattern[at]
            self.at = at + 1
            if c in "imsU":
                seen = True
                if negative:
                    flags.discard(c)
                else:
                    flags.add(c)
            elif c == "-" and not negative:
                negative, seen = True, False
            elif c in ":)" and (seen or not negative):
                self.flags = frozenset(flags)
                return c == ":"
            else:
                break
        self.fail("invalid or unsupported Perl syntax", self.pattern[start : max(self.at, start + 2)])

    # Escapes and classes.

    def escape(self, start: int) -> bool:
        """What follows a backslash; False if that is nothing that could be repeated."""
        pattern = self.pattern
        c = pattern[self.at : self.at + 1]
        if c in ("A", "z", "b", "B"):
            self.at += 1
            # In Python, the empty text has no \\B before 3.14.
            self.out.append({"A": "(?:\\A)", "z": "(?:\\Z)", "b": "(?a:\\b)", "B": "(?:(?!(?a:\\b)))"}[c])
        elif c == "Q":
            end = pattern.find("\\E", start)
            text = pattern[self.at + 1 : end] if end >= 0 else pattern[self.at + 1 :]
            self.at = end + 2 if end >= 0 else len(pattern)
            for char in text:
                self.literal(char)
            return bool(text)
        else:
            ranges = self.named_class(start)
            if ranges is not None:
                self.write(_written(ranges))
            else:
                self.literal(chr(self.code(start)))
        return True

    def named_class(self, start: int) -> Ranges | None:
        """`\\d`, `\\pL` and their like, after the backslash; None if there is none."""
        c = self.pattern[self.at : self.at + 1]
        if c in ("p", "P"):
            return self.unicode_class(start)
        if c == "" or c not in "dDsSwW":
            return None
        self.at += 1
        ranges = _ranges(_PERL[c.lower()])
        return ranges if c.islower() else _complement(ranges)

    def unicode_class(self, start: int) -> Ranges:
        pattern = self.pattern
        negative = pattern[self.at] == "P"
        self.at += 1
        if pattern.startswith("{", self.at):
            end = pattern.find("}", self.at)
            if end < 0:
                self.fail("invalid character class range", pattern[start:])
            name = pattern[self.at + 1 : end]
            self.at = end + 1
        else:
            name = pattern[self.at : self.at + 1]
            self.at += 1
        if name.startswith("^"):
            name = name[1:]
            negative = not negative
        if name == "Any":
            ranges = [(0, _MAX_CODE)]
        elif name in _CATEGORIES:
            ranges = _category(name)
        else:
            known = "" if len(name) < 3 else " (Unicode's scripts are not known here, its general categories are)"
            self.fail(f"invalid character class range{known}", pattern[start : self.at])
        return _complement(ranges) if negative else ranges

    def code(self, start: int) -> int:
        """The character that an escape stands for, after the backslash."""
        pattern = self.pattern
        c = pattern[self.at : self.at + 1]
        if not c:
            self.fail("trailing backslash at end of expression", "")
        self.at += 1
        if c in _ESCAPES:
            return _ESCAPES[c]
        if c < "\x80" and not c.isalnum():
            return ord(c)
        if c in _OCTAL and (c == "0" or pattern[self.at : self.at + 1] in tuple(_OCTAL)):
            digits = c
            while len(digits) < 3 and pattern[self.at : self.at + 1] in tuple(_OCTAL):
                digits += pattern[self.at]
                self.at += 1
            return int(digits, 8)
        if c == "x":
            braced = pattern.startswith("{", self.at)
            end = pattern.find("}", self.at) if braced else self.at + 2
            digits = pattern[self.at + braced : end] if end >= 0 else ""
            self.at = max(end + braced, self.at)
            if digits and not digits.strip(_HEX) and (braced or len(digits) == 2):
                code = int(digits, 16) if len(digits.lstrip("0")) < 7 else _MAX_CODE + 1
                if code <= _MAX_CODE:
                    return code
        self.fail("invalid escape sequence", pattern[start : self.at])

    def bracket(self, start: int) -> None:
        """A class in brackets, after the first of them."""
        pattern = self.pattern
        negative = pattern.startswith("^", self.at)
        self.at += negative
        first = self.at
        ranges: Ranges = []
        while not pattern.startswith("]", self.at) or self.at == first:
            at = self.at
            if pattern.startswith("[:", at) and pattern.find(":]", at + 2) >= 0:
                ranges += self.posix_class(at)
                continue
            if pattern.startswith("\\", at):
                self.at += 1
                named = self.named_class(at)
                if named is not None:
                    ranges += named
                    continue
                self.at = at
            low = high = self.class_character(start)
            if pattern.startswith("-", self.at) and pattern[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                high = self.class_character(start)
                if high < low:
                    self.fail("invalid character class range", pattern[at : self.at])
            ranges.append((low, high))
        self.at += 1
        self.write(_written(ranges, negative))

    def posix_class(self, start: int) -> Ranges:
        end = self.pattern.index(":]", start + 2) + 2
        shown = self.pattern[start:end]
        name = shown[2:-2]
        negative = name.startswith("^")
        pairs = _POSIX.get(name[negative:])
        if pairs is None:
            self.fail("invalid character class range", shown)
        self.at = end
        return _complement(_ranges(pairs)) if negative else _ranges(pairs)

    def class_character(self, start: int) -> int:
        if self.at >= len(self.pattern):
            self.fail("missing closing ]", self.pattern[start:])
        c = self.pattern[self.at]
        self.at += 1
        return self.code(self.at - 1) if c == "\\" else ord(c)


def _is_count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and (digits[0] != "0" or digits == "0")


def _ranges(pairs: str) -> Ranges:
    return [(ord(low), ord(high)) for low, high in zip(pairs[::2], pairs[1::2])]


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


def _category(name: str) -> Ranges:
    from unicodedata import category

    ranges: Ranges = []
    for code in range(_MAX_CODE + 1):
        if category(chr(code)).startswith(name):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1] = (ranges[-1][0], code)
            else:
                ranges.append((code, code))
    return ranges


def _written(ranges: Ranges, negative: bool = False) -> str:
    """A class for `re`; every character is written by its number, so that none is special."""
    inside = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    if not inside:
        return "(?!)"
    return f"[{'^' * negative}{inside}]"
