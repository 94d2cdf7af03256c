"""The connection class of the HTTP client: urllib3's, with DeadlineSocket."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any

    from urllib3.connection import HTTPConnection

    from cp.catalog.http.sockets import DeadlineSocket

    class Connection(HTTPConnection):
        def __init__(self, host: str, port: int, open_socket: Callable[[], socket.socket]) -> None: ...


def connection_type(module: ModuleType, usual_port: int) -> type[Connection]:
    """Its instances get their socket from a function: connected, and with TLS on it where the server wants that.

    `module` is `urllib3.connection`, which is not in `sys.modules`. The header `Host` does not name the usual port.
    """
    if not TYPE_CHECKING:
        HTTPConnection = module.HTTPConnection

    class SocketConnection(HTTPConnection):
        default_port = usual_port  # type: ignore[misc]

        def __init__(self, host: str, port: int, open_socket: Callable[[], socket.socket]) -> None:
            super().__init__(host, port)
            self.open_socket = open_socket
            self.pieces: list[bytes] = []

        def connect(self) -> None:
            self.sock = self.open_socket()

        def send(self, data: Any) -> None:
            """Keep the head of a request until its body is there: both go out in one packet."""
            self.pieces.append(data)

        def request(self, *args: Any, **kwargs: Any) -> None:
            self.pieces = []
            super().request(*args, **kwargs)
            request, self.pieces = b"".join(self.pieces), []
            self.sock.sendall(request)

    return SocketConnection  # type: ignore[return-value]


def open_tunnel(
    connection_type: type[Connection], to_proxy: DeadlineSocket, host: str, port: int, headers: Mapping[str, str]
) -> None:
    """Let the proxy connect this socket to a server. OSError, or an exception of `http.client`."""
    server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    duplicate = to_proxy.dup()  # http.client closes what it has read such a response from
    connection = connection_type(host, port, lambda: duplicate)
    sent = {"User-Agent": "containerpilot", "Host": server, **headers}
    try:
        connection.connect()
        connection.request("CONNECT", server, headers=sent, preload_content=False)
        with connection.getresponse() as response:
            if response.status != 200:
                raise OSError(f"Tunnel connection failed: {response.status} {response.reason or ''}".strip())
    finally:
        connection.close()
        if duplicate.fileno() >= 0:  # held by a response that could not be read
            os.close(duplicate.detach())
