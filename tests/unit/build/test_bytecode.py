"""The bytecode in the archive means what the sources mean."""

from __future__ import annotations

import inspect
import marshal
import sys
import textwrap
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from build import bytecode
from build.entry._bootstrap.importer import unpack

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


@pytest.mark.parametrize("future", ["from __future__ import annotations", ""], ids=["unevaluated", "evaluated"])
def test_annotations_of_functions_and_modules_are_left_out(future: str) -> None:
    names = executed(
        f"""
        {future}
        COUNT: NoSuchName = 5
        NOTHING: NoSuchName
        def function(first: NoSuchName, /, second: NorThis = 2, *rest: Nor, named: This = 4, **more: Too) -> None:
            local: NoSuchName = first + second + named + COUNT
            return local
        async def coroutine(argument: NoSuchName) -> None: ...
        """
    )

    assert names["function"](1) == 12
    assert names["function"].__annotations__ == names["coroutine"].__annotations__ == {}
    assert not {"annotations", "NOTHING", "__annotations__"} & set(names)


def test_annotations_of_a_class_stay_where_its_base_or_decorator_may_read_them() -> None:
    names = executed(
        """
        from __future__ import annotations
        from typing import NamedTuple
        def dataclass(cls):
            cls.__init__.__defaults__ = tuple(getattr(cls, name) for name in cls.__annotations__)
            return cls
        class Pair(NamedTuple):
            first: int
            second: int = 2
        @dataclass
        class Data:
            field: int = 3
            def __init__(self, field=None):
                self.field = field
        class Meta(type):
            def __new__(mcs, name, bases, namespace):
                return super().__new__(mcs, name, bases, {"noticed": list(namespace["__annotations__"])})
        class Fields(metaclass=Meta):
            field: int
        class Plain:
            \"\"\"About it.\"\"\"
            field: int
            value: int = 4
        """
    )

    assert names["Pair"](1) == (1, 2)
    assert names["Data"]().field == 3
    assert names["Fields"].noticed == ["field"]
    assert (names["Plain"].value, inspect.get_annotations(names["Plain"])) == (4, {})


def test_code_for_the_type_checker_is_left_out() -> None:
    names = executed(
        """
        import typing
        from typing import overload
        TYPE_CHECKING = False
        if TYPE_CHECKING:
            from no.such.module import Name
        if typing.TYPE_CHECKING:
            only = "types"
        elif len("a") == 1:
            either = "else"
        if not TYPE_CHECKING:
            neither = "not"
        class Thing:
            if TYPE_CHECKING:
                only = "types"
            @overload
            def method(self, value: int) -> int: ...
            @typing.overload
            def method(self, value: str) -> str: ...
            def method(self, value):
                try:
                    if TYPE_CHECKING:
                        value = None
                finally:
                    pass
                return value
        """
    )

    assert {"Name", "only"} & set(names) == set()
    assert (names["TYPE_CHECKING"], names["either"], names["neither"]) == (False, "else", "not")
    assert not hasattr(names["Thing"], "only")
    assert names["Thing"]().method(7) == 7


def test_class_of_only_annotations_is_still_a_class() -> None:
    assert executed("class Marker:\n    field: int\n")["Marker"]().__class__.__name__ == "Marker"


def test_tracebacks_name_the_file_in_the_archive_and_the_line_in_the_source() -> None:
    names = executed('"""About."""\n\ndef fail():\n    """About."""\n    raise ValueError\n')

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any
        names["fail"]()
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("containerpilot.pyz/example.py", 5)


def test_modules_that_are_not_executed_in_one_go_are_packed_together(tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"def fail():\n    raise ValueError\nNAME = {name!r}\n" * 50)
    lines = [f"{name}\tmodule\t{tmp_path}/{name}.py\tcontainerpilot.pyz/{name}.py\n" for name in names]

    order, modules, places, packed = bytecode.pack_in_order(["cp", "second"], lines)

    assert order == ("cp", "second")
    assert list(modules) == ["second"]
    assert isinstance(modules["second"][1], CodeType)
    assert list(places) == ["first", "third"]
    for name, (is_package, begin, end) in places.items():
        found: dict[str, Any] = {}
        exec(marshal.loads(unpack(packed, begin, end)), found)
        assert (is_package, found["NAME"]) == (False, name)
    assert len(packed) < end / 3


def lines(code: CodeType) -> list[tuple[str, int, int | None]]:
    """The line of each instruction, in all code."""
    found = [(code.co_name, place, line) for begin, end, line in code.co_lines() for place in range(begin, end, 2)]
    return found + [line for each in code.co_consts if isinstance(each, CodeType) for line in lines(each)]


@pytest.mark.parametrize("path", ["build/archive.py", "cp/config/json5/scanner.py", "cp/engine/engine.py"])
def test_every_instruction_has_the_line_that_the_compiler_gave_it(path: str) -> None:
    code = compile((ROOT / path).read_bytes(), path, "exec", dont_inherit=True)

    assert lines(bytecode.shortened(code)) == lines(code)


def test_lines_far_apart_and_backwards_are_exact() -> None:
    source = "call(\n" + "\n" * 3000 + "*[\n  len('a')\n  for each in range(2)],\n" + "\n" * 70 + "last=(1))\n"
    code = compile(source, "far.py", "exec", dont_inherit=True)

    short = bytecode.shortened(code)

    assert lines(short) == lines(code)
    if sys.version_info >= (3, 11):
        assert len(short.co_linetable) < len(code.co_linetable)
