"""One request of a check and its response, as bytes: h11 reads and writes HTTP, and nothing here knows a socket.

Imported off the loop (modules.py): importing h11 takes 30 ms.
"""

from __future__ import annotations

import h11

from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cp.plan import HttpProbe

LARGEST_HEAD = 1 << 16  # bytes of the status line and the headers
MOST_LINES = 256  # of the status line and the headers: h11 limits only their bytes, and each line costs it time
LARGEST_BODY = 1 << 16  # bytes of the body that are read
LARGEST_RESPONSE = LARGEST_HEAD + LARGEST_BODY  # bytes: chunks of one byte each are six times as long as their content
PARTS_PER_TURN = 64  # a body may come in chunks of one byte, each of which costs 10 microseconds
MOST_INTERIM = 8  # interim responses (1xx) before the one that counts
SHOWN_BODY = 200  # characters of the body in the result
SHOWN_OTHER = 60  # bytes of an answer that is not HTTP
SHOWN_ERROR = 200  # characters of h11's error
WITH_BODY = ("POST", "PUT", "PATCH")

_BEGINNING = b"HTTP/"
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")  # an alert, a handshake
_HTTP2_TYPES = (4, 7)  # the frame with which a server begins: SETTINGS, or GOAWAY (RFC 9113, 3.4 and 4.1)
_HTTP2_FRAME = 9  # bytes of the head of a frame
_TOO_LARGE = 431  # h11's hint for a head of more than LARGEST_HEAD bytes
_END = h11.EndOfMessage()


class Request:
    """The request of a probe, made once for all its checks: h11 verifies each header."""

    __slots__ = ("parts", "probe")

    def __init__(self, probe: HttpProbe, host: str) -> None:
        """`host` is the name or address that the request is for. ValueError if HTTP does not permit a part of it."""
        self.probe = probe
        try:
            headers = [(to_bytes(name), to_bytes(value)) for name, value in _headers(probe, host)]
            head = h11.Request(method=probe.method, target=to_bytes(probe.target), headers=headers)
        except h11.LocalProtocolError as error:
            raise ValueError(str(error)) from None
        self.parts = (head, h11.Data(data=probe.body), _END) if probe.body else (head, _END)


def _headers(probe: HttpProbe, host: str) -> Iterator[tuple[str, str]]:
    """The configured headers come last and replace the usual ones."""
    given = {name.lower() for name, _ in probe.headers}
    usual = [
        ("Host", authority(probe, host)),
        ("User-Agent", "containerpilot"),
        ("Accept", "*/*"),
        ("Connection", "close"),
    ]
    if (probe.body or probe.method in WITH_BODY) and "transfer-encoding" not in given:
        usual.append(("Content-Length", str(len(probe.body))))
    yield from (header for header in usual if header[0].lower() not in given)
    yield from probe.headers


def authority(probe: HttpProbe, host: str) -> str:
    """The header Host: without the port that is usual for the scheme."""
    host = f"[{host.partition('%')[0]}]" if ":" in host else host
    if not host.isascii():
        host = host.encode("idna").decode()
    return host if probe.socket or probe.port == (443 if probe.https else 80) else f"{host}:{probe.port}"


