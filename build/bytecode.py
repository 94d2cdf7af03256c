"""Compiles modules to bytecode. Run by each Python that the archive gets bytecode for, in a process of its own.

Standard input has one module a line, separated by tabs: name, `package` or `module`, the file, its name in tracebacks.
Standard output gets a marshalled `{name: (is it a package, marshalled code)}`. With the argument `start` the first line
is the importer, and what is written is the pair of its code and `{name: (is it a package, code)}`: these modules are
all needed, and read faster in one go. With `application` and names it is the pair of these names (modules in the order
in which they can be executed, also those of `start`) and such a dictionary, in which modules that are not named are
marshalled code, since not every application needs them. Behind both stands a hash (8 bytes) of
every 61st byte, which `entry/__main__.py` and the importer check.

Left out are docstrings, a tenth of the archive and of the memory of our modules, which nothing reads; and the import of
`__future__`, a module that every start would have to load for the sake of what the compiler can be told.

It imports only what every interpreter has built in: what else is alive in a process leaves traces in what `marshal`
writes.
"""

from __future__ import annotations

import _ast
import _imp
import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

MAGIC = int.from_bytes(MAGIC_NUMBER[:2], "little")
DOCUMENTED = (_ast.Module, _ast.ClassDef, _ast.FunctionDef, _ast.AsyncFunctionDef)
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
SAMPLED = 61
FUTURE_ANNOTATIONS = 0x1000000  # __future__.annotations.compiler_flag


def is_docstring(statement: _ast.stmt) -> bool:
    return (
        isinstance(statement, _ast.Expr)
        and isinstance(statement.value, _ast.Constant)
        and isinstance(statement.value.value, str)
    )


def drop_docstrings(node: _ast.AST) -> None:
    if isinstance(node, DOCUMENTED) and node.body and is_docstring(node.body[0]):
        place = {"lineno": node.body[0].lineno, "col_offset": node.body[0].col_offset}
        node.body[:1] = [] if len(node.body) > 1 else [_ast.Pass(**place)]
    for block in BLOCKS:
        for statement in getattr(node, block, ()):
            drop_docstrings(statement)


def is_future_annotations(statement: _ast.stmt) -> bool:
    return (
        isinstance(statement, _ast.ImportFrom)
        and statement.module == "__future__"
        and [each.name for each in statement.names] == ["annotations"]
    )


def compile_module(source: bytes, shown: str) -> CodeType:
    tree: Any = compile(source, shown, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    drop_docstrings(tree)
    flags = FUTURE_ANNOTATIONS if any(map(is_future_annotations, tree.body)) else 0
    tree.body = [statement for statement in tree.body if not is_future_annotations(statement)]
    return compile(tree, shown, "exec", flags, dont_inherit=True, optimize=0)  # type: ignore[no-any-return]


def compile_line(line: str) -> tuple[str, bool, CodeType]:
    name, kind, file, shown = line.rstrip("\n").split("\t")
    with open(file, "rb") as source:
        return name, kind == "package", compile_module(source.read(), shown)


def pack(lines: list[str]) -> bytes:
    return marshal.dumps({name: (package, marshal.dumps(code)) for name, package, code in map(compile_line, lines)})


def pack_start(lines: list[str]) -> bytes:
    _, _, importer = compile_line(lines[0])
    return hashed((importer, together(lines[1:])))


def pack_application(names: list[str], lines: list[str]) -> bytes:
    modules = together(lines)
    later = {name: (package, marshal.dumps(code)) for name, (package, code) in modules.items() if name not in names}
    return hashed((tuple(names), {**modules, **later}))


def together(lines: list[str]) -> dict[str, tuple[bool, CodeType]]:
    return {name: (package, code) for name, package, code in map(compile_line, lines)}


def hashed(value: tuple[Any, ...]) -> bytes:
    packed = marshal.dumps(value)
    return packed + _imp.source_hash(MAGIC, packed[::SAMPLED])


def main(arguments: list[str], lines: list[str]) -> bytes:
    if arguments == ["start"]:
        return pack_start(lines)
    return pack_application(arguments[1:], lines) if arguments else pack(lines)


if __name__ == "__main__":
    sys.stdout.buffer.write(main(sys.argv[1:], sys.stdin.readlines()))
