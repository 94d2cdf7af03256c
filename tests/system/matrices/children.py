"""Every kind of child in one run of either dialect, each held at a gate until the test has looked at it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.system import proc
from tests.system.matrices.signals import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot import Pilot

DURING = ("app", "coprocess", "task", "check", "change")  # those that run beside each other
KINDS = ("preStart", *DURING, "preStop", "postStop")
SAME = ("Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
SIGNALS = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")
# Without those that the C library keeps for its threads: glibc's posix_spawn leaves them ignored.
VALID = sum(1 << (number - 1) for number in signal.valid_signals())


def gate(kind: str) -> list[str]:
    """A command that runs until the gate is opened, and has no descriptor of its own."""
    return ["cat", f"gate.{kind}"]


def make_gates(folder: Path) -> None:
    for kind in KINDS:
        os.mkfifo(folder / f"gate.{kind}")


def config(dialect: str) -> dict[str, Any]:
    """`change` runs because another service is registered after its first check, a second from the start."""
    advertised = {"port": 8000, "interfaces": "static:127.0.0.1"}
    held = {"command": gate("task"), "frequency": "100ms", "timeout": "1h"}
    if dialect == SERVICES:
        return {
            "directory": "catalogue",
            "preStart": gate("preStart"),
            "coprocesses": [{"command": gate("coprocess")}],
            "tasks": [held],
            "services": [
                {"name": "app", "health": gate("check"), "poll": 1, "ttl": 100, "timeout": "1h", **advertised},
                {"name": "other", "poll": 1, "ttl": 100, **advertised},
            ],
            "backends": [{"name": "other", "poll": 1, "onChange": gate("change")}],
            "preStop": gate("preStop"),
            "postStop": gate("postStop"),
        }
    after = {"source": "prepare", "once": "exitSuccess"}
    health = {"exec": gate("check"), "interval": 1, "ttl": 100, "timeout": "1h"}
    return {
        "directory": "catalogue",
        "jobs": [
            {"name": "prepare", "exec": gate("preStart")},
            {"name": "app", "exec": gate("app"), "main": True, "when": after, "health": health, **advertised},
            {"name": "agent", "exec": gate("coprocess"), "restarts": "unlimited", "when": after},
            {"name": "task", "exec": gate("task"), "when": {"interval": "100ms"}, "timeout": "1h"},
            {"name": "other", "health": {"exec": "true", "interval": 1, "ttl": 100}, **advertised},
            {"name": "changed", "exec": gate("change"), "when": {"source": "watch.other", "each": "changed"}},
            {"name": "drain", "exec": gate("preStop"), "when": {"source": "app", "once": "stopping"}},
            {"name": "clean", "exec": gate("postStop"), "when": {"source": "app", "once": "stopped"}},
        ],
        "watches": [{"name": "other", "interval": 1}],
    }


def command(dialect: str) -> list[str]:
    return gate("app") if dialect == SERVICES else []


def each(pilot: Pilot) -> Iterator[tuple[str, int]]:
    """Through a whole life: each kind of child and its pid, while it is held at its gate."""
    yield "preStart", at_gate(pilot, "preStart")
    open_gate(pilot, "preStart")
    yield from [(kind, at_gate(pilot, kind)) for kind in DURING]
    pilot.signal("TERM")
    yield "preStop", at_gate(pilot, "preStop")
    open_gate(pilot, "preStop")
    yield "postStop", at_gate(pilot, "postStop")
    open_gate(pilot, "postStop")


def at_gate(pilot: Pilot, kind: str) -> int:
    pid = pilot.child(" ".join(gate(kind)))
    # The loader opens libraries; what is sleeping waits at the gate, or for a page of a file: then the look repeats.
    pilot.wait_for(lambda: proc.state(pid) == "S", what=f"{kind} at its gate")
    return pid


def open_gate(pilot: Pilot, kind: str) -> None:
    os.close(os.open(pilot.folder / f"gate.{kind}", os.O_WRONLY))


class Traits(NamedTuple):
    """The attributes that a process has from its parent, as /proc shows them."""

    signals: dict[str, int]
    leads_a_group: bool
    session: int
    terminal: int
    foreground: int  # group in the foreground of the terminal
    descriptors: dict[int, str]
    nice: int
    oom_score_adj: str
    limits: str
    folder: str
    same: dict[str, str]


def traits(pid: int) -> Traits:
    status = proc.status(pid)
    # After the name in brackets: state, ppid, pgrp, session, tty_nr, tpgid, ... nice is field 19 of all.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Traits(
        signals={name: int(status[name], 16) & VALID for name in SIGNALS},
        leads_a_group=int(fields[2]) == pid,
        session=int(fields[3]),
        terminal=int(fields[4]),
        foreground=int(fields[5]),
        descriptors=proc.descriptors(pid),
        nice=int(fields[16]),
        oom_score_adj=Path(f"/proc/{pid}/oom_score_adj").read_text().strip(),
        limits=Path(f"/proc/{pid}/limits").read_text(),
        folder=os.readlink(f"/proc/{pid}/cwd"),
        same={name: status[name] for name in SAME},
    )
