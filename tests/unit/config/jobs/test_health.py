"""The jobs dialect: `health`, one object or several, thresholds, the start period and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import INHERIT, Check, HttpProbe, SocketProbe
from tests.unit.config.loading import errors_of_jobs, load_job, load_jobs, refused, warnings_of_jobs

TCP = {"tcp": ":5432", "interval": 5}
HTTP = {"http": ":8000/health", "interval": 5}
APP = {"name": "app", "exec": "app", "restarts": "unlimited"}


def check(**keys: Any) -> Check:
    """The check of a job with a process, which may restart."""
    (one,) = load_job(**APP, health={**TCP, **keys}).health
    return one


def error(health: Any, **keys: Any) -> str:
    """The one error about the health of a job, without its place."""
    (line,) = errors_of_jobs({**APP, **keys, "health": health}).splitlines()
    return line.partition(": ")[2]


# -- one check


def test_a_check_without_a_process_has_no_events_of_exits() -> None:
    assert check() == Check(
        label="check.app",
        interval=5.0,
        probe=SocketProbe(port=5432),
        timeout=5.0,
        timeout_text="5s",
        log_fields=(("check", "check.app"),),
        log_pid=True,
        logs_failures=True,
    )
    assert not check().is_heartbeat


def test_all_keys_of_a_check() -> None:
    one = check(
        timeout="2s", startPeriod="30s", startInterval="500ms", failures=4, passes=2, onUnhealthy="restart", ttl=20
    )
    assert (one.timeout, one.timeout_text) == (2.0, "2s")
    assert (one.start_period, one.start_interval) == (30.0, 0.5)
    assert (one.failures, one.critical_after, one.passes, one.on_unhealthy) == (4, 4, 2, "restart")


@pytest.mark.parametrize(
    ("keys", "failures", "critical_after"),
    [
        ({}, 1, 0),
        ({"failures": 0}, 1, 0),
        ({"failures": 5}, 5, 5),
        ({"onUnhealthy": "none"}, 1, 0),
        ({"onUnhealthy": "stop"}, 3, 0),
        ({"onUnhealthy": "restart"}, 3, 0),
        ({"onUnhealthy": "stop", "failures": 1}, 1, 1),
        ({"onUnhealthy": "none", "failures": 0}, 1, 0),
    ],
)
def test_how_many_failures_make_a_job_unhealthy_and_its_service_critical(
    keys: dict[str, Any], failures: int, critical_after: int
) -> None:
    one = check(**keys)
    assert (one.failures, one.critical_after) == (failures, critical_after)


def test_the_keys_are_those_of_any_case() -> None:
    one = load_job(**APP, HEALTH={"TCP": ":1", "Interval": 5, "startperiod": "1s"}).health[0]
    assert (one.probe, one.start_period) == (SocketProbe(port=1), 1.0)


def test_a_job_without_a_port_needs_no_ttl() -> None:
    assert load_job(exec="app", health=HTTP).health
    text = 'jobs[0].health.ttl: job[app].health.ttl must be > 0: add it, such as "ttl": 25'
    assert error(HTTP, port=80) == text
    assert error({**HTTP, "ttl": 0}) == "jobs[0].health.ttl: job[app].health.ttl must be > 0: it is 0"


@pytest.mark.parametrize(
    ("health", "text"),
    [
        (
            {**TCP, "http": ":80/"},
            ".http: a check has only one of `exec`, `http`, `tcp` and `unix`, and `tcp` is set already",
        ),
        (
            {"exec": "x", **TCP},
            ".tcp: a check has only one of `exec`, `http`, `tcp` and `unix`, and `exec` is set already",
        ),
        ({"tpc": ":1", "interval": 5}, ".tpc: unknown key (did you mean 'tcp'?): '[0].health' has invalid keys: tpc"),
        ({"htpp": ":1", "interval": 5}, ".htpp: unknown key (did you mean 'http'?): '[0].health' has inv"),
        ({**TCP, "start_period": 3}, ".start_period: unknown key (did you mean 'startPeriod'?): '[0].health' has inv"),
        ({**TCP, "on_unhealthy": "x"}, ".on_unhealthy: unknown key (did you mean 'onUnhealthy'?): '[0].health' has"),
        ({**TCP, "startPeriod": True}, '.startPeriod: must be a duration, such as "30s", not true'),
        ({**TCP, "startPeriod": -1}, ".startPeriod: job[app].health.startPeriod '-1' must not be negative"),
        (
            {**TCP, "startPeriod": "soon"},
            ".startPeriod: unable to parse job[app].health.startPeriod 'soon': time: invalid duration soon",
        ),
        (
            {**TCP, "startPeriod": 1, "startInterval": "0s"},
            ".startInterval: job[app].health.startInterval '0s' cannot be less than 1ms",
        ),
        ({**TCP, "passes": 0}, ".passes: job[app].health.passes must be >= 1, but is 0"),
        ({**TCP, "passes": "two"}, '.passes: must be a whole number, not "two"'),
        ({**TCP, "failures": -1}, ".failures: job[app].health.failures must be >= 0, but is -1"),
        (
            {**TCP, "failures": 0, "onUnhealthy": "stop"},
            ".failures: job[app].health.failures must be >= 1 beside `onUnhealthy`, but is 0",
        ),
        (
            {**TCP, "logging": {"raw": True}},
            ".logging.raw: needs `exec`: a check by `tcp` has no process with an output",
        ),
        ({**TCP, "name": " "}, '.name: must be a text of one line that is not blank, not " "'),
        ({**TCP, "name": "a\nb"}, ".name: must be a text of one line that is not blank, not 'a\\nb'"),
        (
            {**TCP, "onUnhealthy": "restrat"},
            ".onUnhealthy: must be one of none, restart, stop, not \"restrat\" (did you mean 'restart'?)",
        ),
    ],
)
def test_a_check_that_is_refused(health: dict[str, Any], text: str) -> None:
    assert error(health).startswith(f"jobs[0].health{text}")


def test_the_place_of_an_error_is_that_of_its_value() -> None:
    text = '{consul: "c:1", jobs: [{name: "app", exec: "x",\n health: {tcp: ":1", interval: 5,\n  passes: 0}}]}'
    (line,) = refused(text).errors
    assert line == "app.json:3:11: jobs[0].health.passes: job[app].health.passes must be >= 1, but is 0"


def test_raw_output_of_a_command_and_of_a_heartbeat() -> None:
    raw = {"interval": 5, "ttl": 9, "logging": {"raw": True}}
    assert load_job(exec="x", health={**raw, "exec": "y"}).health[0].output == INHERIT
    assert load_job(exec="x", health=raw).health[0].is_heartbeat


@pytest.mark.parametrize("key", ["startPeriod", "startInterval", "passes", "onUnhealthy"])
def test_a_heartbeat_always_passes(key: str) -> None:
    value = "stop" if key == "onUnhealthy" else 2
    warnings = warnings_of_jobs({**APP, "health": {"interval": 5, "startPeriod": 2, key: value}})
    text = f"jobs[0].health.{key}: has no effect without one of `exec`, `http`, `tcp` and `unix`: a heartbeat always"
    assert text in warnings


def test_an_interval_for_starts_without_their_period_is_reported() -> None:
    assert check(startInterval="1s").start_interval == 0.0
    text = "jobs[0].health.startInterval: has no effect without `startPeriod`"
    assert text in warnings_of_jobs({**APP, "health": {**TCP, "startInterval": "1s"}})


# -- consequences


@pytest.mark.parametrize(
    ("job", "action", "text"),
    [
        ({}, "stop", '"stop" needs an `exec` of the job: without it there is no process to terminate'),
        ({}, "restart", '"restart" needs an `exec` of the job: without it there is no process to terminate'),
        (
            {"exec": "x"},
            "restart",
            '"restart" needs `restarts` of the job, which are not set: set them, such as "restarts": "unlimited", or '
            'use "stop"',
        ),
        (
            {"exec": "x", "restarts": "never"},
            "restart",
            '"restart" needs `restarts` of the job, which are "never": ',
        ),
        ({"exec": "x", "restarts": 0}, "restart", '"restart" needs `restarts` of the job, which are 0: set them, such'),
    ],
)
def test_a_consequence_that_is_not_possible(job: dict[str, Any], action: str, text: str) -> None:
    errors = errors_of_jobs({"name": "app", **job, "health": {**TCP, "onUnhealthy": action}})
    assert f"jobs[0].health.onUnhealthy: {text}" in errors
    assert errors.count("\n") == 0


@pytest.mark.parametrize(
    "job",
    [
        {"restarts": 1},
        {"restarts": "unlimited", "main": True},
        {"when": {"interval": "9s"}},  # its default is unlimited
        {"when": {"source": "SIGHUP"}, "restarts": "unlimited"},
        {"when": {"source": "other", "each": "exitSuccess"}, "restarts": 2},
    ],
)
def test_a_run_may_be_restarted_wherever_the_job_has_restarts(job: dict[str, Any]) -> None:
    health = {**TCP, "onUnhealthy": "restart"}
    first = load_jobs({"name": "app", "exec": "x", **job, "health": health}, {"name": "other", "exec": "y"}).jobs[0]
    assert first.health[0].on_unhealthy == "restart"


def test_restarts_that_are_wrong_are_the_only_error() -> None:
    errors = errors_of_jobs({**APP, "restarts": "many", "health": {**TCP, "onUnhealthy": "restart"}})
    assert errors.count("\n") == 0
    assert "jobs[0].restarts: job[app].restarts field 'many' invalid" in errors


# -- several checks


def test_several_checks_have_labels_of_their_own_and_one_source() -> None:
    health = [
        {"name": "web", "http": "http://web/", "interval": 5, "ttl": 15},
        {"name": "disk", "exec": ["df", "/"], "interval": 60},
    ]
    web, disk = load_job(exec="app", port=80, health=health).health
    assert (web.name, web.label, web.source, web.log_fields) == (
        "web",
        "check.app.web",
        "",
        (("check", "check.app.web"),),
    )
    assert (disk.name, disk.label, disk.source) == ("disk", "check.app.disk", "check.app")
    assert isinstance(web.probe, HttpProbe)
    assert disk.command == ("df", "/")
    assert load_job(exec="app", port=80, health=health).service.ttl == 15  # type: ignore[union-attr]


def test_one_object_may_have_a_name_too() -> None:
    assert check(name="port").label == "check.app.port"


@pytest.mark.parametrize("empty", [[None], None])
def test_no_check_at_all_is_no_health(empty: Any) -> None:
    """Templates produce nulls."""
    assert load_job(exec="app", health=empty).health == ()


@pytest.mark.parametrize(
    ("second", "text"),
    [
        ({"name": "db", **TCP}, '[1].name: "db" is the name of jobs[0].health[0] too: each check has its own'),
        (TCP, '[1].name: is missing: each check of an array has a name, such as "name": "database"'),
        ({"name": "", **TCP}, '[1].name: must be a text of one line that is not blank, not ""'),
        (
            {"name": "b", "interval": 5},
            "[1]: needs one of `exec`, `http`, `tcp` and `unix`: heartbeats are for a job whose `health` is one object",
        ),
        ({"name": "b", **TCP, "ttl": 9}, "[1].ttl: belongs to the first check: move it to jobs[0].health[0]"),
        ({"name": "b", "tcp": ":1"}, "[1].interval: job[app].health[1].interval must be > 0: add it, such as "),
        (
            {"name": "b", **TCP, "intervall": 1},
            "[1].intervall: unknown key (did you mean 'interval'?): '[0].heal",
        ),
        ("tcp", "[1]: must be an object {…}, not a string: '[0].health[1]' expected a map, got 'string'"),
    ],
)
def test_several_checks_that_are_refused(second: Any, text: str) -> None:
    assert error([{"name": "db", **HTTP}, second]).startswith(f"jobs[0].health{text}")


def test_the_entry_must_outlive_the_shortest_interval() -> None:
    """Any of the checks confirms the entry, if all others passed last."""
    health = [{"name": "a", **TCP, "interval": 60, "ttl": 30}, {"name": "b", **TCP, "interval": 10}]
    assert warnings_of_jobs({**APP, "port": 80, "health": health}) == ""
    health[0]["ttl"] = 10
    text = "jobs[0].health[0].ttl: a `ttl` of 10 s is not more than the `interval` of 10 s: 'app' lapses between two"
    assert text in warnings_of_jobs({**APP, "port": 80, "health": health})


def test_output_of_one_of_several_checks_that_is_not_masked_is_named() -> None:
    raw = {"name": "disk", "exec": "df", "interval": 5, "logging": {"raw": True}}
    job = {**APP, "health": [{"name": "web", **HTTP}, raw]}
    warnings = warnings_of_jobs(job, logging={"mask": ["PASSWORD"]})
    assert "`mask` has no effect on the output of check.app.disk: it goes directly" in warnings


def test_jobs_of_one_name_may_have_checks_of_one_name() -> None:
    health = [{"name": "web", **HTTP}]
    first, second = load_jobs({**APP, "health": health}, {**APP, "health": health}).jobs
    assert (first.name, second.name) == ("app", "app#2")
    assert first.health == second.health


def test_an_equal_configuration_is_an_equal_plan() -> None:
    """A reload compares them."""
    http = {"url": ":80", "headers": {"A": "b"}, "body": "x", "status": [200, "3xx"]}
    health = [{"name": "web", "http": http, "interval": 5}]
    assert load_job(**APP, health=health) == load_job(**APP, health=health)
    changed = [{**health[0], "http": ":81"}]
    assert load_job(**APP, health=health) != load_job(**APP, health=changed)
