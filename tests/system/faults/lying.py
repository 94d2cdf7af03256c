"""A catalogue's server that gives true answers until a test sets a lie, and notes all requests.

What the truth is, is for subclasses to know: see `lying_consul` and `lying_etcd`. What it may say instead is in `lies`.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from tests.system.pilot import now
from tests.system.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    Lie = Callable[["Exchange"], None]

PATIENCE = 20.0  # seconds that `close` waits for a thread
REGISTER, HEARTBEAT, DEREGISTER, READ, WATCH = "register", "heartbeat", "deregister", "read", "watch"
LOOK = "look"  # at the entry under an id
VERBS = (LOOK, REGISTER, HEARTBEAT, DEREGISTER, READ, WATCH)


class Call(NamedTuple):
    """A request; `at` is of the clock of marks, header names are in lower case, connections are numbered."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Reason", f"Content-Length: {len(self.body)}"]
        return head(*lines, *(f"{name}: {value}" for name, value in self.headers)) + self.body


def head(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


class Dropped(Exception):
    """The connection is not to be used any more."""


class Interrupted(Exception):
    """The server changed its mind about what to say."""


class Exchange:
    """A request that has begun to arrive, for a lie to do with as it likes."""

    def __init__(self, server: LyingServer, connection: socket.socket, number: int) -> None:
        self.begun = False  # something was answered
        self.is_old = False  # the truth, except the index or revision that it names: that is an old one
        self.is_compacted = False  # the truth of a server that has just forgotten its past
        self.server = server
        self.lie_number = 0  # the number of the lie it is about
        self._connection = connection
        self._number = number
        self._call: Call | None = None

    def read(self) -> Call:
        """The whole request, which is noted. Dropped if it does not come."""
        if self._call is None:
            with self._connection.makefile("rb") as stream:
                self._call = self._read(stream)
            self.server.note(self._call)
        return self._call

    def _read(self, stream: Any) -> Call:
        words = stream.readline().decode().split()
        if len(words) != 3:
            raise Dropped
        path, _, query = words[1].partition("?")
        headers = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        body = stream.read(length)
        if len(body) < length:
            raise Dropped
        return Call(now(), words[0], path, dict(parse_qsl(query)), headers, body, self._number)

    def verb(self) -> str:
        """The activity of the client; "" for a request that belongs to all of them."""
        return self.server.verb(self.read())

    def truth(self) -> Reply:
        """Does and answers what an honest server would. A query that waits for a change waits here."""
        return self.server.truth(self)

    def tell_truth(self) -> None:
        self.server.answer(self)

    def send(self, content: bytes) -> None:
        self.begun = True
        self._connection.sendall(content)

    def end(self) -> None:
        """Nothing more will be sent, and the client sees that."""
        self._connection.shutdown(socket.SHUT_WR)

    def hold(self, seconds: float | None = None) -> None:
        """Lets time pass; without limit if none is given. Ends when the server gets another answer to give."""
        self.server.hold(self, seconds)

    def drop(self) -> None:
        raise Dropped


class LyingServer:
    """`changed` is over everything that a subclass knows."""

    def __init__(self) -> None:
        self._listener = self._listen()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.changed = threading.Condition()
        self._calls: list[Call] = []
        self._lie: Lie = TRUTH
        self._lies = 0
        self._closed = False
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _listen(self) -> socket.socket:
        for _ in range(10):
            try:
                # A port by its number stays ours while we refuse connections.
                return socket.create_server(("127.0.0.1", free_port()))
            except OSError:
                continue  # somebody was faster
        raise OSError("no free port")

    # --- what it shall say

    def lie(self, lie: Lie) -> None:
        """From now on answer with this, open questions included."""
        with self.changed:
            self._lie = lie
            self._lies += 1
            self.changed.notify_all()

    def tell_truth(self) -> None:
        self.lie(TRUTH)

    def refuse(self) -> None:
        """Connections break, and there are no new ones, as if the process had died."""
        with self.changed:
            self._lies += 1
            self.changed.notify_all()
            for each in (self._listener, *self._connections):
                shut_down(each)

    def accept(self) -> None:
        """Takes connections again."""
        self._listener.listen()
        self._start(self._accept)

    # --- what it knows

    @property
    def calls(self) -> list[Call]:
        with self.changed:
            return list(self._calls)

    def verb(self, call: Call) -> str:
        """Which of VERBS a request belongs to; "" = none of them alone."""
        raise NotImplementedError

    def truth(self, exchange: Exchange) -> Reply:
        raise NotImplementedError

    def answer(self, exchange: Exchange) -> None:
        """Tells the truth."""
        exchange.send(exchange.truth().encode())

    def forget(self) -> None:
        """Know nothing, as after a restart in memory."""
        raise NotImplementedError

    def enter(self, name: str, port: int) -> None:
        """Another's service: one instance, always healthy; replaces the existing one."""
        raise NotImplementedError

    def passing(self, id: str) -> bool:
        """Would a reader of the catalogue find it?"""
        raise NotImplementedError

    def knows(self, id: str) -> bool:
        raise NotImplementedError

    # --- for exchanges

    def note(self, call: Call) -> None:
        with self.changed:
            self._calls.append(call)

    def hold(self, exchange: Exchange, seconds: float | None, until: Callable[[], bool] = lambda: False) -> None:
        with self.changed:
            lie_number = exchange.lie_number
            self.changed.wait_for(lambda: self._lies != lie_number or until(), seconds)
            if self._lies != lie_number:
                raise Interrupted

    # --- threads

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=run, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self.changed:
                if self._closed:
                    connection.close()
                    return
                self._connections.append(connection)
                self._start(self._serve, connection, len(self._connections))

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            while connection.recv(1, socket.MSG_PEEK):
                self._answer(Exchange(self, connection, number))
        except Dropped:
            # With a reset, as when the process dies: what it has not read is lost.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # the client is gone
        finally:
            with self.changed:
                connection.close()

    def _answer(self, exchange: Exchange) -> None:
        while True:
            with self.changed:
                lie, exchange.lie_number = self._lie, self._lies
                if self._closed:
                    raise Dropped
            try:
                lie(exchange)
            except Interrupted:
                if exchange.begun:
                    raise Dropped from None
                exchange.is_old = exchange.is_compacted = False
                continue
            return

    def close(self) -> None:
        with self.changed:
            self._closed = True
            self._lies += 1
            self.changed.notify_all()
            for each in (self._listener, *self._connections):
                shut_down(each)
            threads = list(self._threads)
        for thread in threads:
            thread.join(PATIENCE)
        self._listener.close()


def shut_down(each: socket.socket) -> None:
    if each.fileno() >= 0:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # no longer connected


def TRUTH(exchange: Exchange) -> None:
    exchange.tell_truth()
