"""`id` of a job: the id of its service in the catalogue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.config.loading import errors_of_jobs, load_jobs, warnings_of_jobs


def served(**changes: Any) -> dict[str, Any]:
    return {"name": "web", "port": 80, "health": {"exec": "check", "interval": 1, "ttl": 5}, **changes}


@pytest.mark.parametrize("id", ["blue", "web-box-8001", "A.b_c:d@e-9"])
def test_an_instance_has_the_id_that_the_configuration_gives_it(id: str) -> None:
    service = load_jobs(served(id=id)).jobs[0].service
    assert service is not None
    assert service.id == id


def test_without_one_an_instance_has_the_usual_id() -> None:
    for changes in ({}, {"id": None}):
        service = load_jobs(served(**changes)).jobs[0].service
        assert service is not None
        assert service.id == "web-host"


@pytest.mark.parametrize(
    ("id", "error"),
    [
        ("", "must not be empty: leave it out for '<name>-<hostname>'"),
        ("a b", 'must consist of letters (a to z, A to Z), digits and . _ : @ -, but is "a b"'),
        ("a/b", 'must consist of letters (a to z, A to Z), digits and . _ : @ -, but is "a/b"'),
        ("..", 'must consist of letters (a to z, A to Z), digits and . _ : @ -, but is ".."'),
        ("\u00e9", 'must consist of letters (a to z, A to Z), digits and . _ : @ -, but is "\u00e9"'),
        (
            "\u00e9\x1b\n",
            "must consist of letters (a to z, A to Z), digits and . _ : @ -, but is '\u00e9\\x1b\\n'",
        ),
        ("x" * 201, "must not have more than 200 characters, but has 201"),
    ],
)
def test_an_id_that_no_catalogue_should_have(id: str, error: str) -> None:
    assert errors_of_jobs(served(id=id)).endswith(f"jobs[0].id: {error}")


def test_an_id_has_no_effect_without_a_port() -> None:
    found = warnings_of_jobs({"name": "web", "exec": "x", "id": "blue"})
    assert "jobs[0].id: has no effect without a `port`" in str(found)


@pytest.mark.parametrize("first", [{"id": "blue"}, {"name": "blue"}, {"name": "other", "id": "blue"}])
def test_two_jobs_cannot_have_one_id(first: dict[str, Any]) -> None:
    second = served(name="green", id="blue-host" if first.get("name") == "blue" else "blue")
    error = (
        f"jobs[1].id: '{second['id']}' is the id of {first.get('name', 'web')}, too: in the catalogue one would replace"
    )
    assert error in errors_of_jobs(served(**first), second)


def test_the_id_of_telemetry_is_its_own() -> None:
    found = errors_of_jobs(served(id="containerpilot-host"), telemetry={"port": 9090, "interfaces": ["lo"]})
    assert "jobs[0].id: 'containerpilot-host' is the id of containerpilot, too" in found


def test_jobs_of_one_name_may_have_ids_of_their_own() -> None:
    plan = load_jobs(served(id="blue"), served(), served(id="green"))
    assert [job.service.id for job in plan.jobs if job.service is not None] == ["blue", "web-host", "green"]
