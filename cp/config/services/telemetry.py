"""`telemetry` of the services dialect: its sensors, and the service `containerpilot` that represents it."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import one_of
from cp.config.shared_telemetry import (
    NAME_PARTS,
    ReadTelemetry,
    full_name,
    has_good_name,
    one_of_the_types,
    read_port,
)
from cp.encoding.prometheus import GAUGE, KINDS, NAME_RULE
from cp.plan import INHERIT, REPLACE, Check, Job, Metric, Service, TelemetrySettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.services.scope import Scope

_KEYS = ("port", "interfaces", "tags", "sensors", "servicename", "url", "ttl", "poll")
_SENSOR_KEYS = (*NAME_PARTS, "help", "type", "check", "poll", "timeout")
_DEFAULT_POLL = 10  # seconds between two values of a sensor without `poll`


def read_telemetry(root: Fields, scope: Scope, services: list[Job], *, has_catalog: bool) -> ReadTelemetry | None:
    """Read `telemetry`; None without it. With a catalogue it is registered, in addition to `services`."""
    fields = root.object("telemetry", _KEYS)
    if fields is None:
        return None
    name = fields.string("servicename", "containerpilot")
    port = read_port(fields, f"`port` must be > 0 in service {name}")
    ttl = fields.positive("ttl", f"`ttl` must be > 0 in service {name}", 15, 15)
    poll = fields.positive("poll", f"`poll` must be > 0 in service {name}", 5, 5)
    url = fields.string("url", "/metrics")
    tags = fields.strings("tags")
    address = scope.address(fields)
    if not name.strip():
        fields.error("servicename", "must not be blank: leave it out for 'containerpilot'")
    elif "=" in name:
        fields.error("servicename", "must not have '=' in it: the name is part of an environment variable's")
    service_id = _free_id(scope.host_info.service_id(name), services)
    if any(job.service is not None and job.service.name == name for job in services):
        fields.warning(
            "servicename",
            f"another service is called '{name}' too: this one is registered as '{service_id}': give one of the two "
            "another name",
        )
    if not url.startswith("/"):
        fields.error("url", "must begin with a slash, such as /metrics")
    metrics, sensors = _read_sensors(fields, scope)
    job = Job(
        name=scope.unique(name),
        label=name,
        when=scope.at_start(),
        health=(Check(label=f"{name}.health", interval=float(poll)),) if has_catalog else (),
        service=Service(name=name, id=service_id, address=address, port=port, ttl=ttl, tags=tags, separate_check=True)
        if has_catalog
        else None,
        pauses_in_maintenance=True,
        always_healthy=True,
        reload=REPLACE,
    )
    telemetry = TelemetrySettings(
        address=address,
        port=port,
        job=job.name,
        path=url,
        metrics=tuple(metrics),
        keeps_unchanged=False,
        announcement="telemetry: Listening on {address}",
    )
    return ReadTelemetry(telemetry, job, name, tuple(sensors))


def _free_id(service_id: str, services: list[Job]) -> str:
    """An id that none of these services has: with a number if necessary."""
    taken = {job.service.id for job in services if job.service is not None}
    free, number = service_id, 1
    while free in taken:
        number += 1
        free = f"{service_id}-{number}"
    return free


def _read_sensors(fields: Fields, scope: Scope) -> tuple[list[Metric], list[Job]]:
    """The metrics, and the jobs that produce their values. If a name repeats, the last one counts, as in version 2."""
    read: dict[str, tuple[Metric, Job]] = {}
    firsts: dict[str, Fields] = {}
    for sensor in fields.objects("sensors", _SENSOR_KEYS):
        metric = _metric(sensor)
        job = _sensor_job(sensor, scope, metric)
        if metric.name in read:
            first = firsts[metric.name]
            del read[metric.name]
            sensor.warning(
                "name",
                f"replaces the sensor {first.key_path} ({first.location_of('name')}), which is not run: both feed the "
                f"metric {metric.name}, so keep one of them",
            )
        firsts[metric.name] = sensor
        read[metric.name] = metric, job
    return [metric for metric, _ in read.values()], [
        job.replace(name=scope.unique(job.name)) for _, job in read.values()
    ]


def _metric(sensor: Fields) -> Metric:
    kind = sensor.string("type")
    if kind not in KINDS:
        sensor.error("type", f"invalid sensor type '{kind}'{one_of_the_types(kind)}")
    if not sensor.string("help").strip():
        sensor.error("help", "empty help string: say in a few words what the metric counts")
    name = full_name(sensor)
    if not has_good_name(sensor, name):
        sensor.error("name", f"'{name}' is not a metric name: {NAME_RULE}")
    return Metric(name=name, kind=one_of(kind, KINDS) or GAUGE, help=sensor.string("help"), rounds_up=False)


def _sensor_job(sensor: Fields, scope: Scope, metric: Metric) -> Job:
    """A periodic job. Its standard output is a value of the metric, its standard error is ContainerPilot's."""
    name = sensor.string("name")
    prefix = f"could not parse check in sensor {name}: "
    if not sensor.has("check"):
        sensor.error("check", f"{prefix}received zero-length argument: add the command that prints the value")
    command = sensor.command("check", prefix)
    limit = sensor.duration("timeout", prefix)
    if limit is not None and limit[0] < 0:
        sensor.error("timeout", f"{prefix}the timeout {limit[1]} is negative: leave it out for no limit")
    label = f"{name}.sensor"
    return Job(
        name=label,
        label=label,
        when=scope.at_start(interval=float(_poll(sensor))),
        command=command,
        metric=metric.name,
        restarts=None,
        timeout=durations.seconds(limit[0]) if limit is not None and limit[0] > 0 else None,
        timeout_text=limit[1] if limit is not None and limit[0] > 0 else "",
        output=INHERIT,
        sweeps_group=False,
        failure_level="error",
        pauses_in_maintenance=True,
        reload=REPLACE,
    )


def _poll(sensor: Fields) -> int:
    """The interval in seconds. ContainerPilot 2 accepted a sensor without it, and crashed at its start."""
    poll = sensor.integer("poll")
    if poll is not None and poll < 0:
        sensor.error("poll", f"must be at least 1 (seconds), but is {poll}")
    if poll == 0:
        sensor.warning(
            "poll", f"`poll` is {'0' if sensor.has('poll') else 'not set'}, so {_DEFAULT_POLL} seconds are used"
        )
    return poll if poll is not None and poll > 0 else _DEFAULT_POLL
