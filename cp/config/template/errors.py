"""What a person is told when a template cannot be read or run."""

from __future__ import annotations


class TemplateError(Exception):
    """A template that cannot be read or run.

    `message` is the cause alone; `line` and `column` (both counted from 1, in characters) are the place in the source
    text. `str(error)` is the whole sentence in the words of Go's text/template, whose place counts columns from 0, in
    bytes, and is left out for what is found while reading.
    """

    def __init__(self, message: str, line: int, column: int, sentence: str) -> None:
        super().__init__(sentence)
        self.message = message
        self.line = line
        self.column = column


class FunctionError(Exception):
    """What a template function refuses; the evaluator adds which call it was."""


def place(text: str, position: int) -> tuple[int, int]:
    """The line and the column of a character of the text, both counted from 1."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def read_error(name: str, text: str, message: str, position: int, line: int) -> TemplateError:
    """An error found while reading: Go names the template and the line that its lexer has reached."""
    return TemplateError(message, *place(text, position), f"template: {name}:{line}: {message}")
