"""How a run ended: whether that is a success, and the words for it. Pure, but for the log."""

from __future__ import annotations

from cp.engine.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp import plan
    from cp.engine.context import Log
    from cp.engine.job import Job
    from cp.engine.run import Run

KILLED = 255  # exit code for a hook that a signal killed
NOT_ENDED = 1  # exit code of a process that lives, if we go on without it: we may not signal it

SIGNAL_WORDS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    10: "user defined signal 1",
    11: "segmentation fault",
    12: "user defined signal 2",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}


def describe_exit(code: int) -> str:
    """An exit in words: `exit status 7`, `signal: killed`."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal: {SIGNAL_WORDS.get(-code, f'signal {-code}')}"


def shell_code(code: int) -> int:
    """The exit code as shells and container tools report it: 128+N after a death by signal N."""
    return code if code >= 0 else 128 - code


def failure_code(failed: Job, code: int, jobs: Iterable[Job]) -> int:
    """The exit code of ContainerPilot after the failure of a job on which everything depends.

    That of the job, unless it should have come before the main job, and a request started that, and it has ended.
    """
    for job in jobs:
        if job.plan.main and job.state == State.COMPLETE and job.last_exit is not None and not failed.is_hook:
            return job.last_exit.outside
    return code if code >= 0 else KILLED


class Exit:
    """The end of a run. `code` is -N after a death by signal N; `error` is why the command could not be started."""

    __slots__ = ("at", "code", "error", "succeeded")

    def __init__(self, job: plan.Job, code: int, at: float, *, error: str = "", timed_out: bool = False) -> None:
        self.code = code
        self.at = at
        self.error = error
        # What we killed because its time was over, and what never ran, is a failure whatever its code.
        excused = not timed_out and not error and shell_code(code) in job.success_codes
        self.succeeded = code == 0 or excused

    @property
    def text(self) -> str:
        return self.error or describe_exit(self.code)

    @property
    def outside(self) -> int:
        """The exit code of ContainerPilot, if this was the main job."""
        return 0 if self.succeeded else shell_code(self.code)


def report_exit(log: Log, job: plan.Job, run: Run, end: Exit) -> None:
    """Log the end of a run; one that failed, or could not be started, as loudly as the plan wants it."""
    if end.succeeded:
        how = "without error" if end.code == 0 else f"with {end.text}, which counts as a success"
        log.debug(f"{run.label} exited {how}", run.log_fields)
        return
    message = f"{run.label} {job.failure_text.format(code=max(end.code, -1), reason=end.text)}"
    ended_by_us = run.interrupted and not run.timed_out and not job.main
    told_before = end.error and job.failure_level == "error"
    level = "debug" if ended_by_us or told_before else job.failure_level
    getattr(log, level)(message, run.log_fields)
