"""The whole table: the keys of each dialect by path, and those that had no effect."""

from __future__ import annotations

from cp.config import ignored
from cp.config.reference import jobs, services
from cp.config.reference.key import JOBS, ORIGINALS, SERVICES, Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROOTS = {SERVICES: services.KEYS, JOBS: jobs.KEYS}


def walk(dialect: str) -> Iterator[tuple[str, Key]]:
    """All keys of a dialect with their paths, such as `jobs[].health.interval`, each object before its own keys."""
    yield from _walk("", ROOTS[dialect])


def _walk(prefix: str, keys: tuple[Key, ...]) -> Iterator[tuple[str, Key]]:
    for key in keys:
        path = prefix + key.name
        yield path, key
        yield from _walk(f"{inside(path, key)}.", key.keys)


def inside(path: str, key: Key) -> str:
    """The path of the object that holds the keys inside of a key: its own, or that of the elements of its array.
    Where one object may stand for an array of them, it is that of the object."""
    return f"{path}[]" if "array of objects" in key.types and "object" not in key.types else path


def keys_of(dialect: str, path: str) -> tuple[Key, ...]:
    """The keys of the object at this path, such as `jobs[].health`; those at top level for an empty path. KeyError."""
    if not path:
        return ROOTS[dialect]
    found = {inside(each, key): key.keys for each, key in walk(dialect) if key.keys}
    return found[path]


def since(dialect: str, path: str) -> str:
    """The version since which a dialect has the key at this path: of the Go program (2.7 or 3.8), or of this one."""
    version = ""
    for each, key in walk(dialect):
        if path == each or path.startswith((f"{each}.", f"{each}[]")):
            version = key.since.get(dialect, version)
    return version or ORIGINALS[dialect]


def without_effect(dialect: str) -> dict[str, str]:
    """The paths of keys that the Go program accepted and never used, each with what to use in its place."""
    arrays = {path: inside(path, key) for path, key in walk(dialect)}
    found: dict[str, str] = {}
    for path, keys in (ignored.JOBS if dialect == JOBS else ignored.SERVICES).items():
        parts = path.split(".")
        opened = ""
        for part in parts:
            opened = arrays[f"{opened}.{part}" if opened else part]
        found.update({f"{opened}.{key}": instead for key, instead in keys.items()})
    return found


def plain(meaning: str) -> str:
    """The meaning of a key as plain text, for what does not show Markdown: the links are replaced by their texts."""
    done = ""
    while True:
        before, bracket, rest = meaning.partition("](")
        start = before.rfind("[")
        if not bracket or start < 0:
            return (done + meaning).replace("`", "")
        done += before[:start] + before[start + 1 :]
        meaning = rest.partition(")")[2]
