"""A server on a unix socket that records requests and answers with the bytes that a test gives it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.limits import DEADLINE


def answer(status: int, body: object = b"\n", *headers: str) -> bytes:
    """An HTTP answer. A body that is not bytes becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() + b"\n"
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(data)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + data


class ControlServer:
    """`says` is what each connection is answered with, piece by piece; None: nothing, and the connection stays open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.says: tuple[bytes, ...] | None = (answer(200),)
        self.later: list[tuple[bytes, ...]] = []  # what the connections after the first are answered with
        self.requests: list[tuple[str, str, bytes]] = []  # method, target, body
        self.heads: list[str] = []
        self.stays_open = False  # after the answer
        self.requested = threading.Event()  # there was a request
        self._end = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def json_of(self, number: int = -1) -> Any:
        return json.loads(self.requests[number][2])

    def close(self) -> None:
        if self._end.is_set():
            return
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(DEADLINE)
                try:
                    self._talk(client)
                except OSError:
                    pass  # the client had enough

    def _talk(self, client: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := client.recv(65536)):
                return  # a client that only looked whether somebody is here
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
        while len(body) < sum(lengths):
            body += client.recv(65536)
        method, target, _ = lines[0].split(" ")
        self.heads.append(head.decode())
        self.requests.append((method, target, body))
        self.requested.set()
        says = self.later.pop(0) if self.later and len(self.requests) > 1 else self.says
        for part in says or ():
            client.sendall(part)
        if self.says is None or self.stays_open:
            self._end.wait(DEADLINE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    server = ControlServer(tmp_path / "control.socket")
    yield server
    server.close()
