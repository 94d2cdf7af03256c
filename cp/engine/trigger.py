"""The trigger of a job: the event that starts it, the number of starts left, pending events, and whether the event can
still come.

Pure.
"""

from __future__ import annotations

from cp.engine.events import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final, Protocol

    from cp import plan
    from cp.engine.events import Event
    from cp.engine.exit_status import Exit
    from cp.engine.watch_variables import Environ, Found
    from cp.plan import EventCode

    Key = tuple[EventCode, str]  # code and source of an event

    class Sender(Protocol):
        """The part of a job that matters to jobs which wait for its events."""

        @property
        def name(self) -> str: ...
        @property
        def plan(self) -> plan.Job: ...
        @property
        def last_exit(self) -> Exit | None: ...
        @property
        def has_ended(self) -> bool: ...
        @property
        def skip(self) -> Skip | None: ...


EXITS: Final = (Code.EXIT_SUCCESS, Code.EXIT_FAILED)
HOOKED: Final = (Code.STOPPING, Code.STOPPED, Code.SHUTDOWN)  # what hooks wait for
# Events that a job sends only while it lives. It sends `stopping` and `stopped` in any case.
OF_A_LIFE: Final = (*EXITS, Code.HEALTHY, Code.UNHEALTHY, Code.READY, Code.TIMER_EXPIRED)
# It is not an error if these do not come.
OF_A_FAILURE = (Code.EXIT_FAILED, Code.UNHEALTHY, Code.TIMER_EXPIRED)
# What the source of an event did not do if the event has not come.
DID_NOT = {
    Code.EXIT_SUCCESS: "succeed",
    Code.EXIT_FAILED: "fail",
    Code.STOPPING: "stop",
    Code.STOPPED: "stop",
    Code.HEALTHY: "become healthy",
    Code.UNHEALTHY: "become unhealthy",
    Code.READY: "become ready",
    Code.CHANGED: "change",
}


class Trigger:
    """Decides which events start a job. The job reports what it did with them.

    An event that comes while the job cannot start is pending. Only the last one is kept, of each watch if several have
    this source. No report of a watch is lost: a run receives the difference to the report that the last run received.
    """

    __slots__ = ("_before", "_given", "_next", "_pending", "_source", "arrivals", "is_hook", "key", "starts_left")

    def __init__(self, job: plan.Job) -> None:
        when = job.when
        self.key: Key = (when.code, when.source)
        # A command on a job's `stopping` or `stopped`, or on the shutdown: a stop runs it instead of ending it.
        self.is_hook = job.command is not None and when.code in HOOKED
        # None: any number of starts. A shutdown comes once. The end of a job does so too, but jobs can share a name.
        several = when.each and not (self.is_hook and when.code == Code.SHUTDOWN)
        self.starts_left: int | None = None if several else 1
        self._pending: dict[int, Event] = {}  # by the slot of the watch, the first one first
        self.arrivals = 0  # of the event in this life of the job
        self._source = job.source or job.name  # of the job's own events
        self._given: dict[int, Found] = {}  # the reports that the last started runs received, by slot
        # The report for the next or current run, and the one that it is compared with.
        self._next: Found | None = None
        self._before: Found | None = None

    @property
    def exhausted(self) -> bool:
        """Whether no event starts the job any more."""
        return self.starts_left == 0

    def accepts(self, event: Event) -> bool:
        """Whether this event starts the job. The end of its own run does not."""
        return not self.exhausted and not (event.source == self._source and event.code in EXITS)

    @property
    def pending(self) -> list[Event]:
        return list(self._pending.values())

    def remember(self, event: Event) -> None:
        """Keep an event, since the job cannot start now."""
        self._pending[event.slot] = event

    def forget(self) -> None:
        """Drop the pending events."""
        self._pending.clear()

    def use(self, event: Event) -> None:
        """The job starts for this event: a trigger with one start is exhausted now."""
        self._pending.pop(event.slot, None)
        if self.starts_left is not None:
            self.starts_left = 0

    def close(self) -> None:
        """No event starts the job any more."""
        self.starts_left = 0

    def take(self) -> Event | None:
        """Remove and return the first pending event."""
        return self._pending.pop(next(iter(self._pending))) if self._pending else None

    def never_fires(self, cause: Callable[[Key], Skip | None]) -> Skip | None:
        """Why nothing can start the job any more; None if something can. `cause(key)` is why one event cannot come."""
        return None if self.exhausted or self._pending else cause(self.key)

    # --- what watches reported

    def prepare(self, event: Event | None, warn: Callable[[str], object]) -> Environ:
        """The variables for a run that this event starts; None: a restart, which repeats the last run."""
        if event is not None:
            self._next, self._before = event.found, self._given.get(event.slot)
        return self._next.environ(self._before, warn) if self._next is not None else ()

    def started(self) -> None:
        """The run that was prepared has started."""
        if self._next is not None:
            self._given[self._next.slot] = self._next

    def succeed(self, other: Trigger) -> None:
        """Replace the trigger of the job that had this name before, and keep its reports."""
        if other.key == self.key:
            self._given = dict(other._given)


class Skip:
    """Why a job is skipped. `exit_code` is that of what failed, or 1. A quiet one has no warning in the log."""

    __slots__ = ("exit_code", "quiet", "reason")

    def __init__(self, reason: str, exit_code: int, *, quiet: bool) -> None:
        self.reason = reason
        self.exit_code = exit_code
        self.quiet = quiet


def never_comes(key: Key, senders: Iterable[Sender], skip_of: Callable[[Sender], Skip | None]) -> Skip | None:
    """Why none of these jobs can send the event any more. None if one of them can, or if it is of no job's life.

    A job can if it has neither ended nor is skipped, which is what `skip_of` says. A skipped one can still give up
    waiting.
    """
    code, source = key
    first: Skip | None = None
    if code not in OF_A_LIFE:
        return None
    for sender in senders:
        skip = None if sender.has_ended else skip_of(sender)
        expires = code == Code.TIMER_EXPIRED and bool(sender.plan.when.timeout)
        if not sender.has_ended and (skip is None or expires):
            return None
        if first is None:
            fate = "which is skipped" if skip is not None else _end_of(sender)
            quiet = code in OF_A_FAILURE or (skip is not None and skip.quiet)
            reason = f"waits for {code} of {source}, {fate}"
            first = Skip(reason, skip.exit_code if skip is not None else _failure(sender.last_exit), quiet=quiet)
    return first


def missed(when: plan.When) -> str:
    """What did not happen in the time that a job waited for it, as a sentence about its source."""
    limit = f" within {when.timeout:g} s" if when.timeout else ""
    did_not = DID_NOT.get(when.code)
    if did_not is None:
        return f"the event {when.code} of {when.source} did not come{limit}"
    return f"{when.source} did not {did_not}{limit}"


def _end_of(sender: Sender) -> str:
    """What became of a job that has ended, as a relative clause."""
    end = sender.last_exit
    if end is None:
        return "which was never started"
    return f"which could not be started ({end.error})" if end.error else f"which has ended ({end.text})"


def _failure(end: Exit | None) -> int:
    """The exit code of a failure as ours; 1 if nothing failed."""
    return 1 if end is None else end.outside or 1
