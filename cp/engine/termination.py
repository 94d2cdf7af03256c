"""The termination of processes within one budget of time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.context import Context
    from cp.engine.leftovers import Leftovers
    from cp.engine.loop import Loop, Timer
    from cp.engine.ports import Terminable

KILL_LIMIT = 2.0  # seconds until ContainerPilot goes on without a killed process
MOST_PIDS = 10  # in one message
LEAST_KILL_LIMIT = 0.2  # for the leftovers at the end, if the others have used up that time


class StopBudget:
    """Counts down while anything holds it. `on_spent` is called once, when no time is left.

    With zero or negative seconds it is spent from the beginning, and `on_spent` is not called.
    """

    __slots__ = ("_counted", "_holders", "_left", "_loop", "_on_spent", "_since", "_timer")

    def __init__(self, loop: Loop, seconds: float, on_spent: Callable[[], None]) -> None:
        self._loop = loop
        self._left = max(0.0, seconds)
        self._counted = 0.0  # seconds for which it was held until `_since`
        self._on_spent = on_spent
        self._holders: set[object] = set()
        self._since = 0.0
        self._timer: Timer | None = None

    @property
    def spent(self) -> bool:
        return self._left <= 0

    def hold(self, holder: object) -> None:
        if not self._holders and not self.spent:
            self._resume()
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        self._holders.discard(holder)
        if not self._holders and self._timer is not None:
            self._pause(self._timer)

    def charge(self, seconds: float) -> None:
        """Charge the first `seconds` of it to something else. Time within them in which nothing held it counts too."""
        if self.spent:
            return
        timer = self._timer
        if timer is not None:
            self._pause(timer)
        self._left -= max(0.0, seconds - self._counted)
        if timer is not None:
            self._resume()

    def close(self) -> None:
        """Stop the countdown."""
        self._holders.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resume(self) -> None:
        self._since = self._loop.now()
        self._timer = self._loop.call_later(max(0.0, self._left), self._spend)

    def _pause(self, timer: Timer) -> None:
        timer.cancel()
        self._timer = None
        held = self._loop.now() - self._since
        self._counted += held
        self._left -= held

    def _spend(self) -> None:
        self._timer = None
        self._left = 0.0
        self._on_spent()


class Termination:
    """Terminates runs, kills those that are left when the budget is spent, and gives up those that survive SIGKILL.

    `on_end()` is called soon after a run has ended for any reason. `on_stuck(run)` is called if a run does not end: we
    may not signal it, or cannot find the processes that it left in the background. It may end later by itself.
    """

    __slots__ = (
        "_budget",
        "_context",
        "_killed_at",
        "_leftovers",
        "_on_end",
        "_on_stuck",
        "_seconds",
        "_stuck",
        "_terminated",
    )

    def __init__(
        self, context: Context, seconds: float, on_end: Callable[[], None], on_stuck: Callable[[Terminable], None]
    ) -> None:
        self._context = context
        self._on_end = on_end
        self._on_stuck = on_stuck
        self._seconds = seconds
        self._budget = StopBudget(context.loop, seconds, self._spent)
        self._terminated: set[Terminable] = set()  # and not ended; without runs that their own limit killed
        self._killed_at: float | None = None  # the last time that a run was, within this budget
        self._leftovers: Leftovers | None = None
        self._stuck: set[Terminable] = set()  # terminated before, and not any more: they do not end

    def renew(self, seconds: float) -> None:
        """Start a new budget, also for runs that were terminated before and have not ended."""
        self._budget.close()
        self._seconds = seconds
        self._killed_at = None
        self._budget = StopBudget(self._context.loop, seconds, self._spent)
        for run in tuple(self._terminated):
            self._hold(run)

    def charge(self, seconds: float) -> None:
        """Charge seconds of the budget to something else."""
        self._budget.charge(seconds)

    def terminate(self, run: Terminable, group: bool) -> None:
        """Send SIGTERM; with a negative budget only SIGKILL."""
        if run not in self._context.runs:
            return
        self._stuck.discard(run)
        self._terminated.add(run)
        if self._seconds >= 0:
            run.terminate(group=group)
        self._hold(run)

    def kill(self, run: Terminable) -> None:
        """Send only SIGKILL, whatever is left of the budget."""
        if run in self._context.runs:
            self._kill(run)

    def kill_everything(self) -> None:
        """Kill all runs, whether they were terminated or not."""
        self.renew(0.0)
        self.end_leftovers()
        for run in tuple(self._context.runs):
            run.kill()

    def retry(self) -> None:
        """Terminate the runs again that did not end."""
        for run in tuple(self._stuck):
            self.terminate(run, True)

    def end_leftovers(self) -> bool:
        """Terminate the processes that runs left in the background; False if there are none, or if that is done.

        The members of a run's group receive SIGKILL. Processes with a session of their own receive SIGTERM first.
        """
        processes = self._context.processes
        if self._leftovers is not None or not processes.has_children():
            return False
        processes.kill_left_groups()
        try:
            from cp.engine.leftovers import Leftovers
        except (ImportError, OSError, MemoryError):
            return False  # the groups of the runs are killed without it
        self._leftovers = Leftovers(self._context)
        self._context.runs.add(self._leftovers)
        self.terminate(self._leftovers, True)
        return True

    def stuck(self, run: Terminable) -> None:
        """A run does not end."""
        if run not in self._context.runs:
            return
        self._context.log.warning(f"cannot end {run.label}: {run.obstacle()}")
        if run in self._terminated:
            self._terminated.discard(run)
            self._stuck.add(run)
        self._budget.release(run)
        self._on_stuck(run)

    def ended(self, run: Terminable) -> None:
        self._context.runs.discard(run)
        self._terminated.discard(run)
        self._stuck.discard(run)
        self._budget.release(run)
        if self._leftovers is not None:
            self._leftovers.run_ended()
        self._context.loop.call_soon(self._on_end)

    def _hold(self, run: Terminable) -> None:
        if run not in self._context.runs:
            return  # it had exited; only its output was open
        self._budget.hold(run)
        if self._budget.spent:
            self._kill(run)

    def _spent(self) -> None:
        for run in tuple(self._terminated):
            if not run.is_forbidden:
                who, pids = run.target
                what = f"Killing Process {_list(pids)}: {who}" if pids else f"Killing {who}: it"
                self._context.log.info(f"{what} did not end within stopTimeout")
            self._kill(run)

    def _kill(self, run: Terminable) -> None:
        run.kill()
        self._context.loop.call_later(self._kill_limit(run), self._give_up, run)

    def _kill_limit(self, run: Terminable) -> float:
        """Seconds that a run has to disappear after SIGKILL; for the leftovers, what the other runs left of them."""
        now = self._context.loop.now()
        if run.is_forbidden:
            return 0.0
        if run is self._leftovers and self._killed_at is not None:
            return max(LEAST_KILL_LIMIT, self._killed_at + KILL_LIMIT - now)
        self._killed_at = now
        return KILL_LIMIT

    def _give_up(self, run: Terminable) -> None:
        if run not in self._context.runs or run in self._stuck:
            return
        if run.obstacle():
            self.stuck(run)
        else:
            who, pids = run.target
            what = f"process {_list(pids)}" if pids else "it"
            self._context.log.warning(f"going on without {who}: {what} survives SIGKILL")
            run.give_up()


def _list(pids: list[int]) -> str:
    more = len(pids) - MOST_PIDS
    return ", ".join(map(str, pids[:MOST_PIDS])) + (f" and {more} more" if more > 0 else "")
