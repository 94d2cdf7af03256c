"""Consul's lists of service instances, from a few bytes to many megabytes.

A parser in C lets no other thread run until it is done, and 5,000 instances take it a tenth of a second: so long the
program would not hear a signal. So a large answer is parsed in slices of some entries each, which also saves holding
all of its parts, twenty times as much as is taken from it, at the same time.
"""

from __future__ import annotations

import json
import time
from _thread import allocate_lock

from cp.catalog import CatalogGarbage, Instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

LARGE = 100 * 1024  # bytes, from which it pays to load orjson (25 ms and 1.4 MB)
SLICE = 16 * 1024  # bytes: a fraction of a millisecond
# Between two entries, as Consul writes them. Within a string the quotes would be escaped; should it stand somewhere
# deeper, then a slice is no JSON, and the answer is parsed as a whole.
SEPARATOR = b'},{"Node":{'
QUOTED = 2000  # bytes of an answer that is none, to mask and to quote from

_turn = allocate_lock()  # one thread parses a large answer, or else they would hold up the loop in turns
_fast: Callable[[bytes], Any] | None = None


def parse_instances(body: bytes, masked: Callable[[str], str] = str) -> list[Instance]:
    """Of an answer to /v1/health/service; CatalogGarbage, which quotes it without secrets, if it is none."""
    try:
        return _parse_large(body) if len(body) > LARGE else _instances(json.loads(body), {})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        quoted = " ".join(masked(body[:QUOTED].decode(errors="replace")).split())[:60]
        raise CatalogGarbage(f"Consul's answer is not a list of service instances: {quoted!r}") from None


def _parse_large(body: bytes) -> list[Instance]:
    import gc

    with _turn:
        collecting = gc.isenabled()
        gc.disable()  # there are no cycles in it, and to look for them takes as long as to parse
        try:
            loads = _fast_parser()
            tags: dict[tuple[str, ...], tuple[str, ...]] = {}
            found: list[Instance] = []
            try:
                for piece in _slices(body):
                    time.sleep(0)  # whoever waits for the interpreter gets it now, and not in 5 ms
                    found += _instances(loads(piece), tags)
            except ValueError:
                found = _instances(json.loads(body), tags)
            return found
        finally:
            if collecting:
                gc.enable()


def _fast_parser() -> Callable[[bytes], Any]:
    global _fast
    if _fast is None:
        from cp.catalog import fast_json

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


def _instances(entries: Any, known_tags: dict[tuple[str, ...], tuple[str, ...]]) -> list[Instance]:
    found = []
    for entry in entries:
        service = entry["Service"]
        id, address, port = service["ID"], service["Address"] or entry["Node"]["Address"], service["Port"]
        if not isinstance(id, str) or not isinstance(address, str) or not isinstance(port, int):
            raise TypeError
        tags = tuple(map(str, service.get("Tags") or ()))
        found.append(Instance(id, address, port, known_tags.setdefault(tags, tags)))
    return found
