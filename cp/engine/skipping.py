"""Jobs whose event can no longer come: they are `skipped`, and wait again when it can come."""

from __future__ import annotations

from cp.engine.states import State
from cp.engine.trigger import never_comes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cp.engine.job import Job
    from cp.engine.ports import JobLog
    from cp.engine.registry import JobRegistry
    from cp.engine.trigger import Sender, Skip


class SkippedJobs:
    """Compares the jobs that wait with what can still come. `on_main` is called when the main job is skipped.

    The caller does not use it during a stop or a change: a job that ends then may be replaced.
    """

    __slots__ = ("_log", "_on_main", "_registry")

    def __init__(self, registry: JobRegistry, log: JobLog, on_main: Callable[[Skip], object]) -> None:
        self._registry = registry
        self._log = log
        self._on_main = on_main

    def review(self, ended: Job | None = None) -> None:
        """Review the jobs after one has ended and its events are delivered; or after a change or a start on request."""
        if ended is not None:
            self._skip(self._in_vain(self._registry.waiters(ended), lambda sender: sender.skip))
            return
        # As if none were skipped: jobs that wait for each other must not stay so only because the others do.
        waiting = [job for job in self._registry.unfinished if _waits(job)]
        found = self._in_vain(waiting, lambda sender: None)
        for job in waiting:
            if job.state == State.SKIPPED and job not in found:
                job.wait()
        self._skip(found)

    def _in_vain(self, jobs: Iterable[Job], skip_of: Callable[[Sender], Skip | None]) -> dict[Job, Skip]:
        """Those of the jobs that wait in vain, those that therefore wait in vain, and so on."""
        found: dict[Sender, Skip] = {}
        result: dict[Job, Skip] = {}
        todo = list(jobs)
        for job in todo:  # grows
            if job in result or not _waits(job):
                continue
            skip = job.trigger.never_fires(
                lambda key: never_comes(
                    key, self._registry.senders(key), lambda sender: found.get(sender) or skip_of(sender)
                )
            )
            if skip is not None:
                found[job] = result[job] = skip
                todo += self._registry.waiters(job)
        return result

    def _skip(self, found: dict[Job, Skip]) -> None:
        for job, skip in found.items():
            if job.state != State.WAITING:
                continue
            job.wait(skip)
            fields = job.plan.log_fields
            if job.plan.main:
                self._log.error(f"{job.name} is skipped, and ContainerPilot stops: it {skip.reason}", fields)
                self._on_main(skip)
                return
            log = self._log.debug if skip.quiet else self._log.warning
            log(f"{job.name} is skipped: it {skip.reason}", fields)


def _waits(job: Job) -> bool:
    """Whether a job waits for its first start."""
    return job.state in (State.WAITING, State.SKIPPED) and not job.started
