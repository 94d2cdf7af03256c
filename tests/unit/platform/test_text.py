from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.platform import text


@given(st.binary())
def test_all_bytes_survive(data: bytes) -> None:
    assert text.to_bytes(text.from_bytes(data)) == data


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_utf_8(written: str) -> None:
    assert text.to_bytes(written) == written.encode()


def test_a_surrogate_that_encodes_no_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        text.to_bytes("\ud800")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("n\u00e4h: \u65e5\u672c 'x' \\", "n\u00e4h: \u65e5\u672c 'x' \\"),
        ("a\x1b[31m\x85\r\u2028", "a\\x1b[31m\\x85\\r\\u2028"),
        ("first\nsecond\0", "first\nsecond\\x00"),
        ("\udcff\ud83d", "\\udcff\\ud83d"),
    ],
)
def test_a_message_is_readable(written: str, shown: str) -> None:
    assert text.readable(written) == shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "euc_jp", "gb18030"])
@given(written=st.text(st.characters(exclude_categories=["Cs"])))
def test_text_survives_the_decoding_of_python_by_the_locale(encoding: str, written: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_PYTHON_IS_UTF8", False)
        patch.setattr("os.fsencode", lambda each: each.encode(encoding, "surrogateescape"))
        patch.setattr("os.fsdecode", lambda each: each.decode(encoding, "surrogateescape"))
        try:
            decoded = written.encode().decode(encoding, "surrogateescape")
            faithful = decoded.encode(encoding, "surrogateescape") == written.encode()
        except UnicodeError:
            faithful = False
        if faithful:  # by no means all codecs give the same bytes again
            assert text.decoded_by_python(decoded) == written
            assert text.for_python_to_encode(written).encode(encoding, "surrogateescape") == written.encode()


def test_variables_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"ODD", b"\xff=\xc3\xb6")
    assert text.process_environment()["ODD"] == "\udcff=ö"


def test_an_lc_ctype_that_python_did_not_add_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LC_CTYPE", "C.UTF-8")
    monkeypatch.setattr(text, "_is_coerced", lambda: False)
    assert text.process_environment()["LC_CTYPE"] == "C.UTF-8"
    monkeypatch.setattr(text, "_is_coerced", lambda: True)
    assert "LC_CTYPE" not in text.process_environment()
    monkeypatch.setenv("LC_CTYPE", "de_DE.UTF-8")
    assert text.process_environment()["LC_CTYPE"] == "de_DE.UTF-8"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1.0, "0.0 s"),  # a clock that went back
        (0.0, "0.0 s"),
        (12.34, "12.3 s"),
        (59.6, "1 min 0 s"),
        (3599.0, "59 min 59 s"),
        (3600.0, "1 h 0 min"),
        (90_000.0, "25 h 0 min"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, shown: str) -> None:
    assert text.duration_text(seconds) == shown
