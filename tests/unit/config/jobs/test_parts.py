"""The jobs dialect: what the keys of a job become in the plan."""

from __future__ import annotations

from typing import Any

import pytest

from cp.plan import INHERIT, LOG, WHEN_CHANGED, Check, Job, Service, When
from tests.unit.config.loading import errors_of_jobs, load_job, load_jobs, names, warnings_of_jobs

AT_STARTUP = When(code="startup", source="global")
HEALTH = {"interval": 10, "ttl": 25}
WEB = {"name": "web", "port": 80, "health": HEALTH}


def service(**keys: Any) -> Service:
    found = load_job(**{**WEB, **keys}).service
    assert found is not None
    return found


def health(**keys: Any) -> Check:
    (read,) = load_job(health={**HEALTH, **keys}).health
    assert read is not None
    return read


# -- the process


def test_a_job_with_a_process() -> None:
    assert load_job(exec="/bin/app -v") == Job(
        name="app",
        label="app",
        when=AT_STARTUP,
        command=("/bin/app", "-v"),
        restarts=0,
        stop_group=True,
        stopping_on_exit=True,
        announces_unstarted=True,
        sweeps_group=True,
        output=LOG,
        wait_for_output=True,
        log_fields=(("job", "app"),),
        log_pid=True,
        failure_level="error",
        failure_text="exited with error: {reason}",
        names_causes=True,
        pid_variables=("CONTAINERPILOT_APP_PID",),
        reload=WHEN_CHANGED,
    )


def test_raw_output_goes_past_the_log_and_does_not_delay_the_exit() -> None:
    one = load_job(exec="app", logging={"raw": True})

    assert (one.output, one.wait_for_output) == (INHERIT, False)


def test_a_job_without_a_process_has_no_variable_for_it() -> None:
    one = load_job()

    assert one.command is None
    assert one.pid_variables == ()


@pytest.mark.parametrize(
    ("written", "command"),
    [
        (["/testdata/test.sh", "arg1"], ("/testdata/test.sh", "arg1")),
        ("/testdata/test.sh arg1", ("/testdata/test.sh", "arg1")),
        ("echo 'hello world!'", ("echo", "'hello", "world!'")),
        ("a  b", ("a", "", "b")),
        (["x", True, 1.5, 1000000], ("x", "true", "1.5", "1000000")),
    ],
)
def test_exec(written: Any, command: tuple[str, ...]) -> None:
    assert load_job(exec=written).command == command


@pytest.mark.parametrize("written", ["", "  ", [], 5, True, {}])
def test_exec_without_a_program(written: Any) -> None:
    assert "jobs[0].exec: unable to create job[serviceD].exec: received zero-length argument" in (
        errors_of_jobs({"name": "serviceD", "exec": written})
    )


def test_a_null_argument_is_refused() -> None:
    assert "unable to create job[aa].exec: [1] is null" in errors_of_jobs({"name": "aa", "exec": ["x", None]})


@pytest.mark.parametrize(
    ("written", "restarts"),
    [
        ("unlimited", None),
        ("never", 0),
        (1, 1),
        ("1", 1),
        (0, 0),
        ("0", 0),
        (None, 0),
        (1.7, 1),
        ("+2", 2),
    ],
)
def test_restarts(written: Any, restarts: int | None) -> None:
    assert load_job(exec="x", restarts=written).restarts == restarts


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("invalid", 'field \'invalid\' invalid: accepts positive integers, "unlimited", or "never"'),
        ("-1", 'field \'-1\' invalid: accepts positive integers, "unlimited", or "never"'),
        ("1.5", 'field \'1.5\' invalid: accepts positive integers, "unlimited", or "never"'),
        ("", 'field \'\' invalid: accepts positive integers, "unlimited", or "never"'),
        (True, 'field \'true\' invalid: accepts positive integers, "unlimited", or "never"'),
        ([], 'field \'an array\' invalid: accepts positive integers, "unlimited", or "never"'),
        (-1, "field '-1' invalid: number must be positive integer"),
    ],
)
def test_invalid_restarts(written: Any, text: str) -> None:
    assert f"jobs[0].restarts: job[myjob].restarts {text}" in (
        errors_of_jobs({"name": "myjob", "exec": "x", "restarts": written})
    )


def test_unlimited_restarts_and_each_exclude_one_another() -> None:
    source = {"name": "aa", "exec": "x"}
    when = {"source": "aa", "each": "exitSuccess"}

    assert (
        "job[myjob].restarts field 'unlimited' invalid: may not be used when 'job.when.each' is set because it may "
        "result in infinite processes"
    ) in errors_of_jobs(source, {"name": "myjob", "exec": "x", "restarts": "unlimited", "when": when})


