"""What is known of the catalogue: whether it answers, and which registrations it has confirmed.

Every view of the running program (control plane, telemetry) shows these facts, in the words of `catalog_facts.py`. The
catalogue's threads report them to the loop; nothing here queries the catalogue. Ages are measured on a clock that
counts the time of a suspension too: while the machine slept, registrations lapsed.
"""

from __future__ import annotations

from _thread import allocate_lock

from cp.plan import REGISTRATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp import plan
    from cp.engine.catalog_facts import Reachability, RegistrationStatus
    from cp.plan import Status


class Failure:
    """The failures of one part of the program: since when, and the last error."""

    __slots__ = ("answered", "since", "why")

    def __init__(self, since: float, why: str, answered: bool) -> None:
        self.since = since
        self.why = why
        self.answered = answered  # the catalogue answered with an error


class _Entry:
    """The answers of the catalogue about one service; `status` is empty until it has confirmed one."""

    __slots__ = ("at", "id", "refused", "service", "status", "taken")

    def __init__(self, service: plan.Service) -> None:
        self.service = service
        self.id = service.id
        self.taken: tuple[float, str] | None = None  # since when, and the place of the program that has the id
        self.status: Status = ""
        self.at = 0.0
        self.refused: Failure | None = None


class _Unanswered:
    """A question that ended without an answer: when that was due, and when the question ended."""

    __slots__ = ("due", "ended")

    def __init__(self, due: float, ended: float) -> None:
        self.due = due
        self.ended = ended


class PendingCalls:
    """The calls to the catalogue that have no answer. Who wants to know looks here; no timer waits for them.

    An answer is due when its query is sent, or after the wait that the query requests. A call that ends without one
    hands its query on to the next call of the same part of the program: both count from when the first was due.

    `begin` and `end` are for the threads that make the calls. The lock is held for microseconds, never during a call.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds, monotonic, without suspensions: while the machine slept, nobody could answer."""
        self._now = now
        self._lock = allocate_lock()
        self._calls: dict[object, tuple[str, float]] = {}  # who asks, and when the answer is due
        self._unanswered: dict[str, _Unanswered] = {}  # by who asked; those whose call has ended

    def begin(self, who: str, wait: float = 0.0) -> object:
        """A call begins, which asks the catalogue to wait for so many seconds before it answers; for `end`."""
        call = object()
        with self._lock:
            self._calls[call] = who, self._now() + wait
        return call

    def end(self, call: object, *, answered: bool = True) -> None:
        with self._lock:
            known = self._calls.pop(call, None)
            if known is None:
                return
            who, due = known
            if answered:
                self._unanswered.pop(who, None)
                return
            now = self._now()
            before = self._unanswered.get(who)
            due = min(due, now)
            self._unanswered[who] = _Unanswered(due if before is None else min(due, before.due), now)

    def forget(self, who: str) -> None:
        """Drop our own record of what this part of the program asked: it does not count any more."""
        with self._lock:
            self._unanswered.pop(who, None)
            for call in [call for call, (asker, _) in self._calls.items() if asker == who]:
                del self._calls[call]

    def failing_for(self, who: str) -> float:
        """For how many seconds the answer to what this part of the program asked has been due, if its last call has
        ended without one."""
        with self._lock:
            unanswered = self._unanswered.get(who)
        return 0.0 if unanswered is None else self._now() - unanswered.due

    def overdue(self, patience: Callable[[str], float]) -> dict[str, float]:
        """For how many seconds each part of the program has waited for an answer that was due, if that is longer than
        its patience."""
        now = self._now()
        with self._lock:
            calls, unanswered = list(self._calls.values()), dict(self._unanswered)
        # Between two calls there is no answer either.
        waits = [(who, each.due, each.ended) for who, each in unanswered.items()]
        for who, due in calls:
            waits.append((who, min(due, unanswered[who].due) if who in unanswered else due, now))
        waited: dict[str, float] = {}
        for who, due, until in waits:
            if until - due >= patience(who):
                waited[who] = max(now - due, waited.get(who, 0.0))
        return waited


