"""How long something has been failing, when to try it again, and when it is over."""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST = 0.25  # seconds between two attempts
LONGEST = 15.0
LONGEST_ASKED = 30.0  # so long we stay away at the most, if the other side asks for it
CALM = 5.0  # seconds that it has to go well until the trouble is over


class Failures:
    """Those of all who use one catalogue, in the order in which they came: nobody's trouble is over while another's
    question fails. Any thread may call."""

    __slots__ = ("_count", "_lock", "_runs")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._count = 0
        self._runs: dict[str, tuple[int, int]] = {}  # of each one's last failures in a row the first and the last

    @property
    def count(self) -> int:
        """How many there were: a point in their order."""
        return self._count

    def note(self, who: str, *, begins: bool) -> None:
        """A failure; `begins`: the first one in a row."""
        with self._lock:
            self._count += 1
            self._runs[who] = (self._count if begins or who not in self._runs else self._runs[who][0], self._count)

    def of_others(self, who: str) -> tuple[int, int]:
        """Of all but `who`, the last that was the first in a row, and the last at all; 0 if there is none."""
        with self._lock:
            runs = [run for other, run in self._runs.items() if other != who]
        return max((first for first, _ in runs), default=0), max((last for _, last in runs), default=0)


class Outage:
    """Failures, up to the end of the trouble: when it has gone well for `CALM` seconds without another one.

    What fails and works in turns is one trouble, and not one every second. The pauses between attempts grow with the
    failures in a row, from 0.25 s to 15 s; half of each is chance, lest a fleet march in step.

    With `shared`, failures of others who use the same catalogue count as well. One that begins while it goes well here
    makes those seconds begin anew, with our next success; others, of somebody who may fail for reasons of its own, only
    put the end off to our next success.
    """

    __slots__ = (
        "_random", "_shared", "_suspected", "_unsure", "_who", "_worked", "failures", "news_at", "over_at", "recovered",
        "retry_at", "since", "under_way",
    )  # fmt: skip

    def __init__(self, random: Callable[[], float], shared: Failures | None = None, who: str = "") -> None:
        self._random = random
        self._shared = shared
        self._who = who
        self._worked = (0, 0)  # where in the order of all failures our first success and our last one came
        self._unsure = False  # it would be over, if not somebody else's question had failed since our last success
        self._suspected: float | None = None  # since when nothing was answered, if that is no failure yet
        self.under_way = False
        self.since = 0.0  # when the first question was asked that failed
        self.failures = 0  # in a row
        self.retry_at = 0.0  # when the next attempt is worthwhile
        self.news_at = 0.0  # the same, if there is news: a check that has passed just now
        self.recovered = 0.0  # the first success after the last failure
        self.over_at: float | None = None  # when the trouble will be over; None if that cannot be said now

    def suspect(self, since: float) -> None:
        """A question asked then has no answer. That alone is no failure; if the next one fails too, it began then."""
        if self._suspected is None:
            self._suspected = since

    def failed(
        self,
        now: float,
        asked: float = 0.0,
        longest: float = LONGEST,
        *,
        since: float | None = None,
        alone: bool = False,
    ) -> bool:
        """Notes a failure; true if a trouble begins with it.

        `asked`: for so many seconds we are not welcome. `longest`: the pause to the next attempt at the most. `since`:
        when the answer was due, which is when the question was asked. `alone`: it says nothing about the others.
        """
        begins = not self.under_way
        began = now if since is None else min(now, since)
        if self._suspected is not None:
            began = min(began, self._suspected)
            self._suspected = None
        self.since = began if begins else min(began, self.since)
        self.under_way = True
        if self._shared is not None and not alone:
            self._shared.note(self._who, begins=not self.failures)
        self.failures += 1
        self.over_at = None
        self._unsure = False
        pause = min(SHORTEST * 2.0 ** min(self.failures, 10), longest)
        deadline = min(asked, LONGEST_ASKED)
        self.news_at = now + max(SHORTEST, deadline)
        # What is added to the time that was asked for is chance too: nobody asks a single client only.
        self.retry_at = now + max(pause * (0.5 + 0.5 * self._random()), deadline * (1.0 + 0.1 * self._random()))
        return begins

    def worked(self, now: float) -> None:
        """Notes a success."""
        self.failures = 0
        self.retry_at = 0.0
        self.news_at = 0.0
        self._suspected = None
        if not self.under_way:
            return
        place = self._shared.count if self._shared is not None else 0
        goes_well = self.over_at is not None or self._unsure
        if not goes_well or (self._shared is not None and self._shared.of_others(self._who)[0] > self._worked[0]):
            self.recovered = now
            self.over_at = now + CALM
            self._worked = place, place
        elif self._unsure:
            self.over_at = now
        self._unsure = False
        self._worked = self._worked[0], place

    def over(self, now: float) -> float | None:
        """How many seconds the trouble lasted, told once, when it is over."""
        if self.over_at is None or now < self.over_at:
            return None
        if self._shared is not None:
            began, last = self._shared.of_others(self._who)
            if last > self._worked[1]:
                self.over_at = None
                self._unsure = began <= self._worked[0]
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
