"""How the dialect of a configuration is recognised."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cp.config.errors import ConfigError
from cp.plan import ControlSettings
from tests.unit.config.loading import load_text, refused


@pytest.mark.parametrize(
    "key", ["services", "backends", "tasks", "coprocesses", "preStart", "onStart", "preStop", "postStop"]
)
def test_one_key_of_the_services_dialect_is_enough(key: str) -> None:
    assert load_text(json.dumps({key: None})).dialect == "services"


def test_without_such_a_key_a_command_decides() -> None:
    assert load_text('{"consul": "x:1"}', "app").dialect == "services"


def test_sensors_belong_to_the_services_dialect() -> None:
    plan = load_text('{"telemetry": {"Sensors": [], "interfaces": ["lo"]}}', "app")

    assert plan.dialect == "services"


@pytest.mark.parametrize("configuration", [{"jobs": []}, {"watches": []}, {"control": {}}, {"dialect": "jobs"}])
def test_one_key_of_the_jobs_dialect_is_enough(configuration: dict[str, Any]) -> None:
    assert load_text(json.dumps(configuration)).dialect == "jobs"


def test_metrics_belong_to_the_jobs_dialect() -> None:
    plan = load_text('{"telemetry": {"Metrics": [], "interfaces": ["lo"], "tags": "no array"}}')

    assert plan.dialect == "jobs"


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ({"jobs": []}, "it has the key 'jobs'"),
        ({"telemetry": None, "control": {}}, "it has the key 'control'"),
        ({"dialect": "jobs"}, 'it has "dialect": "jobs"'),
    ],
)
def test_in_the_jobs_dialect_a_command_is_not_run_and_a_warning_says_why(
    configuration: dict[str, Any], why: str
) -> None:
    warnings = load_text(json.dumps(configuration), "app").warnings

    assert [warning.partition(": ")[2] for warning in warnings if "command line" in warning] == [
        f"the command that follows on the command line is not run: this is the jobs dialect ({why}), "
        "which runs only jobs"
    ]


def test_with_no_key_and_no_command_it_is_the_jobs_dialect() -> None:
    assert load_text('{"consul": "x:1"}').dialect == "jobs"


def test_a_misspelt_key_is_reported_as_that() -> None:
    with pytest.raises(ConfigError, match="servces: unknown key \\(did you mean 'services'\\?\\)"):
        load_text('{"consul": "x:1", "servces": []}')


@pytest.mark.parametrize(
    ("text", "line_column", "names"),
    [
        ('{"services": [],\n "jobs": []}', "2:2", ("services", "jobs")),
        ('{"watches": [],\n "preStop": "x"}', "2:2", ("preStop", "watches")),
        ('{"tasks": [], "telemetry": {"metrics": []}}', "1:29", ("tasks", "telemetry.metrics")),
        ('{"telemetry": {"metrics": [], "sensors": []}}', "1:31", ("telemetry.sensors", "telemetry.metrics")),
    ],
)
def test_keys_of_both_are_refused_by_name(text: str, line_column: str, names: tuple[str, str]) -> None:
    (error,) = refused(text).errors

    assert error == (
        f"app.json:{line_column}: keys of two dialects: '{names[0]}' belongs to the services dialect, "
        f"'{names[1]}' to the jobs dialect: keep to one of them"
    )


def test_control_in_the_services_dialect_has_the_way_to_it_in_its_error() -> None:
    (error,) = refused('{"services": [], "control": {"socket": "/run/cp"}}').errors
    assert error.endswith('keep to one of them; for a control socket in the services dialect add "dialect": "services"')
    assert load_text('{"dialect": "services", "control": {"socket": "/run/cp"}}').control.socket == "/run/cp"


def test_the_key_dialect_settles_it() -> None:
    assert load_text('{"dialect": "services"}').dialect == "services"
    (error,) = refused('{"dialect": "services", "jobs": []}').errors
    assert error.startswith("app.json:1:25: jobs: unknown key")


@pytest.mark.parametrize(
    ("value", "what"),
    [('"job"', "\"job\" (did you mean 'jobs'?)"), ('"v2"', '"v2"'), ("2", "a number")],
)
def test_another_dialect_is_refused(value: str, what: str) -> None:
    (error,) = refused(f'{{"dialect": {value}}}').errors

    assert error == f'app.json:1:13: dialect: must be "services" or "jobs", not {what}'


def test_a_declared_services_dialect_may_have_a_control_socket() -> None:
    plan = load_text('{"dialect": "services", "control": {"socket": "/run/c.socket"}}', "app")

    assert plan.control == ControlSettings(socket="/run/c.socket", announced=False)


def test_without_a_word_about_it_the_services_dialect_does_not_announce_its_control_socket() -> None:
    assert load_text('{"services": []}', "app").control == ControlSettings(announced=False)
