"""The check `http`: a request, and what its response must be. One connection for each check."""

from __future__ import annotations

import _socket

from cp.platform.text import reason_of, reason_of_fd
from cp.probes.probe import Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from cp import plan
    from cp.engine.loop import Loop
    from cp.platform.resolver import Resolver
    from cp.probes.contexts import Contexts
    from cp.probes.exchange import Exchange
    from cp.probes.modules import Modules
    from cp.probes.probe import OnEnd
    from cp.probes.target import Target
    from cp.probes.tls import TlsStream

READ_SIZE = 1 << 16


class HttpProbe(Probe):
    """Gets what it needs in this order: modules, for https the settings of TLS, a connection, a response."""

    __slots__ = (
        "_connection",
        "_context",
        "_contexts",
        "_exchange",
        "_is_paused",
        "_is_writing",
        "_modules",
        "_outgoing",
        "_probe",
        "_tls",
    )

    def __init__(
        self,
        loop: Loop,
        resolver: Resolver,
        target: Target,
        timeout: float | None,
        on_end: OnEnd,
        probe: plan.HttpProbe,
        modules: Modules,
        contexts: Contexts,
    ) -> None:
        super().__init__(loop, resolver, target, timeout, on_end)
        self._probe = probe
        self._modules = modules
        self._contexts = contexts
        self._context: ssl.SSLContext | None = None
        self._tls: TlsStream | None = None
        self._outgoing = b""
        self._is_writing = False  # the loop reports when more can be sent
        self._is_paused = False  # the loop does not report what comes
        self._connection: _socket.socket | None = None
        self._exchange: Exchange | None = None

    # --- before the connection

    def _begin(self) -> None:
        self._modules.get(self._probe.https, self._imported)

    def _imported(self, why: str) -> None:
        if self._is_over:
            return
        if why:
            self._end(False, why)
            return
        from cp.probes.exchange import Exchange, Request

        target = self._target
        try:
            if target.request is None:
                target.request = Request(self._probe, target.host)
            self._exchange = Exchange(target.request)
        except ValueError as error:
            self._end(False, f"cannot send this request: {error}")
            return
        if self._probe.https:
            self._contexts.get(self._probe.tls, self._secured)
        else:
            self._connector.begin()

    def _secured(self, context: ssl.SSLContext | None, why: str) -> None:
        if self._is_over:
            return
        if context is None:
            self._end(False, why)
            return
        self._context = context
        self._connector.begin()

    # --- the connection

    def _connected(self, connected: _socket.socket) -> None:
        self._connection = connected
        try:
            self._loop.add_reader(connected.fileno(), self._readable)
        except OSError as error:
            self._end(False, reason_of_fd(error))
            return
        try:
            self._outgoing = self._first_bytes()
        except (OSError, ValueError) as error:
            self._failed(error)
            return
        self._flush()

    def _first_bytes(self) -> bytes:
        assert self._exchange is not None
        if self._context is None:
            return self._exchange.request()
        from cp.probes.tls import TlsStream

        host = self._probe.tls.server_name or self._target.host.partition("%")[0]
        self._tls = TlsStream(self._context, host)
        self._tls.shake()
        return self._tls.outgoing()

    def _close(self) -> None:
        if self._exchange is None:
            self._modules.forget(self._probe.https, self._imported)
        elif self._probe.https and self._context is None:
            self._contexts.forget_request(self._probe.tls, self._secured)
        connection, self._connection = self._connection, None
        if connection is not None:
            self._loop.forget(connection.fileno())
            connection.close()

    def _waits_for(self) -> str:
        if self._exchange is None:
            return "modules of Python"
        if self._connection is None:
            return "settings of TLS" if self._probe.https and self._context is None else super()._waits_for()
        if self._tls is not None and not self._tls.is_ready:
            return "TLS handshake"
        return self._exchange.waits_for

    def _flush(self) -> None:
        connection = self._connection
        assert connection is not None
        try:
            sent = connection.send(self._outgoing, _socket.MSG_NOSIGNAL)
            self._outgoing = self._outgoing[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing = b""  # the server has closed its side; it may have sent a response before
        if bool(self._outgoing) == self._is_writing:
            return
        self._is_writing = not self._is_writing
        if self._is_writing:
            self._loop.add_writer(connection.fileno(), self._flush)
        else:
            self._loop.remove_writer(connection.fileno())

    def _readable(self) -> None:
        connection, exchange = self._connection, self._exchange
        assert connection is not None
        assert exchange is not None
        try:
            data = connection.recv(READ_SIZE)
            if self._tls is not None:
                text = self._decrypted(self._tls, data)
                if text:
                    exchange.receive(text)
                if data and not self._tls.is_closed:
                    if text:
                        self._go_on()
                    return
                data = b""
            exchange.receive(data)
            self._go_on()
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._failed(error)

    def _decrypted(self, tls: TlsStream, data: bytes) -> bytes:
        was_ready = tls.is_ready
        text = tls.feed(data)
        if tls.is_ready and not was_ready:
            assert self._exchange is not None
            tls.write(self._exchange.request())
        if more := tls.outgoing():
            self._outgoing += more
            self._flush()
        return text

    def _failed(self, error: OSError | ValueError) -> None:
        if self._context is None:
            self._end(False, reason_of(error))
            return
        from cp.probes.tls import reason_of_tls

        if isinstance(error, ValueError) or type(error).__module__ == "ssl":
            self._contexts.forget(self._probe.tls)
        self._end(False, reason_of_tls(error))

    # --- the response

    def _go_on(self) -> None:
        exchange = self._exchange
        if self._is_over or exchange is None:
            return
        if (result := exchange.next(self._took)) is not None:
            self._end(*result)
            return
        assert self._connection is not None
        fd = self._connection.fileno()
        if exchange.unparsed:
            self._loop.call_soon(self._go_on)
        if exchange.unparsed == self._is_paused:
            return
        self._is_paused = exchange.unparsed
        if self._is_paused:
            self._loop.pause_reader(fd)
        else:
            self._loop.add_reader(fd, self._readable)
