"""`health` of a job: its repeated checks, or the heartbeats of a job without a check."""

from __future__ import annotations

from cp.config import durations
from cp.config.fields import show
from cp.plan import INHERIT, LOG, NOTHING, Check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.plan import HttpProbe, OnFailure, SocketProbe

_PROBES = ("http", "tcp", "unix")
_WAYS = ("exec", *_PROBES)  # of a check; without one it is a heartbeat
_OF_A_CHECK = ("startPeriod", "startInterval", "passes")
_KEYS = ("name", *_WAYS, "interval", "ttl", "timeout", "failures", *_OF_A_CHECK, "onUnhealthy", "logging")
_DEFAULT_FAILURES = 3  # where `onUnhealthy` ends the run


def read_health(job: Fields, name: str, restarts: int | None) -> tuple[tuple[Check, ...], int]:
    """The health checks of a job, and the seconds for which a successful one counts; 0 without a `ttl`.

    ContainerPilot 3 has one check by `exec`, and none of `http`, `tcp`, `unix`, `startPeriod`, `startInterval`,
    `failures`, `passes` and `onUnhealthy`. `restarts` is the one of the job.
    """
    value = job.value("health")
    if value is not None and isinstance(value.data, list) and value.data:
        several = job.objects("health", _KEYS)
        _check_names(several)
    else:
        one = job.object("health", _KEYS)
        several = [] if one is None else [one]
        if one is not None and one.has("name"):
            _check_name(one)
    is_array = value is not None and isinstance(value.data, list)
    checks = tuple(_read_check(fields, job, name, restarts) for fields in several)
    for fields in several:
        if is_array and not any(fields.has(way) for way in _WAYS):
            _refuse_heartbeat(fields)
    return checks, _read_ttl(several, job, name, checks) if several else 0


def _check_names(several: list[Fields]) -> None:
    """Add errors: each of several checks has a name of its own."""
    firsts: dict[str, Fields] = {}
    for fields in several:
        name = fields.string("name")
        if not fields.has("name"):
            fields.error("name", 'is missing: each check of an array has a name, such as "name": "database"')
        elif not _check_name(fields):
            continue
        elif firsts.setdefault(name, fields) is not fields:
            fields.error("name", f"{show(name)} is the name of {firsts[name].key_path} too: each check has its own")


def _check_name(fields: Fields) -> bool:
    name = fields.string("name")
    if not name.strip() or not name.isprintable():
        fields.error("name", f"must be a text of one line that is not blank, not {show(name)}")
        return False
    return True


def _refuse_heartbeat(fields: Fields) -> None:
    why = "needs one of `exec`, `http`, `tcp` and `unix`: heartbeats are for a job whose `health` is one object"
    fields.problems.error(fields.offset, fields.key_path, why)


def _prefix(fields: Fields, name: str) -> str:
    return f"job[{name}].{fields.key_path.rpartition('.')[2]}"


def _read_ttl(several: list[Fields], job: Fields, name: str, checks: tuple[Check, ...]) -> int:
    """`ttl` is at the first check alone, since the entry in the catalogue has one."""
    first, *others = several
    for fields in others:
        if fields.has("ttl"):
            fields.error("ttl", f"belongs to the first check: move it to {first.key_path}")
    port = job.integer("port")
    if not port and not first.has("ttl"):
        return 0
    ttl = first.positive("ttl", f"{_prefix(first, name)}.ttl must be > 0", 25)
    interval = min(int(check.interval) for check in checks)
    if 0 < ttl <= interval and port:
        first.warning(
            "ttl",
            f"a `ttl` of {ttl} s is not more than the `interval` of {interval} s: '{name}' lapses between two checks",
        )
    return ttl


