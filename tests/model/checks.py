"""Health checks: when they run, what their results mean for the health of their job, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.rules import SOON, expect

if TYPE_CHECKING:
    from cp import plan
    from tests.model.life import Life
    from tests.model.model import Model

HEALTHY, UNHEALTHY = "healthy", "unhealthy"


class CheckLife:
    """One check of a job: the results that count for the current run."""

    def __init__(self, check: plan.Check) -> None:
        self.plan = check
        self.verdict = ""
        self.failures = self.passes = 0  # in a row
        self.has_passed = False
        self.first = self.last = 0.0  # when the first check is due, and when the last one began
        self.ended_at = 0.0
        self.is_running = False  # without a process
        self.keeps_time = False  # the last check began with a tick of the usual interval, and so does the next one
        self.began_in = 0  # how many interruptions there had been when the last check began

    @property
    def pace(self) -> float:
        """Seconds to the first check of a job."""
        return self.plan.start_interval or self.plan.interval


class HealthLife:
    """The health of one job. `status` is the code of its last event, if that is still true."""

    def __init__(self, checks: tuple[plan.Check, ...], now: float) -> None:
        self.checks = [CheckLife(check) for check in checks]
        self.status = ""
        self.since = now  # the beginning of the run

    @property
    def is_checked(self) -> bool:
        return any(not check.plan.is_heartbeat for check in self.checks)

    @property
    def all_passed(self) -> bool:
        """Whether it is healthy, and each check has passed last."""
        return self.status == HEALTHY and not any(check.failures for check in self.checks)

    def reset(self, now: float) -> None:
        """A run begins, or has ended."""
        self.status, self.since = "", now
        for check in self.checks:
            check.verdict, check.passes, check.has_passed, check.keeps_time = "", 0, False, False
            if check.plan.failures > 1:
                check.failures = 0

    def forget(self) -> None:
        """Maintenance begins; the run goes on."""
        self.status = ""
        for check in self.checks:
            check.verdict, check.passes, check.failures = "", 0, 0

    def is_starting(self, check: CheckLife, now: float) -> bool:
        return not check.has_passed and now < self.since + check.plan.start_period

    def take(self, check: CheckLife, passed: bool, now: float) -> str:
        """Count a result; the event that it causes."""
        if passed:
            check.failures, check.has_passed = 0, True
            check.passes += 1
            if not check.verdict or check.passes >= check.plan.passes:
                check.verdict = HEALTHY
        elif not self.is_starting(check, now):
            check.passes = 0
            check.failures += 1
            if check.failures >= check.plan.failures:
                check.verdict = UNHEALTHY
        verdicts = {each.verdict for each in self.checks}
        before = self.status
        self.status = UNHEALTHY if UNHEALTHY in verdicts else HEALTHY if verdicts == {HEALTHY} else ""
        agrees = self.status == (HEALTHY if passed else UNHEALTHY)
        return self.status if agrees or self.status != before else ""


class Checks:
    """The checks of all jobs."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.codes: dict[str, int] = {}  # of processes of checks that have ended, by the name of the job

    def started(self, life: Life, number: int) -> None:
        """A check begins: by a process, by a probe, or as a heartbeat."""
        model, check = self._model, life.health.checks[number]
        now = model.now
        due = now >= check.first - SOON
        expect(due and model.registrations.is_checked(life), "checks", f"{life} is checked")
        made_up = check.ended_at == now
        early = check.keeps_time and not made_up and now < check.last + check.plan.interval - SOON
        expect(not early, "checks", f"{life} is checked {now - check.last:.3f} s after the last check")
        started_late = check.plan.start_interval and life.health.is_starting(check, now)
        check.keeps_time = not (made_up or started_late or model.world.was_late)
        check.last, check.began_in = now, life.interruptions
        if check.plan.probe is not None:
            expect(not check.is_running, "checks", f"{life} has two probes")
            check.is_running = True
        self.codes.pop(life.name, None)

    def ended(self, life: Life, number: int, passed: bool) -> None:
        """A check has come to its end; mostly that counts."""
        model, check = self._model, life.health.checks[number]
        check.is_running, check.ended_at = False, model.now
        if not model.registrations.is_checked(life) or check.began_in != life.interruptions:
            return
        if model.runs.failed_before(life):
            return
        before = check.verdict
        event = life.health.take(check, passed, model.now)
        if event:
            life.expected.append(event)
        if event == HEALTHY and (life.job.ready is None or life.job.ready.kind == "health"):
            model.runs.became_ready(life)
        limit = check.plan.critical_after
        if passed and life.health.all_passed:
            model.registrations.reported(life, "passing")
        elif not passed and limit and check.failures >= limit:
            model.registrations.reported(life, "critical")
        if before != check.verdict == UNHEALTHY and check.plan.on_unhealthy != "none":
            model.runs.fail(life, "onUnhealthy", check.plan.on_unhealthy)

    def command_ended(self, life: Life, passed: bool) -> None:
        """The engine says how the command of a check has ended, or that it cannot be started."""
        code = self.codes.pop(life.name, None)
        expect(code is None or (code == 0) == passed, "checks", f"a check of {life} ended with {code}")
        self.ended(life, command_of(life), passed)

    def cancelled(self, life: Life, number: int) -> None:
        """A probe is cancelled."""
        self.life_has_ended(life)
        life.health.checks[number].is_running = False

    def life_has_ended(self, life: Life) -> None:
        ends = life.is_ending or self._model.stopping or life.over or self._model.changes.is_replaced(life)
        expect(ends or life.may_end(), "checks", f"a check of {life} is cancelled")

    def rests(self) -> None:
        model = self._model
        for life in model.lives.values():
            for number, check in enumerate(life.health.checks):
                expect(not check.is_running or not (life.is_ending or model.stopping), "checks", f"{life} has a probe")
                self._is_in_time(life, number, check)

    def _is_in_time(self, life: Life, number: int, check: CheckLife) -> None:
        model = self._model
        is_seen = not check.plan.is_heartbeat or (life.job.service is not None and model.registrations.may_be(life))
        if not is_seen or not model.registrations.is_checked(life):
            return
        pace, now = max(check.plan.interval, check.plan.start_interval), model.now
        since = max(check.last, life.resumed_at, model.registrations.counting_since, life.ready_at)
        if check.plan.start_interval:
            since = max(since, life.health.since)  # a run changes its pace
        in_run = life.health.since == life.since  # an event for a job without a process changes no pace
        if check.plan.start_interval and in_run and life.health.is_starting(check, now):
            pace = check.plan.start_interval
        running = check.is_running or (check.plan.command is not None and f"check-{life.name}" in model.budget.running)
        late = now > since + pace + SOON
        expect(running or not late, "checks", f"{life} was not checked (check {number}) for longer than its interval")


def command_of(life: Life) -> int:
    """The number of the check by a command: a job of a scenario has one at most."""
    return next(number for number, check in enumerate(life.job.health) if check.command is not None)
