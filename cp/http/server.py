"""An HTTP/1.1 server on the loop. Nothing in it blocks, and no client gets more than its share of the loop's time.

All clients share one poller, which is one descriptor of the loop: the loop serves even a crowd of them in the time that
it has for clients (see cp/engine/loop.py). h11 is imported on a thread when the first client sends something: a client
that only connects costs next to nothing.
"""

from __future__ import annotations

import _socket
import select
from _thread import start_new_thread
from errno import ECONNABORTED, EINTR, EPERM, EPROTO

from cp.http.messages import DEFAULT_LIMITS, NEVER, Limits, Request, Response
from cp.http.pending import PendingConnection
from cp.platform.text import reason_of_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cp.engine.loop import Loop, Timer
    from cp.engine.ports import Log
    from cp.http.connection import ServerConnection
    from cp.http.exchange import Exchange
    from cp.http.ports import Client

__all__ = ["DEFAULT_LIMITS", "Limits", "Request", "Response", "Server"]

ACCEPTED_PER_TURN = 16
SERVED_AT_ONCE = 4  # clients in one call of epoll_wait(2), which returns ready ones in rotation
ACCEPT_PAUSE = 0.1  # seconds without accepting after accept(2) failed
CLOSE_TURN = 0.002  # seconds that `close` itself spends on pending answers; the rest is done in pieces
CLOSE_GRACE = 0.6  # seconds for the pending answers when the server closes
REPLACED_GRACE = 10.0  # the same for a server that a reload replaced


