"""A small web application: answers with its version, can be made to crash, and finishes politely on SIGTERM.

Usage: web.py PORT VERSION
"""

# ruff: noqa: T201 - what it prints is for people

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    version = ""

    def do_GET(self) -> None:
        if self.path == "/crash":
            print("web: crashing with exit code 7", flush=True)
            os._exit(7)
        body = f"hello from web {self.version}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The demo's narration is enough."""


def main() -> None:
    port, Handler.version = int(sys.argv[1]), sys.argv[2]
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)

    def finish(number: int, frame: object) -> None:
        print("web: SIGTERM, finishing", flush=True)
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, finish)
    print(f"web: {Handler.version} listens on port {port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
