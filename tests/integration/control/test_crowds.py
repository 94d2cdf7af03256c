"""Many clients at once, the first one, and the last."""

from __future__ import annotations

import os
import resource
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cp.control.routes import ControlRoutes
from cp.control.socket_file import ListenError, open_listener
from cp.http.server import Limits
from tests.integration.control.serving import World, request
from tests.integration.full_epoll import WHY, descriptors, fill
from tests.limits import DEADLINE

PING = b"GET /v3/ping HTTP/1.1\r\nHost: x\r\n\r\n"
Serve = Callable[..., World]


# --- many


def test_the_oldest_idle_connection_makes_room(serve: Serve) -> None:
    world = serve(Limits(connections=3))
    silent, requesting, half = world.client(), world.client(), world.client()
    requesting.send(PING)
    requesting.answer()
    half.send(b"GET /v3")
    world.pump(lambda: world.control.connections == 3)
    assert world.ask("GET", "/v3/ping").status == 200
    assert silent.until_closed() == b""
    requesting.send(PING)
    assert requesting.answer().status == 200


def test_a_request_that_was_not_looked_at_yet_is_answered_before_it_makes_room(serve: Serve) -> None:
    world = serve(Limits(connections=2))
    world.ask("GET", "/v3/ping")  # HTTP is there
    clients = [world.client() for _ in range(40)]
    for client in clients:
        client.send(PING)
    for client in clients:
        assert client.answer().status == 200


def test_a_client_that_waits_for_an_answer_is_never_closed(serve: Serve) -> None:
    world = serve(Limits(connections=2))
    world.admin.waits = True
    reloading, following, third = world.client(), world.client(), world.client()
    reloading.send(request("POST", "/v3/reload"))
    following.send(request("GET", "/v3/events?follow=1"))
    world.pump(lambda: world.admin.requests and world.history.followers)
    third.send(PING)
    answer = third.answer()
    assert (answer.status, answer.error) == (503, "Service Unavailable: all connections are busy, try again later")
    assert third.until_closed() == b""
    world.admin.finish()
    assert reloading.answer().status == 200
    assert world.ask("GET", "/v3/ping").status == 200


@pytest.fixture
def many_descriptors() -> object:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timing
@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_connections_keep_nobody_else_waiting(world: World) -> None:
    running = True

    def run() -> None:
        while running:
            world.turn()

    thread = threading.Thread(target=run)
    thread.start()
    crowd: list[socket.socket] = []
    waited: list[float] = []

    def connect() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(DEADLINE)
        client.connect(world.path)
        return client

    try:
        for number in range(1000):
            crowd.append(connect())
            crowd[-1].send(b"GET /v3/p" if number % 2 else b"P")
            if number % 20 == 0:
                began = time.monotonic()
                with connect() as client:
                    client.send(PING)
                    assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
                waited.append(time.monotonic() - began)
    finally:
        running = False
        thread.join()
        for client in crowd:
            client.close()
    assert statistics.median(waited) < 0.1
    assert world.control.connections <= 128


def test_without_descriptors_clients_wait_and_the_log_says_so_once(world: World) -> None:
    world.ask("GET", "/v3/ping")  # HTTP is there
    world.pump(lambda: not world.control.connections)
    client = world.client()
    client.send(PING)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        for _ in range(5):
            world.advance(0.11)
        assert world.log.errors() == [
            "error control: cannot accept clients: too many open files; they wait until it can"
        ]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    world.advance(0.11)
    assert client.answer().status == 200
    assert len(world.log.errors()) == 1


def test_clients_that_cannot_be_watched_wait_and_the_log_says_so_once(world: World) -> None:
    world.ask("GET", "/v3/ping")  # HTTP is there
    world.settle()
    full = fill(server_of(world), "poller")
    before = descriptors()
    for _ in range(5):
        with world.client().socket as client:
            client.send(PING)
            world.advance(0.11)
    assert world.log.errors() == [f"error control: cannot accept clients: {WHY}; they wait until it can"]
    assert descriptors() <= before
    full.room = 100
    world.advance(0.11)
    assert world.ask("GET", "/v3/ping").status == 200
    assert len(world.log.errors()) == 1


def test_a_first_client_that_cannot_be_watched_is_sent_away_and_the_next_one_is_served(world: World) -> None:
    full = fill(server_of(world), "poller")
    client = world.client()
    client.send(PING)
    assert client.until_closed() == b""
    full.room = 1
    world.advance(0.11)
    client = world.client()  # it takes the one place, gives it back when HTTP is imported, and gets none again
    client.send(PING)
    assert client.until_closed() == b""
    full.room = 2
    world.advance(0.11)
    assert world.ask("GET", "/v3/ping").status == 200


def test_a_server_that_stops_accepting_for_a_while_can_always_go_on(world: World) -> None:
    """While HTTP is imported, and while the system refuses: the kernel may take nothing new meanwhile."""
    fill(world.loop, "_epoll")
    assert world.ask("GET", "/v3/ping").status == 200
    full = fill(server_of(world), "poller")
    with world.client().socket:
        world.advance(0.01)
    full.room = 1
    world.advance(0.11)
    assert world.ask("GET", "/v3/ping").status == 200


def server_of(world: World) -> Any:
    return world.control._server


