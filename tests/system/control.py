"""The control socket from outside: one HTTP client on a connection that it keeps."""

from __future__ import annotations

import json
import os
import socket
import struct
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOCKET = "control.socket"  # in the folder of a pilot, which is its working directory


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Use it with `with`. OSError if there is nobody."""

    def __init__(self, path: Path, timeout: float = DEADLINE) -> None:
        self._connection = _Connection("control", timeout=timeout)
        self._connection.sock = connect(path, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, target: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """One request and its answer. A body that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, target, content, headers or {})
        answer = self._connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())


class _Connection(HTTPConnection):
    """On a socket that is connected already."""

    def connect(self) -> None:
        raise ConnectionError("the server has closed the connection")


def connect(path: Path, timeout: float = DEADLINE) -> socket.socket:
    """A connection to the socket at a path of any length: the kernel takes 107 bytes, and folders of tests are deep."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # With a timeout of Python's own it would not wait for a place in the queue of a busy server.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(timeout), 0))
    folder = os.open(path.parent, os.O_PATH)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        connection.settimeout(timeout)
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection
