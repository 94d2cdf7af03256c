"""A job: one state machine around at most one process, a health check, and a registration."""

from __future__ import annotations

from cp.engine.checks import Checks
from cp.engine.events import Code, Event
from cp.engine.health import Health
from cp.engine.job_runs import JobRuns
from cp.engine.job_stop import JobStop
from cp.engine.readiness import Readiness
from cp.engine.restart_policy import RestartPolicy
from cp.engine.states import MOVES, STOPPING_STATES, State
from cp.engine.timers import Ticker
from cp.engine.trigger import Trigger
from cp.plan import NOTHING, PASSING, STOP_JOB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.context import Context
    from cp.engine.drain import Drain
    from cp.engine.exit_status import Exit
    from cp.engine.health import Consequence
    from cp.engine.loop import Timer
    from cp.engine.ports import Supervisor
    from cp.engine.states import JobState
    from cp.engine.trigger import Skip
    from cp.engine.watch_variables import Found


class Job:
    """Runs one job of a plan. `triggered`, `ticked`, `ended` and `stop` are what can happen to it. Each makes at most
    one move at a time, through `_move`. Others learn of a move by events, never by a call from inside of a move."""

    def __init__(self, context: Context, supervisor: Supervisor[Job], job_plan: plan.Job) -> None:
        self.plan = job_plan
        self.name = job_plan.name
        self.source = job_plan.source or job_plan.name  # of its events
        self.state: JobState = State.WAITING
        self.since = context.loop.now()
        self.runs = JobRuns(context)
        self.restarts = RestartPolicy(job_plan, context.random)
        self.health = Health(self.name, job_plan.health, self.since, always=job_plan.always_healthy)
        self.readiness = Readiness(context, job_plan, self._became_ready, self.fail_run)
        self.trigger = Trigger(job_plan)
        self.skip: Skip | None = None  # why it is skipped
        self.has_ended = False  # it is complete, and its last event is delivered
        self._context = context
        self._supervisor = supervisor
        self.started = False
        self._timer: Timer | None = None
        self._ticker = Ticker(context.loop, job_plan.when.interval, self.ticked) if job_plan.when.interval else None
        address = job_plan.service.address if job_plan.service is not None else ""
        self._checks = Checks(context, self.health, address, self._is_checked, self._checked)
        self._completes = False  # the current run is the last one
        self._stop = JobStop(context, supervisor, self, self._move, self._publish)

    def arm(self) -> None:
        """From now on events start it."""
        self.announce()
        if self.plan.when.timeout:
            self._timer = self._context.loop.call_later(self.plan.when.timeout, self._waited_too_long)

    def announce(self) -> None:
        """Register a service whose entry does not wait for the first check."""
        service = self.plan.service
        if service is not None and service.initial_status and self.state not in (State.HELD, *STOPPING_STATES):
            self._supervisor.register(service, "", "")

    @property
    def is_hook(self) -> bool:
        return self.trigger.is_hook

    @property
    def awaits_event(self) -> bool:
        """Whether events may start it after its run. A hook that a request started still waits for its own event."""
        trigger = self.trigger
        if self.is_hook:
            return not trigger.exhausted and not self._supervisor.comes_too_late(self)
        return not self._supervisor.stopping and (bool(trigger.pending) or not trigger.exhausted)

    @property
    def last_exit(self) -> Exit | None:
        return self.runs.last_exit

    @property
    def is_ready(self) -> bool:
        """Whether its current run is ready."""
        lives = self.state == State.ACTIVE or (self.state == State.RUNNING and self.runs.pid > 0)
        return lives and self.readiness.since is not None

    @property
    def next_start(self) -> float | None:
        """When a pause before the next start ends; None: it does not pause."""
        return self._timer.deadline if self.state == State.PAUSING and self._timer is not None else None

    # --- starting

    def hold(self) -> None:
        """From now on only `start_now` starts it."""
        self._cancel_timer()
        self._move(State.HELD)

    def wait(self, skip: Skip | None = None) -> None:
        """Wait for its event again, or with `skip`, only for the time limit: its expiry is an event for others."""
        self._move(State.WAITING if skip is None else State.SKIPPED)
        self.skip = skip

    def start_now(self, report: Found | None) -> None:
        """Start it on request, whatever it waits for, with the last report of its watch. A running one goes on."""
        event = Event(Code.STARTUP, self.name, report)
        if self.state == State.PAUSING:
            self._cancel_timer()
            self._restart()
        elif self.state == State.SCHEDULED:
            self._start(event)
        elif self.state in (State.WAITING, State.SKIPPED, State.HELD):
            starts_left = self.trigger.starts_left
            self._begin(event)
            if self.is_hook:
                self.trigger.starts_left = starts_left  # its own event is still to come

    def triggered(self, event: Event) -> None:
        """The event of `when` has come."""
        if self.state in (State.HELD, *STOPPING_STATES) or not self.trigger.accepts(event):
            return
        if self._supervisor.stopping and not self.is_hook:
            return
        paused = self._supervisor.maintenance and self.plan.pauses_in_maintenance and self.plan.when.each
        if paused or self.state in (State.RUNNING, State.PAUSING):
            self.trigger.remember(event)
        elif self.state == State.ACTIVE:
            self._reset_health()
        else:
            self._begin(event)

    def _begin(self, event: Event) -> None:
        self.trigger.use(event)
        self._cancel_timer()
        if not self.started:
            self._checks.start()
        self.started = True
        when = self.plan.when
        if self._ticker is not None:
            self._ticker.start(when.delay or when.interval or 0.0)
        if when.delay:
            self._move(State.SCHEDULED)
        else:
            self._start(event)

    def resume(self) -> None:
        """Maintenance has ended: an event that came meanwhile starts it now, or after its run."""
        if self.state not in (State.RUNNING, State.PAUSING) and (event := self.trigger.take()) is not None:
            self.triggered(event)

    def ticked(self) -> None:
        """The next run of a periodic job is due."""
        if self._supervisor.stopping or (self._supervisor.maintenance and self.plan.pauses_in_maintenance):
            return
        tick = Event(Code.TIMER_EXPIRED, self.name)
        if self.state == State.RUNNING:
            self.trigger.remember(tick)
        elif self.state == State.SCHEDULED:
            if self.restarts.take_run(first=self.runs.count == 0):
                self._start(tick)
            else:
                self._context.log.debug(f"interval expired but restart not permitted: {self.name}")
                self._halt()

    def _start(self, event: Event | None) -> None:
        """Start a run for an event; without one, repeat the last run."""
        self._reset_health()
        self._checks.run_started()
        self.runs.count += 1
        job = self.plan
        if job.command is None:
            self._move(State.ACTIVE)
        else:
            self._move(State.RUNNING)
            environ = self.trigger.prepare(event, self._context.log.warning)
            if not self.runs.start(job, job.command, environ, self.ended, self.readiness.monitor):
                return
            self.trigger.started()
        self.readiness.run_started(is_checked=self.health.has_checks)

    # --- ending

    def ended(self, code: int | None, start_error: str = "") -> None:
        """The run has ended or could not start. None: its process lives, and a stop goes on without it."""
        run = self.runs.current
        if run is None:
            return
        end = self.runs.end(self.plan, run, code, self._context.masked(start_error))
        self.readiness.run_ended()
        if code is not None:
            self._publish(Code.EXIT_SUCCESS if end.succeeded else Code.EXIT_FAILED)
            if not end.succeeded:
                self._context.bus.publish(Event(Code.ERROR, end.error or f"{run.label}: {end.text}", job=self.name))
                if self.plan.fatal and (run.timed_out or not run.interrupted):
                    self._context.loop.call_soon(self._supervisor.failed, self, code)
        if self.state in STOPPING_STATES:
            self._reset_health()  # what has ended is not healthy
        if not self._stop.run_ended():
            self._after_run(self._context.loop.now() - self.runs.started_at, end)

    def _after_run(self, seconds: float, end: Exit) -> None:
        """Decide what follows a run that ended by itself: run again now or later, wait, or be complete."""
        stopping, now = self._supervisor.stopping, self._context.loop.now()
        if self._completes:
            self._halt()
        elif self._ticker is not None and not stopping:
            self._move(State.SCHEDULED)
            if self.trigger.take() is not None:
                self.ticked()
        elif not stopping and (start := self.restarts.next_start(now, seconds, failed=not end.succeeded)) is not None:
            self._pause(start, self._restart)
            if self.restarts.is_delayed:
                text = f"starts again in {start - now:.0f} s: {self.restarts.used_up}"
                self._context.log.warning(f"{self.plan.label or self.name} {text}", self.plan.log_fields)
        elif self.awaits_event:
            # Two jobs that cannot start, each triggered by the other's failure, must not keep the loop busy.
            pause = self.restarts.pause_after(seconds) if end.error and not stopping else 0.0
            if pause:
                self._pause(now + pause, self._wait_again)
            else:
                self._wait_again()
        else:
            self._context.log.debug(f"job exited but restart not permitted: {self.name}")
            if self.restarts.gave_up and not stopping:
                text = f"is not started again: {self.restarts.used_up}"
                self._context.log.warning(f"{self.plan.label or self.name} {text}", self.plan.log_fields)
            self._halt()

    def _pause(self, until: float, then: Callable[[], None]) -> None:
        self.health.process_ended(self._context.loop.now())
        self._move(State.PAUSING)
        self._timer = self._context.loop.call_at(until, then)

    def _wait_again(self) -> None:
        event = self.trigger.take()
        self._move(State.WAITING)
        if event is not None:
            self.triggered(event)
        elif self.is_hook:
            self._context.loop.call_soon(self._supervisor.waits_again, self)

    def _restart(self) -> None:
        self.restarts.restarted(self._context.loop.now())
        if self._context.observer is not None:
            self._context.observer.job_restarted(self.name)
        event = self.trigger.take()
        if event is not None and self.is_hook:
            self.trigger.use(event)  # this run is for that event
        self._start(event)

    def _waited_too_long(self) -> None:
        self._timer = None
        if self.state in (State.WAITING, State.SKIPPED) and not self.started:
            self._publish(Code.TIMER_EXPIRED)
            if not self.is_hook:  # its event comes with a stop at the latest
                self._context.loop.call_soon(self._give_up_waiting)

    def _give_up_waiting(self) -> None:
        if not self.started:  # its event may have come meanwhile
            self.stop()

    # --- stopping

    def quiesce(self) -> None:
        """Start no more runs or checks; the process goes on. A hook still runs for its own event."""
        self._cancel_timer()
        if self._ticker is not None:
            self._ticker.stop()
        self._checks.stop()
        if not self.is_hook:
            self.trigger.forget()
        elif self.state == State.PAUSING and self.awaits_event:
            self._wait_again()

    def stop(self) -> None:
        """Drain, publish `stopping`, let the jobs that wait for it run, then terminate the process. While it drains,
        this ends the drain."""
        if self.state == State.DRAINING:
            self._stop.end_drain("ContainerPilot ends it now")
        elif self.state not in STOPPING_STATES:
            self._halt(asked=True)

    @property
    def can_drain(self) -> bool:
        """Whether a stop drains it now."""
        return self._stop.can_drain

    @property
    def is_draining(self) -> bool:
        """Whether it waits for the end of its drain."""
        return self.state == State.DRAINING and self.drain is not None and not self.drain.is_over

    @property
    def drain(self) -> Drain | None:
        """The last drain; None if there was none."""
        return self._stop.drain

    def interrupt(self) -> None:
        """Terminate the process of a hook now; what waits for the hook goes on after its end."""
        if self.runs.current is not None:
            self._context.terminate(self.runs.current, True)

    def end_overdue(self) -> None:
        """End a hook whose time limit has passed, so that no stop waits for it, even if it hangs in the kernel."""
        run = self.runs.current
        if self.is_hook and self.state == State.RUNNING and run is not None and run.timed_out:
            self.interrupt()

    @property
    def awaited(self) -> set[str]:
        """By name, the jobs that wait for its `stopping` and are not complete."""
        return self._stop.awaited

    def dependent_done(self, other: Job) -> None:
        """A job that waits for `stopping` of this one is complete, or has run and waits for others of the same name."""
        self._stop.dependent_done(other)

    def _halt(self, *, asked: bool = False) -> None:
        """Start no more runs; end the process if one runs."""
        self.trigger.close()
        self.quiesce()
        if self.runs.current is None:
            self._reset_health()  # what has ended is not healthy
        if self.plan.service is not None:
            self._supervisor.deregister(self.plan.service)
        self._stop.begin(asked=asked)

    # --- health and readiness

    def fail_run(self, why: str, then: plan.OnFailure, abort: bool = False) -> bool:
        """The current run has failed though its process lives: terminate it. `then` is RESTART, and `restarts` decides,
        or STOP_JOB. With `abort` the process gets SIGABRT, which leaves a trace. False if no run can fail now."""
        run, ends = self.runs.current, self._supervisor.stopping and not self.is_hook
        if run is None or not self.runs.pid or run.failure or ends or self.state != State.RUNNING:
            return False
        self._completes = then == STOP_JOB
        self.readiness.is_stopping()
        run.fail(why, self._supervisor.kill_after, abort=abort, group=self.plan.stop_group)
        return True

    def _reset_health(self) -> None:
        self.health.reset(self._context.loop.now())

    def _is_checked(self) -> bool:
        if self._supervisor.stopping or self._supervisor.maintenance:
            return False
        return self.state not in (State.PAUSING, *STOPPING_STATES) and not self.runs.is_failing

    def _checked(self, follows: Consequence, output: str) -> None:
        if follows.event:
            self._publish(follows.event, follows.kind)
        if follows.event == Code.HEALTHY:
            self.readiness.was_healthy()
        if self.plan.service is not None and follows.reported and self.readiness.may_register:
            self._supervisor.register(self.plan.service, follows.reported, output)
        if follows.action != NOTHING:
            self.fail_run("onUnhealthy", follows.action)

    def _became_ready(self) -> None:
        if self.state in STOPPING_STATES:
            return
        if self.plan.announces_ready:
            self._publish(Code.READY)
        service, latest = self.plan.service, self.health.latest
        if service is not None and self.plan.ready is not None and self.health.all_pass:
            # Its check has passed already, and did not register it.
            self._supervisor.register(service, PASSING, latest.output if latest is not None else "")

    # --- moving

    def _move(self, state: JobState) -> None:
        if state not in MOVES[self.state]:
            raise RuntimeError(f"job {self.name} cannot move from {self.state} to {state}")
        self._context.log.debug(f"job {self.name}: {self.state} -> {state}")
        self.state = state
        self.skip = None
        self.since = self._context.loop.now()
        self._context.readiness_changed(self.name)

    def _publish(self, code: plan.EventCode, kind: plan.EventKind = "") -> None:
        self._context.bus.publish(Event(code, self.source, kind=kind, job=self.name))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
