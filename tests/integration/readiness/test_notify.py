"""The notify socket of a job with real senders, well-behaved and hostile."""

from __future__ import annotations

import array
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cp.readiness import notify, socket_folder
from cp.readiness.messages import LONGEST_MESSAGE
from cp.readiness.notify import BATCH, NotifySocket
from cp.readiness.socket_folder import SocketFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.readiness.conftest import RealLoop

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
STRANGER = 12345


class Scene:
    def __init__(self, loop: RealLoop, folder: SocketFolder, user: int) -> None:
        self.loop = loop
        self.assigned: list[str] = []
        self.refused: list[str] = []
        self.socket = NotifySocket(loop, folder, user, self._assign, self.refused.append)

    def _assign(self, name: str, value: str) -> None:
        self.assigned.append(f"{name}={value}")

    @property
    def peer(self) -> str:
        """The address for a client: as libsystemd treats it."""
        return self.socket.address.replace("@", "\0", 1)

    def send(self, message: bytes) -> None:
        with client() as sender:
            sender.sendto(message, self.peer)

    def until(self, *assigned: str) -> None:
        self.loop.run_until(lambda: len(self.assigned) >= len(assigned))
        assert self.assigned == list(assigned)


def client() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@pytest.fixture
def folder(base: Path, monkeypatch: pytest.MonkeyPatch) -> SocketFolder:
    monkeypatch.setattr(socket_folder, "USUAL", ())
    return SocketFolder({"XDG_RUNTIME_DIR": str(base)})


@pytest.fixture
def built_from() -> Path:
    """The folder of the sources."""
    return Path(__file__).resolve().parents[3]


@pytest.fixture(params=["file", "abstract"])
def scene(request: pytest.FixtureRequest, loop: RealLoop, folder: SocketFolder) -> Iterator[Scene]:
    if request.param == "abstract":
        folder._bases = ("/nonexistent",)
    made = Scene(loop, folder, os.geteuid())
    assert made.socket.address.startswith("@") is (request.param == "abstract")
    yield made
    made.socket.close()
    folder.close()


def test_messages_come_in_order(scene: Scene) -> None:
    scene.send(b"STATUS=loading")
    scene.send(b"READY=1\nSTATUS=up")
    scene.until("STATUS=loading", "READY=1", "STATUS=up")


def test_a_client_that_has_a_name_of_its_own_and_stays_connected(scene: Scene) -> None:
    """Go's net.DialUnix("unixgram", nil, ...) writes to a connected socket; with SO_PASSCRED the kernel names it."""
    with client() as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        sender.connect(scene.peer)
        for _ in range(3):
            assert sender.send(b"WATCHDOG=1") == 10
        scene.until(*["WATCHDOG=1"] * 3)


def test_a_sender_that_is_gone_counts(scene: Scene) -> None:
    code = f"import socket\nsocket.socket(1, 2).sendto(b'READY=1', {scene.peer!r})"
    subprocess.run([sys.executable, "-S", "-c", code], check=True)
    scene.until("READY=1")


def test_the_barrier_ends_when_the_messages_before_it_are_read(scene: Scene) -> None:
    """sd_notify_barrier(3) sends a descriptor and waits until nobody has it any more."""
    read_end, write_end = os.pipe()
    before = set(os.listdir("/proc/self/fd"))
    with client() as sender:
        sender.sendto(b"READY=1", scene.peer)
        descriptors = array.array("i", [write_end])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
        sender.sendmsg([b"BARRIER=1"], rights, 0, scene.peer)
    os.close(write_end)
    os.set_blocking(read_end, False)
    with pytest.raises(BlockingIOError):
        os.read(read_end, 1)
    scene.until("READY=1", "BARRIER=1")
    assert os.read(read_end, 1) == b""
    os.close(read_end)
    assert not set(os.listdir("/proc/self/fd")) - before


def test_many_descriptors_in_a_message_are_closed(scene: Scene) -> None:
    before = len(os.listdir("/proc/self/fd"))
    descriptors = array.array("i", [0] * 200)
    with client() as sender:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
        sender.sendmsg([b"FDSTORE=1"], rights, 0, scene.peer)
    scene.until("FDSTORE=1")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("size", [LONGEST_MESSAGE + 1, 100_000, 1 << 20])
def test_a_message_that_is_too_long_is_ignored(scene: Scene, size: int) -> None:
    with client() as sender:
        sender.setsockopt(socket.SOL_SOCKET, 32, 4 << 20)  # SO_SNDBUFFORCE
        sender.sendto(b"READY=1\n".ljust(size, b"x"), scene.peer)
    scene.send(b"STATUS=after")
    scene.until("STATUS=after")
    assert scene.refused == [f"of more than {LONGEST_MESSAGE} bytes"]


def test_the_longest_message_is_accepted(scene: Scene) -> None:
    scene.send(b"READY=1\nSTATUS=".ljust(LONGEST_MESSAGE, b"x"))
    scene.loop.run_until(lambda: scene.assigned)
    assert scene.assigned[0] == "READY=1"


