"""Runs of jobs: whether they are ready, and those that fail although their process lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.rules import SOON, expect

if TYPE_CHECKING:
    from cp.plan import OnFailure
    from tests.model.children import FakeProcess
    from tests.model.life import Life
    from tests.model.model import Model

ABRT, KILL, TERM = 6, 9, 15
PRECISION = 0.001  # seconds, of the watchdog


class Failure:
    """Why a run has failed, and what follows."""

    def __init__(self, why: str, then: OnFailure, at: float, seconds: float) -> None:
        self.why = why
        self.then = then
        self.at = at
        self.number = KILL if seconds < 0 else ABRT if why == "watchdog" else TERM  # the signal that ends it
        self.is_signalled = False
        self.kill_at = at + max(0.0, seconds)
        self.is_killed = seconds < 0


class Runs:
    """The current run of each job."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def process(self, life: Life) -> FakeProcess | None:
        """The process that has not come to its end, as far as the engine can know."""
        process = self._model.budget.running.get(life.name)
        return process if process is not None and not process.seen else None

    # --- readiness

    def began(self, life: Life) -> None:
        """The process of a run was started, or a job without one."""
        life.ready, life.was_ready, life.readiness_is_over, life.failure = False, False, False, None
        ready = life.job.ready
        self._reported(life, self._model.now if ready is None or ready.kind != "notify" else None)
        if ready is None and not life.health.is_checked:
            self.became_ready(life)

    def ended(self, life: Life) -> None:
        life.ready, life.failure, life.silent_since = False, None, None

    def became_ready(self, life: Life) -> None:
        """Its process has reported it, or it is healthy for the first time."""
        job = life.job
        lives = life.name in self._model.budget.running if job.command is not None else life.state == "active"
        if life.ready or life.readiness_is_over or life.failure is not None or not lives:
            return
        life.ready, life.was_ready, life.ready_at = True, True, self._model.now
        if job.ready is not None and job.ready.kind == "notify":
            self._reported(life, self._model.now)
        if life.is_ending:
            return
        if job.announces_ready:
            life.expected.append("ready")
        if job.ready is not None and life.health.all_passed:
            self._model.registrations.reported(life, "passing")

    def printed(self, life: Life, process: FakeProcess, line: str) -> None:
        ready = life.job.ready
        is_current = self._model.budget.running.get(life.name) is process
        if is_current and ready is not None and ready.kind == "log" and ready.text in line:
            self.became_ready(life)

    def notified(self, life: Life, message: str) -> None:
        """A process of the job sends this to its socket."""
        job = life.job
        if life.name not in self._model.budget.running:
            return
        if message == "READY=1" and job.ready is not None and job.ready.kind == "notify":
            self.became_ready(life)
        elif message == "WATCHDOG=1" and life.silent_since is not None:
            self._reported(life, self._model.now)
        elif message == "STOPPING=1" and life.failure is None:
            life.readiness_is_over, life.ready, life.silent_since = True, False, None

    def _reported(self, life: Life, at: float | None) -> None:
        """Its watchdog counts from now on, or not at all."""
        life.silent_since, life.silent_unseen = at, 0.0

    # --- failures

    def fail(self, life: Life, why: str, then: OnFailure) -> None:
        model = self._model
        can = life.state == "running" and life.failure is None and self.process(life) is not None
        if can and (life.hook or not model.stopping):
            life.failure = Failure(why, then, model.now, model.plan.stop_timeout)
            model.world.counts[f"failed: {why}"] += 1

    def failed_before(self, life: Life) -> bool:
        """Whether its run has failed in this moment, before what happens now. With a negative budget its SIGKILL comes
        after that, so that only the engine knows this order."""
        model = self._model
        reason = self._due(life, model.now)
        if reason is None or life.failure is not None or model.plan.stop_timeout >= 0:
            return False
        if not model.world.engine.jobs[life.name].runs.is_failing:
            return False
        self.fail(life, *reason)
        return True

    def _due(self, life: Life, now: float, number: int = KILL) -> tuple[str, OnFailure] | None:
        """Why its run has failed by now, if it is not ready or has been silent for too long; the reason for this signal
        if there are two."""
        ready, job = life.job.ready, life.job
        limit = ready.timeout if ready is not None and ready.on_timeout != "none" else None
        if (
            ready is not None
            and limit
            and number != ABRT
            and not life.was_ready
            and now >= life.started_at + limit - SOON
        ):
            return "ready.timeout", ready.on_timeout
        if (
            job.watchdog
            and number != TERM
            and life.silent_since is not None
            and now >= life.silent_since + job.watchdog - PRECISION
        ):
            return "watchdog", "restart"
        return None

    def signalled(self, life: Life, process: FakeProcess, number: int) -> bool:
        """True if the reason is that its run has failed."""
        model, now = self._model, self._model.now
        if model.budget.running.get(life.name) is not process:
            return False
        timed_out = number == KILL and model.world.log.timed_out == (life.name, now)
        timed_out = timed_out and not model.budget.overdue(process)  # the first of two SIGKILLs is for that
        if life.failure is None and not timed_out and (number != KILL or model.plan.stop_timeout < 0):
            reason = self._due(life, now, number)
            if reason is not None:
                self.fail(life, *reason)
        failure = life.failure
        if failure is None:
            return False
        if not failure.is_signalled and now == failure.at:
            expect(number == failure.number, "fails", f"{life} gets signal {number}: {failure.why}")
            failure.is_signalled = True
            process.killed = process.killed or number == KILL
            return True
        if number == KILL and not failure.is_killed and now >= failure.kill_at - SOON:
            failure.is_killed = process.killed = True
            return True
        return False

    # --- at rest

    def slept(self, seconds: float) -> None:
        """We were suspended, and so were the processes: that time is not silence."""
        for life in self._model.lives.values():
            life.silent_unseen += seconds

    def rests(self) -> None:
        model, now = self._model, self._model.now
        for life in model.lives.values():
            expect(not life.expected, "health", f"{life}: {life.expected} did not come")
            process, failure = self.process(life), life.failure
            if process is None or not process.alive:
                continue
            if failure is not None:
                expect(failure.is_signalled, "fails", f"{life} has failed ({failure.why}), and goes on")
                expect(process.killed or now <= failure.kill_at + SOON, "in time", f"{life} has failed, and lives")
            elif life.state == "running" and (life.hook or not model.stopping) and not model.left:
                reason = self._due(life, now - SOON - life.silent_unseen - PRECISION)
                expect(reason is None, "fails", f"{life} goes on: {reason}")
