"""Requests in every shape that HTTP allows, and what is none."""

from __future__ import annotations

import pytest

from tests.integration.control.serving import World, request

PING = b"GET /v3/ping HTTP/1.1\r\nHost: x\r\n\r\n"


# --- whole requests, in pieces and in rows


def test_a_request_may_come_byte_by_byte(world: World) -> None:
    client = world.client()
    for byte in request("POST", "/v3/environ", {"A": "b"}):
        client.send(bytes([byte]))
        world.settle()
    assert client.answer().status == 200
    assert world.admin.environment["A"] == "b"


def test_a_connection_is_kept_for_the_next_request(world: World) -> None:
    client = world.client()
    for number in range(3):
        client.send(request("POST", "/v3/environ", {"A": str(number)}))
        assert client.answer().status == 200
        assert world.admin.environment["A"] == str(number)
    assert world.control.connections == 1


def test_requests_in_a_row_are_answered_in_their_order(world: World) -> None:
    client = world.client()
    client.send(b"".join(request("GET", f"/v3/jobs/{number}") for number in range(500)))
    for number in range(500):
        assert client.answer().error == f"there is no job '{number}'"


def test_requests_in_a_row_wait_for_the_one_before(world: World) -> None:
    world.admin.waits = True
    client = world.client()
    client.send(request("POST", "/v3/reload") + request("POST", "/v3/environ", {"A": "after"}))
    world.pump(lambda: world.admin.requests)
    world.settle()
    assert "A" not in world.admin.environment
    world.admin.finish()
    assert client.answer().status == 200
    assert client.answer().status == 200
    assert world.admin.environment["A"] == "after"


def test_requests_in_a_row_before_the_end_of_the_connection_are_answered(world: World) -> None:
    client = world.client()
    client.send(PING + PING)
    client.send_end()
    assert client.until_closed().count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "head", [b"GET /v3/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /v3/ping HTTP/1.0\r\n\r\n"]
)
def test_a_client_that_requests_a_closed_connection_gets_it(world: World, head: bytes) -> None:
    client = world.client()
    client.send(head)
    answer = client.answer()
    assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"\n", "close")
    assert client.until_closed() == b""


def test_a_body_may_come_in_chunks(world: World) -> None:
    client = world.client()
    head = b"POST /v3/environ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'{"A": "%s"}' % (b"b" * 2000)
    client.send(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n" + PING)
    assert client.answer().status == 200
    assert world.admin.environment["A"] == "b" * 2000
    assert client.answer().status == 200


def test_a_client_that_waits_for_100_continue_gets_it(world: World) -> None:
    client = world.client()
    client.send(
        b"POST /v3/environ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    )
    assert client.read(lambda data: data.endswith(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    client.send(b'{"A": "b"}')
    assert client.answer().status == 200
    assert world.admin.environment["A"] == "b"


def test_headers_and_a_long_body_may_come_apart_anywhere(world: World) -> None:
    body = '{"A": "b"' + "\n" * 5000 + "}"
    whole = request("POST", "/v3/environ", body)
    end = whole.index(b"\r\n\r\n")
    for cut in range(end, end + 5):
        client = world.client()
        client.send(whole[:cut])
        world.settle()
        client.send(whole[cut:])
        assert client.answer().status == 200
        client.close()


def test_the_largest_body_is_taken(world: World) -> None:
    value = "x" * (1024 * 1024 - len('{"A": ""}'))
    assert world.ask("POST", "/v3/environ", {"A": value}).status == 200
    assert world.admin.environment["A"] == value


def test_an_offer_of_another_protocol_is_passed_over(world: World) -> None:
    client = world.client()
    client.send(b"GET /v3/ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert client.answer().status == 200
    client.send(PING)
    assert client.answer().status == 200


def test_a_target_may_be_absolute(world: World) -> None:
    assert world.ask("GET", "http://containerpilot/v3/jobs/app?x=1").json["name"] == "app"


# --- invalid requests


@pytest.mark.parametrize(
    ("data", "status", "why"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400, "Bad Request: "),
        (b"garbage\r\n\r\n", 400, "Bad Request: "),
        (b"\r\n\r\n", 400, "Bad Request: "),
        (b"GET /v3/ping HTTP/1.1\r\n\r\n", 400, "Bad Request: "),
        (b"GET /v3/ping HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, "Bad Request: "),
        (b"POST /v3/env HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "Bad Request: "),
        (b"POST /v3/env HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "Bad Request: "),
        (b"POST /v3/env HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "Bad Request: "),
        (b"POST /v3/env HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "Not Implemented: "),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "Not Implemented: this is not a proxy"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP Version Not Supported: only HTTP/1.0 and HTTP/1.1"),
        (
            b"POST /v3/env HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n",
            413,
            "Content Too Large: a body may have at most 1048576 bytes",
        ),
        (
            b"POST /v3/env HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n",
            413,
            "Content Too Large: ",
        ),
        (
            b"GET /v3/ping HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
            431,
            "Request Header Fields Too Large: more than 65536 bytes",
        ),
        (b"GET /" + b"x" * 200_000, 431, "Request Header Fields Too Large: more than 65536 bytes"),
        (
            b"GET /v3/ping HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 2000 + b"\r\n",
            431,
            "Request Header Fields Too Large: more than 1000 lines",
        ),
    ],
)
def test_an_invalid_request_is_refused_with_a_reason(world: World, data: bytes, status: int, why: str) -> None:
    client = world.client()
    client.send(data)
    answer = client.answer()
    assert answer.status == status
    assert answer.error.startswith(why)
    assert answer.headers["connection"] == "close"
    assert client.until_closed() == b""


def test_a_chunked_body_is_refused_where_it_passes_the_limit(world: World) -> None:
    client = world.client()
    client.send(b"POST /v3/env HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        client.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    assert client.answer().status == 413


def test_a_client_that_is_refused_while_it_writes_reads_the_reason(world: World) -> None:
    client = world.client()
    client.send(request("POST", "/v3/environ", b"x" * 1_100_000))  # a reset would take the answer with it
    assert client.answer().status == 413


def test_a_refused_client_that_writes_on_is_cut_off(world: World) -> None:
    client = world.client()
    client.send(b"POST /v3/env HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.send(b"x" * (64 << 20))
    assert world.control.connections == 0


def test_half_a_request_before_the_end_of_the_connection_gets_an_error(world: World) -> None:
    client = world.client()
    client.send(b"POST /v3/environ HTTP/1.1\r\nHost: x\r\nContent-Le")
    client.send_end()
    assert client.answer().status == 400
