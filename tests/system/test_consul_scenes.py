"""Whole scenes with a real Consul, as their authors tell them: register, heal, watch, maintain, stop."""

from __future__ import annotations

import itertools
import json
import os
import random
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.system.pilot import now, settle
from tests.system.scripts import forever, mark, python, service, sh, until_term
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul, StartConsul

HOST = os.uname().nodename

in_both_roles = pytest.mark.parametrize("init", [False, True], ids=["process", "PID 1"])


@pytest.fixture
def name() -> str:
    """A service name that no other test of the shared Consul has."""
    return f"app-{uuid.uuid4().hex[:8]}"


def serving(where: Consul, name: str, **more: Any) -> dict[str, Any]:
    return {"consul": where.address, "services": [service(name, health="/bin/true", ttl=5, **more)]}


# Ten times a second it says that it runs; on SIGTERM it needs half a second, and exits with 7.
STEADY = python(
    "def stop(*_):\n    time.sleep(0.5)\n    os._exit(7)\n"
    "signal.signal(signal.SIGTERM, stop)\nwhile True:\n    mark('beat')\n    time.sleep(0.1)"
)


def longest_pause(started: Pilot, word: str, begin: float, end: float) -> float:
    times = [begin, *(mark.at for mark in started.marks() if mark.word == word and begin < mark.at < end), end]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


@in_both_roles
def test_registered_healed_and_removed(pilot: StartPilot, start_consul: StartConsul, init: bool) -> None:
    consul = start_consul()
    config = json.dumps(
        {
            "consul": consul.address,
            "services": [
                {
                    "name": "app", "port": 8000, "health": "/bin/true", "poll": 1, "ttl": 5,
                    "interfaces": ["static:127.0.0.1"],
                }
            ],
        }
    )  # fmt: skip
    flags = ["-config", config]
    started = pilot(None, [*flags, "sleep", "1000"], init=init)

    [entry] = consul.wait_until_passing("app")
    assert (entry["ID"], entry["Address"], entry["Port"]) == (f"app-{HOST}", "127.0.0.1", 8000)

    consul.kill()
    consul.start()
    consul.wait_until_passing("app")

    started.signal("TERM")
    consul.wait_until_gone(f"app-{HOST}")
    assert started.wait_exit() == 143
    started.assert_nothing_is_left()


def test_the_rendered_configuration_of_a_backend_leads_to_the_app(
    pilot: StartPilot, consul: Consul, tmp_path: Path, name: str
) -> None:
    """A server before the app gets the addresses of the app, and renders its own configuration again."""
    upstreams = tmp_path / "upstreams"
    render = python(
        "import json\n"
        "places = json.loads(os.environ.get('CONTAINERPILOT_WATCH_INSTANCES', '[]'))\n"
        f"new = {str(upstreams)!r} + '.new'\n"
        "with open(new, 'w') as file:\n"
        "    file.writelines('%s:%d\\n' % (place['address'], place['port']) for place in places)\n"
        f"os.rename(new, {str(upstreams)!r})\n"
    )
    front = pilot(
        {
            "consul": consul.address,
            "preStart": render,
            "services": [service(f"{name}-front")],
            "backends": [{"name": name, "poll": 1, "onChange": render}],
        },
        forever(),
        init=True,
    )
    front.wait_for_mark("app")
    assert upstreams.read_text() == "", "nothing is there yet"
    port = free_port()
    server = python(
        "from http.server import HTTPServer, SimpleHTTPRequestHandler\n"
        f"HTTPServer(('127.0.0.1', {port}), SimpleHTTPRequestHandler).serve_forever()"
    )
    behind = pilot(serving(consul, name, port=port), server, init=True)

    consul.wait_until_passing(name)
    consul.wait_until_passing(f"{name}-front")
    front.wait_for(upstreams.read_text, what="a place")
    [place] = upstreams.read_text().splitlines()

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{place}/", timeout=DEADLINE) as answer:
        assert answer.status == 200
    behind.stop()
    front.wait_for(lambda: upstreams.read_text() == "", what="no places")


