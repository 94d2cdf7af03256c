"""`watches`: other services whose instances are watched in the catalogue."""

from __future__ import annotations

from cp.config.jobs.service import check_service_name
from cp.plan import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields

_KEYS = ("name", "interval", "tag", "dc", "mode")


def read_watches(root: Fields) -> list[Watch]:
    """The watches. Watches of the same name, with other tags or datacenters, share the source of their events.

    ContainerPilot 3 does not have `mode`: `"poll"` queries only every `interval` seconds; with `"push"`, the default,
    the catalogue reports changes if it can.
    """
    watches: list[Watch] = []
    key_paths: dict[tuple[str, str, str], str] = {}
    for fields in root.objects("watches", _KEYS):
        name = fields.string("name")
        check_service_name(fields, name)
        tag, datacenter = fields.string("tag"), fields.string("dc")
        interval = fields.positive("interval", f"watch[{name}].interval must be > 0", 10)
        watch = Watch(
            name=name,
            source=f"watch.{name}",
            interval=float(interval),
            tag=tag,
            datacenter=datacenter,
            push=_is_push(fields, name),
        )
        first = key_paths.setdefault((name, tag, datacenter), fields.key_path)
        if first == fields.key_path:
            watches.append(watch)
        elif name:
            fields.warning("name", f"has no effect: {first} watches '{name}' with the same tag and datacenter already")
    return watches


def _is_push(fields: Fields, name: str) -> bool:
    mode = fields.string("mode", "push")
    if mode not in ("push", "poll"):
        fields.error("mode", f'watch[{name}].mode must be "push" or "poll", not {fields.written("mode")}')
    return mode != "poll"
