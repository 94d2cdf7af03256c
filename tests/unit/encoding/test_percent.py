"""Percent-encoding, compared with the standard library's."""

from __future__ import annotations

from urllib.parse import quote, quote_plus, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.encoding import percent


@given(st.binary())
def test_bytes_are_encoded_and_decoded_as_the_standard_library_does(data: bytes) -> None:
    assert percent.encoded(data) == quote(data, safe="")
    assert percent.encoded(data, b":/") == quote(data, safe=":/")
    assert percent.form_encoded(data) == quote_plus(data, safe="")
    assert percent.decoded(percent.encoded(data).encode()) == data


@given(st.lists(st.sampled_from([b"%", b"4", b"a", b"F", b"g", b"+", b" ", b"\xff", b"_"])).map(b"".join))
def test_unknown_escapes_stay(data: bytes) -> None:
    assert percent.decoded(data) == unquote_to_bytes(data)


@given(st.binary())
def test_the_pieces_know_how_long_they_were(data: bytes) -> None:
    found, sizes = percent.pieces(data)
    assert (b"".join(found), sum(sizes)) == (percent.decoded(data), len(data))


def test_a_form_has_names_and_values() -> None:
    fields: list[tuple[str, str | bytes]] = [("na me", "a&b=c"), ("é", "+"), ("raw", b"\xff~"), ("empty", "")]
    assert percent.form(fields) == urlencode(fields) == "na+me=a%26b%3Dc&%C3%A9=%2B&raw=%FF~&empty="
    with pytest.raises(UnicodeEncodeError):
        percent.form([("name", "\ud800")])
