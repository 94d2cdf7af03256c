"""Jobs of one name: all of them run, with a warning that has both places."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import Job, Plan
from tests.unit.config.loading import errors_of_jobs, load_jobs, names, warnings_of_jobs

HEALTH = {"exec": "check", "interval": 10, "ttl": 25}
WEB: dict[str, Any] = {"name": "web", "port": 80, "health": HEALTH}


def sources(plan: Plan) -> list[str]:
    return [job.source or job.name for job in plan.jobs]


def ids(plan: Plan) -> list[str]:
    return [job.service.id for job in plan.jobs if job.service is not None]


def test_each_has_a_name_of_its_own_and_the_source_is_the_same() -> None:
    plan = load_jobs({"name": "my job", "exec": "a"}, {"name": "my job", "exec": "b"}, {"name": "my job", "exec": "c"})

    assert names(plan) == ["my job", "my job#2", "my job#3"]
    assert sources(plan) == ["my job"] * 3
    assert [job.label for job in plan.jobs] == ["my job"] * 3
    assert [job.log_fields for job in plan.jobs] == [(("job", "my job"),)] * 3
    assert [job.pid_variables for job in plan.jobs] == [("CONTAINERPILOT_MY_JOB_PID",)] * 3


def test_the_first_is_like_a_single_job() -> None:
    assert load_jobs(WEB, WEB).jobs[0] == load_jobs(WEB).jobs[0]


def test_services_of_one_name_have_ids_of_their_own() -> None:
    plan = load_jobs(WEB, WEB, {"name": "web", "exec": "x"}, WEB)

    assert names(plan) == ["web", "web#2", "web#3", "web#4"]
    assert ids(plan) == ["web-host", "web-host-2", "web-host-3"]
    assert {job.service.name for job in plan.jobs if job.service is not None} == {"web"}
    assert {check.source for job in plan.jobs for check in job.health} == {"check.web"}


def test_the_only_service_of_a_name_has_the_id_that_it_has_alone() -> None:
    assert ids(load_jobs({"name": "web", "exec": "x"}, WEB)) == ["web-host"]


def test_the_warning_has_both_places() -> None:
    messages = warnings_of_jobs(WEB, {"name": "other", "exec": "x"}, WEB)

    assert messages == (
        "app.json:1:162: jobs[2].name: 'web' is the name of jobs[0] (app.json:1:45) too: all jobs of a name run, and "
        "its events come from any of them. This one is 'web#2' in the control plane, and is registered as "
        "'web-host-2'. Give it another name to tell its events apart"
    )


def test_variables_of_one_name_are_not_warned_of_as_well() -> None:
    messages = warnings_of_jobs({**WEB, "exec": "a"}, {**WEB, "exec": "b", "interfaces": ["lo"]})
    assert len(messages.splitlines()) == 1
    assert dict(load_jobs(WEB, {**WEB, "interfaces": ["lo"]}).environ) == {"CONTAINERPILOT_WEB_IP": "127.0.0.1"}


@pytest.mark.parametrize("order", [("a", "a", "a#2"), ("a#2", "a", "a"), ("a", "a#2", "a")])
def test_a_name_that_somebody_has_is_left_out(order: tuple[str, ...]) -> None:
    found = names(load_jobs(*({"name": name, "exec": "x"} for name in order)))
    assert sorted(found) == ["a", "a#2", "a#3"]
    assert [name for name in found if name in ("a", "a#2")] == list(dict.fromkeys(order))


def test_a_job_with_the_name_of_telemetry() -> None:
    plan = load_jobs({"name": "containerpilot", "port": 9000}, telemetry={"port": 9090})

    assert names(plan) == ["containerpilot", "containerpilot#2"]
    assert ids(plan) == ["containerpilot-host", "containerpilot-host-2"]
    assert plan.telemetry is not None
    assert plan.telemetry.job == "containerpilot#2"
    assert [warning.partition(": ")[2].partition(" too")[0] for warning in plan.warnings if "too" in warning] == [
        "telemetry: has a job of its own: 'containerpilot' is the name of jobs[0] (app.json:1:45)"
    ]


def test_only_one_of_them_can_be_the_main_job() -> None:
    main = {"name": "app", "exec": "x", "main": True}
    assert "jobs[1].main: 'app' is the main job already" in errors_of_jobs(main, main)
    plan = load_jobs({"name": "app", "exec": "y"}, main)
    assert [job.main for job in plan.jobs] == [False, True]


@pytest.mark.parametrize("name", ["", "  "])
def test_blank_names_are_an_error_and_no_more(name: str) -> None:
    messages = errors_of_jobs({"name": name}, {"name": name})
    assert len([line for line in messages.splitlines() if "must not be blank" in line]) == 2
    assert "too: all jobs" not in messages


# --- who waits for whom


def after(event: str, source: str, name: str = "last") -> dict[str, Any]:
    return {"name": name, "exec": "x", "when": {"source": source, "once": event}}


def warned(*jobs: dict[str, Any]) -> list[str]:
    """The warnings, except those about the names."""
    return [line for line in warnings_of_jobs(*jobs).splitlines() if "too: all jobs" not in line]


def test_an_event_that_one_of_them_sends_is_sent() -> None:
    assert warned({"name": "a", "exec": "x"}, {"name": "a", "health": HEALTH}, after("healthy", "a")) == []
    assert warned({"name": "a", "exec": "x"}, {"name": "a"}, after("exitSuccess", "a")) == []


def test_an_event_that_neither_sends_is_warned_of_with_each_event_once() -> None:
    (messages,) = warned({"name": "a", "exec": "x"}, {"name": "a", "exec": "y"}, after("healthy", "a"))
    assert messages.endswith("it sends only exitSuccess, exitFailed, stopping, stopped, ready")


def test_a_circle_that_another_job_of_the_same_name_breaks_is_accepted() -> None:
    assert warned({"name": "a", "exec": "x"}, after("exitSuccess", "b", "a"), after("exitSuccess", "a", "b")) == []


def test_exits_of_its_own_name_do_not_start_a_job() -> None:
    (messages,) = warned({"name": "a", "exec": "x"}, after("exitSuccess", "a", "a"))
    assert "the job never starts: it waits for an event of its own" in messages
    assert warned({"name": "a", "health": HEALTH}, after("healthy", "a", "a")) == []


def test_the_name_with_a_number_is_not_a_source() -> None:
    assert "there is no source 'a#2'" in errors_of_jobs({"name": "a"}, {"name": "a"}, after("stopped", "a#2"))


def test_thousands_of_jobs_of_one_name() -> None:
    plan = load_jobs(*[{"name": "aa", "port": 80, "health": HEALTH}] * 2_000)
    last: Job = plan.jobs[-1]
    assert last.service is not None
    assert (last.name, last.service.id) == ("aa#2000", "aa-host-2000")
