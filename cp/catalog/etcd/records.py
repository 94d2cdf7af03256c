"""The keys in etcd, and the JSON of one instance.

    /containerpilot/web/web-box1    {"id":"web-box1","name":"web","address":"10.0.0.1","port":80,"tags":["a"]}

API v2 has that JSON one level deeper, in a key `service`, and without the tags, as ContainerPilot 2 wrote it.
"""

from __future__ import annotations

import json

from cp.catalog.protocol import CatalogGarbage, CatalogUnreachable, Instance
from cp.catalog.unusable_entries import NO_ADDRESS, NOT_A_PORT, NOT_TAGS, Seen, UnusableEntries, is_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from cp.plan import Service

# Go's encoder writes these otherwise than Python's.
_AS_GO = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


class ApiMissing(CatalogUnreachable):
    """The server does not have the requested API: the path does not exist."""


def normal_prefix(prefix: str) -> str:
    """One slash before each of its parts, and none at its end."""
    return "".join(f"/{part}" for part in prefix.split("/") if part)


def encode(service: Service, *, tags: bool) -> bytes:
    fields = {
        "id": service.id,
        "name": service.name,
        "address": service.address,
        "port": service.port,
        "tags": list(service.tags) if tags else None,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).translate(_AS_GO).encode(errors="replace")


class EtcdRecord:
    """What one key says; ValueError with the reason if it is not of an instance."""

    __slots__ = ("instance", "name")

    def __init__(self, text: str | bytes, id: str) -> None:
        """`id` is for those that name none."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
        if not isinstance(fields, dict):
            raise ValueError("it is not a JSON object")
        tags = fields.get("tags") or ()
        port = fields.get("port", 0)
        self.name, id = _text(fields, "name"), _text(fields, "id") or id
        address = _text(fields, "address")
        if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
            raise ValueError(NOT_TAGS)
        if not is_port(port):
            raise ValueError(NOT_A_PORT)
        if not address:
            raise ValueError(NO_ADDRESS)
        self.instance = Instance(id, address, port, tuple(tags))


class EtcdReader:
    """Turns keys and values into instances. `warn` gets one line for each key that is not an instance."""

    def __init__(self, warn: Callable[[str], object], unusable: Seen | None = None) -> None:
        self._unusable = UnusableEntries(warn, unusable)
        self.close = self._unusable.close

    def records(self, entries: Iterable[tuple[str, str, str | bytes]]) -> list[EtcdRecord]:
        """Of triples of key, id and value."""
        found = []
        unusable = {}
        for key, id, value in entries:
            try:
                found.append(EtcdRecord(value, id))
            except ValueError as error:
                what = f"the key {key!r} in etcd is ignored, it is not an entry of the catalogue: {error}"
                unusable[key] = f"{what}; see etcd.prefix"
        self._unusable.report(unusable)
        return found

    def obstructed(self, key: str) -> None:
        """Report that a key cannot be read because a key above it is not a directory."""
        self._unusable.report(
            {key: f"the key {key!r} in etcd cannot be: one above it is not a directory; see etcd.prefix"}
        )


def instances(records: Iterable[EtcdRecord]) -> list[Instance]:
    return sorted((record.instance for record in records), key=lambda instance: instance.id)


def parse_object(body: bytes, what: Callable[[bytes], str]) -> dict[str, Any]:
    """Parse a JSON object; `what` quotes it in errors. Raises CatalogGarbage."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise CatalogGarbage(f"etcd's answer makes no sense: {what(body)[:60]!r}")
    return answer


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"its {key} is not a string")
    return value