# --- before HTTP is there


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads on which what answers was imported; once is all that a server needs."""
    threads: list[int] = []
    init = ControlRoutes.__init__

    def note(*arguments: Any) -> None:
        threads.append(threading.get_ident())
        init(*arguments)

    monkeypatch.setattr("cp.control.routes.ControlRoutes.__init__", note)
    return threads


def test_another_instance_that_looks_whether_somebody_is_here_imports_nothing(
    world: World, imported: list[int]
) -> None:
    with pytest.raises(ListenError, match="another instance listens there"):
        open_listener(world.path)
    world.pump(lambda: world.control.connections)
    world.pump(lambda: not world.control.connections)
    assert imported == []
    assert world.ask("GET", "/v3/ping").status == 200
    assert len(imported) == 1


def test_a_silent_client_imports_nothing_until_its_time_is_over(world: World, imported: list[int]) -> None:
    client = world.client()
    world.pump(lambda: world.control.connections)
    world.advance(2)
    assert imported == []
    world.advance(3.1)
    assert client.answer().status == 408
    assert client.until_closed() == b""
    assert len(imported) == 1


def test_silent_clients_take_no_more_connections_than_others_and_delay_nobody(
    serve: Serve, imported: list[int]
) -> None:
    world = serve(Limits(connections=3))
    silent = [world.client() for _ in range(20)]
    world.settle()
    assert (world.control.connections, imported) == (3, [])
    for client in silent[:-3]:
        assert client.until_closed() == b""
    asking = [world.client() for _ in range(5)]
    for client in asking:
        client.send(PING)
    for client in asking:
        assert client.answer().status == 200
    assert world.control.connections <= 3


def test_a_silent_client_from_before_http_was_loaded_gets_no_more_time_than_others(world: World) -> None:
    silent = world.client()
    world.pump(lambda: world.control.connections)
    world.advance(3)
    assert world.ask("GET", "/v3/ping").status == 200
    world.advance(2.1)
    assert silent.answer().status == 408


def test_http_modules_are_imported_for_the_first_client_and_not_on_the_loop(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    monkeypatch.setattr("cp.control.routes.ControlRoutes.__init__", lambda *_: threads.append(threading.get_ident()))
    monkeypatch.setattr(
        "cp.control.routes.ControlRoutes.handle", lambda _, request, exchange: exchange.stream(200, "x").close()
    )
    world = serve()
    world.settle()
    assert threads == []
    client = world.client()
    client.send(PING)
    client.read(lambda data: data.endswith(b"0\r\n\r\n"))
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


def test_if_http_cannot_be_imported_clients_are_sent_away_and_the_next_one_is_a_new_attempt(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = serve()
    with monkeypatch.context() as broken:
        broken.setitem(sys.modules, "cp.control.routes", None)
        for _ in range(2):
            client = world.client()
            client.send(PING)
            assert client.until_closed() == b""
        (line,) = world.log.errors()
        assert line.startswith("error control: cannot serve clients: ModuleNotFoundError: ")
    assert world.ask("GET", "/v3/ping").status == 200


def test_a_server_that_closes_while_http_is_imported_lets_its_clients_go(world: World) -> None:
    client, silent = world.client(), world.client()
    client.send(PING)
    closed: list[bool] = []
    world.pump(lambda: world.control.connections)
    world.loop.run_once()  # its words are noticed
    world.control.close(lambda: closed.append(True))
    world.pump(lambda: closed)
    assert client.until_closed() == silent.until_closed() == b""


# --- the end


def test_closing_gives_the_answers_that_are_owed(world: World) -> None:
    world.admin.waits = True
    client, silent = world.client(), world.client()
    client.send(request("POST", "/v3/reload"))
    world.pump(lambda: world.admin.requests)
    closed: list[bool] = []
    world.control.close(lambda: closed.append(True))
    assert not os.path.lexists(world.path)
    assert silent.until_closed() == b""
    assert not closed
    world.admin.finish()
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    world.pump(lambda: closed)


def test_closing_answers_clients_that_came_just_before(world: World) -> None:
    world.ask("GET", "/v3/ping")
    accepted, queued = world.client(), world.client()
    accepted.send(PING)
    queued.send(PING)
    world.control.close()
    assert accepted.answer().status == 200
    assert queued.answer().status == 200


def test_closing_waits_for_nobody_beyond_the_grace(world: World) -> None:
    world.admin.waits = True
    world.admin.jobs["app"]["output"] = "x" * 1_000_000
    reloading, not_reading, following = world.client(), world.client(), world.client()
    reloading.send(request("POST", "/v3/reload"))
    not_reading.send(request("GET", "/v3/jobs/app"))
    following.send(request("GET", "/v3/events?follow=1"))
    world.pump(lambda: world.admin.requests and world.counted and world.history.followers)
    closed: list[bool] = []
    world.control.close(lambda: closed.append(True))
    world.settle()
    assert not closed
    assert following.until_closed().endswith(b"0\r\n\r\n")
    world.advance(0.61)
    assert closed == [True]
    assert reloading.until_closed() == b""


def test_closing_twice_calls_back_twice(world: World) -> None:
    closed: list[int] = []
    world.control.close(lambda: closed.append(1))
    world.control.close(lambda: closed.append(2))
    assert closed == [1, 2]
