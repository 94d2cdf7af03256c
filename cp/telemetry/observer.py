"""Counts what happens in the engine, the servers and the catalogue, and answers the clients of telemetry.

Imported only if the plan has telemetry.
"""

from __future__ import annotations

from cp import __version__
from cp.engine.events import Code
from cp.engine.health import HEALTHY
from cp.engine.job_report import catalog_place, catalog_text, health_status, registered_text
from cp.engine.status_report import in_order, not_ready, status
from cp.plan import PASSING
from cp.telemetry.metrics import own
from cp.telemetry.metrics.registry import Metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cp.engine.context import Context
    from cp.engine.engine import Engine
    from cp.engine.events import Event
    from cp.engine.job import Job
    from cp.engine.loop import Timer
    from cp.plan import Service
    from cp.plan import TelemetrySettings as Settings

LAG_INTERVAL = 1.0  # seconds between two looks at how late the loop is


class Observer:
    """The metrics, the status and the readiness of ContainerPilot. The engine, servers and catalogue report to it."""

    def __init__(self, context: Context, engine: Engine) -> None:
        self._context = context
        self._engine = engine
        self._metrics = Metrics(context.loop.now)
        self._observes = False
        self._lag_timer: Timer | None = None
        self._settings: Settings | None = None

    def define(self, settings: Settings) -> list[str]:
        """Define the metrics of these settings. Return warnings."""
        self._settings = settings
        user = [
            self._metrics.user(each.name, each.kind, each.help, each.lookups, rounds_up=each.rounds_up)
            for each in settings.metrics
        ]
        return self._metrics.swap(user, keep_unchanged=settings.keeps_unchanged)

    def observe(self, enabled: bool) -> None:
        """Start or stop counting. Stopping keeps the values."""
        if enabled == self._observes:
            return
        self._observes = enabled
        self._context.observer = self if enabled else None
        if enabled:
            self._context.bus.subscribe(self._on_event)
            self._measure_lag(self._context.loop.now())
        else:
            self._context.bus.unsubscribe(self._on_event)
            if self._lag_timer is not None:
                self._lag_timer.cancel()

    # --- what is counted

    def _on_event(self, event: Event) -> None:
        if event.code != Code.METRIC:
            self._metrics.count(own.EVENTS, event.classic_code, event.source)

    def _measure_lag(self, due: float) -> None:
        now = self._context.loop.now()
        self._metrics.observe(own.LOOP_LAG_SECONDS, now - due)
        self._lag_timer = self._context.loop.call_at(now + LAG_INTERVAL, self._measure_lag, now + LAG_INTERVAL)

    def job_started(self, job: str) -> None:
        self._metrics.count(own.JOB_STARTS, job)

    def job_restarted(self, job: str) -> None:
        self._metrics.count(own.JOB_RESTARTS, job)

    def job_ended(self, job: str, code: int, seconds: float) -> None:
        self._metrics.count(own.JOB_EXITS, job, str(code))
        self._metrics.observe(own.JOB_RUN_SECONDS, seconds, job)

    def job_died(self, job: str, cause: str) -> None:
        self._metrics.count(own.JOB_DEATHS, job, cause)

    def check_ended(self, job: str, seconds: float) -> None:
        self._metrics.observe(own.CHECK_SECONDS, seconds, job)

    def control_answered(self, path: str, status: int) -> None:
        self._metrics.count(own.CONTROL_REQUESTS, str(status), path)

    def catalog_called(self, verb: str, seconds: float, failed: bool) -> None:
        self._metrics.count(own.CATALOG_REQUESTS, verb)
        self._metrics.count(own.CATALOG_ERRORS, verb, by=1.0 if failed else 0.0)
        self._metrics.observe(own.CATALOG_SECONDS, seconds, verb)

    def record(self, values: list[tuple[str, str]]) -> None:
        self._metrics.record_all(values)

    # --- answers

    def form(self, accept: str, accept_encoding: str) -> tuple[str, str]:
        """The content type and the content encoding (or "") of the metrics for a client with these headers."""
        return self._metrics.form(accept, accept_encoding)

    def metrics(self, content_type: str, encoding: str) -> Iterator[bytes]:
        """Yield all metrics in this form, in small parts."""
        engine, show = self._engine, self._metrics.show
        # A gauge is about the current moment: jobs and watches that are gone have no series.
        show(own.JOB_HEALTH, ((job.name, float(self._status(job) == HEALTHY)) for job in self._checked()))
        show(own.WATCH_INSTANCES, ((service, float(count)) for service, count in engine.watches.counts()))
        standings = ((job.name, engine.standing(job)) for job in in_order(self._engine))
        show(own.JOB_REGISTERED, ((name, float(each.state == PASSING)) for name, each in standings if each is not None))
        settings, reachable = engine.plan.catalog, engine.catalog_status.is_reachable
        if settings is not None and reachable is not None:
            show(own.CATALOG_REACHABLE, [(catalog_place(settings)[0], float(reachable))])
        else:
            show(own.CATALOG_REACHABLE, ())
        yield from self._metrics.page(content_type, encoding)

    def status(self) -> dict[str, object]:
        """The answer to /status in the format of ContainerPilot 3, without secrets. It reads each job in its turn."""
        placed, others = [], []
        for job in in_order(self._engine):
            place = job.plan.service or self._served(job)  # even if no catalogue is configured
            if place is None:
                others.append(job)
            else:
                placed.append((job, place))
        jobs = ({"Name": job.source, "Status": self._status(job), **_skipped(job)} for job in others)
        services = (self._service_status(job, place) for job, place in placed)
        answer: dict[str, object] = {
            "Version": __version__,
            "Jobs": jobs if others else None,
            "Services": services if placed else None,
            "Watches": [watch.name for watch in self._engine.plan.watches] or None,
        }
        if self._engine.plan.catalog is not None:
            answer["Catalog"] = catalog_text(self._engine, self._engine.catalog_status.reach)
        return {**answer, **self._details()}

    def _details(self) -> dict[str, object]:
        """What -status shows. A decoder that ignores the case of names must not take these lists for those above."""
        found = status(self._engine, self._context.loop.now(), is_public=True)
        del found["version"]
        return {{"jobs": "jobDetails", "watches": "watchDetails"}.get(key, key): found[key] for key in found}

    def _served(self, job: Job) -> Settings | None:
        """The settings of telemetry, if this is the job that represents it."""
        return self._settings if self._settings is not None and job.name == self._settings.job else None

    def _status(self, job: Job) -> str:
        return health_status(self._engine, job)

    def _service_status(self, job: Job, place: Service | Settings) -> dict[str, object]:
        name = job.plan.service.name if job.plan.service is not None else job.source
        answer = {"Name": name, "Address": place.address, "Port": place.port, "Status": self._status(job)}
        standing = self._engine.standing(job)
        if standing is not None:
            answer["Registered"] = registered_text(self._engine, standing)
        return {**answer, **_skipped(job)}

    def remarks(self) -> Iterator[str]:
        """Facts for a client of /readyz, one line each, that do not make ContainerPilot unready.

        An instance that cannot reach the catalogue can still serve. If all of them became unready together, an outage
        of the catalogue would become an outage of the application.
        """
        if self._engine.plan.catalog is not None:
            reach = self._engine.catalog_status.reach
            if reach.is_reachable is False:
                yield f"catalogue: {catalog_text(self._engine, reach)}"
        for job in in_order(self._engine):
            standing = None if job.plan.always_healthy else self._engine.standing(job)
            if standing is not None and self._status(job) == HEALTHY and not standing.is_registered:
                yield f"{job.name} is healthy; registered: {registered_text(self._engine, standing)}"

    def not_ready(self) -> Iterator[str]:
        """The reasons why ContainerPilot is not ready, one line each; none if it is."""
        return not_ready(self._engine)

    def _checked(self) -> list[Job]:
        return [job for job in in_order(self._engine) if job.health.has_checks]


def _skipped(job: Job) -> dict[str, object]:
    """Members that ContainerPilot 3 does not have. They come last, and only for a skipped job."""
    return {} if job.skip is None else {"State": job.state, "Reason": job.skip.reason}