def test_300_reloads_and_a_stop(pilot: StartPilot, consul: Consul, name: str) -> None:
    """The service stays registered during 300 reloads at random moments. The stop removes it."""
    started = pilot(serving(consul, name), until_term(), init=True)
    consul.wait_until_passing(name)
    gaps = random.Random(8)

    for _ in range(300):
        started.signal("HUP")
        settle(gaps.uniform(0, 0.03))
    reloaded_at = started.output().count("Reloading configuration.")

    assert reloaded_at > 0
    started.wait_for(lambda: consul.passing(name), what="a healthy app")
    settle(1.2)
    assert len(consul.passing(name)) == 1, "it stays"
    assert started.count("app") == 1
    assert started.stop() == 0
    assert consul.passing(name) == []


def test_maintenance_from_pre_start_on(pilot: StartPilot, consul: Consul, name: str) -> None:
    """`preStart` sends SIGUSR1, so that the service is registered only after the second one."""
    started = pilot({**serving(consul, name), "preStart": sh("kill -USR1 1; mark preStart")}, forever(), init=True)
    started.wait_for_mark("app")
    settle(1.5)
    assert consul.passing(name) == []

    started.signal("USR1")

    consul.wait_until_passing(name)


@pytest.mark.parametrize("wanted", [True, False])
def test_tag_override_is_in_the_catalog(pilot: StartPilot, consul: Consul, name: str, wanted: bool) -> None:
    pilot(serving(consul, name, tags=["a"], consul={"enableTagOverride": True} if wanted else {}), forever())
    consul.wait_until_passing(name)

    [entry] = consul.get(f"/v1/catalog/service/{name}")

    assert entry["ServiceEnableTagOverride"] is wanted
    assert entry["ServiceTags"] == ["a"]


def test_critical_service_is_sent_to_consul_as_configured(pilot: StartPilot, consul: Consul, name: str) -> None:
    more = {"health": sh("[ ! -e broken ]"), "ttl": 1, "consul": {"deregisterCriticalServiceAfter": "90m"}}
    started = pilot({"consul": consul.address, "services": [service(name, **more)]}, forever())

    def status() -> str:
        """Of our check; a service without one, as it is for a moment when it is registered, counts as healthy."""
        return str(consul.checks().get(f"{name}-{HOST}", {}).get("Status"))

    started.wait_for(lambda: status() == "passing", what="a passing service")

    (started.folder / "broken").touch()

    # Not at the first sight: a check that was under way may still pass.
    started.wait_for(lambda: status() == "critical", what="a critical service")
    assert f"{name}-{HOST}" in consul.services()


@pytest.mark.timing
def test_frozen_consul_is_not_noticed_and_a_stop_is_in_time(pilot: StartPilot, start_consul: StartConsul) -> None:
    consul = start_consul()
    config = {
        "consul": consul.address,
        "services": [service(health=mark("check"))],
        "backends": [{"name": "web", "poll": 1, "onChange": "/bin/true"}],
    }
    started = pilot(config, STEADY)
    consul.wait_until_passing("app")
    started.wait_for_mark("check")

    consul.freeze()
    frozen_at = now()
    seen_at = started.wait_for_mark("check", started.count("check") + 2).at

    assert longest_pause(started, "beat", frozen_at, seen_at) < 0.8
    assert longest_pause(started, "check", frozen_at, seen_at) < 1.9
    requested_at = now()
    assert started.stop() == 7
    assert now() - requested_at < 1 + 0.5 + 1, "a second for the catalogue, half a second for the app, one for the test"
    started.assert_nothing_is_left()
    consul.thaw()


