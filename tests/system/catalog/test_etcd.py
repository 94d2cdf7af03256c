"""The etcd client, call by call, against a real server: what is the same in both APIs."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.etcd.client import Etcd as Client
from cp.catalog.etcd.v2 import Etcd2
from cp.catalog.etcd.v3 import Etcd3
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogForgotten, CatalogUnreachable
from tests.limits import DEADLINE
from tests.system.catalog.live import etcd_at, service, watch
from tests.system.pilot import settle, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.etcd_server import Etcd, StartEtcd

both = pytest.mark.parametrize("api", ["v2", "v3"])


@pytest.fixture
def open(etcd: Etcd) -> Iterator[Callable[..., Client]]:
    """`open()` is a new client of the shared etcd; endpoints and settings can be given. It asks them in this order."""
    clients: list[Client] = []

    def make(*urls: str, warn: Callable[[str], object] = pytest.fail, **settings: Any) -> Client:
        urls = urls or (etcd.url,)
        clients.append(Client(etcd_at(*urls, **settings), {}, warn, order=urls.index))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def nobody() -> str:
    """An endpoint that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def failure(call: Callable[[], object]) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        call()
    return caught.value


# --- registration


@both
def test_there_while_it_is_registered(etcd: Etcd, open: Any, name: str, api: str) -> None:
    client, one = open(api=api), service(name)
    assert etcd.ids(api, name) == []
    client.register(one, "passing")
    client.heartbeat(one, "passing", "")
    assert etcd.ids(api, name) == [f"{name}-box"]
    client.deregister(one)
    assert etcd.ids(api, name) == []
    client.deregister(one)


@both
def test_its_time_to_live_ends_it(etcd: Etcd, open: Any, name: str, api: str) -> None:
    client, one = open(api=api), service(name, ttl=1)
    client.register(one, "passing")
    assert etcd.ids(api, name) == [f"{name}-box"]
    etcd.wait_for_ids(api, name, [], 4)
    with pytest.raises(CatalogForgotten):
        client.heartbeat(one, "passing", "")


@both
def test_heartbeats_keep_it_alive(etcd: Etcd, open: Any, name: str, api: str) -> None:
    client, one = open(api=api), service(name, ttl=1)
    client.register(one, "passing")
    for _ in range(10):
        settle(0.3)
        client.heartbeat(one, "passing", "")
        assert etcd.ids(api, name) == [f"{name}-box"]


@both
def test_a_watch_sees_it_come_and_lapse(open: Any, name: str, api: str) -> None:
    """A watch sees no change; a change; no change; a change after the expiry."""
    client = open(api=api)
    assert client.instances(watch(name))[0] == []
    client.register(service(name, ttl=1), "passing")
    first, cursor = client.instances(watch(name))
    assert [(found.id, found.address, found.port) for found in first] == [(f"{name}-box", "10.0.0.1", 80)]
    assert client.instances(watch(name))[0] == first
    assert client.wait_for_change(watch(name), cursor, 10)[0] == []


@both
def test_a_restart_under_the_same_name_takes_over_without_a_gap(etcd: Etcd, open: Any, name: str, api: str) -> None:
    """The program was killed, and its registration stays for the rest of its `ttl`."""
    open(api=api).register(service(name, ttl=2), "passing")
    again, one = open(api=api), service(name, ttl=2, address="10.0.0.2")
    again.register(one, "passing")
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        settle(0.3)
        again.heartbeat(one, "passing", "")
        assert [found.address for found in again.instances(watch(name))[0]] == ["10.0.0.2"]
    assert etcd.ids(api, name) == [f"{name}-box"]


@both
def test_a_foreign_removal_is_noticed_by_the_next_heartbeat(etcd: Etcd, open: Any, name: str, api: str) -> None:
    client, one = open(api=api), service(name)
    client.register(one, "passing")
    etcd.remove(api, name, one.id)
    with pytest.raises(CatalogForgotten):
        client.heartbeat(one, "passing", "")
    client.register(one, "passing")
    client.heartbeat(one, "passing", "")
    assert etcd.ids(api, name) == [one.id]