@pytest.mark.parametrize(("written", "seconds"), [("1500ms", 1.5), ("5", 5.0), (5, 5.0), ("1h", 3600.0), ("", None)])
def test_timeout(written: Any, seconds: float | None) -> None:
    one = load_job(exec="x", timeout=written)

    assert (one.timeout, one.timeout_text) == (seconds, str(written))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("xx", "unable to parse job[serviceC].timeout 'xx': time: invalid duration xx"),
        ("0", "job[serviceC].timeout '0' cannot be less than 1ms"),
        ("-1ms", "job[serviceC].timeout '-1ms' cannot be less than 1ms"),
        ("1ns", "job[serviceC].timeout '1ns' cannot be less than 1ms"),
        ("20yy", "unable to parse job[serviceC].timeout '20yy': time: unknown unit yy in duration 20yy"),
        (0.5, "unable to parse job[serviceC].timeout '0.5': time: missing unit in duration 0.5"),
    ],
)
def test_an_invalid_timeout(written: Any, text: str) -> None:
    assert text in errors_of_jobs({"name": "serviceC", "exec": "x", "timeout": written})


@pytest.mark.parametrize(("written", "seconds"), [(None, None), ("1s", 1.0), (20, 20.0), ("0", None), ("-1s", None)])
def test_stop_timeout_of_a_job(written: Any, seconds: float | None) -> None:
    assert load_job(exec="x", stopTimeout=written).stop_timeout == seconds


def test_an_invalid_stop_timeout() -> None:
    assert "unable to parse job[aa].stopTimeout 'x': time: invalid duration x" in (
        errors_of_jobs({"name": "aa", "exec": "x", "stopTimeout": "x"})
    )


# -- names


@pytest.mark.parametrize("name", ["my_job", "my job", "5", "x", "myjob_invalid_name", "My/Job"])
def test_without_a_port_any_name_will_do(name: str) -> None:
    assert load_job(name=name, exec="x").name == name


@pytest.mark.parametrize("name", ["", "  ", None])
@pytest.mark.parametrize("others", [{}, {"exec": "x"}, {"port": 80, "health": HEALTH}])
def test_a_blank_name(name: Any, others: dict[str, Any]) -> None:
    assert errors_of_jobs({"name": name, **others}).endswith("jobs[0].name: 'name' must not be blank")


@pytest.mark.parametrize("name", ["my_service", "-my-service", "my%service", "MyService", "x"])
def test_a_name_that_the_catalogue_cannot_carry(name: str) -> None:
    assert (
        "jobs[0].name: service names must be alphanumeric with dashes to comply with service discovery"
        in errors_of_jobs({**WEB, "name": name})
    )


# -- the main job


def test_the_main_job() -> None:
    plan = load_jobs({"name": "app", "exec": "x", "main": True}, {"name": "side", "exec": "y", "main": False})

    assert [one.main for one in plan.jobs] == [True, False]


def test_there_is_one_main_job_at_most() -> None:
    assert errors_of_jobs({"name": "aa", "exec": "x", "main": True}, {"name": "bb", "exec": "x", "main": True}) == (
        "app.json:1:115: jobs[1].main: 'aa' is the main job already: there can be only one"
    )


def test_the_main_job_needs_a_process() -> None:
    assert "jobs[0].main: the main job needs an `exec`: everything stops when its process ends" in (
        errors_of_jobs({"name": "aa", "main": True})
    )


# -- what has no effect


@pytest.mark.parametrize(("port", "shown"), [(0, "0"), ("0", '"0"'), (False, "false"), (0.5, "0.5")])
def test_a_value_that_means_no_port_gives_a_warning(port: Any, shown: str) -> None:
    warnings = warnings_of_jobs({"name": "app", "exec": "x", "port": port, "tags": ["a"], "interfaces": "lo"})

    assert (
        f"jobs[0].port: {shown} means no port, so the job is not registered: name a port, or leave it out" in warnings
    )
    for key in ("tags", "interfaces"):
        assert f"jobs[0].{key}: has no effect without a `port`: only a job with a port is registered" in warnings


@pytest.mark.parametrize(
    "keys", [{}, {"port": 0}, {"restarts": 3}, {"timeout": "5s", "restarts": "unlimited"}, {"when": {"interval": "5s"}}]
)
def test_a_job_that_does_nothing_is_warned_about_with_its_keys(keys: dict[str, Any]) -> None:
    warnings = warnings_of_jobs({"name": "app", **keys}).splitlines()

    found = [f"jobs[0].{key}: has no effect without `exec`" for key in keys if key in ("restarts", "timeout")]
    found += ["jobs[0].when.interval: has no effect without `exec`"] if "when" in keys else []
    if "port" in keys:
        found.append("jobs[0].port: 0 means no port, so the job is not registered: name a port, or leave it out")
    found.append("jobs[0].name: the job does nothing: it has no `exec`, no `health` and no `port`")
    assert sorted(warning.partition(": ")[2] for warning in warnings) == sorted(found)


