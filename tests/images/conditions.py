"""Under what conditions the scene is played: each takes one thing away from a common baseline, one of them most.

The baseline is PID 1 of a container, run by root with all capabilities: a root file system that can be written (its
system folders cannot, as they are shared with other cells), HOME, /tmp, /proc, /dev with the usual devices, bytecode in
the standard library, standard input that is /dev/null, output and errors that are files. /work can be written under
every condition: the catalogue and the scene's own traces are there.
"""

from __future__ import annotations

from dataclasses import dataclass

STRANGER = 12345  # a uid that no /etc/passwd has


@dataclass(frozen=True)
class Condition:
    """A column of the matrix."""

    key: str  # heads the column
    title: str  # says it in a few words
    pid_1: bool = True
    uid: int = 0
    read_only: bool = False
    home: bool = True
    tmp: str = "writable"  # or "noexec" or "none"
    proc: bool = True
    bytecode: bool = True
    capabilities: bool = True  # False: none at all, and none can be gained (no_new_privs)
    seccomp: bool = False
    closed: bool = False
    terminal: bool = False
    consul: bool = False
    quick: bool = False  # played with every Python of the machine also where time is short

    @property
    def needs_root(self) -> bool:
        """Other users than one's own are only for root."""
        return self.uid != 0


CONDITIONS = (
    Condition("pid1", "PID 1, root, nothing removed", quick=True),
    Condition("child", "not PID 1, but the child of another init", pid_1=False, quick=True),
    Condition("uid", f"uid {STRANGER}, which has no passwd entry", uid=STRANGER),
    Condition("ro", "read-only root", read_only=True),
    Condition("nohome", "no HOME", home=False),
    Condition("notmp", "no /tmp", tmp="none"),
    Condition("noexec", "/tmp without the permission to execute", tmp="noexec"),
    Condition("noproc", "no /proc", proc=False),
    Condition("nopyc", "no bytecode in the standard library, and no permission to write it", bytecode=False),
    Condition("nocaps", "root without any capability, no_new_privs", capabilities=False),
    Condition(
        "seccomp",
        "a seccomp filter: EPERM for `memfd_create`, inotify, `prctl`, `getrandom`, `ptrace` and more, ENOSYS for the "
        "calls of newer kernels",
        seccomp=True,
    ),
    Condition("closed", "standard input, output and error closed", closed=True, quick=True),
    Condition("tty", "a terminal: foreground job, typed text, Ctrl-C", terminal=True, quick=True),
    Condition(
        "all",
        f"all at once: uid {STRANGER}, read-only root, no HOME, /tmp, /proc, bytecode, capabilities; seccomp",
        uid=STRANGER,
        read_only=True,
        home=False,
        tmp="none",
        proc=False,
        bytecode=False,
        capabilities=False,
        seccomp=True,
        quick=True,
    ),
    Condition(
        "consul",
        "a Consul that does not exist: the application still runs; with `python3-minimal`, one line names "
        "the missing module and the package that has it",
        consul=True,
    ),
)
