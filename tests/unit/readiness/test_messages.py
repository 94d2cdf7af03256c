"""What the bytes of a message of sd_notify(3) mean."""

from __future__ import annotations

import pytest

from cp.readiness.messages import LONGEST_STATUS, MOST_LINES, assignments, status_text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"READY=1", [("READY", "1")]),
        (b"READY=1\n", [("READY", "1")]),
        (b"READY=1\0", [("READY", "1")]),
        (b"READY=1\nSTATUS=a=b\nMAINPID=12", [("READY", "1"), ("STATUS", "a=b"), ("MAINPID", "12")]),
        (b"", []),
        (b"\n\n", []),
        (b"READY", []),
        (b"=1", []),
        (b"STATUS=", [("STATUS", "")]),
        (b"STATUS=\xff\xfe", [("STATUS", "\udcff\udcfe")]),
        (b"\xff=\n1=\r", [("\udcff", ""), ("1", "\r")]),
    ],
)
def test_a_message_has_an_assignment_on_each_line(message: bytes, expected: list[tuple[str, str]]) -> None:
    assert assignments(message) == expected


@pytest.mark.parametrize("message", [b"READY=1\0STATUS=x", b"\0READY=1", b"READY=1\0\0"])
def test_a_message_with_a_nul_character_inside_is_no_text(message: bytes) -> None:
    with pytest.raises(ValueError, match="not a text: it has a NUL character"):
        assignments(message)


def test_only_the_first_lines_of_a_message_count() -> None:
    assert len(assignments(b"A=\n" * 2000)) == MOST_LINES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" listening on :80 ", "listening on :80"),
        ("", ""),
        ("\x1b[2J\rbad\tend", "\\x1b[2J\\rbad\\tend"),
        ("\udcff", "\\udcff"),
        ("größer", "größer"),
        ("x" * 300, "x" * LONGEST_STATUS),
        ("x" * 255 + "ß", "x" * 255),
        ("x" * 254 + "ß", "x" * 254 + "ß"),
        ("x" * 253 + "😀", "x" * 253),
    ],
)
def test_a_status_is_printable_and_short(text: str, expected: str) -> None:
    assert status_text(text) == expected
    assert len(expected.encode()) <= LONGEST_STATUS
