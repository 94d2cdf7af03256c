"""The promises in words; `Broken` names the one that was not kept."""

from __future__ import annotations

SOON = 1e-6  # seconds: what is due by then is due now

# Each check of the model holds one of these.
PROMISES = {
    "one process": "a job never has two processes",
    "reasons": "a process is started only for a reason: its event, a restart, its interval, a request",
    "starts": "what is to start starts, at that moment",
    "restarts": "starts and restarts are counted exactly",
    "skipped": "a job is skipped while it waits for what can no longer come",
    "states": "a job is in the state that the model says",
    "ends": "a job ends only for a reason, and what is to end ends",
    "hooks first": "a process is terminated only when all jobs on `stopping` are done, or have used their time",
    "in time": "a terminated process gets SIGKILL when the budget or its own timeout is spent",
    "not early": "nothing is killed before its time",
    "unasked": "what is to be killed in a stop that nobody requested gets no SIGTERM in it",
    "given up": "what survives SIGKILL for two seconds is not waited for",
    "stop": "a stop begins for a reason, and when there is one",
    "stop ends": "a stop ends within its budget, counted from the end of the last hook",
    "one order": "all subscribers see all events, in one order",
    "event order": "events of a job come in their order: none after `stopped`, `error` right after `exitFailed`",
    "exits": "each end of a process is one exit event, of the right kind",
    "registered": "a registration is wanted only while its job runs and is healthy, and then it is",
    "checks": "health checks run at their interval, one at a time, and only while they count",
    "health": "a job is healthy when all checks have passed, and ready once in each run: then these events come",
    "fails": "a run fails for a reason, gets the signal to end, and is a failure whatever its code",
    "instances": "who applies the added and removed instances of each run of a job has the list that the last one gets",
    "changes": "a change replaces what differs, when it has ended; the client gets one answer",
    "exit code": "our exit code is the one that the page says",
    "nothing left": "at the end there is no process, no timer of a job, no open pipe, and no registration",
    "comes to rest": "the loop comes to rest",
}


class Broken(AssertionError):
    """`promise` is a key of PROMISES."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"broken: {PROMISES[promise]}: {detail}")
        self.promise = promise


class Unmodelled(Exception):
    """The scenario has come to something that the model does not describe: it ends here."""


def expect(kept: object, promise: str, detail: str = "") -> None:
    if not kept:
        raise Broken(promise, detail)
