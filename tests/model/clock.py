"""The loop's face on a clock that the world moves."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Any

from cp.engine.loop import Timer
from tests.model.rules import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 1e-9  # seconds that no clock tells from none
MOST_CALLS = 20_000  # at one moment


class ModelLoop:
    """Nothing happens but by `settle` and `fire`."""

    def __init__(self) -> None:
        self.time = 100.0
        self.stopped = False
        self.timers: list[Timer] = []
        self._sequence = 0
        self._ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def now(self) -> float:
        return self.time

    elapsed = now

    def call_at(self, deadline: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        self._sequence += 1
        timer = Timer(deadline, self._sequence, callback, arguments)
        heapq.heappush(self.timers, timer)
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        return self.call_at(self.time + delay, callback, *arguments)

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._ready.append((callback, arguments))

    post = post_lazily = call_soon

    def call_steps(self, steps: Iterator[object]) -> None:
        self._ready.append((self._step, (steps,)))

    def _step(self, steps: Iterator[object]) -> None:
        try:
            next(steps)
        except StopIteration:
            return
        self._ready.appendleft((self._step, (steps,)))

    def stop(self) -> None:
        self.stopped = True

    def hurry(self) -> None:
        pass  # no client is here that could be held back

    @property
    def has_calls(self) -> bool:
        return bool(self._ready)

    def settle(self) -> None:
        """Run all that is ready, as the loop does before it waits."""
        for _ in range(MOST_CALLS):
            if not self._ready or self.stopped:
                return
            callback, arguments = self._ready.popleft()
            callback(*arguments)
        raise Broken("comes to rest", f"{MOST_CALLS} calls at one moment")

    def next_deadline(self) -> float | None:
        while self.timers and self.timers[0].callback is None:
            heapq.heappop(self.timers)
        return self.timers[0].deadline if self.timers else None

    def fire(self, *, in_batches: bool) -> bool:
        """The timers that are due, all of them or the first; False if there was none."""
        fired = False
        while not self.stopped:
            deadline = self.next_deadline()
            if deadline is None or deadline > self.time + AT_ONCE:
                break
            timer = heapq.heappop(self.timers)
            callback, arguments = timer.callback, timer.arguments
            timer.cancel()
            fired = True
            if callback is not None:
                callback(*arguments)
            if not in_batches:
                break
        return fired
