"""The keys of the jobs dialect."""

from __future__ import annotations

from cp.config.reference.catalogs import CATALOGS
from cp.config.reference.job_drain import DRAIN
from cp.config.reference.job_health import HEALTH, LOGGING
from cp.config.reference.job_ready import READY, WATCHDOG
from cp.config.reference.job_restarts import RESTARTS
from cp.config.reference.job_when import WHEN
from cp.config.reference.key import JOBS, NEW, Key
from cp.config.reference.shared import (
    LAST_PORT,
    STOPS,
    TELEMETRY_PORT,
    metric_keys,
    of_consul,
    settings,
    telemetry,
)

_JOBS = Key(
    "jobs",
    "array of objects",
    "[The jobs](jobs.md#jobs): all that runs.",
    [{"name": "app", "exec": ["/app/server", "--port", "8000"]}, {"name": "prepare", "exec": "/app/prepare.sh"}],
    keys=(
        Key(
            "name",
            "string",
            "The name, which must not be blank. It is the source of the events of the job. "
            "[Several jobs may share one](jobs.md#jobs-of-one-name), with a warning.",
            "app",
            required=True,
        ),
        Key(
            "exec",
            "command",
            "The command that runs. A job without it has only a health check, a registration, or events that "
            "other jobs wait for.",
            ["/app/server", "--port", "8000"],
        ),
        WHEN,
        Key(
            "main",
            "boolean",
            "When the main job is done, ContainerPilot stops everything and ends with the exit code of the job. Only "
            "one job can be the main job.",
            True,
            default=False,
            needs=("exec",),
            since=NEW,
        ),
        Key(
            "stdin",
            "string",
            '[What the job reads](jobs.md#stdin): `"inherit"` is the standard input of ContainerPilot, `"null"` is '
            "nothing, a path with a slash is a file.",
            "/run/secrets/dump.sql",
            default="null",
            default_words='`"inherit"` for the main job, otherwise `"null"`',
            values=("inherit", "null"),
            open_values=True,
            needs=("exec",),
            since=NEW,
        ),
        Key(
            "successExitCodes",
            ("integers", "integer"),
            "[Exit codes](jobs.md#successexitcodes) that mean success, besides 0.",
            [143],
            least=0,
            most=255,
            needs=("exec",),
            since=NEW,
        ),
        RESTARTS,
        Key(
            "timeout",
            "duration",
            "The time limit of one run. After it ContainerPilot kills the run, and the run has failed.",
            "30s",
            default_words="none; `when.interval` for a periodic job",
            least="1ms",
            needs=("exec",),
        ),
        Key(
            "stopTimeout",
            "duration",
            "How long the jobs that wait for `stopping` of this job may delay its end. 0 means no limit.",
            "20s",
        ),
        HEALTH,
        READY,
        WATCHDOG,
        Key(
            "port",
            "integer",
            "The port of the service. With a port, ContainerPilot [registers the job](jobs.md#port) in the catalogue "
            "while it is healthy.",
            8000,
            least=1,
            most=LAST_PORT,
            needs=("health",),
        ),
        Key(
            "id",
            "string",
            "[The id of this instance](jobs.md#port) in the catalogue.",
            "app-1",
            default_words="`<name>-<hostname>`",
            needs=("port",),
            since=NEW,
        ),
        Key(
            "interfaces",
            ("strings", "string"),
            "[Which address is registered](configuration.md#interfaces).",
            ["eth1", "static:10.0.0.1"],
            default=["eth0:inet", "inet"],
            needs=("port",),
        ),
        Key("tags", ("strings", "string"), "Tags in the catalogue.", ["v2"], needs=("port",)),
        Key(
            "initial_status",
            "string",
            "Registers the job with this status before its first check.",
            "warning",
            values=("passing", "warning", "critical"),
            needs=("port",),
        ),
        of_consul(("port",)),
        DRAIN,
        LOGGING,
    ),
)

_WATCHES = Key(
    "watches",
    "array of objects",
    "[Services](jobs.md#watches) that ContainerPilot watches in the catalogue.",
    [{"name": "database", "interval": 10}],
    keys=(
        Key(
            "name",
            "string",
            "The name of the service, by [the same rule](jobs.md#port) as for a job with a `port`. The events have the "
            "source `watch.<name>`.",
            "database",
            required=True,
        ),
        Key(
            "interval",
            "seconds",
            "The time between two queries, if the catalogue cannot report changes.",
            10,
            required=True,
            least=1,
        ),
        Key("tag", "string", "Only instances with this tag count.", "primary"),
        Key("dc", "string", "The datacenter of Consul.", "dc2", default_words="the agent's"),
        Key(
            "mode",
            "string",
            '`"push"`: the catalogue reports changes if it can; `"poll"`: a query each `interval`, and at no other '
            "time.",
            "poll",
            default="push",
            values=("push", "poll"),
            since=NEW,
        ),
    ),
)

_TELEMETRY = telemetry(
    (
        TELEMETRY_PORT,
        Key(
            "interfaces",
            ("strings", "string"),
            "[The address](configuration.md#interfaces) on which telemetry listens.",
            ["eth1", "static:10.0.0.1"],
            default=["eth0:inet", "inet"],
        ),
        Key(
            "tags",
            ("strings", "string"),
            "Tags in the catalogue. The version of ContainerPilot is added.",
            ["v2"],
        ),
        Key(
            "metrics",
            "array of objects",
            "The metrics that may be recorded.",
            [{"namespace": "app", "name": "orders", "type": "counter"}],
            keys=metric_keys(has_default_help=True),
        ),
    )
)

KEYS = (_JOBS, _WATCHES, *CATALOGS, *settings(JOBS), _TELEMETRY, *STOPS)
