"""The queue of changes: reloads, and the starts and stops that an operator requests.

All are of one kind: some jobs end as at a shutdown, with their hooks, and when they are gone others take their place.
One change is made at a time; the next waits for its turn.
"""

from __future__ import annotations

from cp.engine.context import ChangeRefused
from cp.engine.events import Code, Event
from cp.engine.registrations import differ_in_address
from cp.engine.states import STOPPING_STATES, State
from cp.plan import KEEP, WHEN_CHANGED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Protocol

    from cp.engine.context import Context
    from cp.engine.job import Job
    from cp.engine.ports import Done
    from cp.engine.registrations import Registrations
    from cp.engine.registry import JobRegistry
    from cp.engine.termination import Termination
    from cp.engine.trigger import Key, Trigger
    from cp.engine.watch_variables import Found
    from cp.plan import Job as JobPlan
    from cp.plan import Plan

    class Changing(Protocol):
        """What a change asks of the engine."""

        plan: Plan

        @property
        def stopping(self) -> bool: ...
        def adopt(self, loaded: Plan, fresh: list[JobPlan], change: Change) -> None: ...
        def found(self, source: str) -> Found | None: ...
        def progress(self) -> None: ...
        def review_waiting(self) -> None: ...
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

STOPPING = "ContainerPilot is stopping"
WAITING_LIMIT = 1000  # changes that may wait for their turn


class Change:
    """`replaced` are the names of the jobs that end, `retiring` those of them that have not ended yet, `stuck` those
    that do not end, with the reason, `triggers` those of the jobs that have ended; `started` and `held` tell what
    becomes of one that comes after them. Only a change that `is_reload` renews the restarts of the other jobs."""

    __slots__ = (
        *("_missed", "done", "held", "is_reload", "plan", "replaced", "retiring", "started"),
        *("stuck", "triggers"),
    )

    def __init__(
        self, to: Plan, replaced: set[str], *, started: str = "", held: str = "", is_reload: bool = False
    ) -> None:
        self.plan = to
        self.replaced = frozenset(replaced)
        self.retiring = replaced
        self.stuck: dict[str, str] = {}
        self.is_reload = is_reload
        self.started = started
        self.held = held
        self.done: list[Done] = []
        self.triggers: dict[str, Trigger] = {}
        self._missed: dict[tuple[Key, int], Event] = {}  # reports of watches that no job received

    def miss(self, event: Event) -> None:
        """Keep a report of a watch for a job that begins later."""
        if event.code == Code.CHANGED:
            self._missed[(event.code, event.source), event.slot] = event

    def missed_by(self, job: Job) -> list[Event]:
        """The reports that this job waits for."""
        return [event for (key, _), event in self._missed.items() if key == job.trigger.key]


