"""The control group of this process: its limits, and how often the kernel enforced them.

Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

import os

from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_READ = 1 << 16  # bytes
MOST_READS = 1000  # of a file; a machine with thousands of mounts needs some hundred
NO_LIMIT = 1 << 60  # bytes from which on a limit of version 1 means none
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class Counters:
    """`out_of_memory`: processes that the kernel killed for lack of memory; None where it does not count them.
    `pids_limit`: processes that could not be started because of the limit of processes."""

    __slots__ = ("out_of_memory", "pids_limit")

    def __init__(self, out_of_memory: int | None = None, pids_limit: int = 0) -> None:
        self.out_of_memory = out_of_memory
        self.pids_limit = pids_limit


class ControlGroup:
    """`proc` and `root` are replaced in tests. All answers come from files of the kernel, which never block."""

    __slots__ = ("_memory", "_pids")

    def __init__(self, proc: str = "/proc/self", root: str = "") -> None:
        folders = dict(_folders(_text(f"{proc}/cgroup"), _text(f"{proc}/mountinfo")))
        self._memory = root + folders["memory"] if "memory" in folders else ""
        self._pids = root + folders["pids"] if "pids" in folders else ""

    def counters(self) -> Counters:
        """The present numbers."""
        kills = _values(self._memory, "memory.events") or _values(self._memory, "memory.oom_control")
        return Counters(kills.get("oom_kill"), _values(self._pids, "pids.events").get("max", 0))

    def memory_limit(self) -> int | None:
        """The limit in bytes; None if there is none."""
        limit = _number(self._memory, "memory.max") or _number(self._memory, "memory.limit_in_bytes")
        return limit if limit is not None and limit < NO_LIMIT else None

    def pids_limit(self) -> int | None:
        """The highest number of processes and threads; None if there is no limit."""
        return _number(self._pids, "pids.max")


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
            ours[each] = path
    found = tuple(_mounted(mounts))
    for kind, _, root, place in found:
        if kind == "cgroup2" and "" in ours and (folder := _below(ours[""], root)) is not None:
            # In a hybrid hierarchy version 1 has the controllers; its mounts come later and replace these.
            yield "memory", place + folder
            yield "pids", place + folder
    for kind, options, root, place in found:
        for controller in ("memory", "pids"):
            if kind == "cgroup" and controller in options and controller in ours:
                folder = _below(ours[controller], root)
                if folder is not None:
                    yield controller, place + folder


def _mounted(mounts: str) -> Iterator[tuple[str, list[str], str, str]]:
    """Each mount of control groups: its kind, its options, the group at its top, and its place."""
    for line in mounts.splitlines():
        fields = line.split()
        if "-" in fields[6:]:
            kind, _, options = [*fields[fields.index("-", 6) + 1 :], "", "", ""][:3]
            if kind in ("cgroup", "cgroup2"):
                yield kind, options.split(","), _unescaped(fields[3]), _unescaped(fields[4]).rstrip("/")


def _below(path: str, root: str) -> str | None:
    """A group's path below the group at the top of a mount; None if the mount does not show the group.

    With a namespace of control groups a path may begin with `/..`: that is a group outside of it.
    """
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    if ".." in path.split("/") or not path.startswith(prefix):
        return None
    return f"/{path.removeprefix(prefix)}".rstrip("/")


def _unescaped(text: str) -> str:
    r"""A path of mountinfo, in which a space is `\040`."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return text


def _values(folder: str, name: str) -> dict[str, int]:
    """A file with a name and a number on each line; empty if it cannot be read."""
    pairs = (line.split() for line in _text_in(folder, name).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _number(folder: str, name: str) -> int | None:
    """A file with one number; None if it cannot be read or has another text, such as `max`."""
    text = _text_in(folder, name).strip()
    return int(text) if text.isdecimal() else None


def _text_in(folder: str, name: str) -> str:
    return _text(f"{folder}/{name}") if folder else ""


def _text(path: str) -> str:
    try:
        descriptor = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        parts: list[bytes] = []
        # One read returns about a page of /proc/self/mountinfo.
        while (part := os.read(descriptor, LARGEST_READ)) and len(parts) < MOST_READS:
            parts.append(part)
        return from_bytes(b"".join(parts))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
