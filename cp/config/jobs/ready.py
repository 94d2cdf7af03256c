"""`ready` and `watchdog` of a job: how its process reports that it can do its work, and that it still does it.

Imported only for a configuration with one of them.
"""

from __future__ import annotations

from cp.config.fields import show
from cp.config.jobs.failed_runs import read_on_failure
from cp.config.jobs.health import is_raw
from cp.config.jobs.values import read_duration
from cp.plan import NOTHING, Ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import Check, ReadyKind

_KINDS: tuple[ReadyKind, ...] = ("notify", "log", "fd", "health", "file")
_SWITCHES = ("notify", "health")  # their value is true
_KEYS = (*_KINDS, "timeout", "onTimeout")
_LEAST_FD, _MOST_FD = 3, 1023  # 0 to 2 are the standard streams; the usual limit of descriptors is 1024
_ONE_OF = "`notify`, `log`, `fd`, `health` and `file`"


def read_ready(job: Fields, name: str, health: tuple[Check, ...], restarts: int | None) -> Ready | None:
    """How the process of a job reports that it is ready; None without `ready`, and after some errors."""
    fields = job.object("ready", _KEYS)
    if fields is None:
        return None
    if not job.has("exec"):
        job.error("ready", "needs an `exec`: without it there is no process that could become ready")
    on_timeout = read_on_failure(fields, "onTimeout", job, restarts) if fields.has("onTimeout") else NOTHING
    timeout, timeout_text = read_duration(fields, "timeout", f"job[{name}].ready.timeout")
    if on_timeout != NOTHING and not fields.has("timeout"):
        fields.error("onTimeout", 'needs a `timeout`, such as "timeout": "60s"')
    given = sorted((kind for kind in _KINDS if _is_given(fields, kind)), key=fields.offset_of)
    for other in given[1:]:
        fields.error(other, f"a job has only one of {_ONE_OF}, and `{given[0]}` is set already")
    if not given:
        job.error("ready", f'needs one of {_ONE_OF}, such as {{"notify": true}}')
        return None
    kind = given[0]
    return (
        Ready(
            kind=kind,
            text=_text(fields, job) if kind == "log" else "",
            fd=_fd(fields) if kind == "fd" else 0,
            path=_path(fields) if kind == "file" else "",
            timeout=timeout,
            timeout_text=timeout_text,
            on_timeout=on_timeout,
        )
        if kind != "health" or _has_check(fields, health)
        else None
    )


def read_watchdog(job: Fields, name: str) -> tuple[float | None, str]:
    """The time within which the process must report in seconds, and its text; None without a watchdog."""
    if job.has("watchdog") and not job.has("exec"):
        job.error("watchdog", "needs an `exec`: without it there is no process that could report")
    return read_duration(job, "watchdog", f"job[{name}].watchdog")


def _is_given(fields: Fields, kind: ReadyKind) -> bool:
    return fields.boolean(kind) if kind in _SWITCHES else fields.has(kind)


def _text(fields: Fields, job: Fields) -> str:
    text = fields.string("log")
    if not text.strip():
        fields.error("log", "must not be blank: name a part of the line that the process prints when it is ready")
    elif any(not letter.isprintable() and letter != "\t" for letter in text):
        fields.error("log", f"must be a part of one line, without control characters, not {show(text)}")
    if is_raw(job):
        fields.error("log", "does not go with `logging.raw`: ContainerPilot does not read raw output")
    return text


def _fd(fields: Fields) -> int:
    number = fields.integer("fd")
    if number is not None and not _LEAST_FD <= number <= _MOST_FD:
        why = ": 0 to 2 are the standard streams" if 0 <= number < _LEAST_FD else ""
        fields.error("fd", f"must be from {_LEAST_FD} to {_MOST_FD}, not {number}{why}")
    return number or _LEAST_FD


def _path(fields: Fields) -> str:
    path = fields.string("file")
    if not path.startswith("/"):
        fields.error("file", f'must be an absolute path, such as "/run/app.ready", not {fields.written("file")}')
    return path


def _has_check(fields: Fields, health: tuple[Check, ...]) -> bool:
    if any(not check.is_heartbeat for check in health):
        return True
    what = "`health` has only heartbeats" if health else "there is no `health`"
    fields.error("health", f"{what}: it needs a check by `exec`, `http`, `tcp` or `unix`")
    return False