class ChangeQueue:
    """Makes changes one after the other. `done("")` of each is called when it is made, `done(why)` if it is refused, or
    if a process that it was to start cannot be started."""

    def __init__(
        self,
        engine: Changing,
        registry: JobRegistry,
        registrations: Registrations,
        termination: Termination,
        load: Callable[[], Plan],
        context: Context,
    ) -> None:
        self.current: Change | None = None
        self._engine = engine
        self._registry = registry
        self._registrations = registrations
        self._termination = termination
        self._load = load
        self._context = context
        self._waiting: deque[tuple[Callable[[list[Done]], None], list[Done]]] = deque()
        self._next_reload: list[Done] | None = None  # the requests for the next reload
        # Stuck jobs by name, and which job is started or held after their end.
        self._late: dict[str, tuple[str, str]] = {}
        self._settling = False  # a change is complete, apart from the reason why a start failed

    # --- requests

    def reload(self, done: Done) -> None:
        """Load the configuration again and act on the difference; one that does not load changes nothing."""
        if self._next_reload is not None:
            self._next_reload.append(done)  # it loads the text of that moment
            return
        waiting = [done]
        if self._ask(self._begin_reload, waiting):
            self._next_reload = waiting

    def start(self, name: str, done: Done) -> None:
        """Start a job now, whatever it waits for; one that runs goes on."""

        def begin(dones: list[Done]) -> None:
            job = self._registry.jobs.get(name)
            if job is None:
                self._finish_requests(dones, f"there is no job '{name}'")
            elif job.state == State.COMPLETE:
                self._replace(name, dones, started=name)
            elif job.state in STOPPING_STATES:
                obstacle = job.runs.obstacle
                hint = f" ({obstacle})" if obstacle else ""
                self._finish_requests(dones, f"{name} is still stopping: try again when it has ended{hint}")
            else:
                self._start_now(job, dones)

        self._ask(begin, [done])

    def stop(self, name: str, done: Done) -> None:
        """End a job with its hooks. Only a request starts it again."""

        def begin(dones: list[Done]) -> None:
            job = self._registry.jobs.get(name)
            if job is not None and job.state in (State.HELD, State.COMPLETE):
                self._finish_requests(dones, "")
            else:
                self._replace(name, dones, held=name)

        self._ask(begin, [done])

    def restart(self, name: str, done: Done) -> None:
        """End a job with its hooks, if it runs, and start it again."""

        def begin(dones: list[Done]) -> None:
            job = self._registry.jobs.get(name)
            if job is not None and job.state in (State.WAITING, State.SKIPPED, State.HELD):
                self._start_now(job, dones)
            else:
                self._replace(name, dones, started=name)

        self._ask(begin, [done])

    def _start_now(self, job: Job, dones: list[Done]) -> None:
        starts = job.runs.count
        job.start_now(self._engine.found(job.plan.when.source))
        self._engine.review_waiting()  # the events that skipped jobs wait for may come after all
        self._report_starts([job] if job.runs.count > starts else [], dones)

    def abandon(self) -> None:
        """A stop wins over every change."""
        dones = [done for _, waiting in self._waiting for done in waiting]
        if self.current is not None:
            dones = self.current.done + dones
        self._waiting.clear()
        self._next_reload = None
        self.current = None
        self._finish_requests(dones, STOPPING)

    # --- one at a time

    def _ask(self, begin: Callable[[list[Done]], None], dones: list[Done]) -> bool:
        """Begin it, or refuse it, or let it wait: True if it waits."""
        if self._engine.stopping:
            self._finish_requests(dones, STOPPING)
        elif self.current is None and not self._settling:
            begin(dones)
        elif len(self._waiting) >= WAITING_LIMIT:
            self._finish_requests(dones, f"{WAITING_LIMIT} changes are waiting for their turn already")
        else:
            self._waiting.append((begin, dones))
            return True
        return False

    def _finish_requests(self, dones: list[Done], text: str) -> None:
        for done in dones:
            done(text)

    def _report_starts(self, started: list[Job], dones: list[Done], change: Change | None = None) -> None:
        """The change is made, and has started these jobs, if not all of them could be."""
        failing = [job for job in started if job.state == State.RUNNING and not job.runs.pid]
        stuck = [] if change is None else [f"{name} still runs: {why}" for name, why in change.stuck.items()]
        beginning = "the new configuration is in use, but " if change is not None and change.is_reload else ""
        if not failing:
            self._finish_requests(dones, beginning + "\n".join(stuck) if stuck else "")
            return

        def report() -> None:
            failed = [f"{job.name} cannot be started: {job.runs.start_error}" for job in failing]
            self._settling = False
            self._finish_requests(dones, beginning + "\n".join(stuck + failed))
            self._next()

        # The end of a failed start is handled like any other, with its reason, and this afterwards.
        self._settling = True
        self._context.loop.call_soon(report)

    def _begin_reload(self, dones: list[Done]) -> None:
        self._next_reload = None
        self._context.log.info("Reloading configuration.")
        try:
            loaded = self._load()
        except ChangeRefused as refusal:
            self._finish_requests(dones, str(refusal))
            return
        except BaseException:  # a bug, which the loop reports; the requests get an outcome
            self._finish_requests(dones, "internal error: see the log")
            raise
        new = {job.name: job for job in loaded.jobs}
        replaced = []
        for job in self._registry.jobs.values():
            planned = new.get(job.name)
            if planned is not None and planned == job.plan.replace(announces_ready=planned.announces_ready):
                job.plan = planned  # only other jobs have begun to wait for its readiness, or wait no more
            if job.plan.reload == KEEP or (job.plan.reload == WHEN_CHANGED and planned == job.plan):
                continue
            if job.plan.reload == WHEN_CHANGED and planned is not None and differ_in_address(job.plan, planned):
                self._registrations.readdress(job, planned)
            else:
                replaced.append(job.name)
        self._begin(Change(loaded, self._registry.with_hooks(replaced), is_reload=True), dones)

    def _replace(self, name: str, dones: list[Done], *, started: str = "", held: str = "") -> None:
        if name not in self._registry.jobs:
            self._finish_requests(dones, f"there is no job '{name}'")
            return
        self._begin(Change(self._engine.plan, self._registry.with_hooks([name]), started=started, held=held), dones)

    def _begin(self, change: Change, dones: list[Done]) -> None:
        self.current = change
        change.done = dones
        self._termination.renew(change.plan.stop_timeout)
        jobs = [job for job in self._registry.jobs.values() if job.name in change.replaced]
        ending = {job.source for job in jobs if job.state != State.COMPLETE}
        for job in jobs:
            for event in job.trigger.pending:
                change.miss(event)
            if job.state == State.COMPLETE:
                self._context.loop.call_soon(self._ended_before, job)  # after the delivery of its events
            elif job.name in self._late:
                self.leave_out(job)
            elif not job.is_hook:
                job.stop()
            else:
                job.restarts.forbid()  # the hooks of a job that ends are waited for
                job.end_overdue()
                asked_for = job.name in (change.started, change.held)
                if job.state != State.WAITING and (asked_for or job.plan.when.source not in ending):
                    job.stop()
        self._engine.progress()

    def _ended_before(self, job: Job) -> None:
        self.retired(job)
        self._engine.progress()

    def retired(self, job: Job) -> None:
        """A job has ended, and its events are delivered."""
        if self._registry.jobs.get(job.name) is not job:
            return
        late = self._late.pop(job.name, None)
        if self.current is not None and job.name in self.current.replaced:
            self.current.retiring.discard(job.name)
            self.current.stuck.pop(job.name, None)
        elif late is not None:
            started, held = late
            self._ask(lambda dones: self._replace(job.name, dones, started=started, held=held), [])

    def leave_out(self, job: Job) -> None:
        """The run of a job does not end. The change goes on without the job, and is refused as far as the job is
        concerned."""
        change = self.current
        if change is not None and job.name in change.retiring:
            change.retiring.discard(job.name)
            change.stuck[job.name] = job.runs.obstacle
            self._context.loop.call_soon(self._engine.progress)

    def replaces(self, job: Job) -> bool:
        """Whether a job ends because of a change, which may have been completed without it."""
        change = self.current
        return job.name in self._late or (
            change is not None and (job.name in change.retiring or job.name in change.stuck)
        )

    def advance(self) -> None:
        """Finish the change if all that it replaces is gone. Waiting hooks end last, since a stop may need them, and
        without a run: the job that starts them stays, or they wait for each other."""
        change = self.current
        if change is None:
            return
        jobs = self._registry.jobs
        if not change.retiring:
            self._finish(change)
        elif all(jobs[name].is_hook and jobs[name].state in (State.WAITING, State.HELD) for name in change.retiring):
            for hook in [job for job in jobs.values() if job.name in change.retiring]:
                hook.stop()  # it leaves `retiring` later, after the delivery of its events

    def _finish(self, change: Change) -> None:
        self.current = None
        for name in change.replaced:
            change.triggers[name] = self._registry.jobs[name].trigger
            if name in change.stuck:
                owed = (change.started, change.held) if name in (change.started, change.held) else ("", "")
                self._late[name] = owed
            else:
                self._registry.remove(self._registry.jobs[name])
        for job in change.plan.jobs:
            asked_for = job.name in (change.started, change.held)
            if job.reload == KEEP and job.name not in self._registry.jobs and not asked_for:
                # A preStart that a reload adds is too late to run, and jobs that wait for it must not wait forever.
                self._registry.pretend(Code.EXIT_SUCCESS, job.name)
        fresh = [
            job
            for job in change.plan.jobs
            if job.name not in self._registry.jobs and (job.reload != KEEP or job.name in (change.started, change.held))
        ]
        if change.is_reload:
            for kept in self._registry.jobs.values():
                kept.restarts.renew()
        self._engine.adopt(change.plan, fresh, change)
        started = [self._registry.jobs[job.name] for job in fresh]
        self._report_starts(started, change.done, change)
        self._context.loop.call_soon(self._next)

    def _next(self) -> None:
        if self._waiting and self.current is None and not self._settling:
            begin, dones = self._waiting.popleft()
            self._context.loop.call_soon(self._next)  # first: if this one fails, the others have their turn
            begin(dones)
