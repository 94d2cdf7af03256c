"""The status of the whole program: what a person asks first. The control socket and telemetry show the same."""

from __future__ import annotations

import time

from cp import __version__
from cp.engine.history import moment_text
from cp.engine.job_report import catalog_text, describe, describe_catalog, describe_watch, in_words, why_not_in_service
from cp.engine.program_readiness import counts
from cp.engine.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cp.engine.catalog_facts import Reachability
    from cp.engine.engine import Engine
    from cp.engine.job import Job


def status(engine: Engine, now: float, *, is_public: bool = False) -> dict[str, object]:
    """The state of the program, its jobs, watches and catalogue; `now` is the loop's time.

    `notReady`, `watches` and `jobs` are iterators. With `is_public`, everything is left out that other programs say:
    the output of checks, errors of the system and of the catalogue; also addresses and process ids.
    """
    reach = engine.catalog_status.reach
    catalog = describe_catalog(engine, reach)
    if catalog is not None and is_public:
        kept = {key: catalog[key] for key in ("kind", "reachable", "since")}
        catalog = {**kept, "about": catalog_text(engine, reach)}
    return {
        "version": __version__,
        "since": moment_text(time.time() - now + engine.started_at),
        "seconds": round(now - engine.started_at, 3),
        "maintenance": engine.maintenance,
        "stopping": engine.stopping,
        "reloading": engine.changes.current is not None,
        "ready": next(not_ready(engine), None) is None,
        "notReady": not_ready(engine),
        "catalogue": catalog,
        "watches": _watches(engine, reach, now, is_public=is_public),
        "jobs": (_job(engine, job, now, is_public=is_public) for job in in_order(engine)),
    }


def not_ready(engine: Engine) -> Iterator[str]:
    """The reasons why ContainerPilot is not ready, one line each; none if all counted and all checked jobs are in
    service.

    A checked job still matters after it has failed, is skipped, or was stopped on request: without it, this instance
    should get no traffic. The announcement and the clients of -wait do not wait for such a job.
    """
    if engine.stopping:
        yield "stopping"
    elif engine.maintenance:
        yield "in maintenance"
    else:
        for job in in_order(engine):
            if job.health.has_checks:
                matters = not (job.state == State.COMPLETE and job.runs.has_succeeded)
            else:
                matters = counts(engine, job)
            if matters and (why := why_not_in_service(engine, job)):
                yield f"{job.name} {why}"


def in_order(engine: Engine) -> list[Job]:
    """The jobs, in the order of the plan."""
    found = map(engine.jobs.get, (job.name for job in engine.plan.jobs))
    return [job for job in found if job is not None]


def _job(engine: Engine, job: Job, now: float, *, is_public: bool) -> dict[str, object]:
    found = describe(engine, job, now)
    if not is_public:
        return found
    service = found.pop("service")
    found.pop("pid")
    found["about"] = in_words(job)
    for key, private in (("lastExit", ("text",)), ("health", ("output",)), ("ready", ("status",))):
        found[key] = _without(found[key], private)
    health = found["health"]
    if isinstance(health, dict) and "checks" in health:
        health["checks"] = [_without(check, ("output",)) for check in health["checks"]]
    found["registered"] = service["registered"] if isinstance(service, dict) else None
    return found


def _watches(engine: Engine, reach: Reachability, now: float, *, is_public: bool) -> Iterator[dict[str, object]]:
    for watch in engine.plan.watches:
        found = describe_watch(engine, watch, reach, now)
        about = str(found["about"])
        if is_public and about.startswith("no answer"):
            found["about"] = about.partition(": ")[0]  # what follows is the error
        yield found


def _without(found: object, keys: tuple[str, ...]) -> object:
    return {key: value for key, value in found.items() if key not in keys} if isinstance(found, dict) else found
