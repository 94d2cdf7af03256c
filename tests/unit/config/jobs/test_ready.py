"""The jobs dialect: `ready` and `watchdog`, and what the plan knows about readiness."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Job, Ready
from tests.unit.config.loading import errors_of_jobs, job, load_dict, load_job, load_jobs, warnings_of_jobs

APP = {"name": "app", "exec": "app"}
ONE_OF = "`notify`, `log`, `fd`, `health` and `file`"
CHECK = {"tcp": ":5432", "interval": 5}


def ready(**keys: Any) -> Ready | None:
    return load_job(**APP, restarts=1, health=CHECK, ready=keys).ready


def error(keys: Any, **others: Any) -> str:
    """The one error about a job with this `ready`, without its place."""
    (line,) = errors_of_jobs({**APP, **others, "ready": keys}).splitlines()
    return line.partition(": ")[2]


# -- ready


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ({"notify": True}, Ready(kind="notify")),
        ({"notify": "true", "health": False}, Ready(kind="notify")),
        ({"log": "listening on"}, Ready(kind="log", text="listening on")),
        ({"log": "a\tb ü"}, Ready(kind="log", text="a\tb ü")),
        ({"fd": 3}, Ready(kind="fd", fd=3)),
        ({"fd": "1023"}, Ready(kind="fd", fd=1023)),
        ({"health": True}, Ready(kind="health")),
        ({"file": "/run/app.ready"}, Ready(kind="file", path="/run/app.ready")),
        ({"notify": True, "timeout": "1m"}, Ready(kind="notify", timeout=60.0, timeout_text="1m")),
        (
            {"notify": True, "timeout": 5, "onTimeout": "restart"},
            Ready(kind="notify", timeout=5.0, timeout_text="5", on_timeout="restart"),
        ),
        (
            {"fd": 4, "timeout": "1s", "onTimeout": "stop"},
            Ready(kind="fd", fd=4, timeout=1.0, timeout_text="1s", on_timeout="stop"),
        ),
        ({"notify": True, "onTimeout": "none"}, Ready(kind="notify")),
    ],
)
def test_how_a_process_reports_that_it_is_ready(keys: dict[str, Any], read: Ready) -> None:
    assert ready(**keys) == read


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({}, f': needs one of {ONE_OF}, such as {{"notify": true}}'),
        ({"notify": False}, f': needs one of {ONE_OF}, such as {{"notify": true}}'),
        ({"timeout": "5s"}, f': needs one of {ONE_OF}, such as {{"notify": true}}'),
        ({"fd": 3, "notify": True}, f".notify: a job has only one of {ONE_OF}, and `fd` is set already"),
        ({"log": "x", "file": "/x"}, f".file: a job has only one of {ONE_OF}, and `log` is set already"),
        ({"log": ""}, ".log: must not be blank: name a part of the line that the process prints when it is ready"),
        ({"log": "a\nb"}, ".log: must be a part of one line, without control characters, not 'a\\nb'"),
        ({"fd": 2}, ".fd: must be from 3 to 1023, not 2: 0 to 2 are the standard streams"),
        ({"fd": -1}, ".fd: must be from 3 to 1023, not -1"),
        ({"fd": 1024}, ".fd: must be from 3 to 1023, not 1024"),
        ({"fd": "three"}, '.fd: must be a whole number, not "three"'),
        ({"file": "run/x"}, '.file: must be an absolute path, such as "/run/app.ready", not "run/x"'),
        ({"file": ""}, '.file: must be an absolute path, such as "/run/app.ready", not ""'),
        ({"health": True}, ".health: there is no `health`: it needs a check by `exec`, `http`, `tcp` or `unix`"),
        ({"notify": True, "timeout": "0s"}, ".timeout: job[app].ready.timeout '0s' cannot be less than 1ms"),
        ({"notify": True, "timeout": True}, '.timeout: must be a duration, such as "30s", not true'),
        ({"notify": True, "timeout": "x"}, ".timeout: unable to parse job[app].ready.timeout 'x': time: invalid"),
        ({"notify": True, "onTimeout": "stop"}, '.onTimeout: needs a `timeout`, such as "timeout": "60s"'),
        (
            {"notify": True, "timeout": 1, "onTimeout": "stopp"},
            ".onTimeout: must be one of none, restart, stop, not \"stopp\" (did you mean 'stop'?)",
        ),
        (
            {"notify": True, "timeout": 1, "onTimeout": "restart"},
            '.onTimeout: "restart" needs `restarts` of the job, which are not set: set them, such as',
        ),
        ({"notify": True, "on_timeout": 1}, ".on_timeout: unknown key (did you mean 'onTimeout'?): '[0].ready' has"),
        ("notify", ": must be an object {…}, not a string: '[0].ready' expected a map, got 'string'"),
    ],
)
def test_a_report_that_is_refused(keys: Any, text: str) -> None:
    assert error(keys).startswith(f"jobs[0].ready{text}")


def test_heartbeats_are_not_a_check_that_could_pass() -> None:
    text = "jobs[0].ready.health: `health` has only heartbeats: it needs a check by `exec`, `http`, `tcp` or `unix`"
    assert error({"health": True}, health={"interval": 5}) == text


def test_raw_output_has_no_lines_that_containerpilot_reads() -> None:
    text = "jobs[0].ready.log: does not go with `logging.raw`: ContainerPilot does not read raw output"
    assert error({"log": "x"}, logging={"raw": True}) == text


def test_a_job_without_a_process_cannot_report() -> None:
    errors = errors_of_jobs({"name": "app", "health": CHECK, "ready": {"notify": True}, "watchdog": "1s"})
    assert "jobs[0].ready: needs an `exec`: without it there is no process that could become ready" in errors
    assert "jobs[0].watchdog: needs an `exec`: without it there is no process that could report" in errors


# -- watchdog


def test_a_watchdog() -> None:
    one = load_job(**APP, watchdog="1m30s")
    assert (one.watchdog, one.watchdog_text) == (90.0, "1m30s")
    assert (load_job(**APP).watchdog, load_job(**APP).watchdog_text) == (None, "")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("999us", "job[app].watchdog '999us' cannot be less than 1ms"),
        (True, 'must be a duration, such as "30s", not true'),
        (-5, "job[app].watchdog '-5' cannot be less than 1ms"),
        ("soon", "unable to parse job[app].watchdog 'soon': time: invalid duration soon"),
    ],
)
def test_a_watchdog_that_is_refused(written: Any, text: str) -> None:
    assert f"jobs[0].watchdog: {text}" in errors_of_jobs({**APP, "watchdog": written})


# -- the event


@pytest.mark.parametrize("how", ["once", "each"])
def test_a_job_may_wait_for_ready(how: str) -> None:
    app, other, after = load_jobs(
        APP, {"name": "other", "exec": "x"}, {"name": "after", "exec": "y", "when": {"source": "app", how: "ready"}}
    ).jobs
    assert (after.when.code, after.when.source, after.when.each) == ("ready", "app", how == "each")
    assert [one.announces_ready for one in (app, other, after)] == [True, False, False]


def test_a_job_with_ready_announces_it_even_if_no_job_waits_for_it() -> None:
    assert load_job(**APP, ready={"notify": True}).announces_ready


def test_all_jobs_of_a_name_announce_it() -> None:
    after = {"name": "after", "exec": "y", "when": {"source": "app", "once": "ready"}}
    assert [one.announces_ready for one in load_jobs(APP, APP, after).jobs] == [True, True, False]


@pytest.mark.parametrize("other", [{"exec": "x"}, {"health": CHECK}, {"health": {"interval": 5, "ttl": 9}, "port": 80}])
def test_any_job_becomes_ready(other: dict[str, Any]) -> None:
    after = {"name": "after", "exec": "y", "when": {"source": "other", "once": "ready"}}
    assert "never sends" not in warnings_of_jobs({"name": "other", **other}, after)


def test_a_watch_is_never_ready() -> None:
    after = {"name": "after", "exec": "y", "when": {"source": "watch.db", "once": "ready"}}
    text = "'watch.db' never sends `ready`: it sends only changed, healthy, unhealthy"
    assert text in warnings_of_jobs(after, watches=[{"name": "db", "interval": 5}])


def test_a_circle_of_jobs_that_wait_for_ready_is_reported() -> None:
    first = {"name": "first", "exec": "x", "when": {"source": "second", "once": "ready"}}
    second = {"name": "second", "exec": "x", "when": {"source": "first", "once": "healthy"}, "health": CHECK}
    text = "jobs[0].when.source: the job never starts: it waits for 'second', which waits for 'first'"
    assert text in warnings_of_jobs(first, {**second, "when": {"source": "first", "once": "ready"}})
    alone = {"name": "alone", "exec": "x", "when": {"source": "alone", "once": "ready"}}
    assert "the job never starts: it waits for an event of its own, 'alone'" in warnings_of_jobs(alone)


# -- the readiness of ContainerPilot


@pytest.mark.parametrize(
    ("keys", "counted"),
    [
        ({"exec": "x"}, False),
        ({"exec": "x", "main": True}, True),
        ({"exec": "x", "ready": {"notify": True}}, True),
        ({"health": CHECK}, True),
        ({"health": {"exec": "true", "interval": 5}}, True),
        ({"health": {"interval": 5, "ttl": 9}, "port": 80}, False),  # heartbeats check nothing
        ({"health": CHECK, "when": {"source": "other", "once": "healthy"}}, True),
        ({"health": CHECK, "when": {"source": "other", "each": "healthy"}}, False),
        ({"health": CHECK, "when": {"source": "SIGHUP"}}, False),
        ({"exec": "x", "health": CHECK, "when": {"interval": "1s"}}, False),
        ({"exec": "x", "health": CHECK, "when": {"source": "other", "once": "stopping"}}, False),
        ({"exec": "x", "health": CHECK, "when": {"source": "other", "once": "stopped"}}, False),
        ({"exec": "x", "health": CHECK, "when": {"once": "shutdown"}}, False),
        ({"exec": "x", "health": CHECK, "when": {"once": "enterMaintenance"}}, False),
        ({"exec": "x", "health": CHECK, "when": {"once": "exitMaintenance"}}, False),
        ({"name": "containerpilot", "health": CHECK}, False),  # it is always healthy
    ],
)
def test_which_jobs_containerpilot_waits_for_to_be_ready(keys: dict[str, Any], counted: bool) -> None:
    other = {"name": "other", "exec": "y", "health": {"exec": "true", "interval": 5}}
    plan = load_jobs({"name": "app", **keys}, other)
    assert plan.jobs[0].counted is counted


def test_in_the_services_dialect_the_application_and_checked_services_count() -> None:
    web = {"name": "web", "port": 80, "poll": 1, "ttl": 5}
    plan = load_dict(
        {
            "services": [{**web, "health": "true"}, {**web, "name": "beat"}],
            "preStart": "x",
            "preStop": "y",
            "tasks": [{"name": "t", "command": "x", "frequency": "1s"}],
            "coprocesses": [{"command": "c"}],
        }
    )
    assert [one.name for one in plan.jobs if one.counted] == ["web", "APP"]
    assert not any(one.announces_ready for one in plan.jobs)


# -- the variables of our own supervisor


@pytest.mark.parametrize(
    ("keys", "keeps"),
    [
        ({"main": True}, True),
        ({"main": True, "health": CHECK}, True),
        ({}, False),
        ({"main": True, "ready": {"log": "x"}}, False),
        ({"main": True, "watchdog": "5s"}, False),  # it gets the socket of its watchdog
    ],
)
def test_the_main_job_notifies_our_supervisor_unless_it_notifies_us(keys: dict[str, Any], keeps: bool) -> None:
    assert load_job(**APP, **keys).keeps_notify_socket is keeps


def test_the_variables_of_our_supervisor_are_kept_from_the_jobs_of_one_dialect() -> None:
    names = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
    assert load_jobs(APP).withheld == names
    services = load_dict({})
    assert services.withheld == ()
    app: Job = job(services, "APP")
    assert not app.keeps_notify_socket
