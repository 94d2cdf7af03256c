"""The states of a job and the moves between them. The one table; the reference pages are made from it."""

from __future__ import annotations


class State:
    WAITING = "waiting"
    SKIPPED = "skipped"
    HELD = "held"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    ACTIVE = "active"
    PAUSING = "pausing"
    DRAINING = "draining"
    TERMINATING = "terminating"
    COMPLETE = "complete"


MEANINGS = {
    State.WAITING: "it waits for the event that starts it",
    State.SKIPPED: "the event that starts it can no longer come: the job that sends it has ended, or is skipped",
    State.HELD: "it was stopped on request; only a request, or a reload that changes it, starts it again",
    State.SCHEDULED: "it is a periodic job between two runs",
    State.RUNNING: "its process runs",
    State.ACTIVE: "it is started; it has no process, only a health check or a registration",
    State.PAUSING: "it pauses between an exit, or a failed start, and the next start",
    State.DRAINING: "`stopping` is published; the jobs that wait for it run",
    State.TERMINATING: "its process has got SIGTERM",
    State.COMPLETE: "it is done; only a request, or a reload that changes it, starts it again",
}

MOVES = {
    State.WAITING: (
        State.SKIPPED,
        State.HELD,
        State.SCHEDULED,
        State.RUNNING,
        State.ACTIVE,
        State.DRAINING,
        State.COMPLETE,
    ),
    State.SKIPPED: (
        State.WAITING,
        State.SCHEDULED,
        State.RUNNING,
        State.ACTIVE,
        State.DRAINING,
        State.COMPLETE,
    ),
    State.HELD: (State.SCHEDULED, State.RUNNING, State.ACTIVE, State.DRAINING, State.COMPLETE),
    State.SCHEDULED: (State.RUNNING, State.DRAINING),
    State.RUNNING: (State.WAITING, State.SCHEDULED, State.PAUSING, State.DRAINING, State.COMPLETE),
    State.ACTIVE: (State.DRAINING,),
    State.PAUSING: (State.WAITING, State.RUNNING, State.DRAINING),
    State.DRAINING: (State.TERMINATING, State.COMPLETE),
    State.TERMINATING: (State.COMPLETE,),
    State.COMPLETE: (),
}

STOPPING_STATES = (State.DRAINING, State.TERMINATING, State.COMPLETE)
