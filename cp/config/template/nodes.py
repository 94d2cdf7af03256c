"""The nodes of a parsed template.

`offset` is the start of a node in the text. `error_offset` is the one in Go's errors, which differs for chained
fields. `str(node)` is the node as Go's errors quote it.
"""

from __future__ import annotations

from cp.config.template.values import WHITE_SPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Operand: TypeAlias = "Dot | Nil | Constant | Number | Field | Variable | Identifier | Chain | Pipeline"
    Statement: TypeAlias = "Text | Action | Branch | Jump | Call"
    Body: TypeAlias = list["Statement"]


class Node:
    """A place in the text: the base of all nodes that can be in an error."""

    __slots__ = ("error_offset", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.error_offset = offset


class Dot(Node):
    __slots__ = ()

    def __str__(self) -> str:
        return "."


class Nil(Node):
    __slots__ = ()

    def __str__(self) -> str:
        return "nil"


class Constant(Node):
    """A string or a bool."""

    __slots__ = ("text", "value")

    def __init__(self, offset: int, text: str, value: str | bool) -> None:
        super().__init__(offset)
        self.text = text
        self.value = value

    def __str__(self) -> str:
        return self.text


class Number(Node):
    """A number or a character. An int may be too large to be used."""

    __slots__ = ("text", "value")

    def __init__(self, offset: int, text: str, value: complex) -> None:
        super().__init__(offset)
        self.text = text
        self.value = value

    def __str__(self) -> str:
        return self.text


class Field(Node):
    """`.A.B`: fields of dot."""

    __slots__ = ("names",)

    def __init__(self, offset: int, names: list[str]) -> None:
        super().__init__(offset)
        self.names = names

    def __str__(self) -> str:
        return "".join("." + name for name in self.names)


class Variable(Node):
    """`$x.A.B`: a variable, whose name includes the dollar sign, and fields of its value."""

    __slots__ = ("fields", "name")

    def __init__(self, offset: int, name: str) -> None:
        super().__init__(offset)
        self.name = name
        self.fields: list[str] = []

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


class Identifier(Node):
    """The name of a function."""

    __slots__ = ("name",)

    def __init__(self, offset: int, name: str) -> None:
        super().__init__(offset)
        self.name = name

    def __str__(self) -> str:
        return self.name


class Chain(Node):
    """`(pipeline).A.B`: fields of the value of a pipeline in parentheses, or of a function without arguments."""

    __slots__ = ("fields", "operand")

    def __init__(self, offset: int, operand: Operand) -> None:
        super().__init__(offset)
        self.operand = operand
        self.fields: list[str] = []

    def __str__(self) -> str:
        return ".".join((_in_parentheses(self.operand), *self.fields))


class Command(Node):
    """A single operand, or a function and its arguments."""

    __slots__ = ("operands",)

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.operands: list[Operand] = []

    def __str__(self) -> str:
        return " ".join(_in_parentheses(operand) for operand in self.operands)


class Pipeline(Node):
    """Commands, each with the result of the previous one as its last argument. Variables may keep the last result."""

    __slots__ = ("assigns", "commands", "variables")

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.variables: list[str] = []
        self.assigns = False
        self.commands: list[Command] = []

    def __str__(self) -> str:
        commands = " | ".join(str(command) for command in self.commands)
        if not self.variables:
            return commands
        return f"{', '.join(self.variables)} {'=' if self.assigns else ':='} {commands}"


def _in_parentheses(operand: Operand) -> str:
    return f"({operand})" if isinstance(operand, Pipeline) else str(operand)


class Text:
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Action:
    """A pipeline. Its value is printed, unless it declares or assigns a variable."""

    __slots__ = ("pipeline",)

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline


class Branch:
    """`if`, `with` or `range` (the `kind`), with the body of its `else`."""

    __slots__ = ("body", "kind", "otherwise", "pipeline")

    def __init__(self, kind: str, pipeline: Pipeline) -> None:
        self.kind = kind
        self.pipeline = pipeline
        self.body: Body = []
        self.otherwise: Body = []


class Jump:
    """`break` or `continue` (the `kind`)."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Call(Node):
    """`template`, or the call at the place of a `block`. Without a pipeline, dot is nil in it."""

    __slots__ = ("name", "pipeline")

    def __init__(self, offset: int, name: str, pipeline: Pipeline | None) -> None:
        super().__init__(offset)
        self.name = name
        self.pipeline = pipeline

    def __str__(self) -> str:
        from cp.config.template.literals import quote

        argument = f" {self.pipeline}" if self.pipeline else ""
        return f"{{{{template {quote(self.name)}{argument}}}}}"


def is_empty(body: Body) -> bool:
    """Whether a template is only white space: another definition of the same name replaces it."""
    return all(isinstance(node, Text) and not node.text.strip(WHITE_SPACE) for node in body)
