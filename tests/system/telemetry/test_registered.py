"""A registration in every view, while the catalogue answers, is away, or was never there."""

from __future__ import annotations

import re
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.size import mostly_nightly
from tests.system.jobs.configs import advertised, config
from tests.system.scripts import forever, sh
from tests.system.servers import Consul, free_port

if TYPE_CHECKING:
    from tests.system.etcd_server import StartEtcd
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import StartConsul
    from tests.system.telemetry.scraping import Port

CHECK = {"exec": sh("test ! -e fails"), "interval": 1, "ttl": 2}


@pytest.fixture
def name() -> str:
    return f"app-{uuid.uuid4().hex[:8]}"


class Views:
    """All views of one job's registration."""

    def __init__(self, started: Pilot, port: Port, name: str) -> None:
        self.started = started
        self.port = port
        self.name = name

    def all(self) -> set[str]:
        """The shown states of the registration, without times: one word if they agree."""
        job = self.started.ask("GET", f"/v3/jobs/{self.name}").json["service"]["registered"]
        [line] = [
            line for line in self.started.run("-job", self.name).stdout.splitlines() if line[:11] == "registered:"
        ]
        services = {each["Name"]: each["Registered"] for each in self.port.ask("/status").json["Services"]}
        metric = self.port.value(f'containerpilot_job_registered{{job="{self.name}"}}') == "1"
        remark = self.port.ask("/readyz").text
        texts = {text.partition(" since ")[0] for text in (job, line.removeprefix("registered: "), services[self.name])}
        if metric != (texts == {"passing"}) or (f"{self.name} is healthy; registered:" in remark and metric):
            texts.add(f"metric {metric}, {remark}")
        return texts

    def wait_for(self, state: str) -> None:
        self.started.wait_for(lambda: self.all() == {state}, what=f"{state} in all views: {self.all()}")

    def catalog(self) -> dict[str, Any]:
        found: dict[str, Any] = self.started.ask("GET", "/v3/jobs").json["catalogue"]
        return found


