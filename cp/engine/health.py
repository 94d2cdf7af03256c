"""The health of a job: what the results of its checks say about it, and what follows from each. Pure."""

from __future__ import annotations

from cp.engine.events import CHANGE, CHECK, Code
from cp.plan import CRITICAL, NOTHING, PASSING
from cp.platform.text import duration_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    from cp import plan
    from cp.plan import EventCode, EventKind, Level, OnFailure, Status

    Fields = tuple[tuple[str, str], ...]
    Line = tuple[Level, str]
    Verdict = Literal["", "healthy", "unhealthy"]  # "": not known yet
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

    `failure` is its line in the log, of this `level`, and empty for a check that passed; `passed` is then the line at
    level debug, after the label. `output` is what it printed or found out, in one line; `reason` is how it ended.
    `fields` are those of its lines in the log.
    """

    __slots__ = ("failure", "fields", "level", "output", "passed", "reason")

    def __init__(
        self,
        output: str,
        reason: str = "",
        failure: str = "",
        level: Level = "error",
        fields: Fields = (),
        passed: str = "exited without error",
    ) -> None:
        self.output = output
        self.reason = reason
        self.failure = failure
        self.level = level
        self.fields = fields
        self.passed = passed


class Consequence:
    """What follows from one result: `event` is the code to publish, `kind` what it is for the history, `reported` the
    status for the catalogue, and `action` what the job does with its run. They may be empty. `lines` are levels and
    texts for the log."""

    __slots__ = ("action", "event", "kind", "lines", "reported")

    def __init__(
        self, event: EventCode, kind: EventKind, reported: Status, lines: list[Line], action: OnFailure = NOTHING
    ) -> None:
        self.event = event
        self.kind = kind
        self.reported = reported
        self.lines = lines
        self.action = action


class CheckState:
    """Counts the results of one check, for the present run of its job. Times are those of the loop's clock."""

    __slots__ = (
        *("_job", "_logged_at", "_started_at", "_unhealthy_since"),
        *("checked_at", "failures", "has_passed", "output", "passes", "plan", "verdict"),
    )

    def __init__(self, job: str, check: plan.Check, now: float) -> None:
        self.plan = check
        self.verdict: Verdict = ""
        self.failures = 0  # in a row
        self.passes = 0  # in a row
        self.has_passed = False
        self.checked_at: float | None = None
        self.output = ""  # of the last result
        self._job = job
        self._started_at = now
        # The outage goes on while the job is restarted: it ends with a check that passes.
        self._unhealthy_since: float | None = None
        self._logged_at = 0.0  # when the log had a failure last

    def reset(self, now: float) -> None:
        """A run starts or has ended: earlier results say nothing about the next one."""
        self.verdict, self.has_passed, self.passes, self._started_at = "", False, 0, now
        if self.plan.failures > 1:
            self.failures = 0  # they belong to one run; with a limit of 1 this number is only for people

    def forget(self) -> None:
        """Maintenance starts. It hides the end of an outage; the run and its start period go on."""
        self.verdict, self.passes, self.failures, self._unhealthy_since = "", 0, 0, None

    @property
    def is_failing(self) -> bool:
        return self.failures > 0 or self.verdict == UNHEALTHY

    def is_starting(self, now: float) -> bool:
        """Whether failures do not count yet: no check has passed, and the start period of the run is not over."""
        return not self.has_passed and now < self._started_at + self.plan.start_period

    def is_quiet(self, now: float) -> bool:
        """Whether one more failure is left out of the log: there were many, and it had one a moment ago."""
        if self.is_starting(now):
            return True
        if not self.plan.logs_failures:
            return False
        return self.failures >= LOGGED_FAILURES and now - self._logged_at < LOG_PAUSE

    def take(self, result: Result, now: float) -> list[Line]:
        """Count a result. Return its lines for the log."""
        self.checked_at, self.output = now, result.output
        if not result.failure:
            return self._passed(result, now)
        if self.is_starting(now):
            return [("debug", f"{result.failure} (in the start period)")]
        self.passes = 0
        self.failures += 1
        if self.failures >= self.plan.failures:
            self.verdict = UNHEALTHY
        return self._lines_of_failure(result, now)

    def _passed(self, result: Result, now: float) -> list[Line]:
        check = self.plan
        lines: list[Line] = [("debug", f"{check.label} {result.passed}")]
        failures, self.failures = self.failures, 0
        self.has_passed = True
        self.passes += 1
        # At the start of a run one success is enough.
        if self.verdict == "" or (self.verdict == UNHEALTHY and self.passes >= check.passes):
            self.verdict = HEALTHY
            lines.append(self._recovery(failures, now))
        return lines

    def _lines_of_failure(self, result: Result, now: float) -> list[Line]:
        lines: list[Line] = []
        check = self.plan
        if check.logs_failures and self.failures > LOGGED_FAILURES:
            if now - self._logged_at >= LOG_PAUSE:
                lines.append((result.level, f"{result.failure} (failure {self.failures} in a row)"))
                self._logged_at = now
        else:
            lines.append((result.level, result.failure))
            self._logged_at = now
        if self.verdict == UNHEALTHY and self._unhealthy_since is None:
            self._unhealthy_since = now
            why = result.output or result.reason
            why = why if len(why) <= SHOWN_OUTPUT else f"{why[:SHOWN_OUTPUT]}…"
            level: Level = "warning" if check.logs_failures else "debug"
            lines.append((level, f"{check.label}: {self._job} is unhealthy: {why}"))
        return lines

    def _recovery(self, failures: int, now: float) -> Line:
        label, since = self.plan.label, self._unhealthy_since
        self._unhealthy_since = None
        if since is None:
            return "debug", f"{label}: {self._job} is healthy"
        count = "1 failure" if failures == 1 else f"{failures} failures"
        text = f"{label}: {self._job} is healthy again after {duration_text(now - since)} and {count}"
        return "info" if self.plan.logs_failures else "debug", text


