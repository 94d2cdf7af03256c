"""Processes as /proc shows them. What is gone meanwhile reads as empty."""

from __future__ import annotations

import os
from pathlib import Path


def children(pid: int) -> list[int]:
    """The direct children, zombies included."""
    found: list[int] = []
    for task in _names(f"/proc/{pid}/task"):
        found += [int(child) for child in _read(f"/proc/{pid}/task/{task}/children").split()]
    return found


def command_line(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()


def state(pid: int) -> str:
    """One letter, such as "S" or "Z"; empty if there is no such process."""
    return status(pid).get("State", "")[:1]


def status(pid: int) -> dict[str, str]:
    """The fields of /proc/<pid>/status."""
    lines = (line.partition(":") for line in _read(f"/proc/{pid}/status").splitlines())
    return {name: value.strip() for name, _, value in lines}


def alive(pid: int) -> bool:
    return state(pid) not in ("", "Z", "X")


def written(pid: int) -> str:
    """How much it has written so far."""
    return next((line for line in _read(f"/proc/{pid}/io").splitlines() if line.startswith("wchar")), "")


def resident_kilobytes(pid: int) -> int:
    return int(status(pid).get("VmRSS", "0 kB").split()[0])


def descriptors(pid: int) -> dict[int, str]:
    """Descriptor -> what it is open on."""
    found: dict[int, str] = {}
    for name in _names(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
    return found


def with_environment(variable: str) -> list[int]:
    """The processes, zombies excepted, that were started with this `NAME=value`."""
    wanted = variable.encode()
    found: list[int] = []
    for name in _names("/proc"):
        if name.isdigit():
            try:
                environ = Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue
            if wanted in environ.split(b"\0"):
                found.append(int(name))
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