@pytest.mark.smoke
def test_nothing_is_passing_without_a_consul_and_the_outage_is_seen(pilot: StartPilot, port: Port, name: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    watches = [{"name": "db", "interval": 1}]
    plan = config(advertised(name, health=CHECK), consul=nowhere, telemetry=port.config(), watches=watches)
    views = Views(pilot(plan), port, name)
    port.wait_until_served(views.started)

    views.wait_for("unreachable")

    catalog = views.catalog()
    assert (catalog["kind"], catalog["address"], catalog["reachable"]) == ("consul", nowhere, False)
    assert "connection refused" in catalog["lastError"]["text"]
    assert set(catalog["failing"]) == {"registration", "watch.db"}
    assert port.value('containerpilot_catalog_reachable{catalog="consul"}') == "0"
    ready = port.ask("/readyz")
    assert ready.status == 200
    assert ready.text.startswith("ok\ncatalogue: unreachable since 20")
    assert "registered: unreachable since" in views.started.run("-jobs").stdout


def test_an_outage_begins_and_ends_in_all_views(
    pilot: StartPilot, start_consul: StartConsul, port: Port, name: str
) -> None:
    consul = start_consul()
    plan = config(advertised(name, health=CHECK), consul=consul.address, telemetry=port.config())
    views = Views(pilot(plan), port, name)
    port.wait_until_served(views.started)
    views.wait_for("passing")
    assert views.catalog()["about"] == "reachable"

    consul.kill()
    views.wait_for("unreachable")
    assert views.catalog()["reachable"] is False

    consul.start()
    views.wait_for("passing")
    assert views.catalog()["reachable"] is True
    assert views.catalog()["lastError"]["text"]


def test_a_frozen_consul_is_not_shown_as_reachable_once_its_answer_is_overdue(
    pilot: StartPilot, start_consul: StartConsul, port: Port, name: str
) -> None:
    consul = start_consul()
    plan = config(
        advertised(name, health=CHECK),
        consul={"address": consul.address, "readTimeout": "300s"},
        telemetry=port.config(),
        watches=[{"name": "db", "interval": 1}],
    )
    views = Views(pilot(plan), port, name)
    port.wait_until_served(views.started)
    views.wait_for("passing")

    def table() -> str:
        return views.started.run("-jobs").stdout.splitlines()[-1].rpartition(", ")[2]

    consul.freeze()
    views.wait_for("lapsed")
    views.started.wait_for(lambda: table().startswith("no answer since "), what="an overdue answer")
    shown = views.catalog()
    assert (shown["reachable"], shown["about"]) == (False, table())
    assert list(shown["failing"]) == ["registration"], "the question of the watch may take its time"
    [watch] = views.started.ask("GET", "/v3/jobs").json["watches"]
    assert watch["about"] == f"perhaps out of date; catalogue: {table()}"
    assert re.search(rf"^db +0 +- +{re.escape(watch['about'])}$", views.started.run("-jobs").stdout, re.M)
    assert port.ask("/status").json["Catalog"] == table()
    assert port.value('containerpilot_catalog_reachable{catalog="consul"}') == "0"
    ready = port.ask("/readyz")
    assert (ready.status, f"catalogue: {table()}" in ready.text.splitlines()) == (200, True)
    assert f"problem: the catalogue has given {table()}\n" in views.started.run("-job", name).stdout

    consul.thaw()
    views.wait_for("passing")
    assert table() == "reachable"
    assert views.started.ask("GET", "/v3/jobs").json["watches"][0]["about"] == "up to date"
    assert port.value('containerpilot_catalog_reachable{catalog="consul"}') == "1"


def test_no_watch_is_shown_as_up_to_date_while_a_frozen_etcd_does_not_answer(
    pilot: StartPilot, start_etcd: StartEtcd, name: str
) -> None:
    etcd = start_etcd()
    watches = [{"name": "db", "interval": 1}]
    settings = {"endpoints": etcd.url, "readTimeout": "3s"}
    started = pilot(config(advertised(name, health=CHECK), etcd=settings, watches=watches))

    def shown() -> tuple[str, str]:
        answer = started.ask("GET", "/v3/jobs").json
        return answer["catalogue"]["about"].partition(" since ")[0], answer["watches"][0]["about"]

    def is_consistent(about: str) -> bool:
        catalog, watch = shown()
        assert catalog == "reachable" or watch != "up to date"
        return catalog == about

    started.wait_for(lambda: shown() == ("reachable", "up to date"))
    etcd.freeze()
    started.wait_for(lambda: is_consistent("no answer"), what="an overdue answer")
    started.wait_for(lambda: is_consistent("unreachable"), what="an outage")
    etcd.thaw()
    started.wait_for(lambda: shown() == ("reachable", "up to date"))


@pytest.mark.parametrize("catalog", mostly_nightly(["consul", "etcd"], "consul"))
def test_an_outage_by_a_frozen_catalogue_has_one_beginning_in_all_views(
    pilot: StartPilot, start_consul: StartConsul, start_etcd: StartEtcd, port: Port, name: str, catalog: str
) -> None:
    """While the first answer is overdue, and when the call has ended without it."""
    server = start_consul() if catalog == "consul" else start_etcd()
    where = {"address": server.address} if isinstance(server, Consul) else {"endpoints": server.url}
    plan = config(
        advertised(name, health=CHECK),
        advertised("late", health={"exec": sh("test -e frozen"), "interval": 1, "ttl": 60}),
        telemetry=port.config(),
        **{catalog: {**where, "readTimeout": "5s"}},
    )
    views = Views(pilot(plan), port, name)
    port.wait_until_served(views.started)
    views.wait_for("passing")
    server.freeze()
    (views.started.folder / "frozen").touch()
    shown: list[dict[str, Any]] = []

    def is_unreachable() -> bool:
        shown.append(views.started.ask("GET", "/v3/jobs").json)
        return bool(str(shown[-1]["catalogue"]["about"]).startswith("unreachable since "))

    views.started.wait_for(is_unreachable, what="an outage")
    end = time.monotonic() + 6  # another call ends in vain
    views.started.wait_for(lambda: is_unreachable() and time.monotonic() > end, what="a longer outage")

    outage = [each["catalogue"] for each in shown if each["catalogue"]["reachable"] is False]
    assert {each["about"].partition(" since ")[0] for each in outage} == {"no answer", "unreachable"}
    assert_one_moment([each["since"] for each in outage])
    assert_one_moment([each["failing"]["registration"]["since"] for each in outage])
    since = datetime.fromisoformat(outage[0]["since"].replace("Z", "+00:00"))
    for job in shown[-1]["jobs"]:
        state, _, at = job["service"]["registered"].partition(" since ")
        assert state == "unreachable"
        assert abs((datetime.fromisoformat(at.replace("Z", "+00:00")) - since).total_seconds()) <= 1
    text = outage[-1]["about"].partition(": ")[0]
    assert port.ask("/status").json["Catalog"] == text
    assert f"catalogue: {text}" in port.ask("/readyz").text.splitlines()

    server.thaw()
    views.wait_for("passing")


def assert_one_moment(texts: list[str]) -> None:
    moments = [datetime.fromisoformat(each.replace("Z", "+00:00")) for each in texts]
    assert (max(moments) - min(moments)).total_seconds() < 0.5, sorted(set(texts))


def test_a_job_that_crashes_repeatedly_does_not_stay_registered(pilot: StartPilot, port: Port, name: str) -> None:
    health = {"exec": "true", "interval": 1, "ttl": 2}
    crashing = advertised(name, sh("test ! -e crashes || { sleep 0.2; exit 3; }; sleep 1000"), health=health)
    plan = config({**crashing, "restarts": "unlimited"}, telemetry=port.config(), directory="shelf")
    views = Views(pilot(plan), port, name)
    port.wait_until_served(views.started)
    views.wait_for("passing")

    (views.started.folder / "crashes").touch()
    views.started.run("-restart", name)
    views.wait_for("lapsed")

    def health_in(state: str) -> str:
        answer = views.started.ask("GET", f"/v3/jobs/{name}").json
        return str(answer["health"]["status"]) if answer["state"] == state else ""

    assert views.started.wait_for(lambda: health_in("pausing"), what="a pause") == "unknown"

    (views.started.folder / "crashes").unlink()
    views.wait_for("passing")


@pytest.mark.parametrize("catalog", ["consul", "directory"])
def test_a_service_whose_checks_fail_lapses_in_all_views(
    pilot: StartPilot, start_consul: StartConsul, port: Port, name: str, catalog: str
) -> None:
    where = start_consul().address if catalog == "consul" else "shelf"
    plan = config(advertised(name, health=CHECK), telemetry=port.config(), **{catalog: where})
    views = Views(pilot(plan), port, name)
    port.wait_until_served(views.started)
    views.wait_for("passing")

    (views.started.folder / "fails").touch()
    views.wait_for("lapsed")
    assert views.catalog()["about"] == "reachable"

    (views.started.folder / "fails").unlink()
    views.wait_for("passing")
    views.started.run("-maintenance", "enable")
    views.wait_for("no")


@pytest.mark.parametrize("catalog", [{}, {"directory": "catalogue"}])
@pytest.mark.parametrize("dialect", ["jobs", "services"])
def test_telemetry_itself_is_healthy_in_every_view(
    pilot: StartPilot, port: Port, dialect: str, catalog: dict[str, str]
) -> None:
    settings = {**config(), "dialect": dialect, "telemetry": port.config(), **catalog}
    if dialect == "services":
        del settings["jobs"]
    started = pilot(settings, forever() if dialect == "services" else ())
    port.wait_until_served(started)

    def views() -> set[str]:
        described = started.ask("GET", "/v3/jobs/containerpilot").json["health"]["status"]
        [line] = [line for line in started.run("-job", "containerpilot").stdout.splitlines() if line[:7] == "health:"]
        [row] = [line for line in started.run("-jobs").stdout.splitlines() if line.startswith("containerpilot ")]
        [status] = [each["Status"] for each in port.ask("/status").json["Services"]]
        return {described, line.removeprefix("health: "), row.split()[5], status}

    assert views() == {"healthy"}
    assert started.run("-maintenance", "enable").code == 0
    assert views() == {"healthy"}
