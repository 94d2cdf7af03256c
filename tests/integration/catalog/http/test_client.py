"""The HTTP client against servers that misbehave: each call ends in time, with an error that says what happened."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.http.client import HttpClient
from cp.catalog.http.line_stream import LineStream
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogGarbage, CatalogUnreachable
from cp.config.endpoint import Endpoint, parse_endpoint
from cp.plan import Tls
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Reply = Callable[[socket.socket, bytes], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Index: 7\r\n\r\nok"
LONG = DEADLINE


class Server:
    """Accepts on the loopback. Each request uses one of `replies`; the last one is repeated."""

    def __init__(self, *replies: Reply, listener: socket.socket | None = None) -> None:
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self.requested = threading.Event()
        if listener is None:
            listener = socket.create_server(("127.0.0.1", 0))
        self.listener = listener
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := self._read(connection):
                    self.requests.append(request)
                    self.requested.set()
                    reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                    reply(connection, request)
            except OSError:
                return

    def _read(self, connection: socket.socket) -> bytes:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(65536)
            if not piece:
                return b""
            request += piece
        head = request.partition(b"\r\n\r\n")[0]
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
                while len(request) < len(head) + 4 + length:
                    request += connection.recv(65536)
        return request

    def close(self) -> None:
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(LONG)


def says(content: bytes) -> Reply:
    return lambda connection, request: connection.sendall(content)


def hangs_up(connection: socket.socket, request: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*replies: Reply, **options: Any) -> Server:
        servers.append(Server(*replies, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def client() -> Iterator[Callable[..., HttpClient]]:
    clients: list[HttpClient] = []

    def make(server: Server | Endpoint, **options: Any) -> HttpClient:
        address = server if isinstance(server, Endpoint) else Endpoint("http", "127.0.0.1", server.port)
        options = {"connect_timeout": LONG, "read_timeout": LONG, "tls": Tls(), "environ": {}, **options}
        clients.append(HttpClient("Consul", address, **options))
        return clients[-1]

    yield make
    for each in clients:
        each.close()


def test_an_answer(serve: Any, client: Any) -> None:
    server = serve(says(OK))
    answer = client(server).request("PUT", "/v1/x?y=z", headers={"X-Token": "t"}, body=b"{}")
    assert (answer.status, answer.body, answer.headers["x-index"]) == (200, b"ok", "7")
    request = server.requests[0]
    assert request.startswith(b"PUT /v1/x?y=z HTTP/1.1\r\n")
    assert b"\r\nX-Token: t\r\n" in request
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % server.port in request
    assert request.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("unread", [False, True], ids=["end", "reset"])
def test_a_server_that_closes_at_the_tls_handshake_may_not_speak_tls(client: Any, unread: bool) -> None:
    """Whether its close is an end or a reset depends on whether it has read everything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1 if unread else 65536)

        closing = threading.Thread(target=close)
        closing.start()
        address = Endpoint("https", "127.0.0.1", listener.getsockname()[1])
        why = "[Cc]onnection reset by peer|broken pipe" if unread else ".*EOF.*"
        with pytest.raises(CatalogUnreachable, match=f"^cannot reach Consul at \\S+: ({why}); see consul.tls$"):
            client(address).request("GET", "/", headers={})
        closing.join(LONG)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_says_nothing_about_tls(client: Any, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Endpoint(scheme, "127.0.0.1", listener.getsockname()[1])
    with pytest.raises(CatalogUnreachable, match=r"[Cc]onnection refused$"):
        client(address).request("GET", "/", headers={})


def test_a_reset_without_tls_says_nothing_about_it(serve: Any, client: Any) -> None:
    def resets(connection: socket.socket, request: bytes) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    with pytest.raises(CatalogUnreachable, match=r"connection reset by peer$"):
        client(serve(resets)).request("GET", "/", headers={})


def test_one_connection_serves_all_calls(serve: Any, client: Any) -> None:
    server = serve(says(OK))
    http = client(server)
    for _ in range(5):
        http.request("GET", "/", headers={})
    assert server.connections == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(serve: Any, client: Any) -> None:
    server = serve(says(OK), hangs_up, says(OK))
    http = client(server)
    http.request("GET", "/", headers={})
    assert http.request("GET", "/", headers={}).status == 200
    assert server.connections == 2


def test_a_server_that_keeps_no_connections(serve: Any, client: Any) -> None:
    def reply(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nwhole")
        connection.shutdown(socket.SHUT_RDWR)

    http = client(serve(reply))
    assert [http.request("GET", "/", headers={}).body for _ in range(3)] == [b"whole"] * 3


@pytest.mark.parametrize("body", [b"", b"ok"])
def test_a_body_of_known_length_is_not_read_beyond_its_end(serve: Any, client: Any, body: bytes) -> None:
    class Body:
        length_remaining = len(body)

        def read1(self, amount: int) -> bytes:
            assert self.length_remaining, "this call is needless"
            self.length_remaining = 0
            return body

    assert client(serve(says(OK)))._read(Body(), 10) == body


def test_a_chunked_answer(serve: Any, client: Any) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
    http = client(server)
    assert [http.request("GET", "/", headers={}).body for _ in range(2)] == [b"abcde", b"abcde"]
    assert server.connections == 1


def test_a_unix_socket(serve: Any, client: Any, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    server = serve(says(OK), listener=listener)
    assert (
        client(Endpoint("http", "localhost", 80, socket=str(tmp_path / "s"))).request("GET", "/", headers={}).body
        == b"ok"
    )
    assert b"\r\nHost: localhost\r\n" in server.requests[0]


def test_a_proxy_gets_the_whole_address_and_its_credentials(serve: Any, client: Any) -> None:
    proxy = serve(says(OK))
    environ = {"HTTP_PROXY": f"http://user:pass@127.0.0.1:{proxy.port}"}
    client(Endpoint("http", "consul.invalid", 8500), environ=environ).request("GET", "/v1/x", headers={})
    assert proxy.requests[0].startswith(b"GET http://consul.invalid:8500/v1/x HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in proxy.requests[0]


def test_the_path_of_an_address_comes_before_each_target(serve: Any, client: Any) -> None:
    server = serve(says(OK))
    http = client(parse_endpoint(f"http://127.0.0.1:{server.port}/consul/one/"))
    http.request("GET", "/v1/x", headers={})
    assert server.requests[0].startswith(b"GET /consul/one/v1/x HTTP/1.1\r\n")
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{server.port}/"}
    client(parse_endpoint("http://consul.invalid/consul"), environ=environ).request("GET", "/v1/x", headers={})
    assert server.requests[1].startswith(b"GET http://consul.invalid:80/consul/v1/x HTTP/1.1\r\n")


def test_a_zone_leads_there_and_is_not_sent(serve: Any, client: Any) -> None:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    server = serve(says(OK), listener=listener)
    client(parse_endpoint(f"http://[::1%25{socket.if_nametoindex('lo')}]:{server.port}")).request(
        "GET", "/", headers={}
    )
    assert b"\r\nHost: [::1]:%d\r\n" % server.port in server.requests[0]


# --- what goes wrong


def failure(http: HttpClient, **options: Any) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        http.request("GET", "/", headers={}, **options)
    return caught.value


def test_a_refused_connection_is_an_error(client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = failure(client(Endpoint("http", "127.0.0.1", port)))
    assert str(error) == f"cannot reach Consul at http://127.0.0.1:{port}: connection refused"


def test_no_such_socket(client: Any, tmp_path: Path) -> None:
    error = failure(client(Endpoint("http", "localhost", 80, socket=str(tmp_path / "s"))))
    assert str(error) == f"cannot reach Consul at unix://{tmp_path}/s: no such file or directory"


def test_a_name_without_an_address(client: Any) -> None:
    error = failure(client(Endpoint("http", "nowhere.invalid", 8500)))
    assert isinstance(error, CatalogUnreachable)
    assert str(error).startswith("cannot reach Consul at http://nowhere.invalid:8500: ")


def test_connections_are_not_accepted_in_time(client: Any) -> None:
    """A listener whose queue is full: the kernel drops further attempts."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        http = client(Endpoint("http", "127.0.0.1", full.getsockname()[1]), connect_timeout=0.2)
        error = failure(http)
        for each in waiting:
            each.close()
    assert str(error).endswith(": no connection within 0.2 s")


def test_a_server_that_never_answers(serve: Any, client: Any) -> None:
    http = client(serve(lambda connection, request: None), read_timeout=0.2)
    assert str(failure(http)).endswith(" did not answer within 0.2 s")


@pytest.mark.timing
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_an_answer_that_comes_byte_by_byte_has_the_same_time(serve: Any, client: Any, head: bytes) -> None:
    server: Server

    def trickle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(head)
        while not server.over.wait(0.02):
            connection.sendall(b"x")

    server = serve(trickle)
    begin = time.monotonic()
    assert str(failure(client(server, read_timeout=0.2))).endswith(" did not answer within 0.2 s")
    assert time.monotonic() - begin < 2


def test_a_chunk_of_a_negative_length_is_not_an_endless_one(serve: Any, client: Any) -> None:
    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(bytes(1 << 20))

    assert isinstance(failure(client(serve(answer))), CatalogGarbage)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok",
    ],
)
def test_an_answer_that_is_not_http(serve: Any, client: Any, reply: bytes) -> None:
    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    error = failure(client(serve(answer)))
    assert isinstance(error, (CatalogUnreachable, CatalogGarbage))
    assert re.match("cannot reach Consul at http://.*: .|Consul at http://.* does not answer in HTTP: .", str(error))
    assert str(error).isprintable()


def test_an_answer_that_breaks_off_is_not_requested_again(serve: Any, client: Any) -> None:
    """Its call was made, whatever became of it: only a kept connection that was closed before counts as none."""

    def breaks_off(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        broken.wait(LONG)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()  # with a reset

    class Received(LineStream):
        def receive_line(self, line: bytes) -> bool:
            raise AssertionError("there is no whole line")

        def receive_head(self, headers: Any) -> bool:
            broken.set()
            return False

    broken = threading.Event()
    server = serve(says(OK), breaks_off)
    http = client(server)
    http.request("GET", "/", headers={})
    assert isinstance(failure(http, stream=Received(LONG)), CatalogUnreachable)
    assert len(server.requests) == 2


def test_headers_of_the_same_name_and_folded_ones(serve: Any, client: Any) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-A: one\r\nx-a: two\r\n three\r\nSet-Cookie: a\r\nContent-Length: 2\r\n\r\n"
    answer = client(serve(says(head + b"ok"))).request("GET", "/", headers={})
    assert (answer.headers["x-a"], answer.body) == ("one, two three", b"ok")


def test_an_answer_that_is_too_long(serve: Any, client: Any) -> None:
    reply = says(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
    error = failure(client(serve(reply), largest_body=2 * 1024 * 1024))
    assert isinstance(error, CatalogGarbage)
    assert str(error).endswith(" answered with more than 2 MiB")


def test_after_a_failure_the_next_call_uses_a_new_connection(serve: Any, client: Any) -> None:
    http = client(serve(says(OK), lambda connection, request: None, says(OK)), read_timeout=1.5)
    http.request("GET", "/", headers={})
    failure(http)
    assert http.request("GET", "/", headers={}).body == b"ok"


def test_a_header_that_cannot_be_sent_does_not_show_up_in_the_error(serve: Any, client: Any) -> None:
    with pytest.raises(CatalogError) as caught:
        client(serve(says(OK))).request("GET", "/", headers={"X-Token": "geheim\n"})
    assert "geheim" not in str(caught.value)


# --- breaking off


def in_background(work: Callable[[], object]) -> Callable[[], BaseException | None]:
    """Starts it on another thread; what is returned waits for its end."""
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def wait() -> BaseException | None:
        thread.join(LONG)
        assert outcome, "the call does not end"
        return outcome[0]

    return wait


@pytest.mark.parametrize("for_good", [False, True])
def test_a_call_that_hangs_can_be_broken_off(serve: Any, client: Any, for_good: bool) -> None:
    server = serve(lambda connection, request: None, says(OK))
    http = client(server, read_timeout=600)
    end = in_background(lambda: http.request("GET", "/", headers={}))
    assert server.requested.wait(LONG)
    if for_good:
        http.close()
    else:
        http.interrupt()
    assert isinstance(end(), CatalogClosed)
    if for_good:
        assert isinstance(failure(http), CatalogClosed)
    else:
        assert http.request("GET", "/", headers={}).body == b"ok"


def test_breaking_off_a_call_that_reuses_a_connection_does_not_repeat_it(serve: Any, client: Any) -> None:
    server = serve(says(OK), lambda connection, request: None)
    http = client(server)
    http.request("GET", "/", headers={})
    server.requested.clear()
    end = in_background(lambda: http.request("GET", "/", headers={}))
    assert server.requested.wait(LONG)
    http.interrupt()
    assert isinstance(end(), CatalogClosed)
    assert len(server.requests) == 2


def test_closing_frees_the_connection(serve: Any, client: Any) -> None:
    def reply(connection: socket.socket, request: bytes) -> None:
        connection.sendall(OK)
        if connection.recv(1) == b"":
            closed.set()

    closed = threading.Event()
    http = client(serve(reply))
    http.request("GET", "/", headers={})
    http.close()
    http.close()
    assert closed.wait(LONG)


def test_an_answer_that_only_announces_another_one_is_not_mixed_up_with_it(serve: Any, client: Any) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    server = serve(says(hints + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold"), says(OK))
    http = client(server)

    assert re.fullmatch(r"Consul at \S+ answered with status 103, which nobody asked for", str(failure(http)))
    assert http.request("GET", "/", headers={}).body == b"ok"


def test_a_server_may_say_that_it_goes_on(serve: Any, client: Any) -> None:
    http = client(serve(says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)))
    assert http.request("GET", "/", headers={}).body == b"ok"