class Server:
    """Serves the clients of `listener`, a bound, listening and non-blocking socket, and closes it in the end.

    Raises OSError if the loop cannot watch the listener, which is left open then.

    `handle(request, exchange)` is called on the loop's thread for each complete request. `prepare` is called once, on
    another thread, before the first request: it imports what the handler needs. `name` begins the log's lines.
    `refusal(client)` returns why a client is not served at all; "" if it is.
    """

    def __init__(
        self,
        loop: Loop,
        listener: _socket.socket,
        handle: Callable[[Request, Exchange], object],
        log: Log,
        *,
        limits: Limits = DEFAULT_LIMITS,
        name: str = "control",
        prepare: Callable[[], object] | None = None,
        refusal: Callable[[_socket.socket], str] | None = None,
    ) -> None:
        self.handle = handle
        self.limits = limits
        self.now = loop.now
        self.closing = False
        self.poller = select.epoll(select.EPOLL_CLOEXEC)
        self._loop = loop
        self._listener = listener
        self._log = log
        self._name = name
        self._prepare = prepare
        self._refusal = refusal
        self._open: type[ServerConnection] | None = None  # once HTTP is imported
        self._importing = False
        self._connections: dict[int, ServerConnection | PendingConnection] = {}  # by descriptor, the oldest first
        self._timer: Timer | None = None  # of the earliest deadline
        self._resume: Timer | None = None  # while the system refuses to accept
        self._refused = ""  # why it did, until it accepts again
        self._fault = ""  # why HTTP could not be imported, the last time
        self._finished = False
        self._done: list[Callable[[], object]] = []
        self._closer: Timer | None = None
        try:
            loop.add_client(self.poller.fileno(), self._serve)
            loop.add_client(listener.fileno(), self._accept)
        except OSError:
            loop.remove_reader(self.poller.fileno())
            self.poller.close()
            raise

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return len(self._connections)

    def unread(self, more: tuple[bytes, ...]) -> int:
        """The bytes of all answers that clients have not read, with `more` sent to one more client."""
        kept = {id(piece): len(piece) for piece in more}
        for connection in self._connections.values():
            kept |= connection.unread()
        return sum(kept.values())

    def close(self, done: Callable[[], object] | None = None, grace: float = CLOSE_GRACE) -> None:
        """Stop accepting, give pending answers for at most `grace` seconds, then call `done`."""
        if done is not None:
            self._done.append(done)
        if not self.closing:
            self.closing = True
            self._last_clients()
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            if self._resume is not None:
                self._resume.cancel()
            self._closer = self._loop.call_later(grace, self._abort)
            self._start(self._wind_up())
        if not self._connections:
            self._finish()

    def _last_clients(self) -> None:
        """Accept the clients that were in the queue when `close` was called."""
        if self._open is not None and self._resume is None:
            self._accept()

    def _start(self, pieces: Iterator[object]) -> None:
        """Do a short part at once: at the end of the program no loop is left that would do the rest."""
        end = self.now() + CLOSE_TURN
        for _ in pieces:
            if self.now() >= end:
                self._loop.add_pieces(pieces)
                return

    def _wind_up(self) -> Iterator[None]:
        for connection in list(self._connections.values()):
            if self._has(connection):
                connection.wind_up()
                yield

    def _has(self, connection: ServerConnection | PendingConnection) -> bool:
        """Whether it is still connected."""
        return self._connections.get(connection.fd) is connection

    def _abort(self) -> None:
        for connection in list(self._connections.values()):
            connection.close()

    def _finish(self) -> None:
        if not self._finished:
            self._finished = True
            for timer in (self._timer, self._closer):
                if timer is not None:
                    timer.cancel()
            self._loop.remove_reader(self.poller.fileno())
            self.poller.close()
        while self._done:
            self._done.pop(0)()

    # --- what connections call

    def forget(self, connection: Client) -> None:
        """Drop our own record of a connection that is closed."""
        del self._connections[connection.fd]
        if self.closing and not self._connections:
            # Not at once: it may be in the middle of its turn.
            self._loop.call_soon(self._finish)

    def report(self, error: BaseException) -> None:
        """A handler failed: the loop reports it, as it does for any callback."""
        self._loop.call_soon(_raise, error)

    def note_deadline(self, deadline: float) -> None:
        if deadline == NEVER or self._finished:
            return
        if self._timer is not None and self._timer.callback is not None:
            if self._timer.deadline <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._time_is_over)

    def _time_is_over(self) -> None:
        self._loop.add_pieces(self._expire())

    def _expire(self) -> Iterator[None]:
        now = self.now()
        for connection in list(self._connections.values()):
            if connection.deadline <= now and self._has(connection):
                connection.expire()
                yield
        self.note_deadline(min((each.deadline for each in self._connections.values()), default=NEVER))

    # --- the first client

    def import_http(self) -> None:
        """Import h11 for a pending connection. Until that is done, new clients wait in the listener's queue."""
        if self._importing:
            return
        self._importing = True
        if self._resume is None:
            self._loop.pause_reader(self._listener.fileno())
        try:
            start_new_thread(self._import, ())
        except RuntimeError as error:  # no more threads
            self._not_imported(str(error))

    def _import(self) -> None:
        try:
            from cp.http.connection import ServerConnection

            if self._prepare is not None:
                self._prepare()
        except Exception as error:  # an import can fail in every way, and the application must run on
            self._loop.post(self._not_imported, f"{type(error).__name__}: {error}")
        else:
            self._loop.post(self._imported, ServerConnection)

    def _imported(self, connection: type[ServerConnection]) -> None:
        if self.closing:
            return
        self._open = connection
        self._loop.add_pieces(self._admit_pending(connection))

    def _admit_pending(self, connection: type[ServerConnection]) -> Iterator[None]:
        for pending in list(self._connections.values()):
            if isinstance(pending, PendingConnection) and self._has(pending):
                pending.stop_polling()
                try:
                    admitted = connection(self, pending.client)
                except OSError as error:  # its place in the poller is free again, and another one is not available
                    pending.close()
                    self._report_refusal(error)
                else:
                    self._admit(admitted, pending.client, due=pending.due)
                yield
        self._importing = False
        if not self.closing:
            self._accept_on()

    def _not_imported(self, fault: str) -> None:
        """Close the clients that wait for h11. The next one that sends something makes a new attempt: perhaps only
        descriptors had run out."""
        if self.closing:
            return
        if fault != self._fault:
            self._fault = fault
            self._log.error(f"{self._name}: cannot serve clients: {fault}")
        for connection in list(self._connections.values()):
            if not connection.evictable:
                connection.close()
        self._importing = False
        self._accept_on()

    def _accept_on(self) -> None:
        if self._resume is None:
            self._loop.add_client(self._listener.fileno(), self._accept)

    # --- clients

    def _serve(self) -> None:
        """Give some clients a turn. The kernel reports the others first the next time."""
        while True:
            ready = self.poller.poll(0, SERVED_AT_ONCE)
            for fd, events in ready:
                connection = self._connections.get(fd)
                if connection is not None:
                    connection.turn(events)
            if len(ready) < SERVED_AT_ONCE or self._finished or self._loop.clients_over():
                return

    def _accept(self) -> None:
        """Accept some of the clients that wait in the queue."""
        has_room = self._make_room()
        if has_room is None or self._importing:
            return
        for _ in range(ACCEPTED_PER_TURN):
            client = self._next_client()
            if client is None:
                return
            try:
                connection = self._open(self, client) if self._open is not None else PendingConnection(self, client)
            except OSError as error:  # the poller has no room
                client.close()
                self._pause(error)
                return
            self._refused = ""
            if isinstance(connection, PendingConnection):
                self._connections[connection.fd] = connection
                self.note_deadline(connection.deadline)
            else:
                self._admit(connection, client, has_room=has_room)
            if len(self._connections) >= self.limits.connections or self._is_over():
                return

    def _admit(
        self, connection: ServerConnection, client: _socket.socket, *, has_room: bool = True, due: float = NEVER
    ) -> None:
        self._connections[connection.fd] = connection
        connection.deadline = min(connection.deadline, due)
        self.note_deadline(connection.deadline)
        why = self._refusal(client) if self._refusal is not None else ""
        if why:
            connection.turn_away(403, why)
        elif not has_room:
            connection.turn_away(503, "all connections are busy, try again later")

    def _make_room(self) -> bool | None:
        """Close the oldest connection that waits for no answer, if the limit is reached.

        True: there is room. None: the time of this turn is over, try again. False: all connections wait for an answer.
        Then one more than the limit is accepted, and gets a refusal.
        """
        if len(self._connections) < self.limits.connections:
            return True
        if self.closing:
            return None
        for connection in list(self._connections.values()):
            if connection.evictable:
                connection.turn(select.EPOLLIN)  # its request may have arrived, and only its turn has not come yet
            if connection.evictable:
                connection.close()
            if len(self._connections) < self.limits.connections:
                return True
            if self._is_over():
                return None
        return False

    def _is_over(self) -> bool:
        """Whether the clients' time of this turn is over. It never is for the last clients of a server that closes."""
        return not self.closing and self._loop.clients_over()

    def _next_client(self) -> _socket.socket | None:
        listener = self._listener
        while True:
            try:
                fd, _ = listener._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in (ECONNABORTED, EINTR, EPERM, EPROTO):
                    continue  # that client has left, or the system keeps it out
                self._pause(error)
                return None
            client = _socket.socket(listener.family, listener.type, listener.proto, fd)
            client.setblocking(False)
            return client

    def _pause(self, error: OSError) -> None:
        """accept(2) failed: too many open files, or no memory. Clients wait in the queue meanwhile."""
        self._report_refusal(error)
        if self.closing or self._resume is not None:
            return
        self._loop.pause_reader(self._listener.fileno())
        self._resume = self._loop.call_later(ACCEPT_PAUSE, self._accept_again)

    def _report_refusal(self, error: OSError) -> None:
        reason = reason_of_fd(error)
        if reason != self._refused:
            self._refused = reason
            self._log.error(f"{self._name}: cannot accept clients: {reason}; they wait until it can")

    def _accept_again(self) -> None:
        self._resume = None
        if not self._importing:
            self._accept_on()


def _raise(error: BaseException) -> None:
    raise error
