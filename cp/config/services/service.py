"""`services`: registered in the catalogue while their health checks pass."""

from __future__ import annotations

from cp.config import durations
from cp.config.services.scope import read_name
from cp.plan import REPLACE, Check, Job, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.services.scope import Scope

_KEYS = ("name", "port", "poll", "ttl", "health", "timeout", "failures", "interfaces", "tags", "consul")
_CONSUL_KEYS = ("enableTagOverride", "deregisterCriticalServiceAfter")


def read_services(root: Fields, scope: Scope) -> list[Job]:
    """A job without a process for each service.

    ContainerPilot 2 does not have `failures`: after that number of failed checks in a row the service is reported as
    critical, instead of waiting for the end of its time to live.
    """
    jobs: list[Job] = []
    ids: dict[str, int] = {}
    for fields in root.objects("services", _KEYS):
        name = read_name(fields, kind="service")
        service_id = scope.host_info.service_id(name)
        ids[service_id] = ids.get(service_id, 0) + 1
        if name and ids[service_id] > 1:
            first, service_id = service_id, f"{service_id}-{ids[service_id]}"
            fields.warning(
                "name",
                f"another service is called '{name}' too: this one is registered as '{service_id}' beside '{first}'",
            )
        jobs.append(_service_job(fields, scope, name, service_id))
        scope.variables.claim(jobs[-1], fields)
    return jobs


def _service_job(fields: Fields, scope: Scope, name: str, service_id: str) -> Job:
    poll = fields.positive("poll", f"`poll` must be > 0 in service {name}", 10)
    ttl = fields.positive("ttl", f"`ttl` must be > 0 in service {name}", 25)
    port = fields.positive("port", f"`port` must be > 0 in service {name}", 8080)
    if port > 65535:
        fields.warning("port", f"{port} is beyond the last port, 65535: nobody can connect to it")
    if 0 < ttl <= poll:
        fields.warning(
            "ttl",
            f"a `ttl` of {ttl} s is not more than the `poll` of {poll} s: service {name} lapses between two checks",
        )
    inner = fields.object("consul", _CONSUL_KEYS)
    return Job(
        name=scope.unique(name),
        label=name,
        when=scope.at_start(),
        health=(_health(fields, name, service_id, float(poll)),),
        service=Service(
            name=name,
            id=service_id,
            address=scope.address(fields),
            port=port,
            ttl=ttl,
            tags=fields.strings("tags"),
            separate_check=True,
            enable_tag_override=inner.boolean("enableTagOverride") if inner is not None else False,
            deregister_critical_after=_deregister_after(inner, name) if inner is not None else "",
        ),
        counted=fields.has("health"),
        pauses_in_maintenance=True,
        reload=REPLACE,
    )


_NO_OBJECT = ": in this dialect `health` is the command itself, with `poll`, `ttl` and `timeout` beside it"


def _health(fields: Fields, name: str, service_id: str, poll: float) -> Check:
    prefix = f"Could not parse `health` in service {name}: "
    command = fields.command("health", prefix, of_object=_NO_OBJECT)
    if not fields.has("health") and fields.has("timeout"):
        fields.warning(
            "timeout", f"has no effect: service {name} has no `health` command, so `timeout` has nothing to limit"
        )
    limit = fields.duration("timeout", prefix) if fields.has("health") else None
    if limit is not None and limit[0] < 0:
        fields.error("timeout", f"{prefix}the timeout {limit[1]} is negative: leave it out for no limit")
    failures = fields.integer("failures")
    if failures is not None and failures < 0:
        fields.error("failures", f"`failures` must be >= 0 in service {name}, but is {failures}")
    return Check(
        label=f"{name}.health",
        interval=poll,
        command=command,
        timeout=durations.seconds(limit[0]) if limit is not None and limit[0] > 0 else None,
        timeout_text=limit[1] if limit is not None and limit[0] > 0 else "",
        log_fields=(("process", "health"), ("serviceName", name), ("serviceID", service_id)),
        critical_after=failures or 0,
        unstartable="Unable to start",
        trusted=command is None,
    )


def _deregister_after(inner: Fields, name: str) -> str:
    prefix = f"Could not parse consul `deregisterCriticalServiceAfter` in service {name}: "
    limit = inner.duration("deregisterCriticalServiceAfter", prefix, durations.parse_go)
    return "" if limit is None else limit[1]
