"""JSON without the module json: the same texts and values as with it."""

from __future__ import annotations

import json
from json.encoder import encode_basestring as real_basestring
from json.encoder import encode_basestring_ascii as real_basestring_ascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp import json_fallback

any_text = st.text(st.characters(exclude_categories=())) | st.text('\\"\n\t\0\x1f\x7f\x80\ud800\U0001f600a')
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=20,
)


@given(any_text)
def test_strings_are_written_as_json_writes_them(text: str) -> None:
    assert json_fallback.encode_basestring(text) == real_basestring(text)
    assert json_fallback.encode_basestring_ascii(text) == real_basestring_ascii(text)


@given(values)
def test_values_are_written_as_json_writes_them(value: object) -> None:
    assert json_fallback.dumps(value) == json.dumps(value)


@given(st.text("[]{}:,\"\\ue0-+.1tfn \n'/*", max_size=12))
def test_text_that_is_not_json_is_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            json_fallback.loads(text)
    else:
        assert json_fallback.loads(text) == expected


def test_an_entry_of_the_catalogue_is_read() -> None:
    entry = {"id": "a-\u00e9", "port": 80, "tags": ["x", '"'], "ttl": 10, "deadline": 1767225600.125, "output": "a\nb"}

    assert json_fallback.loads(json.dumps(entry).encode()) == entry


@pytest.mark.parametrize("content", [b"\xff", b"", b"{}x", b"[1,]", b"{a: 1}", b"'a'", b"// a\n1", b"[" * 500])
def test_bytes_that_are_not_json(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_fallback.loads(content)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), {1: 2}, object()])
def test_values_that_cannot_be_json(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"JSON|key"):
        json_fallback.dumps(value)
