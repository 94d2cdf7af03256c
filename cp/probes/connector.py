"""Connects to a server without blocking the loop, whatever its name, its addresses and its network do."""

from __future__ import annotations

import _socket
import errno
import os

from cp.platform.resolver import Peer, numeric
from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from cp.engine.loop import Loop, Timer
    from cp.platform.resolver import Lookup, Resolver

# Seconds until the next address is tried beside the one that has not answered yet (RFC 8305).
NEXT_ADDRESS = 0.25
# Seconds that a look-up has before the last good addresses are used.
SLOW_LOOKUP = 0.25
# Seconds until the next attempt at a unix socket whose queue of connections is full: the kernel reports no end of that.
QUEUE_FULL = 0.05
MOST_ADDRESSES = 16  # of one name

# What the name means everywhere (RFC 6761). A look-up would need a thread for each check.
LOCALHOST = (
    Peer(_socket.AF_INET, _socket.IPPROTO_TCP, ("127.0.0.1", 0)),
    Peer(_socket.AF_INET6, _socket.IPPROTO_TCP, ("::1", 0, 0, 0)),
)

_FLAGS = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC


class Connector:
    """Makes one connection.

    `on_connected(socket)` or `on_failed(why)` is called once, perhaps before `begin` returns, and not after `close`.
    The caller has the time limit.
    """

    __slots__ = (
        "_attempts",
        "_awaits_lookup",
        "_failure",
        "_host",
        "_is_over",
        "_lookup",
        "_loop",
        "_on_connected",
        "_on_failed",
        "_peers",
        "_port",
        "_resolver",
        "_timer",
        "_tried",
    )

    def __init__(
        self,
        loop: Loop,
        resolver: Resolver,
        on_connected: Callable[[_socket.socket], object],
        on_failed: Callable[[str], object],
    ) -> None:
        self._loop = loop
        self._resolver = resolver
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._host = ""
        self._port = 0
        self._lookup: Lookup | None = None
        self._awaits_lookup = False
        self._peers: list[Peer] = []  # that were not tried yet
        self._tried: list[Peer] = []
        self._attempts: dict[_socket.socket, Peer | None] = {}  # under way
        self._failure = ""  # the first one: a server's first address is the usual one
        self._timer: Timer | None = None
        self._is_over = False

    def begin(self, host: str, port: int) -> None:
        """Connect to one of the addresses of a name, or to an IPv4 or IPv6 address without brackets."""
        self._host, self._port = host, port
        peers: Sequence[Peer] = LOCALHOST if host == "localhost" else numeric(host)
        if peers:
            self._try(peers)
            return
        if good := self._resolver.good(host):
            self._timer = self._loop.call_later(SLOW_LOOKUP, self._try, good)
        self._awaits_lookup = True
        self._lookup = self._resolver.start(host)
        self._lookup.call(lambda lookup: self._loop.post(self._looked_up, lookup))

    @property
    def waits_for(self) -> str:
        """What has not come yet, for the message about a time limit."""
        if self._awaits_lookup and not self._attempts:
            return f"address for the name '{self._host}'"
        return "connection"

    def begin_at_file(self, path: str) -> None:
        """Connect to a unix socket."""
        self._attempt(_socket.AF_UNIX, 0, to_bytes(path), None)

    def close(self) -> None:
        """End all attempts."""
        self._is_over = True
        self._cancel_timer()
        for attempt in tuple(self._attempts):
            self._drop(attempt)

    # --- the name

    def _looked_up(self, lookup: Lookup) -> None:
        self._awaits_lookup = False
        if self._is_over:
            return
        if lookup.error is None:
            self._try(lookup.peers)
        elif not self._attempts and not self._peers:
            self._fail(self._failure or f"no address for the name '{self._host}': {reason_of(lookup.error)}")

    # --- its addresses

    def _try(self, peers: Sequence[Peer]) -> None:
        """Try these, and the last good ones of the name too, if they are being tried already."""
        self._peers = [peer for peer in peers[:MOST_ADDRESSES] if peer not in self._tried]
        self._try_next()

    def _try_next(self) -> None:
        self._cancel_timer()
        if not self._peers:
            if not self._attempts and not self._awaits_lookup:
                self._fail(self._failure)
            return
        peer = self._peers.pop(0)
        self._tried.append(peer)
        if self._peers:
            self._timer = self._loop.call_later(NEXT_ADDRESS, self._try_next)
        self._attempt(peer.family, peer.protocol, peer.at(self._port), peer)

    def _attempt(self, family: int, protocol: int, address: Any, peer: Peer | None) -> None:
        try:
            attempt = _socket.socket(family, _FLAGS, protocol)
        except OSError as error:
            self._attempt_failed(reason_of(error))
            return
        self._attempts[attempt] = peer
        try:
            code = attempt.connect_ex(address)
            if code == errno.EINPROGRESS:
                self._loop.add_writer(attempt.fileno(), lambda: self._answered(attempt))
                return
        except OSError as error:
            code = error.errno or errno.EINVAL
        except (ValueError, OverflowError):
            code = errno.EINVAL
        if code == errno.EAGAIN and family == _socket.AF_UNIX:
            self._drop(attempt)
            self._timer = self._loop.call_later(QUEUE_FULL, self._attempt, family, protocol, address, peer)
        else:
            self._settle(attempt, code)

    def _answered(self, attempt: _socket.socket) -> None:
        self._settle(attempt, attempt.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR))

    def _settle(self, attempt: _socket.socket, code: int) -> None:
        """An attempt has ended, with the number of its error or with 0."""
        if not code and _is_connected_to_itself(attempt):
            code = errno.ECONNREFUSED
        if code:
            self._drop(attempt)
            self._attempt_failed(reason_of(OSError(code, os.strerror(code))))
            return
        peer = self._attempts.pop(attempt)
        self._loop.remove_writer(attempt.fileno())
        if peer is not None and self._lookup is not None:
            self._resolver.connected(self._host, peer, self._lookup.peers or self._tried)
        self.close()
        self._on_connected(attempt)

    def _attempt_failed(self, why: str) -> None:
        self._failure = self._failure or why
        self._try_next()

    def _fail(self, why: str) -> None:
        self.close()
        self._on_failed(why)

    def _drop(self, attempt: _socket.socket) -> None:
        del self._attempts[attempt]
        self._loop.remove_writer(attempt.fileno())
        attempt.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_connected_to_itself(connected: _socket.socket) -> bool:
    """Whether both ends are this socket: the kernel may choose the server's port for the client if nobody listens."""
    try:
        return connected.family != _socket.AF_UNIX and connected.getsockname() == connected.getpeername()
    except OSError:  # it is closed already, which reading will show
        return False
