"""Consul's lists of service instances, from a few bytes to many megabytes.

A JSON parser in C holds the interpreter's lock: it would delay signals by a tenth of a second for 5,000 instances. So a
large answer is parsed in slices of a few entries each. That also saves memory: the parsed answer is twenty times as
large as the instances in it.
"""

from __future__ import annotations

import json
import time
from _thread import allocate_lock

from cp.catalog.protocol import CatalogGarbage, Instance
from cp.catalog.unusable_entries import NO_ADDRESS, NOT_A_PORT, NOT_TAGS, is_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

LARGE = 100 * 1024  # bytes, from which it pays to load orjson (25 ms and 1.4 MB)
SLICE = 16 * 1024  # bytes: a fraction of a millisecond
# Between two entries, as Consul writes them. In a string the quotes would be escaped. If it occurs at a deeper level, a
# slice is not valid JSON, and the answer is parsed as a whole.
SEPARATOR = b'},{"Node":{'
QUOTED = 2000  # bytes of an answer that is none, to mask and to quote from

_turn = allocate_lock()  # one thread at a time parses a large answer: several would delay the loop in turns
_fast: Callable[[bytes], Any] | None = None


def parse_instances(body: bytes, masked: Callable[[str], str] = str) -> tuple[list[Instance], dict[str, str]]:
    """Parse an answer of /v1/health/service: the instances, and by id why other entries cannot be used.

    The id "" stands for all entries without an id. Raises CatalogGarbage, which quotes the answer without secrets, if
    it is not a list or contains no entry of Consul.
    """
    try:
        found, unusable = _parse_large(body) if len(body) > LARGE else _instances(json.loads(body), {})
        if unusable.keys() == {""} and not found:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        quoted = " ".join(masked(body[:QUOTED].decode(errors="replace")).split())[:60]
        raise CatalogGarbage(f"Consul's answer is not a list of service instances: {quoted!r}") from None
    return found, unusable


def _parse_large(body: bytes) -> tuple[list[Instance], dict[str, str]]:
    import gc

    with _turn:
        collecting = gc.isenabled()
        gc.disable()  # there are no cycles in it, and to look for them takes as long as to parse
        try:
            loads = _fast_parser()
            tags: dict[tuple[str, ...], tuple[str, ...]] = {}
            found: list[Instance] = []
            unusable: dict[str, str] = {}
            try:
                for piece in _slices(body):
                    time.sleep(0)  # whoever waits for the interpreter gets it now, and not in 5 ms
                    instances, others = _instances(loads(piece), tags)
                    found += instances
                    unusable.update(others)
            except ValueError:
                return _instances(json.loads(body), tags)
            return found, unusable
        finally:
            if collecting:
                gc.enable()


def _fast_parser() -> Callable[[bytes], Any]:
    global _fast
    if _fast is None:
        from cp.catalog.consul import fast_json

        _fast = fast_json.load()
    return _fast


def _slices(body: bytes) -> Iterator[bytes]:
    """The list as several lists."""
    if not body.startswith(b"["):
        yield body
        return
    begin = 1
    while (end := body.find(SEPARATOR, begin + SLICE)) >= 0:
        yield b"[%b}]" % body[begin:end]
        begin = end + 2
    yield b"[%b" % body[begin:]


def _instances(
    entries: Any, known_tags: dict[tuple[str, ...], tuple[str, ...]]
) -> tuple[list[Instance], dict[str, str]]:
    if not isinstance(entries, list):
        raise TypeError
    found = []
    unusable = {}
    for entry in entries:
        try:
            service = entry["Service"]
            id = service["ID"]
        except (LookupError, TypeError):
            id = None
        if not isinstance(id, str):
            unusable[""] = "it has no id"
            continue
        address, port, tags = service.get("Address") or _node_address(entry), service.get("Port", 0), _tags(service)
        if not port and service.get("Ports"):
            port = _default_port(service["Ports"])
        if not isinstance(address, str) or not address:
            unusable[id] = NO_ADDRESS
        elif not is_port(port):
            unusable[id] = NOT_A_PORT
        elif tags is None:
            unusable[id] = NOT_TAGS
        else:
            found.append(Instance(id, address, port, known_tags.setdefault(tags, tags)))
    return found, unusable


def _node_address(entry: Any) -> Any:
    """Where a service is that names no address of its own."""
    node = entry.get("Node")
    return node.get("Address") if isinstance(node, dict) else None


def _default_port(ports: Any) -> int | None:
    """Of a service with several named ports (Consul 1.22 and later), which has no `Port`: the one that is its default,
    or else the first."""
    if not isinstance(ports, list):
        return None
    usable = [port for port in ports if isinstance(port, dict) and is_port(port.get("Port"))]
    usable.sort(key=lambda port: port.get("Default") is not True)
    return usable[0]["Port"] if usable else None


def _tags(service: Any) -> tuple[str, ...] | None:
    tags = service.get("Tags") or []
    return tuple(tags) if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) else None
