"""Registrar and watcher with a real etcd: what they make true, keep true, see and heal, in both APIs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.size import mostly_nightly
from tests.system import proc
from tests.system.catalog.live import Party, Relay, etcd_at, service, watch

if TYPE_CHECKING:
    from cp.catalog.registrar import Registrar
    from cp.plan import Service
    from tests.system.etcd_server import Etcd, StartEtcd

both = pytest.mark.parametrize("api", ["v2", "v3"])


def becomes_registered(party: Party, registrar: Registrar, one: Service, etcd: Etcd, api: str) -> None:
    """One check passes, which registers the service."""
    expected = f"info: Service registered: {one.name}"
    before = party.live.lines.count(expected)
    registrar.register(one, "passing")
    party.live.until(lambda: party.live.lines.count(expected) == before + 1)
    assert etcd.ids(api, one.name) == [one.id]


def heartbeats(relay: Relay) -> list[str]:
    """Their first requests: with v3 there is a second one, which looks whether the key is still there."""
    kept = [target for _, target, _ in relay.requests() if "prevExist=true" in target or "keepalive" in target]
    present = [body for _, _, body in relay.requests() if "count_only" in body]
    assert not present or len(kept) - len(present) in (0, 1)
    return kept


def looks(relay: Relay) -> list[str]:
    """The requests that read our entry, to see whose it is."""
    return [
        target
        for method, target, body in relay.requests()
        if (method == "GET" and "/v2/keys/" in target) or (target == "/v3/kv/range" and "count_only" not in body)
    ]


@pytest.mark.timing
@pytest.mark.parametrize("api", mostly_nightly(["v2", "v3"], "v3"))
def test_registered_kept_and_removed(etcd: Etcd, party: Party, name: str, api: str) -> None:
    one = service(name)
    relay = Relay(etcd.address)
    try:
        registrar = party.registrar(etcd_at(f"http://{relay.address}", api=api))
        becomes_registered(party, registrar, one, etcd, api)
        party.live.until(lambda: registrar._first.action is None)
        before = len(heartbeats(relay))
        for number in range(1, 4):
            registrar.register(one, "passing")
            expected = before + number
            party.live.until(lambda expected=expected: len(heartbeats(relay)) == expected)  # type: ignore[misc]
        assert len(looks(relay)) == 2  # before the registration, and at the second heartbeat
        gone: list[bool] = []
        begin = time.monotonic()
        registrar.deregister(one, lambda: gone.append(True))
        party.live.until(lambda: gone)
        assert time.monotonic() - begin < 0.5
    finally:
        relay.close()
    assert etcd.ids(api, name) == []
    assert party.live.lines == [f"info: Service registered: {name}", f"info: Deregistering service: {name}"]


@both
def test_an_etcd_that_restarts_empty_has_the_service_again_after_one_heartbeat(
    start_etcd: StartEtcd, party: Party, name: str, api: str
) -> None:
    etcd, one = start_etcd(), service(name)
    registrar = party.registrar(etcd_at(etcd.url, api=api))
    becomes_registered(party, registrar, one, etcd, api)
    etcd.kill()
    registrar.register(one, "passing")
    party.live.until(lambda: any(line.startswith("warning") for line in party.live.lines))
    registrar.register(one, "passing")
    etcd.start()
    registrar.register(one, "passing")
    party.live.until(lambda: party.live.lines[-1] == f"info: Service registered: {name}")
    assert etcd.ids(api, name) == [one.id]
    forgotten = "100: Key not found (/" if api == "v2" else f"the lease of /containerpilot/{name}/{name}-box has ended"
    for line, beginning in zip(
        party.live.lines,
        [
            f"info: Service registered: {name}",
            f"warning: Service registration failed: cannot reach etcd at {etcd.url}: connection refused",
            f"info: Service not registered: {forgotten}",
            f"info: Service registered: {name}",
        ],
        strict=True,
    ):
        assert line.startswith(beginning)


@both
def test_an_etcd_that_restarts_with_its_data_keeps_the_service(
    start_etcd: StartEtcd, party: Party, name: str, api: str
) -> None:
    etcd, one = start_etcd(), service(name, ttl=60)
    registrar = party.registrar(etcd_at(etcd.url, api=api))
    becomes_registered(party, registrar, one, etcd, api)
    etcd.kill()
    etcd.start(empty=False)
    registrar.register(one, "passing")
    party.live.until(lambda: not registrar._desired_state._services[one.id].due)
    assert etcd.ids(api, name) == [one.id]
    assert party.live.lines == [f"info: Service registered: {name}"]


@both
def test_an_entry_that_lapsed_or_was_removed_is_back_after_one_heartbeat(
    etcd: Etcd, party: Party, name: str, api: str
) -> None:
    one = service(name, ttl=1)
    registrar = party.registrar(etcd_at(etcd.url, api=api))
    becomes_registered(party, registrar, one, etcd, api)
    etcd.wait_for_ids(api, name, [])  # no check has passed for so long
    becomes_registered(party, registrar, one, etcd, api)
    etcd.remove(api, name, one.id)
    becomes_registered(party, registrar, one, etcd, api)


@both
def test_a_failing_service_is_taken_out_and_comes_back_without_a_word(
    etcd: Etcd, party: Party, name: str, api: str
) -> None:
    one = service(name, ttl=60)
    registrar = party.registrar(etcd_at(etcd.url, api=api))
    becomes_registered(party, registrar, one, etcd, api)
    registrar.register(one, "critical", "disk full")
    party.live.until(lambda: etcd.ids(api, name) == [])
    registrar.register(one, "passing")
    party.live.until(lambda: etcd.ids(api, name) == [one.id])
    assert party.live.lines == [f"info: Service registered: {name}"]


@both
def test_a_frozen_etcd_does_not_delay_a_removal(start_etcd: StartEtcd, party: Party, name: str, api: str) -> None:
    """A heartbeat hangs when the removal comes: it is cut short, and the removal waits at etcd's door instead."""
    etcd, one = start_etcd(), service(name)
    registrar = party.registrar(etcd_at(etcd.url, api=api))
    becomes_registered(party, registrar, one, etcd, api)
    etcd.freeze()
    try:
        registrar.register(one, "passing")
        party.live.until(lambda: _verb(registrar) == "heartbeat")
        registrar.deregister(one)
        party.live.until(lambda: _verb(registrar) == "deregister")
    finally:
        etcd.thaw()
    etcd.wait_for_ids(api, name, [])
    assert "warning" not in "".join(party.live.lines)


