"""The registrar and a real Consul: what it makes true, keeps true, and heals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.system.catalog.live import Party, Relay, consul_at, service

if TYPE_CHECKING:
    from cp.catalog.registrar import Registrar
    from cp.plan import Service
    from tests.system.servers import Consul, StartConsul


def call_of(registrar: Registrar) -> str:
    """Its current activity; "" = none."""
    action = registrar._first.action
    return action.verb if action is not None else ""


def writes(relay: Relay) -> list[tuple[str, str, str]]:
    """The requests that change something; now and then the entry is looked at, too."""
    return [request for request in relay.requests() if request[0] != "GET"]


both_dialects = pytest.mark.parametrize("separate", [True, False], ids=["services", "jobs"])


def becomes_registered(party: Party, registrar: Registrar, one: Service, consul: Consul) -> None:
    """One check passes, which registers the service, and Consul has it as passing."""
    expected = f"info: Service registered: {one.name}"
    before = party.live.lines.count(expected)
    registrar.register(one, "passing")
    party.live.until(lambda: party.live.lines.count(expected) == before + 1)
    check = one.id if one.separate_check else f"service:{one.id}"
    assert consul.checks()[check]["Status"] == "passing"


@both_dialects
def test_registered_kept_and_removed(consul: Consul, party: Party, relay: Relay, name: str, separate: bool) -> None:
    one = service(name, separate_check=separate)
    registrar = party.registrar(consul_at(relay.address))
    becomes_registered(party, registrar, one, consul)
    before = len(writes(relay))
    for number in range(before + 1, before + 4):
        registrar.register(one, "passing")
        party.live.until(lambda number=number: len(writes(relay)) == number)  # type: ignore[misc]
    gone: list[bool] = []
    registrar.deregister(one, lambda: gone.append(True))
    party.live.until(lambda: gone)
    assert one.id not in consul.services()
    assert party.live.lines == [f"info: Service registered: {name}", f"info: Deregistering service: {name}"]


@both_dialects
def test_a_consul_that_restarts_empty_has_the_service_again_after_one_heartbeat(
    start_consul: StartConsul, party: Party, name: str, separate: bool
) -> None:
    consul, one = start_consul(), service(name, separate_check=separate)
    registrar = party.registrar(consul_at(consul.address))
    becomes_registered(party, registrar, one, consul)
    consul.kill()
    registrar.register(one, "passing")
    party.live.until(lambda: any(line.startswith("warning") for line in party.live.lines))
    registrar.register(one, "passing")
    consul.start()
    registrar.register(one, "passing")
    party.live.until(lambda: len(party.live.lines) == 5)
    assert len(consul.passing(name)) == 1
    kinds = [line.partition(name)[0].rstrip("0123456789. s") for line in party.live.lines]
    assert kinds == [
        "info: Service registered:",
        f"warning: Service registration failed: cannot reach Consul at http://{consul.address}: connection refused",
        'info: Service not registered: Unexpected response code: 500 (CheckID "' + ("" if separate else "service:"),
        "info: Service registered:",
        "info: Catalogue reachable again after",
    ]


@both_dialects
def test_a_service_that_somebody_removed_is_back_after_one_heartbeat(
    consul: Consul, party: Party, name: str, separate: bool
) -> None:
    one = service(name, separate_check=separate)
    registrar = party.registrar(consul_at(consul.address))
    becomes_registered(party, registrar, one, consul)
    consul.put(f"/v1/agent/service/deregister/{one.id}")
    becomes_registered(party, registrar, one, consul)


def test_a_consul_that_comes_up_later_gets_the_service_without_a_new_check(
    start_consul: StartConsul, party: Party, name: str
) -> None:
    """The last passing check is younger than the ttl: it is sent as soon as there is somebody to take it."""
    consul, one = start_consul(), service(name, ttl=60)
    consul.kill()
    registrar = party.registrar(consul_at(consul.address))
    registrar.register(one, "passing")
    party.live.until(lambda: party.live.lines)
    consul.start()
    party.live.until(lambda: consul.passing(name))


def test_an_initial_status_is_registered_without_any_check(
    consul: Consul, party: Party, relay: Relay, name: str
) -> None:
    registrar = party.registrar(consul_at(relay.address))
    registrar.register(service(name, initial_status="critical"), "")
    party.live.until(lambda: party.live.lines)
    assert party.live.lines == [f"info: Registering service {name} with initial status set to critical"]
    assert consul.checks()[f"service:{name}-box"]["Status"] == "critical"
    assert len(writes(relay)) == 1


def test_over_a_unix_socket(consul: Consul, party: Party, name: str) -> None:
    registrar = party.registrar(consul_at(f"unix://{consul.socket}"))
    becomes_registered(party, registrar, service(name), consul)


@pytest.mark.timing
def test_a_removal_takes_a_fraction_of_a_second(consul: Consul, party: Party, name: str) -> None:
    registrar = party.registrar(consul_at(consul.address))
    becomes_registered(party, registrar, service(name), consul)
    gone: list[bool] = []
    begin = time.monotonic()
    registrar.deregister(service(name), lambda: gone.append(True))
    party.live.until(lambda: gone)
    assert time.monotonic() - begin < 0.5


def test_a_frozen_consul_gets_the_removal_as_soon_as_it_lives_again(
    start_consul: StartConsul, party: Party, name: str
) -> None:
    """A heartbeat hangs when the removal comes: it is cut short, and the removal waits at Consul's door instead."""
    consul, one = start_consul(), service(name)
    registrar = party.registrar(consul_at(consul.address))
    becomes_registered(party, registrar, one, consul)
    consul.freeze()
    try:
        registrar.register(one, "passing")
        party.live.until(lambda: call_of(registrar) == "heartbeat")
        registrar.deregister(one)
        party.live.until(lambda: call_of(registrar) == "deregister")
    finally:
        consul.thaw()
    consul.wait_until_gone(one.id)
    assert "warning" not in "".join(party.live.lines)


def test_a_frozen_consul_is_one_outage_and_heals(start_consul: StartConsul, party: Party, name: str) -> None:
    consul, one = start_consul(), service(name, ttl=60)
    registrar = party.registrar(consul_at(consul.address, read_timeout=1.0))
    becomes_registered(party, registrar, one, consul)
    consul.freeze()
    try:
        for _ in range(3):
            registrar.register(one, "passing")
            party.live.until(lambda: call_of(registrar))
            party.live.until(lambda: not call_of(registrar))
    finally:
        consul.thaw()
    registrar.register(one, "passing")
    party.live.until(lambda: len(party.live.lines) == 3)
    assert party.live.lines[1] == (
        f"warning: Service registration failed: Consul at http://{consul.address} did not answer within 1 s"
    )
    assert party.live.lines[2].startswith("info: Catalogue reachable again after")


def test_many_services_of_one_program(consul: Consul, party: Party, name: str) -> None:
    registrar = party.registrar(consul_at(consul.address))
    services = [service(f"{name}-{number}", separate_check=number % 2 == 0) for number in range(30)]
    for one in services:
        registrar.register(one, "passing")
    party.live.until(lambda: {one.id for one in services} <= consul.services().keys())
    gone: list[bool] = []
    for one in services:
        registrar.deregister(one, lambda: gone.append(True))
    party.live.until(lambda: len(gone) == 30)
    assert not {one.id for one in services} & consul.services().keys()
