"""The parts of `telemetry` that both dialects share: the metrics that it defines, and the job that represents it."""

from __future__ import annotations

from cp.config.names import ip_variable
from cp.config.nearest import did_you_mean
from cp.encoding.prometheus import KINDS, is_metric_name
from cp.plan import LAST_PORT, Job, TelemetrySettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields

DEFAULT_PORT = 9090
NAME_PARTS = ("namespace", "subsystem", "name")


class ReadTelemetry:
    """The settings of `telemetry`, the job that represents it, and the jobs that produce values of its metrics."""

    __slots__ = ("job", "sensors", "telemetry", "variable")

    def __init__(
        self, telemetry: TelemetrySettings, job: Job, variable_name: str, sensors: tuple[Job, ...] = ()
    ) -> None:
        self.telemetry = telemetry
        self.job = job
        self.sensors = sensors
        #: The environment variable with the address, for children; it is set even without a catalogue.
        self.variable = (ip_variable(variable_name), telemetry.address)


def read_port(fields: Fields, prefix: str) -> int:
    port = fields.positive("port", prefix, DEFAULT_PORT, DEFAULT_PORT)
    if port > LAST_PORT:
        fields.error("port", f"must be from 1 to {LAST_PORT}, but is {port}")
    return port


def one_of_the_types(given: str) -> str:
    return f": choose one of {', '.join(KINDS)}{did_you_mean(given, KINDS)}"


def full_name(metric: Fields) -> str:
    """The name under which it is exposed."""
    return "_".join(part for part in map(metric.string, NAME_PARTS) if part)


def has_good_name(metric: Fields, full_name: str) -> bool:
    return bool(metric.string("name")) and is_metric_name(full_name)