def _read_check(fields: Fields, job: Fields, name: str, restarts: int | None) -> Check:
    prefix = _prefix(fields, name)
    interval = fields.positive("interval", f"{prefix}.interval must be > 0", 10)
    failures = fields.integer("failures")
    if failures is not None and failures < 0:
        fields.error("failures", f"{prefix}.failures must be >= 0, but is {failures}")
    command = fields.command("exec", f"unable to create {prefix}.exec: ")
    timeout = fields.duration("timeout", f"could not parse {prefix}.timeout '{fields.string('timeout')}': ")
    if timeout is None:
        timeout = interval * durations.SECOND, f"{interval}s"
    label = f"check.{name}"
    own_name = fields.string("name")
    on_unhealthy = _on_unhealthy(fields, job, prefix, restarts)
    start_period, start_interval = _start(fields, prefix)
    return Check(
        name=own_name,
        label=f"{label}.{own_name}" if own_name else label,
        interval=float(interval),
        command=command,
        probe=_read_probe(fields),
        timeout=durations.seconds(timeout[0]) if timeout[0] > 0 else None,
        timeout_text=timeout[1] if timeout[0] > 0 else "",
        start_period=start_period,
        start_interval=start_interval,
        failures=failures or (1 if on_unhealthy == NOTHING else _DEFAULT_FAILURES),
        passes=_passes(fields, prefix),
        critical_after=failures or 0,
        on_unhealthy=on_unhealthy,
        output=INHERIT if _is_raw(fields) else LOG,
        log_fields=(("check", f"{label}.{own_name}" if own_name else label),),
        log_pid=True,
        source=label if command is not None else "",
        logs_failures=True,
    )


def _read_probe(fields: Fields) -> HttpProbe | SocketProbe | None:
    """The check without a process; None for another one. Adds the errors about keys that exclude each other."""
    given = sorted((way for way in _WAYS if fields.has(way)), key=fields.offset_of)
    for way in given[1:]:
        fields.error(way, f"a check has only one of `exec`, `http`, `tcp` and `unix`, and `{given[0]}` is set already")
    if not given:
        for key in (*_OF_A_CHECK, "onUnhealthy"):
            if fields.has(key):
                why = "has no effect without one of `exec`, `http`, `tcp` and `unix`: a heartbeat always passes"
                fields.warning(key, why)
    if not given or given[0] == "exec":
        return None
    from cp.config.jobs.probes import read_http, read_tcp, read_unix

    if given[0] == "http":
        return read_http(fields)
    return read_tcp(fields) if given[0] == "tcp" else read_unix(fields)


def _on_unhealthy(fields: Fields, job: Fields, prefix: str, restarts: int | None) -> OnFailure:
    if not fields.has("onUnhealthy"):
        return NOTHING
    from cp.config.jobs.failed_runs import read_on_failure

    on_unhealthy = read_on_failure(fields, "onUnhealthy", job, restarts)
    if on_unhealthy != NOTHING and fields.has("failures") and fields.integer("failures") == 0:
        fields.error("failures", f"{prefix}.failures must be >= 1 beside `onUnhealthy`, but is 0")
    return on_unhealthy


def _start(fields: Fields, prefix: str) -> tuple[float, float]:
    """`startPeriod` and `startInterval` in seconds."""
    seconds = {"startPeriod": 0.0, "startInterval": 0.0}
    for key in filter(fields.has, seconds):
        from cp.config.jobs.values import read_duration

        may_be_zero = key == "startPeriod"
        seconds[key] = read_duration(fields, key, f"{prefix}.{key}", may_be_zero=may_be_zero)[0] or 0.0
    if fields.has("startInterval") and not fields.has("startPeriod"):
        fields.warning("startInterval", "has no effect without `startPeriod`")
    return seconds["startPeriod"], seconds["startInterval"] if seconds["startPeriod"] else 0.0


def _passes(fields: Fields, prefix: str) -> int:
    passes = fields.integer("passes", 1)
    if passes is not None and passes < 1:
        fields.error("passes", f"{prefix}.passes must be >= 1, but is {passes}")
    return passes or 1


def _is_raw(fields: Fields) -> bool:
    """`logging.raw` of a check. One without a process has no output of its own."""
    raw = is_raw(fields)
    way = next((way for way in _PROBES if fields.has(way)), "")
    if raw and way:
        logging = fields.object("logging", ("raw",))
        if logging is not None:
            logging.error("raw", f"needs `exec`: a check by `{way}` has no process with an output")
    return raw


def is_raw(fields: Fields) -> bool:
    """`logging.raw` of a job or of its check: whether its output bypasses the log."""
    logging = fields.object("logging", ("raw",))
    return logging is not None and logging.boolean("raw")
