"""Connects to a host by its name, within one time limit for all of it: look-up and connection."""

from __future__ import annotations

import socket
import time

from cp.catalog.http.resolver import numeric
from cp.catalog.http.sockets import open_socket
from cp.catalog.wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cp.catalog.http.resolver import Lookup, Peer, Resolver
    from cp.catalog.http.sockets import Deadline, DeadlineSocket

    Watched = Callable[[socket.socket | Wakeup | None], None]

# Seconds that a look-up has until the address is used that was good last: far more than a name server takes that is
# well, and so little that a removal at the end, for which there is a second, is made nevertheless.
GRACE = 0.25
# What is said of a name that has no address. Everything else is about the name servers, which are in trouble.
WITHOUT_ADDRESS = tuple(getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"))


class NameTimeout(TimeoutError):
    """A name was not looked up in time."""


class Dialer:
    """For one host and one thread. `watched` gets what the thread is about to wait for, to break it off, and may raise.

    While a look-up hangs, or the name servers are in trouble, the address is used that was good last. Should the name
    turn out to lead elsewhere, `is_outdated` says so, and the connection is not to be used any longer.
    """

    def __init__(self, host: str, port: int, resolver: Resolver, deadline: Deadline, watched: Watched) -> None:
        self._host = host
        self._port = port
        self._resolver = resolver
        self._deadline = deadline
        self._watched = watched
        self._unproven: tuple[Lookup, Peer] | None = None  # a look-up under way, and who was connected without it

    def connect(self) -> DeadlineSocket:
        """To the first address that answers; each gets its share of the time. OSError, or a codec's ValueError."""
        self._unproven = None
        peers = numeric(self._host)
        if peers:
            return self._first_of(peers, 1.0)[0]
        good = self._resolver.good(self._host)
        lookup = self._resolver.start(self._host)
        self._wait(lookup, min(GRACE, self._deadline.left() / 4) if good else self._deadline.left())
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
        """Whether the look-up that hung has ended since, and the name leads elsewhere."""
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
        """Within a share of the time that is left."""
        end = time.monotonic() + self._deadline.left() * share
        failure: OSError = OSError("its name has no address")
        for index, peer in enumerate(peers):
            left = end - time.monotonic()
            if left <= 0:
                break
            limit = left / (len(peers) - index)
            try:
                found = open_socket(
                    peer.family, peer.protocol, peer.at(self._port), self._deadline, limit, self._watched
                )
                return found, peer
            except OSError as error:
                failure = error
        raise failure

    def _wait(self, lookup: Lookup, seconds: float) -> None:
        """Until it is over or the time is up; ConnectionAbortedError if it is broken off."""
        end = time.monotonic() + seconds
        wakeup = Wakeup()
        try:
            while not lookup.is_over and (left := end - time.monotonic()) > 0:
                self._watched(wakeup)  # which raises if it was broken off
                lookup.wait(wakeup, left)
            self._watched(None)
        finally:
            wakeup.close()


def _is_about_the_name(error: Exception) -> bool:
    return not isinstance(error, OSError) or (isinstance(error, socket.gaierror) and error.errno in WITHOUT_ADDRESS)


def _again(error: Exception) -> Exception:
    """The same for another thread: raising it adds a traceback to it."""
    return type(error)(*error.args)
