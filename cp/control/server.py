"""The server of the control socket.

A start may import it: the routes are imported when the first client sends something.
"""

from __future__ import annotations

from cp.control.socket_file import MODE, MODE_FOR_OTHERS
from cp.http.server import CLOSE_GRACE, DEFAULT_LIMITS, Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from cp.control.peer_credentials import PeerCredentials
    from cp.control.ports import Admin, OnAnswer
    from cp.control.routes import ControlRoutes
    from cp.control.socket_file import Listener
    from cp.engine.loop import Loop
    from cp.engine.ports import Log
    from cp.http.exchange import Exchange
    from cp.http.server import Limits, Request


class ControlServer:
    """Serves `admin` on a listener, and closes it in the end. Raises OSError if the loop cannot watch the listener.

    `announced`: `announce` logs at level info, otherwise at debug. `users` are served besides root and the user that
    ContainerPilot runs as; None: everybody.
    """

    __slots__ = (
        *("_admin", "_announced", "_limits", "_listener", "_log", "_loop", "_on_answer", "_peers", "_routes"),
        *("_server", "_users"),
    )

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        admin: Admin,
        log: Log,
        *,
        announced: bool = True,
        users: tuple[int, ...] | None = (),
        on_answer: OnAnswer | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._admin = admin
        self._log = log
        self._announced = announced
        self._on_answer = on_answer
        self._limits = limits
        self._users = users
        self._peers: PeerCredentials | None = None
        self._routes: ControlRoutes | None = None
        self._server = Server(
            loop, listener.socket, self._handle, log, limits=limits, prepare=self._prepare, refusal=self._refusal
        )

    @property
    def path(self) -> str:
        return self._listener.path

    def is_at(self, path: str, *, through_link: bool = False) -> bool:
        """Whether the path names the socket, however it is written; with `through_link` also by a symbolic link."""
        return self._listener.is_at(path, through_link=through_link)

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return self._server.connections

    def announce(self) -> None:
        """Log the path; again after a reload, since tools wait for the line."""
        write = self._log.info if self._announced else self._log.debug
        write(f"control: serving at {self.path}")

    def serve_users(self, users: tuple[int, ...] | None) -> None:
        """Serve these users from now on. Raises ListenError, and nothing has changed then."""
        self._listener.change_mode(mode_for(users))
        self._users = users

    def close(self, done: Callable[[], object] | None = None, grace: float = CLOSE_GRACE) -> None:
        """Remove the socket's file, give pending answers for at most `grace` seconds, then call `done`.

        The file is removed first, so that `done` may create a new one.
        """

        def finished() -> None:
            self._log.debug(f"control: stopped serving at {self.path}")
            if done is not None:
                done()

        self._listener.unlink()
        self._server.close(finished, grace)

    def _prepare(self) -> None:
        from cp.control.peer_credentials import PeerCredentials
        from cp.control.routes import ControlRoutes

        self._peers = PeerCredentials(self._log.warning, self._loop.now)
        self._routes = ControlRoutes(self._loop, self._admin, self._log, self._on_answer, self._limits.response)

    def _handle(self, request: Request, exchange: Exchange) -> None:
        assert self._routes is not None  # the server calls `_prepare` before
        self._routes.handle(request, exchange)

    def _refusal(self, client: _socket.socket) -> str:
        assert self._peers is not None  # the server calls `_prepare` before
        return self._peers.refusal(client, self._users)


def mode_for(users: tuple[int, ...] | None) -> int:
    """The mode of the socket's file for these users."""
    return MODE if users == () else MODE_FOR_OTHERS
