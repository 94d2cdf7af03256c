"""Data that a client has not read yet: given to the kernel in bounded steps, and shared with other clients."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from cp.http.outbox import SEND_SIZE, Outbox


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * SEND_SIZE)
    yield ours, theirs
    ours.close()
    theirs.close()


def read(theirs: socket.socket) -> bytes:
    data = b""
    try:
        while piece := theirs.recv(1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return data


def test_one_step_is_bounded_for_any_queue(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox()
    outbox.put([b"head", b"x" * (2 * SEND_SIZE), *[b"y"] * 1000])
    assert 0 < outbox.send(ours) <= SEND_SIZE
    data = read(theirs)
    while outbox.size:
        assert 0 < outbox.send(ours) <= SEND_SIZE
        data += read(theirs)
    assert data == b"head" + b"x" * (2 * SEND_SIZE) + b"y" * 1000
    assert outbox.send(ours) == 0


def test_a_client_that_does_not_read_takes_no_more(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox()
    outbox.put([b"x" * (64 * SEND_SIZE)])
    while outbox.send(ours):
        pass
    left = outbox.size
    assert left > 0
    read(theirs)
    assert outbox.send(ours) > 0
    assert outbox.size < left


def test_data_for_many_clients_is_kept_once() -> None:
    page = b"x" * 1000
    first, second = Outbox(), Outbox()
    first.put([b"head 1", page])
    second.put([b"head 2", page])
    assert sum((first.kept() | second.kept()).values()) == 1000 + 2 * len(b"head 1")
