"""The time that a stop may take: one budget for everything that is told to end, spent only while something is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop, Timer


class StopBudget:
    """Counts down while it is held by anything; `on_spent` is called once, when nothing is left.

    Negative or zero seconds: spent from the beginning, and nobody is called.
    """

    __slots__ = ("_counted", "_holders", "_left", "_loop", "_on_spent", "_since", "_timer")

    def __init__(self, loop: Loop, seconds: float, on_spent: Callable[[], None]) -> None:
        self._loop = loop
        self._left = max(0.0, seconds)
        self._counted = 0.0  # seconds that it was held, without those since `_since`
        self._on_spent = on_spent
        self._holders: set[object] = set()
        self._since = 0.0
        self._timer: Timer | None = None

    @property
    def spent(self) -> bool:
        return self._left <= 0

    def hold(self, holder: object) -> None:
        if not self._holders and not self.spent:
            self._resume()
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        self._holders.discard(holder)
        if not self._holders and self._timer is not None:
            self._pause(self._timer)

    def charge(self, seconds: float) -> None:
        """The first so many seconds of it were spent on something else: what nobody held of them counts as well."""
        if self.spent:
            return
        timer = self._timer
        if timer is not None:
            self._pause(timer)
        self._left -= max(0.0, seconds - self._counted)
        if timer is not None:
            self._resume()

    def close(self) -> None:
        """Count no more."""
        self._holders.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resume(self) -> None:
        self._since = self._loop.now()
        self._timer = self._loop.call_later(max(0.0, self._left), self._spend)

    def _pause(self, timer: Timer) -> None:
        timer.cancel()
        self._timer = None
        held = self._loop.now() - self._since
        self._counted += held
        self._left -= held

    def _spend(self) -> None:
        self._timer = None
        self._left = 0.0
        self._on_spent()
