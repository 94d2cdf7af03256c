"""Hostile senders at the notify socket of a job: other users, floods, descriptors, messages of any size."""

from __future__ import annotations

import array
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.system import proc
from tests.system.jobs.configs import config, each, job
from tests.system.jobs.notifying import SD_NOTIFY, notifier
from tests.system.pilot import now, settle
from tests.system.scripts import forever, mark, sh
from tests.system.security.users import STRANGER, only_root

if TYPE_CHECKING:
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

# Writes to its own socket as fast as it can, with processes of its own.
FLOOD = """
for _ in range(4):
    if os.fork() == 0:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            address = os.environ['NOTIFY_SOCKET']
            sender.connect('\\0' + address[1:] if address[0] == '@' else address)
            while True:
                sender.send(MESSAGE)
"""


def scene(start: StartPilot, script: str, **more: Any) -> Pilot:
    """A process that leaves the address of its socket as a mark, and does this."""
    app = job("app", notifier("mark(os.environ['NOTIFY_SOCKET'])\n" + script), ready={"notify": True}, **more)
    listener = job("listener", mark("ready"), when=each("ready", "app"))
    tick = job("tick", sh("mark tick"), when={"interval": "50ms"}, timeout="10s")
    return start(config(app, listener, tick, job("other", forever("other")), logging={"level": "DEBUG"}))


def address_of(started: Pilot) -> str:
    return started.wait_for(
        lambda: next((word for word in started.words() if "containerpilot-" in word), ""), what="the address"
    )


@pytest.mark.parametrize(
    "message",
    ["b'X=1'", "b'STATUS=' + b'x' * 4000", "b'\\n'.join([b'A=1'] * 1000)", "b'\\xff' * 100_000", "b'READY=1'"],
)
def test_a_flood_delays_neither_other_jobs_nor_a_stop(message: str, pilot: StartPilot) -> None:
    started = scene(pilot, FLOOD.replace("MESSAGE", message))
    address_of(started)
    seen = started.count("tick")
    started.wait_for_mark("tick", seen + 10)
    began = now()
    assert started.run("-ping").code == 0
    assert started.stop() == 0
    assert now() - began < 20
    started.assert_nothing_is_left()


@pytest.mark.timing
def test_a_flood_delays_a_stop_by_less_than_a_second(pilot: StartPilot) -> None:
    started = scene(pilot, FLOOD.replace("MESSAGE", "b'X=1'"))
    address_of(started)
    started.wait_for_mark("tick", 5)
    began = now()
    assert started.stop() == 0
    assert now() - began < 1


def test_a_flood_does_not_grow_the_memory_or_the_log(pilot: StartPilot) -> None:
    started = scene(pilot, FLOOD.replace("MESSAGE", "b'X%d=1' % (time.monotonic_ns() % 1_000_000)"))
    address_of(started)
    started.wait_for_mark("tick", 5)
    before = proc.resident_kilobytes(started.pid)
    seen = started.count("tick")
    started.wait_for_mark("tick", seen + 30)
    assert proc.resident_kilobytes(started.pid) - before < 1500
    assert started.output().count("has no effect") <= 16


def test_descriptors_of_a_message_are_closed(pilot: StartPilot) -> None:
    started = scene(pilot, "")
    address = address_of(started)
    reads, writes = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for count in (1, 2, 100, 253):
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writes] * count).tobytes())]
            sender.sendmsg([b"FDSTORE=1\nFDNAME=x"], rights, 0, address)
        sender.sendto(b"READY=1", address)
    os.close(writes)
    started.wait_for_mark("ready")
    assert os.read(reads, 1) == b"", "nobody has the other end any more"
    os.close(reads)


@pytest.mark.parametrize("size", [4097, 65536, 1 << 20])
def test_a_message_that_is_too_long_is_ignored(size: int, pilot: StartPilot) -> None:
    started = scene(pilot, "")
    address = address_of(started)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, 32, 4 << 20)  # SO_SNDBUFFORCE
        sender.sendto(b"READY=1\n".ljust(size, b"x"), address)
        started.wait_for_line("app: a message on its notify socket is ignored: it is of more than 4096 bytes")
        assert started.count("ready") == 0
        sender.sendto(b"READY=1".ljust(4095) + b"\n", address)  # the value has spaces
        sender.sendto(b"READY=1", address)
    started.wait_for_mark("ready")


@pytest.mark.parametrize(
    "message", [b"", b"\0", b"READY=1\0STATUS=x", b"\xff\xfe\n=\n\n=x", b"READY", b"READY=1=1", b"ready=1", b" READY=1"]
)
def test_garbage_is_no_readiness(message: bytes, pilot: StartPilot) -> None:
    started = scene(pilot, "")
    address = address_of(started)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, address)
        sender.sendto(b"UNKNOWN=1", address)
        started.wait_for_line("app: UNKNOWN on its notify socket has no effect")
        assert started.count("ready") == 0
        sender.sendto(b"READY=1", address)
    started.wait_for_mark("ready")


@only_root
def test_another_user_cannot_write_to_the_socket(pilot: StartPilot) -> None:
    started = scene(pilot, "")
    address = address_of(started)
    code = f"import os, socket\nos.setuid({STRANGER})\nsocket.socket(1, 2).sendto(b'READY=1', {address!r})"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


@only_root
def test_a_process_that_became_another_user_is_not_the_job_any_more(pilot: StartPilot) -> None:
    """It connected as root. What it sends has the credentials of the moment."""
    script = (
        "with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:\n"
        "    sender.connect(os.environ['NOTIFY_SOCKET'])\n"
        f"    if os.fork() == 0:\n        os.setuid({STRANGER})\n        sender.send(b'READY=1')\n        os._exit(0)\n"
        "    os.wait()\n"
    )
    started = scene(pilot, script)
    started.wait_for_line(
        f"app: a message on its notify socket is ignored: it is of user {STRANGER}: only those of root count"
    )
    settle(0.2)
    assert started.count("ready") == 0


def test_status_of_a_process_cannot_break_a_line_of_the_log(pilot: StartPilot) -> None:
    script = "notify('X\\x1b[2J\\rfaked=1', 'READY=1')"
    started = scene(pilot, script)
    started.wait_for_mark("ready")
    started.wait_for_line(r"app: X\\x1b\[2J\\rfaked on its notify socket has no effect")


def test_the_socket_of_a_job_is_not_inherited_by_others(pilot: StartPilot) -> None:
    """Nor is the one of a service manager above us."""
    show = sh('mark "${NOTIFY_SOCKET-none} ${WATCHDOG_USEC-none}"; exec sleep 1000')
    app = job("app", notifier("notify('READY=1')", SD_NOTIFY), ready={"notify": True}, watchdog="1h")
    started = pilot(
        config(app, job("show", show)), env={"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "5000000"}
    )
    started.wait_for_mark("none none")
