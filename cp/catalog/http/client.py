"""HTTP for catalogues: one kept-alive connection, hard time limits, and a call that another thread can break off."""

from __future__ import annotations

import os
import socket
import time
from _thread import allocate_lock

from cp.catalog.http.dialing import Dialer, NameTimeout
from cp.catalog.http.lean import urllib3_connection
from cp.catalog.http.line_stream import check_whole
from cp.catalog.http.proxy import proxy_for
from cp.catalog.http.resolver import Resolver
from cp.catalog.http.sockets import Deadline, open_unix, origin, reason, tls_context
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogGarbage, CatalogNotConnected, CatalogUnreachable
from cp.catalog.wakeup import Wakeup
from cp.config.endpoint import FORMS, EndpointError, parse_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.client import HTTPResponse
    from typing import Any

    from cp.catalog.http.line_stream import LineStream
    from cp.config.endpoint import Endpoint
    from cp.plan import Tls

LARGEST_ANSWER = 64 * 1024 * 1024
READ_SIZE = 128 * 1024


def endpoint_of(text: str, key: str, scheme: str = "http") -> Endpoint:
    """CatalogError, which names the configuration's key, for one that a configuration would not have got past."""
    try:
        return parse_endpoint(text, scheme)
    except EndpointError as error:
        raise CatalogError(f"cannot use {key}: {error}; expected {FORMS}") from None


class Answer:
    """Status, headers (names in lower case), body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def retry_after(self) -> float:
        """For how many seconds the server does not want to be asked again; 0 = it does not say."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdecimal():
            return float(text[:9])
        if not text:
            return 0.0
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, TypeError, OverflowError):
            return 0.0


