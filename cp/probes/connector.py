"""Connects to a server without blocking the loop, whatever its name, its addresses and its network do."""

from __future__ import annotations

import _socket
import errno
import os

from cp.platform.resolver import Peer
from cp.platform.text import reason_of, reason_of_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from cp.engine.loop import Loop, Timer
    from cp.platform.resolver import Lookup, Resolver
    from cp.probes.target import Target

# Seconds until the next address is tried beside the one that has not answered yet (RFC 8305).
NEXT_ADDRESS = 0.25
# Seconds that a look-up has before the last good addresses are used.
SLOW_LOOKUP = 0.25
# Seconds until the next attempt at a unix socket whose queue of connections is full: the kernel reports no end of that.
QUEUE_FULL = 0.05
MOST_ADDRESSES = 16  # of one name
FIRST_DYNAMIC_PORT = 1024  # the kernel may give any port from here on to a client

_FLAGS = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY)


class Connector:
    """Makes one connection.

    `on_connected(socket)` or `on_failed(why)` is called once, perhaps before `begin` returns, and not after `close`.
    The caller has the time limit.
    """

    __slots__ = (
        "_attempts",
        "_failure",
        "_is_queue_full",
        "_lookup",
        "_loop",
        "_on_connected",
        "_on_failed",
        "_peers",
        "_resolver",
        "_target",
        "_timer",
        "_tried",
    )

    def __init__(
        self,
        loop: Loop,
        resolver: Resolver,
        target: Target,
        on_connected: Callable[[_socket.socket], object],
        on_failed: Callable[[str], object],
    ) -> None:
        self._loop = loop
        self._resolver = resolver
        self._target = target
        self._on_connected: Callable[[_socket.socket], object] | None = on_connected  # None: closed
        self._on_failed: Callable[[str], object] | None = on_failed
        self._lookup: Lookup | None = None  # the one that is awaited
        self._peers: list[Peer] = []  # that were not tried yet
        self._tried: list[Peer] = []
        self._attempts: dict[_socket.socket, Peer | None] = {}  # under way
        self._failure = ""  # the first one: a server's first address is the usual one
        self._is_queue_full = False
        self._timer: Timer | None = None

    def begin(self) -> None:
        target = self._target
        if target.path:
            self._attempt(_socket.AF_UNIX, 0, target.path, None)
        elif target.peers:
            self._try(target.peers)
        else:
            if good := self._resolver.good(target.host):
                self._timer = self._loop.call_later(SLOW_LOOKUP, self._try, good)
            self._lookup = self._resolver.start(target.host)
            self._lookup.call(self._look_up_is_over)

    @property
    def waits_for(self) -> str:
        """What has not come yet, for the message about a time limit."""
        if self._lookup is not None and not self._attempts:
            return f"address for the name '{self._target.host}'"
        return "place in its queue of connections" if self._is_queue_full else "connection"

    def close(self) -> None:
        """End all attempts."""
        self._on_connected = self._on_failed = None
        if self._lookup is not None:
            self._lookup.forget(self._look_up_is_over)
            self._lookup = None
        self._cancel_timer()
        for attempt in tuple(self._attempts):
            self._drop(attempt)

    # --- the name

    def _look_up_is_over(self, lookup: Lookup) -> None:
        """On any thread."""
        self._loop.post(self._looked_up, lookup)

    def _looked_up(self, lookup: Lookup) -> None:
        if self._on_connected is None:
            return
        self._lookup = None
        if lookup.error is None:
            self._try(lookup.peers)
        elif not self._attempts and not self._peers:
            self._fail(self._failure or f"no address for the name '{self._target.host}': {reason_of(lookup.error)}")

    # --- its addresses

    def _try(self, peers: Sequence[Peer]) -> None:
        """Try these, beside the last good ones of the name if those are being tried already."""
        self._peers = [peer for peer in peers[:MOST_ADDRESSES] if peer not in self._tried]
        self._try_next()

    def _try_next(self) -> None:
        self._cancel_timer()
        if not self._peers:
            if not self._attempts and self._lookup is None:
                self._fail(self._failure)
            return
        peer = self._peers.pop(0)
        self._tried.append(peer)
        if self._peers:
            self._timer = self._loop.call_later(NEXT_ADDRESS, self._try_next)
        self._attempt(peer.family, peer.protocol, peer.at(self._target.port), peer)

    def _attempt(self, family: int, protocol: int, address: Any, peer: Peer | None) -> None:
        try:
            attempt = _socket.socket(family, _FLAGS, protocol)
        except OSError as error:
            self._attempt_failed(f"cannot open a socket: {reason_of(error)}")
            return
        try:
            code = attempt.connect_ex(address)
            if code == errno.EINPROGRESS:
                # On the loopback it is connected already. To ask costs less than a turn of the loop.
                code = attempt.connect_ex(address)
            if code in _UNDER_WAY:
                self._attempts[attempt] = peer
                self._loop.add_writer(attempt.fileno(), lambda: self._answered(attempt, address))
                return
        except OSError as error:  # epoll accepts no more, or the address is not one
            self._attempts.pop(attempt, None)
            attempt.close()
            self._attempt_failed(reason_of_fd(error))
        else:
            if code == errno.EAGAIN and family == _socket.AF_UNIX:
                attempt.close()
                self._is_queue_full = True
                self._timer = self._loop.call_later(QUEUE_FULL, self._attempt, family, protocol, address, peer)
                return
            self._attempts[attempt] = peer
            self._settle(attempt, code)

    def _answered(self, attempt: _socket.socket, address: Any) -> None:
        """An attempt under way may have ended: ask the kernel, since the call may be for an earlier descriptor."""
        code = attempt.connect_ex(address)
        if code not in _UNDER_WAY:
            self._settle(attempt, 0 if code == errno.EISCONN else code)

    def _settle(self, attempt: _socket.socket, code: int) -> None:
        """An attempt has ended, with the number of its error or with 0."""
        if not code and self._target.port >= FIRST_DYNAMIC_PORT and _is_connected_to_itself(attempt):
            code = errno.ECONNREFUSED
        if code:
            self._drop(attempt)
            self._attempt_failed(reason_of(OSError(code, os.strerror(code))))
            return
        peer = self._attempts.pop(attempt)
        self._loop.remove_writer(attempt.fileno())
        if peer is not None and not self._target.peers:
            self._resolver.connected(self._target.host, peer, [*self._tried, *self._peers])
        on_connected = self._on_connected
        self.close()
        assert on_connected is not None  # there are no attempts after `close`
        on_connected(attempt)

    def _attempt_failed(self, why: str) -> None:
        self._failure = self._failure or why
        self._try_next()

    def _fail(self, why: str) -> None:
        on_failed = self._on_failed
        self.close()
        if on_failed is not None:
            on_failed(why)

    def _drop(self, attempt: _socket.socket) -> None:
        del self._attempts[attempt]
        self._loop.forget(attempt.fileno())
        attempt.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_connected_to_itself(connected: _socket.socket) -> bool:
    """Whether both ends are this socket: the kernel may choose the server's port for the client if nobody listens."""
    try:
        return bool(connected.getsockname() == connected.getpeername())
    except OSError:  # it is closed already, which reading will show
        return False
