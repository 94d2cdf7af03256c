"""Does the condition of a cell hold? Looked at from outside, so that no cell passes because nothing was taken away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system import proc

if TYPE_CHECKING:
    from tests.images.conditions import Condition
    from tests.images.rows import Row


def wanted(condition: Condition) -> dict[str, object]:
    return {
        "PID 1": condition.pid_1,
        "uid": condition.uid,
        "read-only root": condition.read_only,
        "HOME": condition.home,
        "/tmp": condition.tmp,
        "/proc": condition.proc,
        "bytecode": condition.bytecode,
        "capabilities": condition.capabilities and condition.uid == 0,
        "may get capabilities": condition.capabilities and not condition.seccomp,
        "seccomp": condition.seccomp,
    }


def found(pid: int, row: Row) -> dict[str, object]:
    """The same of a running process, by its pid out here."""
    root = Path(f"/proc/{pid}/root")
    status = proc.status(pid)
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    library = root / row.library.lstrip("/")
    return {
        "PID 1": status["NSpid"].split()[-1] == "1",
        "uid": in_namespace(pid, int(status["Uid"].split()[0])),
        "read-only root": has(root, os.ST_RDONLY),
        "HOME": any(each.startswith(b"HOME=") for each in environment),
        "/tmp": "none" if not (root / "tmp").exists() else "noexec" if has(root / "tmp", os.ST_NOEXEC) else "writable",
        "/proc": (root / "proc/1").exists(),  # `self` is nothing to others
        "bytecode": any((library / "__pycache__").glob("os.*.pyc")),
        "capabilities": int(status["CapEff"], 16) != 0,
        "may get capabilities": status["NoNewPrivs"] == "0",
        "seccomp": status["Seccomp"] == "2",
    }


def has(place: Path, flag: int) -> bool:
    return bool(os.statvfs(place).f_flag & flag)


def in_namespace(pid: int, uid: int) -> int:
    """The number that the process has for this uid of the host."""
    for line in Path(f"/proc/{pid}/uid_map").read_text().splitlines():
        inside, outside, count = map(int, line.split())
        if outside <= uid < outside + count:
            return inside + uid - outside
    return -1


def differences(pid: int, row: Row, condition: Condition) -> list[str]:
    """Empty if all is as the condition wants it."""
    now = found(pid, row)
    return [f"{name}: {now[name]}, not {value}" for name, value in wanted(condition).items() if now[name] != value]
