"""The readiness of ContainerPilot as a whole, and the clients that wait for it or for the readiness of some jobs.

Imported after the application has started.
"""

from __future__ import annotations

from cp.engine.events import CHANGE, Code
from cp.engine.health import HEALTHY
from cp.engine.states import State
from cp.platform.service_manager import notify
from cp.platform.text import duration_text, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final, Literal, Protocol

    from cp import plan
    from cp.engine.changes import Changes
    from cp.engine.context import Context
    from cp.engine.events import Event
    from cp.engine.job import Job

    class Running(Protocol):
        """What the readiness of ContainerPilot depends on: the engine."""

        plan: plan.Plan
        changes: Changes
        started_at: float

        @property
        def jobs(self) -> Mapping[str, Job]: ...
        @property
        def stopping(self) -> bool: ...
        @property
        def maintenance(self) -> bool: ...

    Outcome = Literal["ready", "timeout", "stopping", "ended"]

# How a wait ends. ENDED: one of the jobs becomes ready only on request, or by a reload.
READY: Final = "ready"
TIMEOUT: Final = "timeout"
STOPPING: Final = "stopping"
ENDED: Final = "ended"

OUT_OF_USE = (State.HELD, State.SKIPPED, State.COMPLETE)  # only a request, or a reload, starts the job again
VARIABLE: Final = "NOTIFY_SOCKET"
NOTIFY_ATTEMPTS = 10  # to send READY=1 while the queue of the service manager is full
NOTIFY_PAUSE = 1.0  # seconds between two of them


class ProgramReadiness:
    """Announces once that ContainerPilot is ready, and ends each wait when what it waits for has come.

    Each wait remembers a job that is not ready yet. A change of another job costs nothing, so that thousands of jobs
    can become ready one after the other.
    """

    def __init__(self, context: Context, engine: Running) -> None:
        self._context = context
        self._engine = engine
        self._announces = False
        self._is_shown = False
        self._socket = ""  # of our own service manager
        self._unready = UnreadyJob(engine, lambda job: job.is_ready)
        self._out_of_service = UnreadyJob(engine, is_in_service)
        self._waits: dict[Wait, None] = {}
        self._waits_of: dict[str, dict[Wait, None]] = {}  # by the name of a job; "": of all counted jobs
        self._changed: dict[str, None] = {}  # names of jobs; "": anything
        context.readiness_changed = self._note
        context.bus.subscribe(self._on_event)

    def announce(self, socket: str, *, is_shown: bool) -> None:
        """Log the moment when all counted jobs are ready, and send READY=1 to this socket of a service manager.

        `is_shown`: at level info, instead of debug.
        """
        self._announces = True
        self._is_shown = is_shown
        self._socket = socket
        self._note("")

    def wait(self, names: tuple[str, ...], on_end: Callable[[Outcome], object]) -> Callable[[], None]:
        """Wait until these jobs are ready, or without names, all counted ones. The result ends the wait early.

        `on_end` is called once, and never from inside of this call.
        """
        wait = Wait(names, on_end)
        self._waits[wait] = None
        for name in names or ("",):
            self._waits_of.setdefault(name, {})[wait] = None
            self._note(name)
        return lambda: self._forget(wait)

    def outcome(self, names: tuple[str, ...]) -> Outcome | None:
        """How a wait for these jobs would end now; None: it would go on."""
        engine = self._engine
        if not names:
            if engine.stopping:
                return STOPPING
            return READY if self._out_of_service.is_none() and not engine.maintenance else None
        is_done = has_ended_well if engine.stopping else is_ready
        undone = [job for job in map(engine.jobs.get, names) if job is None or not is_done(job)]
        if not undone:
            return READY
        if engine.stopping:
            return STOPPING
        changes = engine.changes.current is not None
        if any(not changes if job is None else is_out_of_use(engine, job) for job in undone):
            return ENDED
        return None

    def unready(self, names: tuple[str, ...]) -> list[str]:
        """The jobs that such a wait waits for, by name."""
        jobs, counted = self._engine.jobs, (job.name for job in self._engine.plan.jobs if job.counted)
        if names:
            return [name for name in names if name not in jobs or not is_ready(jobs[name])]
        found = [jobs[name] for name in counted if name in jobs]
        return [job.name for job in found if not is_in_service(job) and counts(self._engine, job)]

    # --- what has changed

    def _note(self, name: str) -> None:
        """A job may have become ready or out of use. Looking comes later: the job is in the middle of its move."""
        if name and name not in (self._unready.name, self._out_of_service.name) and name not in self._waits_of:
            return
        if not self._changed:
            self._context.loop.call_soon(self._look)
        self._changed[name] = None

    def _on_event(self, event: Event) -> None:
        if event.code == Code.HEALTHY:
            if event.kind == CHANGE:
                self._note(event.job)
        elif event.code in (Code.EXIT_MAINTENANCE, Code.SHUTDOWN):
            self._note("")

    def _look(self) -> None:
        changed, self._changed = self._changed, {}
        anything = "" in changed
        if self._announces and (anything or self._unready.name in changed):
            self._announce_if_ready()
        if anything:
            waits = tuple(self._waits)
        else:
            waits = tuple({wait: None for name in changed for wait in self._waits_of.get(name, ())})
            if self._out_of_service.name in changed:
                waits += tuple(self._waits_of.get("", ()))
        outcomes: dict[tuple[str, ...], Outcome | None] = {}
        for wait in waits:
            if wait.names not in outcomes:
                outcomes[wait.names] = self.outcome(wait.names)
            if (outcome := outcomes[wait.names]) is not None and wait in self._waits:
                self._forget(wait)
                wait.on_end(outcome)

    # --- those who wait

    def _forget(self, wait: Wait) -> None:
        self._waits.pop(wait, None)
        for name in wait.names or ("",):
            waits = self._waits_of.get(name)
            if waits is not None:
                waits.pop(wait, None)
                if not waits:
                    del self._waits_of[name]

    # --- the announcement

    def _announce_if_ready(self) -> None:
        engine = self._engine
        if engine.stopping or engine.maintenance or not self._unready.is_none():
            return
        self._announces = False
        after = duration_text(self._context.loop.now() - engine.started_at)
        plan = engine.plan
        is_shown = self._is_shown and any(job.counted for job in plan.jobs)
        (self._context.log.info if is_shown else self._context.log.debug)(f"ready after {after}")
        # In other cases the application inherits the socket, and notifies by itself.
        if self._socket and VARIABLE in plan.withheld and not any(job.keeps_notify_socket for job in plan.jobs):
            self._notify(f"READY=1\nSTATUS=ready after {after}", NOTIFY_ATTEMPTS)

    def _notify(self, message: str, attempts: int) -> None:
        try:
            notify(self._socket, message)
        except BlockingIOError:
            if attempts > 1:
                self._context.loop.call_later(NOTIFY_PAUSE, self._notify, message, attempts - 1)
            else:
                self._context.log.warning(f"cannot send READY=1 to {VARIABLE} {self._socket}: its queue is full")
        except (OSError, ValueError) as error:
            why = reason_of(error) if isinstance(error, OSError) else str(error)
            self._context.log.warning(f"cannot send READY=1 to {VARIABLE} {self._socket}: {why}")


