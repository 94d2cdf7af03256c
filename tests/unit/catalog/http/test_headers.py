"""The headers of an answer, against what the standard library's `email` makes of the same lines."""

from __future__ import annotations

import email.message
import email.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.catalog.http.headers import Message, Parser

FOUND = [
    "Content-Length: 2\r\n",
    "A:b\n",
    "a: \r\n",
    "A: \xe4\x85\x0b\x1c\r\n",
    "A: b\rC: d\r\n",
    " folded\r\n",
    "\tmore \n",
]
STRANGE = [": no name\r\n", "From x: y\r\n", "none\r\n", "A : b\r\n", "Ä: ü\r\n", "\r\n"]
ANY = st.text("aB:- \t\r\n\x00\xa0\xff", max_size=8)
LINES = st.lists(st.one_of(st.sampled_from(FOUND), st.sampled_from(STRANGE), ANY), max_size=8)


def read(text: str) -> Message:
    return Parser().parsestr(text)


def unfolded(message: Message | email.message.Message) -> list[tuple[str, str]]:
    """Later Pythons drop the end of a first line that has only a name, earlier ones do not."""
    return [(name, value.lstrip()) for name, value in message.items()]


@given(LINES)
def test_headers_are_read_as_by_the_email_package(lines: list[str]) -> None:
    text = "".join(lines)
    assert unfolded(read(text)) == unfolded(email.parser.Parser().parsestr(text))


def test_a_name_is_found_in_any_case() -> None:
    message = read("X-Index: 7\r\nset-cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n")
    assert message.get("x-index") == message["X-INDEX"] == "7"
    assert message.get_all("SET-Cookie") == ["a=b", "c=d"]
    assert "set-cookie" in message
    assert "cookie" not in message
    assert (message.get("cookie", "none"), message.get_all("cookie")) == ("none", None)


def test_a_header_can_be_replaced() -> None:
    """As urllib3 does with folded ones."""
    message = read("A: b\r\n c\r\na: d\r\nE: f\r\n")
    del message["A"]
    message["A"] = "b c"
    assert message.items() == [("E", "f"), ("A", "b c")]
    assert message.keys() == ["E", "A"]


def test_missing_parts_of_a_message_come_from_a_real_one() -> None:
    message = read("Content-Type: text/html; charset=UTF-8\r\n\r\n")
    assert message.get_content_type() == "text/html"
    assert message.get_content_charset() == "utf-8"
    with pytest.raises(AttributeError):
        _ = message.gibberish
    with pytest.raises(AttributeError):
        _ = message._gibberish
