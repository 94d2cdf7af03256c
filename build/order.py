"""The order in which modules can be executed, each after those that it imports."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def imports(source: str) -> Iterator[str]:
    """The names of the modules that a module imports when it is executed, and of what may be modules. Imports in
    functions come later, and those under `if TYPE_CHECKING:` never."""
    blocks = [ast.parse(source).body]
    while blocks:
        for statement in blocks.pop(0):
            if isinstance(statement, ast.Import):
                yield from (each.name for each in statement.names)
            elif isinstance(statement, ast.ImportFrom):
                yield statement.module or ""
                yield from (f"{statement.module}.{each.name}" for each in statement.names)
            elif isinstance(statement, ast.If):
                is_for_types = isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING"
                blocks += [statement.orelse] if is_for_types else [statement.body, statement.orelse]
            elif isinstance(statement, ast.Try):
                blocks.append(statement.body)


def in_order(sources: Mapping[str, str]) -> list[str]:
    """The modules of `sources` (name -> text), each after its package and after those of them that it imports."""
    ordered: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in sources:
            return
        seen.add(name)
        visit(name.rpartition(".")[0])
        for imported in imports(sources[name]):
            visit(imported)
        ordered.append(name)

    for name in sorted(sources):
        visit(name)
    return ordered