def _verb(registrar: Registrar) -> str:
    action = registrar._first.action
    return action.verb if action is not None else ""


@both
def test_instances_come_and_go(etcd: Etcd, party: Party, name: str, api: str) -> None:
    _, reports = party.watcher(etcd_at(etcd.url, api=api), watch(name))
    etcd.enter(api, name, 1)
    party.live.until(lambda: reports.last == [1])
    etcd.enter(api, name, 2)
    party.live.until(lambda: reports.last == [1, 2])
    etcd.remove(api, name, f"{name}-1")
    party.live.until(lambda: reports.last == [2])
    etcd.remove(api, name, f"{name}-2")
    party.live.until(lambda: reports.last == [])


@pytest.mark.timing
@pytest.mark.parametrize("api", mostly_nightly(["v2", "v3"], "v3"))
def test_a_change_is_reported_within_a_tenth_of_a_second(etcd: Etcd, party: Party, name: str, api: str) -> None:
    etcd.enter(api, name, 1)
    watcher, reports = party.watcher(etcd_at(etcd.url, api=api), watch(name, interval=60.0))
    party.live.until(lambda: reports.last == [1])
    delays: list[float] = []
    for number in range(2, 7):
        # Two reports are a quarter of a second apart; then the next question is open.
        party.live.until(lambda: _is_listening(watcher._client.get()))
        etcd.enter(api, name, number)
        written = time.monotonic()
        party.live.until(lambda number=number: len(reports.last or []) == number)  # type: ignore[misc]
        delays.append(reports.times[-1] - written)
    assert sorted(delays)[2] < 0.1, "at least three times out of five, on a machine that has other things to do"


def _is_listening(catalog: object) -> bool:
    return getattr(catalog, "_endpoints")._active is not None  # noqa: B009


@both
def test_an_idle_watch_asks_once_and_waits(etcd: Etcd, party: Party, name: str, api: str) -> None:
    etcd.enter(api, name, 1)
    relay = Relay(etcd.address)
    try:
        _, reports = party.watcher(etcd_at(f"http://{relay.address}", api=api), watch(name))
        party.live.until(lambda: reports.last == [1])
        for number in range(50):  # what other services do does not concern it
            etcd.enter(api, f"{name}-other", number)
        etcd.enter(api, name, 2)
        party.live.until(lambda: reports.last == [1, 2])
        targets = [target for _, target, _ in relay.requests() if "version" not in target and "status" not in target]
    finally:
        relay.close()
    kinds = ["wait" if "wait=true" in target or target.endswith("/watch") else "read" for target in targets]
    assert kinds[:3] == ["read", "wait", "read"]
    assert len(kinds) <= 4


@both
def test_a_restart_of_etcd_is_one_outage_and_lost_instances_are_reported(
    start_etcd: StartEtcd, party: Party, name: str, api: str
) -> None:
    etcd = start_etcd()
    etcd.enter(api, name, 1)
    _, reports = party.watcher(etcd_at(etcd.url, api=api), watch(name))
    party.live.until(lambda: reports.last == [1])
    etcd.kill()
    party.live.until(lambda: party.live.lines)
    assert reports.ports == [[1]]
    etcd.start()
    party.live.until(lambda: reports.last == [])
    etcd.enter(api, name, 2)
    party.live.until(lambda: reports.last == [2])
    assert party.live.lines[0].startswith(f"warning: Failed to query {name}: ")
    party.live.until(lambda: len(party.live.lines) == 2)
    assert party.live.lines[1].startswith(f"info: {name} can be queried again after ")


@both
def test_a_stopped_watch_leaves_neither_thread_nor_descriptor(etcd: Etcd, party: Party, name: str, api: str) -> None:
    me = threading.get_native_id()

    def held() -> tuple[int, int, int]:
        threads = int(proc.status(me).get("Threads", "0"))
        return len(proc.children(me)), threads, len(proc.descriptors(me))

    before = held()
    for _ in range(5):
        watcher, _ = party.watcher(etcd_at(etcd.url, api=api), watch(name))
        party.live.until(lambda watcher=watcher: watcher._cursor is not None)  # type: ignore[misc]
        watcher.stop()
    party.live.until(lambda: held() == before)