@pytest.mark.parametrize("message", [b"", b"\0", b"\n\n\n", b"\xff\xfe\xfd", b"=" * 4000, b"\0READY=1", b"READY"])
def test_garbage_does_no_harm(scene: Scene, message: bytes) -> None:
    scene.send(message)
    scene.send(b"READY=1")
    scene.loop.run_until(lambda: "READY=1" in scene.assigned)
    assert scene.assigned == ["READY=1"]


@only_root
def test_messages_of_another_user_do_not_count(loop: RealLoop, folder: SocketFolder) -> None:
    folder._bases = ("/nonexistent",)  # no mode of a file keeps them away
    scene = Scene(loop, folder, os.geteuid())
    assert send_as(STRANGER, scene.peer) == 0
    scene.loop.run_until(lambda: scene.refused)
    assert (scene.assigned, scene.refused) == ([], [f"of user {STRANGER}: only those of root count"])
    scene.socket.close()


@only_root
def test_root_and_the_user_of_the_job_count(loop: RealLoop, folder: SocketFolder) -> None:
    folder._bases = ("/nonexistent",)
    scene = Scene(loop, folder, STRANGER)
    assert send_as(STRANGER, scene.peer) == 0
    assert send_as(STRANGER + 1, scene.peer) == 0
    scene.send(b"STATUS=root")
    scene.until("READY=1", "STATUS=root")
    assert scene.refused == [f"of user {STRANGER + 1}: only those of root and user {STRANGER} count"]
    scene.socket.close()


@only_root
def test_another_user_cannot_reach_the_file(loop: RealLoop, folder: SocketFolder) -> None:
    scene = Scene(loop, folder, os.geteuid())
    assert send_as(STRANGER, scene.peer) == 1
    scene.socket.close()
    folder.close()


def send_as(user: int, peer: str) -> int:
    code = f"import os, socket\nos.setuid({user})\nsocket.socket(1, 2).sendto(b'READY=1', {peer!r})"
    return subprocess.run([sys.executable, "-S", "-c", code], check=False, stderr=subprocess.DEVNULL).returncode


INSIDE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from cp.engine.loop import Loop
from cp.readiness.notify import NotifySocket
from cp.readiness.socket_folder import SocketFolder
loop = Loop()
def refused(why):
    print(why, flush=True)
    loop.stop()
