"""Two ContainerPilots whose hostname is the same register the same service: host networks have that."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.etcd_server import PREFIX
from tests.system.jobs.configs import advertised, config
from tests.system.pilot import wait_for
from tests.system.scripts import forever, service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.system.etcd_server import StartEtcd
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul

HOST = os.uname().nodename
WARNING = "Another program"

Registered = dict[str, str]  # by id, the place


class Catalog:
    """A real one: its part of a configuration, and what is registered in it."""

    def __init__(self, settings: dict[str, Any], registered: Callable[[str], Registered]) -> None:
        self.settings = settings
        self.registered = registered


@pytest.fixture(params=["consul", "etcd v2", "etcd v3", "directory"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Catalog:
    if request.param == "consul":
        consul: Consul = request.getfixturevalue("consul")

        def in_consul(name: str) -> Registered:
            return {each["ID"]: f"{each['Address']}:{each['Port']}" for each in consul.passing(name)}

        return Catalog({"consul": consul.address}, in_consul)
    if request.param == "directory":
        folder = tmp_path / "shelf"

        def in_folder(name: str) -> Registered:
            entries = [json.loads(file.read_text()) for file in folder.glob("*.json")]
            return {each["id"]: f"{each['address']}:{each['port']}" for each in entries if each["name"] == name}

        return Catalog({"directory": str(folder)}, in_folder)
    start_etcd: StartEtcd = request.getfixturevalue("start_etcd")
    etcd, api = start_etcd(), request.param.removeprefix("etcd ")

    def in_etcd(name: str) -> Registered:
        keys = [f"{PREFIX}/{name}/{id}" for id in etcd.ids(api, name)]
        stored = etcd.keys() if api == "v3" else {key: (etcd.node(f"{key}/service") or {}).get("value") for key in keys}
        entries = [json.loads(stored[key] or "{}") for key in keys if key in stored]
        return {each["id"]: f"{each['address']}:{each['port']}" for each in entries if each}

    return Catalog({"etcd": {"endpoints": etcd.url, "api": api}}, in_etcd)


@pytest.fixture
def name() -> str:
    return f"app-{uuid.uuid4().hex[:8]}"


def start(pilot: StartPilot, catalog: Catalog, name: str, port: int, address: str = "127.0.0.1") -> Pilot:
    one = service(name, port=port, interfaces=f"static:{address}", poll=1, ttl=5)
    control = {"control": {"socket": "control.socket"}}
    return pilot({"dialect": "services", **control, **catalog.settings, "services": [one]}, forever())


def test_both_are_registered_when_they_start_at_the_same_moment(pilot: StartPilot, catalog: Catalog, name: str) -> None:
    started = [start(pilot, catalog, name, port) for port in (8001, 8002)]

    def seen() -> Registered:
        """The registrations as the two show them."""
        services = [each.jobs()[name]["service"] for each in started]
        return {each["id"]: f"127.0.0.1:{each['port']}" for each in services if each["registered"] == "passing"}

    wait_for(lambda: len(seen()) == 2 and seen() == catalog.registered(name))
    ids = set(seen())
    assert f"{name}-{HOST}" in ids
    assert ids < {f"{name}-{HOST}", f"{name}-{HOST}-8001", f"{name}-{HOST}-8002"}
    assert sum(each.output().count(WARNING) for each in started) == 1

    started[0].stop()
    wait_for(lambda: list(catalog.registered(name).values()) == ["127.0.0.1:8002"])
    started[1].stop()
    wait_for(lambda: catalog.registered(name) == {})


def test_a_second_one_takes_nothing_from_the_first(pilot: StartPilot, catalog: Catalog, name: str) -> None:
    first = start(pilot, catalog, name, 8001)
    wait_for(lambda: catalog.registered(name) == {f"{name}-{HOST}": "127.0.0.1:8001"})

    second = start(pilot, catalog, name, 8002)
    both = {f"{name}-{HOST}": "127.0.0.1:8001", f"{name}-{HOST}-8002": "127.0.0.1:8002"}
    wait_for(lambda: catalog.registered(name) == both)

    second.wait_for_line(f"{WARNING} has registered 127.0.0.1:8001 under the id {name}-{HOST}: {name} takes the id ")
    assert WARNING not in first.output()


def test_an_id_that_another_machine_has_taken_is_left_to_it(pilot: StartPilot, catalog: Catalog, name: str) -> None:
    first = start(pilot, catalog, name, 8001)
    wait_for(lambda: catalog.registered(name) == {f"{name}-{HOST}": "127.0.0.1:8001"})
    second = start(pilot, catalog, name, 8001, "127.0.0.2")  # as a container of the same hostname elsewhere
    theirs = {f"{name}-{HOST}": "127.0.0.2:8001"}

    line = rf"{WARNING} has registered 127\.0\.0\.2:8001 under the id {name}-{HOST}: {name} is not registered any more"
    first.wait_for_line(line)

    seen = first.jobs()[name]["service"]
    assert seen["registered"].startswith("taken since ")
    assert seen["problem"] == f"127.0.0.2:8001 is registered under the id {name}-{HOST}"
    assert catalog.registered(name) == theirs
    first.stop()
    assert catalog.registered(name) == theirs
    assert WARNING not in second.output()
    second.stop()
    wait_for(lambda: catalog.registered(name) == {})


def test_ids_of_the_configuration_keep_them_apart(pilot: StartPilot, catalog: Catalog, name: str) -> None:
    started = [
        pilot(config(advertised(name, id=f"{name}-{port}", port=port), **catalog.settings)) for port in (8001, 8002)
    ]

    both = {f"{name}-8001": "127.0.0.1:8001", f"{name}-8002": "127.0.0.1:8002"}
    wait_for(lambda: catalog.registered(name) == both)
    assert not [each for each in started if WARNING in each.output()]
