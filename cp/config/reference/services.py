"""The keys of the services dialect."""

from __future__ import annotations

from cp.config.reference.catalogs import CATALOGS
from cp.config.reference.key import NEW_IN_SERVICES, SERVICES, Key
from cp.config.reference.shared import (
    LAST_PORT,
    MOST_RESTARTS,
    STOPS,
    TELEMETRY_PORT,
    metric_keys,
    of_consul,
    settings,
    telemetry,
)

_SERVICES = Key(
    "services",
    "array of objects",
    "[The services](configuration.md#services) that ContainerPilot registers while their health checks pass.",
    [{"name": "app", "port": 8000, "poll": 5, "ttl": 15}],
    keys=(
        Key(
            "name",
            "string",
            "The name of the service in the catalogue: a small letter, then one or more letters, digits or dashes. "
            "ContainerPilot warns about other names.",
            "app",
            required=True,
        ),
        Key("port", "integer", "The port of the service.", 8000, required=True, least=1, most=LAST_PORT),
        Key(
            "poll",
            "seconds",
            "The time between two health checks. The first check runs after one `poll`.",
            10,
            required=True,
            least=1,
        ),
        Key(
            "ttl",
            "seconds",
            "The entry in the catalogue lapses if no check has passed for this time. It should be longer than `poll`.",
            15,
            required=True,
            least=1,
        ),
        Key(
            "health",
            "command",
            "The service is healthy if this command exits with 0. Without it ContainerPilot sends a heartbeat each "
            "`poll`, and the service counts as healthy from the first one on.",
            ["/app/check.sh", "--quick"],
        ),
        Key(
            "timeout",
            "duration",
            "The time limit of `health`. After it ContainerPilot kills the check, and the check has failed. 0 means no "
            "limit.",
            "2s",
            least="0s",
            needs=("health",),
        ),
        Key(
            "failures",
            "integer",
            "After this number of failures in a row, ContainerPilot reports the service as critical. With 0 it does "
            "not, and the `ttl` runs out.",
            3,
            default=0,
            least=0,
            since=NEW_IN_SERVICES,
        ),
        Key(
            "interfaces",
            ("strings", "string"),
            "[Which address is registered](configuration.md#interfaces).",
            ["eth1", "static:10.0.0.1"],
            default=["eth0:inet"],
        ),
        Key("tags", "strings", "Tags in the catalogue.", ["v2"]),
        of_consul(()),
    ),
)

_BACKENDS = Key(
    "backends",
    "array of objects",
    "[Services of others](configuration.md#backends) that ContainerPilot watches in the catalogue.",
    [{"name": "database", "poll": 10, "onChange": "/app/reconnect.sh"}],
    keys=(
        Key("name", "string", "The name of the service.", "database", required=True),
        Key(
            "poll",
            "seconds",
            "The time until the first query, and between two queries if the catalogue cannot report changes.",
            5,
            required=True,
            least=1,
        ),
        Key(
            "onChange",
            "command",
            "The command that runs when the healthy instances change.",
            ["/app/reconnect.sh", "--now"],
            required=True,
        ),
        Key(
            "timeout",
            "duration",
            "The time limit of `onChange`. After it ContainerPilot kills the command. 0 means no limit.",
            "30s",
            least="0s",
        ),
        Key("tag", "string", "Only instances with this tag count.", "primary"),
        Key(
            "mode",
            "string",
            '`"push"`: the catalogue reports changes if it can; `"poll"`: a query each `poll` seconds, and at no '
            "other time.",
            "poll",
            default="push",
            values=("push", "poll"),
            since=NEW_IN_SERVICES,
        ),
    ),
)

_TASKS = Key(
    "tasks",
    "array of objects",
    "[Commands that run at a fixed interval](configuration.md#tasks).",
    [{"command": "/app/backup.sh", "frequency": "10m"}],
    keys=(
        Key("command", "command", "The command that runs.", ["/app/backup.sh", "--quick"], required=True),
        Key(
            "frequency",
            "duration",
            "The time between two runs. The first run comes after one `frequency`.",
            "1h",
            required=True,
            least="1ms",
        ),
        Key(
            "timeout",
            "duration",
            "The time limit of one run. After it ContainerPilot kills the run.",
            "2m",
            default_key="frequency",
            least="1ms",
        ),
        Key("name", "string", "The name in the log.", "backup", default_key="command"),
    ),
)

