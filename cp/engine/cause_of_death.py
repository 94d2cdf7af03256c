"""Why a run ended: what ContainerPilot did, or what the kernel's counters say about a death that it did not cause."""

from __future__ import annotations

from cp.engine.exit_status import PASSED_ON, Cause
from cp.platform.cgroup import Counters, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final, Protocol

    from cp import plan
    from cp.engine.exit_status import Exit

    class Run(Protocol):
        """What ContainerPilot did to a process."""

        @property
        def sent(self) -> Mapping[int, str]:
            """The signals that the process received from us, and why."""

        @property
        def failure(self) -> str: ...
        @property
        def timed_out(self) -> bool: ...

    class Group(Protocol):
        """The control group of ContainerPilot and its children."""

        def counters(self) -> Counters: ...
        def memory_limit(self) -> int | None: ...
        def pids_limit(self) -> int | None: ...


SIGKILL: Final = 9
KILLED_IN_SHELL = 137  # the exit status of a shell whose command died of SIGKILL
# Seconds for which a kill that the kernel counted may explain a death. Several processes that it kills at the same time
# are counted before the first of their deaths is explained.
EXPLAINS = 5.0

KILLED = "killed by somebody else: the kernel counted no kill for lack of memory"
KILLED_OR_MEMORY = "killed by somebody else, or out of memory: the kernel's counters are not available here"
MACHINE = "the memory of the machine was used up, or a limit above the one of this container was reached"
# What a failed run is called in `Run.failure`, and the words for it.
FAILURES: dict[str, str] = {
    "onUnhealthy": "its health check failed: `onUnhealthy`",
    "ready.timeout": "it was not ready in time: `ready.timeout`",
    "watchdog": "it sent no WATCHDOG=1 in time: `watchdog`",
}
# Why ContainerPilot ends a run, the values of `Context.stop_reason` and `Run.sent`.
STOPS: dict[str, str] = {
    "stop": "ContainerPilot stops",
    "kill": "ContainerPilot kills everything: `shutdownTimeout` is over, or a third signal asked for it",
    "reload": "a reload ends it",
    "request": "a request ends it: -stop or -restart",
}


class Deaths:
    """Finds the causes of deaths. A cause is None if the process ended by itself, or if nothing is known."""

    __slots__ = ("_at", "_group", "_kills", "_last", "_now", "first_hits")

    def __init__(self, group: Group, now: Callable[[], float], *, is_late: bool = False) -> None:
        """`now` is the clock of the loop. `is_late`: a run has failed already, and all that the kernel has counted may
        be about it: a container begins at 0."""
        self._group = group
        self._now = now
        self._last = Counters(0) if is_late else group.counters()
        self._kills = 0  # counted, and not yet the explanation of a death
        self._at = 0.0  # when they were counted
        self.first_hits = self._last.pids_limit

    def limit_hits(self) -> int:
        """How often the limit of processes was reached so far."""
        self._look()
        return self._last.pids_limit

    def cause(self, job: plan.Job, run: Run, end: Exit, hits_before: int) -> Cause | None:
        """The cause of an end; `hits_before` is the number of `limit_hits` at the start of the run."""
        if end.succeeded:
            return own_cause(job, run, end)
        self._look()
        cause = self._cause_of_kill(run, end) or own_cause(job, run, end)
        if self._last.pids_limit <= hits_before:
            return cause
        limit = self._group.pids_limit()
        text = f"the limit of {'processes' if limit is None else f'{limit} processes'} was reached"
        if cause is None:
            return Cause("pids", text, is_limit=True)
        return Cause(cause.code, f"{cause.text}; {text}", is_limit=True)

    def _look(self) -> None:
        counters, now = self._group.counters(), self._now()
        if now - self._at > EXPLAINS:
            self._kills = 0
        grown = (counters.out_of_memory or 0) - (self._last.out_of_memory or 0)
        if grown > 0:
            self._kills += grown
            self._at = now
        self._last = counters

    def _cause_of_kill(self, run: Run, end: Exit) -> Cause | None:
        """The cause of a SIGKILL that we did not send. It may have hit the only command of a shell."""
        is_killed = end.code == -SIGKILL
        if SIGKILL in run.sent or not (is_killed or (end.code == KILLED_IN_SHELL and not end.error)):
            return None
        if self._kills:
            self._kills -= 1
            limit = self._group.memory_limit()
            why = MACHINE if limit is None else f"the memory limit of {size_text(limit)} was reached"
            return Cause("oom", f"probably out of memory: {why}", is_limit=True)
        if not is_killed:
            return None
        return Cause("killed", KILLED_OR_MEMORY if self._last.out_of_memory is None else KILLED)


def own_cause(job: plan.Job, run: Run, end: Exit) -> Cause | None:
    """What ContainerPilot did to end a run; None if the process ended by itself."""
    is_killed = end.code == -SIGKILL and SIGKILL in run.sent
    if run.failure:
        text = FAILURES.get(run.failure, f"it failed: `{run.failure}`")
        return Cause(run.failure, f"{text}; it did not end in time" if is_killed else text)
    if run.timed_out:
        return Cause("timeout", f"its `timeout` of {job.timeout_text} is over")
    if end.code < 0 and run.sent.get(-end.code) == PASSED_ON:
        return Cause("signal", "the signal came through ContainerPilot")
    reasons = [reason for reason in run.sent.values() if reason in STOPS]
    if not reasons:
        return None
    reason = reasons[-1]
    was_asked = any(why in STOPS for number, why in run.sent.items() if number != SIGKILL)
    if is_killed and was_asked and reason != "kill":
        return Cause("stopTimeout", f"{STOPS[reason]}, and it did not end within `stopTimeout`")
    return Cause(reason, STOPS[reason])
