"""The timeouts of a socket with a deadline."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from cp.catalog.http.sockets import SAME_TIMEOUT, Deadline, DeadlineSocket
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connected() -> Iterator[DeadlineSocket]:
    ours, peer = socket.socketpair()
    connected = DeadlineSocket(fileno=ours.detach())
    connected.deadline = Deadline()
    with peer, connected:
        yield connected


def test_a_timeout_that_others_set_has_no_effect(connected: DeadlineSocket) -> None:
    connected.deadline.restart(DEADLINE)
    connected.sendall(b"x")
    timeout = connected.gettimeout()
    connected.settimeout(None)
    assert connected.gettimeout() == timeout == pytest.approx(DEADLINE, abs=1)


def test_a_call_ends_at_the_deadline_whatever_timeout_others_set(connected: DeadlineSocket) -> None:
    connected.deadline.restart(DEADLINE)
    connected.sendall(b"x")
    connected.deadline.restart(0.05)
    connected.settimeout(None)
    with pytest.raises(TimeoutError):
        connected.recv_into(bytearray(1))


def test_the_timeout_is_left_as_it_is_where_the_kernel_would_see_no_difference(connected: DeadlineSocket) -> None:
    connected.limit(5.0)
    connected.limit(5.0 - SAME_TIMEOUT / 2)
    assert connected.gettimeout() == 5.0
    connected.limit(5.0 - 2 * SAME_TIMEOUT)
    assert connected.gettimeout() == 5.0 - 2 * SAME_TIMEOUT
