"""The desired state of one service id, and one call to the catalogue that comes from it. Pure."""

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
    """The desired state of one service id, and what is known of its entry in the catalogue."""

    __slots__ = (
        "asked_at", "busy", "claim", "deregisters_first", "due", "forgotten", "fresh", "may_be_there", "outage",
        "output", "present", "registered", "registered_now", "service", "status", "version", "waiting", "worker",
    )  # fmt: skip

    def __init__(self, service: Service, random: Callable[[], float]) -> None:
        self.service = service
        self.present = False
        self.status: Status = ""  # "" = announced only: no check has run yet
        self.output = ""
        self.asked_at = 0.0
        self.version = 0  # of the desired state
        self.due = False  # a call must be made
        self.fresh = False  # no call has been made for this version
        self.deregisters_first = False  # not tried yet: it comes before what is desired since
        self.registered = False
        self.registered_now = False  # and the log does not say so yet
        self.may_be_there = False  # a registration was sent, with or without a response, and not deregistered since
        self.busy = False  # a call of it is under way
        self.worker: object = None  # between two calls of one attempt: the worker that makes both
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
    """One call to make, with the desired state that it comes from. `begun`: when; `worker`: who makes it; `found`: the
    result of a LOOK."""

    __slots__ = (
        "begun",
        "desired",
        "found",
        "may_have_been_there",
        "output",
        "requested",
        "service",
        "status",
        "verb",
        "version",
        "worker",
    )  # fmt: skip

    def __init__(self, verb: Verb, desired: DesiredService, worker: object, now: float) -> None:
        self.verb = verb
        self.desired = desired
        self.worker = worker
        self.begun = now
        self.may_have_been_there = desired.may_be_there
        self.requested = desired.service
        self.service = desired.claim.entry(desired.service)
        self.found: CatalogEntry | None = None
        self.status = desired.status or desired.service.initial_status
        self.output = desired.output
        self.version = desired.version
