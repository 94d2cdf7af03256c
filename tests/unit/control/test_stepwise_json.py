"""JSON in steps is the JSON of the standard library, and each step is short."""

from __future__ import annotations

import json
from collections.abc import Generator
from json import JSONDecodeError, JSONDecoder
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.control.stepwise_json import DEEPEST, TooDeep, read_json
from tests.fuzz.material import whole

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=3), each, max_size=4),
    max_leaves=8,
)


def read(text: str) -> object:
    return whole(read_json(text, JSONDecoder()))


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_it_is_the_value_that_json_reads(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert read(f" {text}\r\n") == value


@given(VALUES, st.data())
def test_texts_that_json_refuses_are_refused(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    place = data.draw(st.integers(0, len(text)))
    changed = (
        text[:place]
        + data.draw(st.sampled_from(["", "[", "]", "{", "}", ",", ":", '"', "1", " ", "x"]))
        + text[place + 1 :]
    )
    try:
        wanted = json.loads(changed)
    except JSONDecodeError:
        with pytest.raises(JSONDecodeError):
            read(changed)
    else:
        assert read(changed) == wanted


def test_an_error_has_its_place() -> None:
    for text, place in (
        ("{{", 1),
        ('{"a" 1}', 5),
        ('{"a": 1 "b"}', 8),
        ("[1 2]", 3),
        ("1 2", 2),
        ('{"a": }', 6),
        ("", 0),
    ):
        with pytest.raises(JSONDecodeError) as error:
            read(text)
        assert error.value.pos == place, text


def test_of_a_key_that_is_there_twice_the_last_counts() -> None:
    assert read('{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_there_is_a_limit_to_the_depth(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    assert read(opening * (DEEPEST - 1) + "[]" + closing * (DEEPEST - 1))
    with pytest.raises(TooDeep):
        read(opening * 100_000)


def test_each_member_and_each_element_is_a_step() -> None:
    def steps(reading: Generator[None, None, object]) -> int:
        return sum(1 for _ in reading)

    numbers = list(range(1000))
    assert steps(read_json(json.dumps(numbers), JSONDecoder())) == 1000
    assert steps(read_json(json.dumps({"a": numbers}), JSONDecoder())) == 1001
    assert steps(read_json(json.dumps(dict.fromkeys(map(str, numbers))), JSONDecoder())) == 1000