@both
@pytest.mark.parametrize("status", ["critical", "warning", ""])
def test_only_passing_instances_are_listed(etcd: Etcd, open: Any, name: str, api: str, status: str) -> None:
    """Readers of the keys know no status: who is there is healthy."""
    client, one = open(api=api), service(name)
    client.register(one, status)
    assert etcd.ids(api, name) == []
    client.heartbeat(one, "passing", "")
    assert etcd.ids(api, name) == [one.id]
    client.heartbeat(one, status, "disk full")
    assert etcd.ids(api, name) == []
    client.heartbeat(one, "passing", "")
    assert etcd.ids(api, name) == [one.id]


@both
def test_two_services_live_on_their_own(etcd: Etcd, open: Any, name: str, api: str) -> None:
    client, one, other = open(api=api), service(name, ttl=1), service(f"{name}-2", ttl=10)
    client.register(one, "passing")
    client.register(other, "passing")
    etcd.wait_for_ids(api, one.name, [], 4)
    client.heartbeat(other, "passing", "")
    client.register(one, "passing")
    client.deregister(other)
    assert (etcd.ids(api, one.name), etcd.ids(api, other.name)) == ([one.id], [])


@both
def test_a_name_that_goes_on_where_another_ends(open: Any, name: str, api: str) -> None:
    client = open(api=api)
    for each in (name, f"{name}2", f"{name}/2"):
        client.register(service(each, id=f"id-{each.replace('/', '-')}"), "passing")
    assert [found.id for found in client.instances(watch(name))[0]] == [f"id-{name}"]


@both
@pytest.mark.parametrize("prefix", ["services", "//a//b/", "/ü &?%20#+;=<x>\"'", "/"])
def test_prefixes_and_names_with_odd_characters(open: Any, name: str, api: str, prefix: str) -> None:
    odd = f"{name} ü&?%2F#+;=<x>\"'"
    client, one = open(api=api, prefix=prefix), service(odd, address="<&\u2028>")
    client.register(one, "passing")
    client.heartbeat(one, "passing", "")
    assert [(found.id, found.address) for found in client.instances(watch(odd))[0]] == [(one.id, one.address)]
    client.deregister(one)
    assert client.instances(watch(odd))[0] == []


# --- watches


@pytest.mark.timing
@both
def test_a_change_ends_the_wait_at_once(etcd: Etcd, open: Any, name: str, api: str) -> None:
    follower = open(api=api)
    etcd.enter(api, name, 1)
    _, cursor = follower.instances(watch(name))
    written: list[float] = []
    delays: list[float] = []
    for number in range(2, 7):

        def enter(number: int = number) -> None:
            settle(0.3)  # so that the query is open by then; if it is not, the client still sees the change
            etcd.enter(api, name, number)
            written.append(time.monotonic())

        thread = threading.Thread(target=enter)
        thread.start()
        found, cursor = follower.wait_for_change(watch(name), cursor, 20)
        seen = time.monotonic()
        thread.join()
        assert [one.port for one in found] == list(range(1, number + 1))
        delays.append(seen - written[-1])
    assert sorted(delays)[2] < 0.1, "at least three times out of five, on a machine that has other things to do"


@pytest.mark.timing
@both
def test_a_change_between_two_questions_is_not_lost(etcd: Etcd, open: Any, name: str, api: str) -> None:
    client = open(api=api)
    _, cursor = client.instances(watch(name))
    etcd.enter(api, name, 1)
    begin = time.monotonic()
    found, _ = client.wait_for_change(watch(name), cursor, 20)
    assert [one.port for one in found] == [1]
    assert time.monotonic() - begin < 1


@pytest.mark.timing
@both
def test_a_heartbeat_between_two_questions_does_not_make_the_watch_deaf(
    etcd: Etcd, open: Any, name: str, api: str
) -> None:
    """API v2 tells of one change that has been, and then of nothing more."""
    client, registrar, one = open(api=api), open(api=api), service(name)
    registrar.register(one, "passing")
    found, cursor = client.instances(watch(name))
    assert len(found) == 1
    registrar.heartbeat(one, "passing", "")
    later = threading.Timer(0.5, lambda: registrar.deregister(one))
    later.start()

    begin = time.monotonic()
    found, _ = client.wait_for_change(watch(name), cursor, 10)

    assert found == []
    assert time.monotonic() - begin < 5
    later.join()


