"""A name server that does not answer delays nothing: look-ups have the time limit of connecting."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.size import mostly_nightly
from tests.system.faults.lying_consul import LyingAgent
from tests.system.faults.name_server import NameServer
from tests.system.pilot import now, settle
from tests.system.scripts import forever, service, sh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may listen on port 53")

ID = f"app-{os.uname().nodename}"
NO_ADDRESS = r"no address for the name '{}' within 1 s; does the name server answer\?"
BACKEND = {"name": "web", "poll": 1, "onChange": "/bin/true"}


@pytest.fixture
def agent() -> Iterator[LyingAgent]:
    agent = LyingAgent()
    yield agent
    agent.close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    names = NameServer()
    yield names
    names.close()


def port(agent: LyingAgent) -> str:
    return agent.address.rpartition(":")[2]


@pytest.mark.timing
@pytest.mark.parametrize("catalog", mostly_nightly(["consul", "etcd", "proxy"], "consul"))
def test_a_dead_name_server_is_reported_in_time_and_does_not_delay_a_stop(
    pilot: StartPilot, names: NameServer, tmp_path: Path, catalog: str
) -> None:
    names.silent = True
    places: dict[str, dict[str, Any]] = {
        "consul": {"consul": {"address": "catalog.test:8500", "connectTimeout": "1s"}},
        "etcd": {"etcd": {"endpoints": ["http://catalog.test:2379"], "connectTimeout": "1s"}},
        "proxy": {"consul": {"address": "10.255.255.1:8500", "connectTimeout": "1s"}},
    }
    env = {"HTTP_PROXY": "http://catalog.test:3128"} if catalog == "proxy" else {}
    config = {**places[catalog], "services": [service(), service("two"), service("three")], "backends": [BACKEND]}
    begin = now()
    started = pilot(config, forever(), env=env, prefix=names.prefix(tmp_path))

    started.wait_for_line(rf"registration failed: .*{NO_ADDRESS.format('catalog.test')}")
    started.wait_for_line(rf"Failed to query web: .*{NO_ADDRESS.format('catalog.test')}")
    assert now() - begin < 6, "the C library takes ten seconds"
    started.wait_for(lambda: names.queries >= 2, what="both questions, for IPv4 and IPv6")
    threads = started.threads()
    settle(3)  # some attempts more, of several threads
    assert started.threads() <= threads + 1, "one look-up at a time, however many attempts there are"
    assert names.queries <= 4

    requested_at = now()
    assert started.stop() == 143
    assert now() - requested_at < 2.5, "a second for the catalogue, and no more"
    for line in ("registration failed: ", "Failed to query web: "):
        assert started.output().count(line) == 1


@pytest.mark.timing
@pytest.mark.parametrize("hangs", mostly_nightly([True, False], True), ids=["silent", "says that it is in trouble"])
def test_the_last_good_address_serves_meanwhile(
    pilot: StartPilot, names: NameServer, agent: LyingAgent, tmp_path: Path, hangs: bool
) -> None:
    agent.enter("web", 1)
    tell = sh('mark "web $CONTAINERPILOT_WATCH_INSTANCES"')
    config = {
        "consul": {"address": f"http://catalog.test:{port(agent)}/", "connectTimeout": "2s"},
        "services": [service()],
        "backends": [{**BACKEND, "onChange": tell}],
    }
    started = pilot(config, forever(), prefix=names.prefix(tmp_path))
    started.wait_for(lambda: agent.passing(ID) and started.words()[1:], what="a registration and a first look")

    # From now on nobody answers for names, and all connections break.
    names.silent = hangs
    names.refuses = not hangs
    agent.refuse()
    started.wait_for_line("Service registration failed: .*connection refused")
    agent.forget()
    agent.enter("web", 2)
    agent.accept()

    started.wait_for(lambda: agent.passing(ID), what="a registration without a name server")
    started.wait_for(lambda: '"port":2' in started.words()[-1], what="the change")
    assert "no address for the name" not in started.output()
    agent.refuse()
    agent.accept()
    requested_at = now()
    assert started.stop() == 143
    assert now() - requested_at < 2.5
    assert not agent.knows(ID), "it was deregistered by the address"


def test_a_name_server_that_comes_back_is_used_again(
    pilot: StartPilot, names: NameServer, agent: LyingAgent, tmp_path: Path
) -> None:
    names.silent = True
    config = {"consul": {"address": f"catalog.test:{port(agent)}", "connectTimeout": "1s"}, "services": [service()]}
    started = pilot(config, forever(), prefix=names.prefix(tmp_path))
    started.wait_for_line(NO_ADDRESS.format("catalog.test"))

    names.silent = False
    started.wait_for(lambda: agent.passing(ID), what="a registration")
