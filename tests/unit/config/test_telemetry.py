"""`telemetry` in both dialects: its address, its metrics, and its internal jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cp.config.load import load
from cp.config.source import Source
from cp.plan import INHERIT, REPLACE, Check, Metric, Plan, Service, TelemetrySettings, When
from tests.unit.config.loading import ETH0, job, load_dict, load_jobs, load_text, names

METRIC = {"namespace": "org", "subsystem": "app", "name": "zed", "help": "gauge of zeds in org app", "type": "gauge"}
SENSOR = {"name": "requests", "help": "h", "type": "counter", "check": "/bin/measure", "poll": 5}
KINDS = ("counter", "gauge", "histogram", "summary")


def served(plan: Plan) -> TelemetrySettings:
    assert plan.telemetry is not None
    return plan.telemetry


# -- the jobs dialect


def test_telemetry_is_a_job_that_is_listed_last_and_has_the_programs_version_as_a_tag() -> None:
    plan = load(
        Source(
            "app.json",
            json.dumps({"consul": "consul:8500", "jobs": [{"name": "app", "exec": "x"}], "telemetry": {"tags": "a"}}),
        ),
        {},
        arguments=(),
        hostname="host",
        addresses=lambda: ETH0,
        version="4.1",
    )

    assert names(plan) == ["app", "containerpilot"]
    last = plan.jobs[-1]
    assert last.command is None
    assert last.when == When(code="startup", source="global")
    assert last.health == (Check(label="check.containerpilot", interval=5.0),)
    assert last.always_healthy
    assert last.service == Service(
        name="containerpilot", id="containerpilot-host", address="10.0.0.7", port=9090, ttl=15, tags=("a", "4.1")
    )
    assert dict(plan.environ)["CONTAINERPILOT_CONTAINERPILOT_IP"] == "10.0.0.7"
    assert served(plan) == TelemetrySettings(address="10.0.0.7", port=9090, job="containerpilot")


def test_telemetry_alone_is_a_configuration() -> None:
    plan = load_text(
        '{"consul": "consul:8500", "telemetry": {"metrics": [], "interfaces": ["inet", "lo"], "port": 9090}}'
    )

    assert names(plan) == ["containerpilot"]
    assert "CONTAINERPILOT_CONTAINERPILOT_IP" in dict(plan.environ)
    assert not plan.warnings


def test_without_a_catalogue_it_is_served_and_not_registered() -> None:
    plan = load_text('{"jobs": [], "telemetry": {"interfaces": "lo"}}')

    (one,) = plan.jobs
    assert (one.name, one.service, one.health) == ("containerpilot", None, ())
    assert served(plan).address == "127.0.0.1"
    assert dict(plan.environ) == {"CONTAINERPILOT_CONTAINERPILOT_IP": "127.0.0.1"}


def test_metrics_answer_to_their_exposed_name_and_to_the_one_of_the_go_program() -> None:
    only_name = {"name": "free_memory", "type": "gauge"}
    plan = load_jobs(telemetry={"metrics": [METRIC, None, only_name]})

    zed, free_memory = served(plan).metrics
    assert zed == Metric(name="org_app_zed", kind="gauge", help="gauge of zeds in org app")
    assert free_memory == Metric(name="free_memory", kind="gauge", help="gauge free_memory", lookups=("__free_memory",))


def test_of_two_metrics_of_one_name_the_later_counts() -> None:
    plan = load_jobs(telemetry={"metrics": [METRIC, {**METRIC, "type": "counter"}]})

    assert [(metric.name, metric.kind) for metric in served(plan).metrics] == [("org_app_zed", "counter")]
    (warning,) = (warning for warning in plan.warnings if "telemetry" in warning)
    assert "telemetry.metrics[1].name: replaces the metric org_app_zed of telemetry.metrics[0]" in warning


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_metric(kind: str) -> None:
    assert served(load_jobs(telemetry={"metrics": [{**METRIC, "type": kind}]})).metrics[0].kind == kind


# -- the services dialect


def test_in_the_services_dialect_it_is_the_last_of_the_services() -> None:
    services = [{"name": "app", "port": 80, "health": "true", "poll": 1, "ttl": 5}]
    plan = load_dict({"services": services, "telemetry": {"port": 9091, "tags": ["a"]}})

    last = job(plan, "containerpilot")
    assert names(plan).index("containerpilot") == names(plan).index("app") + 1
    assert last.service == Service(
        name="containerpilot",
        id="containerpilot-host",
        address="10.0.0.7",
        port=9091,
        ttl=15,
        tags=("a",),
        separate_check=True,
    )
    assert last.health == (Check(label="containerpilot.health", interval=5.0),)
    assert last.always_healthy
    assert (last.pauses_in_maintenance, last.reload) == (True, REPLACE)
    assert dict(plan.environ)["CONTAINERPILOT_CONTAINERPILOT_IP"] == "10.0.0.7"
    assert served(plan).announcement.format(address="x") == "telemetry: Listening on x"
    assert not served(plan).keeps_unchanged


def test_the_keys_that_were_never_documented() -> None:
    plan = load_dict({"telemetry": {"servicename": "me", "url": "/m", "ttl": 20, "poll": 6, "interfaces": "lo"}})

    me = job(plan, "me")
    assert me.service is not None
    assert (me.service.ttl, me.health[0].interval) == (20, 6.0)
    assert (served(plan).path, served(plan).job, served(plan).address) == ("/m", "me", "127.0.0.1")
    assert dict(plan.environ)["CONTAINERPILOT_ME_IP"] == "127.0.0.1"


def test_a_service_with_the_name_of_telemetry_is_registered_beside_it() -> None:
    services = [{"name": "pilot", "port": 80, "poll": 1, "ttl": 5}]

    plan = load_dict({"services": services * 2, "telemetry": {"servicename": "pilot"}})

    assert [one.service.id for one in plan.jobs if one.service] == ["pilot-host", "pilot-host-2", "pilot-host-3"]
    assert served(plan).job == "pilot#3"
    assert "telemetry.servicename: another service is called 'pilot' too: this one is registered as 'pilot-host-3'" in (
        "\n".join(plan.warnings)
    )


def test_of_two_sensors_for_one_metric_the_last_one_is_run() -> None:
    plan = load_dict({"telemetry": {"sensors": [SENSOR, {**SENSOR, "check": "/bin/other"}]}})

    assert [(one.name, one.command) for one in plan.jobs if one.metric] == [("requests.sensor", ("/bin/other",))]
    assert [metric.name for metric in served(plan).metrics] == ["requests"]
    (warning,) = plan.warnings
    assert "telemetry.sensors[1].name: replaces the sensor telemetry.sensors[0] (app.json:1:" in warning


def test_a_sensor_is_a_periodic_job_whose_output_feeds_a_metric() -> None:
    sensor = {**SENSOR, "namespace": "telemetry", "subsystem": "sensors", "timeout": "2s"}
    plan = load_dict({"telemetry": {"sensors": [sensor, None]}})

    one = job(plan, "requests.sensor")
    assert one.metric == "telemetry_sensors_requests"
    assert (one.command, one.when.interval, one.when.delay) == (("/bin/measure",), 5.0, 5.0)
    assert (one.timeout, one.timeout_text) == (2.0, "2s")
    assert (one.output, one.failure_level, one.pauses_in_maintenance) == (INHERIT, "error", True)
    assert served(plan).metrics == (
        Metric(name="telemetry_sensors_requests", kind="counter", help="h", rounds_up=False),
    )


@pytest.mark.parametrize("poll", [{}, {"poll": 0}])
def test_a_sensor_without_an_interval_has_a_usual_one_and_a_warning(poll: dict[str, Any]) -> None:
    sensor = {key: value for key, value in SENSOR.items() if key != "poll"}
    plan = load_dict({"telemetry": {"sensors": [{**sensor, **poll}]}})

    assert job(plan, "requests.sensor").when.interval == 10.0
    what = "0" if poll else "not set"
    assert any(f"sensors[0].poll: `poll` is {what}, so 10 seconds are used" in warning for warning in plan.warnings)


def test_sensors_of_one_name_in_different_namespaces_are_two_jobs() -> None:
    sensors = [{**SENSOR, "namespace": namespace} for namespace in ("a", "b")]
    plan = load_dict({"telemetry": {"sensors": sensors}})

    assert [one.metric for one in plan.jobs if one.metric] == ["a_requests", "b_requests"]
    assert {"requests.sensor", "requests.sensor#2"} <= set(names(plan))


def test_a_services_configuration_with_telemetry_needs_no_catalogue() -> None:
    plan = load_text('{"tasks": [], "telemetry": {"interfaces": "lo"}}', "app")

    assert job(plan, "containerpilot").service is None
    assert served(plan).port == 9090
