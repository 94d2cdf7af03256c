"""HTTP for catalogues: one kept-alive connection, hard time limits, and calls that another thread can end."""

from __future__ import annotations

import os
import socket
import time
from _thread import allocate_lock

from cp.catalog.http.connection import open_tunnel
from cp.catalog.http.dialing import Dialer, NameTimeout
from cp.catalog.http.proxy import proxy_for
from cp.catalog.http.sockets import Deadline, open_unix, origin, reason
from cp.catalog.http.tls import tls_context, wrap
from cp.catalog.http.urllib3_subset import load_urllib3
from cp.catalog.protocol import CatalogClosed, CatalogError, CatalogGarbage, CatalogNotConnected, CatalogUnreachable
from cp.config.endpoint import FORMS, EndpointError, parse_endpoint
from cp.platform.resolver import Resolver
from cp.platform.wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3.response import BaseHTTPResponse

    from cp.catalog.http.connection import Connection
    from cp.catalog.http.line_stream import LineStream
    from cp.config.endpoint import Endpoint
    from cp.plan import Tls

LARGEST_BODY = 64 * 1024 * 1024
READ_SIZE = 128 * 1024


def endpoint_of(text: str, key: str, scheme: str = "http") -> Endpoint:
    """CatalogError, which names the configuration's key, if a configuration with this text would be refused."""
    try:
        return parse_endpoint(text, scheme)
    except EndpointError as error:
        raise CatalogError(f"cannot use {key}: {error}; expected {FORMS}") from None


