"""Templates → text.

Statements are walked with a list of frames, not on Python's stack: blocks nest, and templates call each other, as deep
as Go lets them. Only what is in parentheses is evaluated by recursion, and the parser limits that.
"""

from __future__ import annotations

from cp.config.template.errors import FunctionError, TemplateError, place
from cp.config.template.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Constant,
    Field,
    Identifier,
    Jump,
    Nil,
    Number,
    Pipeline,
    Text,
    Variable,
)
from cp.config.template.values import Byte, Slice, sorted_items, to_bytes, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final, NoReturn, TypeAlias, Union

    from cp.config.template.functions import Function
    from cp.config.template.nodes import Body, Command, Node, Operand, Statement
    from cp.config.template.values import Value

    Final_: TypeAlias = Union[Value, "_Absent"]
    Variables: TypeAlias = list[tuple[str, Value]]

#: How deep templates may call each other; Go's limit.
MAX_DEPTH: Final = 100_000


class _Absent:
    """Stands for the value that no earlier command of the pipeline has given; nil would be a value."""


_ABSENT = _Absent()


class _Frame:
    """A body that is being executed.

    `mark` is how many variables there were before it. A range also has its `loop` of (index, element), and how many
    variables there are at the start of a round; a called template has what its caller goes on with.
    """

    __slots__ = ("branch", "caller", "dot", "loop", "mark", "nodes", "round_mark")

    def __init__(self, body: Body, dot: Value, mark: int) -> None:
        self.nodes: Iterator[Statement] = iter(body)
        self.dot = dot
        self.mark = mark
        self.loop: Iterator[tuple[Value, Value]] | None = None
        self.branch: Branch | None = None
        self.round_mark = 0
        self.caller: tuple[str, Variables] | None = None