@pytest.mark.timing
@both
def test_the_wait_ends_in_time_when_nothing_changes(open: Any, etcd: Etcd, name: str, api: str) -> None:
    """Heartbeats and other services are not a change."""
    client, registrar, one = open(api=api), open(api=api), service(name)
    registrar.register(one, "passing")
    found, cursor = client.instances(watch(name))
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            registrar.heartbeat(one, "passing", "")
            etcd.enter(api, f"{name}-other", 1)

    thread = threading.Thread(target=beat)
    thread.start()
    begin = time.monotonic()
    again, cursor = client.wait_for_change(watch(name), cursor, 1.0)
    took = time.monotonic() - begin
    over.set()
    thread.join()
    assert again == found
    assert isinstance(cursor, int)
    assert 1.0 <= took < 2


@both
@pytest.mark.parametrize("for_good", [True, False])
def test_a_wait_can_be_broken_off(open: Any, name: str, api: str, for_good: bool) -> None:
    client = open(api=api)
    _, cursor = client.instances(watch(name))
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            client.wait_for_change(watch(name), cursor, 300)
        except CatalogClosed as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: client._endpoints._active is not None)
    if for_good:
        client.close()
    else:
        client.interrupt()
    thread.join(DEADLINE)
    assert len(outcome) == 1
    if for_good:
        assert isinstance(failure(lambda: client.instances(watch(name))), CatalogClosed)
    else:
        client.instances(watch(name))


@both
def test_a_wait_over_a_restart_sees_lost_instances(open: Any, name: str, start_etcd: StartEtcd, api: str) -> None:
    etcd = start_etcd()
    client = open(etcd.url, api=api)
    for number in range(10):
        etcd.enter(api, name, number)
    _, cursor = client.instances(watch(name))
    etcd.kill()
    etcd.start()
    # The new one counts from the beginning: it would be silent until it is where the old one was.
    found, cursor = client.wait_for_change(watch(name), cursor, 20)
    assert found == []
    etcd.enter(api, name, 1)
    assert len(client.wait_for_change(watch(name), cursor or client.instances(watch(name))[1], 20)[0]) == 1


@both
def test_a_wait_that_a_crash_ends_fails_and_is_not_taken_for_a_change(
    open: Any, name: str, start_etcd: StartEtcd, api: str
) -> None:
    etcd = start_etcd()
    client = open(etcd.url, api=api)
    etcd.enter(api, name, 1)
    _, cursor = client.instances(watch(name))
    killer = threading.Timer(0.3, etcd.kill)
    killer.start()
    error = failure(lambda: client.wait_for_change(watch(name), cursor, 20))
    killer.join()
    assert isinstance(error, CatalogUnreachable)
    etcd.start(empty=False)
    assert [one.port for one in client.instances(watch(name))[0]] == [1]


@both
def test_keys_that_are_not_instances_are_logged_once(etcd: Etcd, open: Any, name: str, api: str) -> None:
    warnings: list[str] = []
    client = open(api=api, warn=warnings.append)
    client.register(service(name), "passing")
    if api == "v3":
        etcd.put(f"/containerpilot/{name}/note", "hello")
        key = f"/containerpilot/{name}/note"
    else:
        etcd.call("PUT", f"/v2/keys/containerpilot/{name}/x/note", b"value=hello")
        etcd.call("PUT", f"/v2/keys/containerpilot/{name}/plain", b"value=ignored")
        key = f"/containerpilot/{name}/x/note"
    for _ in range(2):
        assert [one.id for one in client.instances(watch(name))[0]] == [f"{name}-box"]
    why = "it is not an entry of the catalogue: it is not JSON; see etcd.prefix"
    assert warnings == [f"the key '{key}' in etcd is ignored, {why}"]


# --- endpoints


