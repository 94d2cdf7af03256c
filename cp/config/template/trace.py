"""Finds out which action of a template wrote which part of the rendered text, and which variables were empty in it.

Imported for a configuration with errors.
"""

from __future__ import annotations

from cp.config.template.errors import line_and_column
from cp.config.template.evaluate import Evaluator
from cp.config.template.functions import functions
from cp.config.template.nodes import Chain, Constant, Field, Identifier, Pipeline, Variable
from cp.config.template.parser import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cp.config.template.functions import Function
    from cp.config.template.nodes import Body
    from cp.config.template.values import Value


class Origin:
    """`{{ action }}` at this line and column of the template wrote the rendered text from `start` to `end`. `missing`
    has its variables that are not set, `empty` those that are set to an empty text."""

    __slots__ = ("action", "column", "empty", "end", "line", "missing", "start")

    def __init__(self, action: str, line: int, column: int, start: int, end: int) -> None:
        self.action = action
        self.line = line
        self.column = column
        self.start = start
        self.end = end
        self.missing: list[str] = []
        self.empty: list[str] = []


def trace(text: str, environ: Mapping[str, str]) -> list[Origin]:
    """Render a template. Return the origins of the result, in their order. Raises TemplateError."""
    data = dict(environ)
    known = functions(data)
    tracer = _Tracer(text, parse("", text, known), known, environ)
    tracer.render(data)
    return tracer.origins


class _Tracer(Evaluator):
    __slots__ = ("environ", "origins")

    def __init__(
        self, text: str, templates: dict[str, Body], known: dict[str, Function], environ: Mapping[str, str]
    ) -> None:
        super().__init__("", text, templates, known)
        self.environ = environ
        self.origins: list[Origin] = []

    def print(self, dot: Value, pipeline: Pipeline, value: Value) -> None:
        start = self.size
        super().print(dot, pipeline, value)
        left = self.text.rfind("{{", 0, pipeline.offset)
        origin = Origin(f"{{{{ {pipeline} }}}}", *line_and_column(self.text, left), start, self.size)
        self.origins.append(origin)
        for name in dict.fromkeys(_variables(pipeline, isinstance(dot, dict))):
            if name not in self.environ:
                origin.missing.append(name)
            elif not self.environ[name]:
                origin.empty.append(name)


def _variables(pipeline: Pipeline, dot_is_root: bool) -> Iterator[str]:
    """The environment variables in a pipeline."""
    for command in pipeline.commands:
        calls_env = isinstance(command.operands[0], Identifier) and command.operands[0].name == "env"
        for operand in command.operands:
            if isinstance(operand, Chain):
                operand = operand.operand
            if isinstance(operand, Field) and dot_is_root:
                yield operand.names[0]
            elif isinstance(operand, Variable) and operand.name == "$" and operand.fields:
                yield operand.fields[0]
            elif isinstance(operand, Constant) and calls_env and isinstance(operand.value, str):
                yield operand.value
            elif isinstance(operand, Pipeline):
                yield from _variables(operand, dot_is_root)
