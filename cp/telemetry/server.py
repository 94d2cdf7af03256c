"""Telemetry over HTTP: metrics, status, and the two questions that orchestrators ask.

On the way to the application's start: what answers is imported when the first client says something.
"""

from __future__ import annotations

from cp.http.server import Limits, Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from cp.engine.loop import Loop
    from cp.engine.ports import Log
    from cp.http.exchange import Exchange
    from cp.http.server import Request
    from cp.telemetry.routes import Source, TelemetryRoutes

# Nobody has anything to send here; an answer may have thousands of series; scrapers come back on their connections.
LIMITS = Limits(connections=128, body=0, headers=1 << 14, header_lines=200, response=1 << 25, idle_seconds=75.0)

_GRACE = 0.6  # seconds for answers that are owed when the server closes


class TelemetryServer:
    """Serves `source` on a listener, which it closes; the metrics are at `path`."""

    __slots__ = ("_answers", "_limits", "_loop", "_server", "_source", "path")

    def __init__(
        self, loop: Loop, listener: _socket.socket, source: Source, log: Log, path: str, limits: Limits = LIMITS
    ) -> None:
        self.path = path
        self._loop = loop
        self._source = source
        self._limits = limits
        self._answers: TelemetryRoutes | None = None
        self._server = Server(loop, listener, self._handle, log, limits=limits, name="telemetry", prepare=self._prepare)

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return self._server.connections

    def close(self, done: Callable[[], object] | None = None, grace: float = _GRACE) -> None:
        """Listen no longer, give the answers that are owed, for so many seconds at most, and call back."""
        self._server.close(done, grace)

    def _prepare(self) -> None:
        """Import what answers; on another thread."""
        from cp.telemetry.routes import TelemetryRoutes

        self._answers = TelemetryRoutes(self._loop, self._source, self._limits.response)

    def _handle(self, request: Request, exchange: Exchange) -> None:
        assert self._answers is not None  # the server calls `_prepare` before
        self._answers.handle(request, exchange, self.path)
