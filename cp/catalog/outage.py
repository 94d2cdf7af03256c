"""Outages: how long something has been failing, when to retry, and when it has recovered."""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST = 0.25  # seconds between two attempts
LONGEST = 15.0
LONGEST_RETRY_AFTER = 30.0  # the longest pause that a server may ask for (Retry-After)
CALM = 5.0  # seconds without a failure after which an outage has ended


class Failures:
    """The failures of all clients of one catalogue, in their order. An outage of one client does not end while another
    client fails. Any thread may call."""

    __slots__ = ("_count", "_lock", "_runs")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._count = 0
        self._runs: dict[str, tuple[int, int]] = {}  # by client: the first and the last of its latest failures in a row

    @property
    def count(self) -> int:
        """The number of failures so far: a point in their order."""
        return self._count

    def note(self, who: str, *, begins: bool) -> None:
        """Record a failure; `begins`: it is the first one in a row."""
        with self._lock:
            self._count += 1
            self._runs[who] = (self._count if begins or who not in self._runs else self._runs[who][0], self._count)

    def of_others(self, who: str) -> tuple[int, int]:
        """Of all clients but `who`: the latest failure that began a row, and the latest one; 0 if there is none."""
        with self._lock:
            runs = [run for other, run in self._runs.items() if other != who]
        return max((first for first, _ in runs), default=0), max((last for _, last in runs), default=0)


class Outage:
    """A period of failures. It ends after `CALM` seconds in which every call succeeds.

    So calls that fail and succeed in turns are one outage, not one every second. The pauses between attempts grow with
    the failures in a row, from 0.25 s to 15 s. Half of each pause is random, so that a fleet does not retry in step.

    With `shared`, failures of other clients of the catalogue count too. A first failure in a row of another client
    restarts the `CALM` seconds, at the next success of this one. Its later failures only delay the end to the next
    success, since it may fail for reasons of its own.
    """

    __slots__ = (
        "_random", "_shared", "_suspected", "_unsure", "_who", "_worked", "failures", "news_at", "over_at", "recovered",
        "retry_at", "since", "under_way",
    )  # fmt: skip

    def __init__(self, random: Callable[[], float], shared: Failures | None = None, who: str = "") -> None:
        self._random = random
        self._shared = shared
        self._who = who
        self._worked = (0, 0)  # our first and our latest success since a failure, in the order of all failures
        self._unsure = False  # over, except that another client failed after our latest success
        self._suspected: float | None = None  # since when there is no response, while that is not a failure yet
        self.under_way = False
        self.since = 0.0  # when the first failed request was sent
        self.failures = 0  # in a row
        self.retry_at = 0.0  # when the next attempt is due
        self.news_at = 0.0  # the same for news: a check that has just passed
        self.recovered = 0.0  # the first success after the last failure
        self.over_at: float | None = None  # when the outage ends; None if that is not known yet

    def suspect(self, since: float) -> None:
        """A request that was sent then got no response yet. If the next one fails, the outage began then."""
        if self._suspected is None:
            self._suspected = since

    def failed(
        self,
        now: float,
        retry_after: float = 0.0,
        longest: float = LONGEST,
        *,
        since: float | None = None,
        alone: bool = False,
    ) -> bool:
        """Record a failure. True if an outage begins with it.

        `retry_after`: the pause in seconds that the server asks for. `longest`: the longest pause to the next attempt.
        `since`: when the request was sent. `alone`: the failure does not concern other clients.
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
        deadline = min(retry_after, LONGEST_RETRY_AFTER)
        self.news_at = now + max(SHORTEST, deadline)
        # A pause that the server asks for gets a random part as well: the server asks all of its clients.
        self.retry_at = now + max(pause * (0.5 + 0.5 * self._random()), deadline * (1.0 + 0.1 * self._random()))
        return begins

    def worked(self, now: float) -> None:
        """Record a success."""
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
        """The seconds that the outage lasted. Not None once, when it has ended."""
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


def in_words(error: Exception) -> str:
    """An unexpected exception in words: an error of this program or of a library, or a machine without memory."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = str(error)
    return f"unexpected {type(error).__name__}{': ' if text else ''}{text}"
