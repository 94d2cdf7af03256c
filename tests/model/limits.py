"""Times: the pauses between restarts, time limits, and the one budget of all terminated processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.rules import SOON, expect

if TYPE_CHECKING:
    from cp import plan
    from tests.model.children import FakeProcess
    from tests.model.model import Model

KILL, GIVEN_UP, OUTPUT_GRACE = 9, 2.0, 0.2


class Pauses:
    """The first restart comes at once, and so does one after a run of a second; otherwise 0.1 s, doubling to 10 s.

    Rules for restarts may set the shortest pause and the longest one.
    """

    def __init__(self, rules: plan.Restarts | None) -> None:
        self._least = (rules and rules.pause) or 0.0
        self._most = max(10.0, self._least) if rules is None or rules.max_pause is None else rules.max_pause
        self.last = 0.0
        self.used = False

    def after(self, seconds: float) -> float:
        if seconds >= 10:
            self.last, self.used = 0.0, False
        if not self.used or seconds >= 1:
            self.used = True
            return self._least
        self.last = min(max(2 * self._least or 0.1, 2 * self.last), self._most)
        return self.last


class Budget:
    """`running` is the last process of each job and check, until its end was announced."""

    def __init__(self, model: Model, seconds: float) -> None:
        self._model = model
        self.running: dict[str, FakeProcess] = {}
        self._limits: dict[FakeProcess, float] = {}  # the moments at which their own timeouts are over
        self._terminated: set[FakeProcess] = set()  # to end, and they have not
        self._timed_out: set[FakeProcess] = set()
        self._holders: set[FakeProcess] = set()
        self._left, self._since = max(0.0, seconds), 0.0
        self._counted = 0.0  # while anything held it, until `_since`
        self._spent_at = -1.0  # when one was spent, at the moment at which another took its place

    # --- the budget

    @property
    def remaining(self) -> float:
        return self._left - (self._model.now - self._since if self._holders else 0.0)

    def renew(self, seconds: float) -> None:
        if self._holders and self.remaining <= SOON:
            self._spent_at = self._model.now  # while we were suspended, perhaps: what is due then comes in any order
        self._left, self._since, self._counted = max(0.0, seconds), self._model.now, 0.0
        self._holders = set(self._terminated)

    def _count(self) -> None:
        now = self._model.now
        held = now - self._since if self._holders else 0.0
        self._left, self._since, self._counted = self._left - held, now, self._counted + held

    def hold(self, process: FakeProcess) -> None:
        self._count()
        self._holders.add(process)

    def let_go(self, process: FakeProcess) -> None:
        self._count()
        self._holders.discard(process)
        self._terminated.discard(process)

    def charge(self, seconds: float) -> None:
        """The first so many seconds of it went to the catalogue; what was counted of them already is so once."""
        self._count()
        self._left -= max(0.0, seconds - self._counted)

    # --- processes

    def began(self, process: FakeProcess, job: plan.Job) -> None:
        before = self.running.get(process.name)
        if before is not None and before.alive:
            given_up = before.doomed_at is not None and self._model.now >= before.doomed_at + GIVEN_UP - SOON
            is_check = process.name != job.name and before in self._terminated
            expect(given_up or is_check, "one process", f"{process.name}: another runs since {before.began - 100:g} s")
        self.running[process.name] = process
        of_check = next((check.timeout for check in job.health if check.command is not None), None)
        timeout = job.timeout if process.name == job.name else of_check
        if timeout:
            self._limits[process] = process.began + timeout

    def process_signalled(self, process: FakeProcess, number: int) -> bool:
        """True if its own time limit is why it is killed."""
        now, limit = self._model.now, self._limits.get(process)
        timed_out = number == KILL and limit is not None and now >= limit - SOON
        life = self._model.lives.get(process.name)
        unasked = self._model.stop_unasked and life is not None and life.job.killed_unasked
        expect(number == KILL or not unasked, "unasked", process.name)
        if timed_out:
            self._timed_out.add(process)
            del self._limits[process]
        elif number == KILL:
            at_once = self._model.plan.stop_timeout < 0
            allowed = self._model.left or at_once or unasked or self.remaining <= SOON or self._spent_at == now
            expect(allowed, "not early", f"{process.name} is killed, with {self.remaining:.3f} s left")
            process.doomed_at = now if process.doomed_at is None else process.doomed_at
        process.killed = process.killed or number == KILL
        if not timed_out and (self.running.get(process.name) is process or process.alive):
            self._terminated.add(process)
            self.hold(process)
        return timed_out

    def was_interrupted(self, name: str) -> bool:
        process = self.running.get(name)
        return process is not None and process in self._terminated and process not in self._timed_out

    def overdue(self, process: FakeProcess) -> bool:
        return process in self._timed_out

    def released(self, name: str) -> None:
        """Its end was announced."""
        process = self.running.pop(name, None)
        if process is not None:
            self.let_go(process)

    def running_hooks(self) -> list[str]:
        """Hooks that run and were not terminated."""
        lives = self._model.lives
        return [
            name
            for name, process in self.running.items()
            if name in lives and lives[name].hook and process not in self._terminated
        ]

    # --- at rest

    def release_checks(self) -> None:
        """Release the checks that have ended: nobody announces the end of every check."""
        now = self._model.now
        for name, process in tuple(self.running.items()):
            if name.startswith("check-") and not process.alive:
                is_terminated = process in self._terminated or process in self._timed_out
                given_up = process.doomed_at is not None and now >= process.doomed_at + GIVEN_UP - SOON
                over = now >= process.ended_at + OUTPUT_GRACE - SOON
                if not process.holds_output or given_up or (over and not is_terminated):
                    self.released(name)

    def rests(self) -> None:
        now = self._model.now
        self.release_checks()
        for name, process in self.running.items():
            limit = None if name.startswith("check-") and not process.alive else self._limits.get(process)
            expect(limit is None or now <= limit + SOON, "in time", f"{name} runs for longer than its timeout")
        spent = self.remaining <= SOON
        for process in tuple(self._terminated):
            current = self.running.get(process.name) is process
            given_up = process.doomed_at is not None and now >= process.doomed_at + GIVEN_UP - SOON
            ended = not process.alive and not process.holds_output
            if (given_up or ended) and (not current or process.name.startswith("check-")):
                self.let_go(process)
            elif process in self._holders:
                expect(not given_up, "given up", f"{process.name} hangs, and is waited for")
                expect(process.killed or not spent, "in time", f"the budget is spent, and {process.name} lives")
