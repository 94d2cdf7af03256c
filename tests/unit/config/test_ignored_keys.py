"""Keys that the Go program accepted and never used: a warning names the key to use, and nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Plan
from tests.unit.config.loading import errors, errors_of_jobs, load_dict, load_jobs

HEALTH = {"interval": 10, "ttl": 25}
WEB = {"name": "web", "port": 80, "health": HEALTH}


def with_a_key(holder: str, key: str, value: Any) -> Plan:
    """A configuration of the jobs dialect that has this key in a job, a watch, the telemetry or a metric of it."""
    extra = {key: value}
    metric = {"name": "m", "type": "gauge", **(extra if holder == "metric" else {})}
    return load_jobs(
        {**WEB, "exec": "app", **(extra if holder == "job" else {})},
        watches=[{"name": "db", "interval": 5, **(extra if holder == "watch" else {})}],
        telemetry={"metrics": [metric], **(extra if holder == "telemetry" else {})},
    )


@pytest.mark.parametrize(
    ("holder", "key", "holder_path", "advice"),
    [
        ("job", "restartLimit", "jobs[0]", "`restarts`"),
        ("job", "execTimeout", "jobs[0]", "`timeout`"),
        ("job", "freqInterval", "jobs[0]", "`when.interval`"),
        ("job", "whenEvent", "jobs[0]", "`when.once` or `when.each`"),
        ("job", "whenTimeout", "jobs[0]", "`when.timeout`"),
        ("job", "ttl", "jobs[0]", "`health.ttl`"),
        ("job", "TTL", "jobs[0]", "`health.ttl`"),
        ("job", "heartbeatInterval", "jobs[0]", "`health.interval`"),
        ("job", "stoppingTimeout", "jobs[0]", "`stopTimeout`"),
        ("watch", "serviceName", "watches[0]", "`name`"),
        ("telemetry", "addr", "telemetry", "`interfaces` and `port`"),
        ("metric", "fullName", "telemetry.metrics[0]", "`namespace`, `subsystem` and `name`"),
    ],
)
@pytest.mark.parametrize("value", [5, "5s", {"code": 1}, [True]])
def test_a_field_of_the_go_program_is_a_warning(
    holder: str, key: str, holder_path: str, advice: str, value: Any
) -> None:
    (warning,) = with_a_key(holder, key, value).warnings

    text = f"has no effect, and had none in ContainerPilot 3, which did not report it: use {advice}"
    assert warning.startswith("app.json:1:")
    assert warning.endswith(f": {holder_path}.{key}: {text}")


def test_it_changes_nothing() -> None:
    assert load_jobs({**WEB, "ttl": 3, "restartLimit": 7}).jobs == load_jobs(WEB).jobs


@pytest.mark.parametrize("key", ["restartLimits", "_ttl", "exce", "whenever"])
def test_values_that_the_go_program_refused_are_refused(key: str) -> None:
    assert f"jobs[0].{key}: unknown key" in errors_of_jobs({**WEB, key: 1})


def test_a_field_of_a_job_is_not_one_of_its_health_check() -> None:
    assert "unknown key" in errors_of_jobs({**WEB, "health": {**HEALTH, "restartLimit": 1}})


SERVICE = {"name": "web", "port": 80, "poll": 5, "ttl": 20}


@pytest.mark.parametrize(
    ("key", "element", "path", "advice"),
    [
        ("services", {**SERVICE, "id": "my-id"}, "services[0].id", "`name`"),
        ("services", {**SERVICE, "ipaddress": "10.0.0.1"}, "services[0].ipaddress", "`interfaces`"),
        ("backends", {"name": "db", "poll": 5, "onChange": "x", "lastState": 1}, "backends[0].lastState", "nothing"),
        ("coprocesses", {"command": "x", "restart": True}, "coprocesses[0].restart", "`restarts`"),
    ],
)
def test_the_services_dialect_has_such_keys_too(key: str, element: dict[str, Any], path: str, advice: str) -> None:
    (warning,) = load_dict({key: [element]}).warnings

    assert f"{path}: has no effect, and had none in ContainerPilot 2, which did not report it: use {advice}" in warning


def test_a_key_of_one_dialect_is_not_one_of_the_other() -> None:
    assert "services[0].restartLimit: unknown key" in errors({"services": [{**SERVICE, "restartLimit": 1}]})
    assert "jobs[0].ipAddress: unknown key" in errors_of_jobs({**WEB, "ipAddress": "10.0.0.1"})
