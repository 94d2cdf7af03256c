"""The paths of the telemetry port, on a real socket of the loopback; what they tell is made up."""

from __future__ import annotations

import gzip
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.engine.loop import Loop
from cp.http import tcp
from cp.http.server import Limits
from cp.telemetry.server import LIMITS, TelemetryServer
from tests.integration.control.serving import Answer, FakeLog
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATUS: dict[str, object] = {"Version": "4.1", "Jobs": None, "Services": [{"Name": "app"}], "Watches": None}


class FakeSource:
    def __init__(self) -> None:
        self.why: list[str] = []
        self.more: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.made: list[tuple[str, str]] = []
        self.pause = 0  # steps before a page of metrics

    def form(self, accept: str, accept_encoding: str) -> tuple[str, str]:
        self.requests.append((accept, accept_encoding))
        return "text/x", "gzip" if accept_encoding else ""

    def metrics(self, content_type: str, encoding: str) -> Iterator[bytes]:
        self.made.append((content_type, encoding))
        for _ in range(self.pause):
            yield b""
        yield gzip.compress(b"zed 1\n") if encoding else b"zed 1\n"

    def status(self) -> dict[str, object]:
        return STATUS

    def not_ready(self) -> list[str]:
        return self.why

    def remarks(self) -> list[str]:
        return self.more


class World:
    def __init__(self, path: str = "/metrics", address: str = "127.0.0.1", limits: Limits = LIMITS) -> None:
        self.faults: list[BaseException] = []
        self.source = FakeSource()
        self.loop = Loop(on_error=self.faults.append)
        listener = tcp.listen(address, 0)
        self.place = listener.getsockname()
        self.telemetry = TelemetryServer(self.loop, listener, self.source, FakeLog(), path, limits)

    def pump(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not until():
            assert time.monotonic() < end, "that never came"
            waker = self.loop.call_later(0.01, lambda: None)
            self.loop.run_once()
            waker.cancel()

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_INET6 if ":" in self.place[0] else socket.AF_INET)
        client.connect(self.place)
        client.setblocking(False)
        return client

    def send(self, request: str) -> bytes:
        """The whole answer to what is sent, once the server has closed the connection."""
        answer = bytearray()

        def ended() -> bool:
            try:
                data = client.recv(65536)
            except BlockingIOError:
                return False
            answer.extend(data)
            return not data

        with self.connect() as client:
            client.sendall(request.encode())
            self.pump(ended)
        return bytes(answer)

    def ask(self, method: str, target: str, headers: str = "") -> Answer:
        answer = self.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        found = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answer(int(first.split()[1]), found, body)

    def close(self) -> None:
        closed: list[bool] = []
        self.telemetry.close(lambda: closed.append(True), 0.1)
        self.pump(lambda: closed)
        assert not self.faults


