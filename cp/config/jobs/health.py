"""`health` of a job: the repeated check, and the heartbeat after a successful one."""

from __future__ import annotations

from cp.config import durations
from cp.plan import INHERIT, LOG, Check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields

_KEYS = ("exec", "interval", "ttl", "timeout", "failures", "logging")


def read_health(job: Fields, name: str) -> tuple[Check | None, int]:
    """The health check of a job, and the seconds for which a successful one counts; None and 0 without `health`.

    ContainerPilot 3 does not have `failures`: after that number of failed checks in a row the service is reported as
    critical, instead of waiting for the end of its time to live.
    """
    fields = job.object("health", _KEYS)
    if fields is None:
        return None, 0
    interval = fields.positive("interval", f"job[{name}].health.interval must be > 0", 10)
    ttl = fields.positive("ttl", f"job[{name}].health.ttl must be > 0", 25)
    if 0 < ttl <= interval and job.integer("port"):
        fields.warning(
            "ttl",
            f"a `ttl` of {ttl} s is not more than the `interval` of {interval} s: '{name}' lapses between two checks",
        )
    failures = fields.integer("failures")
    if failures is not None and failures < 0:
        fields.error("failures", f"job[{name}].health.failures must be >= 0, but is {failures}")
    command = fields.command("exec", f"unable to create job[{name}].health.exec: ")
    timeout = fields.duration("timeout", f"could not parse job[{name}].health.timeout '{fields.string('timeout')}': ")
    if timeout is None:
        timeout = interval * durations.SECOND, f"{interval}s"
    label = f"check.{name}"
    return Check(
        label=label,
        interval=float(interval),
        command=command,
        timeout=durations.seconds(timeout[0]) if timeout[0] > 0 else None,
        timeout_text=timeout[1] if timeout[0] > 0 else "",
        output=INHERIT if is_raw(fields) else LOG,
        log_fields=(("check", label),),
        log_pid=True,
        source=label if command is not None else "",
        failures=failures or 1,
        critical_after=failures or 0,
        logs_failures=True,
    ), ttl


def is_raw(fields: Fields) -> bool:
    """`logging.raw` of a job or of its check: whether its output bypasses the log."""
    logging = fields.object("logging", ("raw",))
    return logging is not None and logging.boolean("raw")
