"""The port that the plan's `telemetry` names: opened before the plan is accepted, closed when it is replaced.

Imported only if a plan wants it.
"""

from __future__ import annotations

from cp.http.errors import ServeError
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

REPLACED_GRACE = 10.0  # seconds in which the server on a port that a reload replaced finishes its answers


class TelemetryError(ServeError):
    """The port that the plan names cannot be had; a sentence for people."""


class TelemetryPort:
    """Serves the telemetry of the plan that runs."""

    def __init__(self, context: Context, engine: Engine, log: Log) -> None:
        self._context = context
        self._log = log
        self._observer = Observer(context, engine)
        self._settings: Settings | None = None
        self._server: Server | None = None

    def use(self, settings: Settings | None, accept: Callable[[], object] = lambda: None) -> None:
        """From now on serve what these settings say. TelemetryError if their port cannot be had.

        `accept` is called once it is clear that it can be had. If it raises, or there is a TelemetryError, nothing has
        changed.
        """
        server = None
        if settings is not None and not self._is_served(settings):
            server = self._serve(settings)
        try:
            accept()
        except BaseException:  # whatever it is: nobody may find a port that is not served
            if server is not None:
                server.close(grace=0.0)
            raise
        if server is not None or settings is None:
            self._close(REPLACED_GRACE)
        self._settings = settings
        self._observer.observe(settings is not None)
        if settings is None:
            return
        for told in self._observer.define(settings):
            self._log.warning(told)
        if server is not None:
            self._server = server
        elif self._server is not None:
            self._server.path = settings.path
        self._log.info(settings.announcement.format(address=shown(settings.address, settings.port)))

    def _serve(self, settings: Settings) -> Server:
        """TelemetryError if their port is not available."""
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
        """The last act: the port is free when this returns."""
        self._close(0.0)

    def _close(self, grace: float) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close(grace=grace)
