"""Orphans as the kernel shows them, with real processes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from cp.engine import orphans as module
from cp.engine.orphans import Orphan, describe, holders, orphans
from cp.platform.prctl import become_subreaper
from tests.limits import DEADLINE
from tests.system import proc
from tests.system.pilot import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

DAEMON = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        os.write(1, b'%d\\n' % os.getpid())\n"
    "        {then}\n"
    "        time.sleep(1000)\n"
    "    os._exit(0)\n"
    "os.wait()\n"
)


class Left(NamedTuple):
    pid: int
    pipe: str  # that it has open


def leave(then: str = "") -> Left:
    """A daemon of the test process."""
    reader, writer = os.pipe()
    with subprocess.Popen([sys.executable, "-S", "-c", DAEMON.format(then=then)], stdout=writer):
        os.close(writer)
        pid = int(os.read(reader, 100))
    left = Left(pid, f"pipe:[{os.fstat(reader).st_ino}]")
    os.close(reader)
    wait_for(lambda: proc.status(pid)["PPid"] == str(os.getpid()))
    return left


@pytest.fixture
def left() -> Iterator[list[Left]]:
    """Daemons, which are ended afterwards."""
    assert become_subreaper()
    made: list[Left] = []
    yield made
    for each in made:
        try:
            os.kill(each.pid, signal.SIGKILL)
            os.waitpid(each.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def found(steps: Iterator[Orphan | None]) -> list[int]:
    return [orphan.pid for orphan in steps if orphan is not None]


def found_holders(pipe: str, *, hidden: list[int] | None = None) -> list[int]:
    return found(holders((), {pipe}, [] if hidden is None else hidden))


def test_those_that_have_a_pipe_open_are_found_and_no_others(left: list[Left]) -> None:
    left += [leave(), leave(), leave("os.close(1)")]
    first, second, third = left

    assert found_holders(first.pipe) == [first.pid]
    assert found_holders(second.pipe) == [second.pid]
    wait_for(lambda: found_holders(third.pipe) == [])
    assert set(found(orphans(()))) >= {first.pid, second.pid, third.pid}
    assert found(orphans({each.pid for each in left} | set(proc.children(os.getpid())))) == []


def test_one_among_many_descriptors_is_found_while_others_are_served(left: list[Left]) -> None:
    many = "r = os.open('/', os.O_RDONLY); [os.dup(r) for _ in range(500)]; os.dup2(1, 900); os.close(1); print"
    left.append(leave(many))
    (only,) = left
    wait_for(lambda: len(proc.descriptors(only.pid)) > 500)

    steps = list(holders((), {only.pipe}, []))

    assert [each.pid for each in steps if each is not None] == [only.pid]
    assert steps.count(None) > 10


def test_zombies_are_not_live_orphans(left: list[Left]) -> None:
    left.append(leave())
    (only,) = left
    os.kill(only.pid, signal.SIGKILL)
    wait_for(lambda: proc.state(only.pid) == "Z")
    hidden: list[int] = []

    assert only.pid not in found(orphans(()))
    assert found_holders(only.pipe, hidden=hidden) == []
    assert hidden == []


@pytest.mark.parametrize("has_pidfd", [True, False], ids=["pidfd", "an old kernel"])
def test_an_orphan_gets_a_signal(left: list[Left], has_pidfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_pidfd:
        monkeypatch.setattr(os, "pidfd_open", refuse)
    left.append(leave())
    (only,) = left
    before = len(os.listdir("/proc/self/fd"))

    for orphan in orphans(()):
        if orphan is not None and orphan.pid == only.pid:
            orphan.signal(signal.SIGTERM)

    assert os.WTERMSIG(os.waitpid(only.pid, 0)[1]) == signal.SIGTERM
    assert len(os.listdir("/proc/self/fd")) == before


def refuse(*_: Any) -> int:
    raise OSError(errno.ENOSYS, "Function not implemented")


def test_children_are_found_on_a_kernel_that_does_not_list_them(
    left: list[Left], monkeypatch: pytest.MonkeyPatch
) -> None:
    left.append(leave())
    (only,) = left
    real = open

    def without_children(path: Any, *arguments: Any) -> Any:
        if str(path).endswith("/children"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return real(path, *arguments)

    monkeypatch.setattr(module, "open", without_children, raising=False)
    assert found_holders(only.pipe) == [only.pid]


def test_a_proc_of_another_pid_namespace_shows_no_process(left: list[Left], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers would mean other processes here."""
    left.append(leave())
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert found(orphans(())) == []


def test_without_proc_no_process_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str, **_: Any) -> str:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "readlink", missing)
    assert found(orphans(())) == []


def test_a_process_is_described_by_its_user_if_that_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe(os.getpid()) == f"process {os.getpid()}"
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert describe(os.getpid()) == f"process {os.getpid()} of user {os.getuid()}"
    assert describe(2**22 + 1) == f"process {2**22 + 1}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_those_whose_descriptors_may_not_be_seen_are_hidden() -> None:
    """By a root that has lost the capability for it: a process of its own, which leaves a daemon of another user."""
    sleep = shutil.which("sleep")
    script = (
        "import os\n"
        "from cp.engine.orphans import holders\n"
        "from cp.platform.prctl import become_subreaper\n"
        "become_subreaper()\n"
        "r, w = os.pipe()\n"
        "os.set_inheritable(w, True)\n"
        "executed, done = os.pipe()\n"  # closed by the exec: the daemon is another user's from then on
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        f"        os.execv({sleep!r}, ['sleep', '1000'])\n"  # no search of PATH: this user may not see our modules
        "    os._exit(0)\n"
        "os.wait()\n"
        "os.close(done)\n"
        "os.read(executed, 1)\n"
        "(daemon,) = map(int, open(f'/proc/self/task/{os.getpid()}/children').read().split())\n"
        "try:\n"
        "    hidden = []\n"
        "    found = [each for each in holders((), {f'pipe:[{os.fstat(w).st_ino}]'}, hidden) if each]\n"
        "finally:\n"
        "    os.kill(daemon, 9)\n"
        "print(found, hidden == [daemon])\n"
    )
    lost = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    done = subprocess.run(
        [*lost, sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    assert done.stdout == "[] True\n"
