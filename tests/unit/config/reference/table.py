"""Configurations made of the table of keys: for each key a small one that has it, and what its reader makes of it."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from cp.config.errors import ConfigError
from cp.config.load import load
from cp.config.reference.key import JOBS, SERVICES, Key
from cp.config.reference.tree import ROOTS, inside, walk
from cp.config.source import Source
from cp.plan import Job, Plan
from cp.platform.address import Address
from cp.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cp.config.confidential import Secrets

ABSENT: Any = object()
ETH0 = [Address("eth0", bytes([10, 0, 0, 7])), Address("lo", bytes([127, 0, 0, 1]))]
# Each default of `interfaces` chooses something else on one of them.
MACHINES = [ETH0, [Address("eth1", bytes([10, 0, 0, 8]))], [Address("eth0", b"\xfd" + bytes(14) + b"\1")]]
ENVIRON = {"DB_PASSWORD": "swordfish-0"}

ALL = [(dialect, path) for dialect in ROOTS for path, _ in walk(dialect)]
KEYS = {(dialect, path): key for dialect in ROOTS for path, key in walk(dialect)}


def ids(dialect: str, path: str) -> str:
    return f"{dialect}-{path}"


class Outcome:
    """The result of loading a configuration: a plan, or errors; and the warnings."""

    def __init__(self, plan: Plan | None, errors: tuple[str, ...], warnings: tuple[str, ...]) -> None:
        self.plan = None if plan is None else plan.replace(warnings=())
        self.errors = errors
        self.warnings = warnings

    @property
    def complaints(self) -> tuple[str, ...]:
        return self.errors + self.warnings

    def errors_at(self, path: str) -> list[str]:
        return [text for text in self.errors if is_at(path, text)]

    def complaints_at(self, path: str) -> list[str]:
        return [text for text in self.complaints if is_at(path, text)]


def is_at(path: str, message: str) -> bool:
    """Whether a message is about this key, or about an element of its array."""
    pattern = r"\[\d+\]".join(map(re.escape, path.split("[]")))
    return re.match(rf"app\.json:\d+:\d+: {pattern}(\[\d+\])?: ", message) is not None


def loaded(
    dialect: str,
    configuration: Mapping[str, Any],
    *,
    environ: Mapping[str, str] = ENVIRON,
    addresses: list[Address] = ETH0,
    secrets: Secrets | None = None,
) -> Outcome:
    try:
        plan = load(
            Source("app.json", json.dumps(configuration)),
            environ,
            arguments=("/app/server",) if dialect == SERVICES else (),
            hostname="host",
            addresses=lambda: addresses,
            secrets=secrets,
        )
    except ConfigError as error:
        return Outcome(None, error.errors, error.warnings)
    return Outcome(plan, (), plan.warnings)


# What the job of a key needs so that its example has an effect, and its values are accepted.
BESIDE: dict[str, dict[str, Any]] = {
    "jobs[].health.ttl": {"port": 8000},
    "jobs[].health.onUnhealthy": {"restarts": "unlimited"},
    "jobs[].ready.onTimeout": {"restarts": "unlimited"},
    "jobs[].ready.health": {"health": {"tcp": ":8000", "interval": 1}},
}
# A job has exactly one of these: the one that it has without the key.
ALTERNATIVES: dict[str, tuple[str, Any]] = {
    "jobs[].ready.notify": ("log", "ready"),
    **dict.fromkeys((f"jobs[].ready.{kind}" for kind in ("log", "fd", "health", "file")), ("notify", True)),
}


def with_key(dialect: str, path: str, value: Any, *, needs: bool = True) -> dict[str, Any]:
    """The configuration in which the key at `path` has this value, or is ABSENT. The objects around it are the examples
    of the table. `needs`: with the keys that this key needs beside it, otherwise without."""
    root: dict[str, Any] = {"dialect": dialect}
    keys = ROOTS[dialect]
    _put(root, keys, _named(keys, "directory"), "/var/lib/catalogue")
    if dialect == JOBS:
        jobs = _named(keys, "jobs")
        _put(root, keys, jobs, jobs.example)
    at = root
    *parents, last = path.split(".")
    for name in parents:
        key = _named(keys, name.removesuffix("[]"))
        _put(at, keys, key, key.example)
        at = at[key.name][0] if name.endswith("[]") else at[key.name]
        keys = key.keys
    key = _named(keys, last)
    _put(at, keys, key, value)
    if not needs:
        for name in key.needs:
            at.pop(name, None)
    if value is ABSENT and path in ALTERNATIVES:
        other, instead = ALTERNATIVES[path]
        at[other] = instead
    if path in BESIDE:
        root["jobs"][0].update(copy.deepcopy(BESIDE[path]))
    return root


def around(configuration: dict[str, Any], path: str) -> dict[str, Any]:
    """The object in a configuration that has the key at this path, in the first element of each array."""
    at: Any = configuration
    for name in path.split(".")[:-1]:
        at = at[name.removesuffix("[]")]
        at = at[0] if name.endswith("[]") else at
    found: dict[str, Any] = at
    return found


def _named(keys: tuple[Key, ...], name: str) -> Key:
    return next(key for key in keys if key.name == name)


def _put(at: dict[str, Any], keys: tuple[Key, ...], key: Key, value: Any) -> None:
    for name in key.excludes:
        at.pop(name, None)
    at[key.name] = copy.deepcopy(value) if value is not ABSENT else None
    if key.needs and not any(name in at for name in key.needs):
        needed = _named(keys, key.needs[0])
        _put(at, keys, needed, needed.example)
    if value is ABSENT:
        del at[key.name]


def without_indices(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


def objects(dialect: str) -> dict[str, set[str]]:
    """The names of the keys of each object, by its path."""
    found = {"": {key.name for key in ROOTS[dialect]}}
    found |= {inside(path, key): {inner.name for inner in key.keys} for path, key in walk(dialect) if key.keys}
    return found


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The parts of a plan by path, down to what is neither a record nor a tuple of records."""
    if isinstance(value, Record):
        fields = {name: getattr(value, name) for name in type(value)._fields}  # type: ignore[attr-defined]
        return {at: leaf for name, inner in fields.items() for at, leaf in leaves(inner, f"{path}.{name}").items()}
    if isinstance(value, tuple) and any(isinstance(each, Record) for each in value):
        # Jobs by name, so that one more of them does not make others of the rest.
        parts = [(inner.name if isinstance(inner, Job) else number, inner) for number, inner in enumerate(value)]
        return {at: leaf for name, inner in parts for at, leaf in leaves(inner, f"{path}[{name}]").items()}
    return {path: value}


def differences(one: Plan, other: Plan) -> dict[str, tuple[Any, Any]]:
    """The leaves in which two plans differ."""
    before, after = leaves(one), leaves(other)
    return {
        path: (before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }
