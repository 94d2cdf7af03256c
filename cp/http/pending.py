"""A client whose server has not imported yet what speaks HTTP."""

from __future__ import annotations

import select
from _socket import MSG_PEEK

from cp.http.messages import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from cp.http.ports import ConnectionOwner


class PendingConnection:
    """Among the connections it has its place, which it gives up for others, as they do.

    HTTP is imported once a newcomer sends something, or has been silent for so long that it is to get an answer.
    """

    __slots__ = ("_server", "client", "deadline", "due", "fd")

    def __init__(self, server: ConnectionOwner, client: _socket.socket) -> None:
        self._server = server
        self.client = client
        self.fd = client.fileno()
        self.due = self.deadline = server.now() + server.limits.request_seconds
        server.poller.register(self.fd, select.EPOLLIN)

    def unread(self) -> dict[int, int]:
        """What is kept for it: nothing."""
        return {}

    @property
    def evictable(self) -> bool:
        """Whether it waits for nothing yet."""
        return self.deadline != NEVER

    def turn(self, _: int) -> None:
        """The descriptor is ready, or may be."""
        try:
            said = self.client.recv(1, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            self.due = NEVER  # once HTTP is there it has its time
            self._await_http()
        else:
            self.close()

    def expire(self) -> None:
        self._await_http()

    def wind_up(self) -> None:
        self.close()

    def close(self) -> None:
        self.hush()
        self.client.close()
        self._server.forget(self)

    def hush(self) -> None:
        """Let the poller say no more of it."""
        if self.evictable:
            self.deadline = NEVER
            self._server.poller.unregister(self.fd)

    def _await_http(self) -> None:
        self.hush()
        self._server.first_words()
