"""The job that was probably meant by a name."""

from __future__ import annotations

import pytest

from cp.servers import hint_at_name

JOBS = ("app", "preStop", "coprocess[agent]", "task[clean up]", "requests.sensor")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ap", "app"),
        ("agent", "coprocess[agent]"),
        ("clean up", "task[clean up]"),
        ("requests", "requests.sensor"),
        ("prestop", "preStop"),
    ],
)
def test_the_whole_name_of_a_job_is_found_by_its_part(name: str, meant: str) -> None:
    assert hint_at_name(name, JOBS) == f" (did you mean '{meant}'?)"


@pytest.mark.parametrize("name", ["", "zzzzzzz"])
def test_nothing_is_guessed(name: str) -> None:
    assert hint_at_name(name, JOBS) == ""
