"""The bytecode in the archive means what the sources mean."""

from __future__ import annotations

import marshal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from build import bytecode

ROOT = Path(__file__).resolve().parents[3]


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(bytecode.compile_module(textwrap.dedent(source).encode(), "containerpilot.pyz/example.py"), names)
    return names


def test_docstrings_are_left_out_and_other_strings_stay() -> None:
    names = executed(
        '''
        """About the module."""
        TEXT = "text"
        class Thing:
            """About the class."""
            def method(self):
                """About the method."""
                return "value"
            def empty(self):
                """Only this."""
        async def coroutine():
            """About the coroutine."""
        if True:
            def inner():
                """About a function in a block."""
                return f"{TEXT}"
        '''
    )

    thing = names["Thing"]
    assert names.get("__doc__") is None
    documented = [thing, thing.method, thing.empty, names["coroutine"], names["inner"]]
    assert [each.__doc__ for each in documented] == [None] * 5
    assert (thing().method(), thing().empty(), names["inner"]()) == ("value", None, "text")


def test_assertions_stay() -> None:
    names = executed("def check(value):\n    assert value, 'no value'\n")

    with pytest.raises(AssertionError, match="no value"):
        names["check"](0)


def test_annotations_are_not_evaluated_and_their_module_is_not_imported() -> None:
    names = executed(
        """
        from __future__ import annotations
        def function(argument: NoSuchName) -> NorThis: ...
        """
    )

    assert names["function"].__annotations__ == {"argument": "NoSuchName", "return": "NorThis"}
    assert "annotations" not in names


def test_annotations_without_the_import_are_evaluated() -> None:
    with pytest.raises(NameError):
        executed("def function(argument: NoSuchName): ...\n")["function"].__annotations__  # noqa: B018 - evaluated now


def test_tracebacks_name_the_file_in_the_archive_and_the_line_in_the_source() -> None:
    names = executed('"""About."""\n\ndef fail():\n    """About."""\n    raise ValueError\n')

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any
        names["fail"]()
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("containerpilot.pyz/example.py", 5)


def test_the_same_modules_give_the_same_bytes(tmp_path: Path) -> None:
    """In any folder, and in every process: names in sets are not in the order of their random hashes."""
    lines = []
    for folder in (tmp_path / "here", tmp_path / "elsewhere" / "deeper"):
        folder.mkdir(parents=True)
        source = folder / "example.py"
        source.write_text("NAMES = {name for name in {'a', 'b', 'c', 'd', 'e'}}\nIS = 'x' in {'a', 'b', 'c', 'x'}\n")
        lines.append(f"example\tmodule\t{source}\tcontainerpilot.pyz/example.py\n")

    first, second = (
        subprocess.run(
            [sys.executable, "-S", "-s", "-B", ROOT / "build" / "bytecode.py"],
            input=line,
            capture_output=True,
            env={"PYTHONHASHSEED": "0"},
            text=False,
            check=True,
        ).stdout
        for line in map(str.encode, lines)
    )

    assert first == second
    assert list(marshal.loads(first)) == ["example"]
