"""Composes the control socket of the running plan: its file, the server, and the engine's `Admin`."""

from __future__ import annotations

from cp.http.errors import ServeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cp.control.ports import OnAnswer
    from cp.control.server import ControlServer
    from cp.control.socket_file import Listener
    from cp.engine.admin import Admin
    from cp.engine.loop import Loop
    from cp.log.log import Log
    from cp.plan import ControlSettings as Settings


class ControlError(ServeError):
    """The socket that the plan names cannot be created."""


class ControlPlane:
    """Serves the control socket of the plan that runs."""

    def __init__(
        self, loop: Loop, log: Log, admin: Admin, environ: Mapping[str, str], on_answer: OnAnswer | None = None
    ) -> None:
        """`on_answer` is called for each answer on a known path."""
        self._loop = loop
        self._log = log
        self._admin = admin
        self._environ = environ
        self._on_answer = on_answer
        self._users: tuple[int, ...] | None = ()  # the users that the server serves
        self._server: ControlServer | None = None

    def use(self, settings: Settings, accept: Callable[[], object] = lambda: None) -> None:
        """Serve at the socket of these settings from now on. Raises ControlError if it cannot be created.

        If the socket is served already, but its file was removed or replaced, the file is created again.

        `accept` is called once the socket is available. If it raises, or a ControlError is raised, nothing has changed.
        """
        if self._server is not None and self._is_where(self._server, settings):
            self._keep(self._server, settings, accept)
            return
        from cp.control.server import mode_for
        from cp.control.socket_file import ListenError, open_first, open_listener
        from cp.control.socket_paths import usual_places
        from cp.http.server import REPLACED_GRACE

        server, fault = None, ""
        try:
            mode = mode_for(settings.users)
            if settings.socket:
                listener = open_listener(settings.socket, mode)
            else:
                listener = open_first(usual_places(self._environ), mode)
            server = self._serve(listener, settings)
        except ListenError as error:
            if settings.socket:
                raise ControlError(str(error)) from None
            fault = str(error)
        try:
            accept()
        except BaseException:  # whatever it is: no client may find a socket that is not served
            if server is not None:
                server.close(grace=0.0)
            raise
        if fault:
            self._log.warning(f"{fault}: going on without it")
        self._close(REPLACED_GRACE)
        self._users = settings.users
        self._server = server
        if server is not None:
            server.announce()

    def _serve(self, listener: Listener, settings: Settings) -> ControlServer:
        """Serve the listener. Raises ListenError, and the socket is closed then."""
        from cp.control.server import ControlServer
        from cp.control.socket_file import ListenError
        from cp.platform.text import reason_of_fd

        try:
            return ControlServer(
                self._loop,
                listener,
                self._admin,
                self._log,
                announced=settings.announced,
                users=settings.users,
                on_answer=self._on_answer,
            )
        except OSError as error:
            listener.close()
            raise ListenError(f"cannot serve the control socket {listener.path}: {reason_of_fd(error)}") from None

    def _keep(self, server: ControlServer, settings: Settings, accept: Callable[[], object]) -> None:
        """Keep the socket, and change the users that it serves."""
        before = self._users
        if settings.users == before:
            accept()
        else:
            from cp.control.socket_file import ListenError

            try:
                server.serve_users(settings.users)
            except ListenError as error:
                raise ControlError(str(error)) from None
            try:
                accept()
            except BaseException:  # whatever it is, nothing has changed
                try:
                    server.serve_users(before)
                except ListenError:
                    pass  # the file is gone by now, and no client can connect any more
                raise
        self._users = settings.users
        server.announce()

    def _is_where(self, server: ControlServer, settings: Settings) -> bool:
        """Whether the settings name the socket that is served already, and its file is still ours. Otherwise our own
        socket would be taken for one of another instance."""
        if settings.socket:
            return server.is_at(settings.socket, through_link=True)
        from cp.control.socket_paths import usual_places

        return any(map(server.is_at, usual_places(self._environ)))

    def close(self) -> None:
        """Close at the end of the program: the file is gone when this returns."""
        self._close(0.0)

    def _close(self, grace: float) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close(grace=grace)
