"""The permitted life of one job from its beginning to its end, as docs/jobs.md describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.checks import HealthLife
from tests.model.limits import Pauses
from tests.model.rules import SOON, Broken, expect

if TYPE_CHECKING:
    from cp import plan
    from tests.model.model import Model
    from tests.model.runs import Failure

WAITING, HELD, SCHEDULED, RUNNING, ACTIVE = "waiting", "held", "scheduled", "running", "active"
PAUSING, STOPPING, TERMINATING, COMPLETE = "pausing", "stopping", "terminating", "complete"
ENDING = (STOPPING, TERMINATING, COMPLETE)
EXITS = ("exitSuccess", "exitFailed")


class Life:
    """One life of a job: from its configuration or a request to `complete`."""

    def __init__(self, model: Model, job: plan.Job, *, held: bool) -> None:
        self.model, self.job, self.name = model, job, job.name
        self.state = HELD if held else WAITING
        self.since = self.born = model.now
        self.hook = job.command is not None and job.when.code in ("stopping", "stopped", "shutdown")
        self.starts = self.restarts = 0
        self.restarts_left = job.restarts
        self.restarted_at: list[float] = []
        self.event_left = True  # its event may start it; once, unless it is an `each`
        self.remembered = self.had_remembered = False  # an event that came while it ran
        self.begun = False
        self.owed = ""  # why it must be started at this moment
        self.came_for_its_event = False  # the last start
        self.over = ""  # why it must end at this moment
        self.pauses = Pauses(job.restart_rules)
        self.due = 0.0  # the end of a pause
        self.interruptions = 0  # how many pauses there were, in which it has no process
        self.resumed_at = 0.0  # the end of the last one
        self.restarting = False  # and then it is started; otherwise it waits
        self.tick = 0.0  # when the next one comes
        self.ticks = 0  # that came at this moment
        self.started_at = -1.0
        self.extra_tick = 0  # one may be remembered: it came at the moment at which this run began
        self.awaited: set[str] = set()
        self.stopping_until = 0.0
        self.exit_code: int | None = None
        self.health = HealthLife(job.health, self.since)
        self.expected: list[str] = []  # events about its health that must come next
        self.ready = self.was_ready = False  # in the current run
        self.ready_at = 0.0
        self.readiness_is_over = False  # its process has announced its end
        self.failure: Failure | None = None  # of the current run, whose process is about to end for it
        self.silent_since: float | None = None  # if its watchdog counts
        self.silent_unseen = 0.0  # seconds since then in which we were suspended
        self.end_was_announced = False

    def __repr__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def is_ending(self) -> bool:
        return self.state in ENDING

    @property
    def is_ready(self) -> bool:
        return self.ready and self.failure is None and not self.is_ending

    def move(self, state: str) -> None:
        if self.state == PAUSING:
            self.resumed_at = self.model.now
        self.state, self.since = state, self.model.now

    def pause(self, seconds: float, *, restarting: bool) -> None:
        self.due, self.restarting = self.model.now + seconds, restarting
        if seconds or restarting:
            self.interruptions += 1
            self.health.reset(self.model.now)
        self.move(PAUSING)

    # --- starting

    def receive(self, code: str, source: str) -> None:
        """The event that it waits for has come."""
        model, job = self.model, self.job
        if self.state in (HELD, *ENDING) or not self.event_left or (model.stopping and not self.hook):
            return
        if source == self.name and code in EXITS:
            return  # it is not started by its own exit
        if self.state in (RUNNING, PAUSING) or (model.maintenance and job.pauses_in_maintenance and job.when.each):
            self.remembered = True
        elif self.state == ACTIVE:
            self.health.reset(self.model.now)
        else:
            self.begin("its event")

    def begin(self, why: str, *, uses_event: bool = True) -> None:
        when = self.job.when
        self.remembered = False
        if uses_event and not (when.each and not self.hook):
            self.event_left = False
        if not self.begun:
            for check in self.health.checks:
                check.first, check.last = self.model.now + check.pace, self.model.now
        self.begun = True
        if when.interval:
            self.tick = self.model.now + (when.delay or when.interval)
        if when.delay:
            self.move(SCHEDULED)
        elif self.job.command is None:
            self.starts += 1
            self.health.reset(self.model.now)
            self.move(ACTIVE)
            self.model.runs.began(self)
        else:
            self.owed = why

    def spawned(self) -> None:
        """A process of it was started, or could not be."""
        over = self.state == PAUSING and self.due <= self.model.now + SOON
        self.catches_up_with_readiness()
        by_hand = not self.owed and self.state == SCHEDULED and self.model.changes.may_start_by_hand(self)
        if by_hand:
            self.started_by_hand()
        elif not self.owed and over and self.restarting:
            self.restart()
        elif not self.owed and over and self.remembered:
            self.wait_again()
        elif not self.owed and self.state == SCHEDULED and (self.ticks or self.extra_tick):
            self.ticks = self.extra_tick = 0
            self.ticked()
        elif not self.owed and self.model.changes.may_start_by_hand(self):
            self.started_by_hand()
        expect(self.owed, "reasons", f"{self} was started")
        self.came_for_its_event = self.owed == "its event"
        self.owed = ""
        self.starts += 1
        self.started_at = self.model.now
        self.health.reset(self.model.now)
        self.move(RUNNING)

    def catches_up_with_readiness(self) -> None:
        """What it waits for was ready before it began, in the same moment; the event is still on its way."""
        code, source = self.job.when.code, self.job.when.source
        sender = self.model.lives.get(source)
        begins = self.born == self.model.now and self.state == WAITING and not self.owed
        if begins and code == "ready" and sender is not None and sender.is_ready:
            self.receive(code, source)

    def started_by_hand(self) -> None:
        if self.state == PAUSING:
            self.restart()
        elif self.state == SCHEDULED:
            self.owed = "a request"
        elif self.state in (WAITING, HELD):
            self.begin("a request", uses_event=not self.hook)

    def restart(self) -> None:
        self.restarts += 1
        self.restarted_at.append(self.model.now)
        if self.remembered and not (self.job.when.each and not self.hook):
            self.event_left = False  # this is the run that it was remembered for
        self.remembered = False
        self.owed = "a restart"

    def ticked(self) -> None:
        """Its next run is due."""
        model = self.model
        if model.stopping or (model.maintenance and self.job.pauses_in_maintenance):
            return
        if self.state == RUNNING:
            self.remembered = True
        elif self.state == SCHEDULED and self.may_restart(first=self.starts == 0):
            self.owed = "its interval"
        elif self.state == SCHEDULED:
            self.over = "its runs are used up"

    def may_restart(self, *, first: bool = False) -> bool:
        if first:
            return True
        if self.restarts_left is None:
            return not (self.hook and self.job.when.code == "stopping")  # somebody waits for it
        if self.restarts_left == 0:
            return False
        self.restarts_left -= 1
        return True

    def pause_before_restart(self, lasted: float) -> float | None:
        """None: it is not restarted."""
        rules, number = self.job.restart_rules, self.restarts_left
        if rules is not None and rules.on_failure and self.exit_code == 0:
            return None
        if rules is None or rules.per is None or not number:
            return self.pauses.after(lasted) if self.may_restart() else None
        pause = self.pauses.after(lasted)
        start = self.model.now + pause
        if self.restarts_within(start) < number:
            return pause
        return sorted(self.restarted_at)[-number] + rules.per - self.model.now if rules.delays else None

    def restarts_within(self, at: float) -> int:
        """The number of its restarts that count at this time."""
        per = self.job.restart_rules.per if self.job.restart_rules is not None else None
        return 0 if per is None else sum(time + per > at for time in self.restarted_at)

    # --- ending

    def exited(self, code: int, *, failed_start: bool) -> None:
        """Its process has ended."""
        expect(self.state in (RUNNING, STOPPING, TERMINATING), "exits", f"{self} has ended, and did not run")
        failure = self.failure
        self.exit_code = code if failure is None else code or 1
        self.resumed_at = self.resumed_at if failure is None else self.model.now  # it is checked again
        self.model.runs.ended(self)
        if self.state == TERMINATING:
            self.over = "it was terminated"
        elif self.state == RUNNING and failure is not None and failure.then == "stop":
            self.over = "its run has failed"
        elif self.state == RUNNING:
            self.after_run(failed_start=failed_start)

    def after_run(self, *, failed_start: bool) -> None:
        model, stopping = self.model, self.model.stopping
        lasted = model.now - self.since
        if self.job.when.interval and not stopping:
            self.move(SCHEDULED)
            if self.remembered:
                self.remembered = False
                self.ticked()
        elif not stopping and (pause := self.pause_before_restart(lasted)) is not None:
            self.pause(pause, restarting=True)
        elif self.waits_again():
            pause = self.pauses.after(lasted) if failed_start and not stopping else 0.0
            self.pause(pause, restarting=False)
            if not pause:
                self.wait_again()
        else:
            self.over = "it has run"

    def waits_again(self) -> bool:
        """Whether its event may still come. A hook that was started by hand still waits for its own."""
        if not self.hook:
            return not self.model.stopping and (self.event_left or self.remembered)
        return self.event_left and not self.model.left and (self.remembered or self.model.can_come(self))

    def wait_again(self) -> None:
        remembered, self.remembered = self.remembered, False
        self.move(WAITING)
        if remembered:
            self.receive(self.job.when.code, self.job.when.source)

    def may_end(self) -> str:
        """Why it may end now, or be on its way to the end; empty if it may not."""
        model, code = self.model, self.job.when.code
        stop = model.jobs_end()
        if (self.ticks or self.extra_tick) and self.state == SCHEDULED and self.restarts_left == 0:
            self.ticks = self.extra_tick = 0
            self.ticked()
        if self.over or model.left or model.changes.is_replaced(self):
            return self.over or "requested"
        if self.gives_up():
            return "its event has not come"
        if self.hook and self.state in (WAITING, HELD) and not model.can_come(self):
            return "what it waits for cannot come"
        if not stop:
            return ""
        if not self.hook:
            return "the stop"
        if self.state in (HELD, PAUSING) or self.name in (model.in_vain or ()):
            return "the stop"
        ran_before = self.state == RUNNING and code == "stopped" and self.since <= model.stop_began + SOON
        return "the stop" if ran_before and not self.waits_again() else ""

    def gives_up(self) -> bool:
        """Its event has not come in time. What a hook waits for comes at the latest at the end."""
        return self.end_was_announced and not self.begun and not self.hook and self.state == WAITING

    def ends_in_silence(self) -> bool:
        return not (self.begun or self.job.announces_unstarted)

    def stopping(self) -> None:
        """`stopping` was announced."""
        expect(self.state not in ENDING, "event order", f"`stopping` of {self}")
        expect(self.may_end(), "ends", f"{self} is about to end, and nobody requested it")
        self.awaited = {hook.name for hook in self.model.hooks_on(self, "stopping")}
        limit = self.job.stop_timeout
        self.stopping_until = self.model.now + limit if limit else float("inf")
        self.finish_waiting()
        self.move(STOPPING)

    def finish_waiting(self) -> None:
        self.had_remembered = self.had_remembered or self.remembered
        self.owed, self.over, self.ticks, self.remembered, self.event_left = "", "", 0, False, False

    def stopped(self) -> None:
        """`stopped` was announced, or its end is not announced to anybody."""
        expect(self.state != COMPLETE, "event order", f"`stopped` of {self}")
        expect(self.state in ENDING or self.may_end(), "ends", f"{self} has ended, and nobody requested it")
        if self.state == STOPPING:
            self.hooks_have_run()
        self.finish_waiting()
        self.move(COMPLETE)

    def terminated(self) -> None:
        requested_again = self.hook and self.model.requests_to_stop >= 2
        if self.state == STOPPING and self.awaited and (self.model.left or requested_again):
            return  # it is killed with everything; or it is a hook itself, and not waited for any longer
        if self.state == STOPPING:
            self.hooks_have_run()
            self.move(TERMINATING)
        else:
            allowed = self.state in ENDING or requested_again or self.model.left
            expect(allowed, "ends", f"the process of {self} was terminated")

    def hooks_have_run(self) -> None:
        waited = self.model.now + SOON >= self.stopping_until or self.model.left
        expect(waited or not self.awaited, "hooks first", f"{self} ends before {', '.join(self.awaited)}")

    # --- at rest

    def time_passes(self) -> None:
        """A new moment begins: count the ticks that belong to it."""
        if self.tick and self.tick <= self.model.now + SOON and self.state not in (HELD, *ENDING):
            interval = self.job.when.interval or 0.0
            self.tick += interval * (1 + max(0, int((self.model.now - self.tick) / interval)))
            self.ticks = 0 if self.model.stopping else 1

    def rests(self) -> None:
        """All that belongs to this moment has happened."""
        now = self.model.now
        if self.ticks and self.started_at == now:
            self.extra_tick = 1  # it came before that start, or after it
        elif self.ticks:
            self.ticked()
        self.ticks = 0
        if self.state != RUNNING:
            self.extra_tick = 0
        if self.state == PAUSING and self.due <= now + SOON and not self.restarting and not self.model.stopping:
            self.wait_again()
        overdue = self.state == PAUSING and self.due <= now + SOON and not self.model.stopping
        if self.owed or overdue:
            raise Broken("starts", f"{self}: {self.owed or 'restart'}")
        if self.over and self.state not in ENDING:
            raise Broken("ends", f"{self}: {self.over}, and it goes on")
        if self.gives_up():
            raise Broken("ends", f"{self} waits for longer than its timeout")
        timeout = self.job.when.timeout
        if timeout and self.state == WAITING and not self.begun and not self.model.stopping:
            late = now > self.born + timeout + SOON
            expect(self.end_was_announced or not late, "ends", f"{self} waits for longer than its timeout")
        if self.state == STOPPING:
            waits = self.awaited and now < self.stopping_until + SOON
            expect(waits, "ends", f"{self} waits for nobody")

    def left(self) -> int | None:
        return self.restarts_left and max(0, self.restarts_left - self.restarts_within(self.model.now))

    def compare(self, state: str, starts: int, restarts: int, left: int | None) -> None:
        """Compares with the engine's report about the job."""
        if state == COMPLETE != self.state and self.ends_in_silence():
            self.model.completes(self)  # nobody receives an event
        now = self.model.now
        if state == WAITING and self.state == PAUSING and not self.restarting and self.due <= now + SOON:
            # Its pause and the time before the stop were over in the same moment, in this order.
            expect(self.model.stop_began >= now - SOON, "states", f"{self} is {state}")
            self.move(WAITING)
        if state != self.state:
            raise Broken("states", f"{self} is {state}")
        if self.state == COMPLETE:  # what was left of its restarts when it was replaced is nobody's business
            left = self.left()
        seen, counted = (starts, restarts, left), (self.starts, self.restarts, self.left())
        if seen != counted:
            raise Broken("restarts", f"{self}: starts, restarts, left are {seen}, not {counted}")
