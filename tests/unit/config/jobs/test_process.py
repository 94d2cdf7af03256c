"""The jobs dialect: what the process of a job reads, and which of its exit codes count as success."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import INHERIT
from tests.unit.config.loading import errors_of_jobs, load_dict, load_job, load_jobs, warnings_of_jobs

APP = {"name": "app", "exec": "app", "main": True}
PREPARE = {"name": "prepare", "exec": "prepare"}


# -- stdin


@pytest.mark.parametrize(
    ("given", "read"),
    [(None, INHERIT), ("inherit", INHERIT), ("null", ""), ("/run/dump", "/run/dump"), ("./dump", "./dump")],
)
def test_the_main_job_reads_the_standard_input_unless_it_is_given_another(given: str | None, read: str) -> None:
    assert load_job(**APP, stdin=given).stdin == read


@pytest.mark.parametrize(
    ("given", "read"), [(None, ""), ("null", ""), ("inherit", INHERIT), ("/run/dump", "/run/dump")]
)
def test_another_job_reads_nothing_unless_it_is_given_something(given: str | None, read: str) -> None:
    assert load_job(exec="app", stdin=given).stdin == read


def test_a_job_without_a_process_reads_nothing() -> None:
    keys = {"stdin": "inherit", "health": {"interval": 1, "ttl": 5}}

    assert load_job(**keys).stdin == ""
    assert "jobs[0].stdin: has no effect without `exec`" in warnings_of_jobs({"name": "app", **keys})


def test_the_application_of_the_services_dialect_reads_the_standard_input_and_no_hook_does() -> None:
    plan = load_dict({"preStart": "a", "preStop": "b", "coprocesses": [{"command": "c"}]})

    assert {job.name: job.stdin for job in plan.jobs if job.stdin} == {"APP": INHERIT}


@pytest.mark.parametrize("given", ["", "inherited", "NULL", "dump", "-"])
def test_values_that_are_neither_a_word_nor_a_path_are_refused(given: str) -> None:
    text = f'jobs[0].stdin: must be "inherit", "null", or a path with a slash, not "{given}"'
    assert text in errors_of_jobs({"name": "app", "exec": "app", "stdin": given})


@pytest.mark.parametrize(
    ("given", "end"),
    [
        (5, 'not 5: write "./5" for a file'),
        (True, "not true"),
        ("dump", 'not "dump": write "./dump" for a file'),
        ("inherited", "not \"inherited\" (did you mean 'inherit'?)"),
        ("", 'not ""'),
        ([], "not an array"),
        (["a"], "not an array"),
    ],
)
def test_the_standard_input_that_is_refused_is_shown_as_it_is_written(given: object, end: str) -> None:
    found = errors_of_jobs({"name": "app", "exec": "app", "stdin": given})

    assert found.count("jobs[0].stdin: ") == 1
    assert found.endswith(end)


def test_null_for_the_main_job_is_not_the_word_null() -> None:
    assert 'jobs[0].stdin: null is the same as no `stdin`: write "null" if' in warnings_of_jobs({**APP, "stdin": None})
    assert warnings_of_jobs({**PREPARE, "stdin": None}) == ""


@pytest.mark.parametrize(
    ("jobs", "text"),
    [
        (
            [APP, {**PREPARE, "stdin": "inherit"}],
            "jobs[1].stdin: 'app' reads ContainerPilot's standard input already, as the main job does, "
            "and only one job can: give 'app' the `stdin` \"null\"",
        ),
        (
            [{**PREPARE, "stdin": "inherit"}, APP],
            "jobs[1].stdin: the main job reads ContainerPilot's standard input, and 'prepare' does, too, "
            "and only one job can: give 'app' the `stdin` \"null\"",
        ),
        (
            [{**PREPARE, "stdin": "inherit"}, {"name": "other", "exec": "x", "stdin": "inherit"}],
            "jobs[1].stdin: 'prepare' reads ContainerPilot's standard input already, and only one job can: "
            "give 'other' the `stdin` \"null\"",
        ),
    ],
)
def test_only_one_job_reads_the_standard_input(jobs: list[dict[str, Any]], text: str) -> None:
    assert text in errors_of_jobs(*jobs)


def test_a_job_before_the_main_one_can_have_the_standard_input_instead() -> None:
    prepare, app = load_jobs({**PREPARE, "stdin": "inherit"}, {**APP, "stdin": "null"}).jobs

    assert (prepare.stdin, app.stdin) == (INHERIT, "")


# -- successExitCodes


@pytest.mark.parametrize(
    ("given", "codes"),
    [(None, ()), ([], ()), ([143], (143,)), ([143, 0, 143], (0, 143)), (143, (143,)), (["143", 7.0], (7, 143))],
    ids=repr,
)
def test_success_codes(given: Any, codes: tuple[int, ...]) -> None:
    assert load_job(exec="app", successExitCodes=given).success_codes == codes


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([0, 256], "jobs[0].successExitCodes[1]: must be from 0 to 255, not 256"),
        ([-15], "jobs[0].successExitCodes[0]: must be from 0 to 255, not -15"),
        (300, "jobs[0].successExitCodes: must be from 0 to 255, not 300"),
        (["SIGTERM"], 'jobs[0].successExitCodes[0]: must be a whole number, not "SIGTERM"'),
        ({"a": 1}, "jobs[0].successExitCodes: must be a whole number, not an object"),
    ],
    ids=repr,
)
def test_success_codes_that_no_exit_can_have(given: Any, text: str) -> None:
    assert text in errors_of_jobs({"name": "app", "exec": "app", "successExitCodes": given})


def test_success_codes_without_a_process_have_no_effect() -> None:
    job = {"name": "app", "health": {"interval": 1, "ttl": 5}, "successExitCodes": [1]}

    assert "jobs[0].successExitCodes: has no effect without `exec`" in warnings_of_jobs(job)
