"""One request and its response as bytes, and what a response means."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.plan import HttpProbe
from cp.probes.exchange import LARGEST_BODY, LARGEST_RESPONSE, MOST_LINES, Exchange, Request, authority, printable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def took() -> str:
    return "1 ms"


def begun(probe: HttpProbe | None = None) -> Exchange:
    exchange = Exchange(Request(probe or HttpProbe(host="app", port=80), "app"))
    exchange.request()
    return exchange


def result(exchange: Exchange, *pieces: bytes) -> tuple[bool, str] | None:
    """The result after the server has sent these; an empty one is the end of the connection."""
    for piece in pieces:
        exchange.receive(piece)
        while (found := exchange.next(took)) is None and exchange.unparsed:
            pass
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(
    ("probe", "host", "expected"),
    [
        (HttpProbe(host="app", port=80), "app", "app"),
        (HttpProbe(host="app", port=443), "app", "app:443"),
        (HttpProbe(host="app", port=443, https=True), "app", "app"),
        (HttpProbe(host="app", port=8080), "app", "app:8080"),
        (HttpProbe(host="", port=8080), "fe80::1%eth0", "[fe80::1]:8080"),
        (HttpProbe(host="", port=80, socket="/run/app.sock"), "localhost", "localhost"),
        (HttpProbe(host="bücher.example", port=80), "bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_header_host(probe: HttpProbe, host: str, expected: str) -> None:
    assert authority(probe, host) == expected


@given(st.lists(st.integers(1, len(OK) - 1)))
def test_a_response_means_the_same_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(OK)]
    pieces = [OK[start:end] for start, end in pairwise(edges)]

    assert result(begun(), *pieces) == (True, "200 OK in 1 ms")


@given(st.binary(min_size=1), st.booleans())
def test_whatever_a_server_sends_there_is_a_result_at_its_end(data: bytes, is_http: bool) -> None:
    found = result(begun(), (b"HTTP/1.1 200 OK\r\n" if is_http else b"") + data, b"")

    assert found is not None
    assert found[1].isprintable()


def test_nothing_is_parsed_beyond_the_limits() -> None:
    probe = HttpProbe(host="app", port=80, contains="never")

    chunks = result(begun(probe), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 50_000)
    body = result(begun(probe), b"HTTP/1.1 200 OK\r\n\r\n", b"x" * LARGEST_BODY + b"never")
    heads = result(begun(), *[b"HTTP/1.1 102 P\r\nA: " + b"x" * 60_000 + b"\r\n\r\n"] * 3)

    assert chunks is not None
    assert body is not None
    assert "of the body do not contain" in chunks[1]
    assert body[1] == "200 OK in 1 ms, but the first 64 KiB of the body do not contain 'never'"
    assert heads == (False, f"the response has more than {LARGEST_RESPONSE >> 10} KiB before its body")


def test_lines_of_headers_are_counted_across_pieces_and_those_of_the_body_are_not() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"
    many = b"a: b\r\n" * MOST_LINES

    assert result(begun(), head, *[bytes([each]) for each in many]) == (
        False,
        f"the response has more than {MOST_LINES} lines of headers",
    )
    assert result(begun(), head + b"\r\n" + b"\n" * 1000) == (True, "200 OK in 1 ms")


def test_a_request_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="header name"):
        Request(HttpProbe(host="app", port=80, headers=(("a b", "c"),)), "app")


def test_what_a_server_sent_is_one_printable_line() -> None:
    assert printable(b" two\r\n\tlines \x1b[0m \xff\xc3\xa9 ") == "two lines ?[0m ?é"
