"""Converts Go's regular expressions (RE2) to Python's `re`.

The expression is parsed as Go parses it and then written for `re`, so that differences between the two (inner flags,
classes, anchors, refused syntax) never reach `re`. Only the scripts of Unicode (`\\p{Greek}`) are not supported,
because Python does not have them.
"""

from __future__ import annotations

from cp.config.template.reclasses import ClassReader, written

#: The limit to nested groups. Go allows 1000, but Python's `re` uses recursion.
_MAX_DEPTH = 60
_MAX_REPEAT = 1000


class Reader(ClassReader):
    """Converts one expression. Afterwards `names` has the numbers of its named groups."""

    __slots__ = ("groups", "names", "scopes")

    def __init__(self, pattern: str, text: str) -> None:
        super().__init__(pattern, text)
        self.groups = 0
        self.names: dict[str, int] = {}
        self.scopes: list[frozenset[str]] = []  # for each open group, the flags to restore at its end

    def read(self) -> str:
        """Convert the expression. Raises FunctionError in Go's words."""
        pattern = self.pattern
        repeated = ""  # the repetition directly before, which cannot be repeated
        atom = False  # whether an expression that can be repeated is directly before
        while self.offset < len(pattern):
            start = self.offset
            c = pattern[start]
            repetition = self.repetition(c) if c in "*+?{" else ""
            if repetition:
                part = pattern[start : self.offset]
                if repeated:
                    raise self.error("invalid nested repetition operator", repeated + part)
                if not atom:
                    raise self.error("missing argument to repetition operator", part)
                self.out.append(repetition)
                repeated = part
                continue
            self.offset = start + 1
            if c == "(":
                if self.open_group(start):
                    repeated, atom = "", False
                continue
            repeated = ""
            if c == "|":
                self.out.append("|")
                atom = False
                continue
            if c == ")":
                if not self.scopes:
                    raise self.error("unexpected )", pattern)
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
            raise self.error("missing closing )", pattern)
        return "".join(self.out)

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
        """The repetition at the current offset; empty for a literal brace."""
        if operator == "{":
            operator = self.counted()
            if not operator:
                return ""
        else:
            self.offset += 1
        lazy = "U" in self.flags
        if self.pattern.startswith("?", self.offset):
            self.offset += 1
            lazy = not lazy
        return operator + "?" * lazy

    def counted(self) -> str:
        end = self.pattern.find("}", self.offset) + 1
        part = self.pattern[self.offset : end]
        low, _, high = part[1:-1].partition(",")
        if not _is_count(low) or not (_is_count(high) or high == ""):
            return ""
        counts = [int(count) if len(count) < 9 else _MAX_REPEAT + 1 for count in (low, high) if count]
        if max(counts) > _MAX_REPEAT or counts[-1] < counts[0]:
            raise self.error("invalid repeat count", part)
        self.offset = end
        return part

    # Groups.

    def open_group(self, start: int) -> bool:
        """Parse the part after an opening parenthesis. Return False if it only sets flags."""
        pattern = self.pattern
        if len(self.scopes) >= _MAX_DEPTH:
            raise self.error("expression nests too deeply", pattern)
        outer = self.flags
        capturing = True
        if pattern.startswith(("?P<", "?<"), self.offset) and len(pattern) > pattern.index("<", self.offset) + 1:
            self.named_group(start)
        elif pattern.startswith("?", self.offset):
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
            raise self.error("invalid named capture", pattern[start:])
        name = pattern[pattern.index("<", start) + 1 : end]
        if not name.replace("_", "a").isalnum() or not name.isascii():
            raise self.error("invalid named capture", pattern[start : end + 1])
        self.names.setdefault(name, self.groups + 1)
        self.offset = end + 1

    def flag_group(self, start: int) -> bool:
        """Parse `(?flags-flags:`, which opens a group, or `(?flags-flags)`, which only sets them."""
        flags = set(self.flags)
        negative = seen = False
        for offset in range(start + 2, len(self.pattern)):
            c = self.pattern[offset]
            self.offset = offset + 1
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
        raise self.error("invalid or unsupported Perl syntax", self.pattern[start : max(self.offset, start + 2)])

    def escape(self, start: int) -> bool:
        """Parse the part after a backslash. Return False if it cannot be repeated."""
        pattern = self.pattern
        c = pattern[self.offset : self.offset + 1]
        if c in ("A", "z", "b", "B"):
            self.offset += 1
            # Before Python 3.14, the empty text has no \\B.
            self.out.append({"A": "(?:\\A)", "z": "(?:\\Z)", "b": "(?a:\\b)", "B": "(?:(?!(?a:\\b)))"}[c])
        elif c == "Q":
            end = pattern.find("\\E", start)
            text = pattern[self.offset + 1 : end] if end >= 0 else pattern[self.offset + 1 :]
            self.offset = end + 2 if end >= 0 else len(pattern)
            for char in text:
                self.literal(char)
            return bool(text)
        else:
            ranges = self.named_class(start)
            if ranges is not None:
                self.write(written(ranges))
            else:
                self.literal(chr(self.code(start)))
        return True


def _is_count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and (digits[0] != "0" or digits == "0")
