"""Parses a template: tokens to statements.

Open blocks are in a list instead of on Python's stack: a text may nest `if`, or repeat `else if`, without a limit.
"""

from __future__ import annotations

from cp.config.template.expressions import ExpressionParser
from cp.config.template.lexer import EOF, LEFT, RIGHT, STRING, TEXT
from cp.config.template.nodes import Action, Branch, Call, Jump, Text, is_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from cp.config.template.lexer import Token
    from cp.config.template.nodes import Body


class _Block:
    """An open block, and the state to restore at its end."""

    __slots__ = ("body", "branch", "call", "chained", "head", "in_else", "kind", "left", "name", "ranges", "variables")

    def __init__(self, kind: str, left: Token, body: Body, variables: int | list[str], ranges: int) -> None:
        self.kind = kind  # if, with, range, define or block
        self.left = left  # its left delimiter
        self.body = body
        self.variables = variables  # their number for a branch; the list itself for a template
        self.ranges = ranges
        self.branch: Branch | None = None
        self.chained = False  # it is the `if` of an `else if`, which has no `end` of its own
        self.in_else = False
        self.name = ""
        self.call: Call | None = None
        self.head = left  # the last token of its head, whose line is in Go's errors


def parse(name: str, text: str, functions: Container[str]) -> dict[str, Body]:
    """Parse the templates that the text defines. The text itself is the template `name`.

    `functions` has the names of all functions. Raises TemplateError.
    """
    return _Parser(name, text, functions).templates()


class _Parser(ExpressionParser):
    __slots__ = ("blocks", "body", "defined", "ranges")

    def __init__(self, name: str, text: str, functions: Container[str]) -> None:
        super().__init__(name, text, functions)
        self.blocks: list[_Block] = []
        self.body: Body = []  # gets the next node
        self.ranges = 0  # the number of open bodies of ranges
        self.defined: dict[str, Body] = {}

    def templates(self) -> dict[str, Body]:
        root = self.body
        while True:
            token = self.next()
            kind = token[0]
            if kind is TEXT:
                self.body.append(Text(token[2]))
            elif kind is LEFT:
                self.statement(token)
            elif kind is EOF:
                if self.blocks:
                    raise self.error("unexpected EOF", self.blocks[-1].left)
                self.define(self.name, root)
                return self.defined
            else:
                raise self.unexpected(token, "input")

    def statement(self, left: Token) -> None:
        word = self.next_word()
        kind = word[0]
        if kind == "define" and not self.blocks:
            self.open_definition(left)
            return
        self.action = left
        if kind in ("if", "with", "range"):
            self.open_branch(kind, left, chained=False)
            return  # `action` stays: Go names it for an unclosed comment in the body, too
        if kind == "end":
            self.expect(RIGHT, "end")
            self.close(left)
        elif kind == "else":
            self.otherwise(left)
        elif kind in ("break", "continue"):
            token = self.next_word()
            if token[0] is not RIGHT:
                raise self.unexpected(token, f"{{{{{kind}}}}}")
            if not self.ranges:
                raise self.error(f"{{{{{kind}}}}} outside {{{{range}}}}", word)
            self.body.append(Jump(kind))
        elif kind == "template":
            self.body.append(self.call())
        elif kind == "block":
            self.open_block(left)
        else:
            self.pushed.append(word)
            self.body.append(Action(self.pipeline("command", RIGHT)))
        self.action = None

    def open_branch(self, kind: str, left: Token, chained: bool) -> None:
        variables = len(self.variables)
        branch = Branch(kind, self.pipeline(kind, RIGHT))
        block = _Block(kind, left, self.body, variables, self.ranges)
        block.branch = branch
        block.chained = chained
        self.blocks.append(block)
        self.body.append(branch)
        self.body = branch.body
        if kind == "range":
            self.ranges += 1

    def otherwise(self, left: Token) -> None:
        word = self.peek_word()
        if word[0] not in ("if", "with"):
            word = self.expect(RIGHT, "else")
        if not self.blocks:
            raise self.error("unexpected {{else}}", left)
        block = self.blocks[-1]
        if block.branch is None:
            line = 0 if block.call is None else self.line_of(block.head)
            raise self.error(f"unexpected {{{{else}}}} in {block.kind} clause", left, line)
        if block.in_else:
            raise self.error("expected end; found {{else}}", left)
        block.in_else = True
        self.ranges = block.ranges
        self.body = block.branch.otherwise
        if word[0] is not RIGHT:
            self.action = None
            if word[0] != block.kind:
                raise self.unexpected(word, "input")
            self.next_word()
            self.open_branch(block.kind, left, chained=True)

    def close(self, left: Token) -> None:
        """Parse an `end`: close the innermost block, together with its `else if` blocks."""
        if not self.blocks:
            raise self.error("unexpected {{end}}", left)
        while True:
            block = self.blocks.pop()
            if block.branch is None:
                self.define(block.name, self.body)
            self.body = block.body
            self.ranges = block.ranges
            if isinstance(block.variables, int):
                del self.variables[block.variables :]
            else:
                self.variables = block.variables
            if block.call is not None:
                self.body.append(block.call)
            if not block.chained:
                return

    def open_template(self, kind: str, left: Token, name: str) -> _Block:
        """Begin a template of its own: variables and ranges around it are not visible in it."""
        block = _Block(kind, left, self.body, self.variables, self.ranges)
        block.name = name
        self.blocks.append(block)
        self.body = []
        self.variables = ["$"]
        self.ranges = 0
        return block

    def open_definition(self, left: Token) -> None:
        name = self.string(self.expect(STRING, "define clause"))
        self.expect(RIGHT, "define clause")
        self.open_template("define", left, name)

    def open_block(self, left: Token) -> None:
        token = self.expect(STRING, "block clause")
        name = self.string(token)
        call = Call(token[1], name, self.pipeline("block clause", RIGHT))
        head = self.last
        block = self.open_template("block", left, name)
        block.call = call
        block.head = head

    def define(self, name: str, body: Body) -> None:
        """Define a template. Of two definitions with one name, one must be empty; the other one counts."""
        if is_empty(self.defined.get(name, [])):
            self.defined[name] = body
        elif not is_empty(body):
            from cp.config.template.literals import quote

            raise self.error(f"template: multiple definition of template {quote(name)}")

    def call(self) -> Call:
        token = self.expect(STRING, "template clause")
        name = self.string(token)
        if self.peek_word()[0] is RIGHT:
            self.next_word()
            return Call(token[1], name, None)
        return Call(token[1], name, self.pipeline("template clause", RIGHT))
