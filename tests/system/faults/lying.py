"""A Consul agent that tells the truth until it is told to lie, and writes down what it was asked.

It speaks the calls of a 2.x ContainerPilot (register a service, register and pass its check, deregister, healthy
instances with blocking queries). TTLs do not run out here.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from tests.system.pilot import now

if TYPE_CHECKING:
    from collections.abc import Callable

    Lie = Callable[["Exchange"], None]

PATIENCE = 20.0  # seconds that `close` waits for a thread
PIECE = b"10\r\n0123456789abcdef\r\n"  # of a chunked body


class Call(NamedTuple):
    """A request; `at` is of the clock of marks, header names are in lower case, connections are numbered."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def name(self) -> str:
        """What it does, and to whom: "pass app-box"."""
        if self.path == "/v1/agent/service/register":
            return f"register {self.json()['ID']}"
        if self.path == "/v1/agent/check/register":
            return f"check {self.json()['ID']}"
        verb, _, id = self.path.removeprefix("/v1/agent/").partition("/")[2].partition("/")
        return f"{verb} {unquote(id)}"

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


class Dropped(Exception):
    """The connection is not to be used any more."""


class Interrupted(Exception):
    """The agent changed its mind about what to say."""


class Exchange:
    """A request that has begun to arrive, for a lie to do with as it likes."""

    def __init__(self, agent: LyingAgent, connection: socket.socket, number: int) -> None:
        self.begun = False  # something was answered
        self._agent = agent
        self._connection = connection
        self._number = number
        self._call: Call | None = None
        self._lies = 0

    def read(self) -> Call:
        """The whole request, which is noted. Dropped if it does not come."""
        if self._call is None:
            with self._connection.makefile("rb") as stream:
                self._call = self._read(stream)
            self._agent.note(self._call)
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
        body = stream.read(int(headers.get("content-length", 0)))
        return Call(now(), words[0], path, dict(parse_qsl(query)), headers, body, self._number)

    def truth(self) -> Reply:
        """What a Consul would answer, and has done for it; a blocking query waits here."""
        return self._agent.truth(self)

    def send(self, content: bytes) -> None:
        self.begun = True
        self._connection.sendall(content)

    def hold(self, seconds: float | None = None) -> None:
        """Let time pass; for ever if none is given. Interrupted when the agent is told something else to say."""
        self._agent.hold(self, seconds)

    def drop(self) -> None:
        raise Dropped


class LyingAgent:
    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._changed = threading.Condition()  # over everything below
        self._calls: list[Call] = []
        self._services: dict[str, dict[str, Any]] = {}
        self._checks: dict[str, dict[str, Any]] = {}
        self._index = 1
        self._indexes: dict[str, int] = {}  # of each service name, as a Consul since 1.0 has them
        self._lie: Lie = TRUTH
        self._lies = 0
        self._closed = False
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    # --- what it shall say

    def lie(self, lie: Lie) -> None:
        """From now on answer with this, open queries included."""
        with self._changed:
            self._lie = lie
            self._lies += 1
            self._changed.notify_all()

    def tell_truth(self) -> None:
        self.lie(TRUTH)

    def forget(self) -> None:
        """Know nothing, as after a restart in memory."""
        with self._changed:
            for service in (*self._services.values(),):
                self._touch(service["Name"])
            self._services.clear()
            self._checks.clear()

    def enter(self, name: str, port: int, **more: Any) -> None:
        """Another's service: one instance, healthy for lack of a check; replaces the one there was."""
        with self._changed:
            id = f"{name}-other"
            self._services[id] = {"ID": id, "Name": name, "Address": "10.0.0.9", "Port": port, **more}
            self._touch(name)

    # --- what it knows

    @property
    def calls(self) -> list[Call]:
        with self._changed:
            return list(self._calls)

    def registrations(self, id: str = "") -> list[Call]:
        """The calls that are no queries; of one service only if there is an id."""
        return [call for call in self.calls if call.method == "PUT" and (not id or call.name.endswith(f" {id}"))]

    def queries(self) -> list[Call]:
        return [call for call in self.calls if call.method == "GET"]

    def waiting(self) -> bool:
        """Is the last query one that waits for a change?"""
        queries = self.queries()
        return bool(queries) and "index" in queries[-1].query

    def passing(self, id: str) -> bool:
        with self._changed:
            return id in self._services and self._checks.get(id, {}).get("Status") == "passing"

    def knows(self, id: str) -> bool:
        with self._changed:
            return id in self._services

    # --- for exchanges

    def note(self, call: Call) -> None:
        with self._changed:
            self._calls.append(call)

    def hold(self, exchange: Exchange, seconds: float | None, until: Callable[[], bool] = lambda: False) -> None:
        with self._changed:
            told = exchange._lies
            self._changed.wait_for(lambda: self._lies != told or until(), seconds)
            if self._lies != told:
                raise Interrupted

    def truth(self, exchange: Exchange) -> Reply:
        call = exchange.read()
        if call.method == "GET":
            return self._health(exchange, call)
        with self._changed:
            verb, _, id = call.name.partition(" ")
            return getattr(self, f"_do_{verb}")(id, call)  # type: ignore[no-any-return]

    def _do_register(self, id: str, call: Call) -> Reply:
        self._services[id] = call.json()
        self._touch(self._services[id]["Name"])
        return Reply(200)

    def _do_check(self, id: str, call: Call) -> Reply:
        body = call.json()
        if body["ServiceID"] not in self._services:
            return Reply(500, f'ServiceID "{body["ServiceID"]}" does not exist'.encode())
        self._checks[id] = {**body, "Status": "critical"}
        self._touch(self._services[body["ServiceID"]]["Name"])
        return Reply(200)

    def _do_pass(self, id: str, call: Call) -> Reply:
        if id not in self._checks:
            return Reply(500, f'CheckID "{id}" does not have associated TTL'.encode())
        if self._checks[id]["Status"] != "passing":
            self._checks[id]["Status"] = "passing"
            self._touch(self._services[id]["Name"])
        return Reply(200)

    def _do_deregister(self, id: str, call: Call) -> Reply:
        service = self._services.pop(id, None)
        self._checks.pop(id, None)
        if service is None:
            return Reply(404, f'Unknown service "{id}"'.encode())
        self._touch(service["Name"])
        return Reply(200)

    def _health(self, exchange: Exchange, call: Call) -> Reply:
        name = unquote(call.path.removeprefix("/v1/health/service/"))
        index = int(call.query.get("index", 0))
        if index:
            wait = float(call.query["wait"].removesuffix("s"))
            self.hold(exchange, wait, lambda: self._indexes.get(name, 1) > index)
        with self._changed:
            healthy = [
                {"Node": {"Address": "10.0.0.8"}, "Service": service}
                for id, service in self._services.items()
                if service["Name"] == name and self._checks.get(id, {}).get("Status", "passing") == "passing"
            ]
            current = self._indexes.get(name, 1)
        return Reply(200, json.dumps(healthy).encode(), (("X-Consul-Index", str(current)),))

    def _touch(self, name: str) -> None:
        self._index += 1
        self._indexes[name] = self._index
        self._changed.notify_all()

    # --- threads

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                if self._closed:
                    connection.close()
                    return
                self._connections.append(connection)
                number = len(self._connections)
                self._threads.append(threading.Thread(target=self._serve, args=(connection, number)))
                self._threads[-1].start()

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
            with self._changed:
                connection.close()

    def _answer(self, exchange: Exchange) -> None:
        while True:
            with self._changed:
                lie, exchange._lies = self._lie, self._lies
                if self._closed:
                    raise Dropped
            try:
                lie(exchange)
            except Interrupted:
                if exchange.begun:
                    raise Dropped from None
                continue
            return

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._lies += 1
            self._changed.notify_all()
            for each in (self._listener, *self._connections):
                if each.fileno() >= 0:
                    try:
                        each.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        continue  # no longer connected
            threads = list(self._threads)
        for thread in threads:
            thread.join(PATIENCE)
        self._listener.close()


