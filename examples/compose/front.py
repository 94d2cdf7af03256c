"""A small front: passes each request on to one of the instances of `web` that it knows of.

Usage: front.py serve      the application
       front.py check      its health check: exit code 0 if it answers
       front.py upstreams  what ContainerPilot runs when the instances change: writes them down
"""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 8080
UPSTREAMS = Path("/tmp/upstreams")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = (200, b"ok\n") if self.path == "/health" else ask(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not a line for each request."""


def ask(path: str) -> tuple[int, bytes]:
    known = UPSTREAMS.read_text().split() if UPSTREAMS.exists() else []
    if not known:
        return 503, b"no web is there\n"
    connection = http.client.HTTPConnection(random.choice(known), timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        return 502, f"web does not answer: {error}\n".encode()
    finally:
        connection.close()


def check() -> int:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=1)
    try:
        connection.request("GET", "/health")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


def write_upstreams() -> None:
    instances = json.loads(os.environ["CONTAINERPILOT_WATCH_INSTANCES"])
    beside = UPSTREAMS.with_suffix(".new")
    beside.write_text("".join(f"{instance['address']}:{instance['port']}\n" for instance in instances))
    beside.replace(UPSTREAMS)  # at once: a request never reads half of it


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            ThreadingHTTPServer(("", PORT), Handler).serve_forever()
        case ["check"]:
            sys.exit(check())
        case ["upstreams"]:
            write_upstreams()
        case _:
            sys.exit(__doc__)
