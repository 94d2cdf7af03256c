"""The history: the last events, for users who want to know what happened."""

from __future__ import annotations

import time

from cp.engine.events import CHANGE, CHECK, Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from cp.engine.events import Event
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

KEPT = 200  # events of all other kinds
KEPT_CHANGES = 100  # changes of health
KEPT_CHECKS = 100  # checks that changed nothing: heartbeats
KEPT_SUCCESSES = 100  # successes of a job after a success
MOST_NAMES = 10_000  # of jobs whose last exit is remembered


class HistoryEntry:
    """One event. `number` counts up from 1; `at` is RFC 3339, UTC, with milliseconds."""

    __slots__ = ("_about", "_moment", "code", "number", "source")

    def __init__(self, number: int, moment: float, event: Event) -> None:
        self.number = number
        self.code = event.code
        self.source = event.source
        self._about = event.job or event.source
        self._moment = moment

    @property
    def at(self) -> str:
        return moment_text(self._moment)

    def concerns(self, name: str) -> bool:
        """Whether it is about the job or the watch of this name."""
        return name == self._about


class History:
    """Keeps the last events, except metrics, and passes new events to its followers.

    Frequent events must not push out rare ones: checks, changes of health, and successes of jobs that run repeatedly
    are kept in lists of their own.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._rest: deque[HistoryEntry] = deque(maxlen=KEPT)
        self._changes: deque[HistoryEntry] = deque(maxlen=KEPT_CHANGES)
        self._checks: deque[HistoryEntry] = deque(maxlen=KEPT_CHECKS)
        self._successes: deque[HistoryEntry] = deque(maxlen=KEPT_SUCCESSES)
        self._last_exits: dict[str, str] = {}  # by job
        self._followers: list[Callable[[HistoryEntry], None]] = []
        self.number = 0  # of the last event

    def record(self, event: Event) -> None:
        if event.code == Code.METRIC:
            return
        self.number += 1
        entry = HistoryEntry(self.number, self._wall(), event)
        self._kept_with(event).append(entry)
        for follower in tuple(self._followers):
            follower(entry)

    def _kept_with(self, event: Event) -> deque[HistoryEntry]:
        if event.kind == CHECK:
            return self._checks
        if event.kind == CHANGE:
            return self._changes
        if event.code not in (Code.EXIT_SUCCESS, Code.EXIT_FAILED):
            return self._rest
        if len(self._last_exits) >= MOST_NAMES:
            self._last_exits.clear()
        name = event.job or event.source
        before = self._last_exits.get(name)
        self._last_exits[name] = event.code
        return self._successes if event.code == before == Code.EXIT_SUCCESS else self._rest

    def entries(self, name: str = "") -> list[HistoryEntry]:
        """The kept entries, the oldest first; with `name`, only those about the job or the watch of that name."""
        kept = [*self._rest, *self._changes, *self._checks, *self._successes]
        if name:
            kept = [entry for entry in kept if entry.concerns(name)]
        return sorted(kept, key=_number)

    def follow(self, callback: Callable[[HistoryEntry], None]) -> Callable[[], None]:
        """Call back for each new event; the result is a function that ends that."""
        self._followers.append(callback)
        return lambda: self._followers.remove(callback) if callback in self._followers else None


def _number(entry: HistoryEntry) -> int:
    return entry.number


def moment_text(moment: float) -> str:
    """Seconds since the epoch as RFC 3339 text."""
    milliseconds = int(moment * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03}Z"
