"""A small front: passes each request on to the first of its upstreams, which it reads from a file.

Usage: front.py PORT FILE
"""

from __future__ import annotations

import http.client
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    upstreams = Path()

    def do_GET(self) -> None:
        status, body = self.ask()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self) -> tuple[int, bytes]:
        lines = self.upstreams.read_text().split() if self.upstreams.exists() else []
        if not lines:
            return 503, b"no web is there\n"
        connection = http.client.HTTPConnection(lines[0], timeout=2)
        try:
            connection.request("GET", self.path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError as error:
            return 502, f"{lines[0]} does not answer: {error}\n".encode()
        finally:
            connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """The demo's narration is enough."""


def main() -> None:
    port, Handler.upstreams = int(sys.argv[1]), Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    signal.signal(signal.SIGTERM, lambda number, frame: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
