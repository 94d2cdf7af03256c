"""The control plane: a running ContainerPilot takes orders on a unix socket.

On the way to the application's start: what answers is imported when the first client says something.
"""

from __future__ import annotations

from cp.control.socket_file import MODE, MODE_FOR_OTHERS
from cp.http.server import DEFAULT_LIMITS, GRACE, Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from cp.control.peer_credentials import PeerCredentials
    from cp.control.ports import Admin, OnAnswer
    from cp.control.routes import ControlRoutes
    from cp.control.socket_file import Listener
    from cp.engine.loop import Loop
    from cp.http.exchange import Exchange
    from cp.http.messages import Log
    from cp.http.server import Limits, Request


class ControlServer:
    """Serves `admin` on a listener, which it closes. `announced`: `announce` says so at level info, else debug.
    OSError if the loop cannot watch the listener, which is as it was then.

    `users` are served besides root and the user that we run as; None: all are.
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
        """Whether that is the socket, however the path is written; or a symbolic link to it, if that will do."""
        return self._listener.is_at(path, through_link=through_link)

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return self._server.connections

    def announce(self) -> None:
        """Tell the log where; again after a reload, for those who wait for the line."""
        write = self._log.info if self._announced else self._log.debug
        write(f"control: serving at {self.path}")

    def serve_users(self, users: tuple[int, ...] | None) -> None:
        """From now on serve these besides root and our own. Raises listener.ListenError, and nothing has changed."""
        self._listener.change_mode(mode_for(users))
        self._users = users

    def close(self, done: Callable[[], object] | None = None, grace: float = GRACE) -> None:
        """Remove the socket's file, give the answers that are owed, for so many seconds at most, and call back.

        The file goes first: whoever is told that this has ended may make a new one.
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
    """Of the socket's file, where these are served."""
    return MODE if users == () else MODE_FOR_OTHERS
