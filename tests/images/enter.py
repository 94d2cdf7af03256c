"""The first process of a cell. It puts the root file system together, enters it, gives up what the condition takes
away, and becomes ContainerPilot, or its init if that is not to be PID 1.

Usage: python -m tests.images.enter CELL

It is in namespaces of its own for mounts and pids; CELL is JSON, what `cell.py` makes.

Nothing may be imported after the root is entered: the modules are of the machine outside.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import sys
import termios
from typing import Any

from tests.images import seccomp

# linux/mount.h, linux/prctl.h, linux/capability.h
MS_RDONLY, MS_NODEV, MS_NOSUID, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 0x1, 0x4, 0x2, 0x8, 0x20, 0x1000, 0x4000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CAPABILITIES = 64  # more than there are
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
NO_LIBRARY = ("test", "site-packages", "dist-packages")  # folders inside of a standard library that do not belong to it

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, value: int) -> int:
    result: int = libc.prctl(option, ctypes.c_ulong(value), *(ctypes.c_ulong(0) for _ in range(3)))
    return result


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    encoded = (os.fsencode(each) for each in (source, target, kind))
    checked(libc.mount(*encoded, ctypes.c_ulong(flags), os.fsencode(data)), f"mount {target}")


def bind(source: str, target: str, *, writable: bool = False) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(source, target, flags=MS_BIND | MS_REC)
    if not writable:
        remount_read_only(target)


def remount_read_only(target: str) -> None:
    try:
        mount("none", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    except PermissionError:
        # In a user namespace the flags that the mount had outside must be kept.
        has = os.statvfs(target).f_flag
        kept = has & (os.ST_NODEV | os.ST_NOSUID | os.ST_NOEXEC | os.ST_RELATIME)
        mount("none", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def build_root(cell: dict[str, Any]) -> None:
    root = cell["root"]
    mount("tmpfs", root, "tmpfs", MS_NODEV | MS_NOSUID, "mode=755")
    for folder in cell["folders"]:
        source = os.path.join(cell["image"], folder.lstrip("/"))
        if os.path.islink(source):
            os.symlink(os.readlink(source), root + folder)
        elif os.path.isdir(source):
            bind(source, root + folder)
    for folder in ("etc", "root", "run", "var", "dev"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)  # an interpreter may be in one of them
    os.symlink("/run", f"{root}/var/run")
    with open(f"{root}/etc/passwd", "w", encoding="utf-8") as passwd:
        passwd.write("root:x:0:0:root:/root:/bin/sh\n")
    for device in DEVICES:
        bind(f"/dev/{device}", f"{root}/dev/{device}", writable=True)
    if cell["tmp"] != "none":
        os.mkdir(f"{root}/tmp")
        noexec = MS_NOEXEC if cell["tmp"] == "noexec" else 0
        mount("tmpfs", f"{root}/tmp", "tmpfs", MS_NODEV | MS_NOSUID | noexec, "mode=1777")
    if cell["proc"]:
        os.mkdir(f"{root}/proc")
        mount("proc", f"{root}/proc", "proc", MS_NODEV | MS_NOSUID | MS_NOEXEC)
    bind(cell["archive"], f"{root}/opt/containerpilot.pyz")
    bind(cell["work"], f"{root}/work", writable=True)
    if not cell["bytecode"]:
        hide_bytecode(root, root + cell["library"])
    if cell["read_only"]:
        remount_read_only(root)


def hide_bytecode(root: str, library: str) -> None:
    """As if every __pycache__ of the standard library had been deleted: an empty folder lies over each."""
    empty = f"{root}/run/empty"
    os.mkdir(empty)
    hidden = 0
    for folder, names, _ in os.walk(library):
        names[:] = [name for name in names if name not in NO_LIBRARY]
        if "__pycache__" in names:
            names.remove("__pycache__")
            bind(empty, f"{folder}/__pycache__")
            hidden += 1
    if not hidden:
        raise OSError(f"{library} has no bytecode to take away")


def give_up(cell: dict[str, Any]) -> None:
    if not cell["capabilities"]:
        for capability in range(CAPABILITIES):
            prctl(PR_CAPBSET_DROP, capability)  # fails for those that do not exist
        # What root executes now gets what is in the bounding set: nothing.
    if cell["uid"]:
        os.setgroups([])
        os.setgid(cell["uid"])
        os.setuid(cell["uid"])
    if not cell["capabilities"] or cell["seccomp"]:
        checked(prctl(PR_SET_NO_NEW_PRIVS, 1), "prctl")
    if cell["seccomp"]:
        seccomp.install(libc)


def become_child() -> None:
    """Returns in a child; its parent, PID 1, reaps until that has ended, and ends like it."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def main() -> None:
    cell = json.loads(sys.argv[1])
    build_root(cell)
    os.chroot(cell["root"])
    os.chdir("/")
    os.umask(0o022)
    if not cell["pid_1"]:
        become_child()
    if cell["terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    command, environment = cell["command"], cell["environment"]
    give_up(cell)
    if cell["closed"]:
        os.closerange(0, 3)
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main()
