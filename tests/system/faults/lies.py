"""The answers of a lying server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.faults.lying import TRUTH, Reply, chunk, head

if TYPE_CHECKING:
    from tests.system.faults.lying import Exchange, Lie

PIECE = chunk(b"0123456789abcdef")


def only(verb: str, lie: Lie) -> Lie:
    """The truth to all that is not of this verb."""

    def to_some(exchange: Exchange) -> None:
        (lie if exchange.verb() == verb else TRUTH)(exchange)

    return to_some


# --- answers


def says(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Lie:
    """This answer, and nothing done."""

    def lie(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(Reply(status, body, headers).encode())

    return lie


def does_but_says(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Lie:
    """This answer, and yet it is done."""

    def lie(exchange: Exchange) -> None:
        if is_write(exchange):
            exchange.truth()
        says(status, body, *headers)(exchange)

    return lie


def says_first(status: int) -> Lie:
    """An answer that announces another one, and then the truth."""

    def lie(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(f"HTTP/1.1 {status} Reason", "Link: </style.css>"))
        TRUTH(exchange)

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


def is_mistyped(exchange: Exchange) -> None:
    """The truth, called a picture."""
    if exchange.verb() == "watch":
        TRUTH(exchange)
    else:
        reply = exchange.truth()
        exchange.send(reply._replace(headers=(*reply.headers, ("Content-Type", "image/png"))).encode())


# --- answers that break off


def cuts_short(exchange: Exchange) -> None:
    """Promises more than it sends."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Content-Length: 1000") + b"[{")
    exchange.end()


def cuts_a_line_short(exchange: Exchange) -> None:
    """A stream that ends in the middle of its first line."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "X-Etcd-Index: 9") + chunk(b'{"result":{"hea'))
    exchange.end()


def breaks_off(exchange: Exchange) -> None:
    """In the middle of an answer."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Content-Length: 1000") + b"[{")
    exchange.drop()


def drops_unread(exchange: Exchange) -> None:
    exchange.drop()


def drops(exchange: Exchange) -> None:
    exchange.read()
    exchange.drop()


def does_and_drops(exchange: Exchange) -> None:
    """The server does what was requested, and the answer is lost."""
    if is_write(exchange):
        exchange.truth()
    drops(exchange)


# --- answers that take their time


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


def is_deaf(exchange: Exchange) -> None:
    """Accepts the connection, and never reads."""
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
    piece = chunk(bytes(0x100000))
    while True:
        exchange.send(piece)
        exchange.hold(0)


def floods_with_lines(exchange: Exchange) -> None:
    """The same, of lines that say nothing."""
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "X-Etcd-Index: 999999"))
    quiet = b'{"result":{"header":{"revision":"999999"},"created":true},"action":"update","node":{"dir":true}}\n'
    piece = chunk(quiet * 1000)
    while True:
        exchange.send(piece)
        exchange.hold(0)


def has_a_huge_header(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(head("HTTP/1.1 200 OK", "Content-Length: 0", f"X-Much: {'x' * 1_000_000}"))


# --- memory


def forgets(exchange: Exchange) -> None:
    """Does what was requested, confirms it, and forgets it."""
    TRUTH(exchange)
    exchange.server.forget()


def is_old(exchange: Exchange) -> None:
    """Truth, but with an index of long ago."""
    exchange.is_old = True
    TRUTH(exchange)


def is_compacted(exchange: Exchange) -> None:
    exchange.is_compacted = True
    TRUTH(exchange)


def says_index(index: str | None) -> Lie:
    """Truth, except the index of Consul's queries; None: there is none."""

    def lie(exchange: Exchange) -> None:
        reply = exchange.truth()
        headers = [header for header in reply.headers if header[0] != "X-Consul-Index"]
        if exchange.read().method == "GET" and index is not None:
            headers.append(("X-Consul-Index", index))
        exchange.send(reply._replace(headers=tuple(headers)).encode())

    return lie


def is_write(exchange: Exchange) -> bool:
    return exchange.verb() in ("register", "heartbeat", "deregister")
