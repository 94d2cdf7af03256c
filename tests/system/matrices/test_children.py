"""Attributes of children, read back from /proc: signals, groups, terminal, descriptors, limits."""

from __future__ import annotations

import os
import pty
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.size import CASES, FULL
from tests.system.matrices import children
from tests.system.matrices.children import KINDS, SAME, SIGNALS, Traits, each, traits
from tests.system.matrices.signals import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

    Record = Callable[[str, object], None]

NONE = dict.fromkeys(SIGNALS, 0)
EVERY = sorted(signal.valid_signals())
OOM, UMASK, FILES = "150", "0027", 1234
NICER, MOST_NICE = 5, 19

# What we are started with, as commands that end in ours.
IGNORING = [
    sys.executable,
    "-c",
    "import os, signal, sys\n"
    "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
    "    signal.signal(number, signal.SIG_IGN)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n",
]
LIMITED = [
    "sh",
    "-c",
    f'umask {UMASK}; ulimit -n {FILES}; ulimit -c 0; echo {OOM} >/proc/self/oom_score_adj; exec nice -n {NICER} "$@"',
    "sh",
]
OPEN = ["sh", "-c", 'exec 5</dev/null 7>/dev/null 9</; exec "$@"', "sh"]
CLOSED = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
BLOCKED = {"blocked": EVERY}

STARTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "all at once": ([*IGNORING, *LIMITED, *OPEN], BLOCKED),
    "closed streams": (CLOSED, {}),
}
MORE_STARTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "plain": ([], {}),
    "nohup": (["nohup"], {}),
    "all signals ignored": (IGNORING, {}),
    "all signals blocked": ([], BLOCKED),
    "limits of its own": (LIMITED, {}),
    "open descriptors": (OPEN, {}),
}
ALL_STARTS = {**STARTS, **MORE_STARTS} if FULL else STARTS


def start(pilot: StartPilot, dialect: str, **options: Any) -> Pilot:
    children.make_gates(pilot.folder())
    return pilot(children.config(dialect), children.command(dialect), **options)


@pytest.mark.parametrize("init", [False, True], ids=["ordinary", "PID 1"])
@pytest.mark.parametrize("given", ALL_STARTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_children_start_with_defaults_and_keep_their_settings(
    pilot: StartPilot, record_property: Record, dialect: str, given: str, init: bool
) -> None:
    prefix, options = ALL_STARTS[given]
    record_property(CASES, len(KINDS))
    started = start(pilot, dialect, prefix=prefix, init=init, **options)

    seen = []
    for kind, pid in each(started):
        child, ours = traits(pid), traits(started.pid)
        has_defaults(kind, child, ours)
        if prefix is LIMITED or given == "all at once":
            has_what_was_set(child)
        assert child.folder == str(started.folder)
        seen.append(kind)

    assert tuple(seen) == KINDS
    assert started.wait_exit() == 128 + signal.SIGTERM
    started.assert_nothing_is_left()


def has_defaults(kind: str, child: Traits, ours: Traits) -> None:
    assert child.signals == NONE, f"{kind}: blocked, ignored or caught"
    assert child.leads_a_group, f"{kind} leads no group of its own"
    assert (child.session, child.terminal) == (ours.session, ours.terminal), kind
    assert sorted(child.descriptors) == [0, 1, 2], f"{kind}: {child.descriptors}"
    assert (child.nice, child.oom_score_adj, child.limits) == (ours.nice, ours.oom_score_adj, ours.limits), kind
    assert child.same == {name: ours.same[name] for name in SAME}, kind


def has_what_was_set(child: Traits) -> None:
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + NICER, MOST_NICE)  # the tests themselves may run under nice
    assert (child.nice, child.oom_score_adj, child.same["Umask"]) == (nice, OOM, UMASK)
    limits = {line[:26].strip(): line[26:].split()[0] for line in child.limits.splitlines()}
    assert (limits["Max open files"], limits["Max core file size"]) == (str(FILES), "0")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_in_a_terminal_the_app_alone_has_it(pilot: StartPilot, record_property: Record, dialect: str) -> None:
    record_property(CASES, len(KINDS))
    keyboard, slave = pty.openpty()
    try:
        started = start(
            pilot,
            dialect,
            prefix=["setsid", "--ctty"],
            new_session=False,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        name = os.ttyname(slave)
        for kind, pid in each(started):
            child, ours = traits(pid), traits(started.pid)
            has_defaults(kind, child, ours)
            assert child.terminal != 0
            runs = kind in children.DURING or kind == "preStop"
            assert (child.foreground == pid) == (kind == "app"), f"{kind} in the foreground"
            assert (child.foreground == ours.session) == (not runs), f"the foreground is not ours while {kind} runs"
            assert child.descriptors[0] == (name if kind == "app" else "/dev/null"), kind
        assert started.wait_exit() == 128 + signal.SIGTERM
    finally:
        os.close(keyboard)
        os.close(slave)
