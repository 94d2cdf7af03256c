"""The desired state of the catalogue, and the next call towards it. Pure: no thread, no clock, no socket.

A `DesiredService` is the desired state of one service id. The latest one wins, so the table has one entry for each
service. `DesiredState.next` returns the call to make, and `DesiredState.ended` records its outcome.

A service moves through calls like these (each line is one attempt):

    present, never registered    LOOK, REGISTER, HEARTBEAT
    present, not registered      REGISTER, HEARTBEAT
    ... and it was unknown       REGISTER, HEARTBEAT (forgotten), REGISTER, HEARTBEAT
    present, registered          HEARTBEAT
    ... now and then             HEARTBEAT, LOOK
    ... and was forgotten        HEARTBEAT (forgotten), REGISTER, HEARTBEAT
    announced, no check yet      LOOK, REGISTER
    absent                       DEREGISTER

A LOOK reads the entry, to find another program that is registered under the same id: see `id_claim`.
"""

from __future__ import annotations

from cp.catalog.desired_service import DEREGISTER, HEARTBEAT, LOOK, REGISTER, Action, DesiredService
from cp.catalog.id_claim import FREE, LOST, MOVED, THEIRS
from cp.catalog.outage import Outage
from cp.catalog.protocol import CatalogClosed, CatalogForgotten, CatalogNotConnected, CatalogRefused
from cp.plan import PASSING, REGISTRATION
from cp.platform.text import duration_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.outage import Failures
    from cp.catalog.protocol import CatalogError
    from cp.catalog.reports import Reports
    from cp.plan import Level, Service, Status


