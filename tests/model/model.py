"""The permitted behaviour of the program, from docs/lifecycle.md and control.md: start, requests, maintenance, stop.

The model receives everything that can be seen from outside: events as they are published and delivered, processes that
start, get their signals, and end, desired states of the catalogue, requests. It never looks at how the engine works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.checks import Checks, command_of
from tests.model.life import COMPLETE, ENDING, EXITS, HELD, PAUSING, RUNNING, WAITING, Life
from tests.model.limits import Budget
from tests.model.registrations import Registrations
from tests.model.requests import Changes
from tests.model.rules import SOON, expect
from tests.model.runs import Runs
from tests.model.skips import SKIPPED, Skips

if TYPE_CHECKING:
    from cp import plan
    from tests.model.children import FakeProcess
    from tests.model.scenario import Child
    from tests.model.world import World


class Model:
    def __init__(self, world: World, first: plan.Plan) -> None:
        self.world = world
        self.plan = first
        self.lives: dict[str, Life] = {}
        self.changes = Changes(self)
        self.stopping = self.maintenance = self.stop_unasked = False
        self.stop_began = 0.0
        self.in_vain: set[str] | None = None  # the hooks that wait for what cannot come, when the stop ends the jobs
        self.stop_reasons: list[str] = []
        self.ended_in_change: Life | None = None
        self.ended_in_change_at = 0.0
        self.requests_to_stop = 0
        self.last_request_to_stop = -1.0
        self.exit_code = 0
        self.start_failed = False  # a job that is not a hook, and on which everything depends
        self.last_code = ""
        self.budget = Budget(self, first.stop_timeout)
        self.registrations = Registrations(self)
        self.checks = Checks(self)
        self.runs = Runs(self)
        self.skips = Skips(self)
        self.codes: dict[str, int] = {}  # of processes that have ended, whose exit was not announced yet
        self.failed_starts: set[str] = set()
        self.last_hook = 0.0  # when one ran last
        for job in first.jobs:
            self.lives[job.name] = Life(self, job, held=False)
        self.registrations.begin(list(self.lives.values()))

    @property
    def now(self) -> float:
        return self.world.loop.time

    @property
    def left(self) -> bool:
        """Everything was to be killed: the third request to stop, or the end of shutdownTimeout."""
        limit = self.plan.shutdown_timeout
        over = self.stopping and limit is not None and self.now >= self.stop_began + limit - SOON
        return over or self.requests_to_stop >= 3

    @property
    def hooks(self) -> set[str]:
        return {name for name, life in self.lives.items() if life.hook}

    # --- events

    def published(self, code: str, source: str) -> None:
        right_after = (self.last_code == "exitFailed") == (code == "error")
        expect(right_after, "event order", f"{code} of {source} after {self.last_code}")
        self.last_code = code
        life = self.lives.get(source)
        if code == "shutdown":
            self.stop_begins()
        elif code in EXITS and source.startswith("check."):
            self.checks.command_ended(self.lives[source.removeprefix("check.")], code == "exitSuccess")
        elif life is None:
            return
        elif code in EXITS:
            self.announced_exit(life, code)
        elif code == "stopping":
            life.stopping()
            self.registrations.ends(life)
        elif code == "stopped":
            self.completes(life)
        elif code == "timerExpired":
            waited = life.state == WAITING and not life.begun
            expect(waited and self.now + SOON >= life.born + (life.job.when.timeout or 0), "ends", f"{life} gave up")
            life.end_was_announced = True
        elif code in ("healthy", "unhealthy", "ready"):
            self.announced_health(life, code)

    def announced_health(self, life: Life, code: str) -> None:
        if code != "ready" and not any(check.source or check.probe for check in life.job.health):
            self.checks.ended(life, 0, code == "healthy")  # in the services dialect nobody receives the exit itself
        if code == "ready":
            life.catches_up_with_readiness()
        by_hand = code == "ready" and life.state in (WAITING, HELD) and self.changes.may_start_by_hand(life)
        if by_hand and life.job.command is None:
            life.begin("a request", uses_event=not life.hook)
        expect(life.expected[:1] == [code], "health", f"{life} is {code}, expected: {life.expected}")
        del life.expected[0]

    def announced_exit(self, life: Life, code: str) -> None:
        ended, process = self.codes.pop(life.name, None), self.budget.running.get(life.name)
        if ended is None:  # it was given up
            expect(process and process.doomed_at is not None, "exits", f"{life}: {code}, and it runs")
            ended = -9
        succeeded = ended == 0 and life.failure is None
        expect(succeeded == (code == "exitSuccess"), "exits", f"{life}: {code} for {ended}")
        fatal = ended != 0 and life.job.fatal and not self.budget.was_interrupted(life.name)
        failed_start = life.name in self.failed_starts
        self.failed_starts.discard(life.name)
        self.budget.released(life.name)
        self.last_hook = self.now if life.hook else self.last_hook
        life.exited(ended, failed_start=failed_start)
        if fatal:
            self.stop_reasons.append(f"{life.name} has failed")
            self.exit_code = ended if ended > 0 else 255
            self.start_failed = not life.hook
            self.prefer_main()

    def delivered(self, code: str, source: str) -> None:
        self.changes.delivered(code, source)
        for life in tuple(self.lives.values()):
            if (life.job.when.code, life.job.when.source) == (code, source):
                life.receive(code, source)

    def completes(self, life: Life) -> None:
        life.stopped()
        self.runs.ended(life)
        self.registrations.ends(life)
        if self.stopping and not self.left and life.starts and life.job.when.code == "stopping":
            self.budget.renew(self.plan.stop_timeout)
        for other in self.lives.values():
            other.awaited.discard(life.name)
        if life.job.main and not self.changes.is_replaced(life):
            self.take_code(life)
            self.stop_reasons.append("the main job has ended")
        elif life.job.main and self.changes.free_since >= self.now - SOON:
            # Just when a change began: it may count as an end by itself.
            self.ended_in_change, self.ended_in_change_at = life, self.now

    def take_code(self, main: Life) -> None:
        if main.exit_code is None and not (main.begun or self.stopping):
            self.exit_code = 1
        elif main.exit_code is not None:
            self.exit_code = main.exit_code if main.exit_code >= 0 else 128 - main.exit_code

    def prefer_main(self) -> None:
        """The code of a main job that was started by hand, and has ended, goes before that of a failed preStart."""
        for life in self.lives.values():
            if self.start_failed and life.job.main and life.state == COMPLETE and life.exit_code is not None:
                self.take_code(life)

    def hooks_on(self, life: Life, code: str) -> list[Life]:
        return [
            other
            for other in self.lives.values()
            if other.hook and other is not life and (other.job.when.code, other.job.when.source) == (code, life.name)
            if other.state not in (HELD, "stopping", COMPLETE)
        ]

    def can_come(self, hook: Life) -> bool:
        """Whether somebody can still send what a hook waits for."""
        seen = {hook.name}
        source = self.lives.get(hook.job.when.source)
        if source is not None and source is not hook:
            if self.in_vain is not None and not source.hook and source.ends_in_silence() and source.state != COMPLETE:
                self.completes(source)
            if source.state == COMPLETE:
                return False
        while self.stopping and (hook.job.when.code, hook.job.when.source) != ("shutdown", "global"):
            source = self.lives.get(hook.job.when.source)
            if source is None or source.name in seen:
                return False
            if not source.hook or source.state != WAITING:
                return True
            seen.add(source.name)
            hook = source
        return True

    # --- maintenance and signals

    def maintained(self, wanted: bool) -> None:
        if wanted == self.maintenance or self.stopping:
            return
        self.maintenance = wanted
        self.registrations.maintained(wanted)
        for life in self.lives.values():
            if wanted:
                life.health.forget()
            if not wanted and life.remembered and life.state not in (RUNNING, PAUSING):
                life.remembered = False
                life.receive(life.job.when.code, life.job.when.source)

    def signalled(self, name: str, number: int) -> None:
        if dict(self.plan.signals).get(name) != "stop":
            if name == "SIGUSR1" and dict(self.plan.signals).get(name) == "maintenance":
                self.maintained(not self.maintenance)
            return
        if self.requests_to_stop and self.now - self.last_request_to_stop < 0.2:
            return
        self.last_request_to_stop = self.now
        self.requests_to_stop += 1
        if self.requests_to_stop > 1 or self.stopping:
            return
        self.stop_reasons.append("it was requested")
        for life in self.lives.values():
            if life.job.main and life.job.command is not None and life.state == COMPLETE:
                self.take_code(life)
            elif life.job.main and life.job.command is not None and life.starts == 0:
                self.exit_code = 128 + number

    # --- the stop

    def all_are_done(self) -> bool:
        done = all(life.state == COMPLETE for life in self.lives.values())
        return done and bool(self.lives) and not self.changes.under_way

    def stop_begins(self) -> None:
        main = self.ended_in_change if self.ended_in_change_at == self.now else None
        skipped = 0 if self.changes.is_changing else self.skips.main
        reason = self.stop_reasons or self.all_are_done() or main or skipped
        expect(not self.stopping and reason, "stop", "it begins without a reason")
        if skipped and not self.stop_reasons:
            self.exit_code = skipped
        if main is not None and not self.stop_reasons:
            self.take_code(main)
        self.prefer_main()
        self.stopping, self.stop_began, self.last_hook = True, self.now, self.now
        self.stop_unasked = self.requests_to_stop == 0
        self.budget.renew(self.plan.stop_timeout)
        self.registrations.stop()
        for life in self.lives.values():
            life.ticks = 0
            if not life.hook:
                life.remembered = False
            elif life.state == PAUSING and life.waits_again():
                life.wait_again()

    def jobs_end(self) -> bool:
        """The services are gone, or had their time: from now on a stop ends the jobs."""
        if self.in_vain is None and self.stopping and self.registrations.gone():
            self.in_vain = set()
            self.in_vain |= {life.name for life in self.lives.values() if life.hook and not self.can_come(life)}
        return self.in_vain is not None

    # --- processes

    def spawned(self, name: str, child: Child) -> None:
        if name.startswith("check-"):
            life = self.lives[name.removeprefix("check-")]
            self.checks.started(life, command_of(life))
        else:
            self.lives[name].spawned()
            if child.start:
                self.codes[name] = 127 if child.start == "ENOENT" else 126
                self.failed_starts.add(name)
                self.changes.cannot_start(self.lives[name])

    def process_began(self, process: FakeProcess) -> None:
        life = self.lives[process.name.removeprefix("check-")]
        self.budget.began(process, life.job)
        if process.name == life.name:
            self.runs.began(life)

    def process_ended(self, process: FakeProcess, code: int) -> None:
        if self.budget.running.get(process.name) is not process:
            return
        if process.name.startswith("check-"):
            self.checks.codes[process.name.removeprefix("check-")] = code
        else:
            self.codes[process.name] = code

    def process_signalled(self, process: FakeProcess, number: int) -> None:
        life = self.lives.get(process.name)
        if process.name in self.budget.running_hooks():
            self.last_hook = self.now
        if life is not None and self.runs.signalled(life, process, number):
            return
        timed_out = self.budget.process_signalled(process, number)
        if life is not None and self.budget.running.get(process.name) is process and not timed_out:
            ending = self.stop_reasons or self.stopping or self.changes.is_replaced(life)
            overdue = self.budget.overdue(process) and ending
            if life.state != RUNNING or not life.hook or not (overdue or self.requests_to_stop >= 2):
                life.terminated()

    # --- at rest

    def moment_begins(self) -> None:
        for life in self.lives.values():
            life.time_passes()

    def rested(self) -> None:
        """Everything that belongs to this moment has happened: compare."""
        engine = self.world.engine
        if self.world.loop.stopped:
            return
        for life in self.lives.values():
            life.rests()
        expect(engine.jobs.keys() == self.lives.keys(), "changes", f"there are {set(engine.jobs)}")
        self.skips.rests({name for name, job in engine.jobs.items() if job.state == SKIPPED})
        for name, job in engine.jobs.items():
            state = self.skips.compare(self.lives[name], job.state)
            self.lives[name].compare(state, job.runs.count, job.restarts.count, job.restarts.left(self.now))
        if self.stop_reasons or self.all_are_done():
            expect(self.stopping, "stop", f"it does not begin: {self.stop_reasons or 'all jobs are done'}")
        self.budget.rests()
        self.checks.rests()
        self.runs.rests()
        self.registrations.rests()
        if self.stopping:
            self.stop_rests()

    def slept(self, seconds: float) -> None:
        """We were suspended: a stop could not go on meanwhile."""
        self.last_hook = self.now
        self.runs.slept(seconds)

    def stop_rests(self) -> None:
        running = self.budget.running_hooks()
        if running:
            self.last_hook = self.now
        seconds = max(0.0, self.plan.stop_timeout)
        latest = self.last_hook + min(1.0, seconds / 4) + seconds + 2 * 2.0
        waiting = [life for life in self.lives.values() if life.state != COMPLETE]
        detail = f"it goes on; {waiting} and {list(self.budget.running)} are left"
        expect(self.now <= latest + SOON, "stop ends", detail)
        if not self.jobs_end():
            return
        for life in waiting:
            needed = life.hook and (life.state == RUNNING or (life.state == WAITING and self.can_come(life)))
            last = life.job.stops_last and any(not other.job.stops_last for other in waiting)
            expect(life.state in ENDING or needed or last, "ends", f"{life} is not terminated by the stop")

    def ended(self) -> None:
        """The loop has ended, or never will."""
        expect(self.world.loop.stopped, "stop ends", f"it does not end: {list(self.lives.values())}")
        main_hangs = any(life.job.main and life.name in self.budget.running for life in self.lives.values())
        code = 137 if main_hangs else self.exit_code
        given = self.world.engine.exit_code
        expect(given == code, "exit code", f"it is {given}, not {code}")
        expect(not self.changes.requests, "changes", f"nobody answers {[each.kind for each in self.changes.requests]}")
