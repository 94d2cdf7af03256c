"""The stop of everything, from its first request to the exit code of ContainerPilot."""

from __future__ import annotations

import os

from cp.engine.events import Code, Event
from cp.engine.exit_status import NOT_ENDED, Exit
from cp.engine.phase import DEREGISTERING, DRAINING, KILLING, STOPPING
from cp.engine.states import State
from cp.engine.termination import KILL_LIMIT
from cp.engine.trigger import missed
from cp.plan import GLOBAL
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp import plan
    from cp.engine.changes import Changes
    from cp.engine.context import Context
    from cp.engine.job import Job
    from cp.engine.phase import Phase
    from cp.engine.ports import Log
    from cp.engine.registrations import Registrations
    from cp.engine.registry import JobRegistry
    from cp.engine.termination import Termination
    from cp.engine.watches import Watches

DEREGISTER_LIMIT = 1.0  # seconds that a stop waits for the catalogue, and at most a quarter of its budget
# Two requests within this number of seconds are one that came twice: `timeout` signals us and then our group, and a
# Ctrl-C comes from the terminal and from a parent that passes it on.
SAME_REQUEST = 0.2
KILLED_HOOK = 255  # exit code after a hook on which everything depends was killed by a signal
SIGKILL = 9


class Shutdown:
    """Takes the engine from its first stop request, or from the end of its jobs, to the end of the loop.

    `is_requested`: a signal asked for the stop; otherwise the main job, or all jobs, ended before.
    """

    __slots__ = (
        *(
            "_began",
            "_changes",
            "_context",
            "_draining",
            "_exit_code",
            "_limit",
            "_phase",
            "_plan",
            "_registrations",
            "_registry",
        ),
        *("_requested_at", "_requests", "_termination", "_watches", "is_requested"),
    )

    def __init__(
        self,
        context: Context,
        phase: Phase,
        registry: JobRegistry,
        registrations: Registrations,
        watches: Watches,
        termination: Termination,
        changes: Changes,
        exit_code: ExitCode,
    ) -> None:
        self.is_requested = False
        self._context = context
        self._phase = phase
        self._registry = registry
        self._registrations = registrations
        self._watches = watches
        self._termination = termination
        self._changes = changes
        self._exit_code = exit_code
        self._requests = 0
        self._requested_at = 0.0  # the last time
        self._began = 0.0
        self._plan: plan.Plan | None = None  # that of the stop
        self._limit = 0.0  # seconds that it waits for the catalogue
        self._draining: list[Job] = []

    def request(self, number: int, current: plan.Plan) -> None:
        """A signal asks for a stop. A second one ends drains and running hooks, a third one kills everything."""
        now = self._context.loop.now()
        if self._requests and now - self._requested_at < SAME_REQUEST:
            return
        self._requested_at = now
        self._requests += 1
        jobs = self._registry.jobs.values()
        if self._requests == 1:
            if not self._phase.is_stopping:
                self._exit_code.stop_requested(number, jobs, now)
            self.begin(current)
        elif self._requests == 2:
            for job in jobs:
                if job.is_hook:
                    job.interrupt()
            if self._phase.name == DRAINING:
                self._end_drains()
        elif self._requests == 3:
            self._kill_everything("asked to stop for the third time")

    def begin(self, current: plan.Plan) -> None:
        """Stop the engine, unless a stop has begun."""
        if self._phase.is_stopping:
            return
        context, loop = self._context, self._context.loop
        self._phase.move(DEREGISTERING)
        self._plan = current
        self.is_requested = self._requests > 0
        self._began = loop.now()
        self._limit = deregister_limit(current)
        context.log.debug("stopping")
        loop.hurry()
        context.outputs.hurry()
        self._changes.abandon()
        self._termination.renew(current.stop_timeout)
        # The timers come first: they continue the stop if anything fails on the way to the catalogue.
        loop.call_later(self._limit, self.end_jobs)
        if current.shutdown_timeout:
            loop.call_later(
                current.shutdown_timeout, self._kill_everything, "the stop took longer than shutdownTimeout"
            )
        context.bus.publish(Event(Code.SHUTDOWN, GLOBAL))
        self._watches.stop()
        self._registrations.wait_no_longer()
        for job in self._registry.jobs.values():
            job.quiesce()
            job.end_overdue()
            # An application that ends before its first check need not wait for a catalogue that does not know it.
            service = job.plan.service
            if service is not None and (self.is_requested or self._registrations.is_desired(service)):
                self._registrations.deregister(service)
        if not self._registrations.is_deregistering:
            self.end_jobs()

    def end_jobs(self) -> None:
        """The services are deregistered, or the time for that is over: let jobs drain, and stop all of them, if that
        has not begun."""
        if self._phase.name != DEREGISTERING:
            return
        self._registrations.wait_no_longer()
        # Charge no more than the limit: ContainerPilot may have been suspended meanwhile.
        self._termination.charge(min(self._limit, self._context.loop.now() - self._began))
        jobs = self._registry.jobs.values()
        able = [job for job in jobs if job.can_drain and self._registry.ends_in_stop(job, self._began)]
        self._draining = [*able, *(job for job in jobs if job.is_draining)]
        if self._requests < 2 and self._draining:
            self._phase.move(DRAINING)
            for job in able:
                job.stop()
            self.advance()  # those that could not begin
        else:
            self._end_drains()

    def _end_drains(self) -> None:
        self._phase.move(STOPPING)
        self._end_jobs()

    def _end_jobs(self) -> None:
        # Decide for all jobs before the first one stops: hooks may wait for each other.
        for job in [job for job in self._registry.jobs.values() if self._registry.ends_in_stop(job, self._began)]:
            job.stop()
        self._termination.retry()
        self.advance()

    def advance(self) -> None:
        """Take the next step, if the drains, or the runs, that it waits for have ended."""
        if self._phase.name == DRAINING and not any(job.is_draining for job in self._draining):
            self._end_drains()
            return
        if not self._phase.ends_jobs:
            return
        unfinished = self._registry.unfinished
        if unfinished and all(job.plan.stops_last for job in unfinished):
            for job in tuple(unfinished):
                job.stop()
        elif not unfinished and not self._context.runs and not self._termination.end_leftovers():
            self._context.loop.call_soon(self._finish)  # after the delivery of the last event

    def _kill_everything(self, why: str) -> None:
        """Kill everything, and finish when it is gone. Nothing else is waited for, hooks included."""
        self._context.log.warning(f"killing everything: {why}")
        self._context.loop.call_later(KILL_LIMIT, self._finish)
        for job in tuple(self._registry.jobs.values()):
            if job.is_hook and job.state in (State.WAITING, State.HELD):
                job.stop()
        jobs_end = self._phase.ends_jobs
        if self._phase.name != KILLING:
            self._phase.move(KILLING)
        self._termination.kill_everything()
        if not jobs_end:
            self._end_jobs()

    def _finish(self) -> None:
        self._exit_code.left_running(self._registry.jobs.values())
        self._report_failure()
        self._registrations.discovery.stop()
        self._context.processes.kill_left_groups()
        self._context.loop.stop()

    def _report_failure(self) -> None:
        """Report why the main job failed in the file for that, if there is one."""
        plan = self._plan
        if plan is None or not plan.termination_log or not self._exit_code.value:
            return
        try:
            os.stat(to_bytes(plan.termination_log))
            from cp.engine.termination_log import report
        except (OSError, ImportError, MemoryError):
            return  # there is no such file: this is not Kubernetes
        report(plan.termination_log, self._registry.jobs.values(), self._context)


