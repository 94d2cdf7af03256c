"""The description of jobs, watches and the catalogue, as plain data for people and their tools."""

from __future__ import annotations

import time

from cp.engine.catalog_facts import DEREGISTERING, LAPSED, NOT_YET
from cp.engine.health import HEALTHY, MAINTENANCE, UNHEALTHY, UNKNOWN
from cp.engine.history import moment_text
from cp.engine.states import MEANINGS, STOPPING_STATES, State
from cp.plan import GLOBAL, INHERIT, REGISTRATION, ConsulSettings, EtcdSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp import plan
    from cp.engine.catalog_facts import Reachability, RegistrationStatus
    from cp.engine.engine import Engine
    from cp.engine.health import CheckState, HealthStatus
    from cp.engine.job import Job
    from cp.plan import DirectorySettings, Watch

OUTPUT_SHOWN = 1000  # characters of the output of a check
NO_ANSWER = "no answer yet"
UNCERTAIN = "perhaps out of date"  # what a watch knows
# Shorter than in the reference, since they are shown in a table.
IN_SHORT = {
    State.HELD: "stopped on request",
    State.ACTIVE: "started",
    State.RUNNING: "runs",
    State.PAUSING: "is about to be restarted",
    State.DRAINING: "drains",
    State.STOPPING: "is about to end",
    State.TERMINATING: "has got SIGTERM",
    State.COMPLETE: "done",
}


def describe(engine: Engine, job: Job, now: float) -> dict[str, object]:
    """Everything about a job; `now` is the loop's time."""
    wall = time.time() - now  # what lies between the loop's clock and the wall's
    when = job.plan.when
    waits = job.state in (State.WAITING, State.SKIPPED)
    return {
        "name": job.name,
        "main": job.plan.main,
        "state": job.state,
        "about": _about(job, now),
        "waitsFor": {"event": when.code, "source": when.source, "each": when.each} if waits and when.code else None,
        "blockedBy": sorted(job.awaited) if job.state == State.STOPPING else [],
        "drain": _drain(job, wall),
        "pid": job.runs.pid or None,
        "since": moment_text(wall + job.since),
        "seconds": round(max(0.0, now - job.since), 3),
        "starts": job.runs.count,
        "restarts": job.restarts.count,
        "restartsLeft": job.restarts.left(now),
        "restartsPer": job.restarts.per,
        "gaveUp": job.restarts.gave_up,
        "nextStart": _moment_of(job.next_start, wall),
        "lastExit": _last_exit(job, wall),
        "ready": _ready(job, wall),
        "health": _health(engine, job, wall),
        "service": _service(engine, job),
    }


def describe_catalog(engine: Engine, reach: Reachability) -> dict[str, object] | None:
    """The state of the catalogue; None if the plan has none."""
    settings, facts = engine.plan.catalog, engine.catalog_status
    if settings is None:
        return None
    kind, where = catalog_place(settings)
    error = facts.last_error
    return {
        "kind": kind,
        "address": engine.masked(where),
        "reachable": reach.is_reachable,
        "since": _moment(engine, reach.since),
        "about": _with_error(engine, reach),
        "failing": {
            **{who: {"since": _moment(engine, since), "error": NO_ANSWER} for who, since in reach.overdue.items()},
            **{
                who: {"since": _moment(engine, failure.since), "error": engine.masked(failure.why)}
                for who, failure in facts.failures.items()
            },
        },
        "lastError": error and {"at": _moment(engine, error[0]), "text": engine.masked(error[1])},
    }


def describe_watch(engine: Engine, watch: Watch, reach: Reachability, now: float) -> dict[str, object]:
    """Everything about a watch. `reach` is the same for the whole page, since it costs a look at all calls."""
    count, reported_at = engine.watches.last_report(watch)
    is_known = reported_at is not None or engine.catalog_status.has_answered(watch.source)
    return {
        "name": watch.name,
        "source": watch.source,
        "tag": watch.tag,
        "datacenter": watch.datacenter,
        "instances": count if is_known else None,
        "changed": None if reported_at is None else moment_text(time.time() - now + reported_at),
        "seconds": None if reported_at is None else round(max(0.0, now - reported_at), 3),
        "about": _about_watch(engine, watch, reach, is_known=is_known),
    }


def _about_watch(engine: Engine, watch: Watch, reach: Reachability, *, is_known: bool) -> str:
    if engine.stopping:  # which ends all watches
        return "ended"
    failure = engine.catalog_status.failures.get(watch.source)
    if not engine.watches.has_begun(watch):
        code, source = watch.starts_on
        return f"waits for {code}" if source == GLOBAL else _waits_for(code, source)
    if engine.watches.is_paused(watch):
        return "paused in maintenance"
    if failure is not None:
        return f"no answer since {_second(engine, failure.since)}: {engine.masked(failure.why)}"
    if (asked := reach.overdue.get(watch.source)) is not None:
        return f"no answer since {_second(engine, asked)}"
    if not is_known:
        return "not asked yet"
    if reach.is_reachable is False:  # its question may be left open, and others had no answer
        return f"{UNCERTAIN}; catalogue: {catalog_text(engine, reach)}"
    return "up to date"


