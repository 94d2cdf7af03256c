"""Connects to a host by its name. The look-up and the connection have one time limit together."""

from __future__ import annotations

import socket
import time

from cp.catalog.http.sockets import open_socket
from cp.platform.resolver import numeric
from cp.platform.wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cp.catalog.http.sockets import Deadline, DeadlineSocket
    from cp.platform.resolver import Lookup, Peer, Resolver

    Watch = Callable[[socket.socket | Wakeup | None], None]

# Seconds that a look-up has before the last good address is used: much longer than a healthy name server takes, and
# short enough for the deregistration of services at a stop, which has one second.
LOOKUP_GRACE = 0.25
# The errors for a name without an address. All other errors concern the name servers.
WITHOUT_ADDRESS = tuple(getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"))


class NameTimeout(TimeoutError):
    """The look-up of a name took too long."""


class Dialer:
    """For one host and one thread. `watch` gets what the thread is about to wait for, so that another thread can end
    the wait; it may raise.

    While a look-up hangs or the name servers fail, the last good address is used. If the name has another address in
    the end, `is_outdated` is true, and the connection should not be used any longer.
    """

    def __init__(self, host: str, port: int, resolver: Resolver, deadline: Deadline, watch: Watch) -> None:
        self._host = host
        self._port = port
        self._resolver = resolver
        self._deadline = deadline
        self._watch = watch
        self._unproven: tuple[Lookup, Peer] | None = None  # a look-up under way, and the peer connected without it

    def connect(self) -> DeadlineSocket:
        """Connect to the first address that accepts; each has its share of the time. OSError or ValueError."""
        self._unproven = None
        peers = numeric(self._host)
        if peers:
            return self._first_of(peers, 1.0)[0]
        good = self._resolver.good(self._host)
        lookup = self._resolver.start(self._host)
        self._wait(lookup, min(LOOKUP_GRACE, self._deadline.left() / 4) if good else self._deadline.left())
        if lookup.peers or not good:
            return self._by(lookup)
        if lookup.error is not None and _is_about_the_name(lookup.error):
            raise _again(lookup.error)
        try:
            found, peer = self._first_of(good, 0.5)
        except OSError:
            if lookup.is_over:
                raise
            self._wait(lookup, self._deadline.left())
            if not lookup.peers:
                raise
            return self._by(lookup)
        if not lookup.is_over:
            self._unproven = lookup, peer
        self._resolver.connected(self._host, peer, good)
        return found

    @property
    def is_outdated(self) -> bool:
        """Whether the look-up that hung has ended since, with other addresses."""
        if self._unproven is None or not self._unproven[0].is_over:
            return False
        lookup, peer = self._unproven
        self._unproven = None
        return bool(lookup.peers) and peer not in lookup.peers

    def _by(self, lookup: Lookup) -> DeadlineSocket:
        if not lookup.is_over:
            raise NameTimeout
        if lookup.error is not None:
            raise _again(lookup.error)
        found, peer = self._first_of(lookup.peers, 1.0)
        self._resolver.connected(self._host, peer, lookup.peers)
        return found

    def _first_of(self, peers: Sequence[Peer], share: float) -> tuple[DeadlineSocket, Peer]:
        """Connect to one of these, within a share of the time that is left."""
        end = time.monotonic() + self._deadline.left() * share
        failure: OSError = OSError("its name has no address")
        for index, peer in enumerate(peers):
            left = end - time.monotonic()
            if left <= 0:
                break
            limit = left / (len(peers) - index)
            try:
                found = open_socket(peer.family, peer.protocol, peer.at(self._port), self._deadline, limit, self._watch)
                return found, peer
            except OSError as error:
                failure = error
        raise failure

    def _wait(self, lookup: Lookup, seconds: float) -> None:
        """Wait until it is over or the time is up. ConnectionAbortedError if another thread ends the call."""
        end = time.monotonic() + seconds
        wakeup = Wakeup()
        try:
            while not lookup.is_over and (left := end - time.monotonic()) > 0:
                self._watch(wakeup)  # raises if another thread has ended the call
                lookup.wait(wakeup, left)
            self._watch(None)
        finally:
            wakeup.close()


def _is_about_the_name(error: Exception) -> bool:
    return not isinstance(error, OSError) or (isinstance(error, socket.gaierror) and error.errno in WITHOUT_ADDRESS)


def _again(error: Exception) -> Exception:
    """A copy for this thread: raising an exception adds a traceback to it."""
    return type(error)(*error.args)
