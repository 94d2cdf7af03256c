"""How long something has been failing, when to try it again, and when it is over."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST = 0.25  # seconds between two attempts
LONGEST = 15.0
LONGEST_ASKED = 30.0  # so long we stay away at the most, if the other side asks for it
CALM = 5.0  # seconds that it has to go well until the trouble is over


class Trouble:
    """Failures, up to the end of the trouble: when it has gone well for `CALM` seconds without another one.

    What fails and works in turns is one trouble, and not one every second. The pauses between attempts grow with the
    failures in a row, from 0.25 s to 15 s; half of each is chance, lest a fleet march in step.
    """

    __slots__ = ("_random", "failures", "news_at", "over_at", "recovered", "retry_at", "since", "under_way")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.under_way = False
        self.since = 0.0  # the first failure
        self.failures = 0  # in a row
        self.retry_at = 0.0  # when the next attempt is worthwhile
        self.news_at = 0.0  # the same, if there is news: a check that has passed just now
        self.recovered = 0.0  # the first success after the last failure
        self.over_at: float | None = None  # when the trouble will be over; None if that cannot be said now

    def failed(self, now: float, asked: float = 0.0, longest: float = LONGEST) -> bool:
        """Notes a failure; true if a trouble begins with it.

        `asked`: for so many seconds we are not welcome. `longest`: the pause to the next attempt at the most.
        """
        begins = not self.under_way
        if begins:
            self.under_way = True
            self.since = now
        self.failures += 1
        self.over_at = None
        pause = min(SHORTEST * 2.0 ** min(self.failures, 10), longest)
        patience = min(asked, LONGEST_ASKED)
        self.news_at = now + max(SHORTEST, patience)
        # What is added to the time that was asked for is chance too: nobody asks a single client only.
        self.retry_at = now + max(pause * (0.5 + 0.5 * self._random()), patience * (1.0 + 0.1 * self._random()))
        return begins

    def worked(self, now: float) -> None:
        """Notes a success."""
        self.failures = 0
        self.retry_at = 0.0
        self.news_at = 0.0
        if self.under_way and self.over_at is None:
            self.recovered = now
            self.over_at = now + CALM

    def over(self, now: float) -> float | None:
        """How many seconds the trouble lasted, told once, when it is over."""
        if self.over_at is None or now < self.over_at:
            return None
        self.under_way = False
        self.over_at = None
        return self.recovered - self.since


def span(seconds: float) -> str:
    """A duration for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(seconds, 0.0):.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def in_words(error: Exception) -> str:
    """What nobody expected, for people: a fault of ours or of a library, or a machine that has nothing left."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = str(error)
    return f"unexpected {type(error).__name__}{': ' if text else ''}{text}"
