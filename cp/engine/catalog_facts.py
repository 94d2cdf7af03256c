"""The words for what is known of the catalogue, for people and tools: whether it answers, and the state of a service.

Imported by the first view that shows them.
"""

from __future__ import annotations

from cp.plan import STATUSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, Protocol

    from cp.plan import Service, Status

    # What may be true of a service: the status that the catalogue has confirmed, or one of the words below.
    RegistrationState = Status | Literal["not yet", "unreachable", "refused", "lapsed", "taken", "deregistering", "no"]

    class Failing(Protocol):
        """A failure of `catalog_status.py`."""

        since: float
        why: str

    class Known(Protocol):
        """What `catalog_status.py` knows about one service."""

        @property
        def refused(self) -> Failing | None: ...

        at: float
        id: str
        service: Service
        status: Status
        taken: tuple[float, str] | None


# What may be true of a service, besides the status that the catalogue has confirmed within the last `ttl`.
NOT_YET: Final = "not yet"
UNREACHABLE: Final = "unreachable"
REFUSED: Final = "refused"
LAPSED: Final = "lapsed"
TAKEN: Final = "taken"
DEREGISTERING: Final = "deregistering"
ABSENT: Final = "no"

# Seconds after which an answer is overdue: usually, and while a registration has lapsed for want of one.
PATIENCE, LAPSED_PATIENCE = 2.0, 0.25


class RegistrationStatus:
    """What is true of one service: `state` is one of the words above.

    `since` is when a state that is a failure began, `why` the error behind it, `confirmed_at` the time of the last
    confirmation, `id` the one in the catalogue; times are on the clock of the facts.
    """

    __slots__ = ("confirmed_at", "id", "since", "state", "why")

    def __init__(
        self,
        state: RegistrationState,
        since: float | None = None,
        why: str = "",
        confirmed_at: float | None = None,
        id: str = "",
    ) -> None:
        self.id = id
        self.state = state
        self.since = since
        self.why = why
        self.confirmed_at = confirmed_at

    @property
    def is_registered(self) -> bool:
        return self.state in STATUSES


class Reachability:
    """Whether the catalogue answers, at one moment.

    `has_failed`: a call has ended without an answer, and its part of the program has had none since. `overdue` has
    those who wait for an answer for too long, and when it was due. `is_reachable` is whether everyone who asks gets an
    answer, and in time; None: nobody has got one yet. `since` is when it became so.
    """

    __slots__ = ("has_failed", "is_reachable", "overdue", "since")

    def __init__(self, verdict: bool | None, changed_at: float | None, overdue: dict[str, float]) -> None:
        self.has_failed = verdict is False
        self.overdue = overdue
        self.is_reachable = False if overdue else verdict
        since = [changed_at] if changed_at is not None and (self.has_failed or not overdue) else []
        self.since = min([*since, *overdue.values()], default=None)


def standing(id: str, known: Known | None, failure: Failing | None, now: float, *, wanted: bool) -> RegistrationStatus:
    """What is true of the service with this id now. `known` has the answers about it, `failure` is that of all
    registrations; `wanted`: it should be registered, or will be when its check passes."""
    confirmed_at = known.at if known is not None and known.status else None
    lapsed_at = known.at + known.service.ttl if known is not None and confirmed_at is not None else None
    if known is not None and lapsed_at is not None and now < lapsed_at:
        return RegistrationStatus(known.status if wanted else DEREGISTERING, None, "", confirmed_at, known.id)
    if not wanted and confirmed_at is None:
        return RegistrationStatus(ABSENT)
    if known is not None and known.taken is not None:
        since, place = known.taken
        return RegistrationStatus(TAKEN, since, f"{place} is registered under the id {id}")
    if failure is not None and lapsed_at is not None and lapsed_at < failure.since:
        return RegistrationStatus(LAPSED, lapsed_at, failure.why, confirmed_at)  # before there was an outage
    if failure is not None:
        return RegistrationStatus(UNREACHABLE, failure.since, failure.why, confirmed_at)
    if known is not None and known.refused is not None:
        return RegistrationStatus(REFUSED, known.refused.since, known.refused.why, confirmed_at)
    if lapsed_at is not None:
        return RegistrationStatus(LAPSED, lapsed_at, "", confirmed_at)
    return RegistrationStatus(NOT_YET)
