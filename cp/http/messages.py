"""Requests, responses and their limits: what an HTTP server and its handlers exchange."""

from __future__ import annotations

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
EVENT_STREAM = "text/event-stream"
NEVER = float("inf")  # a deadline

REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Entity",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Limits:
    """The limits of a server and of each client. Sizes are in bytes, times in seconds.

    connections: open at the same time; each takes a descriptor and about 10 KiB.
    body: of a request; enough for thousands of environment variables.
    headers: of a request, with its first line; several times what other servers allow.
    header_lines: of a request; each takes 2 microseconds of the loop's time.
    response: of an answer's body, which stays in memory until the client has read it. Enough for 100,000 jobs of usual
        size, or for 40,000 with the longest output of a check that is shown.
    unread: of the answers that all clients together have not read; beyond it the server refuses answers above 1 MiB.
    stream: unread bytes of one stream; the server disconnects a reader that is further behind.
    request_seconds: from the connection, or from the first byte of a request, to the last byte of the request.
    idle_seconds: between an answer and the next request.
    stalled_seconds: without reading any part of an answer.
    linger, linger_seconds: bytes and time in which the server reads and drops the rest of a request that it refused. A
        client whose connection is reset while it writes never reads the refusal.
    """

    __slots__ = (
        "body",
        "connections",
        "header_lines",
        "headers",
        "idle_seconds",
        "linger",
        "linger_seconds",
        "request_seconds",
        "response",
        "stalled_seconds",
        "stream",
        "unread",
    )

    def __init__(
        self,
        *,
        connections: int = 128,
        body: int = 1 << 20,
        headers: int = 1 << 16,
        header_lines: int = 1000,
        response: int = 1 << 26,
        unread: int = 1 << 26,
        stream: int = 1 << 18,
        request_seconds: float = 5.0,
        idle_seconds: float = 5.0,
        stalled_seconds: float = 5.0,
        linger: int = 1 << 20,
        linger_seconds: float = 1.0,
    ) -> None:
        self.connections = connections
        self.body = body
        self.headers = headers
        self.header_lines = header_lines
        self.response = response
        self.unread = unread
        self.stream = stream
        self.request_seconds = request_seconds
        self.idle_seconds = idle_seconds
        self.stalled_seconds = stalled_seconds
        self.linger = linger
        self.linger_seconds = linger_seconds


DEFAULT_LIMITS = Limits()


class Request:
    """One complete request."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        path, _, self.query = target.partition("?")
        if path.startswith("http://"):  # the absolute form, which a server must understand
            path = "/" + path[len("http://") :].partition("/")[2]
        self.path = path  # still percent-encoded
        self.headers = headers  # names in lower case; values of a repeated header joined by ", "
        self.body = body


class Response:
    """One answer. A long body is in several pieces; the answer to HEAD has none."""

    __slots__ = ("content_type", "headers", "pieces", "size", "status")

    def __init__(
        self,
        status: int,
        body: bytes | tuple[bytes, ...] = b"",
        content_type: str = JSON,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.pieces = (body,) if isinstance(body, bytes) else body
        self.size = sum(map(len, self.pieces))
        self.content_type = content_type
        self.headers = headers


def encode(value: object, separators: tuple[str, str] | None = None) -> bytes:
    """JSON in UTF-8."""
    from json import dumps

    return utf_8(dumps(value, ensure_ascii=False, separators=separators))


def utf_8(text: str) -> bytes:
    """Encode text as UTF-8. Surrogates, which stand for undecodable bytes of a process's output, become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text).encode()


def answer(status: int, value: object) -> Response:
    return Response(status, encode(value) + b"\n")


def refusal(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, encode({"error": text}) + b"\n", headers=headers)
