"""Messages to a service manager, by real datagrams."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cp.platform.service_manager import notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@containerpilot-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.bind(address.replace("@", "\0"))
        yield address, receiver


def test_the_manager_gets_the_message(manager: tuple[str, socket.socket]) -> None:
    address, receiver = manager
    notify(address, "READY=1\nSTATUS=ready")
    assert receiver.recv(100) == b"READY=1\nSTATUS=ready"


def test_a_full_queue_does_not_block(manager: tuple[str, socket.socket]) -> None:
    def fill() -> None:
        for _ in range(10_000):
            notify(manager[0], "READY=1")

    with pytest.raises(BlockingIOError):
        fill()


@pytest.mark.parametrize("address", ["", "@", "/", "relative", "vsock:2:1234", "/a\0b"])
def test_another_kind_of_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="neither an absolute path nor"):
        notify(address, "READY=1")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        notify(str(tmp_path / "notify"), "READY=1")
    with pytest.raises(OSError, match="too long"):
        notify(f"/{'x' * 200}", "READY=1")
