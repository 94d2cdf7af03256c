"""Keys that the Go program accepted without a message and never used: the names of its internal fields.

Its decoder matched keys with all fields of a structure, even with those that it could not set or that were overwritten
later. Imported only for a configuration with an unknown key.
"""

from __future__ import annotations

# By the path of the object, without indices: each key, with its replacement.
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
        "id": "`name`: the id consists of it and the hostname",
        "ipAddress": '`interfaces`, such as "static:10.0.0.1"',
    },
    "backends": {
        "discoveryService": "`consul`, `etcd` or `directory` at top level",
        "lastState": "nothing: it was internal state of the program",
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


def instead_of(key_path: str, key: str, *, jobs_dialect: bool) -> str:
    """The replacement of a key in the object at this key path; empty if the Go program refused the key."""
    table = (JOBS if jobs_dialect else SERVICES).get(_without_indices(key_path), {})
    return next((advice for name, advice in table.items() if name.lower() == key.lower()), "")


def _without_indices(key_path: str) -> str:
    return ".".join(part.partition("[")[0] for part in key_path.split("."))
