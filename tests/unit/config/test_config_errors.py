"""The errors of a configuration that cannot be used: all of them, each with place, key path, reason and fix."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.config.errors import ConfigError
from cp.config.load import load
from cp.config.source import Source
from cp.log.redaction import Secrets
from tests.unit.config.loading import errors, load_text, refused

SERVICE = {"name": "myName", "poll": 1, "ttl": 5, "port": 80}


# -- all at once, in the order of the file


def test_all_errors_of_a_file_are_reported_at_once_with_line_column_and_key_path() -> None:
    text = """{
  "consul": "consul:8500",
  "services": [
    {"name": "web", "port": "http", "pol": 3, "ttl": 5, "health": ""},
    {"name": "api", "port": 1, "poll": 1, "ttl": 5, "tags": "a"}
  ],
  "tasks": [{"command": "x", "frequency": "1d"}],
  "backnds": []
}"""

    assert refused(text).errors == (
        'app.json:4:5: services[0].poll: `poll` must be > 0 in service web: add it, such as "poll": 10',
        'app.json:4:29: services[0].port: must be a whole number, not "http"',
        "app.json:4:37: services[0].pol: unknown key (did you mean 'poll'?): '[0]' has invalid keys: pol",
        "app.json:4:67: services[0].health: Could not parse `health` in service web: "
        "received zero-length argument: the command is empty",
        'app.json:5:61: services[1].tags: must be an array of strings, not a string: write ["a"]',
        "app.json:7:43: tasks[0].frequency: Unable to parse frequency 1d: time: unknown unit d in duration 1d "
        "(units are ns, us, ms, s, m and h)",
        "app.json:8:3: backnds: unknown key (did you mean 'backends'?): Unknown config keys: [backnds]",
    )


def test_warnings_are_reported_together_with_the_errors() -> None:
    error = refused('{"consul": "x:1", "preStart": 5, "onStart": "x",}')

    assert len(error.errors) == 1
    assert [warning.partition(": ")[0] for warning in error.warnings] == ["app.json:1:45", "app.json:1:49"]
    assert str(error).splitlines() == [*error.errors, *(f"warning: {warning}" for warning in error.warnings)]


@pytest.mark.parametrize(
    "text",
    [
        '{"preStart": "x", "%s": 1}',
        '{"jobs": [{"name": "web", "exec": "x", "%s": 1}]}',
        '{"jobs": [{"name": "%s", "exec": "x", "timeout": "x"}]}',
        '{"jobs": [{"name": "web", "exec": "x", "when": {"source": "%s", "once": "stopped"}}]}',
        '{"jobs": [{"name": "web", "exec": "x", "stdin": "%s"}]}',
        '{"jobs": [], "logging": {"level": "%s"}}',
        '{"jobs": [], "logging": {"mask": ["%s x"]}}',
        '{"jobs": [], "consul": {"scheme": "%s"}}',
        '{"jobs": [], "etcd": {"endpoints": ["http://x"], "api": "%s"}}',
        '{"jobs": [], "telemetry": {"metrics": [{"name": "%s", "help": "x", "type": "counter"}]}}',
        '{"jobs": [], "stopTimeout": "%s"}',
        '{"tasks": [{"command": "x", "frequency": "%s"}]}',
    ],
)
def test_a_value_is_shown_with_unprintable_characters_escaped(text: str) -> None:
    messages = str(refused(text % "n\u00e4m\u00e9 \\u001b\\u0085"))

    assert "n\u00e4m\u00e9 \\x1b\\x85" in messages
    assert messages.replace("\n", "").isprintable()


# What is right, and each key of it: a wrong value in its place is one mistake.
RIGHT: dict[str, Any] = {
    "jobs": {
        "consul": {"address": "x:1", "scheme": "http", "token": "t", "tls": {"verify": True}, "connectTimeout": 1},
        "control": {"socket": "/s", "users": ["root"]},
        "logging": {"level": "info", "format": "text", "output": "stdout", "mask": ["X"]},
        "stopTimeout": 1,
        "shutdownTimeout": 1,
        "telemetry": {
            "port": 1,
            "interfaces": ["static:10.0.0.1"],
            "metrics": [{"namespace": "a", "subsystem": "b", "name": "c", "help": "h", "type": "counter"}],
        },
        "watches": [{"name": "others", "interval": 1, "tag": "t", "dc": "d", "mode": "poll"}],
        "jobs": [
            {
                "name": "web",
                "exec": "x",
                "port": 80,
                "id": "web-1",
                "initial_status": "passing",
                "interfaces": ["static:10.0.0.1"],
                "tags": ["t"],
                "consul": {"enableTagOverride": True, "deregisterCriticalServiceAfter": "1s"},
                "logging": {"raw": True},
                "stdin": "/x",
                "successExitCodes": [1],
                "restarts": 1,
                "timeout": 1,
                "stopTimeout": 1,
                "health": {"exec": "x", "interval": 1, "ttl": 2, "timeout": 1, "failures": 1},
            },
            {"name": "timed", "exec": "x", "when": {"interval": "1s", "timeout": "1s"}},
            {"name": "main", "exec": "x", "main": True, "when": {"source": "timed", "once": "stopped"}},
        ],
    },
    "services": {
        "etcd": {"endpoints": ["http://x:1"], "prefix": "/p", "api": "v3", "username": "u", "tls": {"cafile": "x"}},
        "preStart": "x",
        "services": [{"name": "web", "port": 80, "poll": 1, "ttl": 2, "health": "x", "timeout": 1, "tags": ["t"]}],
        "backends": [{"name": "other", "poll": 1, "onChange": "x", "tag": "t", "mode": "poll"}],
        "tasks": [{"name": "t", "command": "x", "frequency": "1s", "timeout": "1s"}],
        "coprocesses": [{"name": "c", "command": "x", "restarts": 1, "onExit": "term"}],
        "telemetry": {
            "interfaces": ["static:10.0.0.1"],
            "sensors": [{"name": "s", "help": "h", "type": "counter", "poll": 1, "check": "x"}],
        },
    },
}


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [found for key, member in members for found in paths_in(member, (*path, key))]
    return [path, *inside] if path and isinstance(path[-1], str) else inside


@pytest.mark.parametrize(
    ("text", "line_column", "what"),
    [
        ("", "1:1", "the configuration is empty"),
        (" \n\n", "2:1", "the configuration is empty"),
        ("// later\n/* */", "2:5", "the configuration has only comments"),
        ("{{ if .X }}{}{{ end }}", "1:1", "the rendered template is empty"),
        ("{{ .X }}", "1:1", "the rendered template is empty"),
    ],
)
def test_an_empty_configuration_is_reported_as_empty(text: str, line_column: str, what: str) -> None:
    first, _, rest = str(refused(text, environ={"X": ""})).partition("\n")

    assert first.startswith(
        f"app.json:{line_column}: Parse error at line:col [{line_column}]: unexpected end of JSON input: {what}, "
        'expected one object, such as {consul: "localhost:8500", jobs: []}'
    )
    assert rest == ("{{ .X }} at app.json:1:1 gives nothing: the variable X is empty." if ".X }}" in text[:9] else "")


@pytest.mark.parametrize("dialect", RIGHT)
def test_a_value_of_another_type_is_one_error(dialect: str) -> None:
    load_text(json.dumps(RIGHT[dialect]), "app")
    for path in paths_in(RIGHT[dialect]):
        for wrong in (5, True, ["a"], [["a"]], {"a": 1}, "", "\0", -1.5):
            changed = json.loads(json.dumps(RIGHT[dialect]))
            *parents, last = path
            parent = changed
            for each in parents:
                parent = parent[each]
            parent[last] = wrong
            try:
                load_text(json.dumps(changed), "app")
            except ConfigError as error:
                key = path[-1]
                about = [error for error in error.errors if re.search(rf"^app\.json:1:\d+: \S*\b{key}: ", error)]
                assert len(about) <= 1, (path, wrong, about)


# -- services


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ({"name": ""}, "`name` must not be blank"),
        ({"name": "  "}, "`name` must not be blank"),
        ({"name": "myName"}, "`poll` must be > 0 in service myName"),
        ({"name": "myName", "poll": 1}, "`ttl` must be > 0 in service myName"),
        ({"name": "myName", "poll": 1, "ttl": 1}, "`port` must be > 0 in service myName"),
        ({**SERVICE, "poll": 0}, "`poll` must be > 0 in service myName: it is 0"),
        ({**SERVICE, "ttl": -5}, "`ttl` must be > 0 in service myName: it is -5"),
        (
            {**SERVICE, "health": "/bin/true", "timeout": "xx"},
            "Could not parse `health` in service myName: time: invalid duration xx",
        ),
        (
            {**SERVICE, "health": "/bin/true", "timeout": "-1s"},
            "Could not parse `health` in service myName: the timeout -1s is negative",
        ),
        ({**SERVICE, "health": 5}, "Could not parse `health` in service myName: received zero-length argument"),
        ({**SERVICE, "failures": -1}, "`failures` must be >= 0 in service myName, but is -1"),
        ({**SERVICE, "poll": "30s"}, 'services[0].poll: must be a whole number, not "30s": it is in seconds, write 30'),
        (
            {**SERVICE, "consul": {"enableTagOverride": "nope"}},
            'services[0].consul.enableTagOverride: must be true or false, not "nope"',
        ),
        (
            {**SERVICE, "consul": {"deregisterCriticalServiceAfter": "nope"}},
            "Could not parse consul `deregisterCriticalServiceAfter` in service myName: time: invalid duration nope",
        ),
        (
            {**SERVICE, "consul": {"deregisterCriticalServiceAfter": "10"}},
            "time: missing unit in duration 10",
        ),
        ({**SERVICE, "interfaces": ["xxxx"]}, "None of the interface specifications were able to match"),
        ({**SERVICE, "interfaces": ["eth0", "eth0:inet5"]}, "Unable to parse interface spec: eth0:inet5"),
        ({**SERVICE, "interfaces": {"a": 1}}, "services[0].interfaces: must be an array of strings, not an object"),
    ],
)
def test_service(service: dict[str, Any], text: str) -> None:
    assert text in errors({"services": [service]})


def test_the_default_interface_that_is_not_there_is_explained() -> None:
    from cp.config.load import load

    text = '{"consul": "c:1", "services": [{"name": "web", "port": 1, "poll": 1, "ttl": 5}]}'
    with pytest.raises(ConfigError) as caught:
        load(Source("f", text), {}, arguments=("app",), hostname="h", addresses=list)

    assert str(caught.value).startswith(
        "f:1:32: services[0].interfaces: None of the interface specifications were able to match"
    )
    assert str(caught.value).endswith('The default is eth0: name another, such as "interfaces": ["inet"].')


def test_addresses_that_cannot_be_read_are_an_ordinary_error() -> None:
    from cp.config.load import load

    def addresses() -> Any:
        raise PermissionError(13, "Permission denied")

    text = '{"consul": "c:1", "services": [{"name": "web", "port": 1, "poll": 1, "ttl": 5}]}'
    with pytest.raises(ConfigError, match="interfaces: cannot read the network addresses: permission denied"):
        load(Source("f", text), {}, arguments=("app",), hostname="h", addresses=addresses)


# -- backends


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        ({"name": ""}, "`name` must not be blank"),
        ({"name": "myName"}, "`onChange` is required in backend myName"),
        (
            {"name": "myName", "onChange": "x", "timeout": "xx"},
            "Could not parse `onChange` in backend myName: time: invalid duration xx",
        ),
        ({"name": "myName", "onChange": "x", "timeout": ""}, "`poll` must be > 0 in backend myName"),
        (
            {"name": "myName", "onChange": [], "poll": 1},
            "Could not parse `onChange` in backend myName: received zero-length argument",
        ),
        ({"name": "myName", "onChange": "x", "poll": 1, "timeout": -1}, "the timeout -1 is negative"),
        (
            {"name": "myName", "onChange": "x", "poll": 1, "mode": "pull"},
            '`mode` must be "push" or "poll" in backend myName, not "pull"',
        ),
        ({"name": "myName", "onChange": "x", "poll": 1, "dc": "x"}, "'[0]' has invalid keys: dc"),
    ],
)
def test_backend(backend: dict[str, Any], text: str) -> None:
    assert text in errors({"backends": [backend]})


# -- hooks


@pytest.mark.parametrize("hook", ["preStart", "onStart", "preStop", "postStop"])
@pytest.mark.parametrize("value", ["", "  ", [], 5, True, {}])
def test_a_hook_without_a_command(hook: str, value: Any) -> None:
    assert f"{hook}: Could not parse `{hook}`: received zero-length argument" in errors({hook: value})


def test_a_hook_with_a_null_argument_points_at_it() -> None:
    assert refused('{"preStop": ["/bin/x",\n  null]}').errors == (
        'app.json:2:3: preStop: Could not parse `preStop`: [1] is null: an argument is a string (an empty one is "")',
    )


# -- tasks and coprocesses


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ({"frequency": "1s"}, "Task did not provide a command"),
        (
            {"command": "", "frequency": "1s"},
            "tasks[0].command: Could not parse task command: received zero-length argument",
        ),
        ({"command": "x"}, "tasks[0].frequency: Unable to parse frequency : time: invalid duration"),
        ({"command": "x", "frequency": "xx"}, "Unable to parse frequency xx: time: invalid duration xx"),
        ({"command": "x", "frequency": "-1ms"}, "Frequency -1ms cannot be less that 1ms"),
        ({"command": "x", "frequency": "1ns"}, "Frequency 1ns cannot be less that 1ms"),
        ({"command": "x", "frequency": 0}, "Frequency 0 cannot be less that 1ms"),
        ({"command": "x", "frequency": "1s", "timeout": "-1ms"}, "Timeout -1ms cannot be less that 1ms"),
        ({"command": "x", "frequency": "1s", "timeout": "1ns"}, "Timeout 1ns cannot be less that 1ms"),
        ({"command": "x", "frequency": "1s", "timeout": "xx"}, "Unable to parse timeout xx: time: invalid duration xx"),
        ({"command": "x", "frequency": ["1s"]}, "tasks[0].frequency: must be a string, not an array"),
    ],
)
def test_task(task: dict[str, Any], text: str) -> None:
    assert text in errors({"tasks": [task]})


@pytest.mark.parametrize(
    ("restarts", "shown"),
    [
        ("invalid", '"invalid"'),
        ("-1", '"-1"'),
        ("1.5", '"1.5"'),
        ("", '""'),
        ("Never", '"Never"'),
        (-1, "-1"),
        (-0.5, "-0.5"),
        (1e12, "1000000000000"),
        (True, "a boolean"),
        ([], "an array"),
    ],
)
def test_restarts(restarts: Any, shown: str) -> None:
    text = f'coprocesses[0].restarts: {shown} is invalid: `restarts` accepts positive integers, "unlimited" or "never"'

    assert text in errors({"coprocesses": [{"command": "x", "restarts": restarts}]})


@pytest.mark.parametrize(
    ("coprocess", "text"),
    [
        ({}, "Coprocess did not provide a command"),
        ({"name": "n", "command": ""}, "Could not parse `coprocess` command n: received zero-length argument"),
        ({"command": "x", "timeout": 5}, "coprocesses[0].timeout: unknown key"),
        ({"command": "x", "onExit": "TERM"}, 'coprocesses[0].onExit: must be "kill" or "term", not "TERM"'),
        ({"command": "x", "onExit": ["term"]}, "coprocesses[0].onExit: must be a string, not an array"),
    ],
)
def test_coprocess(coprocess: dict[str, Any], text: str) -> None:
    assert text in errors({"coprocesses": [coprocess]})


# -- telemetry: what it means is in test_telemetry.py

SENSOR = {"name": "requests", "help": "h", "type": "counter", "check": "/bin/measure"}


@pytest.mark.parametrize(
    ("telemetry", "text"),
    [
        ({"port": 0}, "`port` must be > 0 in service containerpilot: it is 0"),
        ({"port": 65536}, "telemetry.port: must be from 1 to 65535, but is 65536"),
        ({"servicename": " "}, "telemetry.servicename: must not be blank"),
        ({"servicename": "a=b"}, "telemetry.servicename: must not have '=' in it"),
        ({"url": "metrics"}, "telemetry.url: must begin with a slash"),
        ({"ttl": -1, "servicename": "me"}, "`ttl` must be > 0 in service me"),
        ({"interfaces": ["xxxx"]}, "None of the interface"),
        ({"sensors": {}}, "telemetry.sensors: must be an array"),
        ({"sensors": [{"check": "x"}]}, "telemetry.sensors[0].type: invalid sensor type ''"),
        (
            {"sensors": [{**SENSOR, "type": "gage"}]},
            "invalid sensor type 'gage': choose one of counter, gauge, histogram",
        ),
        ({"sensors": [{**SENSOR, "type": "Gauge"}]}, "(did you mean 'gauge'?)"),
        ({"sensors": [{**SENSOR, "name": "Test.Sensor.Bad.Name"}]}, "'Test.Sensor.Bad.Name' is not a metric name"),
        ({"sensors": [{**SENSOR, "name": "1st"}]}, "'1st' is not a metric name"),
        ({"sensors": [{**SENSOR, "help": ""}]}, "telemetry.sensors[0].help: empty help string"),
        (
            {"sensors": [{**SENSOR, "check": ""}]},
            "could not parse check in sensor requests: received zero-length argument",
        ),
        ({"sensors": [{**SENSOR, "timeout": "-1s"}]}, "the timeout -1s is negative"),
        ({"sensors": [{**SENSOR, "poll": -1}]}, "telemetry.sensors[0].poll: must be at least 1"),
    ],
)
def test_telemetry(telemetry: dict[str, Any], text: str) -> None:
    assert text in errors({"telemetry": telemetry})


# -- the whole document


@pytest.mark.parametrize(
    ("configuration", "text"),
    [
        ({"foo": 1}, "foo: unknown key (the keys here are services, backends"),
        ({"Services": []}, "Services: unknown key (did you mean 'services'?): Unknown config keys: [Services]"),
        ({"services": {}}, "services: must be an array [{…}], not an object"),
        ({"backends": "x"}, "backends: must be an array [{…}], not a string"),
        ({"tasks": 5}, "tasks: must be an array [{…}], not a number"),
        ({"coprocesses": True}, "coprocesses: must be an array [{…}], not a boolean"),
        ({"services": ["x"]}, "services[0]: must be an object {…}, not a string"),
        ({"logging": "debug"}, "logging: must be an object {…}, not a string"),
        ({"logging": {"level": "verbose"}}, "logging.level: Unknown log level 'verbose': choose one of debug, info"),
        ({"logging": {"format": "xml"}}, "logging.format: Unknown log format 'xml': choose one of default, text, json"),
        ({"logging": {"output": "/var/log/x"}}, "logging.output: Unknown output type '/var/log/x'"),
        ({"logging": {"raw": True}}, "logging.raw: unknown key"),
        ({"stopTimeout": "5s"}, 'stopTimeout: must be a whole number, not "5s": it is in seconds, write 5'),
        ({"shutdownTimeout": "-1s"}, "shutdownTimeout: must not be negative, but is -1s"),
        ({"etcd": {"endpoints": "http://e:1"}}, "etcd: More than one discovery backend defined"),
    ],
)
def test_top_level(configuration: dict[str, Any], text: str) -> None:
    assert text in errors(configuration)


@pytest.mark.parametrize(
    "configuration",
    [
        '{"services": [{"name": "web", "port": 1, "poll": 1, "ttl": 5}]}',
        '{"services": [{"name": "web", "port": 1, "poll": 1, "ttl": 5}], "consul": null}',
    ],
)
def test_a_service_needs_a_catalogue(configuration: str) -> None:
    assert refused(configuration).errors == (
        "app.json:1:14: services: No discovery backend defined: "
        'add one of consul, etcd or directory, such as "consul": "localhost:8500"',
    )


def test_a_backend_needs_a_catalogue() -> None:
    (error,) = refused('{"backends": [{"name": "web", "poll": 1, "onChange": "x"}]}').errors

    assert "backends: No discovery backend defined" in error


@pytest.mark.parametrize(
    ("text", "what"), [("[]", "an array"), ('"x"', "a string"), ("5", "a number"), ("true", "a boolean")]
)
def test_a_document_that_is_not_an_object(text: str, what: str) -> None:
    assert refused(text).errors == (
        f"app.json:1:1: Could not parse configuration: must be an object {{…}}, not {what}",
    )


# -- whatever is written

any_value: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["1s", "/bin/x", "never", "eth0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
keys_of = {
    "services": ["name", "port", "poll", "ttl", "health", "timeout", "failures", "interfaces", "tags", "consul"],
    "backends": ["name", "poll", "onChange", "timeout", "tag", "mode"],
    "tasks": ["name", "command", "frequency", "timeout"],
    "coprocesses": ["name", "command", "restarts", "onExit"],
}
any_array = st.sampled_from(sorted(keys_of)).flatmap(
    lambda key: st.lists(st.dictionaries(st.sampled_from(keys_of[key]), any_value) | any_value, max_size=3).map(
        lambda elements: {key: elements}
    )
)
any_object = st.dictionaries(
    st.sampled_from(
        ["consul", "etcd", "directory", "logging", "telemetry", "preStart", "preStop", "stopTimeout", "shutdownTimeout"]
    ),
    any_value
    | st.dictionaries(st.sampled_from(["address", "tls", "endpoints", "level", "port", "sensors"]), any_value),
)


@given(any_array, any_object)
def test_any_configuration_loads_or_is_refused_and_nothing_else(array: dict[str, Any], others: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        load_text(json.dumps({**others, **array}), "app")


def test_thousands_of_errors_are_shown_as_fifty_and_their_number() -> None:
    tasks = ",\n".join('{"command": "true", "frequncy": "1h"}' for _ in range(3000))
    with pytest.raises(ConfigError) as caught:
        load_text(f'{{"tasks": [{tasks}]}}')
    assert len(caught.value.errors) == 51
    assert caught.value.errors[-1].endswith("and 5950 more errors")


def test_a_long_line_is_shown_only_around_the_place() -> None:
    text = '{"services": [' + " " * 100_000 + "}]}"
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert len(str(caught.value)) < 1000
    shown, pointer = str(caught.value).split("\n")[1:3]
    assert shown[pointer.index("^")] == "}"


LONG = "k" * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({LONG: 1}),
        json.dumps({"services": [{LONG: 1, "name": LONG}]}),
        json.dumps({"tasks": [{"command": "x", "frequency": LONG}]}),
        json.dumps({"telemetry": {"port": 1, "interfaces": ["k " * 500_000]}}),
        json.dumps({"jobs": [{"name": LONG, "timeout": LONG, "when": {"source": LONG, "once": LONG}}]}),
        f"{{{{ {LONG} }}}}",
    ],
)
def test_long_quotes_are_cut(text: str) -> None:
    error = refused(text)
    assert all(len(message) < 1200 for message in (*error.errors, *error.warnings))
    assert "…" in str(error)


def test_a_long_name_is_shown_with_beginning_and_end() -> None:
    name = f"my{'-long' * 30}-name"
    messages = errors({"services": [{**SERVICE, "name": name, "port": 0}]})
    assert messages.endswith(f"`port` must be > 0 in service {name[:60]}…{name[-18:]}: it is 0")
    assert f" {name[:40]}: " in errors({"services": [{**SERVICE, "name": name[:40], "port": 0}]})


@pytest.mark.parametrize(
    "text",
    [
        '{"logging": {"mask": "API_TOKEN"}, "stopTimeout": "{{ .API_TOKEN }}", "{{ .API_TOKEN }}": 1}',
        '{"logging": {"level": "{{ .API_TOKEN }}", "mask": ["API_TOKEN"]}}',
        '{"logging": {"mask": ["API_TOKEN"]}, {{ .API_TOKEN }}',
        '{"logging": {"mask": ["API_TOKEN"]}, "{{ .API_TOKEN | nosuchfunction }}": 1}',
        '{"logging": {"mask": ["API_TOKEN"]}, "{{ regexReplaceAll (.API_TOKEN | printf `(%s`) `` `` }}": 1}',
        '{"consul": {"token": "{{ .API_TOKEN }}"}, "stopTimeout": "{{ .API_TOKEN }}"}',
        '{"consul": {"address": "me:{{ .API_TOKEN }}@host"}, "stopTimeout": "{{ .API_TOKEN }}"}',
        '{"consul": "http://{{ .API_TOKEN }}@host", "stopTimeout": "{{ .API_TOKEN }}"}',
        '{"etcd": {"password": "{{ .API_TOKEN }}", "endpoints": []}, "stopTimeout": "{{ .API_TOKEN }}"}',
        '{"etcd": {"endpoints": ["http://e", "http://a:{{ .API_TOKEN }}@e"]}, "stopTimeout": "{{ .API_TOKEN }}"}',
    ],
)
def test_a_secret_is_masked_before_it_is_cut(text: str) -> None:
    secret = "s3cret" * 50
    with pytest.raises(ConfigError) as caught:
        load(
            Source("app.json", text),
            {"API_TOKEN": secret},
            arguments=("app",),
            hostname="host",
            addresses=list,
            secrets=Secrets(),
        )
    assert "s3cret" not in str(caught.value)


def test_a_health_check_of_the_other_dialect_is_explained() -> None:
    messages = errors({"services": [{**SERVICE, "health": {"exec": "x"}}]})

    assert (
        "Could not parse `health` in service myName: received zero-length argument: must be a string, or an" in messages
    )
    assert "not an object: in this dialect `health` is the command itself, with `poll`, `ttl` and `timeout`" in messages


def test_seconds_of_less_than_one_are_shown_as_they_are() -> None:
    messages = errors({"services": [{**SERVICE, "poll": 0.5, "port": 0.5}]})

    assert "`poll` must be > 0 in service myName: it is 0.5, and must be a whole number of seconds" in messages
    assert "`port` must be > 0 in service myName: it is 0.5, and must be a whole number\n" in f"{messages}\n"


@pytest.mark.parametrize(
    ("action", "environ", "hint"),
    [
        ("PORT", {}, " (did you mean .PORT?)"),
        ("port", {"port": "1"}, " (did you mean .port?)"),
        (".A | defualt 1", {}, " (did you mean 'default'?)"),
        (".A | Default 1", {}, " (did you mean 'default'?)"),
        ("zzzzzz", {}, ""),
    ],
)
def test_a_function_that_is_not_there_was_meant_as_something_else(
    action: str, environ: dict[str, str], hint: str
) -> None:
    error = refused(f"{{a: {{{{ {action} }}}}}}", environ=environ)

    assert str(error).endswith(f" not defined{hint}")
