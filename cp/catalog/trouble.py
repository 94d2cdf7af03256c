"""How long something has been failing, and when to try it again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST = 0.25  # seconds between two attempts
LONGEST = 15.0


class Trouble:
    """Failures in a row. The pauses grow from 0.25 s to 15 s; half of each is chance, lest a fleet march in step."""

    __slots__ = ("_random", "failures", "news_at", "retry_at", "since")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.failures = 0
        self.since = 0.0
        self.retry_at = 0.0  # when the next attempt is worthwhile
        self.news_at = 0.0  # the same, if there is news: a check that has passed just now

    def failed(self, now: float) -> bool:
        """Notes a failure; true if it is the first."""
        if self.failures == 0:
            self.since = now
        self.failures += 1
        pause = min(SHORTEST * 2.0 ** min(self.failures, 10), LONGEST)
        self.news_at = now + SHORTEST
        self.retry_at = now + pause * (0.5 + 0.5 * self._random())
        return self.failures == 1

    def over(self) -> bool:
        """Notes a success; true if it ends a trouble."""
        ended = self.failures > 0
        self.failures = 0
        self.retry_at = 0.0
        self.news_at = 0.0
        return ended


def span(seconds: float) -> str:
    """A duration for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(seconds, 0.0):.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