made = NotifySocket(loop, SocketFolder({}), os.geteuid(), lambda *found: print(found, flush=True), refused)
print(made.address, flush=True)
loop.run()
made.close()
"""


@only_root
def test_a_sender_outside_of_the_pid_namespace_does_not_count(built_from: Path) -> None:
    """The kernel has no pid for it inside. The senders of an inner namespace have one."""
    command = ["unshare", "--pid", "--fork", sys.executable, "-c", INSIDE, str(built_from)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as inside:
        assert inside.stdout is not None
        address = inside.stdout.readline().strip()
        with client() as sender:
            sender.sendto(b"READY=1", address.replace("@", "\0", 1))
        assert inside.stdout.readline() == "of a process in another PID namespace\n"
        assert inside.wait() == 0


@only_root
def test_a_sender_of_a_pid_namespace_inside_of_ours_counts(scene: Scene) -> None:
    code = f"import socket\nsocket.socket(1, 2).sendto(b'READY=1', {scene.peer!r})"
    subprocess.run(["unshare", "--pid", "--fork", sys.executable, "-S", "-c", code], check=True)
    scene.until("READY=1")


def test_a_flood_leaves_room_for_everything_else(scene: Scene) -> None:
    over = threading.Event()

    def flood() -> None:
        with client() as sender:
            sender.connect(scene.peer)
            while not over.is_set():
                sender.send(b"X=1\n" * 1000)

    senders = [threading.Thread(target=flood) for _ in range(3)]
    for thread in senders:
        thread.start()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        scene.loop.call_later(0.005, tick)

    tick()
    reads: list[int] = []
    try:
        scene.loop.run_until(lambda: len(scene.assigned) > 5000)
        before, turns = ticks, len(scene.assigned)
        for _ in range(50):
            count = len(scene.assigned)
            scene.loop.run_once()
            reads.append(len(scene.assigned) - count)
        scene.loop.run_until(lambda: ticks > before + 20)
    finally:
        over.set()
        scene.loop.run_until(lambda: not any(thread.is_alive() for thread in senders))
    assert turns > 0
    assert max(reads) <= BATCH * 64


def test_what_is_pending_is_read_within_a_limit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "MOST_PENDING", 3)
    for number in range(5):
        scene.send(b"X=%d" % number)
    scene.socket.read_pending()
    assert scene.assigned == ["X=0", "X=1", "X=2"]
    scene.socket.read_pending()
    scene.socket.read_pending()
    assert len(scene.assigned) == 5


def test_a_closed_socket_is_gone_and_reads_nothing(scene: Scene) -> None:
    scene.send(b"READY=1")
    scene.socket.close()
    scene.socket.close()
    scene.socket.read_pending()
    assert not scene.assigned
    with pytest.raises(OSError, match=r"No such file|Connection refused"):
        scene.send(b"READY=1")


def test_a_callback_may_close_the_socket(loop: RealLoop, folder: SocketFolder) -> None:
    closed: list[bool] = []

    def close(name: str, value: str) -> None:
        made.close()
        closed.append(True)

    made = NotifySocket(loop, folder, os.geteuid(), close, print)
    with client() as sender:
        for _ in range(3):
            sender.sendto(b"READY=1", made.address)
    loop.run_until(lambda: closed)
    assert closed == [True]


# --- where the files are


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_file_and_folder_are_for_our_user_alone(loop: RealLoop, folder: SocketFolder, base: Path) -> None:
    scene = Scene(loop, folder, os.geteuid())
    [made] = base.iterdir()
    [file] = made.iterdir()
    assert (str(file), mode_of(made), mode_of(file)) == (scene.socket.address, 0o700, 0o600)
    scene.socket.close()
    assert list(made.iterdir()) == []
    folder.close()
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_the_modes_do_not_depend_on_the_umask(loop: RealLoop, folder: SocketFolder, base: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        scene = Scene(loop, folder, os.geteuid())
    finally:
        os.umask(before)
    [made] = base.iterdir()
    [file] = made.iterdir()
    assert (mode_of(made), mode_of(file)) == (0o700, 0o600)
    scene.socket.close()


def test_what_earlier_runs_left_is_removed_and_other_instances_keep_theirs(loop: RealLoop, base: Path) -> None:
    first = SocketFolder({"TMPDIR": str(base)})
    first._bases = (str(base),)
    living = Scene(loop, first, os.geteuid())
    [made] = base.iterdir()
    with client() as killed:
        killed.bind(str(made / "left"))
    (made / "note").write_text("of a user")

    second = SocketFolder({})
    second._bases = (str(base),)
    other = Scene(loop, second, os.geteuid())

    names = {file.name for file in made.iterdir()}
    assert names == {"note", *(scene.socket.address.rpartition("/")[2] for scene in (living, other))}
    other.socket.close()
    second.close()
    assert made.is_dir(), "it has files of others"
    living.send(b"READY=1")
    living.until("READY=1")
    living.socket.close()


def test_a_folder_that_another_instance_removed_is_made_again(loop: RealLoop, folder: SocketFolder, base: Path) -> None:
    first = Scene(loop, folder, os.geteuid())
    first.socket.close()
    folder.close()
    assert list(base.iterdir()) == []
    second = Scene(loop, folder, os.geteuid())
    assert second.socket.address.startswith(str(base))
    second.socket.close()


def occupy_by_file(path: Path) -> None:
    path.write_text("")


def occupy_by_link(path: Path) -> None:
    path.symlink_to("/tmp")


def occupy_by_stranger(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, STRANGER, STRANGER)


@pytest.mark.parametrize("occupy", [occupy_by_file, occupy_by_link, pytest.param(occupy_by_stranger, marks=only_root)])
def test_a_folder_that_is_not_ours_is_not_used(
    loop: RealLoop, base: Path, occupy: Callable[[Path], None], folder: SocketFolder
) -> None:
    occupy(base / f"containerpilot-{os.geteuid()}.notify")
    scene = Scene(loop, folder, os.geteuid())
    assert not scene.socket.address.startswith(str(base))
    scene.send(b"READY=1")
    scene.until("READY=1")
    scene.socket.close()
    folder.close()


def test_a_folder_of_ours_with_another_mode_becomes_private(loop: RealLoop, base: Path, folder: SocketFolder) -> None:
    made = base / f"containerpilot-{os.geteuid()}.notify"
    made.mkdir(mode=0o755)
    scene = Scene(loop, folder, os.geteuid())
    assert (scene.socket.address.startswith(str(made)), mode_of(made)) == (True, 0o700)
    scene.socket.close()


def test_a_path_that_is_too_long_is_not_used(loop: RealLoop, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_folder, "USUAL", ())
    deep = base / ("x" * 100)
    deep.mkdir()
    folder = SocketFolder({"XDG_RUNTIME_DIR": str(deep), "TMPDIR": str(base)})
    scene = Scene(loop, folder, os.geteuid())
    assert scene.socket.address.startswith(f"{base}/containerpilot-")
    scene.socket.close()


@pytest.mark.timing
def test_a_message_is_read_in_microseconds(scene: Scene) -> None:
    spent = 0.0
    for _ in range(500):
        scene.send(b"WATCHDOG=1")
        began = time.perf_counter()
        scene.socket._readable()
        spent += time.perf_counter() - began
    assert len(scene.assigned) == 500
    assert spent / 500 < 0.0002
