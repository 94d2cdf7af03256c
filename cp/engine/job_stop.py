"""The end of a job: its drain, `stopping` and the jobs that wait for it, then its process, then `stopped`."""

from __future__ import annotations

from cp.engine.events import Code
from cp.engine.states import STOPPING_STATES, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from cp import plan
    from cp.engine.context import Context
    from cp.engine.drain import Drain
    from cp.engine.job_runs import JobRuns
    from cp.engine.loop import Timer
    from cp.engine.ports import Supervisor
    from cp.engine.readiness import Readiness
    from cp.engine.states import JobState
    from cp.plan import EventCode

    class Stoppable(Protocol):
        """The part of a job that matters to its end."""

        plan: plan.Job
        state: JobState
        started: bool
        runs: JobRuns
        readiness: Readiness

    class Named(Protocol):
        """A job that has a name."""

        name: str


class JobStop:
    """Takes a job from its last run, or from a request to stop, to its completion. It moves the job by `move`, and
    sends its events by `publish`."""

    __slots__ = ("_context", "_job", "_move", "_publish", "_supervisor", "_timer", "awaited", "drain")

    def __init__(
        self,
        context: Context,
        supervisor: Supervisor[Any],
        job: Stoppable,
        move: Callable[[JobState], None],
        publish: Callable[[EventCode], None],
    ) -> None:
        self.awaited: set[str] = set()  # by name: the jobs that wait for `stopping` and are not complete
        self.drain: Drain | None = None
        self._context = context
        self._supervisor = supervisor
        self._job = job
        self._move = move
        self._publish = publish
        self._timer: Timer | None = None

    def begin(self, *, asked: bool) -> None:
        """The job starts no more runs. Drain it, publish `stopping`, let the jobs that wait for it run, and then
        terminate the process. `asked`: somebody requested that, otherwise the job is done."""
        if not self._drains():
            self._announce(asked=asked)

    @property
    def can_drain(self) -> bool:
        """Whether it has a process, or something else, that serves."""
        job = self._job
        if job.plan.drain is None or job.plan.service is None or self._supervisor.ends_jobs:
            return False
        return job.state == State.ACTIVE or (
            job.state == State.RUNNING and job.runs.pid > 0 and not job.runs.is_failing
        )

    def _drains(self) -> bool:
        """Begin the drain; False if there is none."""
        plan, supervisor = self._job.plan, self._supervisor
        if not self.can_drain or plan.drain is None or plan.service is None:
            return False
        try:
            from cp.engine.drain import Drain
        except (ImportError, OSError, MemoryError) as error:  # no descriptor is left, or the archive is gone
            self._context.log.error(f"cannot drain {plan.name}: {error or 'out of memory'}", plan.log_fields)
            return False
        self._move(State.DRAINING)
        self.drain = Drain(self._context, plan, plan.drain, self._drained)
        if supervisor.stopping:
            self.drain.begin()  # a stop has deregistered all services
        else:
            supervisor.when_deregistered(plan.service, self.drain.begin)
        return True

    def _drained(self) -> None:
        if self._supervisor.stopping:
            self._supervisor.drained()  # a stop ends no job before all have drained
        else:
            self._announce(asked=True)

    def end_drain(self, why: str) -> None:
        """End the drain if it is not over, and go on."""
        if self.drain is not None:
            self.drain.cut_short(why)
        self._announce(asked=True)

    def _announce(self, *, asked: bool) -> None:
        job, supervisor = self._job, self._supervisor
        announces = asked or supervisor.stopping or job.plan.stopping_on_exit
        if not (announces and self._is_announced):
            self._terminate()
            return
        self._move(State.STOPPING)
        self._publish(Code.STOPPING)
        self.awaited = {other.name for other in supervisor.dependents(job)}
        if not self.awaited:
            self._terminate()
        elif job.plan.stop_timeout:
            self._timer = self._context.loop.call_later(job.plan.stop_timeout, self._waited_too_long)

    def dependent_done(self, other: Named) -> None:
        """A job that waits for `stopping` of this one is complete, or has run and waits for others of the same name."""
        if other.name in self.awaited:
            self.awaited.discard(other.name)
            if not self.awaited and self._job.state == State.STOPPING:
                self._terminate()

    def run_ended(self) -> bool:
        """The process has ended. False if nothing stops the job."""
        if self._job.state == State.TERMINATING:
            self._finish()
        elif self._job.state == State.DRAINING:
            self.end_drain("its process has ended")
        return self._job.state in STOPPING_STATES

    @property
    def _is_announced(self) -> bool:
        return self._job.started or self._job.plan.announces_unstarted

    def _waited_too_long(self) -> None:
        self._timer = None
        self.awaited.clear()
        if self._job.state == State.STOPPING:
            self._terminate()

    def _terminate(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        run, job = self._job.runs.current, self._job.plan
        if run is None:
            self._finish()
            return
        self._move(State.TERMINATING)
        if job.killed_unasked and self._supervisor.stop_unasked:
            self._context.kill(run)
        else:
            self._context.terminate(run, job.stop_group)

    def _finish(self) -> None:
        self._move(State.COMPLETE)
        self._job.readiness.close()
        if self._is_announced:
            self._publish(Code.STOPPED)
        self._supervisor.completed(self._job)
