"""The health of a job: what the results of its checks say about it, and what follows from each. Pure."""

from __future__ import annotations

from cp.engine.events import CHANGE, CHECK, Code
from cp.plan import CRITICAL, PASSING
from cp.platform.text import duration_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    from cp import plan
    from cp.plan import EventCode, EventKind, Level, Status

    Fields = tuple[tuple[str, str], ...]
    Line = tuple[Level, str]
    HealthStatus = Literal["unknown", "healthy", "unhealthy", "maintenance"]

# Statuses; those of checks are the codes of their events.
UNKNOWN: Final = "unknown"
HEALTHY: Final = Code.HEALTHY
UNHEALTHY: Final = Code.UNHEALTHY
MAINTENANCE: Final = "maintenance"

LOGGED_FAILURES = 10  # in a row, of which each has its line in the log; then there is one line
LOG_PAUSE = 60.0  # in so many seconds
SHOWN_OUTPUT = 1000  # characters of a check's output in a line about health


class Result:
    """The end of one check.

    `failure` is its line in the log, of this `level`, and empty for a check that passed. `output` is the last line that
    it printed, or why there is none; `reason` is how it ended. `fields` are those of its lines in the log.
    """

    __slots__ = ("failure", "fields", "level", "output", "reason")

    def __init__(
        self, output: str, reason: str = "", failure: str = "", level: Level = "error", fields: Fields = ()
    ) -> None:
        self.output = output
        self.reason = reason
        self.failure = failure
        self.level = level
        self.fields = fields


class Consequence:
    """What follows from one result: `event` is the code to publish, `kind` what it is for the history, and `reported`
    the status for the catalogue; they may be empty. `lines` are levels and texts for the log."""

    __slots__ = ("event", "kind", "lines", "reported")

    def __init__(self, event: EventCode, kind: EventKind, reported: Status, lines: list[Line]) -> None:
        self.event = event
        self.kind = kind
        self.reported = reported
        self.lines = lines


class Health:
    """Counts the results of the checks of one job. Times are those of the loop's clock.

    A check without a command is a heartbeat: no event comes of it, and it says something about the status only where
    it is trusted. `announced` is the code of the last event, if it still says what is true.
    """

    __slots__ = (
        "_always",
        "_logged_at",
        "_plan",
        "_trusted",
        "_unhealthy_since",
        "announced",
        "checked_at",
        "failures",
        "job",
        "output",
        "processes",
        "since",
    )

    def __init__(self, job: str, health: plan.Health | None, *, always: bool = False) -> None:
        """`always`: healthy, whatever happens."""
        self.announced: Literal["", "healthy", "unhealthy"] = ""
        self.failures = 0  # in a row
        self.checked_at: float | None = None
        self.since: float | None = None  # when the checks began to say what they say now
        self.output = ""  # the last line of the last check
        self.processes = 0  # how many have ended before a pause
        self._always = always
        self._trusted = False  # there was a heartbeat, and it counts as a check that passed
        self.job = job
        self._plan = health
        # The outage goes on while the job is restarted: it ends with a check that passes.
        self._unhealthy_since: float | None = None
        self._logged_at = 0.0  # when the log had a failure last

    @property
    def status(self) -> HealthStatus:
        return HEALTHY if self._always or self._trusted else self.announced or UNKNOWN

    def status_in(self, maintenance: bool) -> HealthStatus:
        """The status that is shown: nothing is checked in maintenance."""
        return MAINTENANCE if maintenance and not self._always else self.status

    def reset(self) -> None:
        """A run starts or has ended: earlier results say nothing about the next one."""
        self.announced, self.since, self._trusted = "", None, False

    def process_ended(self) -> None:
        """A pause follows, in which there is no process: a check that began before says nothing about the next one."""
        self.reset()
        self.processes += 1

    def forget(self) -> None:
        """Maintenance starts: earlier results say nothing about what comes after it."""
        self.reset()
        self.failures, self._unhealthy_since = 0, None

    def checked(self, result: Result, now: float) -> Consequence:
        """Take the result of a check that ended at `now`."""
        if self._plan is None or self._plan.command is None:
            if self._plan is not None and self._plan.trusted and not self._trusted:
                self._trusted, self.since = True, now
            return Consequence("", "", PASSING, [])
        before, failures = self.announced, self.failures
        self.failures = failures + 1 if result.failure else 0
        self.checked_at, self.output = now, result.output
        reported: Status = CRITICAL if self._is_critical else "" if result.failure else PASSING
        self.announced = Code.UNHEALTHY if result.failure else Code.HEALTHY
        kind: EventKind = CHECK if before == self.announced else CHANGE
        if kind == CHANGE:
            self.since = now
        if result.failure:
            return Consequence(Code.UNHEALTHY, kind, reported, self._lines_of_failure(self._plan, result, now))
        lines: list[Line] = [("debug", f"{self._plan.label} exited without error")]
        if kind == CHANGE:
            lines.append(self._recovery(self._plan, failures, now))
        return Consequence(Code.HEALTHY, kind, reported, lines)

    def is_quiet(self, now: float) -> bool:
        """Whether one more failure is left out of the log: there were many, and it had one a moment ago."""
        if self._plan is None or not self._plan.logs_failures:
            return False
        return self.failures >= LOGGED_FAILURES and now - self._logged_at < LOG_PAUSE

    @property
    def _is_critical(self) -> bool:
        limit = self._plan.failures if self._plan is not None else 0
        return bool(limit) and self.failures >= limit

    def _lines_of_failure(self, health: plan.Health, result: Result, now: float) -> list[Line]:
        lines: list[Line] = []
        if health.logs_failures and self.failures > LOGGED_FAILURES:
            if now - self._logged_at >= LOG_PAUSE:
                lines.append((result.level, f"{result.failure} (failure {self.failures} in a row)"))
                self._logged_at = now
        else:
            lines.append((result.level, result.failure))
            self._logged_at = now
        if self._unhealthy_since is None:
            self._unhealthy_since = now
            why = result.output or result.reason
            why = why if len(why) <= SHOWN_OUTPUT else f"{why[:SHOWN_OUTPUT]}…"
            change = f"{health.label}: {self.job} is unhealthy: {why}"
            lines.append(("warning" if health.logs_failures else "debug", change))
        return lines

    def _recovery(self, health: plan.Health, failures: int, now: float) -> Line:
        since, self._unhealthy_since = self._unhealthy_since, None
        if since is None:
            return "debug", f"{health.label}: {self.job} is healthy"
        count = "1 failure" if failures == 1 else f"{failures} failures"
        text = f"{health.label}: {self.job} is healthy again after {duration_text(now - since)} and {count}"
        return "info" if health.logs_failures else "debug", text
