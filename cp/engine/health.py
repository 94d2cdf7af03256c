"""The health of a job: what the results of its checks say about it, and what follows from each. Pure."""

from __future__ import annotations

from cp.engine.events import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp import plan

UNKNOWN, HEALTHY, UNHEALTHY = "unknown", "healthy", "unhealthy"
PASSING, CRITICAL = "passing", "critical"


class Consequence:
    """What follows from one result: `event` is the code to publish, `reported` the status for the catalogue; both may
    be empty."""

    __slots__ = ("event", "reported")

    def __init__(self, event: str, reported: str) -> None:
        self.event = event
        self.reported = reported


class Health:
    """Counts the results of the checks of one job. Times are those of the loop's clock.

    A check without a command is a heartbeat: it says nothing about the status.
    """

    __slots__ = ("_plan", "checked_at", "failures", "output", "status")

    def __init__(self, health: plan.Health | None) -> None:
        self.status = UNKNOWN
        self.failures = 0  # in a row
        self.checked_at: float | None = None
        self.output = ""  # the last line of the last check
        self._plan = health

    def reset(self) -> None:
        """A run starts or has ended: earlier results say nothing about the next one."""
        self.status = UNKNOWN

    def forget(self) -> None:
        """Maintenance starts: earlier results say nothing about what comes after it."""
        self.status, self.failures = UNKNOWN, 0

    def checked(self, passed: bool, output: str, now: float) -> Consequence:
        """Take the result of a check that ended at `now`."""
        self.failures = 0 if passed else self.failures + 1
        self.checked_at, self.output = now, output
        event = ""
        if self._plan is not None and self._plan.command is not None:
            self.status = HEALTHY if passed else UNHEALTHY
            event = Code.HEALTHY if passed else Code.UNHEALTHY
        return Consequence(event, PASSING if passed else CRITICAL if self._is_critical else "")

    @property
    def _is_critical(self) -> bool:
        limit = self._plan.failures if self._plan is not None else 0
        return bool(limit) and self.failures >= limit