class Exchange:
    """Passes if the response has one of the statuses of the probe, and its body has the text.

    The response must be complete, or have LARGEST_BODY bytes of a body: the rest is not read.
    """

    __slots__ = (
        "_body",
        "_interim",
        "_is_closed",
        "_lines",
        "_other",
        "_parts",
        "_probe",
        "_received",
        "_response",
        "_tail",
        "_wire",
        "unparsed",
    )

    def __init__(self, request: Request) -> None:
        self._probe = request.probe
        self._parts = request.parts
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._received = 0  # bytes
        self._interim = 0
        self._lines = 0
        self._other = b""  # what came first, unless that is HTTP
        self._tail = b""  # the last bytes of the headers so far: their end may come in pieces
        self._is_closed = False
        self.unparsed = False  # `next` has more to do before anything else is received

    @property
    def waits_for(self) -> str:
        return "response" if self._response is None else "end of the response"

    def request(self) -> bytes:
        """The bytes to send. ValueError if HTTP does not permit them."""
        try:
            return b"".join([self._wire.send(part) or b"" for part in self._parts])
        except h11.LocalProtocolError as error:
            raise ValueError(str(error)) from None

    def receive(self, data: bytes) -> None:
        """Take bytes of the response; none: the server has closed its side."""
        if not self._received and not data.startswith(_BEGINNING[: len(data)]):
            self._other = data
        self._received += len(data)
        if not data:
            self._is_closed = True
        elif self._response is None:
            self._count_lines(data)
        self._wire.receive_data(data)

    def next(self, took: Callable[[], str]) -> tuple[bool, str] | None:
        """Whether the check passed, and why; None: not known yet. `took()` is how long it took."""
        self.unparsed = False
        if self._other:
            return False, _why_other(self._other)
        if self._lines > MOST_LINES:
            return False, f"the response has more than {MOST_LINES} lines of headers"
        try:
            return self._parse(took)
        except h11.RemoteProtocolError as error:
            return False, self._why_refused(error, took)

    def _parse(self, took: Callable[[], str]) -> tuple[bool, str] | None:
        for _ in range(PARTS_PER_TURN):
            part = self._wire.next_event()
            if isinstance(part, h11.Data):
                self._body += part.data
                if len(self._body) >= LARGEST_BODY:
                    del self._body[LARGEST_BODY:]
                    return self._decide(took)
            elif isinstance(part, h11.Response):
                self._response = part
            elif isinstance(part, h11.EndOfMessage):
                return self._decide(took)
            elif part is h11.NEED_DATA:
                return self._decide(took) if self._received > LARGEST_RESPONSE else None
            elif isinstance(part, h11.InformationalResponse):
                self._interim += 1
                if self._interim > MOST_INTERIM:
                    return False, f"more than {MOST_INTERIM} interim responses"
            else:  # PAUSED or ConnectionClosed
                return False, "the server closed the connection without a response"
        self.unparsed = True
        return None

    def _count_lines(self, data: bytes) -> None:
        """Count the lines of the headers, of interim responses too."""
        seen = self._tail + data
        ends = [end for end in (seen.find(b"\n\r\n"), seen.find(b"\n\n")) if end >= 0]
        self._lines += seen.count(b"\n", len(self._tail), min(ends, default=len(seen)))
        self._tail = seen[-2:]

    # --- the result

    def _why_refused(self, error: h11.RemoteProtocolError, took: Callable[[], str]) -> str:
        if self._response is not None:
            why = "is not complete" if self._is_closed else f"is not valid: {_text_of(error)}"
            return f"{self._status()} in {took()}, but the response {why}"
        if self._is_closed:
            return f"the server closed the connection {'within its' if self._received else 'without a'} response"
        if error.error_status_hint == _TOO_LARGE:
            return f"the response has more than {LARGEST_HEAD >> 10} KiB of headers"
        return f"the server does not answer in HTTP: {_text_of(error)}"

    def _status(self) -> str:
        assert self._response is not None
        return f"{self._response.status_code} {printable(bytes(self._response.reason))}".strip()

    def _decide(self, took: Callable[[], str]) -> tuple[bool, str]:
        probe, response = self._probe, self._response
        if response is None:
            return False, f"the response has more than {LARGEST_RESPONSE >> 10} KiB before its body"
        code = response.status_code
        if not any(first <= code <= last for first, last in probe.statuses):
            if 300 <= code < 400:
                return False, f"{code}: redirects are not followed"
            body = printable(bytes(self._body[: 4 * SHOWN_BODY]))[:SHOWN_BODY]
            return False, f"{self._status()} in {took()}{f': {body}' if body else ''}"
        if probe.contains and to_bytes(probe.contains) not in self._body:
            is_cut = len(self._body) >= LARGEST_BODY or self._received > LARGEST_RESPONSE
            what = f"the first {len(self._body) >> 10} KiB of the body do" if is_cut else "the body does"
            return False, f"{self._status()} in {took()}, but {what} not contain '{probe.contains}'"
        return True, f"{self._status()} in {took()}"


def _why_other(data: bytes) -> str:
    if data.startswith(_TLS_RECORDS):
        return "the server answers in TLS: it may speak https, not http"
    if len(data) >= _HTTP2_FRAME and data[3] in _HTTP2_TYPES and data[5:_HTTP2_FRAME] == bytes(4):
        return "the server answers in HTTP/2, and checks use HTTP/1.1: use `tcp`, or `exec` with a client of HTTP/2"
    return f"the server does not answer in HTTP: {printable(data[:SHOWN_OTHER])}"


def _text_of(error: h11.RemoteProtocolError) -> str:
    """h11's error for people: without the notation of Python for bytes, and without its own words for a switch."""
    text = str(error)
    if "_SWITCH_UPGRADE" in text:
        return "101: it switches to a protocol that nobody asked for"
    return (
        text.replace("bytearray(b", "").removesuffix(")")[:SHOWN_ERROR] if "bytearray(b" in text else text[:SHOWN_ERROR]
    )


def printable(data: bytes) -> str:
    """One line of what a server sent."""
    text = " ".join(from_bytes(data).split())
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