@pytest.fixture
def serve() -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(*arguments: Any, **options: Any) -> World:
        worlds.append(World(*arguments, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(serve: Callable[..., World]) -> World:
    return serve()


def test_metrics_are_sent_in_the_format_that_the_client_accepts(world: World) -> None:
    plain = world.ask("GET", "/metrics?x=1", "Accept: application/openmetrics-text\r\n")
    packed = world.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n")

    assert (plain.status, plain.headers["content-type"], plain.body) == (200, "text/x", b"zed 1\n")
    assert gzip.decompress(packed.body) == b"zed 1\n"
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept, Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert world.source.requests == [("application/openmetrics-text", ""), ("", "gzip")]


def test_scrapers_that_ask_at_once_are_sent_the_same_page(world: World) -> None:
    world.ask("GET", "/healthz")  # HTTP is there
    world.source.pause = 100_000  # it takes longer than to read all the questions
    clients = [world.connect() for _ in range(30)]
    for client in clients:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    answers = [b""] * 30

    def answered() -> bool:
        for number, client in enumerate(clients):
            try:
                answers[number] += client.recv(65536)
            except BlockingIOError:
                pass
        return all(answers)

    world.pump(answered)
    for client in clients:
        client.close()
    assert all(answer.endswith(b"\r\n\r\nzed 1\n") for answer in answers)
    assert len(world.source.requests) == 30
    assert len(world.source.made) <= 3


def test_a_short_request_does_not_wait_for_a_long_page(world: World) -> None:
    world.ask("GET", "/healthz")  # HTTP is there
    world.source.pause = 10_000_000
    with world.connect() as scraper:
        scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        world.pump(lambda: world.source.made)
        assert world.ask("GET", "/healthz").status == 200
        with pytest.raises(BlockingIOError):
            scraper.recv(1)


def test_the_status_is_one_line_as_go_writes_it(world: World) -> None:
    answer = world.ask("GET", "/status")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == json.dumps(STATUS, separators=(",", ":")).encode() + b"\n"


def test_it_is_ready_once_nothing_speaks_against_it(world: World) -> None:
    world.source.why = ["app is unknown", "db is unhealthy"]
    before = world.ask("GET", "/readyz")
    world.source.why = []

    assert (before.status, before.body) == (503, b"app is unknown\ndb is unhealthy\n")
    assert (world.ask("GET", "/readyz").status, world.ask("GET", "/healthz").body) == (200, b"ok\n")


def test_a_remark_is_shown_and_does_not_make_it_unready(world: World) -> None:
    world.source.more = ["catalogue: unreachable"]
    answer = world.ask("GET", "/readyz")
    assert (answer.status, answer.body) == (200, b"ok\ncatalogue: unreachable\n")

    world.source.why = ["app is unhealthy"]
    answer = world.ask("GET", "/readyz")
    assert (answer.status, answer.body) == (503, b"app is unhealthy\ncatalogue: unreachable\n")


@pytest.mark.parametrize("path", ["/metrics", "/status", "/healthz", "/readyz"])
def test_post_requests_are_refused(world: World, path: str) -> None:
    answer = world.ask("POST", path)

    assert (answer.status, answer.body) == (405, b"Method Not Allowed\n")
    assert answer.headers["allow"] == ("GET" if path == "/status" else "GET, HEAD")


def test_head_is_for_all_but_the_status(world: World) -> None:
    answers = {path: world.ask("HEAD", path) for path in ("/metrics", "/status", "/healthz", "/readyz")}

    assert {path: answer.status for path, answer in answers.items()} == {
        "/metrics": 200,
        "/status": 405,
        "/healthz": 200,
        "/readyz": 200,
    }
    assert not any(answer.body for answer in answers.values())


@pytest.mark.parametrize("path", ["/", "/metrics/", "/Metrics", "/v3/ping", "/%6detrics"])
def test_there_is_nothing_else(world: World, path: str) -> None:
    answer = world.ask("GET", path)

    assert (answer.status, answer.body) == (404, b"404 page not found\n")


def test_the_metrics_can_be_elsewhere(serve: Callable[..., World]) -> None:
    world = serve("/status")

    assert world.ask("GET", "/metrics").status == 404
    assert world.ask("GET", "/status").body == b"zed 1\n"
    world.telemetry.path = "/m"
    assert world.ask("GET", "/m").body == b"zed 1\n"


def test_ipv6(serve: Callable[..., World]) -> None:
    assert serve(address="::1").ask("GET", "/healthz").status == 200


def test_a_body_and_huge_headers_are_refused(world: World) -> None:
    body = world.send("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
    huge = world.send(f"GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: {'a' * 20_000}\r\n\r\n")

    assert body.startswith(b"HTTP/1.1 413 ")
    assert huge.startswith(b"HTTP/1.1 431 ")
    assert not world.source.requests


def test_a_crowd_of_silent_clients_does_not_keep_a_scraper_out(serve: Callable[..., World]) -> None:
    world = serve(limits=Limits(connections=4, body=0))
    crowd = [world.connect() for _ in range(20)]
    world.pump(lambda: world.telemetry.connections == 4)

    assert world.ask("GET", "/metrics").status == 200

    for client in crowd:
        client.close()


# The port.


def test_a_port_that_is_in_use_is_an_error(world: World) -> None:
    with pytest.raises(tcp.PortError, match="another program listens there: name another `port`, or stop that program"):
        tcp.listen("127.0.0.1", world.place[1])


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(tcp.PortError, match="it is not an address of this machine: see `interfaces`"):
        tcp.listen("192.0.2.1", 9090)


def test_a_port_that_was_served_a_moment_ago_is_available_at_once() -> None:
    first = World()
    assert first.ask("GET", "/metrics").status == 200
    kept = first.connect()
    first.close()

    tcp.listen("127.0.0.1", first.place[1]).close()
    kept.close()


def test_an_address_as_part_of_a_url() -> None:
    assert (tcp.shown("10.0.0.1", 9090), tcp.shown("::1", 80)) == ("10.0.0.1:9090", "[::1]:80")
