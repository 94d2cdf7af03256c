"""Telemetry of the jobs dialect."""

from __future__ import annotations

import gzip
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.jobs.configs import advertised, app, config, job
from tests.system.scripts import registered, sh
from tests.system.telemetry.scraping import OPENMETRICS, Port
from tests.unit.telemetry.metrics.parsers import read_openmetrics, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul

COUNTER = {
    "namespace": "containerpilot",
    "subsystem": "app",
    "name": "some_counter",
    "help": "help text",
    "type": "counter",
}
NAME = "containerpilot_app_some_counter"
# A check that ends when its test wants it: on a busy machine the first one may be over before the first look.
GATED = {"interval": 1, "ttl": 5, "timeout": "60s"}


@pytest.mark.smoke
def test_a_sensor_job_puts_a_metric_and_the_page_shows_everything(
    pilot: StartPilot, consul: Consul, port: Port
) -> None:
    name = f"app-{uuid.uuid4().hex[:8]}"
    started = pilot(
        config(
            advertised(name),
            consul=consul.address,
            watches=[{"name": f"{name}-other", "interval": 1}],
            telemetry=port.config(tags=["dev"], metrics=[COUNTER]),
        )
    )
    port.wait_until_served(started)

    assert started.run("-putmetric", f"{NAME}=42").code == 0

    text = port.ask("/metrics").text
    assert f"\n{NAME} 42\n" in text
    assert '\ncontainerpilot_events{code="Startup",source="global"} 1\n' in text
    assert '\ncontainerpilot_control_http_requests{code="200",path="/v3/metric"} 1\n' in text
    port.wait_for_value(started, f'containerpilot_watch_instances{{service="{name}-other"}}', "0")
    started.wait_for(lambda: [each["Status"] for each in port.ask("/status").json["Services"]] == ["healthy"] * 2)
    host = os.uname().nodename
    started.wait_for(lambda: f"containerpilot-{host}" in consul.services(), what="a registration")
    entry = consul.services()[f"containerpilot-{host}"]
    assert (entry["Service"], entry["Address"], entry["Port"]) == ("containerpilot", "127.0.0.1", port.number)
    assert entry["Tags"][0] == "dev"
    assert entry["Tags"][1] == port.ask("/status").json["Version"]

    assert started.stop() == 0
    assert f"containerpilot-{host}" not in consul.services()


def test_the_status_has_jobs_services_and_watches_in_the_order_of_the_file(pilot: StartPilot, port: Port) -> None:
    quiet = {"exec": "true", "interval": 300, "ttl": 400}
    started = pilot(
        config(
            job("myjob1", ["sleep", "1000"]),
            job("myjob2", ["sleep", "1000"], port=80, interfaces="static:192.168.1.100", health=quiet),
            job("myjob3", ["sleep", "1000"]),
            directory="catalog",
            watches=[{"name": "watch1", "interval": 1}, {"name": "watch2", "interval": 1}],
            telemetry=port.config(),
        )
    )
    port.wait_until_served(started)

    started.wait_for(lambda: port.ask("/status").json["Catalog"] == "reachable")
    answer = port.ask("/status")

    assert answer.body.startswith(b'{"Version":"')
    assert (
        b'"Jobs":[{"Name":"myjob1","Status":"unknown"},{"Name":"myjob3","Status":"unknown"}],'
        b'"Services":[{"Name":"myjob2","Address":"192.168.1.100","Port":80,"Status":"unknown","Registered":"not yet"},'
        b'{"Name":"containerpilot","Address":"127.0.0.1","Port":%d,"Status":"healthy","Registered":"not yet"}],'
        b'"Watches":["watch1","watch2"],"Catalog":"reachable","since":"' % port.number
    ) in answer.body
    assert port.ask("/status", "POST").status == 405

    assert started.run("-maintenance", "enable").code == 0
    status = port.ask("/status").json
    assert [each["Status"] for each in status["Jobs"] + status["Services"]] == ["maintenance"] * 3 + ["healthy"]


def test_telemetry_keeps_the_program_alive_and_needs_no_catalogue(pilot: StartPilot, port: Port) -> None:
    started = pilot(config(job("once", "true"), telemetry=port.config()))
    port.wait_for_value(started, 'containerpilot_job_exits{job="once",code="0"}', "1")

    assert started.is_running()
    assert port.ask("/status").json["Services"] == [
        {"Name": "containerpilot", "Address": "127.0.0.1", "Port": port.number, "Status": "healthy"}
    ]
    assert started.stop() == 0
    assert not port.is_served()


