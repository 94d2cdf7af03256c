"""Which program has the id of a service in the catalogue: this one, or another one with the same hostname. Pure.

Another program on this machine has the same address and another port. If it is alive, this one takes another id, so
that both are registered. A program with another address keeps the id, since two programs would fight for it forever.
Then the service stays out of the catalogue while the other program is there. An entry with another address from before
the first registration probably comes from an earlier start of this container: it is replaced.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.catalog.protocol import CatalogEntry
    from cp.plan import Service

LOOK_EVERY = 10  # heartbeats
SOON = 2  # heartbeats after a registration: then a program that registered at the same moment is visible

# The results of a look.
OURS = "ours"
MOVED = "moved"  # the service takes an id of its own
LOST = "lost"  # another program has taken the id
THEIRS = "theirs"  # another program still has it
FREE = "free"  # the other program does not have it any more


class IdClaim:
    """The id that one service has in the catalogue, and when to look at the entry under it."""

    __slots__ = ("_alias", "_beats", "look_is_due", "taken_by")

    def __init__(self) -> None:
        self.look_is_due = True  # before the first registration
        self.taken_by = ""  # the place of another program that has the id
        self._alias = ""  # the id that the service has taken instead
        self._beats: int | None = None  # since the registration; None before the first one

    @property
    def is_first_look(self) -> bool:
        return self._beats is None

    def entry(self, service: Service) -> Service:
        """The service with the id that it has in the catalogue."""
        if not self._alias:
            return service
        return service.replace(id=self._alias)

    def registered(self) -> None:
        """The service has just been registered, and has the entry."""
        self._beats = 0
        self.look_is_due = False

    def beat(self) -> bool:
        """Record a heartbeat that was sent, or would have been. True if a look is due."""
        self._beats = (self._beats or 0) + 1
        if (self._beats == SOON and not self.taken_by) or self._beats % LOOK_EVERY == 0:
            self.look_is_due = True
        return self.look_is_due

    def looked(self) -> None:
        """Record a look, or an attempt that failed."""
        self.look_is_due = False
        self._beats = self._beats or 0

    def compare(self, service: Service, found: CatalogEntry | None) -> str:
        """The meaning of this entry, or of none, under the id of the service."""
        first = self.is_first_look
        self.looked()
        if found is None:
            was, self.taken_by = self.taken_by, ""
            return FREE if was else OURS
        if (found.address, found.port) == (service.address, service.port):
            self.taken_by = ""
            return OURS
        if self.taken_by:
            self.taken_by = found.place
            return THEIRS
        if first and (found.address != service.address or not found.alive):
            return OURS  # as soon as it is replaced
        if found.address == service.address and not self._alias:
            self._alias = f"{service.id}-{service.port}"
            return MOVED
        self.taken_by = found.place
        return LOST
