"""The events of the last minutes, for people who ask what happened."""

from __future__ import annotations

import time

from cp.engine.events import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from cp.engine.events import Event
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

KEPT = 200  # events


class Entry:
    """One event. `number` counts up from 1; `at` is RFC 3339, UTC, with milliseconds."""

    __slots__ = ("_moment", "code", "number", "source")

    def __init__(self, number: int, moment: float, event: Event) -> None:
        self.number = number
        self.code = event.code
        self.source = event.source
        self._moment = moment

    @property
    def at(self) -> str:
        return moment_text(self._moment)


class History:
    """Keeps the last events but metrics, which come each second, and passes new ones on to those who follow."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._followers: list[Callable[[Entry], None]] = []
        self._number = 0

    def hear(self, event: Event) -> None:
        if event.code == Code.METRIC:
            return
        self._number += 1
        entry = Entry(self._number, self._wall(), event)
        self._entries.append(entry)
        for follower in tuple(self._followers):
            follower(entry)

    def entries(self) -> list[Entry]:
        """The kept ones, the oldest first."""
        return list(self._entries)

    def follow(self, callback: Callable[[Entry], None]) -> Callable[[], None]:
        """Hear of each event from now on; returns what ends that."""
        self._followers.append(callback)
        return lambda: self._followers.remove(callback) if callback in self._followers else None


def moment_text(moment: float) -> str:
    """Seconds since the epoch as RFC 3339 text."""
    milliseconds = int(moment * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03}Z"
