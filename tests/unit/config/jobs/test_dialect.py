"""The jobs dialect: what the document as a whole, watches and settings become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cp.config.errors import ConfigError
from cp.config.load import control_socket
from cp.config.source import Source
from cp.plan import (
    EVENT,
    REOPEN_LOG,
    STOP,
    ConsulSettings,
    ControlSettings,
    DirectorySettings,
    LoggingSettings,
    Watch,
    When,
)
from tests.unit.config.loading import (
    errors_of_jobs,
    job,
    load_job,
    load_jobs,
    load_text,
    names,
    refused,
    warnings_of_jobs,
)

FULL = """{
  consul: "consul:8500",
  // the socket of a test
  'control': {socket: "/var/run/cp3-test.sock"},
  jobs: [
    {
      name: "serviceA", port: 8080, interfaces: "eth0", exec: "/bin/serviceA",
      when: {source: "preStart", once: "exitSuccess"},
      health: {exec: "/bin/to/healthcheck/for/service/A.sh A1 A2", interval: 19, ttl: 30},
      tags: ["tag1", "tag2"],
    },
    {
      name: "serviceB", port: 5000, interfaces: ["ethwe", "eth0", "inet"], exec: ["/bin/serviceB", "B"],
      health: {exec: ["/bin/to/healthcheck/for/service/B.sh", "B1", "B2"], timeout: "2s", interval: 20, ttl: "103"},
    },
    {name: "coprocessC", exec: "/bin/coprocessC", restarts: "unlimited"},
    {name: "periodicTaskD", exec: "/bin/taskD", when: {interval: "1s"}},
    {name: "preStart", exec: "/bin/to/preStart.sh arg1 arg2"},
    {name: "preStop", exec: ["/bin/to/preStop.sh", "arg1"], when: {source: "serviceA", once: "stopping"}},
    {name: "postStop", exec: ["/bin/to/postStop.sh"], when: {source: "serviceA", once: "stopped"}},
    {
      name: "onChange-upstreamA", exec: "/bin/onChangeA.sh {{ .TEST }}",
      when: {source: "watch.upstreamA", each: "changed"},
    },
    null,
    {name: "onChange-upstreamB", exec: "/bin/onChangeB.sh", when: {source: "watch.upstreamB", each: "healthy"}},
  ],
  watches: [
    {name: "upstreamA", interval: 11, tag: "dev"},
    {name: "upstreamB", interval: 79},
  ],
}"""


def test_a_full_configuration_loads_without_a_warning() -> None:
    plan = load_text(FULL, environ={"TEST": "HELLO"})

    assert plan.dialect == "jobs"
    assert plan.warnings == ()
    assert plan.catalog == ConsulSettings(address="consul:8500")
    assert names(plan) == [
        "serviceA",
        "serviceB",
        "coprocessC",
        "periodicTaskD",
        "preStart",
        "preStop",
        "postStop",
        "onChange-upstreamA",
        "onChange-upstreamB",
    ]
    assert [one.service.port for one in plan.jobs if one.service] == [8080, 5000]
    assert [one.service.ttl for one in plan.jobs if one.service] == [30, 103]
    assert [one.service.tags for one in plan.jobs if one.service] == [("tag1", "tag2"), ()]
    assert [one.restarts for one in plan.jobs] == [0, 0, None, None, 0, 0, 0, 0, 0]
    assert job(plan, "onChange-upstreamA").command == ("/bin/onChangeA.sh", "HELLO")


def test_signals_and_variables_of_a_full_configuration() -> None:
    plan = load_text(FULL)

    assert plan.signals == (
        ("SIGTERM", STOP),
        ("SIGINT", STOP),
        ("SIGHUP", EVENT),
        ("SIGUSR2", EVENT),
        ("SIGUSR1", REOPEN_LOG),
    )
    assert plan.environ == (("CONTAINERPILOT_SERVICEA_IP", "10.0.0.7"), ("CONTAINERPILOT_SERVICEB_IP", "10.0.0.7"))


def test_hooks_are_jobs_on_the_events_of_other_jobs() -> None:
    plan = load_text(FULL)

    assert job(plan, "serviceA").when == When(code="exitSuccess", source="preStart")
    assert job(plan, "preStart").when == When(code="startup", source="global")
    assert job(plan, "preStop").when == When(code="stopping", source="serviceA")
    assert job(plan, "postStop").when == When(code="stopped", source="serviceA")


# -- watches


def test_the_watches_of_a_full_configuration() -> None:
    assert load_text(FULL).watches == (
        Watch(name="upstreamA", source="watch.upstreamA", interval=11.0, tag="dev"),
        Watch(name="upstreamB", source="watch.upstreamB", interval=79.0),
    )


def test_a_key_without_quotes_and_a_name_from_a_template() -> None:
    text = '{consul: "consul:8500", watches: [{"name": "upstreamA{{.VAR}}", "interval": 11}]}'

    (watch,) = load_text(text, environ={"VAR": "-ok"}).watches
    assert watch.source == "watch.upstreamA-ok"


def test_a_watch_in_another_datacenter_that_is_polled_only() -> None:
    (watch,) = load_jobs(watches=[{"name": "db", "interval": "7", "dc": "us-east-1", "mode": "poll"}]).watches

    assert watch == Watch(name="db", source="watch.db", interval=7.0, datacenter="us-east-1", push=False)


def test_watches_of_one_name_share_their_source_but_not_their_memory() -> None:
    one = {"name": "db", "interval": 5}
    plan = load_jobs({"name": "aa", "exec": "x"}, watches=[one, {**one, "tag": "t"}, {**one, "dc": "d"}])

    assert [watch.source for watch in plan.watches] == ["watch.db"] * 3
    assert len(set(plan.watches)) == 3
    assert plan.warnings == ()


def test_a_watch_that_is_there_already_is_warned_about() -> None:
    one = {"name": "db", "interval": 5, "tag": "t"}
    plan = load_jobs({"name": "aa", "exec": "x"}, watches=[one, {**one, "interval": 6}])

    assert [watch.interval for watch in plan.watches] == [5.0]
    (warning,) = plan.warnings
    assert warning.endswith(
        "watches[1].name: has no effect: watches[0] watches 'db' with the same tag and datacenter already"
    )


@pytest.mark.parametrize(
    ("watch", "text"),
    [
        ({"name": "", "interval": 1}, "watches[0].name: 'name' must not be blank"),
        ({"interval": 1}, "watches[0].name: 'name' must not be blank"),
        ({"name": "myName"}, "watches[0].interval: watch[myName].interval must be > 0: add it"),
        ({"name": "myName", "interval": -1}, "watch[myName].interval must be > 0: it is -1"),
        ({"name": "my_name", "interval": 1}, "service names must be alphanumeric with dashes"),
        (
            {"name": "myName", "interval": 1, "mode": "pull"},
            'watch[myName].mode must be "push" or "poll", not "pull"',
        ),
        ({"name": "myName", "intrval": 1}, "(did you mean 'interval'?): '[0]' has invalid keys: intrval"),
        ("myName", "watches[0]: must be an object {…}, not a string: '[0]' expected a map, got 'string'"),
    ],
)
def test_a_watch_that_is_wrong(watch: Any, text: str) -> None:
    assert text in errors_of_jobs(watches=[watch])


# -- settings


@pytest.mark.parametrize(
    ("written", "control"),
    [
        (None, ControlSettings()),
        ({}, ControlSettings()),
        ({"socket": "/var/run/cp3-test.sock"}, ControlSettings(socket="/var/run/cp3-test.sock")),
        ({"users": None}, ControlSettings()),
        ({"users": []}, ControlSettings()),
        ({"users": 1000}, ControlSettings(users=(1000,))),
        ({"users": ["root", 1000, "1000", None, "4294967294"]}, ControlSettings(users=(0, 1000, 4294967294))),
        ({"users": "*"}, ControlSettings(users=None)),
        ({"socket": "/s", "users": [1000, "*"]}, ControlSettings(socket="/s", users=None)),
    ],
)
def test_control(written: Any, control: ControlSettings) -> None:
    assert load_jobs(control=written).control == control


def test_a_control_socket_without_a_path() -> None:
    assert "control.socket: control: validate failed with control server not loading due to missing config" in (
        errors_of_jobs(control={"socket": ""})
    )


@pytest.mark.parametrize(
    ("users", "error"),
    [
        (["no-such-user"], 'control.users[0]: cannot find the user "no-such-user": create it, or write its number'),
        ("no-such-user", 'control.users: cannot find the user "no-such-user"'),
        ([1000, -1], "control.users[1]: the number of a user is from 0 to 4294967294"),
        (["4294967295"], "control.users[0]: the number of a user is from 0 to 4294967294"),
        ([True], 'control.users[0]: must be the name or the number of a user, or "*" for all'),
        ([""], 'control.users[0]: must be the name or the number of a user, or "*" for all'),
        ([["app"]], 'control.users[0]: must be the name or the number of a user, or "*" for all'),
        ({"app": 1}, 'control.users: must be the name or the number of a user, or "*" for all'),
        ([1.5], 'control.users[0]: must be the name or the number of a user, or "*" for all'),
        (["a\0b"], 'control.users[0]: must be the name or the number of a user, or "*" for all'),
    ],
)
def test_an_invalid_user_of_the_control_socket(users: Any, error: str) -> None:
    assert error in errors_of_jobs(control={"users": users})


def test_an_error_in_the_users_of_the_control_socket_has_its_place() -> None:
    text = '{\n  control: {\n    users: ["root",\n      "no-such-user"]\n  },\n  jobs: []\n}'
    assert "app.json:4:7: control.users[1]: cannot find the user" in str(refused(text))


@pytest.mark.parametrize("socket", ["/run/c.socket", "with space.socket"])
def test_clients_need_not_know_the_users_of_the_control_socket(socket: str) -> None:
    text = json.dumps({"control": {"socket": socket, "users": ["no-such-user"]}, "jobs": []})
    assert control_socket(Source("app.json", text), {}) == socket


@pytest.mark.parametrize(
    ("written", "logging"),
    [
        (None, LoggingSettings(level="info", format="job", output="stdout")),
        ({}, LoggingSettings(level="info", format="job", output="stdout")),
        (
            {"level": "DEBUG", "format": "text", "output": "stderr"},
            LoggingSettings(level="debug", format="text", output="stderr"),
        ),
        ({"level": "warn", "format": "Default"}, LoggingSettings(level="warning", format="job", output="stdout")),
        (
            {"output": "/var/log/App.log"},
            LoggingSettings(level="info", format="job", output="/var/log/App.log"),
        ),
        ({"output": "STDERR"}, LoggingSettings(level="info", format="job", output="stderr")),
        ({"terminationLog": True}, LoggingSettings(format="job", ends_in_termination_log=True)),
        ({"terminationlog": "false"}, LoggingSettings(format="job")),
    ],
)
def test_logging(written: Any, logging: LoggingSettings) -> None:
    assert load_jobs(logging=written).logging == logging


def test_termination_log() -> None:
    assert load_jobs().termination_log == "/dev/termination-log"


@pytest.mark.parametrize("raw", [False, True])
def test_output_that_cannot_go_to_the_termination_log(raw: bool) -> None:
    plan = load_jobs(
        {"name": "app", "exec": "true", "main": True, "logging": {"raw": raw}}, logging={"terminationLog": True}
    )
    assert len(plan.warnings) == raw
    assert all("`terminationLog` has no effect: the output of app goes directly" in each for each in plan.warnings)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(None, 5.0), (0, 5.0), ("0", 5.0), (3, 3.0), ("10", 10.0), (1.9, 1.0), (-1, -1.0), ("-30", -1.0)],
    ids=repr,
)
def test_stop_timeout(written: Any, seconds: float) -> None:
    assert load_jobs(stopTimeout=written).stop_timeout == seconds


def test_shutdown_timeout() -> None:
    assert load_jobs(shutdownTimeout="90s").shutdown_timeout == 90.0


def test_a_directory_may_be_the_catalogue() -> None:
    health = {"interval": 5, "ttl": 10}

    plan = load_text(json.dumps({"directory": "/c", "jobs": [{"name": "web", "port": 80, "health": health}]}))
    assert plan.catalog == DirectorySettings(path="/c")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("foo", 1, "foo: unknown key (the keys here are jobs, watches, "),
        ("Watches", [], "Watches: unknown key (did you mean 'watches'?): unknown config keys: [Watches]"),
        ("services", [], "services: unknown key"),
        ("jobs", {}, "jobs: must be an array [{…}], not an object"),
        ("jobs", "x", "jobs: must be an array [{…}], not a string"),
        ("watches", 5, "watches: must be an array [{…}], not a number"),
        ("jobs", ["x"], "jobs[0]: must be an object {…}, not a string: '[0]' expected a map, got 'string'"),
        ("jobs", [5], "jobs[0]: must be an object {…}, not a number: '[0]' expected a map, got 'float64'"),
        ("logging", "debug", "logging: must be an object {…}, not a string: '' expected a map, got 'string'"),
        ("logging", {"raw": True}, "'' has invalid keys: raw"),
        ("logging", {"level": "verbose"}, "logging.level: Unknown log level 'verbose'"),
        ("logging", {"format": "xml"}, "logging.format: Unknown log format 'xml'"),
        ("control", "x", "control: must be an object"),
        (
            "stopTimeout",
            "5s",
            "write 5: cannot parse '' as int: strconv.ParseInt: parsing \"5s\": invalid syntax",
        ),
        ("shutdownTimeout", "-1s", "shutdownTimeout: must not be negative, but is -1s"),
        ("directory", "/c", "directory: More than one discovery backend defined"),
    ],
)
def test_errors_at_top_level(key: str, value: Any, text: str) -> None:
    configuration = {"consul": "consul:8500", "dialect": "jobs", key: value}

    assert text in "\n".join(refused(json.dumps(configuration)).errors)


# -- what is read as JSON5


def test_a_missing_comma_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^app.json:3:3: .*after object key:value pair"):
        load_text('{\n  consul: "x:1"\n  jobs: []\n}')


def test_top_level_keys_may_be_in_single_quotes() -> None:
    assert load_text("{'consul': 'x:1', 'jobs': []}").catalog == ConsulSettings(address="x:1")


def test_a_repeated_key_counts_the_last_time_and_is_warned_about() -> None:
    plan = load_text('{jobs: [{name: "a", name: "b", exec: "x"}]}')

    assert names(plan) == ["b"]
    assert plan.warnings == ("app.json:1:21: the key 'name' is repeated, and only the last one counts",)


# -- without a catalogue


def test_a_plain_supervisor_needs_no_catalogue() -> None:
    plan = load_text('{"jobs": [{"name": "app", "exec": "/bin/app"}], "watches": [null]}')

    assert plan.catalog is None
    assert plan.warnings == ()


def test_an_advertised_job_needs_one() -> None:
    (error,) = refused(
        '{"jobs": [{"name": "web", "health": {"interval": 5, "ttl": 10}, "port": 80}], "consul": null}'
    ).errors

    assert error == (
        "app.json:1:73: jobs[0].port: no discovery backend defined, but a job with a `port` needs one: "
        'add one of consul, etcd or directory, such as "consul": "localhost:8500"'
    )


def test_a_watch_needs_one() -> None:
    (error,) = refused('{"watches": [{"name": "db", "interval": 5}]}').errors

    assert error.startswith("app.json:1:13: watches: no discovery backend defined")


@pytest.mark.parametrize("text", ["{}", "null", '{"jobs": []}', '{"jobs": [null]}', '{"consul": "consul:8500"}'])
def test_a_configuration_without_jobs_loads_with_a_warning(text: str) -> None:
    plan = load_text(text)

    assert plan.jobs == ()
    assert plan.control == ControlSettings()
    (warning,) = plan.warnings
    assert warning.endswith("jobs: there are no jobs, so nothing is run")


def test_a_misspelt_key_is_not_reported_as_missing_jobs_as_well() -> None:
    error = refused('{"dialect": "jobs", "consul": "consul:8500", "jbos": [{"name": "app", "exec": "x"}]}')

    assert "jbos: unknown key (did you mean 'jobs'?)" in str(error)
    assert "there are no jobs" not in str(error)


# -- telemetry: what it means is in test_telemetry.py

METRIC = {"namespace": "org", "subsystem": "app", "name": "zed", "help": "gauge of zeds in org app", "type": "gauge"}


@pytest.mark.parametrize(
    ("telemetry", "text"),
    [
        ({"port": -1}, "`port` must be > 0: it is -1"),
        ({"port": 70000}, "telemetry.port: must be from 1 to 65535, but is 70000"),
        ({"interfaces": ["xxxx"]}, "None of the interface specifications were able to match"),
        ({"metrics": [{}]}, "telemetry.metrics[0].type: invalid metric type: : choose one of counter, gauge"),
        ({"metrics": [{**METRIC, "type": "gage"}]}, "invalid metric type: gage: choose one of counter, gauge"),
        ({"metrics": [{**METRIC, "name": "x.y"}]}, '"org_app_x.y" is not a valid metric name'),
        ({"metrics": [{**METRIC, "nme": "x"}]}, "'[0]' has invalid keys: nme"),
        ({"metrics": {}}, "telemetry.metrics: must be an array"),
        ({"sensors": []}, "telemetry.sensors: unknown key"),
    ],
)
def test_telemetry_that_is_wrong(telemetry: dict[str, Any], text: str) -> None:
    assert text in errors_of_jobs(telemetry=telemetry, dialect="jobs")


def test_with_telemetry_there_is_a_job_called_containerpilot() -> None:
    job_on_it = {"name": "last", "exec": "x", "when": {"source": "containerpilot", "once": "stopped"}}

    assert [one.name for one in load_jobs(job_on_it, telemetry={}).jobs] == ["last", "containerpilot"]
    assert "there is no source 'containerpilot'" in errors_of_jobs(job_on_it)


def test_a_job_called_containerpilot_needs_no_health_check() -> None:
    one = load_job(name="containerpilot", port=9090)

    assert one.service is not None
    (health,) = one.health
    assert (one.service.ttl, health.interval, health.command) == (15, 5.0, None)


def test_names_that_events_cannot_distinguish_give_a_warning() -> None:
    watched = {"watches": [{"name": "db", "interval": 5}]}
    checked = {"name": "app", "exec": "x", "health": {"exec": "y", "interval": 5, "ttl": 10}}

    for name in ("watch.db", "check.app", "global", "SIGHUP"):
        assert f"jobs[1].name: '{name}' is the source of other events too" in warnings_of_jobs(
            checked, {"name": name, "exec": "x"}, **watched
        )
    assert warnings_of_jobs(checked, {"name": "db", "exec": "x"}, **watched) == ""
