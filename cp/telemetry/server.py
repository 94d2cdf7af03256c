"""Telemetry over HTTP: metrics, status, and the two probes of orchestrators.

This is on the way to the application's start, so the routes are imported when the first client sends something.
"""

from __future__ import annotations

from cp.http.server import CLOSE_GRACE, Limits, Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from cp.engine.loop import Loop
    from cp.engine.ports import Log
    from cp.http.exchange import Exchange
    from cp.http.server import Request
    from cp.telemetry.routes import Source, TelemetryRoutes

# Clients send no body; an answer may have thousands of series; scrapers keep their connections between requests.
LIMITS = Limits(connections=128, body=0, headers=1 << 14, header_lines=200, response=1 << 25, idle_seconds=75.0)


class TelemetryServer:
    """Serves `source` on a listener, and closes the listener in the end. The metrics are at `path`."""

    __slots__ = ("_limits", "_loop", "_routes", "_server", "_source", "path")

    def __init__(
        self, loop: Loop, listener: _socket.socket, source: Source, log: Log, path: str, limits: Limits = LIMITS
    ) -> None:
        self.path = path
        self._loop = loop
        self._source = source
        self._limits = limits
        self._routes: TelemetryRoutes | None = None
        self._server = Server(loop, listener, self._handle, log, limits=limits, name="telemetry", prepare=self._prepare)

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return self._server.connections

    def close(self, done: Callable[[], object] | None = None, grace: float = CLOSE_GRACE) -> None:
        """Stop accepting, give pending answers for at most `grace` seconds, then call `done`."""
        self._server.close(done, grace)

    def _prepare(self) -> None:
        """Import the routes, on another thread."""
        from cp.telemetry.routes import TelemetryRoutes

        self._routes = TelemetryRoutes(self._loop, self._source, self._limits.response)

    def _handle(self, request: Request, exchange: Exchange) -> None:
        assert self._routes is not None  # the server calls `_prepare` first
        self._routes.handle(request, exchange, self.path)
