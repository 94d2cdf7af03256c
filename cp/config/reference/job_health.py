"""The keys of `health` of a job, and of `logging` of a job or of its check."""

from __future__ import annotations

from cp.config.reference.catalogs import tls
from cp.config.reference.key import NEW, Key

LOGGING = Key(
    "logging",
    "object",
    "[Where the output](jobs.md#logging) of the job or of its check goes.",
    {"raw": True},
    keys=(
        Key(
            "raw",
            "boolean",
            "The output goes directly to the standard output and error of ContainerPilot, not through the log.",
            True,
            default=False,
        ),
    ),
)

_WAYS = ("exec", "http", "tcp", "unix")


def _others(way: str) -> tuple[str, ...]:
    return tuple(other for other in _WAYS if other != way)


_HTTP = Key(
    "http",
    ("string", "object"),
    "[A URL](health.md#http), or an object with a URL. The check passes if the response has the right status.",
    {"url": "https://localhost:8443/health", "contains": "ok"},
    excludes=_others("http"),
    since=NEW,
    keys=(
        Key(
            "url",
            "string",
            "`http://host:port/path`, `https://host:port/path`, `:port/path`, or `unix:///path/of/socket:/path`. "
            "Without a host it is the address with which the job is registered, otherwise `localhost`.",
            ":8000/health",
            required=True,
        ),
        Key("method", "string", "The method of the request.", "POST", default="GET"),
        Key(
            "headers",
            "object",
            "The headers of the request, by name. They replace the usual ones, such as `Host`.",
            {"Accept": "application/json"},
        ),
        Key("body", "string", "The body of the request.", '{"deep": true}'),
        Key(
            "status",
            ("string", "integer", "array of strings and integers"),
            'The status that the response must have: `200`, `"2xx"`, `"200,204"`, `"200-204"`, or an array of them. '
            "Redirects are not followed.",
            [200, 301],
            default="2xx",
            least=200,
            most=599,
        ),
        Key("contains", "string", "A text that is in the first 64 KiB of the body.", "ok"),
        tls(
            "How ContainerPilot connects with `https`: the keys of [`tls` of Consul](configuration.md#consul) without "
            "their variables."
        ),
    ),
)

HEALTH = Key(
    "health",
    ("object", "array of objects"),
    "[The health check](jobs.md#health), or several in an array. A job with a `port` needs one.",
    {"exec": ["/app/check.sh", "--quick"], "interval": 5, "ttl": 15},
    keys=(
        Key(
            "name",
            "string",
            "The name of this check among several. In an array each check has a name, and all names differ.",
            "database",
            since=NEW,
        ),
        Key(
            "exec",
            "command",
            "The check passes if this command exits with 0. A job without any check sends heartbeats, there are no "
            "events, and the health is `unknown`, as in ContainerPilot 3.8.",
            ["/app/check.sh", "--quick"],
            excludes=_others("exec"),
        ),
        _HTTP,
        Key(
            "tcp",
            "string",
            "`host:port`, `[IPv6 address]:port` or `:port`. The check passes if ContainerPilot can connect.",
            ":5432",
            excludes=_others("tcp"),
            since=NEW,
        ),
        Key(
            "unix",
            "string",
            "The path of a unix socket. The check passes if ContainerPilot can connect.",
            "/run/app.sock",
            excludes=_others("unix"),
            since=NEW,
        ),
        Key(
            "interval",
            "seconds",
            "The time between two checks. The first check runs one `interval` after the first start of the job.",
            10,
            required=True,
            least=1,
        ),
        Key(
            "ttl",
            "seconds",
            "The entry in the catalogue lapses if no check has passed for this time. It should be longer than "
            "`interval`. In an array, it belongs to the first check.",
            15,
            required="with a `port`",
            least=1,
        ),
        Key(
            "timeout",
            "duration",
            "The time limit of one check. After it ContainerPilot ends the check, and the check has failed. 0 means "
            "no limit.",
            "2s",
            default_key="interval",
        ),
        Key(
            "startPeriod",
            "duration",
            "[The time after the start of the process](health.md#the-start) in which failures do not count, until the "
            "first check passes.",
            "30s",
            default="0s",
            least="0s",
            since=NEW,
        ),
        Key(
            "startInterval",
            "duration",
            "The time between two checks in the `startPeriod`, until the first check passes.",
            "500ms",
            default_words="`interval`",
            least="1ms",
            needs=("startPeriod",),
            since=NEW,
        ),
        Key(
            "failures",
            "integer",
            "After this number of failures in a row, the job is unhealthy, and its service is critical in the "
            "catalogue. With 0 each failure makes it unhealthy, and the `ttl` runs out. With `onUnhealthy` the "
            "default is 3.",
            3,
            default=0,
            least=0,
            since=NEW,
        ),
        Key(
            "passes",
            "integer",
            "An unhealthy job is healthy again after this number of checks in a row that pass.",
            2,
            default=1,
            least=1,
            since=NEW,
        ),
        Key(
            "onUnhealthy",
            "string",
            "[What the job does](health.md#consequences) when this check makes it unhealthy: `restart` terminates the "
            "process, and `restarts` decides what follows; `stop` ends the job.",
            "stop",
            default="none",
            values=("none", "restart", "stop"),
            needs=_WAYS,
            since=NEW,
        ),
        LOGGING,
    ),
)
