"""The keys that both dialects share, besides catalogues: logging, control, limits of a stop, and parts of others."""

from __future__ import annotations

from cp.config.reference.key import JOBS, NEW, NEW_IN_JOBS, NEW_IN_SERVICES, Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_PORT = 65535
LAST_USER = 2**32 - 2
MOST_RESTARTS = 10**9 - 1


_TERMINATION_LOG = (
    Key(
        "terminationLog",
        "boolean",
        "Whether [the termination log](exits.md#the-termination-log) also has the last lines of the output of the main "
        "job.",
        True,
        default=False,
        since=NEW_IN_JOBS,
    ),
)


def _logging(dialect: str) -> Key:
    by_default = "time, job, pid, message" if dialect == JOBS else "date, time, message"
    to_file = dialect == JOBS
    return Key(
        "logging",
        "object",
        f"[How ContainerPilot logs]({'jobs' if dialect == JOBS else 'configuration'}.md#logging).",
        {"level": "debug", "format": "json"},
        keys=(
            Key(
                "level",
                "string",
                "ContainerPilot does not write messages below this level. The level may also be in upper case.",
                "debug",
                default="info",
                values=("debug", "info", "warn", "warning", "error", "fatal", "panic"),
                any_case=True,
            ),
            Key(
                "format",
                "string",
                f'The form of a line. `"default"`: {by_default}; `"text"`: `key=value` pairs; `"json"`: an object.',
                "json",
                default="default",
                values=("default", "text", "json"),
                any_case=True,
            ),
            Key(
                "output",
                "string",
                'Where the log goes: `"stdout"`, `"stderr"`, or the path of a file.'
                if to_file
                else "Where the log goes.",
                "/var/log/containerpilot.log" if to_file else "stderr",
                default="stdout",
                values=("stdout", "stderr"),
                open_values=to_file,
                any_case=True,
            ),
            Key(
                "mask",
                ("strings", "string"),
                "Variables of the environment whose values ContainerPilot masks in [the output of "
                "jobs](logs.md#what-jobs-print).",
                ["DB_PASSWORD"],
                since=NEW,
            ),
            *(_TERMINATION_LOG if dialect == JOBS else ()),
        ),
    )


def _control(dialect: str) -> Key:
    return Key(
        "control",
        "object",
        f"[The control socket]({'jobs' if dialect == JOBS else 'configuration'}.md#control).",
        {"socket": "/run/containerpilot.socket"},
        since=NEW_IN_SERVICES,
        keys=(
            Key(
                "socket",
                "string",
                "The path of the control socket, at most 107 bytes. It is an error if ContainerPilot cannot open it.",
                "/run/containerpilot.socket",
                default_words="[the usual places](control.md#the-socket)",
            ),
            Key(
                "users",
                ("string", "integer", "array of strings and integers"),
                "Who may give orders, besides root and the user that ContainerPilot runs as: [names, numbers, or "
                '`"*"`](control.md#who-may-give-orders) for everyone.',
                [1000],
                least=0,
                most=LAST_USER,
                since=NEW,
            ),
        ),
    )


STOPS = (
    Key(
        "stopTimeout",
        "seconds",
        "[The time that a stop gives](lifecycle.md#the-stop) before SIGKILL. 0 means the default, a negative number "
        "means SIGKILL at once.",
        10,
        default=5,
    ),
    Key(
        "shutdownTimeout",
        "duration",
        "The time limit of a whole stop, hooks included. After it ContainerPilot kills everything and ends. 0 means "
        "no limit.",
        "2m",
        least="0s",
        since=NEW,
    ),
)


def settings(dialect: str) -> tuple[Key, ...]:
    """Those at top level that are not catalogues, limits or telemetry."""
    return (
        _control(dialect),
        _logging(dialect),
        Key(
            "dialect",
            "string",
            "The dialect, if [the keys do not decide it](configuration.md#which-dialect).",
            dialect,
            values=("services", "jobs"),
            since=NEW,
        ),
    )


def telemetry(keys: tuple[Key, ...]) -> Key:
    return Key(
        "telemetry",
        "object",
        "[Metrics, status and probes](telemetry.md) over HTTP.",
        {"port": 9090},
        keys=keys,
    )


TELEMETRY_PORT = Key(
    "port", "integer", "The port on which telemetry listens.", 9100, default=9090, least=1, most=LAST_PORT
)


def metric_keys(*, has_default_help: bool) -> tuple[Key, ...]:
    return (
        Key(
            "name",
            "string",
            "The name of the metric. `namespace`, `subsystem` and `name` are joined by `_`, without those that are "
            "missing.",
            "orders",
            required=True,
        ),
        Key("namespace", "string", "The first part of the name.", "app"),
        Key("subsystem", "string", "The second part of the name.", "queue"),
        Key(
            "help",
            "string",
            "The description of the metric for its readers.",
            "orders taken",
            required=not has_default_help,
            default_words="type and name" if has_default_help else "",
        ),
        Key(
            "type",
            "string",
            '`"counter"`: values are added; `"gauge"`: a value replaces the last one; `"histogram"`, `"summary"`: '
            "values are observed.",
            "counter",
            required=True,
            values=("counter", "gauge", "histogram", "summary"),
        ),
    )


def of_consul(needs: tuple[str, ...], since: Mapping[str, str] | None = None) -> Key:
    """`consul` of a service."""
    return Key(
        "consul",
        "object",
        "Settings of the service that only Consul has. Other catalogues ignore them.",
        {"deregisterCriticalServiceAfter": "90m"},
        needs=needs,
        since=since,
        keys=(
            Key(
                "enableTagOverride",
                "boolean",
                "Whether other programs may change the tags in Consul.",
                True,
                default=False,
            ),
            Key(
                "deregisterCriticalServiceAfter",
                "duration with a unit",
                "Consul removes the service when it has been critical for this time.",
                "90m",
            ),
        ),
    )
