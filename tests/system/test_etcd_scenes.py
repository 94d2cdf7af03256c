"""Whole scenes with a real etcd: register, be found by a reader of the keys, heal, watch, stop."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.limits import DEADLINE
from tests.size import mostly_nightly
from tests.system.etcd_server import PASSWORD, PREFIX, USER, find_etcd
from tests.system.pilot import now
from tests.system.scripts import forever, python, service, sh
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.certificates import Authority
    from tests.system.etcd_server import StartEtcd
    from tests.system.pilot_fixtures import StartPilot

HOST = os.uname().nodename

both = pytest.mark.parametrize("api", ["v2", "v3"])


@both
@pytest.mark.parametrize("init", [False, True], ids=["process", "PID 1"])
def test_registered_healed_and_removed(pilot: StartPilot, start_etcd: StartEtcd, api: str, init: bool) -> None:
    """The keys are those that templates of confd read."""
    etcd = start_etcd()
    config: dict[str, Any] = {
        "etcd": {"endpoints": etcd.url, "api": api},
        "services": [service(health="/bin/true", ttl=5, tags=["t"])],
    }
    started = pilot(config, forever(), init=init)

    etcd.wait_for_ids(api, "app", [f"app-{HOST}"])
    key = f"{PREFIX}/app/app-{HOST}"
    value = etcd.keys()[key] if api == "v3" else (etcd.node(f"{key}/service") or {})["value"]
    tags = '["t"]' if api == "v3" else "null"
    assert value == f'{{"id":"app-{HOST}","name":"app","address":"127.0.0.1","port":8000,"tags":{tags}}}'

    etcd.kill()
    etcd.start()
    etcd.wait_for_ids(api, "app", [f"app-{HOST}"])

    started.signal("TERM")
    etcd.wait_for_ids(api, "app", [])
    assert started.wait_exit() == 143
    started.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("flags", "api", "line"),
    [
        ((), "v2", r"etcd 3\.\d+: API v2 is used, where ContainerPilot 2 has its keys; see etcd\.api$"),
        (("--enable-v2=false",), "v3", r"etcd 3\.\d+: API v3 is used; see etcd\.api$"),
        (("--enable-grpc-gateway=false",), "v2", r"etcd 3\.\d+: API v2 is used, where ContainerPilot 2"),
    ],
)
def test_the_services_dialect_is_where_the_older_ones_look(
    pilot: StartPilot, start_etcd: StartEtcd, flags: tuple[str, ...], api: str, line: str
) -> None:
    etcd = start_etcd(*flags)
    tell = sh('mark "web $CONTAINERPILOT_WATCH_INSTANCES"')
    config: dict[str, Any] = {
        "etcd": {"endpoints": etcd.url},
        "services": [service(), service("web")],
        "backends": [{"name": "web", "poll": 1, "onChange": tell}],
    }
    started = pilot(config, forever())

    etcd.wait_for_ids(api, "app", [f"app-{HOST}"])
    started.wait_for(lambda: any(word.startswith("web [{") for word in started.words()), what="the backend's own API")
    started.wait_for_line(line)
    assert started.output().count("is used") == 1, "logged once, not by each of its clients"
    if not flags:
        assert etcd.ids("v3", "app") == []
    started.stop()
    assert etcd.ids(api, "app") == []


@pytest.mark.parametrize(
    ("flags", "api", "line"),
    [
        ((), "v3", r"etcd 3\.\d+: API v3 is used; see etcd\.api$"),
        (
            ("--enable-grpc-gateway=false",),
            "v2",
            r"etcd 3\.\d+: API v2 is used, since it does not speak v3 over HTTP: ",
        ),
    ],
)
def test_the_jobs_dialect_takes_the_newer_api(
    pilot: StartPilot, start_etcd: StartEtcd, flags: tuple[str, ...], api: str, line: str
) -> None:
    etcd = start_etcd(*flags)
    job = {"name": "app", "exec": forever(), "port": 80, "interfaces": "static:127.0.0.1",
           "health": {"exec": "true", "interval": 1, "ttl": 10}}  # fmt: skip
    started = pilot({"etcd": {"endpoints": etcd.url}, "jobs": [job]})

    etcd.wait_for_ids(api, "app", [f"app-{HOST}"])
    started.wait_for_line(line)
    if not flags:
        assert etcd.ids("v2", "app") == []


def test_an_etcd_that_is_down_at_first_is_used_when_it_answers(pilot: StartPilot, start_etcd: StartEtcd) -> None:
    etcd = start_etcd()
    etcd.kill()
    started = pilot({"etcd": {"endpoints": etcd.url}, "services": [service()]}, forever())
    started.wait_for_line("Service registration failed: cannot reach etcd")
    assert "is used" not in started.output()

    etcd.start()
    etcd.wait_for_ids("v2", "app", [f"app-{HOST}"])
    assert started.output().count("API v2 is used") == 1


@both
def test_with_tls_and_a_password_of_the_environment(
    pilot: StartPilot, start_etcd: StartEtcd, authority: Authority, api: str
) -> None:
    etcd = start_etcd(authority=authority)
    etcd.require_passwords()
    config = json.dumps(
        {
            "etcd": {
                "endpoints": ["http://127.0.0.1:1", etcd.url],
                "api": api,
                "username": USER,
                "password": "PASSWORD",
                "tls": {
                    "cafile": str(authority.file),
                    "clientcert": str(authority.file.with_name("client.pem")),
                    "clientkey": str(authority.file.with_name("client.key")),
                },
            },
            "services": [service()],
        }
    ).replace('"PASSWORD"', '"{{ .ETCD_PASSWORD }}"')
    started = pilot(config, forever(), env={"ETCD_PASSWORD": PASSWORD})

    etcd.wait_for_ids(api, "app", [f"app-{HOST}"])
    started.stop()
    assert etcd.ids(api, "app") == []
    assert PASSWORD not in started.output()


@both
def test_the_rendered_configuration_of_a_backend_leads_to_the_app(
    pilot: StartPilot, start_etcd: StartEtcd, tmp_path: Path, api: str
) -> None:
    """The endpoints are a string. A server before the app finds the app by its keys."""
    etcd = start_etcd()
    where = {"endpoints": etcd.url, "prefix": PREFIX, "api": api}
    places = tmp_path / "places"
    render = sh(f'echo "$CONTAINERPILOT_WATCH_INSTANCES" >{places}.new && mv {places}.new {places}; mark rendered')
    front = pilot({"etcd": where, "backends": [{"name": "app", "poll": 1, "onChange": render}]}, forever(), init=True)
    front.wait_for_mark("app")
    port = free_port()
    server = python(
        "from http.server import HTTPServer, SimpleHTTPRequestHandler\n"
        f"HTTPServer(('127.0.0.1', {port}), SimpleHTTPRequestHandler).serve_forever()"
    )
    behind = pilot({"etcd": where, "services": [service(port=port, health="/bin/true")]}, server, init=True)

    front.wait_for_mark("rendered")
    [place] = json.loads(places.read_text())
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{place['address']}:{place['port']}/", timeout=DEADLINE) as answer:
        assert answer.status == 200
    behind.stop()
    front.wait_for(lambda: json.loads(places.read_text()) == [], what="no places")


def test_an_etcd_that_it_runs_itself(pilot: StartPilot, tmp_path: Path) -> None:
    """The application is an etcd whose arguments name its own address, and so is the catalogue."""
    port, peer = free_port(), free_port()
    own, other = (f"http://{{{{ .CONTAINERPILOT_ETCD_IP }}}}:{each}" for each in (port, peer))
    url = f"http://127.0.0.1:{port}"
    config = {
        "etcd": {"endpoints": url},
        "services": [service("etcd", port=port, poll=1)],
    }
    started = pilot(
        config,
        [
            str(find_etcd()), "--data-dir", str(tmp_path / "data"), "--name", "own", "--log-level", "error",
            "--listen-client-urls", own, "--advertise-client-urls", own, "--listen-peer-urls", other,
            "--initial-advertise-peer-urls", other, "--initial-cluster", f"own={other}",
        ],
    )  # fmt: skip

    started.wait_for_line("Service registered: etcd")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/health", timeout=DEADLINE) as answer:
        assert json.load(answer)["health"] == "true"
    started.stop()
    started.assert_nothing_is_left()


def test_a_wrong_password_is_one_warning_that_names_the_key(pilot: StartPilot, start_etcd: StartEtcd) -> None:
    etcd = start_etcd()
    etcd.require_passwords()
    config = {
        "etcd": {"endpoints": etcd.url, "username": USER, "password": "not-this-one"},
        "services": [service()],
    }
    started = pilot(config, forever())

    started.wait_for_line("Service registration failed: .*see etcd.username and etcd.password")
    assert "not-this-one" not in started.output()
    assert started.output().count("registration failed") == 1


@pytest.mark.timing
@pytest.mark.parametrize("api", mostly_nightly(["v2", "v3"], "v3"))
def test_a_change_reaches_the_job_at_once_and_an_outage_is_not_a_change(
    pilot: StartPilot, start_etcd: StartEtcd, api: str
) -> None:
    etcd = start_etcd()
    etcd.enter(api, "web", 1)
    tell = sh('mark "$CONTAINERPILOT_WATCH_INSTANCES"')
    watching = {
        "etcd": {"endpoints": etcd.url, "api": api},
        "backends": [{"name": "web", "poll": 5, "onChange": tell}],
    }
    started = pilot(watching, ["sleep", "1000"])
    started.wait_for(lambda: len(started.words()) == 1, what="the first look")
    assert [one["port"] for one in json.loads(started.words()[0])] == [1]

    entered_at = now()
    etcd.enter(api, "web", 2)
    started.wait_for(lambda: len(started.words()) == 2, what="the change")
    assert started.marks()[1].at - entered_at < 4, "it did not wait for a poll"

    etcd.kill()
    started.wait_for_line("Failed to query web: ")
    assert len(started.words()) == 2
    etcd.start()
    started.wait_for(lambda: started.words()[2:] == ["[]"], what="the loss")
    assert started.output().count("Failed to query web: ") == 1