@pytest.mark.timing
def test_deaf_app_and_frozen_consul_share_one_stop_budget(pilot: StartPilot, start_consul: StartConsul) -> None:
    consul = start_consul()
    deaf = python("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nmark('app')\ntime.sleep(1000)")
    started = pilot({"consul": consul.address, "stopTimeout": 1, "services": [service()]}, deaf, init=True)
    consul.wait_until_passing("app")
    consul.freeze()

    requested_at = now()
    assert started.stop() == 137

    assert 0.9 < now() - requested_at < 1 + 1.5
    started.assert_nothing_is_left()
    consul.thaw()


def test_frozen_consul_is_healed_when_it_lives_again(pilot: StartPilot, start_consul: StartConsul) -> None:
    consul = start_consul()
    config = {"consul": {"address": consul.address, "readTimeout": "300ms"}, "services": [service()]}
    started = pilot(config, forever())
    started.wait_for_line("Service registered: app")

    consul.freeze()
    started.wait_for_line("Service registration failed: .* did not answer within 0.3 s")
    settle(1.2)
    consul.thaw()

    started.wait_for_line("Catalogue reachable again after ")  # of which it must go well for 5
    assert len(consul.passing("app")) == 1
    assert started.output().count("registration failed") == 1


@pytest.mark.timing
def test_a_change_is_passed_on_with_all_and_with_added_and_removed_instances(
    pilot: StartPilot, consul: Consul, name: str
) -> None:
    def enter(number: int, **more: Any) -> None:
        place = {"ID": f"{name}-{number}", "Name": name, "Address": f"10.0.0.{number}", "Port": 80 + number, **more}
        consul.put("/v1/agent/service/register", place)

    def instance(number: int, *tags: str) -> dict[str, Any]:
        return {"id": f"{name}-{number}", "address": f"10.0.0.{number}", "port": 80 + number, "tags": list(tags)}

    tell = sh(
        'mark "{\\"watch\\":\\"$CONTAINERPILOT_WATCH\\",\\"all\\":$CONTAINERPILOT_WATCH_INSTANCES,'
        '\\"added\\":$CONTAINERPILOT_WATCH_ADDED,\\"removed\\":$CONTAINERPILOT_WATCH_REMOVED}"'
    )
    watching = {"consul": consul.address, "backends": [{"name": name, "poll": 4, "onChange": tell}]}
    enter(1, Tags=["blue", 'odd "tag"'])
    blue = instance(1, "blue", 'odd "tag"')
    started = pilot(watching, ["sleep", "1000"])

    def change(count: int) -> Any:
        started.wait_for(lambda: len(started.words()) >= count, what=f"change {count}")
        return json.loads(started.words()[count - 1])

    assert change(1) == {"watch": name, "all": [blue], "added": [blue], "removed": []}
    entered_at = now()
    enter(2)
    assert change(2) == {"watch": name, "all": [blue, instance(2)], "added": [instance(2)], "removed": []}
    assert started.marks()[1].at - entered_at < 3, "it did not wait for a poll"
    consul.put(f"/v1/agent/service/deregister/{name}-1")
    assert change(3) == {"watch": name, "all": [instance(2)], "added": [], "removed": [blue]}
    enter(2, Tags=["green"])
    settle(0.5)
    assert len(started.words()) == 3, "tags are not a change"


def test_services_that_a_restarted_consul_lost_are_a_change_and_its_absence_is_not(
    pilot: StartPilot, start_consul: StartConsul
) -> None:
    consul = start_consul()
    consul.put("/v1/agent/service/register", {"ID": "web", "Name": "web", "Address": "10.0.0.1", "Port": 80})
    tell = sh('mark "$CONTAINERPILOT_WATCH_INSTANCES"')
    watching = {"consul": consul.address, "backends": [{"name": "web", "poll": 1, "onChange": tell}]}
    started = pilot(watching, ["sleep", "1000"])
    started.wait_for(lambda: len(started.words()) == 1)

    consul.kill()
    started.wait_for_line("Failed to query web: ")
    assert len(started.words()) == 1
    consul.start()

    started.wait_for(lambda: started.words()[1:] == ["[]"], what="the loss")
    assert started.output().count("Failed to query web: ") == 1
