"""Connections of checks: names, addresses, unix sockets, and the limits of this process."""

from __future__ import annotations

import _socket
import errno
import os
import re
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cp.plan import HttpProbe, SocketProbe
from cp.platform.resolver import Peer, Resolver
from cp.probes.connector import NEXT_ADDRESS, QUEUE_FULL, SLOW_LOOKUP
from tests.integration.full_epoll import WHY, fill
from tests.integration.probes.serving import OK, TIMEOUT, Connection, World, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def peer(host: str) -> Peer:
    return Peer(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.IPPROTO_TCP, (host, 0))


def without_time(text: str) -> str:
    return re.sub(r"\bin \d+(\.\d)? m?s", "in N ms", text)


class Names:
    """Stands for the function of the C library: returns what `answer` is, or hangs while that is None."""

    def __init__(self, *answer: str) -> None:
        self.answer: list[Peer] | Exception | None = [peer(each) for each in answer]
        self.queries: list[str] = []
        self.go_on = threading.Event()

    def __call__(self, name: str) -> list[Peer]:
        self.queries.append(name)
        answer = self.answer
        if answer is None:
            self.go_on.wait()
            answer = self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer or []

    def hang(self) -> None:
        self.answer = None
        self.go_on.clear()


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.go_on.set()


@pytest.fixture
def named(make_world: Callable[..., World], names: Names) -> World:
    return make_world(Resolver(names))


@pytest.fixture
def dead() -> Iterator[int]:
    """A port of 127.0.0.2 that answers nothing: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        waiting = [socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(3)]
        for each in waiting:
            each.connect_ex(("127.0.0.2", port))
        yield port
        for each in waiting:
            each.close()


# --- tcp and unix


def test_a_port_that_accepts(world: World) -> None:
    server = world.serve(Connection.hold)

    assert re.fullmatch(
        rf"passed: tcp 127\.0\.0\.1:{server.port}: connected in \d+ ms",
        world.check(SocketProbe(host="127.0.0.1", port=server.port)),
    )


def test_a_port_that_refuses(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        assert world.check(SocketProbe(host="127.0.0.1", port=port)) == (
            f"failed: tcp 127.0.0.1:{port}: connection refused"
        )


def test_a_server_that_does_not_accept(world: World, dead: int) -> None:
    world.start(SocketProbe(host="127.0.0.2", port=dead))
    world.skip(TIMEOUT)
    world.turn_until(lambda: world.results)

    assert world.results == [(False, f"tcp 127.0.0.2:{dead}: timeout: no connection within 100.0 s")]


def test_ipv6(world: World) -> None:
    server = world.serve(says(OK), host="::1")

    assert f"tcp [::1]:{server.port}: connected" in world.check(SocketProbe(host="::1", port=server.port))
    assert f"GET http://[::1]:{server.port}/: 200 OK" in world.check(HttpProbe(host="::1", port=server.port))
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[1]


def test_localhost_is_both_of_its_addresses(world: World) -> None:
    server = world.serve(Connection.hold, host="::1")

    text = world.check(SocketProbe(port=server.port))

    assert text.startswith(f"passed: tcp localhost:{server.port}: connected in ")


def test_a_check_that_is_connected_to_itself_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may give the server's port to the check if nobody listens, and then TCP connects."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Bound(_socket.socket):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.setblocking(False)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.bind(("127.0.0.1", port))

    monkeypatch.setattr(_socket, "socket", Bound)
    text = world.check(SocketProbe(host="127.0.0.1", port=port))
    monkeypatch.undo()

    assert text == f"failed: tcp 127.0.0.1:{port}: connection refused"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths of sockets are short, however long the folder's is."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
def test_a_unix_socket(world: World) -> None:
    world.serve(Connection.hold, path=Path("app.sock"))

    assert without_time(world.check(SocketProbe(socket="app.sock"))) == "passed: unix app.sock: connected in N ms"


@pytest.mark.usefixtures("here")
def test_a_unix_socket_that_is_not_there_or_nobodys(world: World) -> None:
    assert world.check(SocketProbe(socket="app.sock")) == "failed: unix app.sock: no such file or directory"

    with socket.socket(socket.AF_UNIX) as old:
        old.bind("app.sock")
    assert world.check(SocketProbe(socket="app.sock")) == "failed: unix app.sock: connection refused"

    long = "x" * 200
    assert world.check(SocketProbe(socket=long)) == f"failed: unix {long}: AF_UNIX path too long"


@pytest.mark.usefixtures("here")
def test_a_unix_socket_whose_queue_is_full_is_tried_again(world: World) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("app.sock")
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect("app.sock")
            world.start(SocketProbe(socket="app.sock"))
            for _ in range(3):
                world.skip(QUEUE_FULL)
                world.turn_until(lambda: not world.loop._posted and not world.results)
            assert world.timers() == 2  # the next attempt, and the time limit
            listener.accept()[0].close()
        world.skip(QUEUE_FULL)
        world.turn_until(lambda: world.results)
        assert world.results[0][0]

        world.start(SocketProbe(socket="app.sock"))  # nobody accepts the connection of the first one
        world.skip(TIMEOUT)
        world.turn_until(lambda: len(world.results) > 1)
    assert world.results[1] == (
        False,
        "unix app.sock: timeout: no place in its queue of connections within 100.0 s",
    )


# --- names


def test_a_name_is_looked_up_for_each_check(named: World, names: Names) -> None:
    server = named.serve(Connection.hold)
    names.answer = [peer("127.0.0.1")]

    for _ in range(2):
        text = named.check(SocketProbe(host="app.example", port=server.port))
        assert text.startswith(f"passed: tcp app.example:{server.port}: connected")

    assert names.queries == ["app.example"] * 2


def test_a_name_without_an_address(named: World, names: Names) -> None:
    names.answer = GONE

    assert named.check(SocketProbe(host="app.example", port=80)) == (
        "failed: tcp app.example:80: no address for the name 'app.example': name or service not known"
    )


def test_a_look_up_that_hangs_does_not_stop_the_loop(named: World, names: Names) -> None:
    names.hang()
    turns = []
    named.loop.call_soon(lambda: turns.append(1))
    named.start(SocketProbe(host="app.example", port=80))
    named.turn_until(lambda: turns and names.queries)
    named.skip(TIMEOUT)
    named.turn_until(lambda: named.results)

    assert named.results == [
        (False, "tcp app.example:80: timeout: no address for the name 'app.example' within 100.0 s")
    ]


def test_checks_do_not_heap_up_behind_a_look_up_that_hangs(named: World, names: Names) -> None:
    names.hang()
    for _ in range(5):
        named.start(SocketProbe(host="app.example", port=80)).cancel()

    lookup = named.resolver.start("app.example")
    assert len(names.queries) <= 1
    assert not lookup._callbacks


def test_while_a_look_up_hangs_the_last_good_address_is_used(named: World, names: Names) -> None:
    server = named.serve(Connection.hold)
    names.answer = [peer("127.0.0.1")]
    named.check(SocketProbe(host="app.example", port=server.port))

    names.hang()
    named.start(SocketProbe(host="app.example", port=server.port))
    named.skip(SLOW_LOOKUP)
    named.turn_until(lambda: len(named.results) > 1)

    assert named.results[1][0]


def test_of_two_addresses_one_refuses(named: World, names: Names) -> None:
    server = named.serve(Connection.hold)
    names.answer = [peer("127.0.0.3"), peer("127.0.0.1")]

    assert named.check(SocketProbe(host="app.example", port=server.port)).startswith("passed: ")


def test_of_two_addresses_one_is_dead(named: World, names: Names, dead: int) -> None:
    """The other one is tried a quarter of a second later, beside the first."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", dead))
        listener.listen()
        names.answer = [peer("127.0.0.2"), peer("127.0.0.1")]
        named.start(SocketProbe(host="app.example", port=dead))
        named.turn_until(lambda: named.loop._writers)
        named.skip(NEXT_ADDRESS)
        named.turn_until(lambda: named.results)

        assert named.results[0][0]
        assert named.resolver.good("app.example")[0] == peer("127.0.0.1")


