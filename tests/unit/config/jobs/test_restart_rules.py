"""The jobs dialect: `restarts` as an object."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Restarts
from tests.unit.config.loading import errors_of_jobs, load_job, load_jobs, warnings_of_jobs

APP = {"name": "app", "exec": "app"}
HOOK = {"name": "hook", "exec": "hook", "when": {"source": "app", "once": "stopping"}}


def error(rules: Any, **others: Any) -> str:
    """The one error about a job with these rules, without its place."""
    (line,) = errors_of_jobs({**APP, **others, "restarts": rules}).splitlines()
    return line.partition(": jobs[0].restarts")[2]


@pytest.mark.parametrize(
    ("rules", "number", "read"),
    [
        ({}, None, Restarts()),
        ({"max": 5}, 5, Restarts()),
        ({"max": "3", "per": 600}, 3, Restarts(per=600.0)),
        ({"max": "never"}, 0, Restarts()),
        ({"max": "unlimited", "on": "failure"}, None, Restarts(on_failure=True)),
        ({"on": "always", "then": "fail"}, None, Restarts()),
        ({"pause": "1s", "maxPause": "1s"}, None, Restarts(pause=1.0, max_pause=1.0)),
        ({"maxPause": "50ms"}, None, Restarts(max_pause=0.05)),
        ({"max": 5, "per": "10m", "then": "delay"}, 5, Restarts(per=600.0, delays=True)),
    ],
)
def test_rules_of_restarts(rules: dict[str, Any], number: int | None, read: Restarts) -> None:
    job = load_job(exec="app", restarts=rules)
    assert (job.restarts, job.restart_rules) == (number, read)


@pytest.mark.parametrize("plain", [3, "unlimited", "never"])
def test_a_number_has_no_rules(plain: int | str) -> None:
    assert load_job(exec="app", restarts=plain).restart_rules is None


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"max": -1}, ".max: job[app].restarts field '-1' invalid: number must be positive integer"),
        ({"max": "always"}, ".max: job[app].restarts field 'always' invalid: accepts positive integers"),
        ({"on": "failed"}, '.on: must be "always" or "failure", not "failed"'),
        ({"on": ""}, '.on: must be "always" or "failure", not ""'),
        ({"on": True}, '.on: must be "always" or "failure", not true'),
        ({"then": "stop", "max": 1, "per": "1m"}, '.then: must be "fail" or "delay", not "stop"'),
        ({"then": "delay", "max": 1}, '.then: "delay" needs a `per`, such as "per": "10m"'),
        ({"per": "10m"}, '.per: needs a number of at least 1 as `max`, which is missing: write one, such as "max": 5'),
        ({"per": "10m", "max": "unlimited"}, '.per: needs a number of at least 1 as `max`, not "unlimited"'),
        ({"per": "10m", "max": 0}, ".per: needs a number of at least 1 as `max`, not 0"),
        ({"per": "10", "max": 1, "pause": "1x"}, ".pause: unable to parse job[app].restarts.pause '1x'"),
        ({"pause": "0s"}, ".pause: job[app].restarts.pause '0s' cannot be less than 1ms"),
        ({"pause": True}, '.pause: must be a duration, such as "30s", not true'),
        ({"pause": "5s", "maxPause": "1s"}, '.maxPause: is "1s", shorter than `pause`'),
        ({"limit": 5}, ".limit: unknown key"),
    ],
)
def test_rules_without_a_meaning_are_refused(rules: dict[str, Any], text: str) -> None:
    assert error(rules).startswith(text)


def test_a_periodic_job_has_a_number_alone() -> None:
    when = {"interval": "10s"}
    assert error({"max": 5}, when=when).startswith(": does not go with `when.interval` as an object")
    assert load_job(exec="app", when=when, restarts=5).restarts == 5


@pytest.mark.parametrize("when", [{"source": "other", "each": "exitSuccess"}, {"source": "SIGHUP"}])
def test_a_job_that_starts_again_and_again_has_no_window(when: dict[str, Any]) -> None:
    other = {"name": "other", "exec": "other"}
    rules = {"max": 5, "per": "10m"}
    found = errors_of_jobs({**APP, "when": when, "restarts": rules}, other)
    assert "jobs[0].restarts.per: does not go with `when.each`" in found
    assert load_job(exec="app", when={"source": "SIGHUP"}, restarts={"max": 5, "on": "failure"}).restarts == 5


@pytest.mark.parametrize("rules", [{}, {"on": "failure"}, {"max": "unlimited"}])
def test_unlimited_restarts_do_not_go_with_each(rules: dict[str, Any]) -> None:
    found = errors_of_jobs(
        {**APP, "when": {"source": "other", "each": "exitSuccess"}, "restarts": rules},
        {"name": "other", "exec": "other"},
    )
    assert "jobs[0].restarts.max: job[app].restarts field 'unlimited' invalid: may not be used when" in found


def test_a_hook_never_delays_the_end_of_its_job_without_end() -> None:
    found = errors_of_jobs(APP, {**HOOK, "restarts": {"max": 1, "per": "10m"}})
    assert "jobs[1].restarts.per: does not go with a job that waits for `stopping`: app would wait" in found
    assert load_jobs(APP, {**HOOK, "restarts": {"max": 1}}).jobs[1].restarts == 1


def test_rules_have_no_effect_without_a_process() -> None:
    found = warnings_of_jobs({"name": "app", "health": {"interval": 1, "ttl": 5}, "restarts": {"max": 1}})
    assert "jobs[0].restarts: has no effect without `exec`" in found


def test_a_failing_check_needs_a_restart() -> None:
    check = {"exec": "check", "interval": 1, "ttl": 5, "onUnhealthy": "restart"}
    found = errors_of_jobs({**APP, "health": check, "restarts": {"max": 0}})
    assert 'onUnhealthy: "restart" needs `restarts` of the job' in found
    assert load_job(exec="app", health=check, restarts={"on": "failure"}).restarts is None
