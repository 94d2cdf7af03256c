"""The order in which the modules of the start are executed."""

from __future__ import annotations

import pytest

from build.order import in_order


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import b", "b"),
        ("import b.c", "b.c"),
        ("import os, b", "b"),
        ("from b import name", "b"),
        ("from b import c", "b.c"),
        ("from b.c import name as other", "b.c"),
        ("if True:\n    import b.c\n", "b.c"),
        ("try:\n    import b.c\nexcept ImportError:\n    pass\n", "b.c"),
        ("TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import d\nelse:\n    from b import c\n", "b.c"),
    ],
)
def test_what_is_imported_comes_first(source: str, needed: str) -> None:
    order = in_order({"a": source, "b": "", "b.c": "", "d": ""})

    assert order.index("a") > order.index(needed)
    assert sorted(order) == ["a", "b", "b.c", "d"]


def test_imports_of_functions_and_for_types_do_not_count() -> None:
    source = "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import b\ndef function():\n    import b\n"

    assert in_order({"a": source, "b": ""}) == ["a", "b"]


def test_package_comes_before_its_modules_but_after_those_that_it_imports() -> None:
    assert in_order({"p.last": "", "p": "from p.first import name", "p.first": ""}) == ["p.first", "p", "p.last"]


def test_circle_ends() -> None:
    assert in_order({"a": "import b", "b": "import a"}) == ["b", "a"]
