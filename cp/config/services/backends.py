"""`backends`: other services that are watched, and the commands that run when their instances change."""

from __future__ import annotations

from cp.config import durations
from cp.config.services.scope import read_name
from cp.plan import REPLACE, Job, Watch, When

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.services.scope import Scope

_KEYS = ("name", "poll", "onChange", "timeout", "tag", "mode")


def read_backends(root: Fields, scope: Scope) -> tuple[list[Watch], list[Job]]:
    """A watch and a job for each backend.

    ContainerPilot 2 does not have `mode`: `"poll"` queries only every `poll` seconds; with `"push"`, the default, the
    catalogue reports changes if it can.
    """
    watches: list[Watch] = []
    jobs: list[Job] = []
    sources: set[str] = set()
    for fields in root.objects("backends", _KEYS):
        name = read_name(fields, kind="backend")
        tag = fields.string("tag")
        source = f"watch.{name}"
        if source in sources:
            source = f"watch.{name}[{tag}]"
        if source in sources:
            fields.warning("name", f"another backend has the name '{name}' and the same tag: one of them is enough")
        source = _unique(source, sources)
        poll = fields.positive("poll", f"`poll` must be > 0 in backend {name}", 10)
        watches.append(
            Watch(
                name=name,
                source=source,
                tag=tag,
                interval=float(poll),
                delay=float(poll),
                push=_is_push(fields, name),
                starts_on=scope.start,
                pauses_in_maintenance=True,
                remembers=True,
            )
        )
        jobs.append(_on_change(fields, scope, name, source))
    return watches, jobs


def _unique(source: str, sources: set[str]) -> str:
    candidate, number = source, 1
    while candidate in sources:
        number += 1
        candidate = f"{source}#{number}"
    sources.add(candidate)
    return candidate


def _is_push(fields: Fields, name: str) -> bool:
    mode = fields.string("mode", "push")
    if mode not in ("push", "poll"):
        fields.error("mode", f'`mode` must be "push" or "poll" in backend {name}, not {fields.written("mode")}')
    return mode != "poll"


def _on_change(fields: Fields, scope: Scope, name: str, source: str) -> Job:
    prefix = f"Could not parse `onChange` in backend {name}: "
    if not fields.has("onChange"):
        fields.error(
            "onChange", f"`onChange` is required in backend {name}: the command to run when its instances change"
        )
    command = fields.command("onChange", prefix)
    limit = fields.duration("timeout", prefix)
    if limit is not None and limit[0] < 0:
        fields.error("timeout", f"{prefix}the timeout {limit[1]} is negative: leave it out for no limit")
    label = f"{name}.onChange"
    return Job(
        name=scope.unique(label),
        label=label,
        when=When(code="changed", source=source, each=True),
        command=command,
        timeout=durations.seconds(limit[0]) if limit is not None and limit[0] > 0 else None,
        timeout_text=limit[1] if limit is not None and limit[0] > 0 else "",
        log_fields=(("process", "onChange"), ("backend", name)),
        pauses_in_maintenance=True,
        reload=REPLACE,
    )
