"""A client of a server that has not imported h11 yet."""

from __future__ import annotations

import select
from _socket import MSG_PEEK

from cp.http.messages import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from cp.http.ports import ConnectionOwner


class PendingConnection:
    """Counts among the connections, and is closed for others like an idle one.

    The server imports h11 when the client sends something, or when it has been silent for too long and gets an answer.
    """

    __slots__ = ("_server", "client", "deadline", "due", "fd")

    def __init__(self, server: ConnectionOwner, client: _socket.socket) -> None:
        self._server = server
        self.client = client
        self.fd = client.fileno()
        self.due = self.deadline = server.now() + server.limits.request_seconds
        server.poller.register(self.fd, select.EPOLLIN)

    def unread(self) -> dict[int, int]:
        """No answer is kept for it."""
        return {}

    @property
    def evictable(self) -> bool:
        """Whether it does not wait for an answer yet."""
        return self.deadline != NEVER

    def turn(self, _: int) -> None:
        """The descriptor is ready, or may be."""
        try:
            received = self.client.recv(1, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if received:
            self.due = NEVER  # its time begins once h11 is imported
            self._await_http()
        else:
            self.close()

    def expire(self) -> None:
        self._await_http()

    def wind_up(self) -> None:
        self.close()

    def close(self) -> None:
        self.stop_polling()
        self.client.close()
        self._server.forget(self)

    def stop_polling(self) -> None:
        """Take it out of the poller."""
        if self.evictable:
            self.deadline = NEVER
            self._server.poller.unregister(self.fd)

    def _await_http(self) -> None:
        self.stop_polling()
        self._server.import_http()
