"""Evaluates pipelines.

Parentheses are evaluated by recursion. The parser limits their depth.
"""

from __future__ import annotations

from cp.config.template.errors import FunctionError, TemplateError, line_and_column
from cp.config.template.nodes import Chain, Constant, Field, Identifier, Nil, Number, Pipeline, Variable
from cp.config.template.values import MAX_INT, MIN_INT, Slice, to_bytes, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from cp.config.template.functions import Function
    from cp.config.template.nodes import Command, Node, Operand
    from cp.config.template.values import Value

    Variables: TypeAlias = list[tuple[str, Value]]


# Go has no such limit, and a few lines can keep it busy forever, because each call reads and makes long texts. A reload
# would block the thread that keeps the container alive. No real configuration comes near it.
MAX_WORK = 128 * 1024 * 1024  # characters that functions read and make
STATEMENT = 128  # the cost of a statement or an operand, in characters

#: Functions that take a list or a map, but do not read all of it.
_BY_REFERENCE = frozenset(("index", "slice", "len", "not", "call"))


class _Absent:
    """Replaces the value of the previous command where there is none, because nil is a value."""


_ABSENT = _Absent()


class PipelineEvaluator:
    """Evaluates with functions and variables, and remembers the current node for errors."""

    __slots__ = ("functions", "name", "node", "template", "text", "variables", "work")

    def __init__(self, name: str, text: str, functions: dict[str, Function]) -> None:
        self.name = name
        self.text = text
        self.functions = functions
        self.template = name  # the name of the current template
        self.variables: Variables = []
        self.node: Node | None = None  # the current node
        self.work = 0  # characters of work so far

    def pipeline(self, dot: Value, pipeline: Pipeline) -> Value:
        self.node = pipeline
        value: Value | _Absent = _ABSENT
        for command in pipeline.commands:
            value = self.command(dot, command, value)
        assert not isinstance(value, _Absent)  # the parser refuses an empty pipeline
        for name in pipeline.variables:
            if pipeline.assigns:
                self.assign(name, value)
            else:
                self.variables.append((name, value))
        return value

    def command(self, dot: Value, command: Command, final: Value | _Absent) -> Value:
        operand = command.operands[0]
        if isinstance(operand, Identifier):
            return self.call(dot, operand, command, command.operands[1:], final)
        has_arguments = len(command.operands) > 1 or final is not _ABSENT
        if isinstance(operand, Pipeline):
            if has_arguments:
                raise self.not_a_function(operand)
            return self.pipeline(dot, operand)
        self.node = operand
        if isinstance(operand, Field):
            return self.fields(dot, operand.names, has_arguments)
        if isinstance(operand, Chain):
            return self.fields(self.argument(dot, "", operand.operand), operand.fields, has_arguments)
        if isinstance(operand, Variable):
            value = self.variable(operand.name)
            if operand.fields:
                return self.fields(value, operand.fields, has_arguments)
        if has_arguments:
            raise self.not_a_function(operand)
        if isinstance(operand, Variable):
            return value
        if isinstance(operand, Nil):
            raise self.error("nil is not a command")
        return self.constant(operand) if isinstance(operand, (Constant, Number)) else dot

    def not_a_function(self, operand: Operand) -> TemplateError:
        return self.error(f"can't give argument to non-function {operand}")

    def constant(self, node: Constant | Number) -> Value:
        value = node.value
        if type(value) is int and not MIN_INT <= value <= MAX_INT:
            raise self.error(f"{node} overflows int")
        return value

    def variable(self, name: str) -> Value:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise self.error(f"undefined variable: {name}")

    def assign(self, name: str, value: Value) -> None:
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value)
                return
        raise self.error(f"undefined variable: {name}")

    def fields(self, value: Value, names: list[str], has_arguments: bool) -> Value:
        for number, name in enumerate(names, 1):
            if value is None:
                continue
            if not isinstance(value, dict):
                raise self.error(f"can't evaluate field {name} in type {type_name(value)}")
            if has_arguments and number == len(names):
                raise self.error(f"{name} is not a method but has arguments")
            value = value.get(name, "")
        return value

    def call(
        self,
        dot: Value,
        identifier: Identifier,
        node: Command | Identifier,
        operands: list[Operand],
        final: Value | _Absent,
    ) -> Value:
        """Call a function. `node` is the place of errors of the function itself."""
        self.node = identifier
        name = identifier.name
        function = self.functions[name]
        parameters = function.parameters
        count = len(operands) + (final is not _ABSENT)
        if function.rest is None:
            if count != len(parameters):
                raise self.error(f"wrong number of args for {name}: want {len(parameters)} got {count}")
        elif count < len(parameters):
            raise self.error(f"wrong number of args for {name}: want at least {len(parameters)} got {len(operands)}")
        if name == "and" or name == "or":
            return self.logic(dot, name, operands, final)
        kinds = (*parameters, *(function.rest or "" for _ in range(count - len(parameters))))
        arguments = [self.argument(dot, kind, operand) for kind, operand in zip(kinds, operands, strict=False)]
        if not isinstance(final, _Absent):
            arguments.append(self.checked(final, kinds[-1]))
        by_reference = name in _BY_REFERENCE
        self.spend(sum([STATEMENT + _weight(argument, by_reference) for argument in arguments]))
        if name == "call":
            arguments.insert(0, _callee(operands, final))
        try:
            value = function.call(*arguments)
        except FunctionError as error:
            self.node = node
            raise self.error(f"error calling {name}: {error}") from None
        self.spend(_weight(value, by_reference=True))
        return value

    def spend(self, characters: int) -> None:
        """Count work that is done, or that follows. Raises TemplateError beyond the limit."""
        self.work += characters
        if self.work > MAX_WORK and self.node is not None:
            raise self.error(f"more than {MAX_WORK} characters are read and made: is there an endless loop?")

    def logic(self, dot: Value, name: str, operands: Iterable[Operand], final: Value | _Absent) -> Value:
        """Evaluate `and` or `or`, only as many arguments as necessary."""
        value: Value = None
        for operand in operands:
            value = self.argument(dot, "", operand)
            if bool(value) == (name == "or"):
                return value
        return value if isinstance(final, _Absent) else final

    def argument(self, dot: Value, kind: str, operand: Operand) -> Value:
        """The value of an argument. `kind` is Go's type of the parameter; empty for any type."""
        self.node = operand
        if isinstance(operand, (Constant, Number)):
            if kind == "string" and not isinstance(operand.value, str):
                raise self.error(f"expected string; found {operand}")
            if kind == "[]string":
                raise self.error(f"can't handle {operand} for arg of type []string")
            return self.constant(operand)
        if isinstance(operand, Nil):
            if kind == "string":
                raise self.error("cannot assign nil to string")
            return None
        if isinstance(operand, Identifier):
            value = self.call(dot, operand, operand, [], _ABSENT)
        elif isinstance(operand, Pipeline):
            value = self.pipeline(dot, operand)
        elif isinstance(operand, Field):
            value = self.fields(dot, operand.names, False)
        elif isinstance(operand, Variable):
            value = self.fields(self.variable(operand.name), operand.fields, False)
        elif isinstance(operand, Chain):
            value = self.fields(self.argument(dot, "", operand.operand), operand.fields, False)
        else:
            value = dot
        return self.checked(value, kind)

    def checked(self, value: Value, kind: str) -> Value:
        if not kind or (value is None and kind != "string"):
            return value
        if value is None:
            raise self.error("invalid value; expected string")
        if type_name(value) != kind:
            raise self.error(f"wrong type for value; expected {kind}; got {type_name(value)}")
        return value

    def error(self, message: str) -> TemplateError:
        from cp.config.template.literals import quote

        assert self.node is not None  # nothing can fail before something is evaluated
        offset = self.node.error_offset
        line, column = line_and_column(self.text, offset)
        column = len(to_bytes(self.text[offset - column + 1 : offset]))
        where = f"{self.name}:{line}:{column}: executing {quote(self.template)} at <{self.node}>"
        return TemplateError(message, *line_and_column(self.text, self.node.offset), f"template: {where}: {message}")


def _weight(value: Value, by_reference: bool) -> int:
    """The number of characters in an argument or a result; for a list, an estimate of its printed size."""
    if isinstance(value, str):
        return len(value)
    if by_reference:
        return 0
    if isinstance(value, Slice):
        return 8 * len(value)
    return sum(map(len, value)) + sum(map(len, value.values())) if isinstance(value, dict) else 0


def _callee(operands: list[Operand], final: Value | _Absent) -> str:
    """The text in the error of `call`, which accepts only functions, while no value is one."""
    if operands:
        return str(operands[0])
    return "<invalid Value>" if final is None or isinstance(final, _Absent) else f"<{type_name(final)} Value>"
