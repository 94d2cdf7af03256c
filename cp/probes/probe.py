"""What all checks without a process share: one time limit, one result, and the words for it."""

from __future__ import annotations

from cp.probes.connector import Connector

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from cp.engine.loop import Loop, Timer
    from cp.platform.resolver import Resolver
    from cp.probes.target import Target

    # Receives whether the check passed, and its output: one line.
    OnEnd = Callable[[bool, str], object]


def duration_text(seconds: float) -> str:
    """A short time in words: `12 ms`, `1.5 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


class Probe:
    """One check of one server. `on_end` is called once, never from inside of `start`, and not after `cancel`.

    A subclass goes on in `_connected`, and calls `_end` with its result.
    """

    __slots__ = ("_began", "_connector", "_is_over", "_loop", "_on_end", "_target", "_timeout", "_timer")

    def __init__(self, loop: Loop, resolver: Resolver, target: Target, timeout: float | None, on_end: OnEnd) -> None:
        """`timeout` in seconds, for all of the check."""
        self._loop = loop
        self._target = target
        self._timeout = timeout
        self._on_end: OnEnd | None = on_end
        self._connector = Connector(loop, resolver, target, self._connected, self._not_connected)
        self._timer: Timer | None = None
        self._is_over = False
        self._began = 0.0

    def start(self) -> None:
        """Begin the check."""
        self._began = now = self._loop.now()
        if self._timeout is not None:
            self._timer = self._loop.call_at(now + self._timeout, self._timed_out)
        self._begin()

    def cancel(self) -> None:
        """End it without a result, even if there is one that was not delivered yet."""
        self._on_end = None
        if not self._is_over:
            self._release()

    def _begin(self) -> None:
        self._connector.begin()

    def _connected(self, connected: _socket.socket) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        """Close what the subclass has opened."""

    def _waits_for(self) -> str:
        """What has not come yet, for the message about the time limit."""
        return self._connector.waits_for

    def _not_connected(self, why: str) -> None:
        self._end(False, why)

    def _timed_out(self) -> None:
        self._end(False, f"timeout: no {self._waits_for()} within {duration_text(self._timeout or 0.0)}")

    def _end(self, passed: bool, why: str) -> None:
        if self._is_over:
            return
        self._release()
        self._loop.call_soon(self._deliver, passed, why)

    def _release(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._connector.close()
        self._close()

    def _deliver(self, passed: bool, why: str) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(passed, f"{self._target.what}: {why}")

    def _took(self) -> str:
        return duration_text(self._loop.now() - self._began)
