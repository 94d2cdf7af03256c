"""The effect of each signal to ContainerPilot in each phase: the table that test_signals.py tries row by row.

It says what docs/lifecycle.md says, at full length; a test holds the two together.
"""

from __future__ import annotations

import signal
from enum import Enum
from typing import NamedTuple

SERVICES, JOBS = "services", "jobs"
DIALECTS = (SERVICES, JOBS)

# Blocked since before the program was executed; while the application waits for a hook; while it runs; while a hook
# holds its end up.
BEFORE, PRE_START, RUNNING, STOP = "before the handlers", "preStart", "running", "stop"
PHASES = (BEFORE, PRE_START, RUNNING, STOP)

# All that a program can be sent. The C library keeps some for its threads (glibc 32 and 33).
ALL = tuple(sorted(int(number) for number in signal.valid_signals()))


class Kind(Enum):
    """The meaning of a signal."""

    STOP = "stop"
    RELOAD = "reload"
    MAINTENANCE = "maintenance"
    EVENT = "event"
    REOPEN_LOG = "the log file is opened again"
    PASSED_ON = "passed on"
    NOTHING = "nothing"
    KERNEL = "what the kernel does"  # it ends us, unless we are PID 1, which such signals do not reach
    KILL = "SIGKILL"
    HALT = "SIGSTOP"  # halts us until SIGCONT


class Effect(NamedTuple):
    """The visible effects of a signal."""

    app: bool = False  # the application gets it; in the jobs dialect its children too
    log: str = ""  # what the log says
    reopened: bool = False  # there is a new log file
    asks: bool = False  # it counts as a request to stop
    kills: bool = False  # it ends us at once
    halts: bool = False


NONE = Effect()

NAMES: dict[str, dict[Kind, tuple[str, ...]]] = {
    SERVICES: {
        Kind.STOP: ("SIGTERM", "SIGINT"),
        Kind.RELOAD: ("SIGHUP",),
        Kind.MAINTENANCE: ("SIGUSR1",),
    },
    JOBS: {
        Kind.STOP: ("SIGTERM", "SIGINT"),
        Kind.EVENT: ("SIGHUP", "SIGUSR2"),
        Kind.REOPEN_LOG: ("SIGUSR1",),
    },
}
IN_BOTH: dict[Kind, tuple[str, ...]] = {
    # SIGCHLD too: what it tells is that children may have exited, and none has.
    Kind.NOTHING: ("SIGPIPE", "SIGXFSZ", "SIGTTIN", "SIGTTOU", "SIGTSTP", "SIGCHLD"),
    Kind.KERNEL: ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGABRT"),
    Kind.KILL: ("SIGKILL",),
    Kind.HALT: ("SIGSTOP",),
}


def kind(dialect: str, number: int) -> Kind:
    for each, names in (*NAMES[dialect].items(), *IN_BOTH.items()):
        if number in {int(signal.Signals[name]) for name in names}:
            return each
    return Kind.PASSED_ON


def effect(dialect: str, phase: str, number: int, *, init: bool) -> Effect:
    """The effect of one signal, sent from outside of the container if ContainerPilot is PID 1 (`init`)."""
    means = kind(dialect, number)
    if means is Kind.STOP:
        return Effect(asks=True)
    if means is Kind.KILL or (means is Kind.KERNEL and not init):
        return Effect(kills=True)
    if means is Kind.HALT:
        return Effect(halts=True)
    if means is Kind.PASSED_ON and phase in (RUNNING, STOP):  # else there is no application to get it
        return Effect(app=True)
    if means is Kind.RELOAD and phase != STOP:  # a stop wins
        return Effect(log="Reloading configuration.")
    if means is Kind.MAINTENANCE and phase != STOP:
        return Effect(log="event: {enterMaintenance global}")
    if means is Kind.EVENT:
        return Effect(log=f"event: {{signal {signal.Signals(number).name}}}")
    if means is Kind.REOPEN_LOG and phase != BEFORE:  # before, it is opened for the first time
        return Effect(reopened=True)
    return NONE


def lives_on(dialect: str, phase: str, number: int, *, init: bool) -> bool:
    """Whether ContainerPilot goes on with what it did, so that one process can be sent all of them."""
    expected = effect(dialect, phase, number, init=init)
    return not (expected.asks or expected.kills)
