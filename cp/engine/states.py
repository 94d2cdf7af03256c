"""The states of a job and the moves between them. The one table; the reference pages are made from it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    # fmt: off
    JobState = Literal[
        "waiting", "skipped", "held", "scheduled", "running", "active",
        "pausing", "draining", "stopping", "terminating", "complete",
    ]
    # fmt: on


class State:
    WAITING: Final = "waiting"
    SKIPPED: Final = "skipped"
    HELD: Final = "held"
    SCHEDULED: Final = "scheduled"
    RUNNING: Final = "running"
    ACTIVE: Final = "active"
    PAUSING: Final = "pausing"
    DRAINING: Final = "draining"
    STOPPING: Final = "stopping"
    TERMINATING: Final = "terminating"
    COMPLETE: Final = "complete"


MEANINGS: dict[JobState, str] = {
    State.WAITING: "it waits for the event that starts it",
    State.SKIPPED: "the event that starts it can no longer come: the job that sends it has ended, or is skipped",
    State.HELD: "it was stopped on request; only a request, or a reload that changes it, starts it again",
    State.SCHEDULED: "it is a periodic job between two runs",
    State.RUNNING: "its process runs",
    State.ACTIVE: "it is started; it has no process, only a health check or a registration",
    State.PAUSING: "it pauses between an exit, or a failed start, and the next start",
    State.DRAINING: "it is deregistered, and its process goes on serving for the time of its `drain`",
    State.STOPPING: "`stopping` is published; the jobs that wait for it run",
    State.TERMINATING: "its process has got SIGTERM",
    State.COMPLETE: "it is done; only a request, or a reload that changes it, starts it again",
}

MOVES: dict[JobState, tuple[JobState, ...]] = {
    State.WAITING: (
        State.SKIPPED,
        State.HELD,
        State.SCHEDULED,
        State.RUNNING,
        State.ACTIVE,
        State.STOPPING,
        State.COMPLETE,
    ),
    State.SKIPPED: (
        State.WAITING,
        State.SCHEDULED,
        State.RUNNING,
        State.ACTIVE,
        State.STOPPING,
        State.COMPLETE,
    ),
    State.HELD: (State.SCHEDULED, State.RUNNING, State.ACTIVE, State.STOPPING, State.COMPLETE),
    State.SCHEDULED: (State.RUNNING, State.STOPPING),
    State.RUNNING: (
        State.WAITING,
        State.SCHEDULED,
        State.PAUSING,
        State.DRAINING,
        State.STOPPING,
        State.COMPLETE,
    ),
    State.ACTIVE: (State.DRAINING, State.STOPPING),
    State.PAUSING: (State.WAITING, State.RUNNING, State.STOPPING),
    State.DRAINING: (State.STOPPING,),
    State.STOPPING: (State.TERMINATING, State.COMPLETE),
    State.TERMINATING: (State.COMPLETE,),
    State.COMPLETE: (),
}

STOPPING_STATES: Final = (State.DRAINING, State.STOPPING, State.TERMINATING, State.COMPLETE)