class Evaluator:
    """Executes templates that were read from `text`; `name` is the one to begin with, and the text's name in errors."""

    __slots__ = ("depth", "functions", "name", "node", "out", "template", "templates", "text", "variables")

    def __init__(self, name: str, text: str, templates: dict[str, Body], functions: dict[str, Function]) -> None:
        self.name = name
        self.text = text
        self.templates = templates
        self.functions = functions
        self.template = name  # the one that is being executed
        self.depth = 0
        self.variables: Variables = []
        self.node: Node | None = None  # what is being evaluated: errors name it
        self.out: list[str] = []

    def render(self, data: Value) -> str:
        """What the template makes of the data. Raises TemplateError."""
        self.variables = [("$", data)]
        frames = [_Frame(self.templates[self.name], data, 1)]
        while frames:
            frame = frames[-1]
            for node in frame.nodes:
                if isinstance(node, Text):
                    self.out.append(node.text)
                elif isinstance(node, Action):
                    value = self.pipeline(frame.dot, node.pipeline)
                    if not node.pipeline.variables:
                        self.out.append(value if isinstance(value, str) else _printed(value))
                elif isinstance(node, Branch):
                    frames.append(self.branch(frame.dot, node))
                    break
                elif isinstance(node, Call):
                    frames.append(self.invocation(frame.dot, node))
                    break
                else:
                    self.jump(frames, node)
                    break
            else:
                if not self.next_round(frame):
                    frames.pop()
                    self.leave(frame)
        return "".join(self.out)

    # Statements.

    def branch(self, dot: Value, node: Branch) -> _Frame:
        mark = len(self.variables)
        value = self.pipeline(dot, node.pipeline)
        if node.kind == "range":
            frame = _Frame([], dot, mark)
            frame.branch = node
            frame.loop = self.rounds(value, len(node.pipeline.variables))
            frame.round_mark = len(self.variables)
            if self.next_round(frame):
                return frame
        elif value:  # Go and Python agree on what is false: nil, false, 0, and what is empty
            return _Frame(node.body, value if node.kind == "with" else dot, mark)
        return _Frame(node.otherwise, dot, mark)

    def rounds(self, value: Value, variables: int) -> Iterator[tuple[Value, Value]]:
        if isinstance(value, Slice):
            return enumerate(value)
        if isinstance(value, dict):
            return iter(sorted_items(value))
        if value is None:
            return iter(())
        if type(value) is int or type(value) is Byte:
            if variables > 1:
                self.fail(f"can't use {value} to iterate over more than one variable")
            make = type(value)
            return ((None, make(number)) for number in range(value))
        # Go shows the value, whatever it is; but the environment has secrets, and an error goes to a log.
        shown = "a string" if isinstance(value, str) else _printed(value)
        self.fail(f"range can't iterate over {shown}")

    def next_round(self, frame: _Frame) -> bool:
        """Prepares the next round of a range; False at its end, and for a frame that is none."""
        if frame.loop is None or frame.branch is None:
            return False
        del self.variables[frame.round_mark :]
        for index, element in frame.loop:
            names = frame.branch.pipeline.variables
            given = (index, element)[-len(names) :] if names else ()
            if frame.branch.pipeline.assigns:
                for name, value in zip(names, given):
                    self.assign(name, value)
            elif names:
                self.variables[-len(names) :] = zip(names, given)
            frame.dot = element
            frame.nodes = iter(frame.branch.body)
            return True
        return False

    def invocation(self, dot: Value, node: Call) -> _Frame:
        self.node = node
        body = self.templates.get(node.name)
        if body is None:
            from cp.config.template.literals import quote

            self.fail(f"template {quote(node.name)} not defined")
        if self.depth == MAX_DEPTH:
            self.fail(f"exceeded maximum template depth ({MAX_DEPTH})")
        value = self.pipeline(dot, node.pipeline) if node.pipeline else None
        frame = _Frame(body, value, 1)
        frame.caller = (self.template, self.variables)
        self.template = node.name
        self.variables = [("$", value)]
        self.depth += 1
        return frame

    def jump(self, frames: list[_Frame], node: Jump) -> None:
        """`break` and `continue`; the parser has seen that there is a range around."""
        while frames[-1].loop is None:
            self.leave(frames.pop())
        frames[-1].nodes = iter(())
        if node.kind == "break":
            self.leave(frames.pop())

    def leave(self, frame: _Frame) -> None:
        if frame.caller is not None:
            self.template, self.variables = frame.caller
            self.depth -= 1
        else:
            del self.variables[frame.mark :]

    # Expressions.

    def pipeline(self, dot: Value, pipeline: Pipeline) -> Value:
        self.node = pipeline
        value: Final_ = _ABSENT
        for command in pipeline.commands:
            value = self.command(dot, command, value)
        assert not isinstance(value, _Absent)  # the parser lets no pipeline be empty
        for name in pipeline.variables:
            if pipeline.assigns:
                self.assign(name, value)
            else:
                self.variables.append((name, value))
        return value

    def command(self, dot: Value, command: Command, final: Final_) -> Value:
        operand = command.operands[0]
        if isinstance(operand, Identifier):
            return self.call(dot, operand, command, command.operands[1:], final)
        has_arguments = len(command.operands) > 1 or final is not _ABSENT
        if isinstance(operand, Pipeline):
            if has_arguments:
                self.not_a_function(operand)
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
            self.not_a_function(operand)
        if isinstance(operand, Variable):
            return value
        if isinstance(operand, Nil):
            self.fail("nil is not a command")
        return self.constant(operand) if isinstance(operand, (Constant, Number)) else dot

    def not_a_function(self, operand: Operand) -> NoReturn:
        self.fail(f"can't give argument to non-function {operand}")

    def constant(self, node: Constant | Number) -> Value:
        value = node.value
        if type(value) is int and not -(2**63) <= value < 2**63:
            self.fail(f"{node} overflows int")
        return value

    def variable(self, name: str) -> Value:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        self.fail(f"undefined variable: {name}")

    def assign(self, name: str, value: Value) -> None:
        for at in range(len(self.variables) - 1, -1, -1):
            if self.variables[at][0] == name:
                self.variables[at] = (name, value)
                return
        self.fail(f"undefined variable: {name}")

    def fields(self, value: Value, names: list[str], has_arguments: bool) -> Value:
        for at, name in enumerate(names, 1):
            if value is None:
                continue
            if not isinstance(value, dict):
                self.fail(f"can't evaluate field {name} in type {type_name(value)}")
            if has_arguments and at == len(names):
                self.fail(f"{name} is not a method but has arguments")
            value = value.get(name, "")
        return value

    def call(
        self, dot: Value, identifier: Identifier, node: Command | Identifier, operands: list[Operand], final: Final_
    ) -> Value:
        """Calls a function; `node` is what an error of the function itself is said to be at."""
        self.node = identifier
        name = identifier.name
        function = self.functions[name]
        parameters = function.parameters
        count = len(operands) + (final is not _ABSENT)
        if function.rest is None:
            if count != len(parameters):
                self.fail(f"wrong number of args for {name}: want {len(parameters)} got {count}")
        elif count < len(parameters):
            self.fail(f"wrong number of args for {name}: want at least {len(parameters)} got {len(operands)}")
        if name == "and" or name == "or":
            return self.logic(dot, name, operands, final)
        kinds = (*parameters, *(function.rest or "" for _ in range(count - len(parameters))))
        arguments = [self.argument(dot, kind, operand) for kind, operand in zip(kinds, operands)]
        if not isinstance(final, _Absent):
            arguments.append(self.checked(final, kinds[-1]))
        if name == "call":
            arguments.insert(0, _callee(operands, final))
        try:
            return function.call(*arguments)
        except FunctionError as error:
            self.node = node
            self.fail(f"error calling {name}: {error}")

    def logic(self, dot: Value, name: str, operands: Iterable[Operand], final: Final_) -> Value:
        """`and` and `or` evaluate only as many arguments as they need."""
        value: Value = None
        for operand in operands:
            value = self.argument(dot, "", operand)
            if bool(value) == (name == "or"):
                return value
        return value if isinstance(final, _Absent) else final

    def argument(self, dot: Value, kind: str, operand: Operand) -> Value:
        """The value of an argument; `kind` is Go's type of the parameter, or empty for any."""
        self.node = operand
        if isinstance(operand, (Constant, Number)):
            if kind == "string" and not isinstance(operand.value, str):
                self.fail(f"expected string; found {operand}")
            if kind == "[]string":
                self.fail(f"can't handle {operand} for arg of type []string")
            return self.constant(operand)
        if isinstance(operand, Nil):
            if kind == "string":
                self.fail("cannot assign nil to string")
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
            self.fail("invalid value; expected string")
        if type_name(value) != kind:
            self.fail(f"wrong type for value; expected {kind}; got {type_name(value)}")
        return value

    def fail(self, message: str) -> NoReturn:
        from cp.config.template.literals import quote

        assert self.node is not None  # nothing can fail before something is evaluated
        shown = self.node.shown
        line, column = place(self.text, shown)
        column = len(to_bytes(self.text[shown - column + 1 : shown]))
        sentence = f"template: {self.name}:{line}:{column}: executing {quote(self.template)} at <{self.node}>: {message}"
        raise TemplateError(message, *place(self.text, self.node.position), sentence)


def _callee(operands: list[Operand], final: Final_) -> str:
    """What the error of `call` names, which takes functions only: no value here is one."""
    if operands:
        return str(operands[0])
    return "<invalid Value>" if final is None or isinstance(final, _Absent) else f"<{type_name(final)} Value>"


def _printed(value: Value) -> str:
    """A value in the text, or in an error."""
    if value is None:
        return "<no value>"
    if type(value) is int:
        return str(value)
    from cp.config.template.fmt import sprint

    return sprint(value)