class DesiredState:
    """The desired state of all services. Each service has at most one call under way.

    `notice(level, text)` gets the lines for the log. `release(done)` gets each callback of `deregister` when the
    deregistration has succeeded or failed for the first time. `reports` receives the results of calls. `shared` has the
    failures of all clients of the catalogue.
    """

    def __init__(
        self,
        random: Callable[[], float],
        notice: Callable[[Level, str], None],
        release: Callable[[Callable[[], None]], None],
        reports: Reports,
        shared: Failures | None = None,
    ) -> None:
        self._random = random
        self._notice = notice
        self._release = release
        self._reports = reports
        self._services: dict[str, DesiredService] = {}
        self.outage = Outage(random, shared, REGISTRATION)  # of the catalogue as a whole, not of one service

    def __len__(self) -> int:
        return len(self._services)

    # --- what is desired

    def register(self, service: Service, status: Status, output: str, now: float) -> None:
        """The service must be present with this status; "": no check has run yet."""
        desired = self._entry_of(service)
        if not status and desired.present and desired.service == service:
            return
        if desired.service != service:
            desired.registered = False
        desired.service = service
        desired.present = True
        desired.status = status
        desired.output = output
        if desired.claim.taken_by and not desired.claim.beat():
            return
        self._ask(desired, now)

    def deregister(self, service: Service, done: Callable[[], None] | None, now: float) -> None:
        """The service must be absent."""
        desired = self._entry_of(service)
        if desired.may_be_there and (desired.present or not desired.due):
            self._notice("info", f"Deregistering service: {service.name}")
        if not desired.present and desired.service != service:
            desired.service = service
            desired.registered = False  # not this one: the entry may be another service
        desired.present = False
        desired.deregisters_first = True
        if not desired.busy:
            desired.worker = None  # any worker
        if done is not None:
            desired.waiting.append(done)
        self._ask(desired, now)
        if desired.claim.taken_by:  # the entry belongs to another program
            desired.due = desired.deregisters_first = False
            self._reports.absent(service)
            self._release_all(desired)

    def _entry_of(self, service: Service) -> DesiredService:
        desired = self._services.get(service.id)
        if desired is None:
            desired = self._services[service.id] = DesiredService(service, self._random)
        return desired

    def _ask(self, desired: DesiredService, now: float) -> None:
        desired.asked_at = now
        desired.version += 1
        desired.due = desired.fresh = True

    def untried_deregistrations(self) -> list[DesiredService]:
        return [desired for desired in self._services.values() if desired.deregisters_first]

    # --- what to do

    def waits_for_worker(self, now: float) -> bool:
        """Whether a call is due now that no worker makes."""
        return any(
            desired.has_work and not desired.busy and desired.worker is None and self._ready_at(desired) <= now
            for desired in self._services.values()
        )

    def next(self, now: float, worker: object = None) -> Action | float | None:
        """The call that this worker should make now, or the seconds until the next one may be due. None: not before the
        desired state changes or the call of another worker ends."""
        self._log_ends(now)
        chosen: tuple[bool, bool, float, DesiredService] | None = None
        earliest: float | None = self.outage.over_at
        for desired in self._services.values():
            over_at = desired.outage.over_at
            if over_at is not None:
                earliest = over_at if earliest is None else min(earliest, over_at)
            is_for_us = not desired.busy and desired.worker in (None, worker)
            if not is_for_us or not desired.has_work or self._stale(desired, now):
                continue
            ready_at = self._ready_at(desired)
            if ready_at > now:
                earliest = ready_at if earliest is None else min(earliest, ready_at)
                continue
            # Deregistrations first: a stop waits for them. Then the rest of an attempt: no other worker continues it.
            order = (desired.present and not desired.deregisters_first, desired.worker is None, desired.asked_at)
            if chosen is None or order < chosen[:3]:
                chosen = (*order, desired)
        if chosen is None:
            return None if earliest is None else earliest - now
        desired = chosen[3]
        desired.fresh = False
        desired.busy = True
        if desired.deregisters_first or not desired.present:
            desired.deregisters_first = False
            return Action(DEREGISTER, desired, worker, now)
        if desired.looks_next:
            return Action(LOOK, desired, worker, now)
        if desired.registered and desired.status:
            return Action(HEARTBEAT, desired, worker, now)
        action = Action(REGISTER, desired, worker, now)
        desired.may_be_there = True
        return action

    def _log_ends(self, now: float) -> None:
        lasted = self.outage.over(now)
        if lasted is not None:
            self._notice("info", f"Catalogue reachable again after {duration_text(lasted)}")
        for desired in self._services.values():
            lasted = desired.outage.over(now)
            if lasted is not None and desired.present:
                self._notice(
                    "info", f"Service registration works again: {desired.service.name}, after {duration_text(lasted)}"
                )

    def _stale(self, desired: DesiredService, now: float) -> bool:
        """Whether a passing check is older than the ttl. The next check makes the service due again."""
        counts = desired.present and not desired.deregisters_first and desired.status == PASSING
        if not counts or now < desired.asked_at + desired.service.ttl:
            return False
        desired.due = False
        desired.worker = None
        desired.forgotten = 0
        return True

    def _ready_at(self, desired: DesiredService) -> float:
        if desired.worker is not None or (desired.fresh and desired.deregisters_first):
            return 0.0
        if desired.fresh:
            return max(self.outage.news_at, desired.outage.news_at)
        return max(self.outage.retry_at, desired.outage.retry_at)

    # --- results

    def ended(self, action: Action, error: CatalogError | None, now: float) -> None:
        """Record the outcome of a call. The desired state may have changed meanwhile."""
        desired = action.desired
        desired.busy = False
        desired.worker = None
        if error is None:
            # If the entry never existed, deregistering may succeed without a request, as in a missing folder.
            if action.verb in (REGISTER, HEARTBEAT) or desired.registered:
                self.outage.worked(now)
                self._reports.answered()
            if action.verb == DEREGISTER:
                self._deregistered(desired, now)
            elif action.verb == REGISTER:
                self._registered(desired, action)
            elif action.verb == LOOK:
                self._looked(desired, action)
            else:
                self._renewed(desired, action, now)
        elif isinstance(error, CatalogClosed):
            return  # this program ended it, for a more urgent call: it is still due
        elif action.verb == LOOK:
            if not isinstance(error, CatalogRefused):
                self.outage.suspect(action.begun)
            self._cannot_look(desired, action)
        elif isinstance(error, CatalogForgotten) and action.verb == HEARTBEAT:
            self._unknown(desired, action, error, now)
        else:
            self._failed(desired, action, error, now)
        if action.verb == DEREGISTER and not desired.deregisters_first:
            self._release_all(desired)

    def _deregistered(self, desired: DesiredService, now: float) -> None:
        was_there, desired.may_be_there = desired.may_be_there, False
        desired.registered = desired.registered_now = False
        desired.forgotten = 0
        desired.outage.worked(now)
        self._reports.absent(desired.service)
        if not desired.present:
            if desired.outage.under_way and was_there:  # this service leaves the table, so its end is logged now
                lasted = duration_text(now - desired.outage.since)
                self._notice("info", f"Service deregistered: {desired.service.name}, after {lasted}")
            desired.due = desired.deregisters_first = False
            self._services.pop(desired.service.id, None)

    def _registered(self, desired: DesiredService, action: Action) -> None:
        if desired.service != action.requested:
            return
        desired.registered = desired.registered_now = True
        desired.claim.registered()
        if desired.status:
            desired.worker = action.worker  # the heartbeat follows at once
            return
        self._reports.confirmed(action.requested, action.status, action.begun, action.service.id)
        if action.version == desired.version:
            self._settled(desired)

    def _renewed(self, desired: DesiredService, action: Action, now: float) -> None:
        desired.outage.worked(now)
        self._reports.confirmed(action.requested, action.status, action.begun, action.service.id)
        if action.version == desired.version:
            self._settled(desired)
        if desired.service == action.requested and desired.claim.beat():
            desired.worker = action.worker

    def _looked(self, desired: DesiredService, action: Action) -> None:
        if desired.service != action.requested or not desired.present:
            desired.claim.looked()
            return  # the entry is about to be replaced or deregistered
        is_first = desired.claim.is_first_look
        name, id, found = desired.service.name, action.service.id, action.found
        meaning = desired.claim.compare(action.service, found)
        if meaning == FREE:
            self._notice("info", f"The id {id} is free again: {name} takes it")
        elif meaning in (MOVED, LOST) and found is not None:
            desired.registered = False
            taken = f"Another program has registered {found.place} under the id {id}"
            what = f"{name} takes the id {desired.claim.entry(desired.service).id}"
            if meaning == LOST:
                desired.may_be_there = False
                what = f"{name} is not registered any more, or the two would fight for it"
                self._reports.taken(desired.service, found.place)
            self._notice("warning", f"{taken}: {what}; give each an id or a hostname of its own")
        if is_first or meaning in (MOVED, FREE):
            desired.due = True
            desired.worker = action.worker  # the registration follows at once
        elif meaning in (LOST, THEIRS):
            desired.due = False

    def _cannot_look(self, desired: DesiredService, action: Action) -> None:
        """Go on without the entry: it may be forbidden to read it, and if nothing responds, the next call fails."""
        if desired.claim.is_first_look:
            desired.worker = action.worker
        elif desired.claim.taken_by:
            desired.due = False
        desired.claim.looked()

    def _settled(self, desired: DesiredService) -> None:
        desired.due = False
        desired.forgotten = 0
        name, initial = desired.service.name, desired.service.initial_status
        if desired.registered_now and not desired.status and initial:
            self._notice("info", f"Registering service {name} with initial status set to {initial}")
        elif desired.registered_now and desired.status not in ("", PASSING):
            self._notice("warning", f"Service registered as {desired.status}: {name}")
        elif desired.registered_now:
            self._notice("info", f"Service registered: {name}")
        desired.registered_now = False

    def _unknown(self, desired: DesiredService, action: Action, error: CatalogError, now: float) -> None:
        # Registered a moment ago, it lacked its check. Every new service begins so: this is not worth a line.
        level: Level = "debug" if desired.registered_now else "info"
        self._reports.answered()
        self._reports.absent(action.requested)
        desired.registered = desired.registered_now = desired.may_be_there = False
        desired.forgotten += 1
        if desired.forgotten == 1:
            self._notice(level, f"Service not registered: {error}")
            desired.worker = action.worker
            return
        desired.forgotten = 0
        if desired.outage.failed(now, error.retry_after, since=action.begun):
            self._notice("error", f"Failed to write heartbeat: {error}")

    def _failed(self, desired: DesiredService, action: Action, error: CatalogError, now: float) -> None:
        desired.forgotten = 0
        of_one = isinstance(error, CatalogRefused)
        if action.verb == REGISTER and (of_one or isinstance(error, CatalogNotConnected)):
            desired.may_be_there = action.may_have_been_there
        if of_one:
            self.outage.worked(now)
            self._reports.answered()
            self._reports.refused(action.requested, str(error))
        else:
            self._reports.failed(str(error))
        first = (desired.outage if of_one else self.outage).failed(now, error.retry_after, since=action.begun)
        if action.verb == DEREGISTER:
            if first or (desired.waiting and desired.may_be_there):
                self._notice("info", f"Deregistering failed: {error}")
            if not of_one:  # other deregistrations would fail as well, and a stop has no time
                for other in self._services.values():
                    self._release_all(other)
        elif first:
            self._notice("warning", f"{error.operation or 'Service registration'} failed: {error}")

    def _release_all(self, desired: DesiredService) -> None:
        waiting, desired.waiting = desired.waiting, []
        for done in waiting:
            self._release(done)
