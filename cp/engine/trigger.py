"""The trigger of a job: the event that starts it, how many starts are left, and what came while it could not start.

Pure.
"""

from __future__ import annotations

from cp.engine.events import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp import plan
    from cp.engine.events import Event

    Key = tuple[str, str]  # code and source of an event

EXITS = (Code.EXIT_SUCCESS, Code.EXIT_FAILED)
HOOKED = (Code.STOPPING, Code.STOPPED, Code.SHUTDOWN)  # what hooks wait for


class Trigger:
    """Decides which events start a job. The job reports what it did with them.

    `pending` is an event that came while the job could not be started; the last one is remembered.
    """

    __slots__ = ("_source", "is_hook", "key", "pending", "starts_left")

    def __init__(self, job: plan.Job) -> None:
        when = job.when
        self.key: Key = (when.code, when.source)
        # A command on a job's `stopping` or `stopped`, or on the shutdown: a stop does not end it, it runs it.
        self.is_hook = job.command is not None and when.code in HOOKED
        # A hook has one start even with `each`: a job has one end. None: any number of starts.
        self.starts_left: int | None = None if when.each and not self.is_hook else 1
        self.pending: Event | None = None
        self._source = job.name  # of the job's own events

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
