"""Parses the inside of an action: tokens to pipelines.

Parentheses are parsed by recursion, with a limit to their depth.
"""

from __future__ import annotations

from cp.config.template.errors import read_error
from cp.config.template.lexer import (
    ASSIGN,
    BOOL,
    CHAR,
    CHARACTER,
    DECLARE,
    DOT,
    EOF,
    ERROR,
    FIELD,
    IDENTIFIER,
    KEYWORDS,
    LEFT_PAREN,
    NUMBER,
    PIPE,
    RIGHT,
    RIGHT_PAREN,
    SPACE,
    STRING,
    VARIABLE,
    tokens,
)
from cp.config.template.nodes import Chain, Command, Constant, Dot, Field, Identifier, Nil, Number, Pipeline, Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from cp.config.template.errors import TemplateError
    from cp.config.template.lexer import Token
    from cp.config.template.nodes import Operand

#: The limit to nested parentheses. Go allows more, but Python's stack is limited, and real templates need only a few.
MAX_PARENTHESES = 50
#: The limit to variables at one place: each use searches them.
MAX_VARIABLES = 1000

_OPERANDS = frozenset((BOOL, CHARACTER, DOT, FIELD, IDENTIFIER, NUMBER, "nil", STRING, VARIABLE, LEFT_PAREN))


