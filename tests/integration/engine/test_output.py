"""Output of children becomes lines: long ones in pieces, and no piece splits a character."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.engine import output
from cp.engine.output import LINE_LIMIT, LineReader, Outputs
from cp.log.masking import Matcher

LIMIT = 24  # bytes; small, so that every boundary is met


class Readers:
    """The outputs of one reader."""

    def __init__(self, matcher: Matcher | None) -> None:
        self.matcher = matcher

    def hold(self, held: bool) -> None:
        pass

    def closed(self, reader: LineReader) -> None:
        pass


def lines_of(pieces: list[bytes], matcher: Matcher | None = None) -> list[str]:
    """The lines that are passed on when a child writes these pieces, one after the other, and closes its output."""
    lines: list[str] = []
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4 * LINE_LIMIT)
    os.set_blocking(read_end, False)
    reader = LineReader(cast("Outputs", Readers(matcher)), read_end, lines.append, None)
    try:
        for piece in pieces:
            os.write(write_end, piece)
            while reader.read():
                pass
    finally:
        os.close(write_end)
        while reader.fd >= 0:
            reader.read()
        reader.close()
    return lines


@contextmanager
def small_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "LINE_LIMIT", LIMIT)
        yield


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("before", range(5))
def test_a_character_at_the_end_of_a_piece_is_not_torn(character: str, before: int) -> None:
    text = "x" * (LINE_LIMIT - before) + character * 4 + "end"
    data = text.encode() + b"\n"
    for size in (len(data), 4096, 4095):
        lines = lines_of([data[start : start + size] for start in range(0, len(data), size)])
        assert "".join(lines) == text
        assert all(len(line.encode()) <= LINE_LIMIT for line in lines)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("length", [LINE_LIMIT - 1, LINE_LIMIT])
def test_a_line_of_the_limit_is_one_line_for_any_pieces(length: int, end: bytes) -> None:
    line = b"x" * length
    for pieces in ([line + end], [line, end], [line + end[:1], end[1:]]):
        assert lines_of(list(filter(None, pieces))) == [line.decode()]


@given(
    st.lists(st.text("aé€😀", max_size=2 * LIMIT), min_size=1, max_size=4),
    st.lists(st.integers(1, 2 * LIMIT), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
)
def test_text_comes_out_as_it_was_written(lines: list[str], sizes: list[int], end: str) -> None:
    with small_limit():
        passed_on = lines_of(cut("".join(line + end for line in lines).encode(), sizes))
    assert "".join(passed_on) == "".join(lines)
    assert all(len(line.encode()) <= LIMIT for line in passed_on)
    assert len(passed_on) <= sum(1 + len(line.encode()) // (LIMIT - 3) for line in lines)


@given(st.binary(max_size=6 * LIMIT), st.lists(st.integers(1, 2 * LIMIT), min_size=1, max_size=8))
def test_bytes_that_are_not_text_are_all_passed_on(data: bytes, sizes: list[int]) -> None:
    data = data.replace(b"\r", b"-")
    with small_limit():
        passed_on = lines_of(cut(data, sizes))
    assert "".join(passed_on).encode("utf-8", "surrogateescape") == data.replace(b"\n", b"")


SECRETS = ("0123456789", "éé€€/😀", "0123456789" * LIMIT)


@given(
    st.lists(
        st.lists(st.sampled_from([*SECRETS, "0", "01234567", "é", "€/", "😀", "x" * 30, "\\/"]), max_size=40),
        max_size=4,
    ),
    st.lists(st.integers(1, 2 * LIMIT), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([SECRETS[:2], SECRETS[1:]]),
)
def test_secrets_are_masked_at_any_cut_of_the_output(
    words: list[list[str]], sizes: list[int], end: str, is_ended: bool, secrets: tuple[str, ...]
) -> None:
    matcher = Matcher(secret.encode() for secret in secrets)
    lines = ["".join(line) for line in words]
    text = end.join(lines) + (end if is_ended else "")
    with small_limit():
        passed_on = lines_of(cut(text.encode(), sizes), matcher)
    assert "".join(passed_on) == "".join(matcher.masked(line.encode()).decode() for line in lines)
    assert all(len(line.encode()) <= LIMIT for line in passed_on)


def test_the_last_line_of_a_key_is_masked_at_any_time() -> None:
    key = ["-----BEGIN KEY-----", "0123456789abcdef", "QQ==", "-----END KEY-----"]
    for end in ("\n", "\r\n"):
        pieces = [f"{line}{end}".encode() for line in ("QQ==", *key, "QQ==")]
        expected = ["QQ==", key[0], "********", "********", key[3], "QQ=="]
        assert lines_of(pieces, Matcher(["\n".join(key).encode()])) == expected
        assert lines_of([b"".join(pieces)], Matcher(["\n".join(key).encode()])) == expected
    assert lines_of([b"0123456789abcdef\nQQ=="], Matcher(["\n".join(key).encode()])) == ["********", "********"]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    pieces: list[bytes] = []
    while data:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[:size])
        data = data[size:]
    return pieces
