"""Events: what happens in the engine, in one order for all subscribers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator
    from typing import Final

    # May return steps; the next subscriber receives the event after the last step.
    Subscriber = Callable[["Event"], Iterator[None] | None]

    from cp.engine.watch_variables import Found
    from cp.plan import EventCode, EventKind
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs


class Code:
    """The kinds of events. The value is the name that configurations use."""

    STARTUP: Final = "startup"
    SHUTDOWN: Final = "shutdown"
    EXIT_SUCCESS: Final = "exitSuccess"
    EXIT_FAILED: Final = "exitFailed"
    STOPPING: Final = "stopping"
    STOPPED: Final = "stopped"
    HEALTHY: Final = "healthy"
    UNHEALTHY: Final = "unhealthy"
    CHANGED: Final = "changed"
    TIMER_EXPIRED: Final = "timerExpired"
    READY: Final = "ready"
    ENTER_MAINTENANCE: Final = "enterMaintenance"
    EXIT_MAINTENANCE: Final = "exitMaintenance"
    ERROR: Final = "error"
    SIGNAL: Final = "signal"
    METRIC: Final = "metric"


# The labels of 3.8's metric of events, where the label is not the name with a capital letter.
CLASSIC: dict[str, str] = {
    Code.HEALTHY: "StatusHealthy",
    Code.UNHEALTHY: "StatusUnhealthy",
    Code.CHANGED: "StatusChanged",
}
# Kinds of events: of a check that changed nothing, and of a change of health.
CHECK: Final = "check"
CHANGE: Final = "change"


class Event:
    """A code and its source; `found` is the report of a watch, for the environment of the jobs that it starts.

    `kind` and `job` are for the history: CHECK, CHANGE or empty, and the name of the job.
    """

    __slots__ = ("code", "found", "job", "kind", "source")

    def __init__(
        self, code: EventCode, source: str, found: Found | None = None, *, kind: EventKind = "", job: str = ""
    ) -> None:
        self.code = code
        self.source = source
        self.found = found
        self.kind = kind
        self.job = job

    @property
    def slot(self) -> int:
        """Which of the watches with this source it is from; -1 if it is from none."""
        return -1 if self.found is None else self.found.slot

    @property
    def classic_code(self) -> str:
        """The code as the metric of events has it, since 3.8: `ExitSuccess`. Everything else uses `code`."""
        return CLASSIC.get(self.code) or self.code[:1].upper() + self.code[1:]

    def __repr__(self) -> str:
        return f"{{{self.code} {self.source}}}"


class Bus:
    """Delivers each event to every subscriber before the next one: all see the same order.

    `publish` never calls subscribers synchronously: a publisher finishes its own move first. A `call_soon` after
    `publish` runs after the delivery, however many steps that has. Signals, timers and descriptors are handled between
    the steps, since an event may start a thousand jobs.

    The queue has no limit of its own, because its publishers are limited: timers, processes and watches belong to a
    finite plan, the kernel merges signals, and a request publishes at most the values of one body of 1 MiB. Clients get
    the time that the deliveries leave.
    """

    __slots__ = ("_call_steps", "_queue", "_scheduled", "_subscribers", "trace")

    def __init__(
        self, call_steps: Callable[[Iterator[None]], object], trace: Callable[[Event], None] | None = None
    ) -> None:
        self._call_steps = call_steps
        self._queue: deque[Event] = deque()
        self._subscribers: list[Subscriber] = []
        self._scheduled = False
        self.trace = trace

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def publish(self, event: Event) -> None:
        self._queue.append(event)
        if not self._scheduled:
            self._scheduled = True
            self._call_steps(self._deliver())

    def _deliver(self) -> Iterator[None]:
        try:
            while self._queue:
                event = self._queue.popleft()
                if self.trace is not None:
                    self.trace(event)
                for subscriber in tuple(self._subscribers):
                    steps = subscriber(event)
                    if steps is not None:
                        yield from steps
                yield
        finally:  # a subscriber that fails must not prevent the delivery of later events
            self._scheduled = bool(self._queue)
            if self._scheduled:
                self._call_steps(self._deliver())
