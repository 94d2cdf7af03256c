"""Look-ups of names that take their time, and connections that do not wait for them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.http.client import HttpClient
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogUnreachable
from cp.config.endpoint import Endpoint
from cp.plan import Tls
from cp.platform.resolver import LOST, MOST_NAMES, Peer, Resolver, look_up, numeric
from cp.platform.wakeup import Wakeup
from tests.integration.catalog.http.test_client import LONG, OK, in_background, says, serve
from tests.unit.catalog.fakes import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.catalog.http.test_client import Server

__all__ = ["serve"]

HERE = Peer(socket.AF_INET, socket.IPPROTO_TCP, ("127.0.0.1", 0))
THERE = Peer(socket.AF_INET, socket.IPPROTO_TCP, ("127.0.0.2", 0))
AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class NameServer:
    """Stands for the function of the C library: says at once what `answer` is, or hangs while that is None."""

    def __init__(self) -> None:
        self.answer: list[Peer] | Exception | None = [HERE]
        self.queries = 0
        self.under_way = 0
        self.most_under_way = 0
        self._changed = threading.Condition()

    def __call__(self, name: str) -> list[Peer]:
        with self._changed:
            self.queries += 1
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.answer is not None)
            self.under_way -= 1
            answer = self.answer
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        return answer

    def say(self, answer: list[Peer] | Exception | None) -> None:
        with self._changed:
            self.answer = answer
            self._changed.notify_all()

    def wait_until_queried(self, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.queries >= times, LONG)


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.say([])


@pytest.fixture
def resolver(name_server: NameServer) -> Resolver:
    return Resolver(name_server)


@pytest.fixture
def client(resolver: Resolver) -> Iterator[Callable[..., HttpClient]]:
    """Clients of `consul.test`, at the port of a server."""
    clients: list[HttpClient] = []

    def make(server: Server, **options: Any) -> HttpClient:
        address = Endpoint("http", "consul.test", server.port)
        options = {"connect_timeout": LONG, "read_timeout": LONG, "tls": Tls(), "environ": {}, **options}
        clients.append(HttpClient("Consul", address, resolver=resolver, **options))
        return clients[-1]

    yield make
    for each in clients:
        each.close()


def ask(http: HttpClient) -> bytes:
    return http.request("GET", "/", headers={}).body


def failure(http: HttpClient) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        ask(http)
    return caught.value


def hangs_up_afterwards(connection: socket.socket, request: bytes) -> None:
    connection.sendall(OK)
    connection.shutdown(socket.SHUT_RDWR)


# --- connecting


@pytest.mark.timing
def test_a_look_up_has_the_time_of_connecting(serve: Any, client: Any, name_server: NameServer) -> None:
    name_server.say(None)
    http = client(serve(says(OK)), connect_timeout=0.2)
    begin = time.monotonic()
    error = failure(http)
    assert time.monotonic() - begin < 2
    assert isinstance(error, CatalogUnreachable)
    assert str(error).endswith(": no address for the name 'consul.test' within 0.2 s; does the name server answer?")


def test_the_name_of_a_proxy_is_looked_up_in_its_place(serve: Any, client: Any, name_server: NameServer) -> None:
    server = serve(says(OK))
    proxied: dict[str, Any] = {"environ": {"HTTP_PROXY": f"http://proxy.test:{server.port}"}}
    assert ask(client(server, **proxied)) == b"ok"
    proxied["connect_timeout"] = 0.2
    name_server.say(None)
    fresh = Resolver(name_server)
    http = HttpClient(
        "Consul", Endpoint("http", "consul.test", 1), read_timeout=1, tls=Tls(), resolver=fresh, **proxied
    )
    assert "no address for the name 'proxy.test' within 0.2 s" in str(failure(http))
    http.close()


def test_many_attempts_have_one_thread(serve: Any, client: Any, name_server: NameServer) -> None:
    name_server.say(None)
    server = serve(says(OK))
    clients = [client(server, connect_timeout=0.05) for _ in range(4)]
    ends = [in_background(lambda http=http: [failure(http) for _ in range(3)]) for http in clients]  # type: ignore[misc]
    for end in ends:
        assert end() is None
    assert (name_server.queries, name_server.most_under_way) == (1, 1)
    name_server.say([HERE])
    assert ask(client(server)) == b"ok"


def test_all_waits_for_one_name_go_on_together(serve: Any, client: Any, name_server: NameServer) -> None:
    name_server.say(None)
    server = serve(says(OK))
    ends = [in_background(lambda http=http: ask(http)) for http in [client(server) for _ in range(3)]]  # type: ignore[misc]
    name_server.wait_until_queried(1)
    name_server.say([HERE])
    for end in ends:
        assert end() is None
    assert name_server.most_under_way == 1


@pytest.mark.timing
@pytest.mark.parametrize("for_good", [False, True])
def test_the_wait_for_an_address_can_be_broken_off(
    serve: Any, client: Any, name_server: NameServer, for_good: bool
) -> None:
    name_server.say(None)
    http = client(serve(says(OK)))
    end = in_background(lambda: ask(http))
    name_server.wait_until_queried(1)
    begin = time.monotonic()
    if for_good:
        http.close()
    else:
        http.interrupt()
    assert isinstance(end(), CatalogClosed)
    assert time.monotonic() - begin < 2
    if not for_good:
        name_server.say([HERE])
        assert ask(http) == b"ok"


def test_no_descriptor_is_left_of_a_wait(serve: Any, client: Any, name_server: NameServer) -> None:
    name_server.say(None)
    http = client(serve(says(OK)), connect_timeout=0.01)
    failure(http)
    with socket.socket() as first:
        number = first.fileno()
    for _ in range(5):
        failure(http)
    with socket.socket() as last:
        assert last.fileno() == number


# --- the last good address


@pytest.mark.timing
@pytest.mark.parametrize("outage", [None, AGAIN, socket.gaierror(socket.EAI_FAIL, "x"), OSError("no thread")])
def test_the_last_good_address_serves_while_name_servers_are_in_trouble(
    serve: Any, client: Any, name_server: NameServer, outage: Exception | None
) -> None:
    server = serve(hangs_up_afterwards)
    http = client(server, connect_timeout=4)
    assert ask(http) == b"ok"
    name_server.say(outage)
    begin = time.monotonic()
    assert ask(http) == b"ok"
    assert ask(client(server)) == b"ok", "what one client has learned, all know"
    assert time.monotonic() - begin < 3
    assert server.connections == 3


@pytest.mark.parametrize(("answer", "why"), [(GONE, "name or service not known"), (UnicodeError("too long"), "too lo")])
def test_a_name_that_is_gone_is_gone(
    serve: Any, client: Any, name_server: NameServer, answer: Exception, why: str
) -> None:
    http = client(serve(hangs_up_afterwards))
    ask(http)
    name_server.say(answer)
    assert why in str(failure(http))


def test_an_address_that_is_good_no_longer_waits_for_the_look_up(
    serve: Any, client: Any, name_server: NameServer, resolver: Resolver
) -> None:
    server = serve(says(OK))
    resolver.connected("consul.test", THERE, [THERE])  # where nobody listens
    name_server.say(None)
    end = in_background(lambda: ask(client(server)))
    name_server.wait_until_queried(1)
    name_server.say([HERE])
    assert end() is None


def test_an_address_that_is_good_no_longer_and_no_other_one(
    serve: Any, client: Any, name_server: NameServer, resolver: Resolver
) -> None:
    resolver.connected("consul.test", THERE, [THERE])
    name_server.say(None)
    assert str(failure(client(serve(says(OK)), connect_timeout=0.5))).endswith(": connection refused")


@pytest.mark.parametrize("leads_elsewhere", [True, False])
def test_a_connection_to_the_last_good_address_ends_if_the_name_leads_elsewhere(
    serve: Any, client: Any, name_server: NameServer, resolver: Resolver, leads_elsewhere: bool
) -> None:
    """Another one may have this address by now."""
    server = serve(says(OK))
    resolver.connected("consul.test", HERE, [HERE])
    name_server.say(None)
    http = client(server, connect_timeout=2)
    assert ask(http) == b"ok"
    lookup = resolver.start("consul.test")
    name_server.say([THERE] if leads_elsewhere else [THERE, HERE])
    wait_for_end(lookup)
    if leads_elsewhere:
        assert str(failure(http)).endswith(": connection refused")
    else:
        assert ask(http) == b"ok"
        assert server.connections == 1


def test_every_address_of_a_name_is_tried(serve: Any, client: Any, name_server: NameServer, resolver: Resolver) -> None:
    name_server.say([THERE, HERE])
    assert ask(client(serve(says(OK)))) == b"ok"
    assert resolver.good("consul.test") == (HERE, THERE), "who answered comes first the next time"


# --- the resolver


def wait_for_end(lookup: Any) -> None:
    wakeup = Wakeup()
    end = time.monotonic() + LONG
    while not lookup.is_over:
        assert time.monotonic() < end
        lookup.wait(wakeup, 0.1)
    wakeup.close()


def test_a_look_up_whose_thread_got_lost_is_repeated() -> None:
    clock, started = Clock(), []
    resolver = Resolver(lambda name: [HERE], lambda run, arguments: started.append((run, arguments)), clock)
    first = resolver.start("a")
    assert resolver.start("a") is first
    clock.time += LOST
    second = resolver.start("a")
    assert second is not first
    for run, arguments in started:
        run(*arguments)
    assert first.peers == second.peers == [HERE]
    assert resolver.start("a") is not second


def test_without_a_thread_it_has_failed() -> None:
    def no_thread(run: Any, arguments: Any) -> None:
        raise RuntimeError("can't start new thread")

    lookup = Resolver(look_up, no_thread).start("a")
    assert lookup.is_over
    assert str(lookup.error) == "cannot look up its name: can't start new thread"


def test_few_names_are_remembered() -> None:
    resolver = Resolver()
    for number in range(MOST_NAMES + 1):
        resolver.connected(str(number), HERE, [])
    assert resolver.good("0") == ()
    assert resolver.good("1") == (HERE,)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo", "fe80::1%1"])
def test_an_address_needs_no_look_up(host: str) -> None:
    (peer,) = numeric(host)
    assert peer.at(8500)[:2] in ((host, 8500), ("fe80::1", 8500), ("fe80::1%lo", 8500))


@pytest.mark.parametrize("host", ["localhost", "consul", "bücher", "fe80::1%nowhere", ""])
def test_a_name_is_not_an_address(host: str) -> None:
    assert numeric(host) == []


def test_the_function_of_the_c_library() -> None:
    assert "127.0.0.1" in [peer.place[0] for peer in look_up("localhost")]
    with contextlib.suppress(OSError):  # if there is no name server
        assert look_up("nowhere.invalid") == []