class Wait:
    """One client that waits. `names`: of jobs; none: for all counted ones."""

    __slots__ = ("names", "on_end")

    def __init__(self, names: tuple[str, ...], on_end: Callable[[Outcome], object]) -> None:
        self.names = names
        self.on_end = on_end


class UnreadyJob:
    """A counted job that does not fulfil a condition, and its `name`; empty if none was found the last time."""

    __slots__ = ("_engine", "_holds", "_names", "_plan", "_position", "name")

    def __init__(self, engine: Running, holds: Callable[[Job], bool]) -> None:
        self.name = ""
        self._engine = engine
        self._holds = holds
        self._plan: object = None
        self._names: tuple[str, ...] = ()
        self._position = 0

    def is_none(self) -> bool:
        """Whether all counted jobs fulfil the condition. The search begins with the job that did not do so before."""
        engine = self._engine
        if self._plan is not engine.plan:
            self._plan, self._position = engine.plan, 0
            self._names = tuple(job.name for job in engine.plan.jobs if job.counted)
        for _ in self._names:
            name = self._names[self._position]
            job = engine.jobs.get(name)
            if job is not None and not self._holds(job) and counts(engine, job):
                self.name = name
                return False
            self._position = (self._position + 1) % len(self._names)
        self.name = ""
        return True


def counts(engine: Running, job: Job) -> bool:
    """Whether the readiness of ContainerPilot depends on this job now."""
    return job.plan.counted and not is_out_of_use(engine, job)


def is_out_of_use(engine: Running, job: Job) -> bool:
    """Whether only a request, or a reload, starts the job again. One that is being replaced is about to start."""
    if job.state not in OUT_OF_USE:
        return False
    change = engine.changes.current
    return not (engine.changes.replaces(job) or (change is not None and job.name in change.replaced))


def is_in_service(job: Job) -> bool:
    """Whether the job is ready, and healthy if it is checked."""
    return job.is_ready and (job.health.status == HEALTHY or not job.health.has_checks)


def has_ended_well(job: Job) -> bool:
    """Whether the last run has succeeded, and no run is expected to stay."""
    is_over = job.state == State.COMPLETE or (job.state in (State.SCHEDULED, State.WAITING) and not job.plan.counted)
    return is_over and job.runs.has_succeeded


def is_ready(job: Job) -> bool:
    """Whether a client that names this job need not wait for it."""
    return is_in_service(job) or has_ended_well(job)
