"""Parses what one client sends into requests, within limits. This module has no socket.

Imported when the first client sends something: importing h11 takes 30 ms.
"""

from __future__ import annotations

import h11

from cp.http.messages import REASONS, Limits, Request

PARTS_PER_TURN = 64  # a body may come in chunks of one byte, each of which costs 10 microseconds


class RequestRefused(Exception):
    """The request is refused; `status` is the HTTP status of the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{REASONS.get(status, REASONS[400])}: {why}")
        self.status = status


class ClientDisconnected(Exception):
    """The client closed its side after a complete request, or before any."""


class RequestParser:
    """Parses the requests of one connection. `wire` is h11's state of the connection; it formats the answers as well.

    `unparsed`: the bytes that were fed may contain more, so call `next` without feeding.
    """

    __slots__ = ("_body", "_body_size", "_head", "_limits", "_lines", "_tail", "unparsed", "wire")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.wire = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.headers)
        self.unparsed = False
        self._head: h11.Request | None = None
        self._lines = 0  # of the headers, so far
        self._tail = b""  # the last bytes of the headers so far: their end may come in pieces
        self._body: list[bytes] = []
        self._body_size = 0

    @property
    def is_head(self) -> bool:
        """Whether the request is one whose answer has no body."""
        return self._head is not None and self._head.method == b"HEAD"

    @property
    def wants_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self.wire.they_are_waiting_for_100_continue

    def feed(self, data: bytes) -> None:
        """Take bytes that were read; no bytes at the end of the stream. Raises RequestRefused."""
        if self._head is None:
            self._count_lines(data)
        self.wire.receive_data(data)

    def next(self) -> Request | None:
        """Return the next complete request, or None if there is none yet. Raises RequestRefused, ClientDisconnected."""
        self.unparsed = False
        try:
            for _ in range(PARTS_PER_TURN):
                part = self.wire.next_event()
                if part is h11.NEED_DATA:
                    return None
                if isinstance(part, h11.Request):
                    self._head = part
                    self._check(part)
                elif isinstance(part, h11.Data):
                    self._take(bytes(part.data))
                elif isinstance(part, h11.EndOfMessage):
                    return self._request()
                else:
                    raise ClientDisconnected
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            raise RequestRefused(status, self._too_large() if status == 431 else str(error)[:200]) from None
        self.unparsed = True
        return None

    def restart(self) -> bool:
        """Begin the next request after an answer; whether a part of it has arrived already. Raises RequestRefused."""
        self.wire.start_next_cycle()
        self._head = None
        self._body_size = self._lines = 0
        self._tail = b""
        rest, _ = self.wire.trailing_data
        self._count_lines(rest)
        self.unparsed = bool(rest)
        return self.unparsed

    def _count_lines(self, data: bytes) -> None:
        """Count the lines of the headers. h11 limits only their bytes, and each line costs it time."""
        seen = self._tail + data
        ends = [end for end in (seen.find(b"\n\r\n"), seen.find(b"\n\n")) if end >= 0]
        self._lines += seen.count(b"\n", len(self._tail), min(ends, default=len(seen)))
        self._tail = seen[-2:]
        if self._lines > self._limits.header_lines:
            raise RequestRefused(431, f"more than {self._limits.header_lines} lines")

    def _check(self, head: h11.Request) -> None:
        limits = self._limits
        size = len(head.method) + len(head.target) + sum(len(name) + len(value) + 4 for name, value in head.headers)
        if size > limits.headers:
            raise RequestRefused(431, self._too_large())
        if not head.http_version.startswith(b"1."):
            raise RequestRefused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
        if head.method == b"CONNECT":
            raise RequestRefused(501, "this is not a proxy")
        for name, value in head.headers:
            if name == b"content-length":
                self._check_body(int(value))

    def _take(self, data: bytes) -> None:
        self._body_size += len(data)
        self._check_body(self._body_size)
        self._body.append(data)

    def _check_body(self, size: int) -> None:
        if size > self._limits.body:
            raise RequestRefused(413, f"a body may have at most {self._limits.body} bytes")

    def _too_large(self) -> str:
        return f"more than {self._limits.headers} bytes"

    def _request(self) -> Request:
        head = self._head
        assert head is not None  # h11 never ends a message that has not begun
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        body = b"".join(self._body)
        self._body.clear()
        return Request(head.method.decode("ascii"), head.target.decode("latin-1"), headers, body)
