"""Which address of a container is registered, with real addresses in a network of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import advertised, config, job
from tests.system.program import WITHOUT_ROOT
from tests.system.scripts import forever, sh

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

ADDRESSED = str(Path(__file__).parent / "addressed.py")


def network(*addresses: str) -> tuple[str, ...]:
    """The beginning of a command that runs the rest of it where the loopback interface has these addresses, too."""
    as_root = () if os.geteuid() == 0 else WITHOUT_ROOT
    return ("env", "unshare", "--net", *as_root, sys.executable, ADDRESSED, *addresses, "--")


def app(**fields: Any) -> dict[str, Any]:
    return {"name": "app", "port": 80, "poll": 1, "ttl": 5, **fields}


# As Docker Swarm and keepalived do: the address of the load balancer is lower than the machine's own.
VIRTUAL = ("10.9.0.2/32", "10.9.0.3/24")
OF_THE_LINK = ("fe80::7/64", "fd00::7/64")


@pytest.mark.parametrize(
    ("addresses", "fields", "chosen"),
    [
        (VIRTUAL, {"interfaces": "inet"}, "10.9.0.3"),
        (VIRTUAL, {"interfaces": "10.9.0.0/16"}, "10.9.0.3"),
        (VIRTUAL, {"interfaces": "10.9.0.2/32"}, "10.9.0.2"),
        (("10.9.0.2/32",), {"interfaces": "inet"}, "10.9.0.2"),
        (OF_THE_LINK, {"interfaces": "inet6"}, "fd00::7"),
        (OF_THE_LINK, {"interfaces": "static:fe80::7"}, "fe80::7"),
    ],
)
def test_the_address_that_is_registered(
    pilot: StartPilot, addresses: tuple[str, ...], fields: dict[str, Any], chosen: str
) -> None:
    script = 'echo "$CONTAINERPILOT_APP_IP" >address; exec sleep 60'
    config = {"directory": "catalog", "services": [app(**fields)]}

    started = pilot(config, ["sh", "-c", script], prefix=network(*addresses))

    address = started.folder / "address"
    assert started.wait_for(lambda: address.exists() and address.read_text(), what="an address") == f"{chosen}\n"


def test_an_address_of_the_link_is_refused_with_a_hint(pilot: StartPilot) -> None:
    config = {"directory": "catalog", "services": [app(interfaces="inet6")]}

    started = pilot(config, forever(), prefix=network("fe80::7/64"))

    assert started.wait_exit() == 1
    assert "Link-local addresses (fe80::) count only with static:" in started.output()


def test_telemetry_does_not_listen_on_a_virtual_address(pilot: StartPilot) -> None:
    config = {"telemetry": {"port": 9090, "interfaces": ["inet"]}}

    started = pilot(config, forever(), prefix=network(*VIRTUAL))

    started.wait_for_line(r"10\.9\.0\.3:9090")


def test_a_reload_registers_the_new_address_of_the_machine_and_leaves_the_process(pilot: StartPilot) -> None:
    changes = [sys.executable, ADDRESSED, "10.9.0.8/24", "--", "true"]
    move = job("move", changes, when={"source": "SIGUSR2"})
    shown = job("shown", sh('mark "$CONTAINERPILOT_APP_IP"'), when={"source": "SIGHUP"})
    plan = config(advertised(interfaces="10.9.0.0/16"), move, shown, directory="shelf")
    started = pilot(plan, prefix=network("10.9.0.7/24"))
    started.wait_for_mark("app")
    pid = started.jobs()["app"]["pid"]
    entry = started.folder / "shelf" / f"app-{os.uname().nodename}.json"

    def address() -> str:
        return str(json.loads(entry.read_text())["address"]) if entry.exists() else ""

    started.wait_for(lambda: address() == "10.9.0.7", what="a registration")

    started.signal("USR2")
    started.wait_for(lambda: started.jobs()["move"]["lastExit"], what="another address")
    assert started.run("-reload").code == 0

    started.wait_for(lambda: address() == "10.9.0.8", what="the new address")
    service = started.wait_for(
        lambda: [each for each in [started.jobs()["app"]["service"]] if each["registered"] == "passing"]
    )[0]
    assert service["address"] == "10.9.0.8"
    assert started.jobs()["app"]["pid"] == pid
    assert started.count("app") == 1
    started.signal("HUP")
    started.wait_for_mark("10.9.0.8")
