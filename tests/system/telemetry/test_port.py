"""The telemetry port at the start, and under clients that mean no good."""

from __future__ import annotations

import itertools
import resource
import socket
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.system.jobs.configs import app, config, job
from tests.system.pilot import settle
from tests.system.scripts import forever, mark
from tests.system.telemetry.scraping import Port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot


@pytest.fixture
def taken(port: Port) -> Iterator[Port]:
    """A port on which somebody else listens."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port.number))
        listener.listen()
        yield port


def test_a_port_in_use_is_one_error_and_nothing_runs(pilot: StartPilot, taken: Port) -> None:
    started = pilot(config(app(), job("startup", mark("startup")), telemetry=taken.config()))

    assert started.wait_exit() == 1

    report = (
        f"Error serving telemetry on 127.0.0.1:{taken.number}: another program listens there: name another `port`, or"
    )
    assert [report in line for line in started.output().splitlines() if "telemetry" in line] == [True]
    assert started.marks() == []
    assert not (started.folder / "control.socket").exists()


def test_in_the_services_dialect_not_even_pre_start_runs(pilot: StartPilot, taken: Port) -> None:
    started = pilot({"preStart": mark("preStart"), "telemetry": taken.config()}, forever())

    assert started.wait_exit() == 1
    assert "Error serving telemetry on " in started.output()
    assert started.marks() == []


def test_the_port_is_open_before_the_first_job_starts(pilot: StartPilot, port: Port) -> None:
    lines = config(job("first", ["echo", "first started"]), telemetry=port.config(), logging={"format": "text"})
    started = pilot(lines)
    started.wait_for_line("first started")

    output = started.output()
    assert output.index("telemetry: serving at ") < output.index("first started")


def test_it_is_available_again_at_once_after_a_stop(pilot: StartPilot, port: Port) -> None:
    for _ in range(2):
        started = pilot(config(app(), telemetry=port.config()))
        port.wait_until_served(started)
        kept = socket.create_connection(("127.0.0.1", port.number))
        assert started.stop() == 0
        kept.close()


def test_ipv6(pilot: StartPilot, port: Port) -> None:
    started = pilot(config(app(), telemetry={"port": port.number, "interfaces": "static:::1"}))
    started.wait_for_line(rf"telemetry: serving at \[::1\]:{port.number}")

    with socket.create_connection(("::1", port.number), 20) as client:
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


# Hostile clients. The application's clock is a job that leaves a mark each 100 ms.

TICK = job("tick", mark("tick"), when={"interval": "100ms"})


def ticking(pilot: StartPilot, port: Port) -> Pilot:
    started = pilot(config(app(), TICK, telemetry=port.config()))
    port.wait_until_served(started)
    port.ask("/metrics")  # all is imported now
    return started


def assert_it_ticks_on_time(started: Pilot, first: int, count: int = 12) -> None:
    """From that tick on, no two ticks are far from each other."""
    started.wait_for_mark("tick", first + count)
    times = [each.at for each in started.marks() if each.word == "tick"][first : first + count]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert max(pauses) < 0.5, pauses  # the machine is shared; a blocked loop would be seconds late


@pytest.mark.timing
def test_a_thousand_silent_connections(pilot: StartPilot, port: Port) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    started = ticking(pilot, port)
    first = started.count("tick")
    crowd: list[socket.socket] = []
    try:
        for _ in range(1000):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port.number))
            crowd.append(client)
        assert port.ask("/metrics").status == 200
        assert_it_ticks_on_time(started, first)
        assert len(started.descriptors()) < 200
    finally:
        for client in crowd:
            client.close()
    assert port.ask("/metrics").status == 200


@pytest.mark.timing
def test_a_client_that_sends_a_letter_at_a_time_is_let_go(pilot: StartPilot, port: Port) -> None:
    started = ticking(pilot, port)
    first = started.count("tick")
    with socket.create_connection(("127.0.0.1", port.number), 20) as client:
        client.settimeout(0.05)
        answer = b""
        for letter in b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 10_000:
            try:
                client.sendall(bytes([letter]))
                answer = client.recv(1000)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert_it_ticks_on_time(started, first, 40)


@pytest.mark.timing
def test_huge_headers_and_bodies(pilot: StartPilot, port: Port) -> None:
    started = ticking(pilot, port)
    first = started.count("tick")
    for flood in (
        b"X: " + b"a" * 1_000_000,
        b"X: a\r\n" * 100_000,
        b"Content-Length: 1000000\r\n\r\n" + b"a" * 1_000_000,
    ):
        with socket.create_connection(("127.0.0.1", port.number), 20) as client:
            try:
                client.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\n" + flood)
                assert client.recv(12) in (b"HTTP/1.1 431", b"HTTP/1.1 413")
            except ConnectionError:
                pass  # cut off while it was writing
    assert_it_ticks_on_time(started, first)
    assert port.ask("/metrics").status == 200


@pytest.mark.timing
def test_scrapers_that_do_not_read_their_answers(pilot: StartPilot, port: Port) -> None:
    started = ticking(pilot, port)
    first = started.count("tick")
    clients = [socket.create_connection(("127.0.0.1", port.number), 20) for _ in range(50)]
    for client in clients:
        client.setblocking(False)
        try:
            client.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        except BlockingIOError:
            pass
    assert_it_ticks_on_time(started, first, 30)
    assert port.ask("/metrics").status == 200
    for client in clients:
        client.close()


def test_secrets_of_the_catalogue_are_shown_nowhere(pilot: StartPilot, port: Port) -> None:
    secret = f"token-{uuid.uuid4()}"
    consul = {"address": "127.0.0.1:1", "token": secret}
    started = pilot(config(app(), consul=consul, telemetry=port.config(), watches=[{"name": "db", "interval": 1}]))
    port.wait_for_value(started, 'containerpilot_catalog_errors{verb="instances"}')
    settle(0.2)

    for path in ("/metrics", "/status", "/readyz"):
        assert secret not in port.ask(path).text
