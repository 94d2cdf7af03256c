"""The Consul client, call by call, against a real agent."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.consul.client import Consul as Client
from cp.catalog.protocol import CatalogClosed, CatalogForgotten, CatalogRefused, CatalogUnreachable
from tests.limits import DEADLINE
from tests.system.catalog.live import Relay, consul_at, service, watch
from tests.system.pilot import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cp.plan import Service
    from tests.system.servers import Consul, StartConsul


@pytest.fixture
def open(consul: Consul) -> Iterator[Callable[..., Client]]:
    """`open()` is a new client of the shared Consul; settings can be given."""
    clients: list[Client] = []

    def make(address: str = consul.address, **settings: Any) -> Client:
        clients.append(Client(consul_at(address, **settings), {}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def beat(client: Client, one: Service) -> None:
    """Registers as the registrar does at the first passing check."""
    client.register(one, "passing")
    try:
        client.heartbeat(one, "passing", "")
    except CatalogForgotten:
        client.register(one, "passing")
        client.heartbeat(one, "passing", "")


both_dialects = pytest.mark.parametrize("separate", [True, False], ids=["services", "jobs"])


@both_dialects
def test_a_heartbeat_makes_the_check_pass(consul: Consul, open: Any, name: str, separate: bool) -> None:
    """The id of the check is the id of the service, or begins with `service:`."""
    beat(open(), service(name, ttl=1, separate_check=separate))
    check = f"{name}-box" if separate else f"service:{name}-box"
    assert consul.checks()[check]["Status"] == "passing"


@both_dialects
def test_a_new_address_replaces_the_old_one_of_an_earlier_life(
    consul: Consul, open: Any, name: str, separate: bool
) -> None:
    """The check has survived, and the address is still updated."""
    beat(open(), service(name, address="192.168.1.1", separate_check=separate))
    beat(open(), service(name, address="192.168.1.2", separate_check=separate))
    assert consul.services()[f"{name}-box"]["Address"] == "192.168.1.2"


@both_dialects
def test_an_instance_is_healthy_until_its_time_to_live_is_over(open: Any, name: str, separate: bool) -> None:
    """A watch sees no change; a change; no change; a change when the TTL has run out."""
    client = open()
    assert client.instances(watch(name))[0] == []
    beat(client, service(name, ttl=1, separate_check=separate))
    client.heartbeat(service(name, ttl=1, separate_check=separate), "passing", "")
    first, cursor = client.instances(watch(name))
    assert [(found.id, found.address, found.port) for found in first] == [(f"{name}-box", "10.0.0.1", 80)]
    assert client.instances(watch(name))[0] == first

    def is_empty() -> bool:
        nonlocal cursor
        found, cursor = client.wait_for_change(watch(name), cursor, 10)
        return not found

    wait_for(is_empty)


@both_dialects
def test_tags_can_be_overridden_if_the_configuration_says_so(
    consul: Consul, open: Any, name: str, separate: bool
) -> None:
    beat(open(), service(name, enable_tag_override=True, separate_check=separate))
    entries = wait_for(lambda: consul.get(f"/v1/catalog/service/{name}"))
    assert [entry["ServiceEnableTagOverride"] for entry in entries] == [True]


def test_the_calls_of_the_services_dialect_to_the_letter(open: Any, relay: Relay, name: str) -> None:
    """The expected calls were captured from ContainerPilot 2."""
    one = service(
        name, separate_check=True, ttl=5, tags=("t1", "t2"), enable_tag_override=True, deregister_critical_after="90m"
    )
    client = open(relay.address)
    beat(client, one)
    client.heartbeat(one, "passing", "ignored")
    client.deregister(one)
    id = f"{name}-box"
    register = (
        "PUT",
        "/v1/agent/service/register",
        f'{{"ID":"{id}","Name":"{name}","Tags":["t1","t2"],"Port":80,"Address":"10.0.0.1",'
        '"EnableTagOverride":true,"Check":null,"Checks":null}',
    )
    check = (
        "PUT",
        "/v1/agent/check/register",
        f'{{"ID":"{id}","Name":"{id}","Notes":"TTL for {name} set by containerpilot","ServiceID":"{id}",'
        '"TTL":"5s","DeregisterCriticalServiceAfter":"90m"}',
    )
    passes = ("PUT", f"/v1/agent/check/pass/{id}?note=ok", "")
    gone = ("PUT", f"/v1/agent/service/deregister/{id}", "")
    assert relay.requests() == [register, passes, register, check, passes, passes, gone]


def test_the_calls_of_the_jobs_dialect_to_the_letter(open: Any, relay: Relay, name: str) -> None:
    """The expected calls are those of ContainerPilot 3: one registration with its check, then the check's status."""
    one = service(name, ttl=10)
    client = open(relay.address)
    beat(client, one)
    client.instances(watch(name, tag="a b", datacenter="dc1"))
    client.deregister(one)
    id = f"{name}-box"
    assert relay.requests() == [
        (
            "PUT",
            "/v1/agent/service/register",
            f'{{"ID":"{id}","Name":"{name}","Port":80,"Address":"10.0.0.1","Check":{{"TTL":"10s","Status":"passing",'
            f'"Notes":"TTL for {name} set by containerpilot"}},"Checks":null}}',
        ),
        ("PUT", f"/v1/agent/check/update/service:{id}", '{"Status":"passing","Output":"ok"}'),
        ("GET", f"/v1/health/service/{name}?passing=1&tag=a+b&dc=dc1", ""),
        ("PUT", f"/v1/agent/service/deregister/{id}", ""),
    ]


