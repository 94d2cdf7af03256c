"""The counts and the states of an engine, in the world with a virtual clock."""

from __future__ import annotations

from typing import Any, cast

from cp import plan
from cp.engine.job_report import OUTPUT_SHOWN
from cp.plan import INHERIT, Check, Job, Metric, Ready, TelemetrySettings, Watch, When
from cp.telemetry.observer import Observer
from tests.unit.engine.jobs_world import JobsWorld, refusal

START = When(code="startup", source="global")
SERVED = TelemetrySettings(address="127.0.0.1", port=9090, job="containerpilot")
PILOT = Job(name="containerpilot", when=START, always_healthy=True)


def job(name: str, **more: Any) -> Job:
    return Job(name=name, when=START, command=(name,), output=INHERIT, **more)


def checked(name: str, **more: Any) -> Job:
    return job(
        name, health=(Check(label=f"check.{name}", interval=5.0, command=(f"{name}-check",), output=INHERIT),), **more
    )


class Observed:
    """A world that is observed."""

    def __init__(self, *jobs: Job, telemetry: TelemetrySettings = SERVED, **settings: Any) -> None:
        self.world = JobsWorld(*jobs, PILOT, telemetry=telemetry, **settings)
        self.observer = Observer(self.world.context, self.world.engine)
        assert self.observer.define(telemetry) == []
        self.observer.observe(True)
        self.world.start()

    def value(self, sample: str) -> str:
        body = b"".join(self.observer.metrics(*self.observer.form("", "")))
        lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
        return lines.get(sample, "")


def test_the_service_of_telemetry_is_healthy_in_every_view() -> None:
    observed = Observed(checked("app"))
    world = observed.world

    def seen() -> tuple[set[Any], set[Any]]:
        """The statuses of telemetry's own job, and of the other one."""
        status = {each["Name"]: each["Status"] for each in cast("Any", observed.observer.status())["Jobs"] or ()}
        services = {each["Name"]: each["Status"] for each in cast("Any", observed.observer.status())["Services"] or ()}
        views = [{**status, **services}]
        views.append({name: world.seen(name)["health"]["status"] for name in ("containerpilot", "app")})
        return {view["containerpilot"] for view in views}, {view["app"] for view in views}

    assert seen() == ({"healthy"}, {"unknown"})
    world.maintenance(True)
    assert seen() == ({"healthy"}, {"maintenance"})
    world.maintenance(False)
    assert seen() == ({"healthy"}, {"unknown"})


def test_a_job_that_is_always_healthy_does_not_trigger_dependents() -> None:
    """It sends no event at the start, so a reload must not pretend that it has sent one."""
    late = job("late").replace(when=When(code="healthy", source="containerpilot"))
    observed = Observed(job("app"), late)
    assert observed.world.starts("late") == []
    observed.world.reload(job("app"), late.replace(timeout=5.0), PILOT, telemetry=SERVED)
    assert observed.world.starts("late") == []


def test_starts_ends_and_restarts_are_counted() -> None:
    observed = Observed(job("app", restarts=1))

    observed.world.advance(7)
    observed.world.exit("app", 3)
    observed.world.advance(1)
    observed.world.exit("app", -9)

    assert observed.value('containerpilot_job_starts{job="app"}') == "2"
    assert observed.value('containerpilot_job_restarts{job="app"}') == "1"
    assert observed.value('containerpilot_job_exits{job="app",code="3"}') == "1"
    assert observed.value('containerpilot_job_exits{job="app",code="-9"}') == "1"
    assert observed.value('containerpilot_job_run_seconds_bucket{job="app",le="5"}') == "1"
    assert observed.value('containerpilot_job_run_seconds_count{job="app"}') == "2"
    assert observed.value('containerpilot_events{code="ExitFailed",source="app"}') == "2"


def test_checks_are_timed_and_health_is_shown() -> None:
    observed = Observed(checked("app"))
    observed.world.advance(5)
    assert observed.value('containerpilot_job_health{job="app"}') == "0"
    assert list(observed.observer.not_ready()) == ["app is unknown: no check has ended yet"]

    observed.world.advance(2)
    observed.world.exit("app-check", 0)
    observed.world.advance(0)

    assert observed.value('containerpilot_job_health{job="app"}') == "1"
    assert observed.value('containerpilot_check_seconds_sum{job="app"}') == "2"
    assert list(observed.observer.not_ready()) == []
    observed.world.maintenance(True)
    assert list(observed.observer.not_ready()) == ["in maintenance"]