class Response:
    """Status, headers (their names in any case) and body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def retry_after(self) -> float:
        """The seconds for which the server wants no further request; 0 if it does not say."""
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
    last byte of its response. `environ` may name a proxy. A call that finds its kept connection closed is repeated
    once on a new one; no other call is repeated. `masked` replaces secrets in what messages quote. `warn` gets a line
    if only the whole of urllib3 works.
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
        largest_body: int = LARGEST_BODY,
        resolver: Resolver | None = None,
        warn: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._name = f"{name} at {address}"
        self._hint = f"; see {name.lower()}.tls"
        self._address = address
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._masked = masked
        self._largest_body = largest_body
        self._urllib3 = load_urllib3(warn)
        self._tls = tls
        self._urllib3_tls = None
        if address.scheme == "https":
            self._urllib3_tls = self._urllib3.tls(warn)
            # Made here as well, so that an error in its files is reported before the first call.
            tls_context(self._urllib3_tls, tls, self._name, self._hint)
        self._proxy = None
        if not address.socket:
            try:
                self._proxy = proxy_for(address.scheme, address.host, address.port, environ)
            except ValueError as error:
                raise CatalogError(f"cannot reach {self._name}: {error}") from None
        self._deadline = Deadline()
        self._peer = self._proxy or address  # what the socket is connected to
        self._dialer = Dialer(self._peer.host, self._peer.port, resolver or Resolver(), self._deadline, self._watch)
        self._connection: Connection | None = None  # if there is one, it has carried a call
        # Over the attributes below, and for dropping a connection; never held while a call can block.
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
        largest_body: int | None = None,
        stream: LineStream | None = None,
    ) -> Response:
        """The response, whatever its status. CatalogUnreachable, CatalogClosed or CatalogGarbage if there is none.

        `largest_body` is the limit for its bytes, instead of the client's. With a stream, which gets the lines of a
        response of status 200, the body of such a response is empty.
        """
        limit = self._read_timeout if read_timeout is None else read_timeout
        largest = self._largest_body if largest_body is None else largest_body
        with self._guard:
            if self._closed:
                raise CatalogClosed(f"the connection to {self._name} is closed")
            self._calling = True
            self._interrupted = False
        is_complete = False
        try:
            received = self._exchange(method, target, headers, body, limit)
            response = self._receive(received, limit, largest, stream)
            is_complete = stream is None or response.status != 200
            return response
        finally:
            with self._guard:
                self._calling = False
                is_complete = is_complete and not self._closed
            if not is_complete:
                self._drop()

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, limit: float
    ) -> BaseHTTPResponse:
        """Connect if need be, send the request, and read the head of the response."""
        if self._connection is not None and self._dialer.is_outdated:
            self._drop()
        while True:
            is_kept = self._connection is not None
            connecting = not is_kept
            try:
                if connecting:
                    self._deadline.restart(self._connect_timeout)
                    self._connect()
                    connecting = False
                self._deadline.restart(limit)
                return self._send(method, target, headers, body)
            except self._urllib3.exceptions as error:
                if not is_kept or self._is_ended() or not isinstance(error, self._urllib3.signs_of_closing):
                    raise self._failure(error, connecting, limit) from None
                self._drop()

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        connection = self._connection
        assert connection is not None
        sent = {"User-Agent": "containerpilot", **headers}
        host, percent, _ = self._address.host.partition("%")
        if percent:  # a zone has a meaning on this machine only
            sent["Host"] = f"[{host}]:{self._address.port}"
        target = f"{self._address.path}{target}"
        if self._proxy is not None and self._urllib3_tls is None:
            target = f"{self._address.origin}{target}"
            sent.update(self._proxy.headers)
        for header, value in sent.items():
            if not value.isprintable():  # http.client would quote it, which may be a secret
                raise CatalogError(f"cannot send the header {header}: it has characters that are not printable")
        connection.request(method, target, body=body, headers=sent, preload_content=False, decode_content=False)
        return connection.getresponse()

    def _receive(self, response: BaseHTTPResponse, limit: float, largest: int, stream: LineStream | None) -> Response:
        """Read the rest of the response."""
        if response.status < 200:  # the final response would follow, and be taken for that to the next request
            raise CatalogGarbage(f"{self._name} answered with status {response.status}, which nobody asked for")
        headers = response.headers
        body = b""
        try:
            if len(set(headers.get("content-length", "").replace(" ", "").split(","))) > 1:
                raise ValueError("it gives several lengths")
            if stream is not None and response.status == 200:
                stream.follow(response, self._deadline, headers)
            else:
                body = self._read(response, largest)
        except self._urllib3.exceptions as error:
            raise self._failure(error, False, limit) from None
        finally:
            response.close()
        if self._connection is None or self._connection.is_closed:  # the server keeps no connections
            self._drop()
        return Response(response.status, headers, body)

    def _read(self, response: BaseHTTPResponse, largest: int) -> bytes:
        body = bytearray()
        # Not read() or stream(): they take a chunk of a negative length for an endless one.
        # Do not call read1() for the end of a body of known length: the response to each heartbeat has no body at all.
        while response.length_remaining != 0 and (piece := response.read1(READ_SIZE)):
            body += piece
            if len(body) > largest:
                body.clear()  # the error's traceback would keep it
                raise CatalogGarbage(f"{self._name} answered with more than {largest >> 20} MiB")
        return bytes(body)

    def _failure(self, error: Exception, connecting: bool, limit: float) -> CatalogError:
        if self._is_ended():
            return CatalogClosed(f"the call to {self._name} was broken off")
        cause = origin(error)
        unreachable = CatalogNotConnected if connecting else CatalogUnreachable
        if isinstance(cause, NameTimeout):
            name, limit = self._peer.host, self._connect_timeout
            why = f"no address for the name '{name}' within {limit:g} s; does the name server answer?"
            return unreachable(f"cannot reach {self._name}: {why}")
        if isinstance(cause, TimeoutError) and cause.errno is None:
            if connecting:
                limit = self._connect_timeout
                return unreachable(f"cannot reach {self._name}: no connection within {limit:g} s")
            return CatalogUnreachable(f"{self._name} did not answer within {limit:g} s")
        if isinstance(cause, OSError):
            # By its name, since ssl may not be imported. An end of the connection, later, is not about certificates.
            kind = type(cause).__name__
            about_tls = kind.startswith("SSL") and (connecting or "EOF" not in kind)
            if connecting and self._urllib3_tls is not None and self._proxy is None:
                # A server without TLS closes the connection: a reset, if it leaves some of our first message unread.
                about_tls = about_tls or isinstance(cause, (ConnectionResetError, BrokenPipeError))
            hint = self._hint if about_tls else ""
            return unreachable(f"cannot reach {self._name}: {reason(cause)}{hint}")
        return CatalogGarbage(f"{self._name} does not answer in HTTP: {reason(cause, self._masked)}")

    # --- the connection

    def _connect(self) -> None:
        address = self._address
        make = self._urllib3.connection_types[address.scheme]
        connection = self._connection = make(address.host, address.port, self._open_socket)
        connection.connect()

    def _open_socket(self) -> socket.socket:
        address = self._address
        if address.socket:
            return open_unix(address.socket, self._deadline, self._watch)
        connected = self._dialer.connect()
        if self._urllib3_tls is None:
            return connected
        if self._proxy is not None:
            make = self._urllib3.connection_types["http"]  # to the proxy
            open_tunnel(make, connected, address.host, address.port, self._proxy.headers)
        context = tls_context(self._urllib3_tls, self._tls, self._name, self._hint)
        secure = wrap(self._urllib3_tls, context, connected, self._tls.server_name or address.host)
        self._watch(secure)
        return secure

    def _watch(self, current: socket.socket | Wakeup | None) -> None:
        """Let other threads end what happens on this socket, or the wait for this wake-up; None: no longer."""
        with self._guard:
            if self._closed or self._interrupted:
                raise ConnectionAbortedError("broken off")
            if current is None or isinstance(current, Wakeup):
                self._wakeup = current
            else:
                self._socket = current

    def _drop(self) -> None:
        with self._guard:  # no thread may shut down a descriptor that already belongs to another file
            current, self._socket = self._socket, None
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if current is not None and current.fileno() >= 0:
            # A response that the library could not read still exists, and keeps the descriptor open.
            os.close(current.detach())

    # --- on any thread

    def interrupt(self) -> None:
        """Make the call under way fail now with CatalogClosed."""
        with self._guard:
            self._interrupted = True
            if self._calling:
                self._shut_down()

    def close(self) -> None:
        """Make the call under way and all later ones fail. Any number of times."""
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
            # Not SSLSocket.shutdown, which takes the TLS state from the thread that reads.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            pass  # not connected yet, or not any more

    def _is_ended(self) -> bool:
        with self._guard:
            return self._closed or self._interrupted