# --- what it can say


def TRUTH(exchange: Exchange) -> None:
    exchange.send(exchange.truth().encode())


def says(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Lie:
    """This answer, and nothing done."""

    def lie(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(Reply(status, body, headers).encode())

    return lie


def denies(exchange: Exchange) -> None:
    """Refuses the token, and quotes it."""
    token = exchange.read().headers.get("x-consul-token", "")
    exchange.send(Reply(403, f"ACL not found: token '{token}' of header X-Consul-Token: {token}".encode()).encode())


def echoes(exchange: Exchange) -> None:
    """Says it all back, as a debugging proxy does: what looks like an answer, and is none."""
    token = exchange.read().headers.get("x-consul-token", "")
    exchange.send(Reply(200, f"X-Consul-Token: {token}".encode()).encode())


def echoes_without_http(exchange: Exchange) -> None:
    exchange.send(f"X-Consul-Token: {exchange.read().headers.get('x-consul-token', '')}\r\n\r\n".encode())
    exchange.drop()


def speaks_no_http(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    exchange.drop()


def cuts_short(exchange: Exchange) -> None:
    """Promises more than it sends."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Content-Length: 1000") + b"[{")
    exchange._connection.shutdown(socket.SHUT_WR)


def drops_unread(exchange: Exchange) -> None:
    exchange.drop()


def drops(exchange: Exchange) -> None:
    exchange.read()
    exchange.drop()


def delays(seconds: float) -> Lie:
    """Truth, but late."""

    def lie(exchange: Exchange) -> None:
        exchange.read()
        exchange.hold(seconds)
        TRUTH(exchange)

    return lie


def is_silent(exchange: Exchange) -> None:
    exchange.read()
    exchange.hold()


def drips(exchange: Exchange) -> None:
    """A body that does not end, a little at a time."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
    while True:
        exchange.send(PIECE)
        exchange.hold(0.02)


def drips_headers(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        exchange.send(b"X: y\r\n")
        exchange.hold(0.01)


def floods(exchange: Exchange) -> None:
    """A body that does not end, as fast as it is taken."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
    piece = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    while True:
        exchange.send(piece)
        exchange.hold(0)


def has_a_huge_header(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Content-Length: 0", f"X-Much: {'x' * 1_000_000}"))


def says_index(index: str | None) -> Lie:
    """Truth, but for the index of queries; None: there is none."""

    def lie(exchange: Exchange) -> None:
        reply = exchange.truth()
        headers = [header for header in reply.headers if header[0] != "X-Consul-Index"]
        if exchange.read().method == "GET" and index is not None:
            headers.append(("X-Consul-Index", index))
        exchange.send(reply._replace(headers=tuple(headers)).encode())

    return lie