def test_a_gauge_goes_with_its_job() -> None:
    observed = Observed(checked("app"), job("other"))
    assert observed.value('containerpilot_job_health{job="app"}') == "0"

    observed.world.reload(job("other"), PILOT)
    observed.world.advance(1)

    assert observed.value('containerpilot_job_health{job="app"}') == ""


def test_a_successful_job_counts_as_ready() -> None:
    observed = Observed(checked("well"), checked("badly"), job("app"))

    observed.world.exit("well", 0)
    observed.world.exit("badly", 1)
    observed.world.advance(0)

    assert list(observed.observer.not_ready()) == ["badly is unknown: exited 1"]


def test_an_unready_job_shows_the_reason() -> None:
    late = checked("late").replace(when=When(code="healthy", source="app"))
    observed = Observed(job("first"), checked("app", restarts=None), late)
    world = observed.world

    def why() -> list[str]:
        return list(observed.observer.not_ready())

    assert why() == ["app is unknown: no check has ended yet", "late is unknown: waits for healthy of app"]

    world.advance(5)
    world.exit("app-check", 1)
    assert why()[0] == "app is unhealthy: 1 check failed"
    world.advance(5)
    world.exit("app-check", 1)
    assert why()[0] == "app is unhealthy: 2 checks in a row failed"

    world.exit("app", -9)
    while world.state("app") != "running":
        world.advance(0.1)
    assert why()[0] == "app is unknown: no check has ended yet; last run: killed by signal 9"
    while world.state("app") == "running":
        world.exit("app", 3)
    assert why()[0] == "app is unknown: is about to be restarted; last run: exited 3"


def test_a_counted_job_without_checks_is_waited_for() -> None:
    late = job("late", counted=True).replace(when=When(code="exitSuccess", source="migrate"))
    app = job("app", counted=True, ready=Ready(kind="log", text="listening"))
    observed = Observed(job("migrate"), late, app, job("other").replace(when=When(code="signal", source="SIGHUP")))
    world = observed.world
    assert list(observed.observer.not_ready()) == [
        "late is not ready: waits for exitSuccess of migrate",
        "app is not ready: waits for a line of its output with 'listening'",
    ]

    world.exit("migrate")
    read = world.monitors["app"].on_line
    assert read is not None
    read("listening")
    assert list(observed.observer.not_ready()) == []

    world.ask("stop", "late")
    world.exit("app", 1)
    assert list(observed.observer.not_ready()) == []  # they are out of use


def test_a_checked_job_that_must_also_report_its_readiness() -> None:
    observed = Observed(checked("app", counted=True, ready=Ready(kind="log", text="listening")))
    assert list(observed.observer.not_ready()) == [
        "app is unknown: no check has ended yet; waits for a line of its output with 'listening'"
    ]
    observed.world.advance(5)
    observed.world.exit("app-check", 0)
    assert list(observed.observer.not_ready()) == ["app is not ready: waits for a line of its output with 'listening'"]


def test_a_job_that_cannot_be_started_is_not_ready_and_hides_the_error_of_the_system() -> None:
    observed = Observed(checked("app", restarts=1), job("other"))
    observed.world.processes.missing.add("app")
    observed.world.exit("app", 3)
    observed.world.advance(30)
    assert list(observed.observer.not_ready()) == ["app is unknown: could not be started"]


def test_maintenance_is_shown_of_the_same_jobs_in_every_view() -> None:
    observed = Observed(checked("app"), job("plain"), checked("done"), job("gone"))
    world = observed.world
    world.exit("done", 0)
    world.exit("gone", 0)

    def views(name: str) -> tuple[Any, Any]:
        health = world.seen(name)["health"]
        status = cast("Any", observed.observer.status())
        (reported,) = [
            each["Status"] for each in [*status["Jobs"], *(status["Services"] or ())] if each["Name"] == name
        ]
        return health and health["status"], reported

    assert views("app") == views("done") == ("unknown", "unknown")
    assert views("plain") == views("gone") == (None, "unknown"), "nothing checks them"
    world.maintenance(True)
    assert views("app") == views("plain") == ("maintenance", "maintenance")
    assert (views("done"), views("gone")) == (("unknown", "unknown"), (None, "unknown")), "as in ContainerPilot 3.8"
    world.maintenance(False)
    assert views("app") == ("unknown", "unknown")