class ExpressionParser:
    """Parses pipelines from the tokens of a text. Knows the functions, and the variables at the current place."""

    __slots__ = ("action", "functions", "last", "name", "parentheses", "pushed", "source", "text", "variables")

    def __init__(self, name: str, text: str, functions: Container[str]) -> None:
        self.name = name
        self.text = text
        self.functions = functions
        self.source: Iterator[Token] = tokens(text)
        self.last: Token = (EOF, 0, "EOF")  # the last one of the lexer: its line is in every error
        self.pushed: list[Token] = []  # pushed back by the parser
        self.action: Token | None = None  # the start of the current action, for the error that it is not closed
        self.variables = ["$"]
        self.parentheses = 0

    # Tokens.

    def next(self) -> Token:
        if self.pushed:
            return self.pushed.pop()
        self.last = next(self.source, self.last)
        return self.last

    def peek(self) -> Token:
        if not self.pushed:
            self.pushed.append(self.next())
        return self.pushed[-1]

    def next_word(self) -> Token:
        token = self.next()
        return self.next() if token[0] is SPACE else token  # two spaces are one token

    def peek_word(self) -> Token:
        token = self.next_word()
        self.pushed.append(token)
        return token

    # Errors.

    def line_of(self, token: Token) -> int:
        return self.text.count("\n", 0, token[1]) + 1

    def error(self, message: str, token: Token | None = None, line: int = 0) -> TemplateError:
        """An error at `token`, or at the last token. Go counts lines by the lexer, which may be one token ahead."""
        offset = (token or self.last)[1]
        return read_error(self.name, self.text, message, offset, line or self.line_of(self.last))

    def unexpected(self, token: Token, context: str) -> TemplateError:
        kind, _, value = token
        if kind is ERROR:
            extra = ""
            if self.action and self.line_of(self.action) != self.line_of(token):
                word = "" if value.endswith(" action") else " in action"  # "unclosed action started at"
                extra = f"{word} started at {self.name}:{self.line_of(self.action)}"
            return self.error(value + extra, (value == "unclosed action" and self.action) or token)
        return self.error(f"unexpected {_shown(token)} in {context}", token)

    def expect(self, kind: str, context: str) -> Token:
        token = self.next_word()
        if token[0] is not kind:
            raise self.unexpected(token, context)
        return token

    # Expressions.

    def pipeline(self, context: str, end: str) -> Pipeline:
        pipeline = Pipeline(self.peek_word()[1])
        self.declarations(pipeline, context)
        while True:
            token = self.next_word()
            if token[0] is end:
                break
            if token[0] not in _OPERANDS:
                raise self.unexpected(token, context)
            self.pushed.append(token)
            pipeline.commands.append(self.command())
        if not pipeline.commands:
            raise self.error(f"missing value for {context}", token)
        for stage, command in enumerate(pipeline.commands[1:], 2):
            if isinstance(command.operands[0], (Dot, Nil, Number, Constant)):
                raise self.error(f"non executable command in pipeline stage {stage}", (EOF, command.offset, ""))
        return pipeline

    def declarations(self, pipeline: Pipeline, context: str) -> None:
        """`$x :=`, `$x =`, and in a range also `$i, $x :=`."""
        while self.peek_word()[0] is VARIABLE:
            variable = self.next_word()
            after = self.peek()
            sign = self.peek_word()
            if sign[0] is DECLARE or sign[0] is ASSIGN:
                self.next_word()
                pipeline.assigns = sign[0] is ASSIGN
                self.declare(pipeline, variable)
                return
            if sign[0] is not CHAR or sign[2] != ",":
                if after[0] is SPACE:
                    self.pushed.append(after)
                self.pushed.append(variable)
                return
            self.next_word()
            self.declare(pipeline, variable)
            if context != "range" or len(pipeline.variables) > 1:
                raise self.error(f"too many declarations in {context}", sign)
            if self.peek_word()[0] not in (VARIABLE, RIGHT, RIGHT_PAREN):
                raise self.error("range can only initialize variables", self.peek_word())

    def declare(self, pipeline: Pipeline, variable: Token) -> None:
        if len(self.variables) > MAX_VARIABLES:
            raise self.error(f"more than {MAX_VARIABLES} variables", variable)
        pipeline.variables.append(variable[2])
        self.variables.append(variable[2])

    def command(self) -> Command:
        """Parse operands with spaces between them, up to a `|`, which is consumed, or the end, which is not."""
        command = Command(self.peek_word()[1])
        while True:
            token = self.next_word()
            if token[0] in _OPERANDS:
                command.operands.append(self.operand(token))
                token = self.next()
            kind = token[0]
            if kind is SPACE:
                continue
            if kind is RIGHT or kind is RIGHT_PAREN:
                self.pushed.append(token)
            elif kind is not PIPE:
                raise self.unexpected(token, "operand")
            return command

    def operand(self, token: Token) -> Operand:
        """A term, perhaps followed by fields: `$x.A`, `(pipeline).A.B`."""
        term = self.term(token)
        field = self.peek()
        if field[0] is not FIELD:
            return term
        names = []
        while self.peek()[0] is FIELD:
            names.append(self.next()[2][1:])
        if isinstance(term, (Dot, Nil, Number, Constant)):
            from cp.config.template.literals import quote

            raise self.error(f"unexpected . after term {quote(str(term))}", field)
        if isinstance(term, Field):
            term.names += names
        elif isinstance(term, Variable):
            term.fields += names
        else:
            term = Chain(token[1], term)
            term.fields += names
        term.error_offset = field[1]
        return term

    def term(self, token: Token) -> Operand:
        kind, offset, text = token
        if kind is FIELD:
            return Field(offset, [text[1:]])
        if kind is VARIABLE:
            if text not in self.variables:
                raise self.error(f'undefined variable "{text}"', token)
            return Variable(offset, text)
        if kind is IDENTIFIER:
            if text not in self.functions:
                raise self.error(f'function "{text}" not defined', token)
            return Identifier(offset, text)
        if kind is STRING:
            return Constant(offset, text, self.string(token))
        if kind is NUMBER or kind is CHARACTER:
            return Number(offset, text, self.number(token))
        if kind is BOOL:
            return Constant(offset, text, text == "true")
        if kind is LEFT_PAREN:
            if self.parentheses >= MAX_PARENTHESES:
                raise self.error("max expression depth exceeded", token)
            self.parentheses += 1
            pipeline = self.pipeline("parenthesized pipeline", RIGHT_PAREN)
            self.parentheses -= 1
            return pipeline
        return Dot(offset) if kind == DOT else Nil(offset)

    def string(self, token: Token) -> str:
        text = token[2]
        if "\\" not in text and "\r" not in text:
            return text[1:-1]
        from cp.config.template.literals import LiteralError, unquote

        try:
            return unquote(text)
        except LiteralError as error:
            raise self.error(str(error), token) from None

    def number(self, token: Token) -> complex:
        text = token[2]
        if text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 18:
            return int(text)
        from cp.config.template.literals import LiteralError, character, number

        try:
            return character(text) if token[0] is CHARACTER else number(text)
        except LiteralError as error:
            raise self.error(str(error), token) from None


def _shown(token: Token) -> str:
    """A token as in Go's errors."""
    kind, _, text = token
    if kind is EOF:
        return "EOF"
    if kind in KEYWORDS:
        return f"<{text}>"
    from cp.config.template.literals import quote
    from cp.config.template.values import to_bytes

    return quote(text) if len(to_bytes(text)) <= 10 else quote(text[:10]) + "..."