class HttpClient:
    """A client of one server, for one thread at a time; `interrupt` and `close` may come from any.

    `name` is what messages call the server. Times in seconds: to connect and shake hands; and from the request to the
    last byte of its answer. `environ` may name a proxy. A call on a kept connection that turns out to be closed is
    made once more on a new one; nothing else is tried twice. `masked` takes secrets out of what messages quote.
    """

    def __init__(
        self,
        name: str,
        address: Endpoint,
        *,
        connect_timeout: float,
        read_timeout: float,
        tls: Tls,
        environ: Mapping[str, str],
        masked: Callable[[str], str] = str,
        largest_answer: int = LARGEST_ANSWER,
        resolver: Resolver | None = None,
    ) -> None:
        self._name = f"{name} at {address}"
        self._hint = f"; see {name.lower()}.tls"
        self._address = address
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._masked = masked
        self._largest = self._most = largest_answer  # bytes of any answer, and of the one that comes
        https = address.scheme == "https"
        self._module: Any = urllib3_connection(https)
        # Of the modules that this client works with: a reload may bring others.
        from http.client import BadStatusLine, HTTPConnection, HTTPException

        from urllib3.exceptions import HTTPError

        self._getresponse: Callable[[Any], HTTPResponse] = HTTPConnection.getresponse
        # ValueError is what http.client raises for some malformed answers, and for a socket closed under it.
        self._failures = (OSError, HTTPException, HTTPError, ValueError)
        self._signs_of_closing = (ConnectionError, BadStatusLine)
        self._tls = tls
        self._context = tls_context(tls, self._name, self._hint) if https else None
        self._server_name = tls.server_name
        self._proxy = None
        if not address.socket:
            try:
                self._proxy = proxy_for(address.scheme, address.host, address.port, environ)
            except ValueError as error:
                raise CatalogError(f"cannot reach {self._name}: {error}") from None
        self._deadline = Deadline()
        self._place = self._proxy or address  # what is connected to
        self._dialer = Dialer(self._place.host, self._place.port, resolver or Resolver(), self._deadline, self._watch)
        self._connection: Any = None  # if there is one, it has carried a call
        # Over the rest, and for dropping a connection; never held while anything can block.
        self._guard = allocate_lock()
        self._socket: socket.socket | None = None
        self._wakeup: Wakeup | None = None  # what the calling thread waits for, if it waits for an address
        self._calling = False
        self._interrupted = False
        self._closed = False

    # --- on the calling thread

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        read_timeout: float | None = None,
        largest: int | None = None,
        stream: LineStream | None = None,
    ) -> Answer:
        """Whatever its status. CatalogUnreachable, CatalogClosed or CatalogGarbage if there is none.

        `largest` is how many bytes its body may have, if not as many as that of any answer.
        With a stream, which listens to an answer of status 200, such an answer's body is empty.
        """
        limit = self._read_timeout if read_timeout is None else read_timeout
        self._most = self._largest if largest is None else largest
        with self._guard:
            if self._closed:
                raise CatalogClosed(f"the connection to {self._name} is closed")
            self._calling = True
            self._interrupted = False
        whole = False
        try:
            answer = self._request(method, target, headers, body, limit, stream)
            whole = stream is None or answer.status != 200
            return answer
        finally:
            with self._guard:
                self._calling = False
                whole = whole and not self._closed
            if not whole:
                self._drop()

    def _request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: float,
        stream: LineStream | None,
    ) -> Answer:
        if self._connection is not None and self._dialer.is_outdated:
            self._drop()
        while True:
            kept = self._connection is not None
            connecting = not kept
            response = None
            try:
                if connecting:
                    self._deadline.restart(self._connect_timeout)
                    self._connect()
                    connecting = False
                self._deadline.restart(limit)
                response = self._ask(method, target, headers, body, limit)
                return self._answer(response, stream)
            except self._failures as error:
                if self._is_broken_off():
                    raise CatalogClosed(f"the call to {self._name} was broken off") from None
                if not kept or response is not None or not isinstance(error, self._signs_of_closing):
                    raise self._failure(error, connecting, limit) from None
                self._drop()

    def _ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, limit: float
    ) -> HTTPResponse:
        """The answer up to its headers. It comes from http.client: urllib3's own brings nothing that is needed here."""
        connection = self._connection
        connection.timeout = limit
        sent = {"User-Agent": "containerpilot", **headers}
        host, percent, _ = self._address.host.partition("%")
        if percent:  # a zone means nothing to anybody else
            sent["Host"] = f"[{host}]:{self._address.port}"
        target = f"{self._address.path}{target}"
        if self._proxy is not None and self._context is None:
            target = f"{self._address.origin}{target}"
            sent.update(self._proxy.headers)
        for header, value in sent.items():
            if not value.isprintable():  # http.client would say so, and quote it, were it a secret or not
                raise CatalogError(f"cannot send the header {header}: it has characters that are not printable")
        pieces: list[bytes] = []
        connection.send = pieces.append
        connection.request(method, target, body=body, headers=sent)
        connection.sock.sendall(b"".join(pieces))  # head and body in one packet
        return self._getresponse(connection)

    def _answer(self, response: HTTPResponse, stream: LineStream | None) -> Answer:
        if response.status < 200:  # the true answer would follow, and be taken for that to the next question
            raise CatalogGarbage(f"{self._name} answered with status {response.status}, which nobody asked for")
        received: dict[str, str] = {}
        for name, value in response.headers.items():
            name, value = name.lower(), " ".join(value.split())
            received[name] = f"{received[name]}, {value}" if name in received else value
        content = b""
        try:
            if len(set(received.get("content-length", "").replace(" ", "").split(","))) > 1:
                raise ValueError("it gives several lengths")
            if stream is not None and response.status == 200:
                stream.follow(response, self._deadline, received)
            else:
                content = self._read(response)
        finally:
            response.close()
        if self._connection.sock is None:  # the server keeps no connections
            self._drop()
        return Answer(response.status, received, content)

    def _read(self, response: HTTPResponse) -> bytes:
        pieces: list[bytes] = []
        size = 0
        # Not read(), to which a chunk of a negative length is one that never ends.
        buffer = memoryview(bytearray(READ_SIZE if response.length is None else min(response.length, READ_SIZE)))
        while got := response.readinto(buffer):
            size += got
            if size > self._most:
                pieces.clear()  # the error's traceback would keep them
                raise CatalogGarbage(f"{self._name} answered with more than {self._most >> 20} MiB")
            pieces.append(bytes(buffer[:got]))
        check_whole(response)
        return b"".join(pieces)

    def _failure(self, error: Exception, connecting: bool, limit: float) -> CatalogError:
        cause = origin(error)
        unreachable = CatalogNotConnected if connecting else CatalogUnreachable
        if isinstance(cause, NameTimeout):
            name, limit = self._place.host, self._connect_timeout
            why = f"no address for the name '{name}' within {limit:g} s; does the name server answer?"
            return unreachable(f"cannot reach {self._name}: {why}")
        if isinstance(cause, TimeoutError) and cause.errno is None:
            if connecting:
                limit = self._connect_timeout
                return unreachable(f"cannot reach {self._name}: no connection within {limit:g} s")
            return CatalogUnreachable(f"{self._name} did not answer within {limit:g} s")
        if isinstance(cause, OSError):
            # By its name, since ssl may not be here. One that only broke off, later, says nothing about certificates.
            kind = type(cause).__name__
            about_tls = kind.startswith("SSL") and (connecting or "EOF" not in kind)
            if connecting and self._context is not None and self._proxy is None:
                # A server that speaks no TLS closes: that is a reset if it leaves something of our greeting unread.
                about_tls = about_tls or isinstance(cause, (ConnectionResetError, BrokenPipeError))
            hint = self._hint if about_tls else ""
            return unreachable(f"cannot reach {self._name}: {reason(cause)}{hint}")
        return CatalogGarbage(f"{self._name} does not answer in HTTP: {reason(cause, self._masked)}")

    # --- the connection

    def _connect(self) -> None:
        options: dict[str, Any] = {"timeout": self._connect_timeout}
        make = self._module.HTTPConnection
        if self._context is not None:
            make = self._module.HTTPSConnection
            options["ssl_context"] = self._context = tls_context(self._tls, self._name, self._hint)
            options["server_hostname"] = self._server_name or None
        connection = self._connection = make(self._place.host, self._place.port, **options)
        connection._new_conn = self._new_socket
        if self._proxy is not None and self._context is not None:
            connection.set_tunnel(self._address.host, self._address.port, self._proxy.headers, scheme="http")
        connection.connect()
        connection.sock.deadline = self._deadline  # of the TLS socket, if it was wrapped
        self._watch(connection.sock)

    def _new_socket(self) -> socket.socket:
        if self._address.socket:
            return open_unix(self._address.socket, self._deadline, self._watch)
        return self._dialer.connect()

    def _watch(self, current: socket.socket | Wakeup | None) -> None:
        """Lets other threads break off what happens on this socket, or the wait for this bell; None = no longer."""
        with self._guard:
            if self._closed or self._interrupted:
                raise ConnectionAbortedError("broken off")
            if current is None or isinstance(current, Wakeup):
                self._wakeup = current
            else:
                self._socket = current

    def _drop(self) -> None:
        with self._guard:  # nobody may shut down a number that already belongs to another file
            current, self._socket = self._socket, None
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if current is not None and current.fileno() >= 0:
            # An answer that made no sense to the library is still held, and keeps the descriptor open.
            os.close(current.detach())

    # --- on any thread

    def interrupt(self) -> None:
        """Makes the call under way fail now with CatalogClosed."""
        with self._guard:
            self._interrupted = True
            if self._calling:
                self._shut_down()

    def close(self) -> None:
        """Makes the call under way and all later ones fail. Any number of times."""
        with self._guard:
            self._closed = True
            calling = self._calling
            if calling:
                self._shut_down()  # and the calling thread closes it
        if not calling:
            self._drop()

    def _shut_down(self) -> None:
        if self._wakeup is not None:
            self._wakeup.ring()
        if self._socket is None:
            return
        try:
            # Not SSLSocket.shutdown, which takes the TLS state away from under the reading thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            pass  # not connected yet, or no longer

    def _is_broken_off(self) -> bool:
        with self._guard:
            return self._closed or self._interrupted
