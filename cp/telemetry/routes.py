"""What the telemetry port answers: each path becomes a question to the source, and what that tells an answer.

Imported when the first client says something.
"""

from __future__ import annotations

import zlib  # what packs a page must not be read from the disk while the loop waits for it

from cp.http.long_answers import LongAnswers, gathered, json_parts
from cp.http.messages import TEXT, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Protocol

    from cp.engine.loop import Loop
    from cp.http.exchange import Exchange
    from cp.http.server import Request

    class Source(Protocol):
        """What there is to tell of a running engine; nothing of it blocks."""

        def form(self, accept: str, accept_encoding: str, /) -> tuple[str, str]:
            """Content type, and content encoding or "", of the metrics for a client of these headers."""

        def metrics(self, content_type: str, encoding: str, /) -> Iterable[bytes]:
            """All of them in such a form, in small parts."""

        def status(self) -> dict[str, object]:
            """The answer to /status; what is long in it may be an iterator."""

        def not_ready(self) -> Iterable[str]:
            """Why not, a line each; nothing if it is."""

        def remarks(self) -> Iterable[str]:
            """What else who asks for readiness should know, a line each."""

    Making = Generator[None, None, Response]

__all__ = ["ALIVE", "READY", "STATUS", "TelemetryRoutes", "zlib"]

STATUS, ALIVE, READY = "/status", "/healthz", "/readyz"
_OK = Response(200, b"ok\n", TEXT)
_NOT_FOUND = Response(404, b"404 page not found\n", TEXT)


class TelemetryRoutes:
    """Answers requests. All methods are for the loop's thread.

    `limit`: bytes of an answer, beyond which it is not made to its end, since the server refuses it.
    """

    __slots__ = ("_limit", "_pages", "_source")

    def __init__(self, loop: Loop, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._pages = LongAnswers(loop)

    def handle(self, request: Request, exchange: Exchange, metrics_path: str) -> None:
        path, method = request.path, request.method
        # The status was never told to HEAD; the others are, as everywhere.
        allowed = ("GET",) if path == STATUS and path != metrics_path else ("GET", "HEAD")
        if path not in (metrics_path, STATUS, ALIVE, READY):
            exchange.reply(_NOT_FOUND)
        elif method not in allowed:
            exchange.reply(Response(405, b"Method Not Allowed\n", TEXT, (("Allow", ", ".join(allowed)),)))
        elif path == metrics_path:
            headers = request.headers
            form = self._source.form(headers.get("accept", ""), headers.get("accept-encoding", ""))
            self._pages.ask(" ".join(form), lambda: self._metrics(*form), exchange.reply)
        elif path == STATUS:
            self._pages.ask(STATUS, self._status, exchange.reply)
        elif path == READY:
            self._pages.ask(READY, self._readiness, exchange.reply)
        else:
            exchange.reply(_OK)

    def _metrics(self, content_type: str, encoding: str) -> Making:
        body = yield from gathered(self._source.metrics(content_type, encoding), self._limit)
        more = (("Vary", "Accept, Accept-Encoding"),)
        return Response(200, body, content_type, (*more, ("Content-Encoding", encoding)) if encoding else more)

    def _status(self) -> Making:
        body = yield from gathered(json_parts(self._source.status(), (",", ":")), self._limit)
        return Response(200, body)

    def _readiness(self) -> Making:
        why = yield from self._text(self._source.not_ready())
        remarks = yield from self._text(self._source.remarks())
        return Response(503, (*why, *remarks), TEXT) if any(why) else Response(200, (b"ok\n", *remarks), TEXT)

    def _text(self, lines: Iterable[str]) -> Generator[None, None, tuple[bytes, ...]]:
        return gathered((f"{line}\n".encode(errors="replace") for line in lines), self._limit)
