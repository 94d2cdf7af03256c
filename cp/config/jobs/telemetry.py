"""`telemetry` of the jobs dialect: its metrics, and the job `containerpilot` that represents it."""

from __future__ import annotations

from cp.config.fields import one_of
from cp.config.jobs.job import TELEMETRY_HEARTBEAT, TELEMETRY_JOB, TELEMETRY_TTL
from cp.config.jobs.service import DEFAULT_INTERFACES, ON_DEFAULT_INTERFACES
from cp.config.shared_telemetry import (
    NAME_PARTS,
    ReadTelemetry,
    full_name,
    has_good_name,
    one_of_the_types,
    read_port,
)
from cp.encoding.prometheus import GAUGE, KINDS, NAME_RULE
from cp.plan import Check, Job, Metric, Service, TelemetrySettings, When

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.host_info import HostInfo

_KEYS = ("port", "interfaces", "tags", "metrics")
_METRIC_KEYS = (*NAME_PARTS, "help", "type")


def read_telemetry(root: Fields, host_info: HostInfo, *, has_catalog: bool) -> ReadTelemetry | None:
    """Read `telemetry`; None without it. With a catalogue, its service is registered, too."""
    fields = root.object("telemetry", _KEYS)
    if fields is None:
        return None
    port = read_port(fields, "telemetry validation error: `port` must be > 0")
    tags = fields.strings("tags", single=True)
    address = host_info.address(fields, DEFAULT_INTERFACES, ON_DEFAULT_INTERFACES)
    telemetry = TelemetrySettings(address=address, port=port, job=TELEMETRY_JOB, metrics=_read_metrics(fields))
    service = Service(
        name=TELEMETRY_JOB,
        id=host_info.service_id(TELEMETRY_JOB),
        address=address,
        port=port,
        ttl=TELEMETRY_TTL,
        tags=(*tags, host_info.version) if host_info.version else tags,
    )
    job = Job(
        name=TELEMETRY_JOB,
        label=TELEMETRY_JOB,
        when=When(code="startup", source="global"),
        log_fields=(("job", TELEMETRY_JOB),),
        health=(Check(label=f"check.{TELEMETRY_JOB}", interval=TELEMETRY_HEARTBEAT),) if has_catalog else (),
        service=service if has_catalog else None,
        always_healthy=True,
    )
    return ReadTelemetry(telemetry, job, TELEMETRY_JOB)


def _read_metrics(fields: Fields) -> tuple[Metric, ...]:
    """The metrics. If a name repeats, the last one counts."""
    metrics: dict[str, Metric] = {}
    key_paths: dict[str, str] = {}
    for metric in fields.objects("metrics", _METRIC_KEYS):
        kind = metric.string("type")
        if kind not in KINDS:
            metric.error("type", f"invalid metric type: {kind}{one_of_the_types(kind)}")
        name = full_name(metric)
        if not has_good_name(metric, name):
            metric.error("name", f'"{name}" is not a valid metric name: {NAME_RULE}')
        elif name in key_paths:
            metric.warning("name", f"replaces the metric {name} of {key_paths[name]}: keep one of them")
        joined = "_".join(map(metric.string, NAME_PARTS))  # ContainerPilot 3 requires this name from its clients
        metrics[name] = Metric(
            name=name,
            kind=one_of(kind, KINDS) or GAUGE,
            help=metric.string("help").strip() or f"{kind} {name}",
            lookups=(joined,) if joined != name else (),
        )
        key_paths.setdefault(name, metric.key_path)
    return tuple(metrics.values())
