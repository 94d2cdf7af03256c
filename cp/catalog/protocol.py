"""Catalogues: where services are registered and where their instances are found.

A `Catalog` is a set of blocking calls for the catalogue threads; `registrar` and `watcher` own those threads, and the
rest of the program calls only them. This module has only what the clients and their callers share, so that its import
costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from cp.plan import Service, Status, Watch

    class Catalog(Protocol):
        """One client of a catalogue, used by one thread; only `interrupt` and `close` may be called on another.

        All times are in seconds. Every call ends within the client's own time limits, and fails with a
        `CatalogError` only. A cursor says what of a watch has been seen; it means something to the client that made
        it and to nobody else. A cursor of None says that this catalogue cannot push this watch.
        """

        def register(self, service: Service, status: Status) -> None:
            """Enters the service, or replaces its entry; `status` is passing, warning, critical or "" (unknown)."""

        def heartbeat(self, service: Service, status: Status, output: str) -> None:
            """Renews a registered service; CatalogForgotten if the catalogue does not know it (any more)."""

        def deregister(self, service: Service) -> None:
            """Removes the service; one that is not there is a success."""

        def entry(self, service: Service) -> CatalogEntry | None:
            """What is registered under the service's id now; None if there is nothing."""

        def instances(self, watch: Watch) -> tuple[list[Instance], object]:
            """The healthy instances now, and a cursor for `wait_for_change`."""

        def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
            """The healthy instances and a new cursor, as soon as they may differ from what the cursor saw."""

        def interrupt(self) -> None:
            """Makes the call under way fail now; the client stays usable."""

        def close(self) -> None:
            """Makes the call under way and all later ones fail, and frees all that it holds. Any number of times."""


class CatalogError(Exception):
    """A call failed. str() says why, in one line, without secrets.

    `operation` begins the message if it is not that of the caller ("Check registration"). For
    `retry_after` seconds the catalogue wants no further request; 0: it does not say.
    """

    def __init__(self, message: str, operation: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.operation = operation
        self.retry_after = retry_after


class CatalogUnreachable(CatalogError):
    """No response, or a server error. The service is not the reason, and a later call may succeed."""


class CatalogNotConnected(CatalogUnreachable):
    """Nothing was sent: there was no connection."""


class CatalogClosed(CatalogUnreachable):
    """This program closed the client or interrupted its call."""


class CatalogRefused(CatalogError):
    """The catalogue refused the request: permission denied, or an entry that it does not accept."""


class CatalogForgotten(CatalogError):
    """The catalogue has no such registration: it must be made again."""


class CatalogGarbage(CatalogError):
    """The response is not one of a catalogue."""


class CatalogEntry:
    """The entry in the catalogue under one id; `alive`: the catalogue still receives heartbeats for it."""

    __slots__ = ("address", "alive", "port")

    def __init__(self, address: str, port: int, *, alive: bool) -> None:
        self.address = address
        self.port = port
        self.alive = alive

    @property
    def place(self) -> str:
        """For messages, in which the address may be any text that another program has written."""
        address = self.address[:100]
        if not address.isprintable():
            address = repr(address)
        return f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"


class Instance:
    """A healthy instance of a service. Made once, never changed; plain slots because there may be thousands."""

    __slots__ = ("address", "id", "port", "tags")

    def __init__(self, id: str, address: str, port: int, tags: tuple[str, ...] = ()) -> None:
        self.id = id
        self.address = address
        self.port = port
        self.tags = tags

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instance):
            return NotImplemented
        return (self.id, self.address, self.port, self.tags) == (other.id, other.address, other.port, other.tags)

    def __hash__(self) -> int:
        return hash((self.id, self.address, self.port, self.tags))

    def __repr__(self) -> str:
        return f"Instance({self.id!r}, {self.address!r}, {self.port!r}, {self.tags!r})"
