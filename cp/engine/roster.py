"""The jobs of a running plan: who waits for which event, and what has happened that a later comer should know."""

from __future__ import annotations

from cp.engine.events import GLOBAL, Code, Event
from cp.engine.states import State
from cp.engine.trigger import HOOKED, OF_A_LIFE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cp.engine.job import Job
    from cp.engine.trigger import Key

# What stays true once it has happened: a job that a reload adds later is started by it as well.
LASTING = (Code.EXIT_SUCCESS, Code.EXIT_FAILED, Code.STOPPED)


class Roster:
    """`jobs` by name, in the order in which they came; `unfinished` are those of them that are not complete.

    `seen_by_watch(key)` is an event of a watch's last report.
    """

    def __init__(self, seen_by_watch: Callable[[Key], Event | None]) -> None:
        self.jobs: dict[str, Job] = {}
        self.unfinished: dict[Job, None] = {}
        self._seen_by_watch = seen_by_watch
        self._triggers: dict[Key, list[Job]] = {}
        self._senders: dict[str, list[Job]] = {}  # by the source of their events, those of their checks included
        self._happened: dict[Key, Event] = {}

    def add(self, job: Job) -> None:
        self.jobs[job.name] = job
        self.unfinished[job] = None
        self._triggers.setdefault(job.trigger.key, []).append(job)
        for source in _sources(job):
            self._senders.setdefault(source, []).append(job)

    def remove(self, job: Job) -> None:
        """Forget a job that is complete, and what happened to it."""
        if self.jobs.get(job.name) is job:
            del self.jobs[job.name]
        self.unfinished.pop(job, None)
        self._triggers[job.trigger.key].remove(job)
        for source in _sources(job):
            self._senders[source].remove(job)
        for code in LASTING:
            self._happened.pop((code, job.name), None)

    def senders(self, source: str) -> list[Job]:
        """The jobs whose events, or whose checks' events, have this source."""
        return self._senders.get(source, [])

    def waiters(self, job: Job) -> list[Job]:
        """The jobs that an event of a job's life, or of its check, starts."""
        keys = [(code, source) for source in _sources(job) for code in OF_A_LIFE]
        return [waiter for key in keys for waiter in self._triggers.get(key, ())]

    # --- events

    def hear(self, event: Event) -> None:
        """An event has come: start what waits for it."""
        key = (event.code, event.source)
        if event.code == Code.STARTUP or (event.code in LASTING and event.source in self.jobs):
            self._happened[key] = event
        for job in tuple(self._triggers.get(key, ())):
            job.triggered(event)

    def happened(self) -> list[Key]:
        """The events that count for who comes later."""
        return list(self._happened)

    def pretend(self, code: str, source: str) -> None:
        """From now on jobs that come later find that this has happened."""
        self._happened[code, source] = Event(code, source)

    def catch_up(self, job: Job, missed: dict[Key, Event]) -> None:
        """Tell a new job what it waits for, if that is so already; `missed` is what nobody could hear meanwhile."""
        key = job.trigger.key
        event = self._happened.get(key) or missed.get(key) or self._seen_by_watch(key)
        source = self.jobs.get(key[1])
        if event is None and source is not None and source.health.announced == key[0]:  # healthy or unhealthy
            event = Event(*key)
        if event is not None:
            job.triggered(event)
        elif self.comes_too_late(job):
            job.stop()

    def comes_too_late(self, job: Job) -> bool:
        """Whether it is a hook on a job that has ended."""
        source = self.jobs.get(job.plan.when.source)
        return job.is_hook and source is not None and source is not job and source.state == State.COMPLETE

    # --- hooks

    def waiting_hooks(self, job: Job) -> list[Job]:
        """The hooks on the end of a job that still wait for it."""
        hooks = [hook for code in HOOKED for hook in self._triggers.get((code, job.name), ())]
        return [hook for hook in hooks if hook.is_hook and hook.state == State.WAITING]

    def dependents(self, job: Job) -> list[Job]:
        """The hooks on a job's `stopping` that hold up its end; not those that end themselves, and may wait for it."""
        waiting = self._triggers.get((Code.STOPPING, job.name), [])
        return [
            other
            for other in waiting
            if other.is_hook and other is not job and other.state not in (State.HELD, State.DRAINING, State.COMPLETE)
        ]

    def with_hooks(self, names: Iterable[str]) -> set[str]:
        """These jobs, their hooks, and the hooks of those: a hook belongs to one life of its job."""
        found = set(names)
        grown = True
        while grown:
            hooks = {job.name for job in self.jobs.values() if job.is_hook and job.plan.when.source in found}
            grown = not hooks <= found
            found |= hooks
        return found

    def waits_in_vain(self, hook: Job) -> bool:
        """Whether what a hook waits for cannot come any more: nobody is there to send it, or it waits for itself."""
        if hook.state == State.HELD:
            return True
        seen = {hook.name}
        while hook.trigger.key != (Code.SHUTDOWN, GLOBAL):
            source = self.jobs.get(hook.plan.when.source)
            if source is None or source.name in seen:
                return True
            if not source.is_hook or source.state != State.WAITING:
                return False
            seen.add(source.name)
            hook = source
        return False


def _sources(job: Job) -> tuple[str, ...]:
    """Of the events of a job, and of those of its check."""
    health = job.plan.health
    return (job.name, health.source) if health is not None and health.source else (job.name,)
