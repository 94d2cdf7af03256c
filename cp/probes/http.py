"""The check `http`: a request, and what its response must be. One connection for each check."""

from __future__ import annotations

import _socket

import h11

from cp.platform.text import from_bytes, reason_of
from cp.probes.probe import Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from cp import plan
    from cp.engine.loop import Loop
    from cp.platform.resolver import Resolver
    from cp.probes.probe import OnEnd
    from cp.probes.tls import Contexts, TlsStream

LARGEST_HEAD = 1 << 16  # bytes of the status line and the headers
LARGEST_BODY = 1 << 16  # bytes of the body that are read
READ_SIZE = 1 << 16
PARTS_PER_TURN = 64  # a body may come in chunks of one byte, each of which costs 10 microseconds
MOST_INTERIM = 8  # interim responses (1xx) before the one that counts
SHOWN_BODY = 200  # characters of the body in the result
SHOWN_ERROR = 200  # characters of a library's error
WITH_BODY = ("POST", "PUT", "PATCH")


class HttpProbe(Probe):
    """Passes if the response has one of the statuses, and its body has the text.

    The response must end within the time limit, or have LARGEST_BODY bytes: the rest is not read.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_contexts",
        "_host",
        "_interim",
        "_outgoing",
        "_request",
        "_response",
        "_tls",
        "_wire",
    )

    def __init__(
        self,
        loop: Loop,
        resolver: Resolver,
        request: plan.HttpProbe,
        what: str,
        timeout: float | None,
        on_end: OnEnd,
        host: str,
        contexts: Contexts | None,
    ) -> None:
        """`host` is the name or address that the request is for; `contexts` are for https, and None for http."""
        super().__init__(loop, resolver, what, timeout, on_end)
        self._request = request
        self._host = host
        self._contexts = contexts
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._tls: TlsStream | None = None
        self._outgoing = b""
        self._connection: _socket.socket | None = None
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._interim = 0

    # --- the connection

    def _connected(self, connected: _socket.socket) -> None:
        self._connection = connected
        if self._contexts is None:
            self._outgoing = self._request_bytes()
            self._begin()
        else:
            self._contexts.get(self._request.tls, self._secure)

    def _secure(self, context: ssl.SSLContext | None, why: str) -> None:
        if self._is_over:
            return
        if context is None:
            self._end(False, why)
            return
        from cp.probes.tls import TlsStream

        try:
            self._tls = TlsStream(context, self._request.tls.server_name or self._host)
            self._tls.shake()
            self._outgoing = self._tls.outgoing()
        except (OSError, ValueError) as error:
            self._tls_failed(error)
            return
        self._begin()

    def _begin(self) -> None:
        assert self._connection is not None
        try:
            self._loop.add_reader(self._connection.fileno(), self._readable)
        except OSError as error:
            self._end(False, reason_of(error))
            return
        self._flush()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._loop.remove_reader(connection.fileno())
            self._loop.remove_writer(connection.fileno())
            connection.close()

    def _waits_for(self) -> str:
        if self._connection is None:
            return super()._waits_for()
        if self._tls is not None and not self._tls.is_ready:
            return "TLS handshake"
        return "response" if self._response is None else "end of the response"

    def _flush(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            sent = connection.send(self._outgoing, _socket.MSG_NOSIGNAL)
            self._outgoing = self._outgoing[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing = b""  # the server has closed its side; it may have sent a response before
        try:
            if self._outgoing:
                self._loop.add_writer(connection.fileno(), self._flush)
            else:
                self._loop.remove_writer(connection.fileno())
        except OSError as error:
            self._end(False, reason_of(error))

    def _readable(self) -> None:
        assert self._connection is not None
        try:
            data = self._connection.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(False, reason_of(error))
            return
        text = data
        if self._tls is not None:
            try:
                text = self._decrypted(self._tls, data)
            except (OSError, ValueError) as error:
                self._tls_failed(error)
                return
            if not text and data:
                return
        self._wire_has(text)

    def _decrypted(self, tls: TlsStream, data: bytes) -> bytes:
        was_ready = tls.is_ready
        text = tls.feed(data)
        if tls.is_ready and not was_ready:
            tls.write(self._request_bytes())
        self._outgoing += tls.outgoing()
        if self._outgoing:
            self._flush()
        return text

    def _tls_failed(self, error: Exception) -> None:
        from cp.probes.tls import reason_of_tls

        if self._contexts is not None:
            self._contexts.forget(self._request.tls)
        self._end(False, reason_of_tls(error))

    # --- the request and its response

    def _request_bytes(self) -> bytes:
        request = self._request
        head = h11.Request(method=request.method, target=request.target, headers=[*self._headers()])
        data = self._wire.send(head) or b""
        if request.body:
            data += self._wire.send(h11.Data(data=request.body)) or b""
        return data + (self._wire.send(h11.EndOfMessage()) or b"")

    def _headers(self) -> Iterator[tuple[str, str]]:
        """The configured headers come last and replace the usual ones."""
        request = self._request
        given = {name.lower() for name, _ in request.headers}
        usual = [
            ("Host", self._authority()),
            ("User-Agent", "containerpilot"),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ]
        if request.body or request.method in WITH_BODY:
            usual.append(("Content-Length", str(len(request.body))))
        yield from (header for header in usual if header[0].lower() not in given)
        yield from request.headers

    def _authority(self) -> str:
        """The header Host: without the port that is usual for the scheme."""
        request = self._request
        host = request.host or self._host
        host = f"[{host.partition('%')[0]}]" if ":" in host else host
        usual = 443 if self._contexts is not None else 80
        return host if request.socket or request.port == usual else f"{host}:{request.port}"

    def _wire_has(self, data: bytes) -> None:
        """Take bytes of the response; none: the server has closed its side."""
        try:
            self._wire.receive_data(data)
            self._parse()
        except h11.RemoteProtocolError as error:
            self._refused(error)

    def _parse(self) -> None:
        """Parse what has come, in steps: a chunk may have one byte, and a response thousands of them."""
        for _ in range(PARTS_PER_TURN):
            part = self._wire.next_event()
            if part is h11.NEED_DATA:
                self._resume()
                return
            if isinstance(part, h11.Data):
                self._body += part.data
                if len(self._body) >= LARGEST_BODY:
                    self._decide()
                    return
            elif isinstance(part, h11.Response):
                self._response = part
            elif isinstance(part, h11.InformationalResponse):
                self._interim += 1
                if self._interim > MOST_INTERIM:
                    self._end(False, f"more than {MOST_INTERIM} interim responses")
                    return
            elif isinstance(part, h11.EndOfMessage):
                self._decide()
                return
            else:  # PAUSED after 101, or ConnectionClosed
                self._end(False, "the server closed the connection without a response")
                return
        if self._connection is not None:
            self._loop.pause_reader(self._connection.fileno())
            self._loop.call_soon(self._parse_more)

    def _parse_more(self) -> None:
        if not self._is_over:
            try:
                self._parse()
            except h11.RemoteProtocolError as error:
                self._refused(error)

    def _resume(self) -> None:
        if self._connection is not None:
            self._loop.add_reader(self._connection.fileno(), self._readable)

    def _refused(self, error: h11.RemoteProtocolError) -> None:
        if self._wire.their_state is h11.ERROR and not self._wire.trailing_data[0] and self._response is None:
            self._end(False, "the server closed the connection without a response")
        elif self._response is not None:
            self._end(False, f"{self._status()} in {self._took()}, but the response is not complete")
        else:
            self._end(False, f"the server does not answer in HTTP: {str(error)[:SHOWN_ERROR]}")

    # --- the result

    def _status(self) -> str:
        assert self._response is not None
        return f"{self._response.status_code} {printable(self._response.reason)}".strip()

    def _decide(self) -> None:
        request, response = self._request, self._response
        assert response is not None
        code = response.status_code
        if not any(first <= code <= last for first, last in request.statuses):
            if 300 <= code < 400:
                self._end(False, f"{code}: redirects are not followed")
            else:
                body = printable(bytes(self._body))[:SHOWN_BODY]
                self._end(False, f"{self._status()} in {self._took()}{f': {body}' if body else ''}")
        elif request.contains and request.contains.encode() not in self._body:
            part = f" of the first {LARGEST_BODY >> 10} KiB" if len(self._body) >= LARGEST_BODY else ""
            self._end(
                False, f"{self._status()} in {self._took()}, but the body{part} does not contain '{request.contains}'"
            )
        else:
            self._end(True, f"{self._status()} in {self._took()}")


def printable(data: bytes) -> str:
    """One line of what a server sent."""
    text = " ".join(from_bytes(data).split())
    return "".join(c if c.isprintable() else "?" for c in text)
