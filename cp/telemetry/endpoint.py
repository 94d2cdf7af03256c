"""The telemetry endpoint: its port is opened before a plan is accepted, and closed when the plan is replaced.

Imported only if the plan has telemetry.
"""

from __future__ import annotations

from cp.http.errors import ServeError
from cp.http.server import REPLACED_GRACE
from cp.http.tcp import PortError, listen, shown
from cp.platform.text import reason_of_fd
from cp.telemetry.observer import Observer
from cp.telemetry.server import TelemetryServer as Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.context import Context
    from cp.engine.engine import Engine
    from cp.log.log import Log
    from cp.plan import TelemetrySettings as Settings


class TelemetryError(ServeError):
    """The port of the plan is not available. The text is a sentence for people."""


class TelemetryEndpoint:
    """Serves the telemetry of the current plan."""

    def __init__(self, context: Context, engine: Engine, log: Log) -> None:
        self._context = context
        self._log = log
        self._observer = Observer(context, engine)
        self._settings: Settings | None = None
        self._server: Server | None = None

    def use(self, settings: Settings | None, accept: Callable[[], object] = lambda: None) -> None:
        """Serve with these settings. Raises TelemetryError if their port is not available.

        `accept` is called after the port is open. If `accept` raises, or a TelemetryError is raised, nothing changes.
        """
        server = None
        if settings is not None and not self._is_served(settings):
            server = self._serve(settings)
        try:
            accept()
        except BaseException:  # even at an interrupt: no open port may be left that nobody serves
            if server is not None:
                server.close(grace=0.0)
            raise
        if server is not None or settings is None:
            self._close(REPLACED_GRACE)
        self._settings = settings
        self._observer.observe(settings is not None)
        if settings is None:
            return
        for warning in self._observer.define(settings):
            self._log.warning(warning)
        if server is not None:
            self._server = server
        elif self._server is not None:
            self._server.path = settings.path
        self._log.info(settings.announcement.format(address=shown(settings.address, settings.port)))

    def _serve(self, settings: Settings) -> Server:
        """Open the port. Raises TelemetryError if it is not available."""
        why, listener = "", None
        try:
            listener = listen(settings.address, settings.port)
            return Server(self._context.loop, listener, self._observer, self._log, settings.path)
        except PortError as error:
            why = str(error)
        except OSError as error:
            why = reason_of_fd(error)
        if listener is not None:
            listener.close()
        raise TelemetryError(f"Error serving telemetry on {shown(settings.address, settings.port)}: {why}")

    def _is_served(self, settings: Settings) -> bool:
        now = self._settings
        return now is not None and (now.address, now.port) == (settings.address, settings.port)

    def close(self) -> None:
        """Close the port at the end of the program. It is free when this returns."""
        self._close(0.0)

    def _close(self, grace: float) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close(grace=grace)
