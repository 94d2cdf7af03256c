"""What the HTTP client uses of urllib3 and of `http.client` is documented, and so it does not change with a version."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cp.catalog.http

FOLDER = Path(cp.catalog.http.__file__).parent


def private_names(source: str) -> list[str]:
    """Attributes with an underscore before them that are read or written of anything but `self` and `cls`."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not (node.attr.startswith("__") and node.attr.endswith("__"))
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_only_names_without_an_underscore_are_used(file: Path) -> None:
    own = ["._headers"] if file.stem == "headers" else []  # of a class in the same file
    found = [name for name in private_names(file.read_text()) if not name.endswith(tuple(own))]
    assert found == []


def test_such_a_name_is_found() -> None:
    assert private_names("self._own\nconnection._new_conn = 1\nx.__dict__") == ["2: connection._new_conn"]
