"""What an HTTP server and its handlers exchange: requests, responses, and the limits of both."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Log(Protocol):
        def debug(self, message: str, /) -> None: ...
        def info(self, message: str, /) -> None: ...
        def warning(self, message: str, /) -> None: ...
        def error(self, message: str, /) -> None: ...


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
    """How much a client may take. Sizes in bytes, times in seconds.

    connections: at once; each costs a descriptor and about 10 KiB.
    body: of a request; thousands of environment variables.
    headers: of a request, its first line included; several times what other servers allow.
    header_lines: each costs 2 microseconds of the loop's time.
    response: of an answer's body, which is kept until the client has read it. Enough for 100,000 jobs of usual size, or
        for 40,000 whose checks all say as much as is shown of them.
    unread: of the answers that all clients together have not read yet, beyond which there is none of more than a MiB.
    stream: kept for a reader of a stream; one that lags further behind is let go.
    request_seconds: from the first byte of a request, or from the connection, to the request's last byte.
    idle_seconds: between an answer and the next request.
    stalled_seconds: without reading anything of an answer.
    linger, linger_seconds: what is still read, and forgotten, of a request that was refused: who is cut off while it
        writes never reads why.
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
    """One request, complete."""

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
    """One answer. HEAD gets it without its body, which is in several pieces where it is long."""

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
    """The text in UTF-8; what was not text in the first place (bytes of a process's output) becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text).encode()


def answer(status: int, value: object) -> Response:
    return Response(status, encode(value) + b"\n")


def refusal(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, encode({"error": text}) + b"\n", headers=headers)
