"""Every kind of standard output and log file, without a change to the streams that the application shares."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cp.log.sink import Sink, open_sink
from cp.log.streams import file_channel, stream_channel
from cp.log.thread_channel import ThreadChannel
from tests.descriptors import is_ready
from tests.integration.log.streams import LINE, FakeLoop, Pipe, numbered, read_until
from tests.limits import DEADLINE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


# --- kinds of standard output


def test_a_regular_file_is_shared_with_the_application_without_overwriting(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb", buffering=0) as shared:  # not in append mode
        sink = Sink(stream_channel(shared.fileno()))
        sink.write(b"ours\n")
        shared.write(b"the application's\n")
        sink.write(b"ours again\n")
        sink.close()
    assert (tmp_path / "out").read_bytes() == b"ours\nthe application's\nours again\n"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_a_socket_that_is_not_read(kind: socket.SocketKind, loop: FakeLoop) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    sink = Sink(stream_channel(ours.fileno()))
    sink.attach(loop)
    lines = numbered(8000)
    for line in lines:
        sink.write(line)
    assert loop.writers
    assert not fcntl.fcntl(ours.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK
    theirs.setblocking(False)
    data: list[bytes] = []
    deadline = time.monotonic() + DEADLINE
    while sum(map(len, data)) < 800_000:
        assert time.monotonic() < deadline
        loop.turn()
        try:
            while True:
                data.append(theirs.recv(100 if kind == socket.SOCK_SEQPACKET else 1 << 20))
        except BlockingIOError:
            pass
    assert b"".join(data) == b"".join(lines)
    sink.close()
    ours.close()
    theirs.close()


def test_a_terminal_that_is_paused(loop: FakeLoop) -> None:
    keyboard, terminal = pty.openpty()
    mode = termios.tcgetattr(terminal)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, mode)
    sink = Sink(stream_channel(terminal))
    sink.attach(loop)
    termios.tcflow(terminal, termios.TCOOFF)  # what Ctrl-S does
    lines = numbered(100)
    for line in lines:
        sink.write(line)
    assert not fcntl.fcntl(terminal, fcntl.F_GETFL) & os.O_NONBLOCK
    termios.tcflow(terminal, termios.TCOON)
    os.set_blocking(keyboard, False)
    data = b""
    deadline = time.monotonic() + DEADLINE
    while len(data) < 10_000:
        assert time.monotonic() < deadline
        loop.turn()
        if is_ready(keyboard, seconds=0.01):
            data += os.read(keyboard, 1 << 16)
    assert data == b"".join(lines)
    sink.close()
    os.close(keyboard)
    os.close(terminal)


def test_another_user_s_pipe_is_written_to_by_a_thread(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        channel = stream_channel(pipe.write_end)
    assert isinstance(channel, ThreadChannel)
    channel.close()


def test_a_stream_that_someone_made_non_blocking_is_waited_for_by_the_thread(pipe: Pipe, loop: FakeLoop) -> None:
    os.set_blocking(pipe.write_end, False)
    sink = Sink(ThreadChannel(pipe.write_end))
    sink.attach(loop)
    for _ in range(3000):
        sink.write(LINE)
    assert read_until(pipe, loop, lambda data: len(data) >= 300_000) == LINE * 3000
    sink.close()


def test_a_closed_standard_output_is_nowhere() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    os.close(write_end)
    sink = Sink(stream_channel(write_end))
    sink.write(LINE)
    assert sink.close() == 0


def test_with_all_standard_streams_closed_nothing_lands_on_their_numbers() -> None:
    program = """
import os, sys
sys.path.insert(0, sys.argv[1])
for fd in (0, 1, 2):
    os.close(fd)
from cp.log.streams import guard_standard_streams
guard_standard_streams()
from cp.log.log import Log
log = Log()
log.info("nobody reads this")
log.flush()
opened = os.open("/", os.O_RDONLY)
streams = all(os.path.samestat(os.fstat(fd), os.stat("/dev/null")) and os.get_inheritable(fd) for fd in (0, 1, 2))
sys.exit(42 if opened > 2 and streams else 1)
"""
    done = subprocess.run([sys.executable, "-I", "-c", program, str(ROOT)], check=False)
    assert done.returncode == 42


def test_open_streams_are_left_alone_by_the_guard(pipe: Pipe) -> None:
    program = """
import os, sys
sys.path.insert(0, sys.argv[1])
from cp.log.streams import guard_standard_streams
guard_standard_streams()
os.write(1, b"still ours")
"""
    subprocess.run([sys.executable, "-I", "-c", program, str(ROOT)], check=True, stdout=pipe.write_end)
    assert pipe.read_all() == b"still ours"


# --- files


def test_a_file_is_created_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "cp.log"
    previous = os.umask(0o027)
    try:
        for _ in range(2):
            sink = open_sink(str(path))
            sink.write(LINE)
            sink.close()
    finally:
        os.umask(previous)
    assert path.read_bytes() == LINE * 2
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("kind", ["missing folder", "folder", "socket"])
def test_a_file_that_cannot_be_opened_is_an_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    elif kind == "missing folder":
        path = path / "log"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "socket":
            listener.bind(str(path))
        with pytest.raises(OSError):  # noqa: PT011 - which one differs
            open_sink(str(path))


def test_no_descriptor_outlives_its_sink(pipe: Pipe, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with socket.socket() as stream:
        for channel in (stream_channel(pipe.write_end), stream_channel(stream.fileno()), file_channel(f"{tmp_path}/x")):
            sink = Sink(channel)
            sink.write(LINE)
            sink.close()
    started = ThreadChannel(pipe.write_end)
    started.write(LINE)
    started.wait(DEADLINE)
    started.close()
    ThreadChannel(pipe.write_end).close()
    deadline = time.monotonic() + DEADLINE
    while os.listdir("/proc/self/fd") != before:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.001)