@both_dialects
def test_a_failed_check_can_be_reported(consul: Consul, open: Any, name: str, separate: bool) -> None:
    client, one = open(), service(name, separate_check=separate)
    beat(client, one)
    client.heartbeat(one, "critical", "disk full")
    check = consul.checks()[one.id if separate else f"service:{one.id}"]
    assert (check["Status"], check["Output"]) == ("critical", "disk full")


def test_a_service_can_begin_with_a_status_of_its_own(consul: Consul, open: Any, name: str) -> None:
    open().register(service(name), "warning")
    assert consul.checks()[f"service:{name}-box"]["Status"] == "warning"


@both_dialects
def test_a_heartbeat_of_a_service_that_the_agent_does_not_know(open: Any, name: str, separate: bool) -> None:
    with pytest.raises(CatalogForgotten) as caught:
        open().heartbeat(service(name, separate_check=separate), "passing", "")
    check = f"{name}-box" if separate else f"service:{name}-box"
    assert str(caught.value) == f'Unexpected response code: 500 (CheckID "{check}" does not have associated TTL)'


def test_a_service_that_is_not_there_can_be_removed(open: Any, name: str) -> None:
    open().deregister(service(name))


def test_an_entry_that_consul_does_not_take_is_refused(open: Any, name: str) -> None:
    with pytest.raises(CatalogRefused, match="Unexpected response code: 400"):
        open().register(service(name, deregister_critical_after="soon"), "passing")


def test_a_check_that_consul_does_not_take_is_refused_by_its_name(open: Any, name: str) -> None:
    client, one = open(), service(name, separate_check=True, deregister_critical_after="soon")
    client.register(one, "passing")
    with pytest.raises(CatalogForgotten):
        client.heartbeat(one, "passing", "")
    with pytest.raises(CatalogRefused) as caught:
        client.register(one, "passing")
    assert caught.value.operation == "Check registration"


def test_names_and_ids_with_odd_characters(consul: Consul, open: Any, name: str) -> None:
    odd = f"{name}/ü?&%20 #x"
    client, one = open(), service(odd, separate_check=True)
    beat(client, one)
    assert [found.id for found in client.instances(watch(odd))[0]] == [one.id]
    client.deregister(one)
    assert one.id not in consul.services()


