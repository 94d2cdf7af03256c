"""Splits the text of a template into tokens `(kind, offset, text)`, one at a time, so that errors come in order.

Outside of actions the only token is TEXT. Comments, and white space that a trim marker removes, are not tokens. An
ERROR token has the message, and is the last one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import TypeAlias

    Token: TypeAlias = tuple[str, int, str]

TEXT = "text"
LEFT = "left delimiter"
RIGHT = "right delimiter"
EOF = "EOF"
ERROR = "error"
SPACE = "space"
FIELD = "field"
VARIABLE = "variable"
IDENTIFIER = "identifier"
BOOL = "bool"
STRING = "string"
CHARACTER = "character constant"
NUMBER = "number"
PIPE = "|"
DECLARE = ":="
ASSIGN = "="
LEFT_PAREN = "("
RIGHT_PAREN = ")"
CHAR = "character"
DOT = "."

#: The keywords and the dot. Each is a kind of its own.
KEYWORDS = frozenset(
    ("block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with", DOT)
)

SPACES = " \t\r\n"
_SPACE_SET = frozenset(SPACES)
_TERMINATORS = SPACES + ".,|:)("
_SIMPLE = {"|": PIPE, "=": ASSIGN}
_DECIMAL = "0123456789_"
_PREFIXED = {"x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}


def tokens(text: str) -> Iterator[Token]:
    """Yield all tokens of the text. The last one is EOF or ERROR."""
    offset = 0
    while True:
        left = text.find("{{", offset)
        if left < 0:
            if offset < len(text):
                yield TEXT, offset, text[offset:]
            yield EOF, len(text), "EOF"
            return
        inside = left + 2
        trim = text.startswith("-", inside) and text[inside + 1 : inside + 2] in _SPACE_SET
        chunk = text[offset:left].rstrip(SPACES) if trim else text[offset:left]
        if chunk:
            yield TEXT, offset, chunk
        if trim:
            inside += 2
        if text.startswith("/*", inside):
            end = text.find("*/", inside + 2) + 2
            if end < 2:
                yield ERROR, inside, "unclosed comment"
                return
            closed = _right_delimiter(text, end)
            if not closed:
                yield ERROR, inside, "comment ends before closing delimiter"
                return
            offset = closed
        else:
            yield LEFT, left, "{{"
            offset = yield from _action(text, inside)
            if offset < 0:
                return


def _right_delimiter(text: str, offset: int) -> int:
    """The offset after the right delimiter at `offset` and after the space that it trims; 0 if there is none."""
    if text.startswith("}}", offset):
        return offset + 2
    if text.startswith("-}}", offset + 1) and text[offset] in SPACES:
        offset += 4
        while text[offset : offset + 1] in _SPACE_SET:
            offset += 1
        return offset
    return 0


def _action(text: str, offset: int) -> Generator[Token, None, int]:
    """Yield the tokens of an action. Return the offset after it, or -1 after an ERROR."""
    depth = 0
    size = len(text)
    while True:
        if offset >= size:
            yield ERROR, offset, "unclosed action"
            return -1
        start, c = offset, text[offset]
        closed = _right_delimiter(text, offset) if c == "}" or c in SPACES else 0
        if closed:
            if depth:
                yield ERROR, offset, "unclosed left paren"
                return -1
            yield RIGHT, offset if c == "}" else offset + 2, "}}"
            return closed
        offset += 1
        kind = ""
        if c in SPACES:
            while offset < size and text[offset] in SPACES:
                offset += 1
            if text.startswith("-}}", offset) and offset - start > 1:
                offset -= 1  # this space belongs to the trim marker
            kind = SPACE
        elif c in _SIMPLE:
            kind = _SIMPLE[c]
        elif c == ":":
            if not text.startswith("=", offset):
                yield ERROR, start, "expected :="
                return -1
            offset += 1
            kind = DECLARE
        elif c == "(":
            depth += 1
            kind = LEFT_PAREN
        elif c == ")":
            depth -= 1
            if depth < 0:
                yield ERROR, start, "unexpected right paren"
                return -1
            kind = RIGHT_PAREN
        else:
            kind, offset, message = _word(text, start, c)
            if message:
                yield ERROR, start, message
                return -1
        yield kind, start, text[start:offset]


def _word(text: str, start: int, c: str) -> tuple[str, int, str]:
    """A token that needs more work: its kind, its end, and an error message, which may be empty."""
    if c in "\"'`":
        return _quoted(text, start, c)
    if c == "$" or (c == "." and start + 1 < len(text) and text[start + 1] not in "0123456789"):
        end = _word_end(text, start + 1)
        if not _at_terminator(text, end):
            return ERROR, end, f"bad character {_described(text[end])}"
        if c == "$":
            return VARIABLE, end, ""
        return (FIELD if end > start + 1 else DOT), end, ""
    if c in "+-.0123456789":
        return _number(text, start)
    if c == "_" or c.isalpha() or c.isdecimal():
        end = _word_end(text, start)
        if not _at_terminator(text, end):
            return ERROR, end, f"bad character {_described(text[end])}"
        word = text[start:end]
        if word in KEYWORDS:
            return word, end, ""
        return (BOOL if word in ("true", "false") else IDENTIFIER), end, ""
    if " " <= c <= "~":
        return CHAR, start + 1, ""
    return ERROR, start + 1, f"unrecognized character in action: {_described(c)}"


def _word_end(text: str, offset: int) -> int:
    while offset < len(text) and (text[offset] == "_" or text[offset].isalpha() or text[offset].isdecimal()):
        offset += 1
    return offset


def _at_terminator(text: str, offset: int) -> bool:
    """Whether a word may end here: `$x+2` must have spaces."""
    return offset >= len(text) or text[offset] in _TERMINATORS or text.startswith("}}", offset)


def _quoted(text: str, start: int, mark: str) -> tuple[str, int, str]:
    if mark == "`":
        end = text.find("`", start + 1) + 1
        return (STRING, end, "") if end else (ERROR, start, "unterminated raw quoted string")
    offset = start + 1
    while offset < len(text) and text[offset] != "\n":
        if text[offset] == mark:
            return (STRING if mark == '"' else CHARACTER), offset + 1, ""
        offset += 1
        if text[offset - 1] == "\\" and offset < len(text) and text[offset] != "\n":
            offset += 1
    what = "quoted string" if mark == '"' else "character constant"
    return ERROR, start, f"unterminated {what}"


def _number(text: str, start: int) -> tuple[str, int, str]:
    """Find the end of a number. The parser checks its syntax completely."""
    end, good = _number_end(text, start)
    if good and text[end : end + 1] in ("+", "-"):  # 1+2i
        end, good = _number_end(text, end)
        good = good and text[end - 1] == "i"
    if good:
        return NUMBER, end, ""
    from cp.config.template.literals import quote

    return ERROR, start, f"bad number syntax: {quote(text[start:end])}"


def _number_end(text: str, offset: int) -> tuple[int, bool]:
    def run(offset: int, allowed: str) -> int:
        while offset < len(text) and text[offset] in allowed:
            offset += 1
        return offset

    def sign(offset: int) -> int:
        return offset + 1 if text[offset : offset + 1] in ("+", "-") else offset

    offset = sign(offset)
    digits = _DECIMAL
    if text.startswith("0", offset):
        offset += 1
        prefixed = _PREFIXED.get(text[offset : offset + 1].lower())
        if prefixed:
            digits = prefixed
            offset += 1
    offset = run(offset, digits)
    if text.startswith(".", offset):
        offset = run(offset + 1, digits)
    exponent = {_DECIMAL: "e", _PREFIXED["x"]: "p"}.get(digits)
    if exponent and text[offset : offset + 1].lower() == exponent:
        offset = run(sign(offset + 1), _DECIMAL)
    if text.startswith("i", offset):
        offset += 1
    if offset < len(text) and _word_end(text, offset) > offset:
        return offset + 1, False
    return offset, True


def _described(char: str) -> str:
    """Format a character as Go's %#U does: `U+002B '+'`."""
    printed = f" '{char}'" if char.isprintable() else ""
    return f"U+{ord(char):04X}{printed}"
