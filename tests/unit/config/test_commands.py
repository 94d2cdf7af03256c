"""Commands as configurations write them."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from cp.config.commands import CommandError, parse_command
from cp.config.json5.parser import parse


def command(value: Any) -> tuple[str, ...]:
    return parse_command(parse(json.dumps(value)).root)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("/testdata/test.sh arg1", ("/testdata/test.sh", "arg1")),
        (["/testdata/test.sh", "arg1"], ("/testdata/test.sh", "arg1")),
        ("  app  \n", ("app",)),
        ("a  b", ("a", "", "b")),
        ("a\tb\nc d", ("a\tb\nc", "d")),
        ("echo 'hello world!'", ("echo", "'hello", "world!'")),
        (["a b", ""], ("a b", "")),
        (["x", 5, 1.5, 1000000, 1234567, 1e21, 0.00001, -3, True, False], None),
    ],
)
def test_command(value: Any, words: tuple[str, ...] | None) -> None:
    plainly = ("x", "5", "1.5", "1000000", "1234567", "1000000000000000000000", "0.00001", "-3", "true", "false")

    assert command(value) == (words or plainly)


@pytest.mark.parametrize("value", [None, "", "   ", [], 5, True, {}, {"a": 1}, [""], [" ", "x"]])
def test_a_command_without_an_executable_is_refused(value: Any) -> None:
    with pytest.raises(CommandError, match=r"^received zero-length argument"):
        command(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a", None], '[1] is null: an argument is a string (an empty one is "")'),
        (["a", ["b"]], '[1] is an array: an argument is a string (an empty one is "")'),
        (["a", "b", {}], '[2] is an object: an argument is a string (an empty one is "")'),
        ("a\0b", "a command cannot contain a NUL character"),
        (["a", "\0"], "a command cannot contain a NUL character"),
    ],
)
def test_invalid_arguments_are_refused(value: Any, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        command(value)

    assert str(caught.value) == message


def test_the_refusal_points_at_the_argument() -> None:
    with pytest.raises(CommandError) as caught:
        parse_command(parse('["a", null]').root)

    assert caught.value.offset == 6


def test_an_argument_that_no_process_could_be_given_is_refused_at_its_place() -> None:
    most = 32 * os.sysconf("SC_PAGE_SIZE") - 1
    assert command(["a", "x" * most]) == ("a", "x" * most)
    assert command(["a", "é" * (most // 2)])[1] == "é" * (most // 2)
    for argument, size in (("x" * (most + 1), most + 1), ("é" * (most // 2 + 1), 2 * (most // 2 + 1))):
        with pytest.raises(CommandError) as refused:
            command(["a", argument])
        assert str(refused.value) == (f"[1] has {size} bytes: an argument has at most {most}")
        assert refused.value.offset == len('["a", ')
    with pytest.raises(CommandError, match=r"^\[1\] has "):
        command("a " + "x" * (most + 1))


@pytest.mark.parametrize(
    ("data", "what"), [({"cmd": "x"}, "an object"), (5, "a number"), (True, "a boolean"), (None, "null")]
)
def test_another_type_is_named_with_the_required_one(data: Any, what: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_command(parse(json.dumps(data)).root)
    complaint = 'received zero-length argument: must be a string, or an array such as ["/bin/app", "-v"], not '
    assert str(caught.value) == complaint + what
