"""`jobs`: compiles each to a job of the plan."""

from __future__ import annotations

from cp.config import durations
from cp.config.jobs.health import is_raw, read_health
from cp.config.jobs.process import PROCESS_KEYS, read_stdin, read_success_codes, refuse_two_readers
from cp.config.jobs.restarts import read_restarts
from cp.config.jobs.service import read_service
from cp.config.jobs.triggers import read_trigger
from cp.config.names import pid_variable
from cp.plan import INHERIT, LOG, Check, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields
    from cp.config.host_info import HostInfo
    from cp.config.jobs.triggers import ReadTrigger
    from cp.plan import Restarts, When

TELEMETRY_JOB = "containerpilot"  # the name of the job for telemetry; a job with this name is always healthy

_KEYS = (
    "name",
    "exec",
    "main",
    "when",
    "restarts",
    "timeout",
    "stopTimeout",
    "health",
    "ready",
    "watchdog",
    "port",
    "id",
    "initial_status",
    "interfaces",
    "tags",
    "consul",
    "drain",
    "logging",
    *PROCESS_KEYS,
)
# The events of a stop and of a maintenance.
_IN_SPECIAL_CASES = ("stopping", "stopped", "shutdown", "enterMaintenance", "exitMaintenance")
TELEMETRY_HEARTBEAT, TELEMETRY_TTL = 5.0, 15  # seconds


class ReadJob:
    """The job of the plan, the object of the configuration, the trigger, and the source of the job's events, which is
    its name in the configuration."""

    __slots__ = ("fields", "job", "source", "trigger")

    def __init__(self, job: Job, fields: Fields, trigger: ReadTrigger) -> None:
        self.job = job
        self.source = job.name
        self.fields = fields
        self.trigger = trigger


def read_jobs(root: Fields, host_info: HostInfo, shutdown_timeout: float | None) -> list[ReadJob]:
    """The jobs in their order.

    ContainerPilot 3 does not have `main`: when this job completes, everything is stopped, and ContainerPilot exits with
    its exit code.
    """
    jobs = [_read_job(fields, host_info, shutdown_timeout) for fields in root.objects("jobs", _KEYS)]
    waited_for = {read.trigger.when.source for read in jobs}
    for read in jobs:
        if not read.fields.has("exec"):
            _warn_of_no_process(read, waited_for)
    _announce_awaited_readiness(jobs)
    mains = [read for read in jobs if read.job.main]
    for read in mains[1:]:
        read.fields.error("main", f"'{mains[0].job.name}' is the main job already: there can be only one")
    refuse_two_readers([(read.job, read.fields) for read in jobs if not read.job.main or read in mains[:1]])
    return jobs


def _read_job(fields: Fields, host_info: HostInfo, shutdown_timeout: float | None) -> ReadJob:
    name = fields.string("name")
    if not name.strip():
        fields.error("name", "'name' must not be blank")
    printable = name if name.isprintable() else repr(name)[1:-1]  # a message is one line
    trigger = read_trigger(fields, printable)
    restarts, restart_rules = _restarts(fields, printable, trigger.when)
    health, ttl = read_health(fields, printable, restarts)
    if not health and fields.integer("port"):
        if name == TELEMETRY_JOB:
            label = f"check.{name}"
            health, ttl = (Check(label=label, interval=TELEMETRY_HEARTBEAT),), TELEMETRY_TTL
        else:
            fields.error(
                "health",
                f"job[{printable}].health must be set if 'port' is set: "
                'add it, such as "health": {"exec": "/bin/check", "interval": 10, "ttl": 25}',
            )
    service = read_service(fields, name, ttl, host_info)
    timeout, timeout_text = _timeout(fields, printable, trigger)
    command = fields.command("exec", f"unable to create job[{printable}].exec: ")
    raw = is_raw(fields)
    main = _is_main(fields)
    ready, watchdog, watchdog_text = None, None, ""
    if fields.has("ready") or fields.has("watchdog"):
        from cp.config.jobs.ready import read_ready, read_watchdog

        ready = read_ready(fields, printable, health, restarts)
        watchdog, watchdog_text = read_watchdog(fields, printable)
    drain = None
    if fields.has("drain"):
        from cp.config.jobs.drain import read_drain

        drain = read_drain(fields, printable, shutdown_timeout)
    has_check = name != TELEMETRY_JOB and any(not check.is_heartbeat for check in health)
    job = Job(
        name=name,
        label=name,
        when=trigger.when,
        command=command,
        main=main,
        always_healthy=name == TELEMETRY_JOB,
        stdin=read_stdin(fields, main=main),
        restarts=restarts,
        restart_rules=restart_rules,
        success_codes=read_success_codes(fields),
        timeout=timeout,
        timeout_text=timeout_text,
        stop_timeout=_stop_timeout(fields, printable),
        sweeps_group=True,
        output=INHERIT if raw else LOG,
        wait_for_output=not raw,
        log_fields=(("job", name),),
        log_pid=True,
        failure_level="error",
        failure_text="exited with error: {reason}",
        names_causes=True,
        pid_variables=(pid_variable(name),) if command is not None else (),
        health=health,
        ready=ready,
        watchdog=watchdog,
        watchdog_text=watchdog_text,
        announces_ready=ready is not None,
        counted=(ready is not None or main or has_check) and _starts_on_its_own(trigger.when),
        keeps_notify_socket=main and ready is None and watchdog is None,
        service=service,
        drain=drain,
    )
    return ReadJob(job, fields, trigger)