def catalog_place(settings: ConsulSettings | EtcdSettings | DirectorySettings) -> tuple[str, str]:
    """What kind of catalogue it is, and where; the place is not masked."""
    if isinstance(settings, ConsulSettings):
        return "consul", settings.address
    if isinstance(settings, EtcdSettings):
        return "etcd", ", ".join(settings.endpoints)
    return "directory", settings.path


def catalog_text(engine: Engine, reach: Reachability) -> str:
    """The state of the catalogue in words, without its errors: they may be for operators alone."""
    if reach.is_reachable is None:
        return "not asked yet"
    if reach.is_reachable:
        return "reachable"
    # An answer that is overdue may still come: it is not an outage yet.
    return f"{'unreachable' if reach.has_failed else 'no answer'} since {_second(engine, reach.since)}"


def _with_error(engine: Engine, reach: Reachability) -> str:
    text = catalog_text(engine, reach)
    why = next((each.why for each in engine.catalog_status.failures.values() if not each.answered), "")
    return f"{text}: {engine.masked(why)}" if why else text


def registered_text(engine: Engine, standing: RegistrationStatus) -> str:
    """What is true of a registration, in words: a status only if the catalogue has confirmed it within the last ttl."""
    if standing.since is None:
        return standing.state
    return f"{standing.state} since {_second(engine, standing.since)}"


def _service(engine: Engine, job: Job) -> dict[str, object] | None:
    service, standing = job.plan.service, engine.standing(job)
    if service is None or standing is None:
        return None
    return {
        "name": service.name,
        "id": standing.id or service.id,
        "address": service.address,
        "port": service.port,
        "registered": registered_text(engine, standing),
        "confirmed": _moment(engine, standing.confirmed_at),
        "problem": engine.masked(standing.why) or _overdue_text(engine, standing) or None,
    }


def _overdue_text(engine: Engine, standing: RegistrationStatus) -> str:
    """A text about the overdue answer, if the registration waits for it."""
    if standing.state not in (NOT_YET, LAPSED, DEREGISTERING):
        return ""
    asked = engine.catalog_status.reach.overdue.get(REGISTRATION)
    return "" if asked is None else f"the catalogue has given no answer since {_second(engine, asked)}"


def _moment(engine: Engine, at: float | None) -> str | None:
    """A time of the facts about the catalogue as RFC 3339 text."""
    return None if at is None else moment_text(time.time() - engine.catalog_status.age(at))


def _second(engine: Engine, at: float | None) -> str:
    """The same, without its milliseconds."""
    moment = _moment(engine, at)
    return "" if moment is None else f"{moment[:-5]}Z"


def _about(job: Job, now: float) -> str:
    if _waits_for_output(job) and job.runs.current is not None:
        job.runs.current.look()  # for the next query
        return f"its process has exited; {job.runs.current.holder()} has its output open"
    about, obstacle = _next_start(job, now) or in_words(job), job.runs.obstacle
    return f"{about}; {obstacle}" if obstacle else about


def _waits_for_output(job: Job) -> bool:
    return job.state == State.RUNNING and not job.runs.pid and job.runs.current is not None


def in_words(job: Job) -> str:
    """The state of a job."""
    when = job.plan.when
    if job.state == State.WAITING:
        if not when.code:
            return "nothing ever starts it"
        return f"waits for {when.code}" if when.source in ("global", when.code) else _waits_for(when.code, when.source)
    if job.skip is not None:
        return job.skip.reason
    if job.state == State.DRAINING and job.drain is not None:
        return job.drain.about
    if job.state == State.STOPPING and job.awaited:
        return f"is about to end; waits for {', '.join(sorted(job.awaited))}"
    if job.state == State.SCHEDULED and when.interval:
        return f"runs every {when.interval:g} s"
    if job.state == State.COMPLETE and job.restarts.gave_up:
        return f"is not started again: {job.restarts.used_up}"
    return IN_SHORT.get(job.state, MEANINGS[job.state])


def _next_start(job: Job, now: float) -> str:
    """When a job with rules for its restarts starts again; empty if it does not pause."""
    start = job.next_start
    if start is None or job.plan.restart_rules is None:
        return ""
    text = f"starts again in {max(0.0, start - now):.0f} s"
    return f"{text}: {job.restarts.used_up}" if job.restarts.is_delayed else text


