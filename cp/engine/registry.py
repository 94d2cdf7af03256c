"""The jobs of a running plan: which job waits for which event, and which events count for jobs that come later."""

from __future__ import annotations

from cp.engine.events import Code, Event
from cp.engine.states import State
from cp.engine.trigger import EXITS, HOOKED, OF_A_LIFE
from cp.plan import GLOBAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final

    from cp.engine.job import Job
    from cp.engine.trigger import Key
    from cp.plan import EventCode

# A hook in these states does not delay the end of the job that it waits for: it may wait for the job itself.
ENDING: Final = (State.HELD, State.DRAINING, State.STOPPING, State.COMPLETE)
# Events that also start a job which a reload adds later.
LASTING: Final = (Code.EXIT_SUCCESS, Code.EXIT_FAILED, Code.STOPPED)


class JobRegistry:
    """`jobs` by name, in the order in which they were added; `unfinished` are those that are not complete.

    `seen_by_watches(key)` are the events of the last reports of watches.
    """

    def __init__(self, seen_by_watches: Callable[[Key], list[Event]]) -> None:
        self.jobs: dict[str, Job] = {}
        self.unfinished: dict[Job, None] = {}
        self._seen_by_watches = seen_by_watches
        self._triggers: dict[Key, list[Job]] = {}
        self._named: dict[str, list[Job]] = {}  # by the source of their events
        self._checked: dict[str, list[Job]] = {}  # by the source of their checks' events
        self._happened: dict[Key, Event] = {}

    def add(self, job: Job) -> None:
        self.jobs[job.name] = job
        self.unfinished[job] = None
        self._triggers.setdefault(job.trigger.key, []).append(job)
        self._named.setdefault(job.source, []).append(job)
        for source in _sources_of_checks(job):
            self._checked.setdefault(source, []).append(job)

    def remove(self, job: Job) -> None:
        """Remove a job that is complete, and forget its events."""
        del self.jobs[job.name]
        self._triggers[job.trigger.key].remove(job)
        named = self._named[job.source]
        named.remove(job)
        if not named:
            del self._named[job.source]
        for source in _sources_of_checks(job):
            self._checked[source].remove(job)
        for code in LASTING:
            if not any(_has_sent(other, code) for other in named):
                self._happened.pop((code, job.source), None)

    def with_source(self, source: str) -> list[Job]:
        """The jobs whose events have this source: more than one if they share a name."""
        return self._named.get(source, [])

    def senders(self, key: Key) -> list[Job]:
        """The jobs that send an event, or whose checks do."""
        code, source = key
        return [*self.with_source(source), *(self._checked.get(source, ()) if source and code in EXITS else ())]

    def waiters(self, job: Job) -> list[Job]:
        """The jobs that an event of a job's life, or of its check, starts."""
        keys: list[Key] = [(code, job.source) for code in OF_A_LIFE]
        keys += [(code, source) for source in _sources_of_checks(job) for code in EXITS]
        return [waiter for key in keys for waiter in self._triggers.get(key, ())]

    # --- events

    def deliver(self, event: Event) -> Iterator[None]:
        """Start the jobs that wait for an event, one in each step: a start takes half a millisecond."""
        key = (event.code, event.source)
        if event.code == Code.STARTUP or (event.code in LASTING and event.source in self._named):
            self._happened[key] = event
        for job in tuple(self._triggers.get(key, ())):
            job.trigger.arrivals += 1
            job.triggered(event)
            yield

    def happened(self) -> list[Key]:
        """The events that count for jobs that are added later."""
        return list(self._happened)

    def pretend(self, code: EventCode, source: str) -> None:
        """Let an event count for jobs that are added later, though it never happened."""
        self._happened[code, source] = Event(code, source)

    def catch_up(self, job: Job, missed: list[Event]) -> None:
        """Start a new job whose event has happened before. `missed` are the reports since its predecessor ended."""
        key = job.trigger.key
        event = self._happened.get(key)
        reports = {report.slot: report for report in (*self._seen_by_watches(key), *missed)}
        events = [event] if event is not None else list(reports.values())
        if not events and any(_is_in_state(other, key[0]) for other in self.with_source(key[1])):
            events = [Event(*key)]
        for event in events:
            job.triggered(event)
        if not events and self.comes_too_late(job):
            job.stop()

    def comes_too_late(self, job: Job) -> bool:
        """Whether it is a hook, and all jobs whose end it waits for have ended or have announced their end."""
        senders = [sender for sender in self.with_source(job.plan.when.source) if sender is not job]
        if not job.is_hook or not senders:
            return False
        return job.trigger.arrivals >= len(senders) or all(sender.state == State.COMPLETE for sender in senders)

    # --- hooks

    def waiting_hooks(self, job: Job, *, stopping: bool) -> list[Job]:
        """The hooks on the end of a job that still wait in vain: no other job of that name can end later."""
        hooks = [hook for code in HOOKED for hook in self._triggers.get((code, job.source), ())]
        waiting = [hook for hook in hooks if hook.is_hook and hook.state == State.WAITING]
        if all(other.state == State.COMPLETE for other in self.with_source(job.source)):
            return waiting
        return [hook for hook in waiting if stopping and self.waits_in_vain(hook)]

    def dependents(self, job: Job) -> list[Job]:
        """The hooks on a job's `stopping` that delay its end, without those that end: they may wait for the job."""
        waiting = self._triggers.get((Code.STOPPING, job.source), [])
        return [other for other in waiting if other.is_hook and other is not job and other.state not in ENDING]

    def with_hooks(self, names: Iterable[str]) -> set[str]:
        """These jobs, their hooks, and the hooks of their hooks: a hook belongs to one life of its job."""
        found = set(names)
        grown = True
        while grown:
            sources = {self.jobs[name].source for name in found}
            hooks = {job.name for job in self.jobs.values() if job.is_hook and job.plan.when.source in sources}
            grown = not hooks <= found
            found |= hooks
        return found

    def ends_in_stop(self, job: Job, stop_began: float) -> bool:
        """Whether a stop of everything ends it at once: it is not a hook that will run, or that something waits for."""
        if not job.is_hook:
            return not job.plan.stops_last
        if job.state in (State.WAITING, State.HELD):
            return self.waits_in_vain(job)
        if job.state in (State.PAUSING, State.DRAINING):
            return True  # nothing is restarted any more; a request has ended it
        # A hook on `stopped` that runs for a job which ended before the stop is treated like any other job.
        return job.plan.when.code == Code.STOPPED and job.since < stop_began and not job.awaits_event

    def waits_in_vain(self, hook: Job) -> bool:
        """Whether the event of a hook cannot come any more: no job is left to send it, or the hook waits for itself."""
        if hook.state == State.HELD:
            return True
        chain = {hook: None}
        todo = [hook]
        for each in todo:  # grows
            if each.trigger.key == (Code.SHUTDOWN, GLOBAL):
                return False
            for source in self.with_source(each.plan.when.source):
                if source in chain or source.has_ended:
                    continue
                if not source.is_hook or source.state != State.WAITING:
                    return False
                chain[source] = None
                todo.append(source)
        return True


def _sources_of_checks(job: Job) -> set[str]:
    """The sources of the events of its checks' exits."""
    return {check.source for check in job.plan.health if check.source}


def _is_in_state(job: Job, code: EventCode) -> bool:
    """Whether a job is what an event announces: healthy, unhealthy or ready."""
    return job.is_ready if code == Code.READY else job.health.announced == code


def _has_sent(job: Job, code: EventCode) -> bool:
    """Whether a job has sent a lasting event, and others of its name need not have."""
    if code == Code.STOPPED:
        return job.state == State.COMPLETE
    return job.last_exit is not None and job.last_exit.succeeded == (code == Code.EXIT_SUCCESS)
