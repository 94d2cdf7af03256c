"""The trigger of a job: the event that starts it, how many starts are left, and what came while it could not start.

Pure.
"""

from __future__ import annotations

from cp.engine.events import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.events import Event
    from cp.engine.instances import Environ, Found

    Key = tuple[str, str]  # code and source of an event

EXITS = (Code.EXIT_SUCCESS, Code.EXIT_FAILED)
HOOKED = (Code.STOPPING, Code.STOPPED, Code.SHUTDOWN)  # what hooks wait for


class Trigger:
    """Decides which events start a job. The job reports what it did with them.

    `pending` is an event that came while the job could not be started; the last one is remembered. Nothing that a watch
    reported is lost with the others: a run gets the difference to what the last run that started was given.
    """

    __slots__ = ("_before", "_given", "_next", "_source", "is_hook", "key", "pending", "starts_left")

    def __init__(self, job: plan.Job) -> None:
        when = job.when
        self.key: Key = (when.code, when.source)
        # A command on a job's `stopping` or `stopped`, or on the shutdown: a stop does not end it, it runs it.
        self.is_hook = job.command is not None and when.code in HOOKED
        # A hook has one start even with `each`: a job has one end. None: any number of starts.
        self.starts_left: int | None = None if when.each and not self.is_hook else 1
        self.pending: Event | None = None
        self._source = job.name  # of the job's own events
        self._given: Found | None = None  # the report that the last run which started was given
        # The report that the next or running run is given, and what it is compared with.
        self._next: Found | None = None
        self._before: Found | None = None

    @property
    def exhausted(self) -> bool:
        """Whether no event starts the job any more."""
        return self.starts_left == 0

    def accepts(self, event: Event) -> bool:
        """Whether this event starts the job. The end of its own run does not."""
        return not self.exhausted and not (event.source == self._source and event.code in EXITS)

    def use(self) -> None:
        """The job starts: a trigger with one start is exhausted now."""
        self.pending = None
        if self.starts_left is not None:
            self.starts_left = 0

    def close(self) -> None:
        """No event starts the job any more."""
        self.starts_left = 0

    def take(self) -> Event | None:
        """The pending event, which is not pending any more."""
        event, self.pending = self.pending, None
        return event

    # --- what watches reported

    def prepare(self, event: Event | None, warn: Callable[[str], object]) -> Environ:
        """The variables for a run that this event starts; None: a restart, which repeats the last run."""
        if event is not None:
            self._next, self._before = event.found, self._given
        return self._next.environ(self._before, warn) if self._next is not None else ()

    def started(self) -> None:
        """The run that was prepared has started."""
        if self._next is not None:
            self._given = self._next

    def succeed(self, other: Trigger) -> None:
        """Take the place of the trigger of the job that had this name before."""
        if other.key == self.key:
            self._given = other._given
