"""The wish for one service id, and one call to the catalogue that comes from it. Pure."""

from __future__ import annotations

from cp.catalog.id_claim import IdClaim
from cp.catalog.outage import Outage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Literal

    from cp.catalog.protocol import CatalogEntry
    from cp.plan import Service, Status

    Verb = Literal["register", "heartbeat", "deregister", "look"]

REGISTER: Final = "register"
HEARTBEAT: Final = "heartbeat"
DEREGISTER: Final = "deregister"
LOOK: Final = "look"


class DesiredService:
    """The wish for one service id, and what is known of the catalogue's side."""

    __slots__ = (
        "asked_at", "busy", "claim", "due", "forgotten", "fresh", "may_be_there", "outage", "output", "present",
        "purge", "registered", "registered_now", "service", "status", "version", "waiting", "worker",
    )  # fmt: skip

    def __init__(self, service: Service, random: Callable[[], float]) -> None:
        self.service = service
        self.present = False
        self.status: Status = ""  # "" = announced only: no check has run yet
        self.output = ""
        self.asked_at = 0.0
        self.version = 0  # of the wish
        self.due = False  # something is to be done
        self.fresh = False  # the wish has not been tried yet
        self.purge = False  # a removal was wished for and has not been tried: it comes first, whatever was wished since
        self.registered = False
        self.registered_now = False  # and nobody has been told
        self.may_be_there = False  # a registration was sent, with or without an answer, and not undone since
        self.busy = False  # a call of it is under way
        self.worker: object = None  # between two calls of one attempt: who makes it, and goes on with it
        self.forgotten = 0  # how often in this attempt
        self.claim = IdClaim()
        self.outage = Outage(random)
        self.waiting: list[Callable[[], None]] = []

    @property
    def looks_next(self) -> bool:
        """Whether the next call is a LOOK. An entry that is about to be replaced is not looked at."""
        claim = self.claim
        return claim.look_is_due and self.present and (claim.is_first_look or self.registered or bool(claim.taken_by))

    @property
    def has_work(self) -> bool:
        return self.due or (self.looks_next and self.registered)


class Action:
    """One call to make, with the wish that it comes from; `begun` is when, `worker` who makes it, `found` what a LOOK
    has found."""

    __slots__ = (
        "begun", "desired", "found", "may_have_been_there", "output", "service", "status", "verb", "version", "wish",
        "worker",
    )  # fmt: skip

    def __init__(self, verb: Verb, desired: DesiredService, worker: object, now: float) -> None:
        self.verb = verb
        self.desired = desired
        self.worker = worker
        self.begun = now
        self.may_have_been_there = desired.may_be_there
        self.wish = desired.service
        self.service = desired.claim.entry(desired.service)
        self.found: CatalogEntry | None = None
        self.status = desired.status or desired.service.initial_status
        self.output = desired.output
        self.version = desired.version