_COPROCESSES = Key(
    "coprocesses",
    "array of objects",
    "[Processes beside the application](configuration.md#coprocesses).",
    [{"command": "/app/agent"}],
    keys=(
        Key("command", "command", "The command that runs.", ["/app/agent", "-f"], required=True),
        Key(
            "name",
            "string",
            "The name in the log and in the variable `CONTAINERPILOT_<NAME>_PID`.",
            "agent",
            default_key="command",
        ),
        Key(
            "restarts",
            ("integer", "string"),
            "How many times ContainerPilot starts the process again after it ends, whatever its exit code: a number, "
            '`"unlimited"`, or `"never"`.',
            3,
            default="never",
            values=("unlimited", "never"),
            least=0,
            most=MOST_RESTARTS,
        ),
        Key(
            "onExit",
            "string",
            'What the process gets when the application ends by itself. `"kill"`: SIGKILL; `"term"`: SIGTERM, and '
            "SIGKILL after `stopTimeout`.",
            "term",
            default="kill",
            values=("kill", "term"),
            since=NEW_IN_SERVICES,
        ),
    ),
)

_HOOKS = (
    Key(
        "preStart",
        "command",
        "Runs before everything else. If it fails, ContainerPilot starts nothing and ends with its exit code.",
        ["/app/configure.sh", "--once"],
        excludes=("onStart",),
    ),
    Key(
        "onStart",
        "command",
        "The old name of `preStart`. ContainerPilot warns about it.",
        "/app/configure.sh",
        excludes=("preStart",),
        deprecated="preStart",
    ),
    Key(
        "preStop",
        "command",
        "Runs after you request a stop, before the application gets SIGTERM.",
        "/app/drain.sh",
    ),
    Key(
        "postStop",
        "command",
        "Runs after the application has ended, for any reason. If it fails, ContainerPilot ends with its exit code.",
        "/app/clean.sh",
    ),
)

_TELEMETRY = telemetry(
    (
        TELEMETRY_PORT,
        Key(
            "interfaces",
            ("strings", "string"),
            "[The address](configuration.md#interfaces) on which telemetry listens.",
            ["eth1", "static:10.0.0.1"],
            default=["eth0:inet"],
        ),
        Key("tags", "strings", "Tags in the catalogue.", ["v2"]),
        Key(
            "sensors",
            "array of objects",
            "Metrics, and the commands that measure them.",
            [
                {
                    "name": "queue_length",
                    "help": "orders that wait",
                    "type": "gauge",
                    "check": "/app/queue-length.sh",
                    "poll": 5,
                }
            ],
            keys=(
                *metric_keys(has_default_help=False),
                Key(
                    "check",
                    "command",
                    "The command that prints the value on its standard output. Its standard error is that of "
                    "ContainerPilot.",
                    ["/app/queue-length.sh", "--all"],
                    required=True,
                ),
                Key(
                    "poll",
                    "seconds",
                    "The time between two values. ContainerPilot warns if it is missing.",
                    30,
                    default=10,
                    least=1,
                ),
                Key(
                    "timeout",
                    "duration",
                    "The time limit of `check`. After it ContainerPilot kills the command. 0 means no limit.",
                    "2s",
                    least="0s",
                ),
            ),
        ),
        Key("servicename", "string", "The name in the catalogue.", "metrics", default="containerpilot"),
        Key("url", "string", "The path of the metrics. It begins with a slash.", "/prometheus", default="/metrics"),
        Key(
            "ttl",
            "seconds",
            "The entry in the catalogue lapses after this time without a heartbeat.",
            30,
            default=15,
            least=1,
        ),
        Key("poll", "seconds", "The time between two heartbeats.", 10, default=5, least=1),
    )
)

KEYS = (
    *(*CATALOGS, _SERVICES, _BACKENDS, _TASKS, _COPROCESSES, *_HOOKS, *STOPS),
    *(_TELEMETRY, *settings(SERVICES)),
)
