"""A Consul of a few lines: it notes each call with its time, and answers with the configured number of instances."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.system.pilot import now

if TYPE_CHECKING:
    from types import TracebackType

HEALTH, UPDATE = "/v1/health/service/", "/v1/agent/check/"


class Catalog:
    """Use it with `with`."""

    def __init__(self) -> None:
        self.heartbeats: list[float] = []  # times, of the clock that `now` reads
        self._answer, self._index = b"[]", 1
        self._changed = threading.Condition()
        self._closing = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def has(self, instances: int, weight: int = 0) -> None:
        """From now on there are so many, each of about so many bytes more than it needs."""
        entries = [
            {
                "Node": {"Node": "node", "Address": "10.0.0.1"},
                "Service": {"ID": f"web-{number}", "Service": "web", "Address": "10.0.0.1", "Port": number % 60000 + 1}
                | {"Tags": ["x" * weight] if weight else []},
                "Checks": [],
            }
            for number in range(instances)
        ]
        with self._changed:
            self._answer, self._index = json.dumps(entries).encode(), self._index + 1
            self._changed.notify_all()

    def watch_answer(self, query: str) -> tuple[int, bytes]:
        """The answer to a watch: at once, or when something has changed."""
        seen = next((int(part[6:]) for part in query.split("&") if part.startswith("index=")), 0)
        with self._changed:
            self._changed.wait_for(lambda: self._index > seen or self._closing, timeout=20)
            return self._index, self._answer

    def __enter__(self) -> Catalog:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        catalog = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                index, body = catalog.watch_answer(query) if path.startswith(HEALTH) else (1, b"{}")
                self.answer(body, index)

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.path.startswith(UPDATE) and "deregister" not in self.path:
                    catalog.heartbeats.append(now())
                self.answer(b"", 1)

            def answer(self, body: bytes, index: int) -> None:
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.send_header("X-Consul-Index", str(index))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the client has gone

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
