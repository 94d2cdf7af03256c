"""The watcher and a real Consul, or a real folder: changes arrive, and in time."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.system import proc
from tests.system.catalog.live import Party, Relay, consul_at, directory_at, watch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.servers import Consul, StartConsul


def register(consul: Consul, name: str, number: int, **fields: Any) -> None:
    """An instance without a check: healthy from the start."""
    consul.put(
        "/v1/agent/service/register",
        {"ID": f"{name}-{number}", "Name": name, "Address": "10.0.0.1", "Port": number, **fields},
    )


def test_instances_come_and_go(consul: Consul, party: Party, name: str) -> None:
    _, reports = party.watcher(consul_at(consul.address), watch(name))
    register(consul, name, 1)
    party.live.until(lambda: reports.last == [1])
    register(consul, name, 2)
    party.live.until(lambda: reports.last == [1, 2])
    consul.put(f"/v1/agent/service/deregister/{name}-1")
    party.live.until(lambda: reports.last == [2])
    consul.put(f"/v1/agent/service/deregister/{name}-2")
    party.live.until(lambda: reports.last == [])


@pytest.mark.timing
def test_a_change_arrives_long_before_the_interval_is_over(consul: Consul, party: Party, name: str) -> None:
    register(consul, name, 1)
    watcher, reports = party.watcher(consul_at(consul.address), watch(name))
    party.live.until(lambda: reports.last == [1])
    party.live.until(lambda: watcher._cursor is not None)
    for number in range(2, 6):
        begin = time.monotonic()
        register(consul, name, number)
        party.live.until(lambda number=number: len(reports.last or []) == number)  # type: ignore[misc]
        assert reports.times[-1] - begin < 1


def test_a_burst_is_gathered_and_its_end_is_delivered(consul: Consul, party: Party, name: str) -> None:
    _, reports = party.watcher(consul_at(consul.address), watch(name))

    def register_all() -> None:
        for number in range(1, 101):
            register(consul, name, number)

    burst = threading.Thread(target=register_all)
    burst.start()
    party.live.until(lambda: len(reports.last or []) == 100)
    burst.join()
    pauses = [later - earlier for earlier, later in itertools.pairwise(reports.times)]
    assert all(pause > 0.2 for pause in pauses)


def test_an_idle_watch_asks_once_and_waits(consul: Consul, party: Party, relay: Relay, name: str) -> None:
    register(consul, name, 1)
    _, reports = party.watcher(consul_at(relay.address), watch(name))
    party.live.until(lambda: len(relay.requests()) == 2)
    for number in range(50):  # what other services do does not concern it
        register(consul, f"{name}-other", number)
    register(consul, name, 2)
    party.live.until(lambda: len(reports.ports) == 2)
    indexes = [target.partition("&")[2].partition("=")[0] for _, target, _ in relay.requests()]
    assert indexes[:2] == ["", "index"]
    assert len(indexes) <= 4
    assert all("&wait=300s" in target for _, target, _ in relay.requests()[1:])


def test_plain_polling(consul: Consul, party: Party, relay: Relay, name: str) -> None:
    _, reports = party.watcher(consul_at(relay.address), watch(name, push=False, interval=0.1))
    party.live.until(lambda: len(relay.requests()) == 3)
    register(consul, name, 1)
    party.live.until(lambda: reports.last == [1])
    assert {target for _, target, _ in relay.requests()} == {f"/v1/health/service/{name}?passing=1"}


def test_a_restart_of_consul_is_one_outage_and_lost_instances_are_reported(
    start_consul: StartConsul, party: Party, name: str
) -> None:
    consul = start_consul()
    register(consul, name, 1)
    _, reports = party.watcher(consul_at(consul.address), watch(name))
    party.live.until(lambda: reports.last == [1])
    consul.kill()
    party.live.until(lambda: party.live.lines)
    assert reports.ports == [[1]]
    consul.start()
    party.live.until(lambda: reports.last == [])
    register(consul, name, 2)
    party.live.until(lambda: reports.last == [2])
    party.live.until(lambda: len(party.live.lines) == 2)
    assert [line.split(":")[0] for line in party.live.lines] == ["warning", "info"]
    assert party.live.lines[0].startswith(f"warning: Failed to query {name}: ")
    assert party.live.lines[1].startswith(f"info: {name} can be queried again after ")


@pytest.mark.parametrize("kind", ["consul", "directory"])
def test_a_stopped_watch_leaves_neither_thread_nor_descriptor(
    consul: Consul, party: Party, name: str, kind: str, tmp_path: Path
) -> None:
    settings = consul_at(consul.address) if kind == "consul" else directory_at(tmp_path)
    me = threading.get_native_id()
    before = (len(proc.children(me)), _threads(), len(proc.descriptors(me)))
    for _ in range(5):
        watcher, _ = party.watcher(settings, watch(name))
        party.live.until(lambda watcher=watcher: watcher._cursor is not None)  # type: ignore[misc]
        watcher.stop()
    party.live.until(lambda: (len(proc.children(me)), _threads(), len(proc.descriptors(me))) == before)


def _threads() -> int:
    return int(proc.status(threading.get_native_id()).get("Threads", "0"))