def test_a_job_without_a_process_may_be_there_for_its_events() -> None:
    deadline = {"name": "deadline", "when": {"source": "app", "once": "healthy", "timeout": "1m"}}
    waits = {"name": "late", "exec": "x", "when": {"source": "deadline", "once": "timerExpired"}}
    app = {"name": "app", "exec": "x", "health": {"exec": "y", "interval": 5, "ttl": 10}}

    assert warnings_of_jobs(app, deadline, waits) == ""


# -- health


def test_a_health_check_with_all_its_keys() -> None:
    assert health(exec="/bin/check A1 A2", timeout="5s", failures=3, logging={"raw": True}) == Check(
        label="check.app",
        interval=10.0,
        command=("/bin/check", "A1", "A2"),
        timeout=5.0,
        timeout_text="5s",
        output=INHERIT,
        log_fields=(("check", "check.app"),),
        log_pid=True,
        source="check.app",
        failures=3,
        critical_after=3,
        logs_failures=True,
    )


def test_the_timeout_of_a_check_is_its_interval() -> None:
    check = health(exec="/bin/check")

    assert (check.timeout, check.timeout_text, check.output) == (10.0, "10s", LOG)


@pytest.mark.parametrize("written", ["0", 0, "-1s"])
def test_a_check_without_a_limit(written: Any) -> None:
    check = health(exec="/bin/check", timeout=written)

    assert (check.timeout, check.timeout_text) == (None, "")


def test_without_exec_there_are_only_heartbeats() -> None:
    check = health()

    assert (check.command, check.source) == (None, "")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"ttl": 5}, "jobs[0].health.interval: job[myName].health.interval must be > 0: add it"),
        ({"interval": 5}, "jobs[0].health.ttl: job[myName].health.ttl must be > 0: add it"),
        ({**HEALTH, "interval": 0}, "job[myName].health.interval must be > 0: it is 0"),
        (
            {**HEALTH, "interval": 0.5},
            "job[myName].health.interval must be > 0: it is 0.5, and must be a whole number of seconds",
        ),
        (
            {**HEALTH, "interval": "10s"},
            "it is in seconds, write 10: cannot parse '[0].health.interval' as int: strconv.ParseInt",
        ),
        (
            {**HEALTH, "exec": ""},
            "unable to create job[myName].health.exec: received zero-length argument",
        ),
        (
            {**HEALTH, "timeout": "xx"},
            "could not parse job[myName].health.timeout 'xx': time: invalid duration xx",
        ),
        ({**HEALTH, "failures": -1}, "job[myName].health.failures must be >= 0, but is -1"),
        ({**HEALTH, "tll": 5}, "(did you mean 'ttl'?): '[0].health' has invalid keys: tll"),
        ("x", "jobs[0].health: must be an object {…}, not a string: '[0].health' expected a map, got 'string'"),
    ],
)
def test_a_health_check_that_is_wrong(written: Any, text: str) -> None:
    assert text in errors_of_jobs({"name": "myName", "port": 80, "health": written})


def test_a_ttl_that_runs_out_between_two_checks_is_warned_about() -> None:
    text = "jobs[0].health.ttl: a `ttl` of 10 s is not more than the `interval` of 10 s: 'web' lapses"

    assert text in warnings_of_jobs({**WEB, "health": {"interval": 10, "ttl": 10}})
    assert warnings_of_jobs({**WEB, "health": {"interval": 10, "ttl": 11}}) == ""
    assert warnings_of_jobs({"name": "aa", "exec": "x", "health": {"interval": 10, "ttl": 10}}) == ""


# -- registrations


def test_a_service_with_all_its_keys() -> None:
    assert service(
        initial_status="warning",
        interfaces=["lo"],
        tags=["a", "b"],
        consul={"enableTagOverride": True, "deregisterCriticalServiceAfter": "10m"},
    ) == Service(
        name="web",
        id="web-host",
        address="127.0.0.1",
        port=80,
        ttl=25,
        tags=("a", "b"),
        initial_status="warning",
        separate_check=False,
        enable_tag_override=True,
        deregister_critical_after="10m",
    )


@pytest.mark.parametrize("interfaces", [None, [], "eth0", ["ethwe", "inet"], "static:10.0.0.7"])
def test_the_address_of_a_service(interfaces: Any) -> None:
    assert service(interfaces=interfaces).address == "10.0.0.7"


def test_without_eth0_the_default_is_any_other_interface() -> None:
    from cp.platform.address import Address
    from tests.unit.config.loading import load_text

    text = '{consul: "c:1", jobs: [{name: "web", port: 80, health: {interval: 1, ttl: 5}}]}'
    plan = load_text(text, addresses=[Address("wlan0", bytes([10, 9, 9, 9]))])

    assert plan.environ == (("CONTAINERPILOT_WEB_IP", "10.9.9.9"),)


