"""One request over the control socket, to servers that are well, absent, slow or no servers at all."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from cp.cli.client import ClientError, exchange
from tests.integration.cli.control_server import ControlServer, answer, server

__all__ = ["server"]


def test_request_and_answer(server: ControlServer) -> None:
    server.says = (answer(422, {"error": "no"}),)

    status, body = exchange(str(server.path), "POST", "/v3/metric", b'{"a": "1"}')

    assert (status, body) == (422, b'{"error": "no"}\n')
    assert server.requests == [("POST", "/v3/metric", b'{"a": "1"}')]
    assert server.heads[0].split("\r\n") == [
        "POST /v3/metric HTTP/1.1",
        "Host: control",
        "Connection: close",
        "Content-Type: application/json",
        "Content-Length: 10",
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhel", b"lo and more than was announced"),
        (b"HTTP/1.0 200 OK\r\n\r\nhe", b"llo"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r", b"\n2;x=y\r\nlo\r\n0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        tuple(bytes([byte]) for byte in b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"),
    ],
    ids=["length", "in pieces", "until the end", "chunks", "after an interim answer", "byte by byte"],
)
def test_every_kind_of_answer_is_read(server: ControlServer, pieces: tuple[bytes, ...]) -> None:
    server.says = pieces

    assert exchange(str(server.path), "GET", "/v3/ping") == (200, b"hello")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "{path} closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the server at {path} is not ContainerPilot: its answer has 'SSH-2.0"),
        (b"\0" * 100_000, "the server at {path} is not ContainerPilot"),
        (b"HTTP/1.1 2 OK\r\n\r\n", "is not ContainerPilot"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length: -1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "the answer at {path} was cut off"),
        (b"HTTP/1.1 200 OK\r\nConten", "the answer at {path} was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "is not ContainerPilot"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "was cut off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "is not ContainerPilot"),
    ],
)
def test_strange_answers_are_reported_in_a_sentence(server: ControlServer, content: bytes, complaint: str) -> None:
    server.says = (content,)

    with pytest.raises(ClientError) as refused:
        exchange(str(server.path), "GET", "/v3/ping")

    assert complaint.format(path=server.path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"]
)
def test_endless_answer_ends(server: ControlServer, head: bytes) -> None:
    server.says = (head, *[b"x" * (1 << 20)] * 70)

    with pytest.raises(ClientError, match="longer than 64 MiB"):
        exchange(str(server.path), "GET", "/v3/jobs")


@pytest.mark.timing
def test_server_that_never_answers(server: ControlServer) -> None:
    server.says = None
    begun = time.monotonic()

    with pytest.raises(ClientError, match=r"no answer at .* in time"):
        exchange(str(server.path), "GET", "/v3/ping", timeout=0.2)

    assert 0.2 <= time.monotonic() - begun < 5


def test_time_limit_is_for_the_whole_exchange(server: ControlServer) -> None:
    """An answer that comes drop by drop: each drop is in time, all of it is not."""
    server.says = (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",)
    server.stays_open = True

    with pytest.raises(ClientError, match="in time"):
        exchange(str(server.path), "GET", "/v3/ping", timeout=0.2)


@pytest.mark.timing
def test_server_that_accepts_nothing(tmp_path: Path) -> None:
    """A stopped process: its queue of connections is full, and connecting would wait without limit."""
    path = str(tmp_path / "full.socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(path)
        listener.listen(0)
        waiting.connect(path)
        begun = time.monotonic()

        with pytest.raises(ClientError, match=r"cannot connect to .*full\.socket: its queue of connections is full"):
            exchange(path, "GET", "/v3/ping", timeout=0.3)

    assert time.monotonic() - begun < 5


def test_a_missing_server_is_an_error(tmp_path: Path) -> None:
    missing, file, folder = tmp_path / "missing", tmp_path / "file", tmp_path
    file.touch()

    for path, reason in [
        (missing, "no such file"),
        (file, "no server listens there"),
        (f"{file}/x", "no such file"),
        (folder, "no server listens there"),
        ("/" + "x" * 200, "AF_UNIX path too long"),
    ]:
        with pytest.raises(ClientError) as refused:
            exchange(str(path), "GET", "/v3/ping", hint=": is it running?")
        assert str(refused.value) == f"cannot connect to {path}: {reason}: is it running?"


def test_first_place_that_can_be_connected_to_is_taken(server: ControlServer, tmp_path: Path) -> None:
    assert exchange([str(tmp_path / "missing"), str(server.path)], "GET", "/v3/ping")[0] == 200


def test_all_places_that_were_tried_are_named(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("one", "two")]

    with pytest.raises(ClientError) as refused:
        exchange(paths, "GET", "/v3/ping")

    assert str(refused.value) == f"cannot connect to {paths[0]}: no such file, nor to {paths[1]}: no such file"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_socket_of_another_user_in_a_usual_place_is_not_trusted(server: ControlServer, tmp_path: Path) -> None:
    """In a folder that all may write to, anybody can listen at the usual name."""
    os.chown(server.path, 12345, 12345)

    with pytest.raises(ClientError, match=r"control\.socket: it belongs to another user"):
        exchange([str(tmp_path / "missing"), str(server.path)], "GET", "/v3/ping")

    assert exchange(str(server.path), "GET", "/v3/ping")[0] == 200, "a configured one is the user's choice"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can listen as another user")
def test_another_user_who_listens_in_a_usual_place_is_not_trusted_whatever_the_owner_of_the_file(
    tmp_path: Path,
) -> None:
    """A file that comes between the look at its owner and the connection."""
    path = tmp_path / "late.socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.seteuid(12345)
        try:
            listener.listen()
        finally:
            os.seteuid(0)

        with pytest.raises(ClientError, match=r"late\.socket: another user listens there"):
            exchange([str(tmp_path / "missing"), str(path)], "POST", "/v3/environ", b'{"TOKEN": "secret"}')
        seen, _ = listener.accept()
        with seen:
            assert seen.recv(100) == b"", "the secret was sent"


def test_answer_of_a_server_that_does_not_read_everything(tmp_path: Path) -> None:
    """Too large a request is refused before it was read to its end."""
    path = str(tmp_path / "refusing.socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer(413, {"error": "too large"}))

        thread = threading.Thread(target=refuse)
        thread.start()
        status, _ = exchange(path, "POST", "/v3/environ", b"x" * (1 << 22))
        thread.join()

    assert status == 413


def test_path_in_a_sentence_cannot_drive_the_terminal() -> None:
    with pytest.raises(ClientError, match=r"cannot connect to '/no/\\x1b\[31m': no such file"):
        exchange("/no/\033[31m", "GET", "/v3/ping")