def test_all_addresses_refuse(named: World, names: Names) -> None:
    names.answer = [peer("127.0.0.3"), peer("127.0.0.4")]

    assert named.check(SocketProbe(host="app.example", port=1)) == "failed: tcp app.example:1: connection refused"


# --- the end before the end


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_cancelled_check_has_no_result_even_if_it_is_on_its_way(world: World, kind: str) -> None:
    server = world.serve(says(OK))
    probe: Any = (HttpProbe if kind == "http" else SocketProbe)(host="127.0.0.1", port=server.port)
    world.check(probe)  # everything is imported
    started = world.start(probe)
    while not started._is_over:
        world.loop.run_once() if kind == "http" else None
        if world.loop._ready:
            break

    started.cancel()
    world.turn_until(lambda: not world.loop._ready)

    assert len(world.results) == 1


def test_a_check_is_cancelled_at_each_step(named: World, names: Names, dead: int) -> None:
    """What that leaves is looked at by the world."""
    names.hang()
    held = named.serve(Connection.hold)
    for probe in (
        HttpProbe(host="127.0.0.1", port=held.port),  # while it is imported
        SocketProbe(host="app.example", port=80),
        SocketProbe(host="127.0.0.2", port=dead),
        HttpProbe(host="127.0.0.2", port=dead),
        HttpProbe(host="127.0.0.1", port=held.port, https=True),
    ):
        for turns in range(4):
            started = named.start(probe)
            for _ in range(turns):
                named.loop.call_soon(lambda: None)
                named.loop.run_once()
            started.cancel()
            started.cancel()

    assert not named.results


# --- limits of this process


def test_no_descriptor_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    server = world.serve(says(OK))
    assert world.check(HttpProbe(host="127.0.0.1", port=server.port)).startswith("passed")

    def none(*arguments: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(_socket, "socket", none)
    for probe in (HttpProbe(host="127.0.0.1", port=server.port), SocketProbe(port=server.port)):
        assert world.check(probe).endswith("cannot open a socket: too many open files")
    monkeypatch.undo()

    assert world.check(HttpProbe(host="127.0.0.1", port=server.port)).startswith("passed")


def test_epoll_accepts_no_more(world: World, dead: int) -> None:
    server = world.serve(says(OK))
    assert world.check(HttpProbe(host="127.0.0.1", port=server.port)).startswith("passed")
    full = fill(world.loop, "_epoll")

    assert world.check(HttpProbe(host="127.0.0.1", port=server.port)).endswith(WHY)
    assert world.check(SocketProbe(host="127.0.0.2", port=dead)).endswith(WHY)

    full.room = 100
    assert world.check(HttpProbe(host="127.0.0.1", port=server.port)).startswith("passed")


def test_no_thread_can_start(make_world: Callable[..., World]) -> None:
    def none(*arguments: Any) -> None:
        raise RuntimeError("can't start new thread")

    world = make_world(Resolver(start_thread=none))
    world.probes._modules._start_thread = none
    world.probes._contexts._start_thread = none

    assert world.check(SocketProbe(host="app.example", port=1)).endswith("can't start new thread")
    assert world.check(HttpProbe(host="127.0.0.1", port=1)) == (
        "failed: GET http://127.0.0.1:1/: cannot check: can't start new thread"
    )
