"""The routes of the telemetry port: each path gets its answer from the source.

Imported when the first client sends something.
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
        """The data of a running engine. No method blocks."""

        def form(self, accept: str, accept_encoding: str, /) -> tuple[str, str]:
            """The content type and the content encoding (or "") of the metrics for a client with these headers."""

        def metrics(self, content_type: str, encoding: str, /) -> Iterable[bytes]:
            """Yield all metrics in this form, in small parts."""

        def status(self) -> dict[str, object]:
            """The answer to /status. Long parts may be iterators."""

        def not_ready(self) -> Iterable[str]:
            """The reasons why it is not ready, one line each; none if it is."""

        def remarks(self) -> Iterable[str]:
            """Facts for a client of /readyz that do not change the status, one line each."""

    Making = Generator[None, None, Response]

__all__ = ["ALIVE", "READY", "STATUS", "TelemetryRoutes", "zlib"]

STATUS, ALIVE, READY = "/status", "/healthz", "/readyz"
_OK = Response(200, b"ok\n", TEXT)
_NOT_FOUND = Response(404, b"404 page not found\n", TEXT)


class TelemetryRoutes:
    """Answers requests. Call all methods on the loop's thread.

    `limit`: bytes after which an answer is not completed, because the server refuses a longer one.
    """

    __slots__ = ("_limit", "_long_answers", "_source")

    def __init__(self, loop: Loop, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._long_answers = LongAnswers(loop)

    def handle(self, request: Request, exchange: Exchange, metrics_path: str) -> None:
        path, method = request.path, request.method
        # ContainerPilot 3 refuses HEAD for the status. All other paths accept it.
        allowed = ("GET",) if path == STATUS and path != metrics_path else ("GET", "HEAD")
        if path not in (metrics_path, STATUS, ALIVE, READY):
            exchange.reply(_NOT_FOUND)
        elif method not in allowed:
            exchange.reply(Response(405, b"Method Not Allowed\n", TEXT, (("Allow", ", ".join(allowed)),)))
        elif path == metrics_path:
            headers = request.headers
            form = self._source.form(headers.get("accept", ""), headers.get("accept-encoding", ""))
            self._long_answers.ask(" ".join(form), lambda: self._metrics(*form), exchange.reply)
        elif path == STATUS:
            self._long_answers.ask(STATUS, self._status, exchange.reply)
        elif path == READY:
            self._long_answers.ask(READY, self._readiness, exchange.reply)
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
