"""As much of curl as the pages use: the machine that runs the tests may have none.

Usage: curl.py [-sN] [-m SECONDS] [-X METHOD] [-d BODY] [--unix-socket PATH] URL

The port of a URL is that of the variable PORT, if there is one: the one that a page shows may be taken.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import time
from urllib.parse import urlsplit


class Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("control")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in ("-s", "-N"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-m", type=float, default=20.0, dest="seconds")
    parser.add_argument("-X", default="", dest="method")
    parser.add_argument("-d", dest="body")
    parser.add_argument("--unix-socket")
    parser.add_argument("url")
    options = parser.parse_args()

    deadline = time.monotonic() + options.seconds
    url = urlsplit(options.url)
    connection = (
        Connection(options.unix_socket)
        if options.unix_socket
        else http.client.HTTPConnection(url.hostname or "", int(os.environ.get("PORT") or url.port or 80))
    )
    target = f"{url.path}?{url.query}" if url.query else url.path
    connection.request(options.method or ("GET" if options.body is None else "POST"), target, options.body)
    sent = connection.sock
    answer = connection.getresponse()
    with contextlib.suppress(TimeoutError, BrokenPipeError):
        while rest := deadline - time.monotonic():
            sent.settimeout(max(rest, 0.001))
            piece = answer.read1()
            if not piece:
                break
            os.write(1, piece)


if __name__ == "__main__":
    main()
