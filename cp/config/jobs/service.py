"""The registration of a job with a `port` in the catalogue."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import one_of, show
from cp.config.names import SERVICE_NAME_RULE, is_service_name
from cp.plan import LAST_PORT, STATUSES, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp.config.fields import Fields
    from cp.config.host_info import HostInfo
    from cp.plan import STATUSES, Job

DEFAULT_INTERFACES = ("eth0:inet", "inet")
ON_DEFAULT_INTERFACES = (
    'The default is eth0, otherwise any interface with IPv4 except lo: name another, such as "interfaces": ["lo"].'
)

_CONSUL_KEYS = ("enableTagOverride", "deregisterCriticalServiceAfter")
_OF_IDS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-")
_LONGEST_ID = 200


def check_service_name(fields: Fields, name: str) -> None:
    """Add an error if a catalogue does not accept the `name`."""
    if not name.strip():
        fields.error("name", "'name' must not be blank")
    elif not is_service_name(name):
        fields.error("name", f"{SERVICE_NAME_RULE}: a small letter, then one or more letters, digits or dashes")


def read_service(fields: Fields, name: str, ttl: int, host_info: HostInfo) -> Service | None:
    """The service of a job; None if it has no `port`. `ttl` is that of its health check."""
    port = fields.integer("port")
    consul = fields.object("consul", _CONSUL_KEYS)
    override = consul.boolean("enableTagOverride") if consul is not None else False
    tags = fields.strings("tags", single=True)
    if port is None:
        return None
    if not port:
        if fields.has("port"):
            text = f"{fields.written('port')} means no port, so the job is not registered: name a port, or leave it out"
            fields.warning("port", text)
        for key in ("id", "initial_status", "interfaces", "tags", "consul"):
            if fields.has(key):
                text = "has no effect without a `port`: only a job with a port is registered in the catalogue"
                fields.warning(key, text)
        return None
    if port < 0:
        fields.error(
            "port", f"must be from 1 to {LAST_PORT}, but is {port}: leave it out if the job is not to be registered"
        )
    elif port > LAST_PORT:
        fields.warning("port", f"{port} is beyond the last port, {LAST_PORT}: nobody can connect to it")
    check_service_name(fields, name)
    status = fields.string("initial_status")
    if status and status not in STATUSES:
        from cp.config.nearest import did_you_mean

        fields.error(
            "initial_status",
            f"job[{name}].initial_status must be one of 'passing', 'warning' or 'critical', "
            f"not {fields.written('initial_status')}{did_you_mean(status, STATUSES)}",
        )
    return Service(
        name=name,
        id=_id(fields) or host_info.service_id(name),
        address=host_info.address(fields, DEFAULT_INTERFACES, ON_DEFAULT_INTERFACES),
        port=port,
        ttl=ttl,
        tags=tags,
        initial_status=one_of(status, STATUSES) or "",
        enable_tag_override=override,
        deregister_critical_after=_deregister_after(consul, name) if consul is not None else "",
    )


def _id(fields: Fields) -> str:
    """The id in the configuration; empty for the default one. Its characters are safe in a path of every catalogue."""
    id = fields.string("id")
    if not id:
        if fields.has("id"):
            fields.error("id", "must not be empty: leave it out for '<name>-<hostname>'")
    elif not _OF_IDS.issuperset(id) or not id.strip("."):
        fields.error("id", f"must consist of letters (a to z, A to Z), digits and . _ : @ -, but is {show(id)}")
    elif len(id) > _LONGEST_ID:
        fields.error("id", f"must not have more than {_LONGEST_ID} characters, but has {len(id)}")
    return id


def refuse_equal_ids(jobs: Iterable[tuple[Job, Fields | None]]) -> None:
    """Refuse an id from the configuration that another job has: a catalogue has one entry for an id. Default ids
    differ.

    The fields are None for the job of telemetry, which has the default id.
    """
    of_jobs = [(job.service.id, job.name, fields) for job, fields in jobs if job.service is not None]
    names: dict[str, list[str]] = {}
    for id, name, _ in of_jobs:
        names.setdefault(id, []).append(name)
    for id, name, fields in of_jobs:
        others = [other for other in names[id] if other != name]
        if others and fields is not None and fields.has("id"):
            fields.error("id", f"'{id}' is the id of {others[0]}, too: in the catalogue one would replace the other")


def _deregister_after(consul: Fields, name: str) -> str:
    key = "deregisterCriticalServiceAfter"
    limit = consul.duration(key, f"unable to parse job[{name}].consul.{key}: ", durations.parse_go)
    return "" if limit is None else limit[1]
