"""Processes that were told to end: the time they have for it, and what is done with those that do not."""

from __future__ import annotations

from cp.engine.budget import Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.host import Host
    from cp.engine.run import Run

KILL_LIMIT = 2.0  # seconds that a killed process gets to disappear; then we go on without it


class Endings:
    """Terminates runs within one budget, kills what is left when it is spent, and gives up what survives that.

    `on_end()` is called soon after a run has ended, for whatever reason.
    """

    __slots__ = ("_budget", "_host", "_on_end", "_seconds", "_told")

    def __init__(self, host: Host, seconds: float, on_end: Callable[[], None]) -> None:
        self._host = host
        self._on_end = on_end
        self._seconds = seconds
        self._budget = Budget(host.loop, seconds, self._spent)
        self._told: set[Run] = set()  # to end; not what its own time limit has killed

    def renew(self, seconds: float) -> None:
        """From now on so many seconds, also for what was told to end before and has not ended."""
        self._budget.close()
        self._seconds = seconds
        self._budget = Budget(self._host.loop, seconds, self._spent)
        for run in tuple(self._told):
            self._hold(run)

    def charge(self, seconds: float) -> None:
        """So much of the budget was spent on something else."""
        self._budget.charge(seconds)

    def terminate(self, run: Run, group: bool) -> None:
        """SIGTERM; with a negative budget SIGKILL alone."""
        if run not in self._host.runs:
            return
        self._told.add(run)
        if self._seconds >= 0:
            run.terminate(group=group)
        self._hold(run)

    def kill(self, run: Run) -> None:
        """SIGKILL alone, whatever is left of the budget."""
        if run in self._host.runs:
            self._kill(run)

    def kill_everything(self) -> None:
        """Nothing has any time left, whether it was told to end or not."""
        self.renew(0.0)
        for run in tuple(self._host.runs):
            run.kill()

    def ended(self, run: Run) -> None:
        self._host.runs.discard(run)
        self._told.discard(run)
        self._budget.release(run)
        self._host.loop.call_soon(self._on_end)

    def _hold(self, run: Run) -> None:
        if run not in self._host.runs:
            return  # it had exited, and was waited for because of its output
        self._budget.hold(run)
        if self._budget.spent:
            self._kill(run)

    def _spent(self) -> None:
        for run in tuple(self._told):
            self._host.log.info(f"Killing Process {run.pid}: {run.label} did not end within stopTimeout")
            self._kill(run)

    def _kill(self, run: Run) -> None:
        run.kill()
        self._host.loop.call_later(KILL_LIMIT, self._give_up, run)

    def _give_up(self, run: Run) -> None:
        if run in self._host.runs:
            self._host.log.warning(f"going on without {run.label}: process {run.pid} survives SIGKILL")
            run.give_up()
