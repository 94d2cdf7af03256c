"""The restart policy of a job: whether it is started again after a run, and after which pause. Pure."""

from __future__ import annotations

from cp.engine.events import Code
from cp.engine.timers import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan


class RestartPolicy:
    """Counts the restarts of a job. `left` is the number that is still allowed, None for any number."""

    __slots__ = ("_backoff", "_limit", "_must_end", "count", "left")

    def __init__(self, job: plan.Job, random: Callable[[], float]) -> None:
        self.count = 0
        self.left = job.restarts
        self._limit = job.restarts
        # A hook on `stopping` delays the end of its job. With unlimited restarts that end would never come.
        self._must_end = job.when.code == Code.STOPPING and job.command is not None
        self._backoff = Backoff(random)

    def renew(self) -> None:
        """Allow the full number of restarts again."""
        self.left = self._limit

    def forbid(self) -> None:
        """Allow no more restarts."""
        self.left = 0

    def take(self, *, first: bool = False) -> bool:
        """Use one restart, if one is left. The `first` run of a periodic job is not a restart."""
        if self.left is None or first:
            return not self._must_end
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def pause_after(self, run_seconds: float) -> float:
        """The seconds between a run of this length and the next start."""
        return self._backoff.pause_after(run_seconds)