def why_not_healthy(job: Job) -> str:
    """Why a job with a check is not healthy, in ContainerPilot's own words and numbers.

    The output of the check and errors of the system are not in it: they may be for operators only.
    """
    latest, end = job.health.latest, job.last_exit
    if job.health.status == UNHEALTHY and latest is not None:
        which = f"check {latest.plan.name}: " if latest.plan.name else ""
        failures = latest.failures
        return which + ("1 check failed" if failures == 1 else f"{failures} checks in a row failed")
    if end is None or end.succeeded:
        failed = ""
    elif end.error:
        failed = "could not be started"
    else:
        failed = f"killed by signal {-end.code}" if end.code < 0 else f"exited {end.code}"
    if job.state == State.COMPLETE:
        return failed or ("done" if job.started else "never started")
    if _waits_for_output(job):
        about = "its process has exited; its output is open"
    elif job.state in (State.RUNNING, State.ACTIVE):
        about = "no check has ended yet" if job.health.has_checks else ""
        about = "; ".join(filter(None, (about, _waits_to_be_ready(job)))) or IN_SHORT[job.state]
    else:
        about = in_words(job)
    return f"{about}; last run: {failed}" if failed else about


def why_not_in_service(engine: Engine, job: Job) -> str:
    """Why a job is not ready, or not healthy, as the rest of a sentence about it; empty if it is both."""
    status = health_status(engine, job)
    if job.skip is not None:
        return f"is skipped: it {job.skip.reason}"
    if job.health.has_checks and status != HEALTHY:
        if status == MAINTENANCE:
            return "is not checked in maintenance"
        return f"is {status}: {why_not_healthy(job)}"
    if not job.is_ready:
        waits = _waits_to_be_ready(job) if job.state in (State.RUNNING, State.ACTIVE) else ""
        return f"is not ready: {waits or why_not_healthy(job)}"
    return ""


def why_not_ready(engine: Engine, job: Job) -> str:
    """The same for a client that waits for the job. What only a request, or a reload, starts again has its state."""
    if job.state in (State.HELD, State.COMPLETE):
        return f"is {job.state}: {why_not_healthy(job)}"
    return why_not_in_service(engine, job) or "is about to be ready"


def _waits_to_be_ready(job: Job) -> str:
    """What its process still has to do to be ready; empty if it need not do anything."""
    monitor = job.readiness.monitor
    waits = monitor.waits_for if monitor is not None and job.runs.pid else ""
    return f"waits for {waits}" if waits else ""


def _waits_for(code: str, source: str) -> str:
    return f"waits for {source}" if code == "signal" else f"waits for {code} of {source}"


def where_output_goes(job: plan.Job) -> str:
    """A sentence about a job whose lines are not kept in memory; empty if they are."""
    if job.command is None:
        return "it runs no command"
    if job.output == INHERIT:
        return "its output goes to ContainerPilot's own standard output, unread"
    return ""


def _last_exit(job: Job, wall: float) -> dict[str, object] | None:
    end = job.last_exit
    if end is None:
        return None
    cause = end.cause
    return {
        "code": end.code,
        "success": end.succeeded,
        "text": end.text,
        "at": moment_text(wall + end.at),
        "cause": cause and cause.text,
        "causeCode": cause and cause.code,
    }


def _drain(job: Job, wall: float) -> dict[str, object] | None:
    """The drain of a job that drains: the connections that are left, if they are counted, and its latest end."""
    drain = job.drain
    if drain is None or job.state != State.DRAINING:
        return None
    return {"connections": drain.connections, "endsBy": _moment_of(drain.ends_by, wall)}


def _ready(job: Job, wall: float) -> dict[str, object] | None:
    """Whether the current run is ready, and what its process reports about itself; None: no run can be."""
    if job.state not in (State.RUNNING, State.ACTIVE):
        return None
    monitor, since = job.readiness.monitor, job.readiness.since if job.is_ready else None
    return {
        "since": _moment_of(since, wall),
        "waitsFor": _waits_to_be_ready(job).removeprefix("waits for ") if since is None else "",
        "status": "" if monitor is None else monitor.status[:OUTPUT_SHOWN],
    }


def _moment_of(at: float | None, wall: float) -> str | None:
    return None if at is None else moment_text(wall + at)


def health_status(engine: Engine, job: Job) -> HealthStatus:
    """The health of a job, as every view shows it."""
    if job.state in STOPPING_STATES and job.runs.current is not None and job.runs.current.exited:
        return UNKNOWN  # only its output is waited for, and nothing checks it any more
    return job.health.status_in(engine.maintenance and job.state != State.COMPLETE)


def _health(engine: Engine, job: Job, wall: float) -> dict[str, object] | None:
    status, latest = health_status(engine, job), job.health.latest
    if latest is None and not job.plan.always_healthy and status != MAINTENANCE:
        return None
    answer: dict[str, object] = {"status": status, **_check(latest, wall), "since": _moment_of(job.health.since, wall)}
    if latest is not None and latest.plan.name:
        answer["checks"] = [
            {"name": check.plan.name, "status": check.verdict or UNKNOWN, **_check(check, wall)}
            for check in job.health.checks
        ]
    return answer


def _check(check: CheckState | None, wall: float) -> dict[str, object]:
    """The last result of a check; without one, of a job that nothing checks."""
    if check is None:
        return {"output": "", "failures": 0, "at": None}
    output = check.output[:OUTPUT_SHOWN]
    return {"output": output, "failures": check.failures, "at": _moment_of(check.checked_at, wall)}
