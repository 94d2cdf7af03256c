"""Executes parsed templates.

Statements are executed with a list of frames instead of Python's stack, because Go allows blocks and calls of templates
to nest deeply.
"""

from __future__ import annotations

from cp.config.template.nodes import Action, Branch, Call, Jump, Text
from cp.config.template.pipelines import STATEMENT, PipelineEvaluator
from cp.config.template.values import Byte, Slice, sorted_items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cp.config.template.functions import Function
    from cp.config.template.nodes import Body, Pipeline, Statement
    from cp.config.template.pipelines import Variables
    from cp.config.template.values import Value

#: The limit to nested calls of templates, as in Go.
MAX_DEPTH = 100_000
# Go has no such limits, and a few characters can keep it busy forever. No real configuration comes near them.
MAX_STEPS = 1_000_000  # rounds of `range` and calls of templates, together
MAX_OUTPUT = 64 * 1024 * 1024  # characters


class _Frame:
    """A body that is being executed.

    `mark` is the number of variables before it. A range also has its `loop` of (index, element), and the number of
    variables at the start of a round. A called template has the state of its caller.
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


class Evaluator(PipelineEvaluator):
    """Executes the templates of `text`. `name` is the first one to execute, and the name of the text in errors."""

    __slots__ = ("depth", "out", "size", "steps", "templates")

    def __init__(self, name: str, text: str, templates: dict[str, Body], functions: dict[str, Function]) -> None:
        super().__init__(name, text, functions)
        self.templates = templates
        self.depth = 0
        self.steps = 0
        self.size = 0  # of the output, in characters
        self.out: list[str] = []

    def render(self, data: Value) -> str:
        """Execute the template with the data. Raises TemplateError."""
        self.variables = [("$", data)]
        frames = [_Frame(self.templates[self.name], data, 1)]
        while frames:
            frame = frames[-1]
            for node in frame.nodes:
                self.spend(STATEMENT)
                if isinstance(node, Text):
                    self.write(node.text)
                elif isinstance(node, Action):
                    value = self.pipeline(frame.dot, node.pipeline)
                    if not node.pipeline.variables:
                        self.print(frame.dot, node.pipeline, value)
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

    def print(self, dot: Value, pipeline: Pipeline, value: Value) -> None:
        """Write the value of a pipeline."""
        self.write(value if isinstance(value, str) else _printed(value))

    def write(self, text: str) -> None:
        self.size += len(text)
        self.out.append(text)
        if self.size > MAX_OUTPUT and self.node is not None:
            raise self.error(f"more than {MAX_OUTPUT} characters of output")

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
        elif value:  # Go and Python have the same false values: nil, false, 0, and everything empty
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
                raise self.error(f"can't use {value} to iterate over more than one variable")
            make = type(value)
            return ((None, make(number)) for number in range(value))
        # Go prints any value. But it may be a secret of the environment, and an error goes into a log.
        printed = "a string" if isinstance(value, str) else _printed(value)
        raise self.error(f"range can't iterate over {printed}")

    def next_round(self, frame: _Frame) -> bool:
        """Prepare the next round of a range. Return False at its end, or if the frame is not a range."""
        if frame.loop is None or frame.branch is None:
            return False
        del self.variables[frame.round_mark :]
        for index, element in frame.loop:
            self.step()
            names = frame.branch.pipeline.variables
            given = (index, element)[-len(names) :] if names else ()
            if frame.branch.pipeline.assigns:
                for name, value in zip(names, given, strict=True):
                    self.assign(name, value)
            elif names:
                self.variables[-len(names) :] = zip(names, given, strict=True)
            frame.dot = element
            frame.nodes = iter(frame.branch.body)
            return True
        return False

    def invocation(self, dot: Value, node: Call) -> _Frame:
        self.node = node
        self.step()
        body = self.templates.get(node.name)
        if body is None:
            from cp.config.template.literals import quote

            raise self.error(f"template {quote(node.name)} not defined")
        if self.depth == MAX_DEPTH:
            raise self.error(f"exceeded maximum template depth ({MAX_DEPTH})")
        value = self.pipeline(dot, node.pipeline) if node.pipeline else None
        frame = _Frame(body, value, 1)
        frame.caller = (self.template, self.variables)
        self.template = node.name
        self.variables = [("$", value)]
        self.depth += 1
        return frame

    def step(self) -> None:
        """Count a round of a range, or a call of a template."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise self.error(f"more than {MAX_STEPS} rounds and template calls: is there an endless loop?")

    def jump(self, frames: list[_Frame], node: Jump) -> None:
        """Execute `break` or `continue`. The parser ensures that a range is around it."""
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


def _printed(value: Value) -> str:
    """Format a value for the output, or for an error."""
    if value is None:
        return "<no value>"
    if type(value) is int:
        return str(value)
    from cp.config.template.fmt import sprint

    return sprint(value)
