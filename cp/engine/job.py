"""A job: one state machine around at most one process, a health check and a registration."""

from __future__ import annotations

from cp.engine.check import Check
from cp.engine.events import Code, Event
from cp.engine.process import StartError
from cp.engine.rhythm import Backoff, Ticker
from cp.engine.run import Run, describe_exit
from cp.engine.states import MOVES, STOPPING_STATES, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from cp import plan
    from cp.engine.host import Host
    from cp.engine.loop import Timer

    class Supervisor(Protocol):
        """What a job asks of the engine that owns it."""

        @property
        def stopping(self) -> bool: ...
        @property
        def maintenance(self) -> bool: ...
        def wanted(self, service: plan.Service, status: str, output: str) -> None: ...
        def unwanted(self, service: plan.Service) -> None: ...
        def dependents(self, job: Job) -> list[Job]: ...
        def failed(self, job: Job, code: int) -> None: ...
        def completed(self, job: Job) -> None: ...


UNKNOWN, HEALTHY, UNHEALTHY = "unknown", "healthy", "unhealthy"


class Job:
    """Runs one job of a plan.

    `triggered`, `ticked`, `ended` and `stop` are what can happen to it; each makes at most one move at a time, through
    `_move`. Whoever is interested hears of it by events, never by a call from inside a move.
    """

    def __init__(self, host: Host, supervisor: Supervisor, job_plan: plan.Job) -> None:
        self.plan = job_plan
        self.name = job_plan.name
        self.state = State.WAITING
        self.since = host.loop.now()
        self.status = UNKNOWN
        self.exit_code: int | None = None  # of the last run; -N after a death by signal N
        self.runs = 0
        self._host = host
        self._supervisor = supervisor
        self._run: Run | None = None
        self._started = False
        self._starts_left: int | None = None if job_plan.when.each else 1
        self._restarts_left = job_plan.restarts
        self._pending: Event | None = None  # a trigger that came while the process ran; one is remembered
        self._failures = 0  # of the health check, in a row
        self._awaited: set[str] = set()  # the jobs on our `stopping` that have not completed
        self._backoff = Backoff(host.random)
        self._timer: Timer | None = None
        self._ticker = Ticker(host.loop, job_plan.when.interval, self.ticked) if job_plan.when.interval else None
        health = job_plan.health
        self._check = Check(host, health, self._checking, self._checked) if health is not None else None

    def arm(self) -> None:
        """From now on the trigger counts."""
        service, when = self.plan.service, self.plan.when
        if service is not None and service.initial_status:
            self._supervisor.wanted(service, "", "")
        if when.timeout:
            self._timer = self._host.loop.call_later(when.timeout, self._waited_too_long)

    @property
    def is_hook(self) -> bool:
        """A job on another's `stopping` or `stopped`: a stop does not end it, but makes it run."""
        return self.plan.when.code in (Code.STOPPING, Code.STOPPED)

    @property
    def pending(self) -> Event | None:
        """The trigger that is remembered, if there is one."""
        return self._pending

    @property
    def pid(self) -> int:
        return self._run.pid if self._run is not None else 0

    def signal(self, number: int) -> None:
        """Pass a signal on to the process, or to its group where that is what its stop does."""
        if self._run is not None:
            self._run.signal(number, group=self.plan.stop_group)

    # --- starting

    def triggered(self, event: Event) -> None:
        """The event of `when` has come."""
        if self.state in STOPPING_STATES or self._starts_left == 0:
            return
        if self._supervisor.stopping and not self.is_hook:
            return
        paused = self._supervisor.maintenance and self.plan.pauses_in_maintenance and self.plan.when.each
        if paused or self.state in (State.RUNNING, State.PAUSING):
            self._pending = event
            return
        self._pending = None
        if self._starts_left is not None:
            self._starts_left -= 1
        self._cancel_timer()
        self._start_check()
        when = self.plan.when
        if self._ticker is not None:
            self._ticker.start(when.delay or when.interval or 0.0)
        if when.delay:
            self._move(State.SCHEDULED)
        else:
            self._start(event)

    def resume(self) -> None:
        """Maintenance is over: a trigger that came meanwhile counts now."""
        event, self._pending = self._pending, None
        if event is not None:
            self.triggered(event)

    def ticked(self) -> None:
        """The next run of a periodic job is due."""
        if self._supervisor.stopping or (self._supervisor.maintenance and self.plan.pauses_in_maintenance):
            return
        tick = Event(Code.TIMER_EXPIRED, self.name)
        if self.state == State.RUNNING:
            self._pending = tick
        elif self.state == State.SCHEDULED:
            if self._may_restart(self.runs > 0):
                self._start(tick)
            else:
                self._host.log.debug(f"interval expired but restart not permitted: {self.name}")
                self._halt()

    def _start_check(self) -> None:
        if not self._started and self._check is not None:
            self._check.start()
        self._started = True

    def _start(self, event: Event) -> None:
        self.status = UNKNOWN
        self.runs += 1
        job = self.plan
        if job.command is None:
            self._move(State.ACTIVE)
            return
        run = Run(
            self._host,
            job.command,
            job.label or job.name,
            self.ended,
            output=job.output,
            log_fields=job.log_fields,
            timeout=job.timeout,
            timeout_text=job.timeout_text,
            wait_for_output=job.wait_for_output,
            terminal=job.main,
            sweep=job.sweeps_group,
        )
        self._run_started_at = self._host.loop.now()
        self._move(State.RUNNING)
        self._run = run
        try:
            run.start(event.environ)
        except StartError as error:
            self._host.log.error(f"unable to start {run.label}: {error}", job.log_fields)
            # The end of a run that never was comes like any other, after this move.
            self._host.loop.call_soon(self.ended, error.code, str(error))
            return
        for name in job.pid_variables:
            self._host.environment.set(name, str(run.pid))

    # --- ending

    def ended(self, code: int, start_error: str = "") -> None:
        """The process is gone, or could not be started."""
        run, self._run = self._run, None
        if run is None:
            return
        self.exit_code = code
        job = self.plan
        if not job.keep_pid_variables:
            for name in job.pid_variables:
                self._host.environment.unset(name)
        if code == 0:
            self._host.log.debug(f"{run.label} exited without error", job.log_fields)
            self._publish(Code.EXIT_SUCCESS)
        else:
            self._report_failure(run, code, start_error)
            self._publish(Code.EXIT_FAILED)
            self._host.bus.publish(Event(Code.ERROR, start_error or f"{run.label}: {describe_exit(code)}"))
            if job.fatal and (run.timed_out or not run.interrupted):
                self._host.loop.call_soon(self._supervisor.failed, self, code)
        if self.state == State.TERMINATING:
            self._finish()
        elif self.state != State.DRAINING:
            self._after_run(self._host.loop.now() - self._run_started_at)

    def _report_failure(self, run: Run, code: int, start_error: str) -> None:
        message = f"{run.label} exited ({code if code >= 0 else -1}): {start_error or describe_exit(code)}"
        ended_by_us = run.interrupted and not run.timed_out and not self.plan.main
        level = "debug" if ended_by_us else self.plan.failure_level
        getattr(self._host.log, level)(message, self.plan.log_fields)

    def _after_run(self, seconds: float) -> None:
        """What a job does after a run that nobody asked to end: run again now or later, wait, or be complete."""
        stopping = self._supervisor.stopping
        if self._ticker is not None and not stopping:
            self._move(State.SCHEDULED)
            if self._pending is not None:
                self._pending = None
                self.ticked()
        elif not stopping and self._may_restart(True):
            self._move(State.PAUSING)
            pause = self._backoff.pause_after(seconds)
            self._timer = self._host.loop.call_later(pause, self._restart)
        elif self._pending is not None and not stopping:
            event, self._pending = self._pending, None
            self._move(State.WAITING)
            self.triggered(event)
        elif self._starts_left != 0 and not stopping:
            self._move(State.WAITING)
        else:
            self._host.log.debug(f"job exited but restart not permitted: {self.name}")
            self._halt()

    def _restart(self) -> None:
        event, self._pending = self._pending, None
        self._start(event or Event(Code.TIMER_EXPIRED, self.name))

    def _may_restart(self, counts: bool) -> bool:
        """Take one of the restarts, if there is one left."""
        if self._restarts_left is None or not counts:
            return True
        if self._restarts_left == 0:
            return False
        self._restarts_left -= 1
        return True

    def _waited_too_long(self) -> None:
        self._timer = None
        if self.state == State.WAITING and not self._started:
            self._publish(Code.TIMER_EXPIRED)
            self._host.loop.call_soon(self.stop)

    # --- stopping

    def quiesce(self) -> None:
        """No new runs, no checks; the process goes on."""
        self._cancel_timer()
        if self._ticker is not None:
            self._ticker.stop()
        if self._check is not None:
            self._check.stop()
        self._pending = None

    def stop(self) -> None:
        """Announce it, let the jobs on our `stopping` run, then terminate the process."""
        if self.state not in STOPPING_STATES:
            self._halt(asked=True)

    def interrupt(self) -> None:
        """Terminate the process of a hook now; what waits for the hook goes on when it has ended."""
        if self._run is not None:
            self._host.terminate(self._run, True)

    def completed(self, other: Job) -> None:
        """A job on our `stopping` has completed."""
        if other.name in self._awaited:
            self._awaited.discard(other.name)
            if not self._awaited and self.state == State.DRAINING:
                self._terminate()

    def _halt(self, *, asked: bool = False) -> None:
        self.quiesce()
        self._starts_left = 0
        if self.plan.service is not None:
            self._supervisor.unwanted(self.plan.service)
        asked = asked or self._supervisor.stopping
        announces = (asked or self.plan.stopping_on_exit) and (self._started or self.plan.announces_unstarted)
        if not announces:
            self._terminate_or_finish()
            return
        self._move(State.DRAINING)
        self._publish(Code.STOPPING)
        self._awaited = {job.name for job in self._supervisor.dependents(self)}
        if not self._awaited:
            self._terminate()
        elif self.plan.stop_timeout:
            self._timer = self._host.loop.call_later(self.plan.stop_timeout, self._waited_for_dependents)

    def _waited_for_dependents(self) -> None:
        self._timer = None
        self._awaited.clear()
        if self.state == State.DRAINING:
            self._terminate()

    def _terminate(self) -> None:
        self._cancel_timer()
        self._terminate_or_finish()

    def _terminate_or_finish(self) -> None:
        if self._run is None:
            self._finish()
            return
        self._move(State.TERMINATING)
        self._host.terminate(self._run, self.plan.stop_group)

    def _finish(self) -> None:
        self._move(State.COMPLETE)
        if self._started or self.plan.announces_unstarted:
            self._publish(Code.STOPPED)
        self._supervisor.completed(self)

    # --- health

    def _checking(self) -> bool:
        return not (self._supervisor.stopping or self._supervisor.maintenance)

    def _checked(self, passed: bool, output: str) -> None:
        if not self._checking() or self.state in STOPPING_STATES:
            return
        service, health = self.plan.service, self.plan.health
        if health is None:
            return
        self._failures = 0 if passed else self._failures + 1
        if health.command is not None:
            self.status = HEALTHY if passed else UNHEALTHY
            self._publish(Code.HEALTHY if passed else Code.UNHEALTHY)
        if service is None:
            return
        if passed:
            self._supervisor.wanted(service, "passing", output)
        elif health.failures and self._failures >= health.failures:
            self._supervisor.wanted(service, "critical", output)

    # --- moving

    def _move(self, state: str) -> None:
        if state not in MOVES[self.state]:
            raise RuntimeError(f"job {self.name} cannot move from {self.state} to {state}")
        self._host.log.debug(f"job {self.name}: {self.state} -> {state}")
        self.state = state
        self.since = self._host.loop.now()

    def _publish(self, code: str) -> None:
        self._host.bus.publish(Event(code, self.name))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
