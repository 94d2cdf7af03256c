"""Telemetry over HTTP: metrics, status, and the two questions that orchestrators ask.

On the way to the application's start: what answers is imported when the first client says something.
"""

from __future__ import annotations

from cp.server.http import Limits, Response, Server
from cp.server.messages import TEXT, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable
    from typing import Protocol

    from cp.engine.loop import Loop
    from cp.server.http import Request
    from cp.server.messages import Log
    from cp.server.stream import Exchange

    class Source(Protocol):
        """What there is to tell of a running engine; nothing of it blocks."""

        def metrics(self, accept: str, accept_encoding: str) -> tuple[str, str, bytes]:
            """Content type, content encoding or "", and body, for a client of these headers."""

        def status(self) -> dict[str, object]:
            """The answer to /status."""

        def not_ready(self) -> list[str]:
            """Why not, a line each; nothing if it is."""

        def remarks(self) -> list[str]:
            """What else who asks for readiness should know, a line each."""


# Nobody has anything to send here; an answer may have thousands of series; scrapers come back on their connections.
LIMITS = Limits(
    connections=128, body=0, headers=1 << 14, header_lines=200, response=1 << 25, unread=128 << 25, idle_seconds=75.0
)

STATUS, ALIVE, READY = "/status", "/healthz", "/readyz"
_GRACE = 0.6  # seconds for answers that are owed when the server closes
_OK = Response(200, b"ok\n", TEXT)
_NOT_FOUND = Response(404, b"404 page not found\n", TEXT)


class Telemetry:
    """Serves `source` on a listener, which it closes; the metrics are at `path`."""

    __slots__ = ("_listener", "_server", "_source", "path")

    def __init__(
        self, loop: Loop, listener: _socket.socket, source: Source, log: Log, path: str, limits: Limits = LIMITS
    ) -> None:
        self.path = path
        self._source = source
        self._server = Server(loop, listener, self._handle, log, limits=limits, name="telemetry", prepare=_prepare)

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return self._server.connections

    def close(self, done: Callable[[], object] | None = None, grace: float = _GRACE) -> None:
        """Listen no longer, give the answers that are owed, for so many seconds at most, and call back."""
        self._server.close(done, grace)

    def _handle(self, request: Request, exchange: Exchange) -> None:
        exchange.reply(self._answer(request))

    def _answer(self, request: Request) -> Response:
        path, method = request.path, request.method
        if path not in (self.path, STATUS, ALIVE, READY):
            return _NOT_FOUND
        # The status was never told to HEAD; the others are, as everywhere.
        allowed = ("GET",) if path == STATUS and path != self.path else ("GET", "HEAD")
        if method not in allowed:
            return Response(405, b"Method Not Allowed\n", TEXT, (("Allow", ", ".join(allowed)),))
        if path == self.path:
            return self._metrics(request)
        if path == STATUS:
            return Response(200, encode(self._source.status(), (",", ":")) + b"\n")
        if path == ALIVE:
            return _OK
        why = self._source.not_ready()
        lines = [*(why or ["ok"]), *self._source.remarks()]
        return Response(503 if why else 200, "".join(f"{line}\n" for line in lines).encode(errors="replace"), TEXT)

    def _metrics(self, request: Request) -> Response:
        headers = request.headers
        kind, encoding, body = self._source.metrics(headers.get("accept", ""), headers.get("accept-encoding", ""))
        more = (("Vary", "Accept, Accept-Encoding"),)
        return Response(200, body, kind, (*more, ("Content-Encoding", encoding)) if encoding else more)


def _prepare() -> None:
    """Import what answers need; on another thread."""
    import json
    import zlib

    del json, zlib
