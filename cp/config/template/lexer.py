"""Splits the text of a template into tokens `(kind, position, text)`, one at a time, so that errors come in order.

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
    at = 0
    while True:
        left = text.find("{{", at)
        if left < 0:
            if at < len(text):
                yield TEXT, at, text[at:]
            yield EOF, len(text), "EOF"
            return
        inside = left + 2
        trim = text.startswith("-", inside) and text[inside + 1 : inside + 2] in _SPACE_SET
        chunk = text[at:left].rstrip(SPACES) if trim else text[at:left]
        if chunk:
            yield TEXT, at, chunk
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
            at = closed
        else:
            yield LEFT, left, "{{"
            at = yield from _action(text, inside)
            if at < 0:
                return


def _right_delimiter(text: str, at: int) -> int:
    """The position after the right delimiter at `at` and after the space that it trims; 0 if there is none."""
    if text.startswith("}}", at):
        return at + 2
    if text.startswith("-}}", at + 1) and text[at] in SPACES:
        at += 4
        while text[at : at + 1] in _SPACE_SET:
            at += 1
        return at
    return 0


def _action(text: str, at: int) -> Generator[Token, None, int]:
    """Yield the tokens of an action. Return the position after it, or -1 after an ERROR."""
    depth = 0
    size = len(text)
    while True:
        if at >= size:
            yield ERROR, at, "unclosed action"
            return -1
        start, c = at, text[at]
        closed = _right_delimiter(text, at) if c == "}" or c in SPACES else 0
        if closed:
            if depth:
                yield ERROR, at, "unclosed left paren"
                return -1
            yield RIGHT, at if c == "}" else at + 2, "}}"
            return closed
        at += 1
        kind = ""
        if c in SPACES:
            while at < size and text[at] in SPACES:
                at += 1
            if text.startswith("-}}", at) and at - start > 1:
                at -= 1  # this space belongs to the trim marker
            kind = SPACE
        elif c in _SIMPLE:
            kind = _SIMPLE[c]
        elif c == ":":
            if not text.startswith("=", at):
                yield ERROR, start, "expected :="
                return -1
            at += 1
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
            kind, at, message = _word(text, start, c)
            if message:
                yield ERROR, start, message
                return -1
        yield kind, start, text[start:at]


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


def _word_end(text: str, at: int) -> int:
    while at < len(text) and (text[at] == "_" or text[at].isalpha() or text[at].isdecimal()):
        at += 1
    return at


def _at_terminator(text: str, at: int) -> bool:
    """Whether a word may end here: `$x+2` must have spaces."""
    return at >= len(text) or text[at] in _TERMINATORS or text.startswith("}}", at)


def _quoted(text: str, start: int, mark: str) -> tuple[str, int, str]:
    if mark == "`":
        end = text.find("`", start + 1) + 1
        return (STRING, end, "") if end else (ERROR, start, "unterminated raw quoted string")
    at = start + 1
    while at < len(text) and text[at] != "\n":
        if text[at] == mark:
            return (STRING if mark == '"' else CHARACTER), at + 1, ""
        at += 1
        if text[at - 1] == "\\" and at < len(text) and text[at] != "\n":
            at += 1
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


def _number_end(text: str, at: int) -> tuple[int, bool]:
    def run(at: int, allowed: str) -> int:
        while at < len(text) and text[at] in allowed:
            at += 1
        return at

    def sign(at: int) -> int:
        return at + 1 if text[at : at + 1] in ("+", "-") else at

    at = sign(at)
    digits = _DECIMAL
    if text.startswith("0", at):
        at += 1
        prefixed = _PREFIXED.get(text[at : at + 1].lower())
        if prefixed:
            digits = prefixed
            at += 1
    at = run(at, digits)
    if text.startswith(".", at):
        at = run(at + 1, digits)
    exponent = {_DECIMAL: "e", _PREFIXED["x"]: "p"}.get(digits)
    if exponent and text[at : at + 1].lower() == exponent:
        at = run(sign(at + 1), _DECIMAL)
    if text.startswith("i", at):
        at += 1
    if at < len(text) and _word_end(text, at) > at:
        return at + 1, False
    return at, True


def _described(char: str) -> str:
    """Format a character as Go's %#U does: `U+002B '+'`."""
    printed = f" '{char}'" if char.isprintable() else ""
    return f"U+{ord(char):04X}{printed}"
