"""The watchdog of a run: how long its process has been silent."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop, Timer

# Looks at the silence within its limit. Only time in which we run counts: if the container was paused, our timers are
# late, and the process had as little time as we.
LOOKS = 4
PRECISION = 0.001  # seconds


class Watchdog:
    """`on_silence()` is called once when the process has sent nothing for `limit` seconds. `read_pending()` reads what
    it has sent and nobody has read."""

    __slots__ = ("_limit", "_loop", "_on_silence", "_read_pending", "_silent_since", "_timer")

    def __init__(
        self, loop: Loop, limit: float, read_pending: Callable[[], object], on_silence: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._read_pending = read_pending
        self._on_silence = on_silence
        self._silent_since = 0.0
        self._timer: Timer | None = None

    def start(self) -> None:
        """From now on it has to report."""
        self.stop()
        self._silent_since = self._loop.now()
        self._arm()

    def reported(self) -> None:
        """It works. The timer stays: it finds out when it is due."""
        self._silent_since = self._loop.now()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        now = self._loop.now()
        wait = min(self._limit / LOOKS, max(self._silent_since + self._limit - now, 0.0))
        self._timer = self._loop.call_later(wait, self._look, now + wait)

    def _look(self, due: float) -> None:
        late = max(0.0, self._loop.now() - due)
        if self._silent_since < due:
            self._silent_since += late
        self._read_pending()
        if self._timer is None:
            return  # what has come ended the watch
        if self._loop.now() - self._silent_since >= self._limit - PRECISION:
            self._timer = None
            self._on_silence()
        else:
            self._arm()
