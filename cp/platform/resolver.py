"""Looks up the names of servers with a time limit, which the C library's function does not have.

That function blocks as long as the configuration of the C library says, ten seconds and more, and cannot be
interrupted. So it runs on separate threads: one at a time for each name, for any number of clients that wait for it.
"""

from __future__ import annotations

import _socket
import time
from _thread import allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from cp.platform.wakeup import Wakeup

    StartThread = Callable[..., object]

# Seconds after which a look-up has no thread any more, which had no memory to begin. No look-up takes so long.
LOST = 600.0
MOST_NAMES = 64  # names whose addresses are kept; a configuration has a few


class Peer:
    """One address of a name: all that a socket needs to connect, except the port."""

    __slots__ = ("family", "place", "protocol")

    def __init__(self, family: int, protocol: int, place: tuple[Any, ...]) -> None:
        self.family = family
        self.protocol = protocol
        self.place = place  # as `socket` has it

    def at(self, port: int) -> tuple[Any, ...]:
        return (self.place[0], port, *self.place[2:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Peer) and (self.family, self.place) == (other.family, other.place)

    def __hash__(self) -> int:
        return hash((self.family, self.place))

    def __repr__(self) -> str:
        return f"Peer({self.place[0]})"


def numeric(host: str) -> list[Peer]:
    """The peers of an address, which needs no look-up. Empty for a name."""
    if not host.isascii():
        return []
    try:
        return _peers(_socket.getaddrinfo(_encoded(host), 0, type=_socket.SOCK_STREAM, flags=_socket.AI_NUMERICHOST))
    except (OSError, ValueError):
        return []


def look_up(name: str) -> list[Peer]:
    """Blocks. OSError, or a ValueError of the codec of international names."""
    return _peers(_socket.getaddrinfo(_encoded(name), 0, type=_socket.SOCK_STREAM))


def _encoded(host: str) -> bytes | str:
    return host.encode() if host.isascii() else host  # bytes do not import the tables of idna


def _peers(found: Sequence[tuple[Any, ...]]) -> list[Peer]:
    return [Peer(family, protocol, place) for family, _, protocol, _, place in found]


class Lookup:
    """One look-up of a name, under way or over. Any number of threads may wait for it."""

    __slots__ = ("_callbacks", "_guard", "_waiting", "began", "error", "is_over", "peers")

    def __init__(self, began: float) -> None:
        self.began = began
        self.peers: list[Peer] = []
        self.error: Exception | None = None
        self.is_over = False  # once true, the other attributes do not change any more
        self._guard = allocate_lock()
        self._waiting: list[Wakeup] = []
        self._callbacks: list[Callable[[Lookup], object]] = []

    def call(self, callback: Callable[[Lookup], object]) -> None:
        """Call back when it is over, on any thread; at once if it is over already. The callback must not block."""
        with self._guard:
            if not self.is_over:
                self._callbacks.append(callback)
                return
        callback(self)

    def forget(self, callback: Callable[[Lookup], object]) -> None:
        """Do not call back any more. A call that another thread makes right now may still come."""
        with self._guard:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def wait(self, wakeup: Wakeup, seconds: float) -> None:
        """Wait until the look-up is over, another thread rings `wakeup`, or the time is over."""
        with self._guard:
            if self.is_over:
                return
            self._waiting.append(wakeup)
        try:
            wakeup.wait(seconds)
        finally:
            with self._guard:
                self._waiting.remove(wakeup)

    def end(self, peers: list[Peer], error: Exception | None) -> None:
        with self._guard:
            self.peers = peers
            self.error = error
            self.is_over = True
            for wakeup in self._waiting:
                wakeup.ring()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


class Resolver:
    """For all threads of the process: all clients share the look-ups under way and the last good addresses."""

    def __init__(
        self,
        look_up: Callable[[str], list[Peer]] = look_up,
        start_thread: StartThread = start_new_thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._start_thread = start_thread
        self._clock = clock
        self._guard = allocate_lock()  # over the rest; never held while anything can block
        self._under_way: dict[str, Lookup] = {}
        self._good: dict[str, tuple[Peer, ...]] = {}

    def start(self, name: str) -> Lookup:
        """The look-up of this name that is under way, or a new one. If no thread can start, it has failed."""
        now = self._clock()
        with self._guard:
            lookup = self._under_way.get(name)
            if lookup is not None and now - lookup.began < LOST:
                return lookup
            lookup = self._under_way[name] = Lookup(now)
        try:
            self._start_thread(self._run, (name, lookup))
        except RuntimeError as error:
            self._end(name, lookup, [], OSError(f"cannot look up its name: {error}"))
        return lookup

    def good(self, name: str) -> tuple[Peer, ...]:
        """The addresses of the name at the last successful connection; the connected one comes first."""
        with self._guard:
            return self._good.get(name, ())

    def connected(self, name: str, peer: Peer, peers: Sequence[Peer]) -> None:
        """Record that a connection to one of the addresses of a name succeeded."""
        with self._guard:
            self._good.pop(name, None)
            self._good[name] = (peer, *(other for other in peers if other != peer))
            while len(self._good) > MOST_NAMES:  # of earlier configurations
                del self._good[next(iter(self._good))]

    def _run(self, name: str, lookup: Lookup) -> None:
        peers: list[Peer] = []
        error: Exception | None = OSError("its look-up was broken off")
        try:
            peers = self._look_up(name)
            error = None if peers else OSError("its name has no address")
        except Exception as failure:  # of the system, or of the codec of international names
            error = failure
        finally:
            self._end(name, lookup, peers, error)

    def _end(self, name: str, lookup: Lookup, peers: list[Peer], error: Exception | None) -> None:
        with self._guard:
            if self._under_way.get(name) is lookup:
                del self._under_way[name]
        lookup.end(peers, error)