def test_a_watch_by_tag(open: Any, name: str) -> None:
    client = open()
    beat(client, service(name, id=f"{name}-1", tags=("blue", "x")))
    beat(client, service(name, id=f"{name}-2", tags=("green",)))
    found, _ = client.instances(watch(name, tag="blue"))
    assert [(one.id, one.tags) for one in found] == [(f"{name}-1", ("blue", "x"))]


def test_an_instance_without_an_address_has_that_of_its_node(open: Any, name: str) -> None:
    beat(open(), service(name, address=""))
    assert [one.address for one in open().instances(watch(name))[0]] == ["127.0.0.1"]


def test_a_unix_socket(consul: Consul, open: Any, name: str) -> None:
    beat(open(f"unix://{consul.socket}"), service(name))
    assert [entry["ID"] for entry in consul.passing(name)] == [f"{name}-box"]


def test_an_unknown_datacenter_is_an_error(open: Any, name: str) -> None:
    with pytest.raises(CatalogUnreachable, match=r"Unexpected response code: 500 \(No path to datacenter"):
        open().instances(watch(name, datacenter="mars"))
    with pytest.raises(CatalogUnreachable, match=r"Unexpected response code: 500 \(No path to datacenter"):
        open(datacenter="mars").instances(watch(name))


def test_the_token_goes_along_and_is_read_again_when_its_file_changes(
    open: Any, relay: Relay, name: str, tmp_path: Path
) -> None:
    """Without ACLs Consul takes any token, so the relay checks it."""
    file = tmp_path / "token"
    file.write_text("first\n")
    client = open(relay.address, token_file=str(file), token="unused")
    client.deregister(service(name))
    file.write_text("second\n")
    client.deregister(service(name))
    sent = b"".join(bytes(each) for each in relay._sent).decode()
    assert [line.partition(": ")[2] for line in sent.split("\r\n") if line.startswith("X-Consul-Token")] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"token": "se\ncret"}, "cannot use consul.token: a token is one line of printable ASCII characters"),
        ({"token_file": "/nonexistent/token"}, "cannot read consul.tokenfile '/nonexistent/token': no such file"),
    ],
)
def test_a_token_that_cannot_be_used_is_named_and_not_quoted(
    open: Any, name: str, settings: dict[str, str], complaint: str
) -> None:
    with pytest.raises(CatalogRefused) as caught:
        open(**settings).deregister(service(name))
    assert complaint in str(caught.value)
    assert "cret" not in str(caught.value)


# --- waiting for a change


def test_a_change_ends_the_wait(open: Any, name: str) -> None:
    follower = open()
    _, cursor = follower.instances(watch(name))
    changes: list[Any] = []
    thread = threading.Thread(target=lambda: changes.extend(follower.wait_for_change(watch(name), cursor, 300)[0]))
    thread.start()
    beat(open(), service(name))
    thread.join(DEADLINE)
    assert [one.id for one in changes] == [f"{name}-box"]


@pytest.mark.timing
def test_the_wait_ends_in_time_when_nothing_changes(open: Any, name: str) -> None:
    client = open()
    found, cursor = client.instances(watch(name))
    begin = time.monotonic()
    assert client.wait_for_change(watch(name), cursor, 1)[0] == found
    assert time.monotonic() - begin < 5


def test_a_wait_can_be_broken_off(open: Any, name: str) -> None:
    client = open()
    _, cursor = client.instances(watch(name))
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            client.wait_for_change(watch(name), cursor, 300)
        except CatalogClosed as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    client.close()
    thread.join(DEADLINE)
    assert len(outcome) == 1


def test_after_a_restart_the_watch_follows_the_new_index(open: Any, name: str, start_consul: StartConsul) -> None:
    consul = start_consul()
    client = open(consul.address)
    for number in range(10):
        beat(client, service(name, port=1000 + number))
    _, before = client.instances(watch(name))
    consul.kill()
    consul.start()
    _, cursor = client.instances(watch(name))
    assert isinstance(before, int)
    assert isinstance(cursor, int)
    beat(open(consul.address), service(name))
    assert len(client.wait_for_change(watch(name), cursor, 300)[0]) == 1
