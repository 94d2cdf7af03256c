"""Errors of templates, with their lines and columns."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be parsed or executed.

    `message` is only the cause; `line` and `column`, in characters from 1, are in the source text.
    `str(error)` is the whole sentence in the words of Go's text/template. Its columns count bytes from 0, and
    an error of the parser has none.
    """

    def __init__(self, message: str, line: int, column: int, sentence: str) -> None:
        super().__init__(sentence)
        self.message = message
        self.line = line
        self.column = column


class FunctionError(Exception):
    """A template function refused its arguments. The evaluator adds the call."""


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The line and the column of a character of the text, from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def read_error(name: str, text: str, message: str, offset: int, line: int) -> TemplateError:
    """An error of the parser. Go names the template, and the line that its lexer has reached."""
    return TemplateError(message, *line_and_column(text, offset), f"template: {name}:{line}: {message}")
