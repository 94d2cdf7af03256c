"""The jobs dialect: `drain`."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Drain
from tests.unit.config.loading import errors_of_jobs, load_job, warnings_of_jobs

APP = {"name": "app", "exec": "app", "port": 80, "health": {"exec": "check", "interval": 1, "ttl": 5}}


def error(drain: Any, **others: Any) -> str:
    """The one error about a job with this drain, without its place."""
    (line,) = errors_of_jobs({**APP, **others, "drain": drain}).splitlines()
    return line.partition(": jobs[0].drain")[2]


@pytest.mark.parametrize(
    ("drain", "read"),
    [
        ("5s", Drain(min=5.0, max=5.0)),
        (5, Drain(min=5.0, max=5.0)),
        ("1500ms", Drain(min=1.5, max=1.5)),
        ({"min": "5s"}, Drain(min=5.0, max=5.0)),
        ({}, Drain(min=2.0, max=2.0)),
        ("0s", None),
        ("", None),
        (None, None),
        ({"min": 0}, None),
        ({"until": "idle"}, Drain(min=2.0, max=30.0, is_idle=True)),
        ({"until": "idle", "min": "5s"}, Drain(min=5.0, max=30.0, is_idle=True)),
        ({"until": "idle", "min": "0s"}, Drain(min=0.0, max=30.0, is_idle=True)),
        ({"until": "idle", "min": "1m"}, Drain(min=60.0, max=60.0, is_idle=True)),
        ({"until": "idle", "max": "1s"}, Drain(min=1.0, max=1.0, is_idle=True)),
        ({"until": "idle", "min": "2s", "max": "2s"}, Drain(min=2.0, max=2.0, is_idle=True)),
        ({"until": "idle", "max": 0}, Drain(min=0.0, max=0.0, is_idle=True)),
    ],
)
def test_drains(drain: Any, read: Drain | None) -> None:
    assert load_job(**APP, drain=drain).drain == read


def test_a_job_has_no_drain_by_itself() -> None:
    assert load_job(**APP).drain is None


@pytest.mark.parametrize(
    ("drain", "text"),
    [
        (True, ': must be a duration, such as "30s", not true'),
        ("5x", ": unable to parse job[app].drain '5x': time: unknown unit x in duration 5x"),
        ("-5s", ": job[app].drain '-5s' must not be negative"),
        ({"min": "-1s"}, ".min: job[app].drain.min '-1s' must not be negative"),
        ({"until": "idle", "max": True}, '.max: must be a duration, such as "30s", not true'),
        ({"until": "idle", "max": "1"}, ""),
        ({"max": "30s"}, '.max: needs "until": "idle": without it, `min` is the time that the drain takes'),
        ({"until": "ide"}, '.until: must be "idle", not "ide" (did you mean \'idle\'?)'),
        ({"until": ""}, '.until: must be "idle", not ""'),
        (
            {"until": "idle", "min": "20s", "max": "10s"},
            '.min: is "20s", longer than `max`: make it at most "10s"',
        ),
        ({"untl": "idle"}, ".untl: unknown key (did you mean 'until'?)"),
    ],
)
def test_errors(drain: Any, text: str) -> None:
    if text:
        assert error(drain).startswith(text)
    else:
        assert load_job(**APP, drain=drain).drain is not None


@pytest.mark.parametrize("without", [{"port": None}, {"port": 0}])
def test_a_drain_needs_a_port(without: dict[str, Any]) -> None:
    text = ": needs a `port`: only a job with a port is registered, and gets requests by the catalogue"
    assert error("5s", **without) == text


@pytest.mark.parametrize(
    ("drain", "limit", "seconds"),
    [("20s", "20s", "20"), ({"until": "idle"}, "10s", "30"), ({"until": "idle", "max": "1m"}, "59s", "60")],
)
def test_a_stop_that_is_shorter_than_a_drain_is_warned_about(drain: Any, limit: str, seconds: str) -> None:
    warning = warnings_of_jobs({**APP, "drain": drain}, shutdownTimeout=limit)
    assert (
        f"jobs[0].drain: may take {seconds} s, but a stop takes at most {limit[:-1]} s (`shutdownTimeout`)" in warning
    )
    assert warnings_of_jobs({**APP, "drain": drain}, shutdownTimeout="61s") == ""