@pytest.mark.timing
@both
def test_a_dead_endpoint_is_tried_once_and_then_left_alone(etcd: Etcd, open: Any, name: str, api: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client, one = open(nobody(), slow, etcd.url, api=api, read_timeout=0.5), service(name)
        begin = time.monotonic()
        client.register(one, "passing")
        assert 0.5 <= time.monotonic() - begin < 1.5
        begin = time.monotonic()
        for _ in range(10):
            client.heartbeat(one, "passing", "")
        assert time.monotonic() - begin < 3
    assert etcd.ids(api, name) == [one.id]


@both
def test_a_watch_goes_on_at_another_endpoint(etcd: Etcd, open: Any, name: str, start_etcd: StartEtcd, api: str) -> None:
    first = start_etcd()
    first.enter(api, name, 1)
    etcd.enter(api, name, 1)
    etcd.enter(api, name, 2)
    client = open(first.url, etcd.url, api=api)
    _, cursor = client.instances(watch(name))
    killer = threading.Timer(0.3, first.kill)
    killer.start()
    found, _ = client.wait_for_change(watch(name), cursor, 20)
    killer.join()
    assert [one.port for one in found] == [1, 2]


def test_no_endpoint_answers(open: Any, name: str) -> None:
    one, other = nobody(), nobody()
    error = failure(lambda: open(one, other).register(service(name), "passing"))
    assert isinstance(error, CatalogUnreachable)
    assert str(error) == (
        f"no endpoint of etcd answers: cannot reach etcd at {one}: connection refused; "
        f"cannot reach etcd at {other}: connection refused"
    )


def test_an_only_endpoint_that_does_not_answer(open: Any, name: str) -> None:
    url = nobody()
    error = failure(lambda: open(url).register(service(name), "passing"))
    assert str(error) == f"cannot reach etcd at {url}: connection refused"


# --- which API


def test_the_server_is_queried_and_v3_is_preferred(etcd: Etcd, open: Any, name: str) -> None:
    client = open()
    client.register(service(name), "passing")
    assert isinstance(client._api, Etcd3)
    assert (etcd.ids("v3", name), etcd.ids("v2", name)) == ([f"{name}-box"], [])


def test_a_server_without_the_gateway_gets_v2(open: Any, name: str, start_etcd: StartEtcd) -> None:
    etcd = start_etcd("--enable-grpc-gateway=false")
    client = open(etcd.url)
    client.register(service(name), "passing")
    assert isinstance(client._api, Etcd2)
    assert etcd.ids("v2", name) == [f"{name}-box"]


def test_an_api_that_the_server_lacks_is_reported_with_the_key_to_change(
    open: Any, name: str, start_etcd: StartEtcd
) -> None:
    etcd = start_etcd("--enable-grpc-gateway=false", "--enable-v2=false")

    version = ".".join(etcd.call("GET", "/version")["etcdserver"].split(".")[:2])

    def complaint(**settings: Any) -> str:
        return str(failure(lambda: open(etcd.url, **settings).register(service(name), "passing")))

    assert complaint(api="v2") == "this etcd does not speak API v2 (--enable-v2): see etcd.api"
    assert complaint(api="v3") == (
        f"this etcd {version} does not speak v3 over HTTP, as etcd.api demands: "
        "its JSON gateway is switched off (--enable-grpc-gateway=false)"
    )
    assert complaint() == (
        f"this etcd {version} speaks neither v3 over HTTP (its JSON gateway is switched off "
        "(--enable-grpc-gateway=false)) "
        "nor v2 (--enable-v2)"
    )


def test_another_server_at_the_same_place_is_queried_again(open: Any, name: str, start_etcd: StartEtcd) -> None:
    etcd = start_etcd("--enable-grpc-gateway=false")
    client, one = open(etcd.url), service(name)
    client.register(one, "passing")
    etcd.kill()
    etcd._flags[:] = ["--enable-v2=false"]
    etcd.start()
    assert isinstance(failure(lambda: client.heartbeat(one, "passing", "")), CatalogUnreachable)
    with pytest.raises(CatalogForgotten):
        client.heartbeat(one, "passing", "")
    client.register(one, "passing")
    assert etcd.ids("v3", name) == [one.id]
