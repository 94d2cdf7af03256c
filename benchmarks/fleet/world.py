"""Simulated time: callbacks in the order of their moments, all on one thread."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any


class World:
    """The clock and the events to come, in seconds. `random` is the only chance there is: a seed is a whole run."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0  # events of one moment happen in the order of their requests

    def __call__(self) -> float:
        return self.now

    def at(self, moment: float, callback: Callable[..., object], *arguments: Any) -> None:
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, callback, arguments))

    def run_until(self, end: float) -> None:
        events, pop = self._events, heapq.heappop
        while events and events[0][0] <= end:
            self.now, _, callback, arguments = pop(events)
            callback(*arguments)
        self.now = end
