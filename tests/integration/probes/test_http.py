"""The check `http` against servers that answer well, badly, slowly, endlessly or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cp.plan import HttpProbe
from cp.probes.exchange import LARGEST_BODY, MOST_INTERIM
from tests.integration.probes.serving import OK, TIMEOUT, Connection, World, says

if TYPE_CHECKING:
    from tests.integration.probes.serving import Server


def check(world: World, server: Server, **fields: Any) -> str:
    """The result without its beginning, and with N for the time."""
    text = world.check(HttpProbe(host="127.0.0.1", port=server.port, **fields))
    text = text.replace(f"GET http://127.0.0.1:{server.port}/: ", "")
    return re.sub(r"\bin \d+(\.\d)? m?s", "in N ms", text)


def test_the_output_says_what_was_asked_what_came_and_how_long_it_took(world: World) -> None:
    server = world.serve(says(OK))

    text = world.check(HttpProbe(host="127.0.0.1", port=server.port, target="/health"))

    assert re.fullmatch(rf"passed: GET http://127\.0\.0\.1:{server.port}/health: 200 OK in \d+ ms", text)
    assert server.requests == [
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: containerpilot\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n" % server.port
    ]


def test_a_failure_shows_the_beginning_of_the_body(world: World) -> None:
    body = b"database is starting\r\n\x1b[31m" + b"x" * 1000
    server = world.serve(says(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(body), body))

    text = check(world, server)

    assert text.startswith("failed: 503 Service Unavailable in N ms: database is starting ?[31mxxx")
    assert len(text) < 300


RESPONSES = {
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nok",
    "without a length": b"HTTP/1.1 200 OK\r\n\r\nok",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "after interim ones": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "with more than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
def test_a_response(world: World, response: bytes) -> None:
    assert check(world, world.serve(says(response)), contains="ok").startswith("passed: 200")


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
def test_a_response_that_comes_byte_by_byte(world: World, response: bytes) -> None:
    assert check(world, world.serve(says(*(bytes([each]) for each in response)))).startswith("passed: 200")


def test_the_check_ends_with_the_response_though_the_server_keeps_the_connection(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.raw.sendall(OK)
        connection.hold()

    assert check(world, world.serve(handle)) == "passed: 200 OK in N ms"


@pytest.mark.parametrize(
    ("statuses", "passed"),
    [(((200, 299),), False), (((204, 204), (404, 404)), True), (((400, 499),), True), (((405, 499),), False)],
)
def test_the_statuses_that_pass(world: World, statuses: tuple[tuple[int, int], ...], passed: bool) -> None:
    server = world.serve(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    text = check(world, server, statuses=statuses)

    assert text == ("passed" if passed else "failed") + ": 404 Not Found in N ms"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(world: World, code: int) -> None:
    elsewhere = world.serve(says(OK))
    server = world.serve(
        says(b"HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % (code, elsewhere.port))
    )

    assert check(world, server) == f"failed: {code}: redirects are not followed"
    assert not elsewhere.accepted


def test_a_redirect_can_be_the_right_answer(world: World) -> None:
    server = world.serve(says(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"))

    assert check(world, server, statuses=((302, 302),)) == "passed: 302 Found in N ms"


def test_a_part_of_the_body(world: World) -> None:
    server = world.serve(says(OK))

    assert check(world, server, contains="ok") == "passed: 200 OK in N ms"
    assert check(world, server, contains="ready") == ("failed: 200 OK in N ms, but the body does not contain 'ready'")


def test_only_the_beginning_of_a_body_is_read(world: World) -> None:
    size = 10 * LARGEST_BODY
    server = world.serve(
        says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"x" * (LARGEST_BODY - 5) + b"ready", b"y" * size)
    )

    assert check(world, server) == "passed: 200 OK in N ms"
    assert check(world, server, contains="ready") == "passed: 200 OK in N ms"
    assert check(world, server, contains="readyy") == (
        "failed: 200 OK in N ms, but the first 64 KiB of the body do not contain 'readyy'"
    )


def test_a_head_request_has_no_body(world: World) -> None:
    server = world.serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))

    text = check(world, server, method="HEAD")

    assert text.endswith("200 OK in N ms")
    assert text.startswith("passed: HEAD http://")


def test_a_request_with_a_body_and_headers_of_its_own(world: World) -> None:
    server = world.serve(says(OK))
    headers = (("Content-Type", "application/json"), ("Host", "example.com"), ("user-agent", "mine"))

    text = check(world, server, method="POST", body=b'{"a": 1}', headers=headers, target="/q?a=b")

    assert text.startswith("passed: POST ")
    assert server.requests == [
        b"POST /q?a=b HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 8\r\n"
        b'Content-Type: application/json\r\nuser-agent: mine\r\n\r\n{"a": 1}'
    ]


def test_a_large_request_is_sent_in_pieces_while_the_server_reads_slowly(world: World) -> None:
    server = world.serve(says(OK))

    assert check(world, server, method="PUT", body=b"x" * 5_000_000).startswith("passed: ")
    assert len(server.requests[0]) > 5_000_000


def test_a_server_that_answers_before_it_has_read_the_request(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.raw.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.hold()

    text = check(world, world.serve(handle), method="PUT", body=b"x" * 50_000_000)

    assert text.endswith("413 Content Too Large in N ms")


def test_a_request_that_http_does_not_permit(world: World) -> None:
    server = world.serve(says(OK))

    assert "failed: cannot send this request: Illegal" in check(world, server, target="/a b").replace(
        "/a b: ", ""
    ).replace(f"GET http://127.0.0.1:{server.port}", "")
    assert "cannot send this request: " in check(world, server, headers=(("a\n", "b"),))
    assert not server.accepted


# --- servers that do not answer well

BAD = {
    "nothing": ((), "the server closed the connection without a response"),
    "a part of the headers": ((b"HTTP/1.1 200 OK\r\nServ",), "the server closed the connection within its response"),
    "a part of the body": (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",),
        "200 OK in N ms, but the response is not complete",
    ),
    "a part of a chunk": (
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",),
        "200 OK in N ms, but the response is not complete",
    ),
    "a wrong chunk": (
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",),
        "200 OK in N ms, but the response is not valid: illegal chunk header: 'zz\\r\\n'",
    ),
    "another protocol": ((b"SSH-2.0-OpenSSH_9.2\r\n",), "the server does not answer in HTTP: SSH-2.0-OpenSSH_9.2"),
    "HTTP/2": (
        (b"\0\0\x06\4\0\0\0\0\0" + b"\0\3\0\0\0\x64",),
        "the server answers in HTTP/2, and checks use HTTP/1.1: ",
    ),
    "the end of HTTP/2": (
        (b"\0\0\x08\7\0\0\0\0\0" + bytes(8),),
        "the server answers in HTTP/2, and checks use HTTP/1.1: ",
    ),
    "TLS": ((b"\x15\x03\x01\x00\x02\x02\x16",), "the server answers in TLS: it may speak https, not http"),
    "a part of the first word": ((b"HTT",), "the server closed the connection within its response"),
    "an impossible status": ((b"HTTP/1.1 abc OK\r\n\r\n",), "the server does not answer in HTTP: illegal status line"),
    "another version": ((b"HTTP/2 200\r\n\r\n",), "the server does not answer in HTTP: "),
    "wrong headers": ((b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",), "the server does not answer in HTTP: illegal header"),
    "a line without an end": ((b"x" * 200_000,), "the server does not answer in HTTP: "),
    "headers without an end": (
        (b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n" * 1000] * 20),
        "the response has more than 256 lines of headers",
    ),
    "a header without an end": (
        (b"HTTP/1.1 200 OK\r\nA: ", b"b" * 300_000),
        "the response has more than 64 KiB of headers",
    ),
    "interim responses without an end": (
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 1000,),
        f"more than {MOST_INTERIM} interim responses",
    ),
    "another protocol that nobody asked for": (
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",),
        "the server does not answer in HTTP: 101: it switches to a protocol that nobody asked for",
    ),
}


@pytest.mark.parametrize(("pieces", "why"), BAD.values(), ids=BAD)
def test_what_no_server_should_answer(world: World, pieces: tuple[bytes, ...], why: str) -> None:
    assert check(world, world.serve(says(*pieces))).startswith(f"failed: {why}")


def test_a_body_without_an_end(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.raw.sendall(b"x" * 10_000)

    assert check(world, world.serve(handle)) == "passed: 200 OK in N ms"


def test_chunks_of_one_byte_without_an_end_leave_the_loop_time_for_others(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.raw.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.raw.sendall(b"1\r\nx\r\n" * 1000)

    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        if not world.results:
            world.loop.call_soon(turn)

    world.loop.call_soon(turn)

    text = check(world, world.serve(handle), contains="y")

    assert re.fullmatch(r"failed: 200 OK in N ms, but the first \d+ KiB of the body do not contain 'y'", text)
    assert turns > 100


@pytest.mark.parametrize(
    ("before", "what"),
    [
        (b"", "response"),
        (b"HTTP/1.1 200 OK\r\n", "response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "end of the response"),
    ],
)
def test_a_server_that_accepts_and_never_ends_its_answer(world: World, before: bytes, what: str) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.raw.sendall(before)
        world.loop.post(world.loop.call_later, 0.05, lambda: world.skip(TIMEOUT))
        connection.hold()

    assert check(world, world.serve(handle)) == f"failed: timeout: no {what} within 100.0 s"


def test_a_byte_a_second_does_not_extend_the_time_limit(world: World) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        for number in range(1000):
            connection.raw.sendall(OK[number : number + 1])
            world.skip(10.0)
            if connection.closing.wait(0.01):
                return

    assert check(world, world.serve(handle)) == "failed: timeout: no response within 100.0 s"


def test_a_server_that_resets_the_connection(world: World) -> None:
    import socket
    import struct

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert check(world, world.serve(handle)) == "failed: connection reset by peer"


def test_http_over_a_unix_socket(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server = world.serve(says(OK), path=Path("app.sock"))

    text = world.check(HttpProbe(host="", port=80, socket="app.sock", target="/health"))

    assert re.sub(r"\d+ ms", "N ms", text) == "passed: GET unix://app.sock:/health: 200 OK in N ms"
    assert b"\r\nHost: localhost\r\n" in server.requests[0]


def test_a_host_that_is_not_given_is_the_address_of_the_registration_or_localhost(world: World) -> None:
    server = world.serve(says(OK))
    probe = HttpProbe(host="", port=server.port)

    assert f"GET http://localhost:{server.port}/: 200" in world.check(probe)
    assert f"GET http://127.0.0.1:{server.port}/: 200" in world.check(probe, address="127.0.0.1")
    assert f"GET http://localhost:{server.port}/: 200" in world.check(probe)


def test_proxy_variables_are_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = world.serve(says(OK)), world.serve(says(OK))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    assert check(world, server) == "passed: 200 OK in N ms"
    assert not proxy.accepted


def test_each_check_opens_a_connection_of_its_own(world: World) -> None:
    server = world.serve(says(OK))
    for _ in range(3):
        check(world, server)

    assert server.accepted == 3