def test_children_know_where_telemetry_is(pilot: StartPilot, port: Port) -> None:
    started = pilot(config(job("env", sh('mark "$CONTAINERPILOT_CONTAINERPILOT_IP"')), telemetry=port.config()))

    started.wait_for_mark("127.0.0.1")


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_parsers_read_every_format(pilot: StartPilot, port: Port, accept: str) -> None:
    kinds = ("counter", "gauge", "histogram", "summary")
    metrics = [{"name": f"own_{kind}", "help": "h", "type": kind} for kind in kinds]
    started = pilot(config(app(), telemetry=port.config(metrics=metrics)))
    port.wait_until_served(started)
    for kind in kinds:
        assert started.run("-putmetric", f"own_{kind}=1.5").code == 0

    answer = port.ask("/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"
    text = gzip.decompress(answer.body).decode()
    assert answer.headers["content-type"].startswith("application/openmetrics-text" if accept else "text/plain")
    families = {family.name: family for family in (read_openmetrics if accept else read_text)(text)}
    # The parser of the old format gives all counters the name that they should have.
    samples = {
        sample.name if family.type != "counter" or accept else sample.name.removesuffix("_total"): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["own_counter"] == samples["own_gauge"] == samples["own_histogram_sum"] == 1.5
    assert samples["own_summary_count"] == 1
    assert samples["containerpilot_events"] >= 1
    assert {"process_resident_memory_bytes", "containerpilot_job_starts"} <= set(samples)
    assert ("process_cpu_seconds_total" if accept else "process_cpu_seconds") in samples


def test_a_value_that_cannot_be_recorded_is_refused_and_nothing_of_it_is_recorded(
    pilot: StartPilot, port: Port
) -> None:
    gauge = {"name": "zed", "type": "gauge"}
    started = pilot(config(app(), telemetry=port.config(metrics=[COUNTER, gauge])))
    port.wait_until_served(started)
    assert started.ask("POST", "/v3/metric", {"zed": 30}).status == 200

    unknown = started.ask("POST", "/v3/metric", {"zed": 31, "nobody": 1})
    text = started.ask("POST", "/v3/metric", {"zed": "xxx"})
    down = started.ask("POST", "/v3/metric", {NAME: -1})

    assert (unknown.status, text.status, down.status) == (422, 422, 422)
    assert "there is no metric 'nobody'" in unknown.json["error"]
    assert port.value("zed") == "30"
    assert port.value(NAME) == "0"
    assert started.ask("POST", "/v3/metric", {"__zed": 7}).status == 200  # its old name
    assert port.value("zed") == "7"


def test_without_telemetry_values_are_taken_and_lead_nowhere(pilot: StartPilot) -> None:
    started = pilot(config(app(), logging={"level": "debug"}))

    assert started.ask("POST", "/v3/metric", {"zed": 1.5}).status == 200

    started.wait_for_line(r"event: \{metric zed\|1.5\}")


def test_status_is_the_live_one(pilot: StartPilot, port: Port) -> None:
    check = {**GATED, "exec": sh("until test -e checked; do sleep 0.05; done; test -e ready")}
    started = pilot(config(app(health=check), telemetry=port.config()))
    port.wait_until_served(started)

    def status() -> str:
        return str(port.ask("/status").json["Jobs"][0]["Status"])

    assert status() == "unknown"
    (started.folder / "checked").touch()
    started.wait_for(lambda: status() == "unhealthy", what="an unhealthy job")
    (started.folder / "ready").touch()
    started.wait_for(lambda: status() == "healthy", what="a healthy job")


def test_metrics_are_not_events(pilot: StartPilot, port: Port) -> None:
    started = pilot(config(app(), telemetry=port.config(metrics=[COUNTER])))
    port.wait_until_served(started)

    assert started.run("-putmetric", f"{NAME}=1").code == 0

    port.wait_for_value(started, NAME, "1")
    events = [line for line in port.ask("/metrics").text.splitlines() if line.startswith("containerpilot_events{")]
    assert any('code="Startup"' in line for line in events)
    assert not any("Metric" in line or NAME in line for line in events)


def test_it_is_ready_when_every_checked_job_is_healthy(pilot: StartPilot, port: Port) -> None:
    check = {**GATED, "exec": sh("until test -e checked; do sleep 0.05; done; test -e ready")}
    started = pilot(config(app(health=check), job("unchecked", "true"), telemetry=port.config()))
    port.wait_until_served(started)
    assert (port.ask("/readyz").status, port.ask("/readyz").text) == (503, "app is unknown: no check has ended yet\n")
    assert port.ask("/healthz").status == 200
    (started.folder / "checked").touch()
    started.wait_for(lambda: port.ask("/readyz").text.startswith("app is unhealthy: "))
    port.wait_for_value(started, 'containerpilot_job_health{job="app"}', "0")

    (started.folder / "ready").touch()

    started.wait_for(lambda: port.ask("/readyz").status == 200)
    assert port.value('containerpilot_job_health{job="app"}') == "1"
    assert int(port.value('containerpilot_check_seconds_count{job="app"}')) >= 2
    assert started.run("-maintenance", "enable").code == 0
    assert (port.ask("/readyz").status, port.ask("/readyz").text) == (503, "in maintenance\n")


def test_actions_of_jobs_and_the_catalogue_are_counted(pilot: StartPilot, port: Port, tmp_path: Path) -> None:
    started = pilot(
        config(
            advertised("app"),
            job("dies", sh("kill -9 $$"), restarts=1),
            directory=str(tmp_path / "shelf"),
            telemetry=port.config(),
        )
    )
    started.wait_for(lambda: registered(tmp_path / "shelf", "app"))
    port.wait_for_value(started, 'containerpilot_job_exits{job="dies",code="-9"}', "2")

    assert port.value('containerpilot_job_starts{job="dies"}') == "2"
    assert port.value('containerpilot_job_restarts{job="dies"}') == "1"
    assert port.value('containerpilot_job_run_seconds_count{job="dies"}') == "2"
    assert port.value('containerpilot_events{code="ExitFailed",source="dies"}') == "2"
    port.wait_for_value(started, 'containerpilot_catalog_requests{verb="register"}', "1", "2")
    assert port.value('containerpilot_catalog_errors{verb="register"}') == "0"
    assert port.value('containerpilot_catalog_seconds_count{verb="register"}') in ("1", "2")
    assert int(port.wait_for_value(started, "containerpilot_loop_lag_seconds_count")) >= 1


# Reloads.


def plan_with(port: Port, *metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return config(app(), telemetry=port.config(metrics=list(metrics), **more))


def test_a_reload_keeps_unchanged_metrics(pilot: StartPilot, port: Port) -> None:
    started = pilot(plan_with(port, COUNTER, {"name": "other", "type": "counter"}))
    port.wait_until_served(started)
    assert started.ask("POST", "/v3/metric", {NAME: 2, "other": 3}).status == 200

    started.configure(plan_with(port, {**COUNTER, "help": "other words"}, {"name": "other", "type": "counter"}))
    assert started.run("-reload").code == 0

    assert (port.value(NAME), port.value("other")) == ("0", "3")
    assert "# HELP containerpilot_app_some_counter other words" in port.ask("/metrics").text
    assert started.output().count("telemetry: serving at ") == 2


def test_a_reload_moves_it_when_the_port_changes_and_only_then(pilot: StartPilot, port: Port) -> None:
    started = pilot(plan_with(port, COUNTER))
    port.wait_until_served(started)
    assert started.ask("POST", "/v3/metric", {NAME: 2}).status == 200
    other = Port()

    started.configure(plan_with(other, COUNTER))
    assert started.run("-reload").code == 0

    assert other.value(NAME) == "2"
    assert not port.is_served()

    started.configure(config(app()))
    assert started.run("-reload").code == 0
    assert not other.is_served()
    started.configure(plan_with(port, COUNTER))
    assert started.run("-reload").code == 0
    assert port.value(NAME) == "2"


def test_a_reload_whose_port_is_taken_changes_nothing(pilot: StartPilot, port: Port, consul: Consul) -> None:
    started = pilot(plan_with(port, COUNTER))
    port.wait_until_served(started)
    assert started.ask("POST", "/v3/metric", {NAME: 2}).status == 200
    taken = Port()
    taken.number = int(consul.address.rpartition(":")[2])

    started.configure(plan_with(taken, {"name": "other", "type": "gauge"}))
    answer = started.run("-reload")

    assert answer.code == 1
    assert f"Error serving telemetry on 127.0.0.1:{taken.number}: another program listens there" in answer.stderr
    assert port.value(NAME) == "2"
    assert port.value("other") == ""
    assert started.words() == ["app"]


def test_two_hundred_reloads_leave_nothing_behind(pilot: StartPilot, port: Port) -> None:
    started = pilot(plan_with(port, COUNTER))
    port.wait_until_served(started)
    before = len(started.descriptors())
    with started.client() as client:
        for number in range(200):
            started.configure(plan_with(port, {**COUNTER, "help": f"help {number}"}))
            assert client.ask("POST", "/v3/reload").status == 200

    assert port.is_served()
    started.wait_for(lambda: len(started.descriptors()) <= before + 1, what="an end of descriptors")
