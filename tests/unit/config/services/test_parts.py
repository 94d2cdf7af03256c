"""The services dialect: what services, backends, tasks and coprocesses become in the plan."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import LOG, REPLACE, Check, Job, Service, Watch, When
from tests.unit.config.loading import job, load_dict, names

AT_STARTUP = When(code="startup", source="global")

SERVICE = {"name": "web", "port": 80, "poll": 10, "ttl": 25}


def service(**keys: Any) -> Job:
    return job(load_dict({"services": [{**SERVICE, **keys}]}), str(keys.get("name", "web")))


# -- services


def test_a_service_is_a_job_without_a_process() -> None:
    assert service(
        health=["/bin/check", "web"],
        timeout="1500ms",
        tags=["a", "b"],
        consul={"enableTagOverride": True, "deregisterCriticalServiceAfter": "40m"},
    ) == Job(
        name="web",
        label="web",
        when=AT_STARTUP,
        health=(
            Check(
                label="web.health",
                interval=10.0,
                command=("/bin/check", "web"),
                timeout=1.5,
                timeout_text="1500ms",
                log_fields=(("process", "health"), ("serviceName", "web"), ("serviceID", "web-host")),
                unstartable="Unable to start",
            ),
        ),
        service=Service(
            name="web",
            id="web-host",
            address="10.0.0.7",
            port=80,
            ttl=25,
            tags=("a", "b"),
            separate_check=True,
            enable_tag_override=True,
            deregister_critical_after="40m",
        ),
        counted=True,
        pauses_in_maintenance=True,
        reload=REPLACE,
    )


def test_a_service_without_a_health_check_only_sends_heartbeats() -> None:
    for (health,) in (service().health, service(health=None).health):
        assert (health.command, health.interval, health.timeout) == (None, 10.0, None)


@pytest.mark.parametrize("timeout", ["", "0", 0, None], ids=repr)
def test_a_timeout_of_zero_means_no_limit(timeout: Any) -> None:
    (health,) = service(health="/bin/true", timeout=timeout).health

    assert (health.timeout, health.timeout_text) == (None, "")


def test_a_number_is_a_timeout_in_seconds() -> None:
    (health,) = service(health="/bin/true", timeout=5).health

    assert (health.timeout, health.timeout_text) == (5.0, "5")


def test_failures_in_a_row_may_be_reported() -> None:
    (health,) = service(health="/bin/true", failures=3).health

    assert (health.failures, health.critical_after) == (1, 3)


def test_numbers_may_be_strings_and_keys_may_have_any_case() -> None:
    plan = load_dict({"services": [{"Name": "web", "PORT": "0x50", "poll": 10.9, "ttl": "25", "Tags": {}}]})

    found = job(plan, "web").service
    assert found is not None
    assert (found.port, found.ttl, found.tags) == (80, 25, ())
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("interfaces", "address"),
    [
        (None, "10.0.0.7"),
        ([], "10.0.0.7"),
        ("lo", "127.0.0.1"),
        (["ethwe", "eth0"], "10.0.0.7"),
        (["static:192.168.1.100", "lo"], "192.168.1.100"),
    ],
)
def test_the_address_of_a_service(interfaces: Any, address: str) -> None:
    found = service(interfaces=interfaces).service

    assert found is not None
    assert found.address == address


def test_the_addresses_of_the_machine_are_read_once_and_only_if_they_are_needed() -> None:
    from cp.config.load import load
    from cp.config.source import Source
    from cp.platform.address import Address

    calls = []

    def addresses() -> list[Address]:
        calls.append(1)
        return [Address("eth0", bytes([10, 0, 0, 7]))]

    def load_with(interfaces: str) -> None:
        one = f'"port": 1, "poll": 1, "ttl": 5, "interfaces": ["{interfaces}"]'
        text = f'{{"consul": "c:1", "services": [{{"name": "aa", {one}}}, {{"name": "bb", {one}}}]}}'
        load(Source("f", text), {}, arguments=("app",), hostname="h", addresses=addresses)

    load_with("static:127.0.0.1")
    assert len(calls) == 0
    load_with("eth0")
    assert len(calls) == 1


def test_two_services_of_one_name_have_ids_of_their_own() -> None:
    plan = load_dict({"services": [SERVICE, {**SERVICE, "port": 443}]})

    assert names(plan) == ["web", "web#2", "APP"]
    assert [one.service.id for one in plan.jobs if one.service] == ["web-host", "web-host-2"]
    assert plan.warnings == (
        "app.json:1:101: services[1].name: another service is called 'web' too: "
        "this one is registered as 'web-host-2' beside 'web-host'",
    )


def test_a_service_may_have_the_name_of_an_internal_job() -> None:
    plan = load_dict({"services": [{**SERVICE, "name": "APP"}, {**SERVICE, "name": "preStart"}]})

    assert names(plan) == ["APP#2", "preStart#2", "APP"]
    assert job(plan, "APP").main


def test_the_variable_of_a_service() -> None:
    assert load_dict({"services": [{**SERVICE, "name": "a.b-C_d"}]}).environ == (
        ("CONTAINERPILOT_A.B_C_D_IP", "10.0.0.7"),
    )


@pytest.mark.parametrize("name", ["myService", "my-service", "my-service-123"])
def test_good_names(name: str) -> None:
    assert load_dict({"services": [{**SERVICE, "name": name}]}).warnings == ()


@pytest.mark.parametrize("name", ["x", "Web", "my_service", "a.b", "my%service", "1st"])
def test_names_that_dns_cannot_carry_are_accepted_with_a_warning(name: str) -> None:
    (warning,) = load_dict({"services": [{**SERVICE, "name": name}]}).warnings

    assert warning.startswith(
        "app.json:1:49: services[0].name: deprecated: service names must be alphanumeric with dashes"
    )


def test_a_ttl_that_runs_out_between_two_checks_is_warned_about() -> None:
    (warning,) = load_dict({"services": [{**SERVICE, "ttl": 10}]}).warnings

    assert "services[0].ttl: a `ttl` of 10 s is not more than the `poll` of 10 s" in warning


def test_a_timeout_without_a_health_check_is_warned_about_and_not_looked_at() -> None:
    (warning,) = load_dict({"services": [{**SERVICE, "timeout": "xx"}]}).warnings

    assert "services[0].timeout: has no effect" in warning


# -- backends


def test_a_backend_is_a_watch_and_a_job() -> None:
    plan = load_dict(
        {"backends": [{"name": "db", "poll": 7, "onChange": "/bin/re load", "tag": "dev", "timeout": "3"}]}
    )

    assert plan.watches == (
        Watch(
            name="db",
            source="watch.db",
            tag="dev",
            interval=7.0,
            delay=7.0,
            starts_on=("startup", "global"),
            pauses_in_maintenance=True,
            remembers=True,
        ),
    )
    assert job(plan, "db.onChange") == Job(
        name="db.onChange",
        label="db.onChange",
        when=When(code="changed", source="watch.db", each=True),
        command=("/bin/re", "load"),
        timeout=3.0,
        timeout_text="3",
        log_fields=(("process", "onChange"), ("backend", "db")),
        pauses_in_maintenance=True,
        reload=REPLACE,
    )


def test_a_backend_may_be_polled_only() -> None:
    backend = {"name": "db", "poll": 7, "onChange": "x"}

    plan = load_dict({"backends": [{**backend, "mode": "poll"}, {**backend, "name": "mq", "mode": "push"}]})

    assert [watch.push for watch in plan.watches] == [False, True]


def test_backends_of_one_name_with_different_tags_are_watched_apart() -> None:
    backend = {"name": "db", "poll": 7, "onChange": "x"}

    plan = load_dict({"backends": [{**backend, "tag": "one"}, {**backend, "tag": "two"}]})

    assert [watch.source for watch in plan.watches] == ["watch.db", "watch.db[two]"]
    jobs = [(one.name, one.label, one.when.source) for one in plan.jobs if one.when.code == "changed"]
    assert jobs == [("db.onChange", "db.onChange", "watch.db"), ("db.onChange#2", "db.onChange", "watch.db[two]")]
    assert plan.warnings == ()


def test_the_same_backend_twice_is_warned_about_and_both_run() -> None:
    backend = {"name": "db", "poll": 7, "onChange": "x", "tag": "t"}

    plan = load_dict({"backends": [backend, backend, backend]})

    assert [watch.source for watch in plan.watches] == ["watch.db", "watch.db[t]", "watch.db[t]#2"]
    assert "one of them is enough" in plan.warnings[0]


# -- tasks


def task(**keys: Any) -> Job:
    return load_dict({"tasks": [{"name": "t", "command": "x", **keys}]}).jobs[0]


def test_a_task_is_an_interval_job() -> None:
    assert task(command=["/bin/backup", "now"], frequency="1500ms") == Job(
        name="task[t]",
        label="task[t]",
        when=When(code="startup", source="global", interval=1.5, delay=1.5),
        command=("/bin/backup", "now"),
        restarts=None,
        timeout=1.5,
        timeout_text="1500ms",
        log_fields=(("process", "task"), ("task", "t")),
        pauses_in_maintenance=True,
        reload=REPLACE,
    )


@pytest.mark.parametrize(
    ("keys", "interval", "timeout", "timeout_text"),
    [
        ({"frequency": "1ms"}, 0.001, 0.001, "1ms"),
        ({"frequency": "10s", "timeout": "10"}, 10.0, 10.0, "10"),
        ({"frequency": "10", "timeout": "1s"}, 10.0, 1.0, "1s"),
        ({"frequency": 5, "timeout": ""}, 5.0, 5.0, "5"),
    ],
)
def test_the_times_of_a_task(keys: dict[str, Any], interval: float, timeout: float, timeout_text: str) -> None:
    built = task(**keys)

    assert (built.when.interval, built.when.delay) == (interval, interval)
    assert (built.timeout, built.timeout_text) == (timeout, timeout_text)


def test_a_task_without_a_name_is_called_like_its_command() -> None:
    plan = load_dict({"tasks": [{"command": "/bin/x y", "frequency": 1}, {"command": "/bin/x y", "frequency": 1}]})

    assert names(plan) == ["task[/bin/x y]", "task[/bin/x y]#2", "APP"]
    assert plan.jobs[1].label == "task[/bin/x y]"
    assert plan.jobs[0].log_fields == (("process", "task"), ("task", "/bin/x y"))


# -- coprocesses


def coprocess(**keys: Any) -> Job:
    return load_dict({"coprocesses": [{"command": "/usr/bin/true", **keys}]}).jobs[0]


def test_a_coprocess_is_a_job_with_restarts() -> None:
    assert coprocess(name="my-agent", command="/bin/agent -v", restarts=3) == Job(
        name="coprocess[my-agent]",
        label="coprocess[my-agent]",
        when=AT_STARTUP,
        command=("/bin/agent", "-v"),
        restarts=3,
        stops_last=True,
        killed_unasked=True,
        output=LOG,
        log_fields=(("process", "coprocess"), ("coprocess", "my-agent")),
        failure_level="error",
        pid_variables=("CONTAINERPILOT_MY_AGENT_PID", "CONTAINERPILOT_COPROCESS[MY-AGENT]_PID"),
        keep_pid_variables=True,
        reload=REPLACE,
    )


@pytest.mark.parametrize(("on_exit", "killed"), [(None, True), ("kill", True), ("term", False)])
def test_on_exit_says_whether_a_coprocess_is_killed_when_the_application_has_ended(
    on_exit: str | None, killed: bool
) -> None:
    assert coprocess(onExit=on_exit).killed_unasked is killed


@pytest.mark.parametrize(
    ("restarts", "count"),
    [
        (None, 0),
        ("never", 0),
        (0, 0),
        ("0", 0),
        (1, 1),
        ("1", 1),
        (1.0, 1),
        (1.1, 1),
        ("3", 3),
        ("unlimited", None),
    ],
    ids=repr,
)
def test_restarts(restarts: Any, count: int | None) -> None:
    assert coprocess(restarts=restarts).restarts == count


def test_a_coprocess_without_a_name_is_called_like_its_command() -> None:
    assert coprocess(name="", command=["/usr/bin/true"]).name == "coprocess[/usr/bin/true]"


def test_a_name_that_would_set_another_variable_sets_none() -> None:
    assert coprocess(command="/bin/agent --path=/x").pid_variables == ()


# -- variables that two of them share


def test_coprocesses_whose_pid_is_in_one_variable() -> None:
    agents = [{"name": "my-agent", "command": "a"}, {"name": "my_agent", "command": "b"}]
    (found,) = load_dict({"coprocesses": agents}).warnings
    assert found.endswith(
        "coprocesses[1].name: 'coprocess[my_agent]' and 'coprocess[my-agent]' both set CONTAINERPILOT_MY_AGENT_PID: "
        "children see only one of the two, so give one of them another name"
    )


@pytest.mark.parametrize(("name", "other"), [("app", "APP"), ("preStart", "preStart"), ("postStop", "postStop")])
def test_a_coprocess_that_is_called_like_the_application_or_a_hook(name: str, other: str) -> None:
    hooks = {"preStart": "x", "postStop": "x"}
    (found,) = load_dict({**hooks, "coprocesses": [{"name": name, "command": "a"}]}).warnings
    assert f"'coprocess[{name}]' and '{other}' both set CONTAINERPILOT_{name.upper()}_PID" in found


def test_coprocesses_that_share_no_variable() -> None:
    agents = [{"name": "agent", "command": "a"}, {"name": "prestart", "command": "b"}]
    assert load_dict({"coprocesses": agents}).warnings == ()


def test_services_whose_address_is_in_one_variable() -> None:
    services = [{**SERVICE, "name": "my-web", "interfaces": ["lo"]}, {**SERVICE, "name": "my-Web"}]
    (found,) = load_dict({"services": services}).warnings
    assert "services[1].name: 'my-Web' and 'my-web' both set CONTAINERPILOT_MY_WEB_IP: " in found
    for same in services:
        same["interfaces"] = ["eth0"]
    assert load_dict({"services": services}).warnings == ()
