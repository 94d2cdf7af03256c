"""How a run ended: whether that is a success, and the words for it. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp import plan

PASSED_ON = "signal"  # the reason of a signal that is not meant to end a run
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


class Cause:
    """Why a run ended. `code` is one of a few words, the value of a label. `is_limit`: the kernel enforced a limit."""

    __slots__ = ("code", "is_limit", "text")

    def __init__(self, code: str, text: str, *, is_limit: bool = False) -> None:
        self.code = code
        self.text = text
        self.is_limit = is_limit


class Exit:
    """The end of a run. `code` is -N after a death by signal N; `error` is why the command could not be started."""

    __slots__ = ("at", "cause", "code", "error", "succeeded")

    def __init__(self, job: plan.Job, code: int, at: float, *, error: str = "", is_failure: bool = False) -> None:
        """`is_failure`: we ended it, because its time was over or because it had failed."""
        self.code = code
        self.at = at
        self.error = error
        self.cause: Cause | None = None  # None: it ended by itself, or nothing is known
        # What we ended because it failed, and what never ran, is a failure whatever its code.
        self.succeeded = not is_failure and not error and (code == 0 or shell_code(code) in job.success_codes)

    @property
    def text(self) -> str:
        return self.error or describe_exit(self.code)

    @property
    def outside(self) -> int:
        """The exit code of ContainerPilot, if this was the main job."""
        return 0 if self.succeeded else shell_code(self.code) or 1
