"""The definitions of ContainerPilot's own metrics. The reference page is generated from `OWN`."""

from __future__ import annotations

from cp.encoding.prometheus import COUNTER, GAUGE, HISTOGRAM
from cp.telemetry.metrics.definition import Definition

#: Runs of jobs take between milliseconds and days.
_RUN_BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0)
#: The loop is usually late by less than a millisecond.
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


def _counter(name: str, help_text: str, *labels: str) -> Definition:
    return Definition(name=f"containerpilot_{name}", kind=COUNTER, help=help_text, labels=labels)


def _gauge(name: str, help_text: str, *labels: str) -> Definition:
    return Definition(name=f"containerpilot_{name}", kind=GAUGE, help=help_text, labels=labels)


EVENTS = _counter("events", "count of events, by type and source", "code", "source")
CONTROL_REQUESTS = _counter(
    "control_http_requests", "count of requests to the control socket, by path and code", "code", "path"
)
WATCH_INSTANCES = _gauge("watch_instances", "gauge of the instances that each watch found, by service", "service")
JOB_STARTS = _counter("job_starts", "count of processes started, restarts included, by job", "job")
JOB_EXITS = _counter(
    "job_exits", "count of processes that ended, by job and exit code (-N: of signal N)", "job", "code"
)
JOB_DEATHS = _counter(
    "job_deaths",
    "count of processes that did not end by themselves, or reached a limit, by job and cause",
    "job",
    "cause",
)
JOB_RESTARTS = _counter("job_restarts", "count of restarts, by job", "job")
JOB_RUN_SECONDS = Definition(
    name="containerpilot_job_run_seconds",
    kind=HISTOGRAM,
    help="histogram of how long processes ran, by job",
    labels=("job",),
    buckets=_RUN_BUCKETS,
)
JOB_HEALTH = _gauge("job_health", "gauge of the health of each checked job: 1 healthy, 0 not", "job")
CHECK_SECONDS = Definition(
    name="containerpilot_check_seconds",
    kind=HISTOGRAM,
    help="histogram of how long health checks ran, by job",
    labels=("job",),
)
CATALOG_REQUESTS = _counter("catalog_requests", "count of requests to the catalogue, by verb", "verb")
CATALOG_ERRORS = _counter("catalog_errors", "count of requests to the catalogue that failed, by verb", "verb")
CATALOG_REACHABLE = _gauge(
    "catalog_reachable",
    "gauge of the catalogue, from its first answer or failure on: 1 if it answers in time",
    "catalog",
)
JOB_REGISTERED = _gauge(
    "job_registered",
    "gauge of each job with a service: 1 if the catalogue confirmed it as passing within its ttl",
    "job",
)
CATALOG_SECONDS = Definition(
    name="containerpilot_catalog_seconds",
    kind=HISTOGRAM,
    help="histogram of how long requests to the catalogue took, by verb",
    labels=("verb",),
)
LOOP_LAG_SECONDS = Definition(
    name="containerpilot_loop_lag_seconds",
    kind=HISTOGRAM,
    help="histogram of how late the event loop came to its timers",
    buckets=_LAG_BUCKETS,
)

OWN = (
    EVENTS,
    CONTROL_REQUESTS,
    WATCH_INSTANCES,
    JOB_STARTS,
    JOB_EXITS,
    JOB_DEATHS,
    JOB_RESTARTS,
    JOB_RUN_SECONDS,
    JOB_HEALTH,
    CHECK_SECONDS,
    CATALOG_REQUESTS,
    CATALOG_ERRORS,
    CATALOG_SECONDS,
    CATALOG_REACHABLE,
    JOB_REGISTERED,
    LOOP_LAG_SECONDS,
)
