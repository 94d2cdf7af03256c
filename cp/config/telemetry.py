"""`telemetry` of the services dialect: what must be right about it."""

from __future__ import annotations

from cp.config.nearest import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.services_scope import Scope

_KEYS = ("port", "interfaces", "tags", "sensors", "servicename", "url", "ttl", "poll")
_SENSOR_KEYS = ("name", "namespace", "subsystem", "help", "type", "check", "poll", "timeout")
_TYPES = ("counter", "gauge", "histogram", "summary")

_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_REST = _START | frozenset("0123456789:")


def check_telemetry(root: Fields, scope: Scope) -> None:
    """Report what is wrong with `telemetry` and its sensors."""
    fields = root.object("telemetry", _KEYS)
    if fields is None:
        return
    name = fields.string("servicename", "containerpilot")
    for key, default in (("port", 9090), ("ttl", 15), ("poll", 5)):
        fields.positive(key, f"`{key}` must be > 0 in service {name}", default, default)
    if not name.strip():
        fields.fault("servicename", "must not be blank: leave it out for 'containerpilot'")
    if not fields.string("url", "/metrics").startswith("/"):
        fields.fault("url", "must begin with a slash, such as /metrics")
    fields.strings("tags")
    scope.address(fields, single=True)
    names: dict[str, str] = {}
    for sensor in fields.objects("sensors", _SENSOR_KEYS):
        full_name = _check_sensor(sensor)
        if full_name in names:
            sensor.fault("name", f"the metric {full_name} is fed by {names[full_name]} already")
        names.setdefault(full_name, sensor.path)


def _check_sensor(sensor: Fields) -> str:
    """Report what is wrong with one sensor; the full name of its metric."""
    name = sensor.string("name")
    saying = f"could not parse check in sensor {name}: "
    if not sensor.has("check"):
        sensor.fault("check", f"{saying}received zero-length argument: add the command that prints the value")
    sensor.command("check", saying)
    limit = sensor.duration("timeout", saying)
    if limit is not None and limit[0] < 0:
        sensor.fault("timeout", f"{saying}the timeout {limit[1]} is negative: leave it out for no limit")
    metric = sensor.string("type")
    if metric not in _TYPES:
        sensor.fault(
            "type", f"invalid sensor type '{metric}': choose one of {', '.join(_TYPES)}{did_you_mean(metric, _TYPES)}"
        )
    if not sensor.string("help").strip():
        sensor.fault("help", "empty help string: say in a few words what the metric counts")
    parts = (sensor.string("namespace"), sensor.string("subsystem"), name)
    full_name = "_".join(part for part in parts if part)
    if not name or full_name[0] not in _START or not _REST.issuperset(full_name):
        sensor.fault("name", f"'{full_name}' is not a metric name: letters, digits, _ and :, and no digit at its start")
    poll = sensor.integer("poll")
    if poll is not None and poll < 0:
        sensor.fault("poll", f"must be at least 1 (seconds), but is {poll}")
    return full_name
