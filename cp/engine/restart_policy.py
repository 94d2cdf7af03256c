"""The restart policy of a job: whether it is started again after a run, and after which pause. Pure."""

from __future__ import annotations

from cp.engine.events import Code
from cp.engine.timers import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan


class RestartPolicy:
    """Counts the restarts of a job. All times are those of the loop's clock.

    With `per` the number is for every time of that length: the restarts of the last `per` seconds are used up, and each
    comes back when it is `per` seconds old. Otherwise it is for the life of the job.
    """

    __slots__ = ("_backoff", "_left", "_limit", "_must_end", "_recent", "_rules", "count", "gave_up", "is_delayed")

    def __init__(self, job: plan.Job, random: Callable[[], float]) -> None:
        self.count = 0
        self.gave_up = False  # no restart was left, and the job has rules
        self.is_delayed = False  # it will be restarted, as soon as a restart is left
        self._left = self._limit = job.restarts
        self._rules = rules = job.restart_rules
        self._recent: list[float] = []  # the last restarts within `per`, the oldest one first
        # A hook on `stopping` delays the end of its job. With unlimited restarts that end would never come.
        self._must_end = job.when.code == Code.STOPPING and job.command is not None
        if rules is None:
            self._backoff = Backoff(random)
        else:
            self._backoff = Backoff(random, rules.pause, rules.max_pause)

    @property
    def per(self) -> float | None:
        """The length in seconds of the time for which the number of restarts is; None: the life of the job."""
        return self._rules.per if self._rules is not None else None

    def left(self, now: float) -> int | None:
        """The number of restarts that are still allowed, None for any number."""
        if self.per is None or not self._left:
            return self._left
        return max(0, self._left - len(self._within(now)))

    @property
    def used_up(self) -> str:
        """The restarts that are used up, in words: `5 restarts in 10 minutes`."""
        number = "1 restart" if self._limit == 1 else f"{self._limit} restarts"
        return number if self.per is None else f"{number} in {_span(self.per)}"

    def renew(self) -> None:
        """Allow the full number of restarts again. Those of the last `per` seconds are still used up."""
        self._left = self._limit

    def forbid(self) -> None:
        """Allow no more restarts."""
        self._left = 0

    def restarted(self, now: float) -> None:
        """A restart begins."""
        self.count += 1
        self.is_delayed = False
        if self.per is not None:
            self._recent = [*self._within(now), now][-(self._limit or 0) :]

    def take_run(self, *, first: bool) -> bool:
        """Use one restart for the next run of a periodic job, if one is left. The `first` run is not a restart."""
        return first or self._take()

    def next_start(self, now: float, run_seconds: float, *, failed: bool) -> float | None:
        """Use one restart, if one is left, and return the time of the start; None: the job is not restarted.

        The run before lasted `run_seconds`, and `failed` if it did not succeed.
        """
        rules = self._rules
        if rules is None:
            return now + self._backoff.pause_after(run_seconds) if self._take() else None
        if rules.on_failure and not failed:
            return None
        if rules.per is None or not self._left:
            if self._take():
                return now + self._backoff.pause_after(run_seconds)
            self.gave_up = bool(self._limit) and self.count >= (self._limit or 0)
            return None
        start = now + self._backoff.pause_after(run_seconds)
        room = self._room_at(start, rules.per, self._left)
        self.is_delayed, self.gave_up = room > start and rules.delays, room > start and not rules.delays
        return None if self.gave_up else room

    def pause_after(self, run_seconds: float) -> float:
        """The seconds between a run of this length and the next start."""
        return self._backoff.pause_after(run_seconds)

    def _take(self) -> bool:
        if self._left is None:
            return not self._must_end
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def _within(self, now: float) -> list[float]:
        """The restarts that are less than `per` seconds old."""
        per = self.per or 0.0
        return [at for at in self._recent if at + per > now]

    def _room_at(self, start: float, per: float, number: int) -> float:
        """The first time from `start` on at which a restart is left."""
        return start if len(self._recent) < number else max(start, self._recent[-number] + per)


def _span(seconds: float) -> str:
    """A time in words: `10 minutes`, `90 s`."""
    for unit, name in ((3600, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            number = int(seconds // unit)
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return f"{seconds:g} s"
