"""A server on the loopback that notes what it receives, unencrypted or over TLS, and gives one answer to everything."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

from tests.limits import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"


class NotingServer:
    """`received`: what came on each connection, as far as it could be read (nothing where the handshake failed)."""

    def __init__(self, answer: bytes = OK, certificate: tuple[Path, Path] | None = None) -> None:
        self.answer = answer
        self.received: list[bytes] = []
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(DEADLINE)
            self.received.append(b"")
            try:
                with client if self._context is None else self._context.wrap_socket(client, server_side=True) as talk:
                    self.received[-1] = talk.recv(65536)
                    talk.sendall(self.answer)
            except OSError:  # ssl.SSLError is one
                continue