def test_a_process_that_a_stop_has_ended_is_unknown_in_every_view() -> None:
    hook = job("hook").replace(when=When(code="stopped", source="app"))
    observed = Observed(checked("app", main=True), hook)
    world = observed.world
    world.advance(5)
    world.exit("app-check", 0)
    assert observed.value('containerpilot_job_health{job="app"}') == "1"

    world.terminate()

    assert (world.state("app"), world.state("hook")) == ("complete", "running")
    assert observed.value('containerpilot_job_health{job="app"}') == "0"
    assert world.seen("app")["health"]["status"] == "unknown"
    status = {each["Name"]: each["Status"] for each in cast("Any", observed.observer.status())["Jobs"]}
    assert status["app"] == "unknown"
    assert list(observed.observer.remarks()) == []


def test_it_is_not_ready_while_it_stops() -> None:
    observed = Observed(job("app"))
    assert list(observed.observer.not_ready()) == []

    observed.world.terminate()

    assert list(observed.observer.not_ready()) == ["stopping"]


def test_instances_of_watches_are_shown() -> None:
    watch = Watch(name="db", source="watch.db", interval=1.0)
    observed = Observed(job("app"), watches=(watch,))
    assert observed.value('containerpilot_watch_instances{service="db"}') == "0"

    observed.world.discovery.watchers["db"].memory = ["one", "two"]

    assert observed.value('containerpilot_watch_instances{service="db"}') == "2"


def test_values_of_operators_are_recorded_and_shown() -> None:
    metric = Metric(name="zed", kind="gauge", help="h", lookups=("__zed",))
    observed = Observed(job("app"), telemetry=SERVED.replace(metrics=(metric,)))

    assert refusal(observed.world.admin.record_metrics, [("__zed", "1.5")]) == ""
    why = refusal(observed.world.admin.record_metrics, [("zed", "2"), ("nobody", "1")])
    observed.world.advance(0)

    assert why == "there is no metric 'nobody': there are zed"
    assert observed.value("zed") == "1.5"
    assert [event for event in observed.world.events if event.startswith("metric")] == ["metric __zed|1.5"]
    assert observed.value('containerpilot_events{code="Metric",source="__zed|1.5"}') == ""


def test_how_late_the_loop_is_is_seen_each_second() -> None:
    observed = Observed(job("app"))

    observed.world.advance(10)

    assert observed.value("containerpilot_loop_lag_seconds_count") == "11"


def test_telemetry_that_ends_and_comes_back_looks_at_the_clock_once_a_second() -> None:
    observed = Observed(job("app"))
    for _ in range(5):  # reloads within a second
        observed.observer.observe(False)
        observed.observer.observe(True)
    looks = 6

    observed.world.advance(10)

    assert observed.value("containerpilot_loop_lag_seconds_count") == str(looks + 10)


def test_an_end_of_telemetry_is_an_end_of_counting() -> None:
    observed = Observed(job("app"))
    observed.observer.observe(False)

    observed.world.exit("app", 0)
    observed.world.advance(5)

    assert observed.world.context.observer is None
    assert observed.value('containerpilot_job_exits{job="app",code="0"}') == ""
    assert observed.value("containerpilot_loop_lag_seconds_count") == "1"


def test_calls_to_the_catalogue_are_counted() -> None:
    observed = Observed(job("app"))

    observed.world.context.catalog_called("register", 0.1, True)
    observed.world.context.catalog_called("register", 0.1, False)
    observed.world.context.control_answered("/v3/ping", 200)
    observed.world.advance(0)

    assert observed.value('containerpilot_catalog_requests{verb="register"}') == "2"
    assert observed.value('containerpilot_catalog_errors{verb="register"}') == "1"
    assert observed.value('containerpilot_control_http_requests{code="200",path="/v3/ping"}') == "1"


def test_an_impossible_metric_is_logged_and_the_others_work() -> None:
    observed = Observed(job("app"))
    names = ("containerpilot_events", "zed")
    metrics = tuple(Metric(name=name, kind="counter", help="h") for name in names)

    (message,) = observed.observer.define(SERVED.replace(metrics=metrics))

    assert message == "cannot define the metric containerpilot_events: containerpilot_events is taken"
    assert observed.value("zed") == "0"


def test_the_output_of_a_check_is_shown_up_to_a_limit() -> None:
    world = JobsWorld(checked("app")).start()
    world.engine.jobs["app"].health.checks[0].output = "x" * 60_000

    health = world.seen("app")["health"]

    assert health["output"] == "x" * OUTPUT_SHOWN


def test_the_plan_has_no_telemetry_unless_it_is_wanted() -> None:
    assert plan.Plan(dialect="jobs").telemetry is None
    assert JobsWorld(job("app")).context.observer is None
