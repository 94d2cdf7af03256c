"""How the dialect of a configuration is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cp.config import ConfigError
from tests.unit.config.loading import load_text, refused


@pytest.mark.parametrize(
    "key", ["services", "backends", "tasks", "coprocesses", "preStart", "onStart", "preStop", "postStop"]
)
def test_one_key_of_the_services_dialect_is_enough(key: str) -> None:
    assert load_text(json.dumps({key: None})).dialect == "services"


def test_without_such_a_key_a_command_tells() -> None:
    assert load_text('{"consul": "x:1"}', "app").dialect == "services"


def test_sensors_tell_the_services_dialect() -> None:
    (fault,) = refused('{"telemetry": {"Sensors": [], "interfaces": ["lo"]}}').faults

    assert fault == "app.json:1:15: telemetry: telemetry is not supported yet by this version"


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ({"jobs": []}, "it has the key 'jobs'"),
        ({"watches": []}, "it has the key 'watches'"),
        ({"control": {}}, "it has the key 'control'"),
        ({"telemetry": {"metrics": []}}, "it has the key 'telemetry.metrics'"),
        ({"dialect": "jobs"}, 'it says "dialect": "jobs"'),
        ({"dialect": "jobs", "services": []}, 'it says "dialect": "jobs"'),
    ],
)
def test_the_jobs_dialect_is_recognised_and_refused(configuration: dict[str, Any], why: str) -> None:
    (fault,) = refused(json.dumps(configuration)).faults

    assert fault.endswith(f": the jobs dialect ({why}) is not supported yet by this version")


def test_with_no_key_and_no_command_it_is_the_jobs_dialect() -> None:
    with pytest.raises(ConfigError) as caught:
        load_text('{"consul": "x:1"}')

    assert str(caught.value) == (
        "app.json:1:1: the jobs dialect (no key tells its dialect, and no command follows on the command line) "
        "is not supported yet by this version"
    )


def test_a_misspelt_key_is_reported_as_that() -> None:
    with pytest.raises(ConfigError, match="servces: unknown key \\(did you mean 'services'\\?\\)"):
        load_text('{"consul": "x:1", "servces": []}')


@pytest.mark.parametrize(
    ("text", "place", "names"),
    [
        ('{"services": [],\n "jobs": []}', "2:2", ("services", "jobs")),
        ('{"watches": [],\n "preStop": "x"}', "2:2", ("preStop", "watches")),
        ('{"tasks": [], "telemetry": {"metrics": []}}', "1:29", ("tasks", "telemetry.metrics")),
        ('{"telemetry": {"metrics": [], "sensors": []}}', "1:31", ("telemetry.sensors", "telemetry.metrics")),
    ],
)
def test_keys_of_both_are_refused_by_name(text: str, place: str, names: tuple[str, str]) -> None:
    (fault,) = refused(text).faults

    assert fault == (
        f"app.json:{place}: keys of two dialects: '{names[0]}' belongs to the services dialect, "
        f"'{names[1]}' to the jobs dialect: keep to one of them"
    )


def test_the_key_dialect_settles_it() -> None:
    assert load_text('{"dialect": "services"}').dialect == "services"
    (fault,) = refused('{"dialect": "services", "jobs": []}').faults
    assert fault.startswith("app.json:1:25: jobs: unknown key")


@pytest.mark.parametrize(
    ("value", "what"),
    [('"job"', "\"job\" (did you mean 'jobs'?)"), ('"v2"', '"v2"'), ("2", "a number")],
)
def test_another_dialect_is_refused(value: str, what: str) -> None:
    (fault,) = refused(f'{{"dialect": {value}}}').faults

    assert fault == f'app.json:1:13: dialect: must be "services" or "jobs", not {what}'
