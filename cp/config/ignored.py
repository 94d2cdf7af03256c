"""Keys that the Go program accepted without a word and never used: the names of its own fields.

Its decoder matched keys against all fields of a structure, also those that it could not set, and against fields that
were overwritten afterwards. Imported only when a configuration has a key that is not known.
"""

from __future__ import annotations

# By the path of the object, without indices; each key in lower case, with what to use in its place.
JOBS = {
    "jobs": {
        "execTimeout": "`timeout`",
        "freqInterval": "`when.interval`",
        "healthCheckExec": "`health.exec`",
        "heartbeatInterval": "`health.interval`",
        "restartLimit": "`restarts`",
        "serviceDefinition": "`port`, `interfaces` and `tags`",
        "stoppingTimeout": "`stopTimeout`",
        "stoppingWaitEvent": 'another job, with `when: {source: …, once: "stopping"}`',
        "ttl": "`health.ttl`",
        "whenEvent": "`when.once` or `when.each`",
        "whenStartsLimit": "`when.once` or `when.each`",
        "whenTimeout": "`when.timeout`",
    },
    "watches": {
        "discoveryService": "`consul`, `etcd` or `directory` at top level",
        "serviceName": "`name`",
    },
    "telemetry": {
        "addr": "`interfaces` and `port`",
        "jobConfig": "`port`, `interfaces` and `tags`",
        "metricConfigs": "`metrics`",
    },
    "telemetry.metrics": {
        "collector": "`type`",
        "fullName": "`namespace`, `subsystem` and `name`",
        "metricType": "`type`",
    },
}
SERVICES = {
    "services": {
        "definition": "`port`, `interfaces` and `tags`",
        "discoveryService": "`consul`, `etcd` or `directory` at top level",
        "healthCheckCmd": "`health`",
        "id": "`name`: the id is made of it and of the hostname",
        "ipAddress": '`interfaces`, such as "static:10.0.0.1"',
    },
    "backends": {
        "discoveryService": "`consul`, `etcd` or `directory` at top level",
        "lastState": "nothing: it was a part of the program's memory",
        "onChangeCmd": "`onChange`",
    },
    "coprocesses": {
        "cmd": "`command`",
        "restart": "`restarts`",
        "restartLimit": "`restarts`",
        "restartsRemain": "`restarts`",
    },
    "telemetry.sensors": {
        "checkCmd": "`check`",
        "collector": "`type`",
    },
}


def instead_of(path: str, key: str, *, jobs_dialect: bool) -> str:
    """What to use in place of a key of the object at this key path; empty if the Go program refused the key."""
    table = (JOBS if jobs_dialect else SERVICES).get(_without_indices(path), {})
    return next((advice for name, advice in table.items() if name.lower() == key.lower()), "")


def _without_indices(path: str) -> str:
    return ".".join(part.partition("[")[0] for part in path.split("."))
