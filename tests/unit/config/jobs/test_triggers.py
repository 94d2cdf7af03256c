"""The jobs dialect: what starts a job, and what can never start it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.config.errors import ConfigError
from cp.plan import When
from tests.unit.config.loading import errors_of_jobs, load_job, load_jobs, load_text, warnings_of_jobs

if TYPE_CHECKING:
    from cp.plan import EventCode

AT_STARTUP = When(code="startup", source="global")
DB = {"name": "db", "exec": "x", "health": {"exec": "y", "interval": 5, "ttl": 10}, "when": {"timeout": "1s"}}
SOURCES: list[dict[str, Any]] = [
    {"name": "db", "exec": "x", "health": {"exec": "y", "interval": 5, "ttl": 10}},
    {"name": "late", "exec": "x", "when": {"source": "db", "once": "healthy", "timeout": "1m"}},
    {"name": "idle", "health": {"interval": 5, "ttl": 10}},
]
WATCHES = [{"name": "mq", "interval": 5}]


def waiting(**when: Any) -> dict[str, Any]:
    return {"name": "app", "exec": "x", "when": when}


def trigger(**when: Any) -> When:
    """The trigger of a job, among others, without a warning about it."""
    plan = load_jobs(*SOURCES, waiting(**when), watches=WATCHES)
    assert plan.warnings == ()
    return plan.jobs[-1].when


def warnings(**when: Any) -> str:
    return warnings_of_jobs(*SOURCES, waiting(**when), watches=WATCHES)


def errors(**when: Any) -> str:
    return errors_of_jobs(*SOURCES, waiting(**when), watches=WATCHES)


# -- events


@pytest.mark.parametrize(
    ("event", "source"),
    [
        ("exitSuccess", "db"),
        ("exitFailed", "db"),
        ("stopping", "db"),
        ("stopped", "idle"),
        ("healthy", "db"),
        ("unhealthy", "db"),
        ("timerExpired", "late"),
        ("exitSuccess", "check.db"),
        ("exitFailed", "check.db"),
        ("changed", "watch.mq"),
        ("healthy", "watch.mq"),
        ("unhealthy", "watch.mq"),
        ("startup", "global"),
        ("shutdown", "global"),
        ("enterMaintenance", "global"),
        ("exitMaintenance", "global"),
        ("error", "db: exit status 1"),
    ],
)
def test_a_job_waits_for_an_event_once_or_each_time(event: EventCode, source: str) -> None:
    assert trigger(once=event, source=source) == When(code=event, source=source)
    assert trigger(each=event, source=source) == When(code=event, source=source, each=True)


@pytest.mark.parametrize("event", ["startup", "shutdown", "enterMaintenance", "exitMaintenance"])
def test_global_events_need_no_source(event: EventCode) -> None:
    assert trigger(once=event) == When(code=event, source="global")


@pytest.mark.parametrize(
    "when",
    [
        {"source": "SIGHUP"},
        {"source": "SIGHUP", "once": "SIGHUP"},
        {"source": "SIGHUP", "each": "anything"},
        {"each": "SIGHUP"},
    ],
)
def test_a_signal_starts_its_job_each_time(when: dict[str, str]) -> None:
    assert trigger(**when) == When(code="signal", source="SIGHUP", each=True)


def test_the_other_signal() -> None:
    assert trigger(source="SIGUSR2", timeout="5s") == When(code="signal", source="SIGUSR2", each=True, timeout=5.0)


def test_unlimited_restarts_go_with_a_signal() -> None:
    assert load_job(exec="x", restarts="unlimited", when={"source": "SIGHUP"}).restarts is None


def test_only_two_signals_are_events() -> None:
    assert "there is no source 'SIGTERM'" in errors(source="SIGTERM", once="startup")


@pytest.mark.parametrize(("written", "seconds"), [("60s", 60.0), (5, 5.0), ("0", None), ("-1s", None), ("", None)])
def test_a_job_waits_no_longer_than_its_timeout(written: Any, seconds: float | None) -> None:
    assert trigger(source="db", once="healthy", timeout=written).timeout == seconds


def test_a_hook_waits_as_long_as_it_takes() -> None:
    when = {"source": "db", "once": "stopping", "timeout": "5s"}

    assert "when.timeout: has no effect: a job on `stopping` waits until a stop" in warnings(**when)
    assert load_jobs(*SOURCES, waiting(**when)).jobs[-1].when.timeout is None


@pytest.mark.parametrize("when", [None, {}, [], {"source": "db"}, {"timeout": "5s"}, {"source": "nobody", "once": ""}])
def test_without_an_event_a_job_starts_at_once(when: Any) -> None:
    plan = load_jobs(*SOURCES, {"name": "app", "exec": "x", "when": when})

    assert plan.jobs[-1].when == AT_STARTUP
    message = "jobs[3].when: has none of 'interval', 'once' and 'each', so the job is started at once"
    assert [message in warning for warning in plan.warnings] == ([] if when is None else [True])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "db",
            "'db' sends exitSuccess, exitFailed, stopping, stopped, healthy, unhealthy, ready: name one",
        ),
        ("watch.mq", "'watch.mq' sends changed, healthy, unhealthy: name one in `once` or `each`"),
        ("global", "'global' sends startup, shutdown, enterMaintenance, exitMaintenance: name one in `once` or `each`"),
        ("bd", "there is no source 'bd' (did you mean 'db'?): a source is "),
        ("nosuch", "there is no source 'nosuch': a source is the name of a job, check.JOB, watch.NAME, global, SIGHUP"),
        ("sighup", "there is no source 'sighup' (did you mean 'SIGHUP'?): a source is "),
        ("SIGUSR1", "there is no source 'SIGUSR1' (did you mean 'SIGUSR2'?): a source is "),
        ("check.idle", "the job 'idle' has no `health.exec`, so there are no events of 'check.idle'"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"timeout": "5s"}, {"once": ""}])
def test_a_source_without_an_event_is_named_with_the_missing_key(
    source: str, message: str, more: dict[str, str]
) -> None:
    plan = load_jobs(*SOURCES, waiting(source=source, **more), watches=WATCHES)

    (warning,) = [each for each in plan.warnings if ".when: " in each]
    assert f"so the job is started at once, as without `when`: {message}" in warning
    assert plan.jobs[-1].when == AT_STARTUP


# -- intervals


@pytest.mark.parametrize(
    ("written", "seconds"), [("1s", 1.0), ("250ms", 0.25), (1, 1.0), ("5", 5.0), ("1ms", 0.001), ("1h30m", 5400.0)]
)
def test_a_periodic_job(written: Any, seconds: float) -> None:
    one = load_job(exec="x", when={"interval": written})

    assert one.when == When(code="startup", source="global", interval=seconds)
    assert one.restarts is None
    assert (one.timeout, one.timeout_text) == (seconds, str(written))


def test_a_periodic_job_with_limits_of_its_own() -> None:
    one = load_job(exec="x", when={"interval": "500ms"}, timeout="2s", restarts=5)

    assert (one.timeout, one.timeout_text, one.restarts) == (2.0, "2s", 5)


def test_source_and_timeout_mean_nothing_to_a_periodic_job() -> None:
    message = warnings(interval="1s", source="nobody", timeout="xx")

    assert "when.source: has no effect beside `interval`" in message
    assert "when.timeout: has no effect beside `interval`" in message


# -- what is wrong


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({"interval": "-1s"}, "job[app].when.interval '-1s' cannot be less than 1ms"),
        ({"interval": "1ns"}, "job[app].when.interval '1ns' cannot be less than 1ms"),
        ({"interval": 0}, "job[app].when.interval '0' cannot be less than 1ms"),
        ({"interval": "xx"}, "unable to parse job[app].when.interval 'xx': time: invalid duration xx"),
        ({"interval": 0.5}, "unable to parse job[app].when.interval '0.5': time: missing unit in duration 0.5"),
        (
            {"interval": "1s", "once": "startup"},
            "jobs[3].when: job[app].when can have only one of 'interval', 'once', or 'each'",
        ),
        ({"once": "startup", "each": "startup"}, "can have only one of 'interval', 'once', or 'each'"),
        (
            {"source": "db", "once": "bogus"},
            "when.once: unable to parse job[app].when.event: bogus is not a valid event code: choose one of exitSucc",
        ),
        ({"source": "db", "each": "Healthy"}, "Healthy is not a valid event code (did you mean 'healthy'?)"),
        ({"source": "db", "once": "metric"}, "metric is not a valid event code"),
        ({"source": "db", "once": "healthy", "timeout": "x"}, "unable to parse job[app].when.timeout: time: invalid"),
        ({"once": "exitSuccess"}, "when.source: is missing: name the job whose `exitSuccess` this one waits for"),
        ({"once": "changed"}, 'when.source: is missing: name the watch, such as "source": "watch.upstream"'),
        ({"frequency": "1s"}, "'[3].when' has invalid keys: frequency"),
        ("startup", "'[3].when' expected a map, got 'string'"),
    ],
)
def test_a_trigger_that_is_wrong(when: Any, text: str) -> None:
    assert text in errors_of_jobs(*SOURCES, {"name": "app", "exec": "x", "when": when}, watches=WATCHES)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("dbb", "there is no source 'dbb' (did you mean 'db'?): a source is the name of a job, check.JOB, watch.NAME"),
        ("mq", "there is no source 'mq' (did you mean 'watch.mq'?)"),
        ("watch.mqq", "there is no source 'watch.mqq' (did you mean 'watch.mq'?)"),
        ("check.idle", "the job 'idle' has no `health.exec`, so there are no events of 'check.idle'"),
        ("zzzzzz", "there is no source 'zzzzzz': a source is"),
        ("containerpilot", "there is no source 'containerpilot': a source is"),
        ("Global", "there is no source 'Global' (did you mean 'global'?)"),
        ("a\nb", "there is no source 'a\\nb': a source is"),
    ],
)
def test_a_source_that_is_not_there(source: str, text: str) -> None:
    assert f"jobs[3].when.source: {text}" in errors(source=source, each="exitSuccess")


def test_the_error_is_reported_where_the_source_is_written() -> None:
    with pytest.raises(ConfigError, match=r"^app\.json:3:22: jobs\[0\]\.when\.source: there is no source 'db'"):
        load_text('{jobs: [\n {name: "app", exec: "x",\n  when: {    source: "db", once: "healthy"}}]}')


# -- what can never happen


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({"source": "db", "once": "changed"}, "'db' never sends `changed`: it sends only exitSuccess, exitFailed, sto"),
        (
            {"source": "idle", "once": "healthy"},
            "'idle' never sends `healthy` (a job with `health.exec` or `health.http` would): it sends only stopping",
        ),
        ({"source": "idle", "once": "exitSuccess"}, "'idle' never sends `exitSuccess` (a job with `exec` would)"),
        ({"source": "db", "once": "timerExpired"}, "'db' never sends `timerExpired` (a job with `when.timeout` would)"),
        ({"source": "check.db", "once": "healthy"}, "'check.db' never sends `healthy` (did you mean 'db'?)"),
        ({"source": "watch.mq", "once": "stopped"}, "'watch.mq' never sends `stopped`: it sends only changed"),
        ({"source": "global", "once": "stopping"}, "'global' never sends `stopping`: it sends only startup, shutdown"),
        ({"source": "db", "once": "startup"}, "'db' never sends `startup`"),
        ({"source": "db", "once": "quit"}, "'db' never sends `quit`"),
        ({"source": "db", "once": "error"}, "the source of an `error` is its text, such as 'db: exit status 1'"),
        ({"source": "app", "once": "exitSuccess"}, "the job never starts: it waits for an event of its own"),
        ({"source": "app", "once": "stopping"}, "the job never starts: it waits for an event of its own"),
    ],
)
def test_an_event_that_never_comes_is_warned_about(when: dict[str, str], text: str) -> None:
    message = warnings(**when)

    assert f"jobs[3].when.source: {text}" in message
    assert "\n" not in message


def on(name: str, source: str, event: str, *, each: bool = False) -> dict[str, Any]:
    return {"name": name, "exec": "x", "when": {"source": source, "each" if each else "once": event}}


@pytest.mark.parametrize(
    ("jobs", "texts"),
    [
        (
            [on("aa", "bb", "exitSuccess"), on("bb", "aa", "exitFailed")],
            ["jobs[0].when.source: the job never starts: it waits for 'bb', which waits for 'aa'"],
        ),
        (
            [
                on("xx", "bb", "exitSuccess"),
                on("bb", "cc", "exitSuccess"),
                on("cc", "aa", "exitSuccess", each=True),
                on("aa", "bb", "exitSuccess"),
            ],
            ["jobs[1].when.source: the job never starts: it waits for 'cc', which waits for 'aa', which waits for 'bb"],
        ),
        (
            [on("aa", "bb", "stopping"), on("bb", "aa", "stopped")],
            [
                "jobs[0].when.source: a stop does not run the job: it waits for the end of 'bb', "
                "which waits for the end of 'aa'"
            ],
        ),
        # in a mixed circle, the job that is not a hook is skipped
        (
            [on("hook", "aa", "stopping"), on("aa", "hook", "exitSuccess")],
            ["jobs[1].when.source: the job never starts: it waits for 'hook', which waits for 'aa'"],
        ),
        # two circles
        (
            [
                on("aa", "bb", "exitSuccess"),
                on("bb", "aa", "exitSuccess"),
                on("cc", "dd", "stopped"),
                on("dd", "cc", "stopped"),
            ],
            ["jobs[0].when.source: the job never starts", "jobs[2].when.source: a stop does not run the job"],
        ),
        # chains are none
        ([{"name": "aa", "exec": "x"}, on("bb", "aa", "exitSuccess"), on("cc", "bb", "stopping")], []),
        ([{"name": "aa", "exec": "x"}, on("bb", "aa", "stopping"), on("cc", "bb", "exitSuccess")], []),
    ],
)
def test_jobs_that_wait_for_each_other_are_warned_about(jobs: list[dict[str, Any]], texts: list[str]) -> None:
    message = load_jobs(*jobs).warnings

    assert len(message) == len(texts)
    for warning, text in zip(message, texts, strict=True):
        assert text in warning


def test_a_job_that_waits_for_the_checks_of_itself_is_warned_about() -> None:
    one = {**DB, "when": {"source": "check.db", "once": "exitSuccess"}}

    assert "the job never starts: it waits for an event of its own" in warnings_of_jobs(one)


def test_thousands_of_missing_sources_are_shown_as_fifty_and_their_number() -> None:
    jobs = [on(f"job-number-{i}", f"task-number-{i}", "exitSuccess") for i in range(3000)]

    messages = errors_of_jobs(*jobs).split("\n")
    assert (len(messages), messages[-1]) == (51, "app.json: and 2950 more errors")


def test_a_chain_of_thousands_of_jobs_is_accepted() -> None:
    jobs = [{"name": "j0", "exec": "x"}, *(on(f"j{i}", f"j{i - 1}", "exitSuccess") for i in range(1, 3000))]

    assert len(load_jobs(*jobs).jobs) == 3000


# -- whatever is written

any_value: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["1s", "/bin/x", "never", "unlimited", "app", "global", "SIGHUP", "exitSuccess", "eth0"])
    | st.sampled_from([":80", "http://a/b", "unix:///a:/b", "restart", "stop", "2xx", "ready"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
keys_of_a_job = ["name", "exec", "port", "initial_status", "interfaces", "tags", "timeout", "stopTimeout", "restarts"]
any_when = st.dictionaries(st.sampled_from(["interval", "source", "once", "each", "timeout"]), any_value)
keys_of_http = ["url", "method", "headers", "body", "status", "contains", "tls"]
any_http = any_value | st.dictionaries(st.sampled_from(keys_of_http), any_value)
ways_of_a_check = {"exec": any_value, "http": any_http, "tcp": any_value, "unix": any_value}
keys_of_a_check = ["name", "interval", "ttl", "timeout", "failures", "passes", "startPeriod", "startInterval"]
any_check = st.fixed_dictionaries(
    {}, optional={**ways_of_a_check, **dict.fromkeys([*keys_of_a_check, "onUnhealthy", "logging"], any_value)}
)
any_health = any_check | st.lists(any_check, max_size=3)
keys_of_ready = ["notify", "log", "fd", "health", "file", "timeout", "onTimeout"]
any_ready = any_value | st.dictionaries(st.sampled_from(keys_of_ready), any_value)
any_job = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys([*keys_of_a_job, "watchdog"], any_value),
        "when": any_when | any_value,
        "health": any_health,
        "ready": any_ready,
    },
)
any_watch = st.dictionaries(st.sampled_from(["name", "interval", "tag", "dc", "mode"]), any_value)
any_telemetry = st.dictionaries(st.sampled_from(["port", "interfaces", "tags", "metrics"]), any_value)


@given(
    st.lists(any_job | any_value, max_size=3), st.lists(any_watch | any_value, max_size=2), any_telemetry | st.none()
)
def test_any_configuration_loads_or_is_refused_and_nothing_else(jobs: Any, watches: Any, telemetry: Any) -> None:
    configuration = {"directory": "/c", "jobs": jobs, "watches": watches, "telemetry": telemetry}
    with contextlib.suppress(ConfigError):
        load_text(json.dumps(configuration))
