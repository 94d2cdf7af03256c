"""When things happen again: tickers that keep their phase, and the back-off between quick restarts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop, Timer

SHORT_RUN = 1.0  # a shorter run is followed by a pause before the restart
LONG_RUN = 10.0  # a run this long forgets the pauses before it
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
JITTER = 0.1


class Ticker:
    """Calls back after the first delay, then every `interval` seconds. A late tick does not shift later ones."""

    __slots__ = ("_callback", "_interval", "_loop", "_next", "_timer")

    def __init__(self, loop: Loop, interval: float, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._interval = interval
        self._callback = callback
        self._next = 0.0
        self._timer: Timer | None = None

    def start(self, delay: float) -> None:
        """The first tick comes after `delay` seconds."""
        self.stop()
        self._next = self._loop.now() + delay
        self._timer = self._loop.call_at(self._next, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def change(self, interval: float) -> None:
        """From now on tick at this interval. If it differs, the next tick is one interval from now."""
        if interval != self._interval:
            self._interval = interval
            if self._timer is not None:
                self.start(interval)

    def _tick(self) -> None:
        late = self._loop.now() - self._next
        self._next += self._interval * (1 + max(0, int(late / self._interval)))
        self._timer = self._loop.call_at(self._next, self._tick)
        self._callback()


class Backoff:
    """The pause before the next restart: none at first, then for short runs 0.1 s doubling to 10 s, ±10 %.

    With `least`, no pause is shorter, and the pauses double from there. With `most`, none is longer.
    """

    __slots__ = ("_first", "_least", "_longest", "_most", "_pause", "_random", "_restarted")

    def __init__(self, random: Callable[[], float], least: float | None = None, most: float | None = None) -> None:
        self._random = random
        self._least = least or 0.0
        self._most = most
        self._first = 2 * self._least or FIRST_PAUSE
        self._longest = max(LONGEST_PAUSE, self._least) if most is None else most
        self._pause = 0.0
        self._restarted = False

    def pause_after(self, run_seconds: float) -> float:
        if run_seconds >= LONG_RUN:
            self._pause, self._restarted = 0.0, False
        if not self._restarted or run_seconds >= SHORT_RUN:
            self._restarted = True
            return self._least
        self._pause = min(max(self._first, 2 * self._pause), self._longest)
        pause = max(self._least, self._pause * (1 + JITTER * (2 * self._random() - 1)))
        return pause if self._most is None else min(pause, self._most)
