"""The keys of `ready` of a job."""

from __future__ import annotations

from cp.config.reference.key import NEW, Key

_KINDS = ("notify", "log", "fd", "health", "file")


def _others(kind: str) -> tuple[str, ...]:
    return tuple(other for other in _KINDS if other != kind)


READY = Key(
    "ready",
    "object",
    "[How the process reports](jobs.md#ready) that it is ready, by one of `notify`, `log`, `fd`, `health` and `file`. "
    "Without it, a job is ready when it is healthy for the first time, or without a check, when it has started.",
    {"notify": True, "timeout": "60s"},
    needs=("exec",),
    since=NEW,
    keys=(
        Key(
            "notify",
            "boolean",
            "The process sends `READY=1` to the socket in `NOTIFY_SOCKET`, as with systemd.",
            True,
            excludes=_others("notify"),
        ),
        Key(
            "log",
            "string",
            "A line of the output of the process contains this text.",
            "listening on",
            excludes=_others("log"),
        ),
        Key(
            "fd",
            "integer",
            "The process writes a newline to this descriptor, as with s6.",
            3,
            least=3,
            most=1023,
            excludes=_others("fd"),
        ),
        Key(
            "health",
            "boolean",
            "The job is healthy for the first time.",
            True,
            excludes=_others("health"),
        ),
        Key(
            "file",
            "string",
            "This file exists and is newer than the start of the process. The path is absolute.",
            "/run/app.ready",
            excludes=_others("file"),
        ),
        Key(
            "timeout",
            "duration",
            "The time limit from the start of the process until it is ready.",
            "60s",
            least="1ms",
        ),
        Key(
            "onTimeout",
            "string",
            "What the job does after the `timeout`: `restart` terminates the process, and `restarts` decides what "
            "follows; `stop` ends the job.",
            "stop",
            default="none",
            values=("none", "restart", "stop"),
            needs=("timeout",),
        ),
    ),
)

WATCHDOG = Key(
    "watchdog",
    "duration",
    "[The time](jobs.md#watchdog) within which the process must send `WATCHDOG=1` again and again. Otherwise "
    "ContainerPilot terminates it, and `restarts` decides what follows.",
    "30s",
    least="1ms",
    needs=("exec",),
    since=NEW,
)
