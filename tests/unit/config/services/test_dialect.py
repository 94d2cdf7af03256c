"""The services dialect: what the document as a whole, the application and its hooks become."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import INHERIT, KEEP, MAINTENANCE, RELOAD, REPLACE, STOP, ConsulSettings, Job, LoggingSettings, When
from tests.unit.config.loading import job, load_dict, load_text, names

AT_STARTUP = When(code="startup", source="global")
AFTER_PRE_START = When(code="exitSuccess", source="preStart")

SERVICE = {"name": "web", "port": 80, "poll": 10, "ttl": 25}


# -- the whole

FULL = """{
  "consul": "consul:8500",
  "preStart": "/bin/to/preStart.sh arg1 arg2",
  "preStop": ["/bin/to/preStop.sh", "arg1", "arg2"],
  "postStop": ["/bin/to/postStop.sh"],
  "stopTimeout": 7,
  "services": [
    {"name": "serviceA", "port": 8080, "interfaces": "eth0", "health": ["/bin/to/healthcheck/for/service/A.sh", "A1"],
     "poll": 10, "ttl": "19", "timeout": "1ms", "tags": ["tag1", "tag2"]},
    {"name": "serviceB", "port": 5000, "interfaces": ["ethwe", "eth0"], "health": "/bin/to/B.sh B1 B2",
     "poll": 30, "ttl": 103}
  ],
  "backends": [
    {"name": "upstreamA", "poll": 11, "onChange": ["/bin/to/onChange.sh", "{{.TEST}}"], "tag": "dev"},
    {"name": "upstreamB", "poll": 79, "onChange": "/bin/to/onChange.sh B", "timeout": "2s"}
  ],
  "tasks": [{"name": "backup", "command": ["/bin/backup", "now"], "frequency": "1h"}],
  "coprocesses": [{"name": "my-agent", "command": "/bin/agent -v", "restarts": "unlimited"}]
}"""


def test_a_full_configuration_loads_without_a_warning() -> None:
    plan = load_text(FULL, "/testdata/test.sh", "valid1", "--debug", environ={"TEST": "HELLO"})

    assert plan.dialect == "services"
    assert plan.warnings == ()
    assert plan.catalog == ConsulSettings(address="consul:8500")
    assert plan.stop_timeout == 7.0
    assert plan.shutdown_timeout is None
    assert plan.logging == LoggingSettings(level="info", format="plain", output="stdout")
    assert names(plan) == [
        "preStart",
        "coprocess[my-agent]",
        "upstreamA.onChange",
        "upstreamB.onChange",
        "serviceA",
        "serviceB",
        "task[backup]",
        "APP",
        "preStop",
        "postStop",
    ]


def test_signals_and_variables_of_a_full_configuration() -> None:
    plan = load_text(FULL, "app")

    assert plan.signals == (
        ("SIGTERM", STOP),
        ("SIGINT", STOP),
        ("SIGHUP", RELOAD),
        ("SIGUSR1", MAINTENANCE),
    )
    assert plan.environ == (("CONTAINERPILOT_SERVICEA_IP", "10.0.0.7"), ("CONTAINERPILOT_SERVICEB_IP", "10.0.0.7"))


def test_everything_waits_for_the_success_of_pre_start() -> None:
    plan = load_text(FULL, "app")

    assert job(plan, "preStart").when == AT_STARTUP
    for name in ("coprocess[my-agent]", "serviceA", "APP"):
        assert job(plan, name).when == AFTER_PRE_START
    assert [watch.starts_on for watch in plan.watches] == [("exitSuccess", "preStart")] * 2


def test_without_pre_start_everything_begins_at_once() -> None:
    plan = load_dict({"services": [SERVICE], "preStart": None})

    assert names(plan) == ["web", "APP"]
    assert {one.when for one in plan.jobs} == {AT_STARTUP}


# -- the application and its hooks


def test_the_application() -> None:
    assert job(load_dict({}, "/bin/app", "-v"), "APP") == Job(
        name="APP",
        label="APP",
        when=AT_STARTUP,
        command=("/bin/app", "-v"),
        stdin=INHERIT,
        main=True,
        counted=True,
        stop_group=False,
        stopping_on_exit=False,
        announces_unstarted=False,
        output=INHERIT,
        failure_level="info",
        pid_variables=("CONTAINERPILOT_APP_PID",),
        keep_pid_variables=True,
        reload=KEEP,
    )


def test_the_hooks() -> None:
    plan = load_text(FULL, "app")

    assert job(plan, "preStart") == Job(
        name="preStart",
        label="preStart",
        when=AT_STARTUP,
        command=("/bin/to/preStart.sh", "arg1", "arg2"),
        fatal=True,
        failure_level="error",
        output=INHERIT,
        pid_variables=("CONTAINERPILOT_PRESTART_PID",),
        keep_pid_variables=True,
        reload=KEEP,
    )
    assert job(plan, "preStop") == Job(
        name="preStop",
        label="preStop",
        when=When(code="stopping", source="APP"),
        command=("/bin/to/preStop.sh", "arg1", "arg2"),
        output=INHERIT,
        failure_level="warning",
        pid_variables=("CONTAINERPILOT_PRESTOP_PID",),
        keep_pid_variables=True,
        reload=REPLACE,
    )
    assert job(plan, "postStop") == Job(
        name="postStop",
        label="postStop",
        when=When(code="stopped", source="APP"),
        command=("/bin/to/postStop.sh",),
        fatal=True,
        failure_level="error",
        output=INHERIT,
        pid_variables=("CONTAINERPILOT_POSTSTOP_PID",),
        keep_pid_variables=True,
        reload=REPLACE,
    )


def test_on_start_is_the_old_name_of_pre_start() -> None:
    plan = load_dict({"onStart": "/bin/old"})

    assert job(plan, "preStart").command == ("/bin/old",)
    assert job(plan, "APP").when == AFTER_PRE_START
    assert plan.warnings == ("app.json:1:38: onStart: deprecated: use preStart",)


def test_pre_start_wins_over_on_start() -> None:
    plan = load_dict({"preStart": "/bin/new", "onStart": "/bin/old"})

    assert job(plan, "preStart").command == ("/bin/new",)
    assert "onStart: deprecated, and without effect beside preStart" in plan.warnings[0]


def test_without_a_command_all_but_the_application_runs_and_a_warning_says_so() -> None:
    plan = load_text('{"consul": "x:1", "services": []}')

    assert job(plan, "APP").command is None
    assert job(plan, "APP").main
    assert plan.warnings[0].startswith("Unable to parse command arguments: received zero-length argument")


# -- arguments of the application


def test_arguments_are_templates_that_know_the_addresses_of_the_services() -> None:
    plan = load_dict(
        {"services": [{**SERVICE, "name": "my-web"}]},
        "-name",
        "{{ .HOSTNAME }}",
        "{{ .CONTAINERPILOT_MY_WEB_IP }}:80",
        "{{ .UNSET }}",
        environ={"HOSTNAME": "box"},
    )

    assert job(plan, "APP").command == ("-name", "box", "10.0.0.7:80", "")


def test_if_one_argument_cannot_be_rendered_all_stay_as_they_are() -> None:
    plan = load_dict({}, "{{ .HOSTNAME }}", "{{ .HOSTNAME }", environ={"HOSTNAME": "box"})

    assert job(plan, "APP").command == ("{{ .HOSTNAME }}", "{{ .HOSTNAME }")
    assert plan.warnings[0].startswith(
        "cannot render argument 2 of the command line, so all of them are used as they are"
    )


# -- logging and times


@pytest.mark.parametrize(
    ("written", "logging"),
    [
        (None, LoggingSettings(level="info", format="plain", output="stdout")),
        ({}, LoggingSettings(level="info", format="plain", output="stdout")),
        ({"level": "", "format": "", "output": ""}, LoggingSettings(level="info", format="plain", output="stdout")),
        (
            {"level": "DEBUG", "format": "text", "output": "stderr"},
            LoggingSettings(level="debug", format="text", output="stderr"),
        ),
        ({"level": "warn", "format": "JSON"}, LoggingSettings(level="warning", format="json", output="stdout")),
        ({"level": "Panic", "format": "default"}, LoggingSettings(level="panic", format="plain", output="stdout")),
    ],
)
def test_logging(written: Any, logging: LoggingSettings) -> None:
    assert load_dict({"logging": written}).logging == logging


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(None, 5.0), (0, 5.0), ("0", 5.0), (3, 3.0), ("10", 10.0), (2.9, 2.0), (-1, -1.0), (-30, -1.0)],
    ids=repr,
)
def test_stop_timeout(written: Any, seconds: float) -> None:
    assert load_dict({"stopTimeout": written}).stop_timeout == seconds


@pytest.mark.parametrize(("written", "seconds"), [(None, None), ("0", None), ("1m", 60.0), (90, 90.0)])
def test_shutdown_timeout(written: Any, seconds: float | None) -> None:
    assert load_dict({"shutdownTimeout": written}).shutdown_timeout == seconds


# -- without a catalogue, and odd documents


@pytest.mark.parametrize("text", ["{}", "null", '{"tasks": [null], "services": [null], "consul": null}'])
def test_a_configuration_that_needs_no_catalogue_does_without(text: str) -> None:
    plan = load_text(text, "app")

    assert plan.catalog is None
    assert names(plan) == ["APP"]


def test_text_that_only_json5_reads_loads_with_one_warning_that_names_the_first_place() -> None:
    plan = load_text("{\n  // why\n  consul: 'x:1',\n}", "app")

    assert plan.catalog == ConsulSettings(address="x:1")
    assert plan.warnings == (
        "app.json:2:3: read as JSON5, since strict JSON does not allow a comment: "
        "Parse error at line:col [2:3]: invalid character '/' looking for beginning of object key string",
    )


def test_a_trailing_comma_loads_with_the_old_hint() -> None:
    plan = load_text('{"consul": "x:1",}', "app")

    assert plan.warnings == (
        "app.json:1:18: read as JSON5, since strict JSON does not allow a trailing comma: "
        "Parse error at line:col [1:18]: invalid character '}' looking for beginning of object key string. "
        "Do you have an extra comma somewhere?",
    )


def test_a_repeated_key_counts_the_last_time_and_is_warned_about() -> None:
    plan = load_text('{"stopTimeout": 1,\n "stopTimeout": 2}', "app")

    assert plan.stop_timeout == 2.0
    assert plan.warnings == ("app.json:2:2: the key 'stopTimeout' is repeated, and only the last one counts",)
