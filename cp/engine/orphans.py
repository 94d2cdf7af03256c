"""The processes that became our children when their parents ended, as /proc shows them.

There may be thousands of them, and a process may have as many descriptors. So the functions are generators: they yield
None wherever the caller may do something else first.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Container, Iterator
else:
    import _signal  # the C module: `signal` imports enum

DESCRIPTORS_AT_ONCE = 32  # of one process, between two rests


class Orphan:
    """A living child that somebody else started. Use it before the generator that yielded it goes on.

    We alone can reap it, and do that between two turns of the loop: until then its pid is not given to another process.
    The descriptor makes that certain where the kernel has it (Linux 5.3, unless seccomp forbids it).
    """

    __slots__ = ("_descriptor", "pid")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._descriptor = os.pidfd_open(pid)
        except (OSError, AttributeError):
            self._descriptor = -1

    def signal(self, number: int) -> None:
        """ProcessLookupError if it is gone, PermissionError if we may not."""
        if self._descriptor >= 0 and hasattr(_signal, "pidfd_send_signal"):
            _signal.pidfd_send_signal(self._descriptor, number)
        else:
            os.kill(self.pid, number)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def orphans(started: Container[int]) -> Iterator[Orphan | None]:
    """All of them. `started` are the children that we started ourselves."""
    for pid in _children():
        if pid is None or pid in started or not _is_alive(pid):
            yield None
            continue
        orphan = Orphan(pid)
        try:
            yield orphan
        finally:
            orphan.close()


def holders(started: Container[int], pipes: Container[str], hidden: list[int]) -> Iterator[Orphan | None]:
    """Those that have one of the pipes open, which are named as `pipe:[4711]`.

    `hidden` gets the pids of those whose descriptors we may not see: processes of other users, without CAP_SYS_PTRACE.
    """
    for pid in _children():
        if pid is None or pid in started:
            yield None
            continue
        orphan = Orphan(pid)
        try:
            for link in _links(pid):
                if link in pipes:
                    yield orphan
                    break
                if not link:
                    yield None
        except PermissionError:
            if _is_alive(pid):
                hidden.append(pid)
        except OSError:
            pass  # it is gone
        finally:
            orphan.close()
        yield None


def describe(pid: int) -> str:
    """A process in a message: `process 42`, and its user, if that is not ours."""
    try:
        user = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return f"process {pid}"
    return f"process {pid}" if user == os.geteuid() else f"process {pid} of user {user}"


def _children() -> Iterator[int | None]:
    """Our children, zombies included; none where /proc is missing, or has the numbers of another PID namespace."""
    found: list[int] = []
    lists = 0
    try:
        if int(os.readlink("/proc/self")) != os.getpid():
            return
        for task in os.listdir("/proc/self/task"):
            try:
                with open(f"/proc/self/task/{task}/children", "rb") as file:
                    found += map(int, file.read().split())
                lists += 1
            except FileNotFoundError:
                pass  # this thread has ended
        everybody = () if lists else os.listdir("/proc")
    except (OSError, ValueError):
        return
    yield from found
    ours = b"%d" % os.getpid()
    for name in everybody:  # a kernel without CONFIG_PROC_CHILDREN
        yield int(name) if name.isdigit() and _status(int(name))[1] == ours else None


def _status(pid: int) -> tuple[bytes, bytes]:
    """State and parent; nothing if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except (OSError, ValueError):
        return b"", b""
    return state, parent


def _is_alive(pid: int) -> bool:
    return _status(pid)[0] not in (b"", b"Z", b"X")


def _links(pid: int) -> Iterator[str]:
    """What the descriptors of a process are open on; an empty one now and then, for a rest.

    A link is read without asking the file system that it leads to.
    """
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for number, entry in enumerate(entries, 1):
            try:
                yield os.readlink(f"/proc/{pid}/fd/{entry.name}")
            except FileNotFoundError:
                pass  # closed meanwhile
            if number % DESCRIPTORS_AT_ONCE == 0:
                yield ""
