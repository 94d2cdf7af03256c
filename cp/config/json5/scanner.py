"""The tokens of JSON5: white space, comments, strings and numbers."""

from __future__ import annotations

from cp.config.json5.errors import JsonError, line_and_column, quoted

# What the parser expected, in the words of Go's parser, which users find with search engines.
VALUE = "looking for beginning of value"
KEY = "looking for beginning of object key string"
AFTER_KEY = "after object key"
AFTER_PAIR = "after object key:value pair"
AFTER_ELEMENT = "after array element"
AFTER_DOCUMENT = "after top-level value"
_IN_STRING = "in string literal"
_IN_ESCAPE = "in string escape code"
_IN_NUMBER = "in numeric literal"

_LONGEST_NUMBER = 300  # characters; a longer number does not fit into a double, and int() becomes slow

_DIGITS = "0123456789"
_HEX_DIGITS = "0123456789abcdefABCDEF"
_BLANKS = " \t\n\r"
_OTHER_BLANKS = (
    "\v\f\u00a0\ufeff\u2028\u2029\u1680\u2000\u2001\u2002\u2003\u2004"
    "\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_OTHER_ESCAPES = {"'": "'", "v": "\v", "0": "\0", "\n": "", "\r": "", "\u2028": "", "\u2029": ""}


class Relaxed:
    """The first part that is not strict JSON: its offset, its description, and the error of a strict parser."""

    __slots__ = ("offset", "reason", "what")

    def __init__(self, offset: int, what: str, reason: str) -> None:
        self.offset = offset
        self.what = what
        self.reason = reason


class Scanner:
    """`offset` is the offset of the next character; `open` has the offsets of the open brackets."""

    __slots__ = ("end", "offset", "open", "relaxed", "text")

    def __init__(self, text: str) -> None:
        self.text = text + "\0"  # ends every loop, so that no index needs a check
        self.end = len(text)
        self.offset = 0
        self.open: list[int] = []
        self.relaxed: Relaxed | None = None

    # -- errors

    def refused(self, expected: str, *hints: str) -> JsonError:
        """The error for a character that is not allowed at `offset`."""
        if self.offset < self.end:
            if self.text[self.offset] == "#":
                hints = (*hints, "A comment begins with //, or is between /* and */.")
            return self.refused_because(
                self.offset, f"invalid character {quoted(self.text[self.offset])} {expected}", *hints
            )
        if self.open:
            line, column = line_and_column(self.text, self.open[-1])
            bracket = quoted(self.text[self.open[-1]])
            hints = (f"The {bracket} at line {line}, column {column} is never closed.",)
        last = len(self.text[: self.end].rstrip()) - 1
        return self.refused_because(last if last >= 0 else self.end - 1, "unexpected end of JSON input", *hints)

    def refused_because(self, offset: int, reason: str, *hints: str) -> JsonError:
        """An error at `offset`."""
        return JsonError(self.text[: self.end], offset, reason, hints)

    def relax(self, what: str, expected: str, offset: int = -1) -> None:
        """Remember the character at `offset` if it is the first one that strict JSON refuses."""
        if self.relaxed is None:
            offset = offset if offset >= 0 else self.offset
            end = offset >= self.end
            reason = (
                "unexpected end of JSON input" if end else f"invalid character {quoted(self.text[offset])} {expected}"
            )
            self.relaxed = Relaxed(offset, what, reason)

    # -- white space and comments

    def skip(self, expected: str) -> str:
        """Skip white space and comments. Return the next character."""
        text = self.text
        offset = self.offset
        while True:
            character = text[offset]
            if character in _BLANKS:
                offset += 1
                if text[offset] in _BLANKS:  # indentation: skip it at once
                    run = text[offset : offset + 64]
                    offset += len(run) - len(run.lstrip(_BLANKS))
            elif character == "/" or character in _OTHER_BLANKS:
                self.offset = offset
                offset = self._skip_unusual(expected)
                if offset < 0:
                    return character
            else:
                self.offset = offset
                return character

    def _skip_unusual(self, expected: str) -> int:
        """The offset after a comment or white space that only JSON5 has; -1 if there is none."""
        text = self.text
        offset = self.offset
        if text[offset] != "/":
            self.relax("a blank that JSON does not know", expected)
            return offset + 1
        if text[offset + 1] == "/":
            self.relax("a comment", expected)
            end = text.find("\n", offset)
            return end if end >= 0 else self.end
        if text[offset + 1] == "*":
            self.relax("a comment", expected)
            end = text.find("*/", offset + 2)
            if end >= 0:
                return end + 2
            if expected == AFTER_DOCUMENT:  # ContainerPilot 3 accepts this at the end of the text
                return self.end
            raise self.refused_because(offset, "the comment that begins here is never closed", "Close it with */.")
        return -1

    # -- strings

    def string(self, quote: str) -> str:
        """Parse the string that begins at `offset`."""
        text = self.text
        start = self.offset + 1
        end = text.find(quote, start)
        piece = text[start:end]
        if end >= 0 and piece.isprintable() and "\\" not in piece:
            self.offset = end + 1
            return piece
        return self._unusual_string(quote)

    def _unusual_string(self, quote: str) -> str:
        """Parse a string with escapes or control characters, or without an end."""
        text = self.text
        opened = self.offset
        pieces: list[str] = []
        self.offset = start = opened + 1
        while True:
            character = text[self.offset]
            if character == quote:
                pieces.append(text[start : self.offset])
                self.offset += 1
                return "".join(pieces)
            if character == "\\":
                pieces.append(text[start : self.offset])
                pieces.append(self._escape())
                start = self.offset
            elif character in "\n\r" or self.offset >= self.end:
                line, column = line_and_column(text, opened)
                self.open.clear()  # the open string explains the error better than the open brackets
                raise self.refused(
                    _IN_STRING, f"The string that begins at line {line}, column {column} has no closing {quote}"
                )
            else:
                if character < " ":
                    self.relax("a control character in a string", _IN_STRING)
                self.offset += 1

    def _escape(self) -> str:
        """The character of the escape at `offset`."""
        text = self.text
        self.offset += 1
        character = text[self.offset]
        if character in _ESCAPES:
            self.offset += 1
            return _ESCAPES[character]
        if character == "u":
            return self._unicode_escape()
        if character == "x":
            self.relax("an escape that JSON does not know", _IN_ESCAPE)
            return chr(self._hex_digits(2))
        is_octal = character == "0" and text[self.offset + 1] in _DIGITS
        if self.offset < self.end and character in _OTHER_ESCAPES and not is_octal:
            self.relax("an escape that JSON does not know", _IN_ESCAPE)
            self.offset += 2 if text.startswith("\r\n", self.offset) else 1
            return _OTHER_ESCAPES[character]
        raise self.refused(_IN_ESCAPE, f"Write a backslash twice: \\\\{character}")

    def _unicode_escape(self) -> str:
        code = self._hex_digits(4)
        if 0xD800 <= code < 0xDC00 and self.text.startswith("\\u", self.offset):
            after_high = self.offset
            self.offset += 1
            low = self._hex_digits(4)
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((code - 0xD800) << 10) + low - 0xDC00)
            self.offset = after_high
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)

    def _hex_digits(self, count: int) -> int:
        """The number after the letter at `offset`."""
        letter = self.text[self.offset]
        self.offset += 1
        start = self.offset
        while self.offset < start + count:
            if self.text[self.offset] not in _HEX_DIGITS:
                raise self.refused(f"in \\{letter} hexadecimal character escape")
            self.offset += 1
        return int(self.text[start : self.offset], 16)

    # -- numbers

    def number(self) -> int | float:
        """Parse the number that begins at `offset`."""
        text = self.text
        start = self.offset
        sign = -1 if text[start] == "-" else 1
        if text[start] in "+-":
            if text[start] == "+":
                self.relax("a plus sign", VALUE)
            self.offset += 1
        for word, value in (("Infinity", float("inf")), ("NaN", float("nan"))):
            if text.startswith(word, self.offset):
                self.relax(f"the number {word}", VALUE if self.offset == start else _IN_NUMBER)
                self.offset += len(word)
                return sign * value
        if text[self.offset] == "0" and text[self.offset + 1] in "xX":
            return sign * self._hexadecimal()
        whole = self._digits()
        if whole > 1 and text[self.offset - whole] == "0":
            self.offset -= whole - 1
            raise self.refused(_IN_NUMBER, "A number has no leading zeros.")
        is_float = text[self.offset] == "."
        if is_float:
            if not whole:
                self.relax("a number that begins with a dot", VALUE if self.offset == start else _IN_NUMBER)
            self.offset += 1
            if not self._digits():
                if not whole:
                    raise self.refused(_IN_NUMBER)
                self.relax("a number that ends with a dot", "after decimal point in numeric literal")
        elif not whole:
            raise self.refused(VALUE if self.offset == start else _IN_NUMBER)
        if text[self.offset] in "eE":
            is_float = True
            self.offset += 2 if text[self.offset + 1] in "+-" else 1
            if not self._digits():
                raise self.refused("in exponent of numeric literal")
        return self._in_range(start, is_float)

    def _in_range(self, start: int, is_float: bool) -> int | float:
        number = self.text[start : self.offset]
        if len(number) <= _LONGEST_NUMBER:
            if not is_float:
                return int(number)
            value = float(number)
            if value - value == 0:  # neither infinite nor NaN
                return value
        short = number if len(number) <= 30 else number[:27] + "..."
        raise self.refused_because(start, f"the number {short} is out of range")

    def _hexadecimal(self) -> int:
        around = self.text[self.open[-1]] if self.open else ""
        self.relax(
            "a hexadecimal number", {"{": AFTER_PAIR, "[": AFTER_ELEMENT, "": AFTER_DOCUMENT}[around], self.offset + 1
        )
        self.offset += 2
        start = self.offset
        while self.text[self.offset] in _HEX_DIGITS:
            self.offset += 1
        if self.offset == start:
            raise self.refused("in hex number")
        if self.offset - start > _LONGEST_NUMBER // 2:
            raise self.refused_because(start - 2, "the hexadecimal number is out of range")
        return int(self.text[start : self.offset], 16)

    def _digits(self) -> int:
        """Skip decimal digits. Return their number."""
        start = self.offset
        while self.text[self.offset] in _DIGITS:
            self.offset += 1
        return self.offset - start