def test_one_tag_needs_no_array() -> None:
    assert service(tags="a").tags == ("a",)
    assert service(tags=5).tags == ("5",)


def test_the_block_consul_may_be_without_a_time() -> None:
    assert service(consul={"enableTagOverride": "true"}).deregister_critical_after == ""
    assert service(consul=[]).enable_tag_override is False


def test_numbers_may_be_strings_and_keys_may_have_any_case() -> None:
    one = load_job(Port="0x50", HEALTH={"Interval": "10", "ttl": 25.9}, Exec="x")

    assert one.service is not None
    assert (one.service.port, one.service.ttl, one.command) == (80, 25, ("x",))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"health": None}, "jobs[0].health: job[web].health must be set if 'port' is set"),
        (
            {"initial_status": "invalid"},
            "job[web].initial_status must be one of 'passing', 'warning' or 'critical', not \"invalid\"",
        ),
        ({"initialStatus": "passing"}, "(did you mean 'initial_status'?): '[0]' has invalid keys: initialStatus"),
        (
            {"consul": {"enableTagOverride": "nope"}},
            "cannot parse '[0].consul.enableTagOverride' as bool: strconv.ParseBool: parsing \"nope\"",
        ),
        (
            {"consul": {"deregisterCriticalServiceAfter": "nope"}},
            "unable to parse job[web].consul.deregisterCriticalServiceAfter: time: invalid duration nope",
        ),
        ({"consul": {"deregisterCriticalServiceAfter": "10"}}, "time: missing unit in duration 10"),
        ({"interfaces": "eth0:inet5"}, "Unable to parse interface spec: eth0:inet5"),
        ({"interfaces": {"a": 1}}, "interfaces: must be an array of strings, not an object"),
        ({"interfaces": ["xxxx"]}, "None of the interface specifications were able to match"),
        ({"port": -80}, "jobs[0].port: must be from 1 to 65535, but is -80"),
        ({"port": "http"}, 'jobs[0].port: must be a whole number, not "http"'),
    ],
)
def test_a_service_that_is_wrong(keys: dict[str, Any], text: str) -> None:
    assert text in errors_of_jobs({**WEB, **keys})


def test_keys_for_the_catalogue_have_no_effect_without_a_port() -> None:
    plan = load_jobs({"name": "aa", "exec": "x", "initial_status": "invalid", "tags": ["a"]})

    assert plan.jobs[0].service is None
    assert [warning.partition(": ")[2].partition(":")[0] for warning in plan.warnings] == [
        "jobs[0].initial_status",
        "jobs[0].tags",
    ]


def test_a_port_beyond_the_last_is_warned_about() -> None:
    assert "jobs[0].port: 70000 is beyond the last port" in warnings_of_jobs({**WEB, "port": 70000})


def test_all_errors_of_a_job_are_reported_at_once() -> None:
    found = errors_of_jobs({"name": "", "exec": "", "restarts": "x", "timeout": "x", "zzz": 1, "port": 80})

    assert [line.split(": ")[1] for line in found.split("\n")] == [
        "jobs[0].health",
        "jobs[0].name",
        "jobs[0].exec",
        "jobs[0].restarts",
        "jobs[0].timeout",
        "jobs[0].zzz",
    ]


def test_the_order_of_the_file_is_kept() -> None:
    assert names(load_jobs({"name": "zz"}, {"name": "aa", "exec": "x"}, {"name": "mm"})) == ["zz", "aa", "mm"]


# -- variables that two of them share


def test_jobs_whose_pid_is_in_one_variable() -> None:
    found = warnings_of_jobs(
        {"name": "my-app", "exec": "a"}, {"name": "my_app", "exec": "b"}, {"name": "x", "exec": "c"}
    )
    assert found.endswith(
        "jobs[1].name: 'my_app' and 'my-app' both set CONTAINERPILOT_MY_APP_PID: "
        "children see only one of the two, so give one of them another name"
    )
    without_process = {"name": "my_app", "health": {"interval": 5, "ttl": 10}}
    assert warnings_of_jobs({"name": "my-app", "exec": "a"}, without_process) == ""


def test_jobs_whose_address_is_in_one_variable() -> None:
    web, other = {**WEB, "name": "my-web"}, {**WEB, "name": "my-Web", "interfaces": ["lo"]}
    found = warnings_of_jobs(web, other)
    assert "jobs[1].name: 'my-Web' and 'my-web' both set CONTAINERPILOT_MY_WEB_IP: " in found
    assert warnings_of_jobs(web, {**other, "interfaces": ["eth0"]}) == ""  # it is the same address