def _restarts(fields: Fields, name: str, when: When) -> tuple[int | None, Restarts | None]:
    """The number of restarts, None for no limit, and the rules for them, if there are any."""
    value = fields.value("restarts")
    if value is None or not isinstance(value.data, dict):
        return read_restarts(fields, name, when), None
    from cp.config.jobs.restart_rules import read_rules  # few jobs have any

    return read_rules(fields, name, when)


def _announce_awaited_readiness(jobs: list[ReadJob]) -> None:
    """Let the jobs publish `ready` for whose `ready` another job waits."""
    awaited = {read.trigger.when.source for read in jobs if read.trigger.when.code == "ready"}
    for read in jobs:
        if read.source in awaited and not read.job.announces_ready:
            read.job = read.job.replace(announces_ready=True)


def _starts_on_its_own(when: When) -> bool:
    """Whether it is normal that the job runs once, from a time on: at the start, or after an event that comes once."""
    return not (when.each or when.interval) and when.code not in _IN_SPECIAL_CASES


def _warn_of_no_process(read: ReadJob, waited_for: set[str]) -> None:
    """Warn about keys without effect in a job without a command, and about a job that does nothing: no process, no
    health, no registration, no event that another job waits for."""
    fields = read.fields
    for key in ("restarts", "timeout"):
        if fields.has(key):
            fields.warning(key, "has no effect without `exec`")
    if fields.has("health") or fields.integer("port") != 0 or read.job.name in (*waited_for, TELEMETRY_JOB):
        return
    fields.warning("name", "the job does nothing: it has no `exec`, no `health` and no `port`")
    if read.trigger.interval and read.trigger.fields is not None:
        read.trigger.fields.warning("interval", "has no effect without `exec`")


def _timeout(fields: Fields, name: str, trigger: ReadTrigger) -> tuple[float | None, str]:
    """The time limit of one run in seconds, and its text. The default of a periodic job is its interval."""
    text = fields.string("timeout")
    limit = fields.duration("timeout", f"unable to parse job[{name}].timeout '{text}': ")
    if limit is None:
        return trigger.when.interval, trigger.interval
    if limit[0] < durations.MILLISECOND:
        fields.error("timeout", f"job[{name}].timeout '{text}' cannot be less than 1ms")
    return durations.seconds(limit[0]), limit[1]


def _stop_timeout(fields: Fields, name: str) -> float | None:
    text = fields.string("stopTimeout")
    limit = fields.duration("stopTimeout", f"unable to parse job[{name}].stopTimeout '{text}': ")
    return durations.seconds(limit[0]) if limit is not None and limit[0] > 0 else None


def _is_main(fields: Fields) -> bool:
    main = fields.boolean("main")
    if main and not fields.has("exec"):
        fields.error("main", "the main job needs an `exec`: everything stops when its process ends")
    return main