class Health:
    """The health of one job: it is healthy if all of its checks are, and unhealthy if one is.

    A heartbeat is not a check: no event comes of it, and it says something about the status only where it is trusted.
    `announced` is the code of the last event, if it still says what is true.
    """

    __slots__ = ("_always", "_trusted", "announced", "checks", "job", "processes", "since")

    def __init__(self, job: str, checks: tuple[plan.Check, ...], now: float, *, always: bool = False) -> None:
        """`always`: healthy, whatever happens."""
        self.job = job
        self.checks = tuple(CheckState(job, check, now) for check in checks)
        self.announced: Verdict = ""
        self.since: float | None = None  # when the checks began to say what they say now
        self.processes = 0  # how many have ended before a pause
        self._always = always
        self._trusted = False  # there was a heartbeat, and it counts as a check that passed

    @property
    def status(self) -> HealthStatus:
        return HEALTHY if self._always or self._trusted else self.announced or UNKNOWN

    def status_in(self, maintenance: bool) -> HealthStatus:
        """The status that is shown: nothing is checked in maintenance."""
        return MAINTENANCE if maintenance and not self._always else self.status

    @property
    def all_pass(self) -> bool:
        """Whether the job is healthy, and each check has passed last."""
        return self.announced == HEALTHY and not any(check.failures for check in self.checks)

    @property
    def has_checks(self) -> bool:
        return any(not check.plan.is_heartbeat for check in self.checks)

    @property
    def latest(self) -> CheckState | None:
        """The check that explains the status: the first unhealthy one, otherwise the last that ended."""
        bad = (check for check in self.checks if check.verdict == UNHEALTHY)
        return next(bad, max(self.checks, key=lambda check: check.checked_at or 0.0, default=None))

    def reset(self, now: float) -> None:
        """A run starts or has ended: earlier results say nothing about the next one."""
        self._clear()
        for check in self.checks:
            check.reset(now)

    def process_ended(self, now: float) -> None:
        """A pause follows, in which there is no process: a check that began before says nothing about the next one."""
        self.reset(now)
        self.processes += 1

    def forget(self) -> None:
        """Maintenance starts: earlier results say nothing about what comes after it."""
        self._clear()
        for check in self.checks:
            check.forget()

    def _clear(self) -> None:
        self.announced, self.since, self._trusted = "", None, False

    def take(self, check: CheckState, result: Result, now: float) -> Consequence:
        """Count the result of one of the checks, which ended at `now`."""
        if check.plan.is_heartbeat:
            if check.plan.trusted and not self._trusted:
                self._trusted, self.since = True, now
            return Consequence("", "", PASSING, [])
        before = check.verdict
        lines = check.take(result, now)
        event, kind = self._announce(passed=not result.failure, now=now)
        action = check.plan.on_unhealthy if before != check.verdict == UNHEALTHY else NOTHING
        return Consequence(event, kind, self._reported(check, result), lines, action)

    def _announce(self, *, passed: bool, now: float) -> tuple[EventCode, EventKind]:
        """The event of a result and its kind: a change of the status, or a result that agrees with it."""
        before, self.announced = self.announced, self._verdict()
        if self.announced != before:
            self.since = now
            return self.announced, CHANGE if self.announced else ""
        return (self.announced, CHECK) if self.announced == (HEALTHY if passed else UNHEALTHY) else ("", "")

    def _verdict(self) -> Verdict:
        verdicts = {check.verdict for check in self.checks if not check.plan.is_heartbeat}
        if UNHEALTHY in verdicts:
            return UNHEALTHY
        return HEALTHY if verdicts == {HEALTHY} else ""

    def _reported(self, check: CheckState, result: Result) -> Status:
        """The status for the catalogue: `passing` if this check passed and all others passed last."""
        if result.failure:
            limit = check.plan.critical_after
            return CRITICAL if limit and check.failures >= limit else ""
        return PASSING if self.all_pass else ""
