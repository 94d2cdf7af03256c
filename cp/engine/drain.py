"""The drain of a job: its service is deregistered, and its process goes on serving those who do not know that yet.

Imported only for a job with `drain`, when it ends.
"""

from __future__ import annotations

from _thread import start_new_thread

from cp.platform.connections import TABLES, established
from cp.platform.text import duration_text, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.context import Context
    from cp.engine.loop import Timer
    from cp.engine.ports import Loop

PAUSE = 1.0  # seconds between two looks at the connections


class Drain:
    """`begin` starts its clock; `on_over()` is called when the time is over, or no connection is left.

    `connections` is the number at the last look, and None before the first one. `cut_short` ends it early.
    """

    __slots__ = (
        *("_count", "_job", "_limit", "_log", "_loop", "_next_look", "_on_over", "_plan", "_since"),
        *("connections", "is_over"),
    )

    def __init__(self, context: Context, job: plan.Job, drain: plan.Drain, on_over: Callable[[], object]) -> None:
        self.connections: int | None = None
        self.is_over = False
        self._loop = context.loop
        self._log = context.log
        self._count = context.count_connections or count_on_thread
        self._job = job
        self._plan = drain
        self._on_over = on_over
        self._since: float | None = None  # the start of its clock
        self._limit: Timer | None = None
        self._next_look: Timer | None = None

    def begin(self) -> None:
        """The service is deregistered, or the time for that is over."""
        if self._since is not None or self.is_over:
            return
        self._since = self._loop.now()
        self._limit = self._loop.call_later(self._plan.max, self._expire)
        if self._plan.is_idle:
            self._look()
        else:
            self._info(f"drains for {duration_text(self._plan.max)}")

    def cut_short(self, why: str) -> None:
        """End it without a call of `on_over`."""
        if not self.is_over:
            self._info(f"has drained for {self._lasted} and stops draining: {why}")
            self._close()

    @property
    def ends_by(self) -> float | None:
        """When it ends at the latest; None: its clock does not run yet, or not any more."""
        return None if self._limit is None else self._limit.deadline

    @property
    def about(self) -> str:
        """What it waits for."""
        if self.is_over:
            return "has drained; waits for other jobs that drain"
        if self._since is None or self._limit is None:
            return "drains; is being deregistered"
        now = self._loop.now()
        limit = f"at most {max(0.0, self._limit.deadline - now):.0f} s more"
        if not self._plan.is_idle:
            return f"drains; {limit.removeprefix('at most ')}"
        if self.connections == 0:
            return f"drains; no connection is left; at least {max(0.0, self._since + self._plan.min - now):.0f} s more"
        return f"drains; {limit}" if self.connections is None else f"drains; {self._left}; {limit}"

    # --- connections

    def _look(self) -> None:
        self._next_look = None
        try:
            self._count(self._loop, self._port, self._seen)
        except RuntimeError:  # there is no thread at the moment
            self._next_look = self._loop.call_later(PAUSE, self._look)

    def _seen(self, connections: int | None, error: str) -> None:
        """The end of a look: the number of connections, or None and why they cannot be counted."""
        if self.is_over or self._since is None:
            return
        if connections is None:
            text = f"cannot count the connections of {self._job.name}: {error}: it drains for the whole time"
            self._log.warning(f"{text}, {duration_text(self._plan.max)}", self._job.log_fields)
            return
        is_first, self.connections = self.connections is None, connections
        if is_first:
            self._info(f"drains: {self._left}")
        now, least = self._loop.now(), self._since + self._plan.min
        if now >= least and not connections:
            self._end(f"has drained after {self._lasted}")
        else:
            # One look comes at the end of the shortest time, since the drain may be over then.
            then = now + PAUSE if now >= least else min(now + PAUSE, least)
            self._next_look = self._loop.call_at(then, self._look)

    @property
    def _port(self) -> int:
        service = self._job.service
        return 0 if service is None else service.port

    @property
    def _left(self) -> str:
        number = self.connections
        are = "1 connection is" if number == 1 else f"{number or 'no'} connection{'s are' if number else ' is'}"
        return f"{are} left on port {self._port}"

    # --- the end

    def _expire(self) -> None:
        what = f"has drained after {self._lasted}"
        if self._plan.is_idle and self.connections != 0:
            what = f"has drained for {self._lasted}, its limit"
            if self.connections is not None:
                what += f": {self._left}"
        self._end(what)

    @property
    def _lasted(self) -> str:
        return duration_text(0.0 if self._since is None else self._loop.now() - self._since)

    def _end(self, what: str) -> None:
        self._info(what)
        self._close()
        self._on_over()

    def _close(self) -> None:
        self.is_over = True
        for timer in (self._limit, self._next_look):
            if timer is not None:
                timer.cancel()
        self._limit = self._next_look = None

    def _info(self, text: str) -> None:
        self._log.info(f"{self._job.name} {text}", self._job.log_fields)


def count_on_thread(loop: Loop, port: int, then: Callable[[int | None, str], object]) -> None:
    """Count the connections to a port on a thread, and call back on the loop. RuntimeError if no thread can start."""

    def count() -> None:
        found, error = None, ""
        try:
            found = established(port)
        except (OSError, MemoryError) as problem:
            error = f"{TABLES[0]}: {reason_of(problem)}"
        loop.post(then, found, error)

    start_new_thread(count, ())