class CatalogStatus:
    """The facts about one catalogue. The methods of its first part are those of `CatalogListener` (engine/ports.py)."""

    def __init__(self, elapsed: Callable[[], float], now: Callable[[], float] | None = None) -> None:
        """`elapsed`: seconds, monotonic, a suspension of the machine included; `now`: the same without it."""
        self._elapsed = elapsed
        self.awaited = PendingCalls(now or elapsed)
        self._entries: dict[str, _Entry] = {}
        self._failures: dict[str, Failure] = {}  # by who asks
        self._answers = False  # it has answered once
        self._served: set[str] = set()  # who was given an answer
        self._changed_at: float | None = None  # when `_verdict` changed
        self.last_error: tuple[float, str] | None = None  # when, and what

    # --- reports

    def confirmed(self, service: plan.Service, status: Status, at: float, id: str) -> None:
        """The catalogue took a registration or a heartbeat that was sent at this time, under this id."""
        self.answered(REGISTRATION)
        entry = self._entry(service)
        entry.status, entry.at, entry.id, entry.refused, entry.taken = status, at, id, None, None

    def absent(self, service: plan.Service) -> None:
        """The catalogue has no entry of this service (any more)."""
        self._entries.pop(service.id, None)

    def refused(self, service: plan.Service, why: str) -> None:
        """The catalogue answered, and did not take this service."""
        entry = self._entry(service)
        since = self._elapsed() if entry.refused is None else entry.refused.since
        entry.refused = Failure(since, why, True)
        self.last_error = self._elapsed(), why

    def taken(self, service: plan.Service, place: str) -> None:
        """Another program has registered itself, there, under the id of this service."""
        entry = self._entry(service)
        entry.status = ""
        entry.taken = self._elapsed(), place

    def answered(self, who: str) -> None:
        """The catalogue answered this part of the program."""
        was = self._verdict
        self._failures.pop(who, None)
        self._served.add(who)
        self._answers = True
        self._note_change(was)

    def failed(self, who: str, why: str, answered: bool) -> None:
        """A question of this part of the program failed; `answered`: the catalogue did answer, with an error.

        What had no answer has been failing since that was due.
        """
        was, now = self._verdict, self._elapsed()
        before = self._failures.get(who)
        if before is not None and before.answered == answered:
            since = before.since
        else:
            since = now if answered else now - self.awaited.failing_for(who)
        self._failures[who] = Failure(since, why, answered)
        self._answers = self._answers or answered
        self.last_error = now, why
        self._note_change(was)
        if not answered and self._changed_at is not None:
            self._changed_at = min(self._changed_at, since)

    def dropped(self, who: str) -> None:
        """This part of the program asks no longer."""
        was = self._verdict
        self._failures.pop(who, None)
        self._served.discard(who)
        self.awaited.forget(who)
        self._note_change(was)

    def _note_change(self, was: bool | None) -> None:
        if self._verdict != was:
            self._changed_at = self._elapsed()

    def _entry(self, service: plan.Service) -> _Entry:
        entry = self._entries.get(service.id)
        if entry is None or entry.service != service:
            entry = self._entries[service.id] = _Entry(service)
        return entry

    # --- facts

    def age(self, at: float) -> float:
        """How many seconds ago this was."""
        return self._elapsed() - at

    @property
    def _verdict(self) -> bool | None:
        """Whether it is reachable, as far as the calls that have ended show."""
        if any(not failure.answered for failure in self._failures.values()):
            return False
        return True if self._answers else None

    @property
    def reach(self) -> Reachability:
        """Whether the catalogue answers now. An answer may come while somebody looks: ask once for what is shown."""
        from cp.engine.catalog_facts import LAPSED_PATIENCE, PATIENCE, Reachability

        has_lapsed = any(entry.status and self._has_lapsed(entry) for entry in self._entries.values())
        patience = {REGISTRATION: LAPSED_PATIENCE} if has_lapsed else {}
        waited = self.awaited.overdue(lambda who: patience.get(who, PATIENCE))
        now = self._elapsed()
        return Reachability(self._verdict, self._changed_at, {who: now - seconds for who, seconds in waited.items()})

    @property
    def is_reachable(self) -> bool | None:
        return self.reach.is_reachable

    @property
    def since(self) -> float | None:
        """When it became what `is_reachable` says."""
        return self.reach.since

    def has_answered(self, who: str) -> bool:
        """Whether this part of the program ever received an answer."""
        return who in self._served

    @property
    def failures(self) -> dict[str, Failure]:
        """By who asks: REGISTRATION, or the source of a watch."""
        return dict(self._failures)

    def _has_lapsed(self, entry: _Entry) -> bool:
        return self._elapsed() >= entry.at + entry.service.ttl

    def standing(self, service: plan.Service, *, wanted: bool) -> RegistrationStatus:
        """What is true of a service now; `wanted`: it should be registered, or will be when its check passes."""
        from cp.engine.catalog_facts import standing

        entry = self._entries.get(service.id)
        known = entry if entry is not None and (entry.service == service or not wanted) else None
        return standing(service.id, known, self._failures.get(REGISTRATION), self._elapsed(), wanted=wanted)
