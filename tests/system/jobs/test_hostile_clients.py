"""Clients that mean ill, or cannot do better: neither the jobs nor other clients notice."""

from __future__ import annotations

import itertools
import resource
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.system import proc
from tests.system.control import SOCKET, connect
from tests.system.jobs.configs import app, config, job
from tests.system.pilot import now
from tests.system.scripts import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

TICK = 0.1  # seconds
LATE = 0.6  # seconds that a tick may be late on a machine that does much else
SERVED = 5.0  # seconds in which a client has its turn, behind hundreds of others; it would wait for ten
CLIENTS = 1000
MANY = 20  # jobs

TICKER = job("ticker", mark("tick"), when={"interval": "100ms"}, timeout="5s")


def reach(started: Pilot, stack: ExitStack) -> socket.socket:
    return stack.enter_context(connect(started.folder / SOCKET))


def half_a_request(started: Pilot, stack: ExitStack) -> None:
    for _ in range(20):
        reach(started, stack).sendall(b"POST /v3/environ HTTP/1.1\r\nHost: control\r\nContent-Le")


def garbage(started: Pilot, stack: ExitStack) -> None:
    for noise in (b"\0" * 5000, b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        client = reach(started, stack)
        client.sendall(noise)
        client.shutdown(socket.SHUT_WR)
        read_to_the_end(client)


def a_huge_body_that_is_announced(started: Pilot, stack: ExitStack) -> None:
    client = reach(started, stack)
    client.sendall(b"POST /v3/environ HTTP/1.1\r\nHost: control\r\nContent-Length: 1073741824\r\n\r\n{")
    assert read_to_the_end(client).startswith(b"HTTP/1.1 413 ")


def a_huge_body_that_is_sent(started: Pilot, stack: ExitStack) -> None:
    client = reach(started, stack)
    client.sendall(b"POST /v3/environ HTTP/1.1\r\nHost: control\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    try:
        for _ in range(16384):  # a gibibyte
            client.sendall(chunk)
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("it read a gibibyte")


def headers_without_an_end(started: Pilot, stack: ExitStack) -> None:
    client = reach(started, stack)
    client.sendall(b"GET /v3/ping HTTP/1.1\r\nHost: control\r\n")
    try:
        for _ in range(100_000):
            client.sendall(b"X-Much: more\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("it read 100,000 headers")


def questions_whose_answers_nobody_reads(started: Pilot, stack: ExitStack) -> None:
    for _ in range(5):
        client = reach(started, stack)
        client.setblocking(False)
        question = b"GET /v3/jobs HTTP/1.1\r\nHost: control\r\n\r\n"
        try:
            while True:
                client.send(question * 100)
        except BlockingIOError:
            pass
    for _ in range(5):
        client = reach(started, stack)
        client.sendall(b"GET /v3/events?follow=1 HTTP/1.1\r\nHost: control\r\n\r\n")


def a_thousand_connections(started: Pilot, stack: ExitStack) -> None:
    for number in range(CLIENTS):
        client = reach(started, stack)
        if number % 2:
            client.sendall(b"GET /v3/jobs HTTP/1.1\r\nHost: control\r\n\r\n")


def clients_that_leave_before_the_answer(started: Pilot, stack: ExitStack) -> None:
    for _ in range(CLIENTS):
        with connect(started.folder / SOCKET) as client:
            client.sendall(b"GET /v3/jobs HTTP/1.1\r\nHost: control\r\n\r\n")


ATTACKS = [
    half_a_request,
    garbage,
    a_huge_body_that_is_announced,
    a_huge_body_that_is_sent,
    headers_without_an_end,
    questions_whose_answers_nobody_reads,
    a_thousand_connections,
    clients_that_leave_before_the_answer,
]


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    """A thousand clients are a thousand descriptors of ContainerPilot."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timing
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__.replace("_", " "))
def test_jobs_run_on_time_and_others_are_served(pilot: StartPilot, attack: Callable[[Pilot, ExitStack], None]) -> None:
    started = pilot(config(app(), TICKER, *(job(f"idle{number}") for number in range(MANY))))
    started.wait_for_mark("tick", 3)
    started.ask("GET", "/v3/ping")
    descriptors, memory = len(started.descriptors()), proc.resident_kilobytes(started.pid)
    began = now()

    with ExitStack() as stack:
        attack(started, stack)
        requested_at = now()
        assert started.ask("GET", "/v3/ping").status == 200
        assert now() - requested_at < SERVED
        started.wait_for(lambda: now() - began > 1.0, what="ten ticks")
        assert started.ask("GET", "/v3/jobs/app").json["state"] == "running"
        ended = now()

    assert longest_gap(started, began, ended) < TICK + LATE
    started.wait_for(lambda: len(started.descriptors()) <= descriptors + 4, what="the end of the connections")
    assert proc.resident_kilobytes(started.pid) - memory < 20_000
    requested_at = now()
    assert started.stop() == 0
    assert now() - requested_at < 3.0
    assert "internal error" not in started.output()


def test_stop_does_not_wait_for_clients(pilot: StartPilot) -> None:
    started = pilot(config(app(), stopTimeout=600))
    started.wait_for_mark("app")
    started.ask("GET", "/v3/ping")

    with ExitStack() as stack:
        half_a_request(started, stack)
        questions_whose_answers_nobody_reads(started, stack)

        assert started.stop() == 0


def longest_gap(started: Pilot, begin: float, end: float) -> float:
    """Between two ticks, in seconds."""
    ticks = [mark.at for mark in started.marks() if mark.word == "tick" and begin - 2 * TICK < mark.at < end]
    return max(later - earlier for earlier, later in itertools.pairwise([*ticks, end]))


def read_to_the_end(client: socket.socket) -> bytes:
    found = b""
    try:
        while data := client.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found
