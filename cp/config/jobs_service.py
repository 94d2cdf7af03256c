"""What the catalogue is told about a job with a `port`."""

from __future__ import annotations

from cp.config import durations
from cp.config.names import SERVICE_NAME_RULE, is_service_name
from cp.config.nearest import did_you_mean
from cp.plan import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.machine import Machine

DEFAULT_INTERFACES = ("eth0:inet", "inet")
ON_DEFAULT_INTERFACES = (
    'The default is eth0, else any interface with an IPv4 address but lo; name another, such as "interfaces": ["lo"].'
)

_CONSUL_KEYS = ("enableTagOverride", "deregisterCriticalServiceAfter")
_STATUSES = ("passing", "warning", "critical")
_LAST_PORT = 65535


def check_service_name(fields: Fields, name: str) -> None:
    """A fault if a catalogue cannot carry the `name`."""
    if not name.strip():
        fields.fault("name", "'name' must not be blank")
    elif not is_service_name(name):
        fields.fault("name", f"{SERVICE_NAME_RULE}: a small letter, then one or more letters, digits or dashes")


def read_service(fields: Fields, name: str, ttl: int, machine: Machine) -> Service | None:
    """The service that a job is advertised as; None if it has no `port`. `ttl` is that of its health check."""
    port = fields.integer("port")
    consul = fields.object("consul", _CONSUL_KEYS)
    override = consul.boolean("enableTagOverride") if consul is not None else False
    tags = fields.strings("tags", single=True)
    if not port:
        for key in ("initial_status", "interfaces", "tags", "consul"):
            if fields.has(key) and not fields.has("port"):
                fields.warning(key, "has no effect without a `port`: only a job with a port is told to the catalogue")
        return None
    if port < 0:
        fields.fault("port", f"must be from 1 to {_LAST_PORT}, but is {port}: leave it out if nothing is to be told")
    elif port > _LAST_PORT:
        fields.warning("port", f"{port} is beyond the last port, {_LAST_PORT}: nobody can connect to it")
    check_service_name(fields, name)
    status = fields.string("initial_status")
    if status and status not in _STATUSES:
        fields.fault(
            "initial_status",
            f"job[{name}].initialStatus must be one of 'passing', 'warning' or 'critical', not '{status}'"
            f"{did_you_mean(status, _STATUSES)}",
        )
    return Service(
        name=name,
        id=f"{name}-{machine.hostname}",
        address=machine.address(fields, DEFAULT_INTERFACES, ON_DEFAULT_INTERFACES),
        port=port,
        ttl=ttl,
        tags=tags,
        initial_status=status,
        enable_tag_override=override,
        deregister_critical_after=_deregister_after(consul, name) if consul is not None else "",
    )


def _deregister_after(consul: Fields, name: str) -> str:
    key = "deregisterCriticalServiceAfter"
    limit = consul.duration(key, f"unable to parse job[{name}].consul.{key}: ", durations.parse_go)
    return "" if limit is None else limit[1]
