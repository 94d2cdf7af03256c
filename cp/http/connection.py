"""One connection of a client: a state machine of what is read and written, each with a time limit.

Imported when the first client sends something: importing h11 takes 30 ms.
"""

from __future__ import annotations

from _socket import SHUT_WR
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT

import h11

from cp.http.exchange import Exchange
from cp.http.messages import NEVER, REASONS, Request, Response, refusal
from cp.http.outbox import Outbox
from cp.http.parser import ClientDisconnected, RequestParser, RequestRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from cp.http.ports import ConnectionOwner

READ_SIZE = 65536  # bytes read from one client before others have their turn
SMALL = 1 << 20  # bytes; an answer up to this size is never refused because of other clients that do not read

# The states of a connection.
READING = "reading"  # waits for a request, or for the rest of one
IDLE = "idle"  # was answered, and may send another request
HANDLING = "handling"  # waits for the handler
ANSWERING = "answering"  # the answer is complete, and not all of it is written
STREAMING = "streaming"  # the answer goes on
LINGERING = "lingering"  # was refused; what it still sends is dropped
CLOSED = "closed"


class ServerConnection:
    """Call all methods on the loop's thread. `deadline`: the time on the loop's clock at which `expire` is due."""

    __slots__ = (
        *("_discarded", "_exchange", "_incoming", "_interest", "_lingers", "_outbox", "_server", "_socket", "_wire"),
        *("deadline", "fd", "state"),
    )

    def __init__(self, server: ConnectionOwner, client: _socket.socket) -> None:
        self._server = server
        self._socket = client
        self.fd = client.fileno()
        self.state = READING
        self.deadline = server.now() + server.limits.request_seconds
        self._incoming = RequestParser(server.limits)
        self._wire = self._incoming.wire
        self._exchange: Exchange | None = None
        self._outbox = Outbox()
        self._lingers = False
        self._discarded = 0
        self._interest = EPOLLIN
        server.poller.register(self.fd, EPOLLIN)

    def unread(self) -> dict[int, int]:
        """The size in bytes of each piece that the client has not read, by identity: clients share pieces."""
        return self._outbox.kept()

    @property
    def unsent(self) -> int:
        """The number of bytes that the client has not read."""
        return self._outbox.size

    @property
    def evictable(self) -> bool:
        """Whether it may be closed to make room for another client: it waits for no answer."""
        return self.state in (READING, IDLE, LINGERING)

    # --- what the server calls

    def turn(self, events: int) -> None:
        """Do one bounded piece of work. The descriptor is ready."""
        if events & (EPOLLHUP | EPOLLERR) and self.state not in (READING, IDLE):
            self.close()  # nobody reads an answer any more
        elif self._outbox.size:
            self._flush()
        elif self.state is LINGERING:
            self._discard()
        elif self.evictable:
            self._take_in()
        self._settle()

    def expire(self) -> None:
        """The deadline has passed."""
        if self.state is READING:
            self._refuse(
                RequestRefused(408, f"no complete request came within {self._server.limits.request_seconds:g} s")
            )
        elif self.state not in (ANSWERING, STREAMING) or not self._is_read():
            self.close()
        self._settle()

    def turn_away(self, status: int, why: str) -> None:
        """Answer with this refusal, whatever the client sends, and disconnect it."""
        self._refuse(RequestRefused(status, why))
        self._settle()

    def wind_up(self) -> None:
        """The server closes: give only the answers that are pending."""
        if self.state in (READING, IDLE) and not self._outbox.size:
            self.turn(EPOLLIN)  # a request that has arrived is still answered
        if self.state is STREAMING:
            if self._exchange is not None:
                self._exchange.wind_up()
            self.end_stream()
        elif self.evictable:
            self.close()

    def close(self) -> None:
        if self.state is CLOSED:
            return
        self.state = CLOSED
        self.deadline = NEVER
        self._server.poller.unregister(self.fd)
        self._socket.close()
        self._server.forget(self)
        self._end_exchange()

    # --- what the exchange calls

    def answer(self, response: Response) -> None:
        limits, size = self._server.limits, response.size
        if size > limits.response:
            response = refusal(500, f"the answer is larger than {limits.response} bytes")
        elif size > SMALL and self._server.unread(response.pieces) > limits.unread:
            response = refusal(503, "others have not read their answers yet, try again later")
        self.state = ANSWERING
        self._end_exchange()
        data = [self._headers(response.status, response.content_type, response.headers, response.size)]
        for piece in () if self._incoming.is_head else response.pieces:
            data += self._wire.send_with_data_passthrough(h11.Data(data=piece)) or ()
        self._write(*data, self._wire.send(h11.EndOfMessage()) or b"")
        self._settle()

    def begin_stream(self, status: int, content_type: str) -> bool:
        if self._incoming.is_head:
            self.answer(Response(status, b"", content_type))
            return False
        self.state = STREAMING
        self._write(self._headers(status, content_type, (("Cache-Control", "no-cache"),), None))
        self._settle()
        return self.state is STREAMING

    def send_piece(self, data: bytes) -> bool:
        if self.state is STREAMING and self._outbox.size > self._server.limits.stream:
            self.close()
        if self.state is STREAMING and data:
            self._write(self._wire.send(h11.Data(data=data)))
            self._settle()
            if self._server.closing:
                self.wind_up()  # it began after the server ended the others, or its turn to be ended comes later
        return self.state is STREAMING

    def end_stream(self) -> None:
        if self.state is STREAMING:
            self.state = ANSWERING
            self._end_exchange()
            self._write(self._wire.send(h11.EndOfMessage()))
            self._settle()

    # --- reading

    def _take_in(self) -> None:
        """Read or parse until one request is complete. The next one is for another turn."""
        try:
            if not self._incoming.unparsed:
                data = self._socket.recv(READ_SIZE)
                if data and self.state is IDLE:
                    self._begin_request()
                self._incoming.feed(data)
            request = self._incoming.next()
        except BlockingIOError:
            return
        except (OSError, ClientDisconnected):
            self.close()
        except RequestRefused as refused:
            self._refuse(refused)
        else:
            if request is not None:
                self._hand_over(request)
            elif self._incoming.wants_continue:
                self._write(self._wire.send(h11.InformationalResponse(status_code=100, headers=[])))

    def _begin_request(self) -> None:
        self.state = READING
        self.deadline = self._server.now() + self._server.limits.request_seconds

    def _hand_over(self, request: Request) -> None:
        self.state = HANDLING
        self.deadline = NEVER
        exchange = self._exchange = Exchange(self)
        try:
            self._server.handle(request, exchange)
        except Exception as error:  # an error in ContainerPilot: the loop reports it, and the client gets an answer
            self._server.report(error)
            if not exchange.answered:
                exchange.reply(refusal(500, "internal error: see the log"))

    def _discard(self) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._discarded += len(data)
        if not data or self._discarded > self._server.limits.linger:
            self.close()

    # --- writing

    def _headers(self, status: int, content_type: str, more: tuple[tuple[str, str], ...], length: int | None) -> bytes:
        headers = [("Content-Type", content_type), *more]
        if length is not None:
            headers.append(("Content-Length", str(length)))
        if self._lingers or self._server.closing:
            headers.append(("Connection", "close"))
        return self._wire.send(h11.Response(status_code=status, headers=headers, reason=REASONS.get(status, "")))

    def _refuse(self, refused: RequestRefused) -> None:
        """Answer with a refusal, and close the connection after it."""
        if self._wire.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._lingers = True
            self.answer(refusal(refused.status, str(refused)))
        else:
            self.close()

    def _write(self, *data: bytes) -> None:
        waits = self._outbox.size > 0
        self._outbox.put(data)
        if not waits:
            self._send()
            if self._outbox.size:
                self._await_reader()
        if not self._outbox.size:
            self._written()

    def _flush(self) -> None:
        if self._send():
            self._await_reader()
            if not self._outbox.size:
                self._written()
                if self._exchange is not None:
                    self._exchange.drained()

    def _send(self) -> bool:
        """Send; whether the kernel took something."""
        try:
            return self._outbox.send(self._socket) > 0
        except OSError:
            self.close()
            return False

    def _is_read(self) -> bool:
        """Whether the client reads at all. The kernel calls a unix socket writable only once most of it is read."""
        before = self._outbox.size
        self._flush()
        return self._outbox.size < before

    def _await_reader(self) -> None:
        if self.state in (ANSWERING, STREAMING):
            self.deadline = self._server.now() + self._server.limits.stalled_seconds

    def _written(self) -> None:
        """Everything is written."""
        if self.state is STREAMING:
            self.deadline = NEVER
        elif self.state is not ANSWERING:
            return
        elif self._lingers:
            self._linger()
        elif self._server.closing or self._wire.our_state is not h11.DONE or self._wire.their_state is not h11.DONE:
            self.close()
        else:
            self._next_request()

    def _linger(self) -> None:
        try:
            self._socket.shutdown(SHUT_WR)
        except OSError:
            self.close()
            return
        self.state = LINGERING
        self.deadline = self._server.now() + self._server.limits.linger_seconds

    def _next_request(self) -> None:
        self.state = IDLE
        self.deadline = self._server.now() + self._server.limits.idle_seconds
        try:
            if self._incoming.restart():
                self._begin_request()
        except RequestRefused as refused:
            self._refuse(refused)

    def _end_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.ended()

    def _settle(self) -> None:
        """Fit the poller's interest to the state. While bytes wait to be parsed it polls for EPOLLOUT: always ready."""
        if self.state is CLOSED:
            return
        if self._outbox.size or (self._incoming.unparsed and self.evictable):
            interest = EPOLLOUT
        elif self.evictable:
            interest = EPOLLIN
        else:
            interest = 0  # a hang-up is reported nevertheless
        if interest != self._interest:
            self._interest = interest
            self._server.poller.modify(self.fd, interest)
        self._server.note_deadline(self.deadline)
