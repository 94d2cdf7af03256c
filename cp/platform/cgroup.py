"""The control group of this process: its limits, and how often the kernel enforced them.

Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

import os

from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_FILE = 1 << 20  # bytes of a file in /proc; a machine with thousands of mounts has that
NO_LIMIT = 1 << 60  # bytes from which on a limit of version 1 means none
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class Counters:
    """`out_of_memory`: processes that the kernel killed for the memory limit. `pids_limit`: processes that could not
    be started because of the limit of processes."""

    __slots__ = ("out_of_memory", "pids_limit")

    def __init__(self, out_of_memory: int = 0, pids_limit: int = 0) -> None:
        self.out_of_memory = out_of_memory
        self.pids_limit = pids_limit


class ControlGroup:
    """`proc` and `root` are replaced in tests."""

    __slots__ = ("_memory", "_pids")

    def __init__(self, proc: str = "/proc/self", root: str = "") -> None:
        folders = dict(_folders(_text(f"{proc}/cgroup"), _text(f"{proc}/mountinfo")))
        self._memory = root + folders.get("memory", "") if "memory" in folders else ""
        self._pids = root + folders.get("pids", "") if "pids" in folders else ""

    def counters(self) -> Counters:
        """The present numbers; 0 where the machine does not count."""
        kills = _values(f"{self._memory}/memory.events") or _values(f"{self._memory}/memory.oom_control")
        return Counters(kills.get("oom_kill", 0), _values(f"{self._pids}/pids.events").get("max", 0))

    def memory_limit(self) -> int | None:
        """The limit in bytes; None if there is none."""
        text = _text(f"{self._memory}/memory.max") or _text(f"{self._memory}/memory.limit_in_bytes")
        number = text.strip()
        return int(number) if number.isdecimal() and int(number) < NO_LIMIT else None


def size_text(size: int) -> str:
    """A number of bytes in words: `64 MiB`, `1.5 GiB`."""
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"


def _folders(groups: str, mounts: str) -> Iterator[tuple[str, str]]:
    """The folder of this process for each controller, from the texts of cgroup and mountinfo (proc(5))."""
    ours = {}
    for line in groups.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        for each in controllers.split(","):
            ours[each.removeprefix("name=")] = path
    for line in mounts.splitlines():
        fields = line.split()
        if "-" not in fields[6:]:
            continue
        kind, _, options = [*fields[fields.index("-", 6) + 1 :], "", "", ""][:3]
        root, place = _unescaped(fields[3]), _unescaped(fields[4])
        if kind == "cgroup2" and "" in ours:
            folder = place + _below(ours[""], root)
            # In a hybrid hierarchy version 1 has the controllers; its mounts come later and replace these.
            yield "memory", folder
            yield "pids", folder
    for line in mounts.splitlines():
        fields = line.split()
        if "-" not in fields[6:]:
            continue
        kind, _, options = [*fields[fields.index("-", 6) + 1 :], "", "", ""][:3]
        root, place = _unescaped(fields[3]), _unescaped(fields[4])
        for controller in ("memory", "pids"):
            if kind == "cgroup" and controller in options.split(",") and controller in ours:
                yield controller, place + _below(ours[controller], root)


def _below(path: str, root: str) -> str:
    """A group's path below the group that is mounted; empty if that is the group itself, or above it."""
    if path == root or ".." in path.split("/"):
        return ""
    prefix = root.rstrip("/") + "/"
    return f"/{path.removeprefix(prefix)}".rstrip("/") if path.startswith(prefix) else ""


def _unescaped(text: str) -> str:
    r"""A path of mountinfo, in which a space is `\040`."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return text


def _values(path: str) -> dict[str, int]:
    """A file with a name and a number on each line; empty if it cannot be read."""
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _text(path: str) -> str:
    try:
        descriptor = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return from_bytes(os.read(descriptor, LARGEST_FILE))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