def deregister_limit(current: plan.Plan) -> float:
    """Seconds for which jobs that end wait for their deregistration."""
    return min(DEREGISTER_LIMIT, max(0.0, current.stop_timeout) / 4)


class ExitCode:
    """The exit code of ContainerPilot: that of the main job, or of the failure that ended everything.

    Each method is a reason for a stop or for the end. The last reason decides `value`.
    """

    __slots__ = ("_log", "value")

    def __init__(self, log: Log) -> None:
        self.value = 0
        self._log = log

    def main_completed(self, main: Job, *, stopping: bool) -> None:
        """The main job is complete. It is a failure if it was never started and no stop prevented that."""
        if main.last_exit is not None:
            self.value = main.last_exit.outside
        elif not (main.started or stopping):
            self.value = 1
            self._log.error(f"{main.name} was never started: {missed(main.plan.when)}")

    def main_skipped(self, code: int) -> None:
        """The event that starts the main job cannot come any more. `code` is that of the failure that prevented it."""
        self.value = code

    def job_failed(self, failed: Job, code: int, jobs: Iterable[Job]) -> None:
        """A job on which everything depends has failed.

        Its code counts. If the main job has ended before, the main job's code counts, unless the failed job is a hook:
        the failed job should have run before the main job, and was started on request.
        """
        for job in jobs:
            if job.plan.main and job.state == State.COMPLETE and job.last_exit is not None and not failed.is_hook:
                self.value = job.last_exit.outside
                return
        self.value = code if code >= 0 else KILLED_HOOK

    def stop_requested(self, number: int, jobs: Iterable[Job], now: float) -> None:
        """A signal stops ContainerPilot: a main job that has not run yet counts as ended by that signal."""
        for job in jobs:
            if job.plan.main and job.plan.command is not None:
                if job.state == State.COMPLETE:  # a change was about to replace it
                    self.main_completed(job, stopping=False)
                elif job.runs.count == 0:
                    self.value = Exit(job.plan, -number, now).outside

    def left_running(self, jobs: Iterable[Job]) -> None:
        """ContainerPilot exits. A main job that still runs did not die of SIGKILL in time, or never received it."""
        for job in jobs:
            if job.plan.main and job.runs.current is not None and job.runs.pid:
                self.value = NOT_ENDED if job.runs.current.is_forbidden else 128 + SIGKILL
