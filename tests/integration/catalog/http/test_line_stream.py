"""Answers without an end, against servers that do as they like."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.http.line_stream import FLOOD, LONGEST_LINE, LineStream
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogGarbage, CatalogUnreachable
from tests.integration.catalog.http.test_client import LONG, OK, client, in_background, says, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cp.catalog.http.client import HttpClient

__all__ = ["client", "serve"]

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Received(LineStream):
    """Stops after this many lines."""

    def __init__(self, enough: int, max_wait: float = LONG, *, sends_at_once: bool = False) -> None:
        super().__init__(max_wait)
        self.sends_at_once = sends_at_once
        self.lines: list[bytes] = []
        self._enough = enough

    def receive_head(self, headers: Mapping[str, str]) -> bool:
        return "x-enough" in headers

    def receive_line(self, line: bytes) -> bool:
        self.lines.append(line)
        return len(self.lines) >= self._enough


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def listen(http: HttpClient, stream: LineStream) -> None:
    answer = http.request("POST", "/watch", headers={}, body=b"{}", stream=stream)
    assert (answer.status, answer.body) == (200, b"")


def test_lines_come_as_they_are_sent_in_any_pieces(serve: Any, client: Any) -> None:
    server = serve(
        says(HEAD + chunk(b"a\n\nb") + chunk(b"c\nd") + chunk(b"\n") + chunk(b"end") + b"0\r\n\r\n"), says(OK)
    )
    http, received = client(server), Received(9)
    listen(http, received)
    assert received.lines == [b"a", b"bc", b"d", b"end"]
    assert http.request("GET", "/", headers={}).body == b"ok"


def test_enough_ends_it_at_once_and_the_client_is_usable(serve: Any, client: Any) -> None:
    server = serve(says(HEAD + chunk(b"a\nb\nc\n")), says(OK))
    http, received = client(server), Received(2)
    listen(http, received)
    assert received.lines == [b"a", b"b"]
    assert http.request("GET", "/", headers={}).body == b"ok"


def test_the_head_may_be_enough(serve: Any, client: Any) -> None:
    received = Received(1)
    listen(client(serve(says(b"HTTP/1.1 200 OK\r\nX-Enough: 1\r\nTransfer-Encoding: chunked\r\n\r\n"))), received)
    assert received.lines == []


@pytest.mark.timing
@pytest.mark.parametrize("greeting", [b"", b"hello\n"])
def test_silence_ends_it_when_the_time_is_over(serve: Any, client: Any, greeting: bytes) -> None:
    server = serve(says(HEAD + (chunk(greeting) if greeting else b"")))
    received = Received(9, 0.4, sends_at_once=bool(greeting))
    begin = time.monotonic()
    listen(client(server, read_timeout=0.2), received)
    assert 0.4 <= time.monotonic() - begin < 2


@pytest.mark.timing
def test_chatter_does_not_prolong_it(serve: Any, client: Any) -> None:
    def chatter(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HEAD)
        while not server.over.wait(0.02):
            connection.sendall(chunk(b"x\n"))

    server = serve(chatter)
    received = Received(10**9, 0.4)
    begin = time.monotonic()
    listen(client(server), received)
    assert 0.4 <= time.monotonic() - begin < 2
    assert len(received.lines) > 1


def failure(http: HttpClient, stream: LineStream) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        listen(http, stream)
    return caught.value


def test_a_greeting_that_does_not_come(serve: Any, client: Any) -> None:
    error = failure(client(serve(says(HEAD)), read_timeout=0.2), Received(1, LONG, sends_at_once=True))
    assert isinstance(error, CatalogUnreachable)
    assert str(error).endswith(" did not answer within 0.2 s")


def test_a_head_that_does_not_come(serve: Any, client: Any) -> None:
    error = failure(client(serve(lambda connection, request: None), read_timeout=0.2), Received(1))
    assert str(error).endswith(" did not answer within 0.2 s")


def test_a_stream_that_breaks(serve: Any, client: Any) -> None:
    def reply(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HEAD + chunk(b"a\n"))
        connection.shutdown(socket.SHUT_RDWR)

    received = Received(9)
    assert isinstance(failure(client(serve(reply)), received), (CatalogUnreachable, CatalogGarbage))
    assert received.lines == [b"a"]


def test_a_stream_that_breaks_on_a_kept_connection_is_not_requested_again(serve: Any, client: Any) -> None:
    def reply(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HEAD + chunk(b"a\n"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it ends with a reset
        assert read.wait(LONG)
        connection.close()

    class Noting(Received):
        def receive_line(self, line: bytes) -> bool:
            read.set()
            return super().receive_line(line)

    read = threading.Event()
    server = serve(says(OK), reply)
    http = client(server)
    http.request("GET", "/", headers={})
    failure(http, Noting(9))
    assert len(server.requests) == 2


def test_an_error_is_an_answer_like_any_other(serve: Any, client: Any) -> None:
    server = serve(says(b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\nnope"))
    received = Received(1)
    answer = client(server).request("POST", "/watch", headers={}, stream=received)
    assert (answer.status, answer.body, received.lines) == (400, b"nope", [])


def test_a_line_without_an_end(serve: Any, client: Any) -> None:
    reply = says(HEAD + chunk(b"x" * (LONGEST_LINE + 1)))
    assert isinstance(failure(client(serve(reply)), Received(1)), CatalogGarbage)


def test_it_can_be_interrupted(serve: Any, client: Any) -> None:
    server = serve(says(HEAD + chunk(b"a\n")))
    http, received = client(server), Received(9, 600.0)
    end = in_background(lambda: listen(http, received))
    assert server.requested.wait(LONG)
    http.close()
    assert isinstance(end(), CatalogClosed)


def test_a_flood_of_empty_lines_is_read_slowly(serve: Any, client: Any) -> None:
    lines = chunk(b"nothing\n" * 16_384)  # 128 KiB
    sent: list[int] = []

    def floods(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HEAD)
        while True:
            sent.append(connection.send(lines))

    http, received = client(serve(floods)), Received(1 << 40, max_wait=1.0)

    listen(http, received)

    assert len(received.lines) * len(b"nothing\n") < 6 * FLOOD, "in one second"
    assert received.lines.count(b"nothing") == len(received.lines), "whatever the pieces"
