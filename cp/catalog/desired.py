"""What should be true in the catalogue, and the next call that brings it nearer. Pure: no thread, no clock, no socket.

A `Goal` is what the program wishes for one service id; the latest wish wins, so the table never holds more than the
services there are. `Goals.next` names the call to make, and `Goals.ended` takes in how it went.

A goal moves through calls like these (an attempt is what stands on one line):

    present, never registered    LOOK, REGISTER, HEARTBEAT
    present, not registered      REGISTER, HEARTBEAT
    ... and it was unknown       REGISTER, HEARTBEAT (forgotten), REGISTER, HEARTBEAT
    present, registered          HEARTBEAT
    ... now and then             HEARTBEAT, LOOK
    ... and was forgotten        HEARTBEAT (forgotten), REGISTER, HEARTBEAT
    announced, no check yet      LOOK, REGISTER
    absent                       DEREGISTER

A LOOK finds out whether another program is registered under the same id: see `claim`.
"""

from __future__ import annotations

from cp.catalog.id_claim import FREE, LOST, MOVED, THEIRS, Claim
from cp.catalog.outage import Trouble, span
from cp.catalog.protocol import PASSING, CatalogClosed, CatalogForgotten, CatalogNotConnected, CatalogRefused
from cp.catalog.reports import REGISTRATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.outage import Failures
    from cp.catalog.protocol import CatalogError, Entry
    from cp.catalog.reports import Reports
    from cp.plan import Service

REGISTER, HEARTBEAT, DEREGISTER, LOOK = "register", "heartbeat", "deregister", "look"


class Goal:
    """The wish for one service id, and what is known of the catalogue's side."""

    __slots__ = (
        "asked_at", "busy", "claim", "due", "forgotten", "fresh", "may_be_there", "output", "present", "purge",
        "registered", "registered_now", "service", "status", "trouble", "version", "waiting", "worker",
    )  # fmt: skip

    def __init__(self, service: Service, random: Callable[[], float]) -> None:
        self.service = service
        self.present = False
        self.status = ""  # "" = announced only: no check has run yet
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
        self.claim = Claim()
        self.trouble = Trouble(random)
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
        "begun", "found", "goal", "may_have_been_there", "output", "service", "status", "verb", "version", "wish",
        "worker",
    )  # fmt: skip

    def __init__(self, verb: str, goal: Goal, worker: object, now: float) -> None:
        self.verb = verb
        self.goal = goal
        self.worker = worker
        self.begun = now
        self.may_have_been_there = goal.may_be_there
        self.wish = goal.service
        self.service = goal.claim.entry(goal.service)
        self.found: Entry | None = None
        self.status = goal.status or goal.service.initial_status
        self.output = goal.output
        self.version = goal.version


class Goals:
    """The table of wishes. There is never more than one call under way for one goal.

    `notice(level, text)` is told what a person should read; `release(done)` gets each callback of `forget` when its
    removal was done or has failed for the first time; `reports` receives what the catalogue answered; `shared` has the
    failures of all who use the catalogue.
    """

    def __init__(
        self,
        random: Callable[[], float],
        notice: Callable[[str, str], None],
        release: Callable[[Callable[[], None]], None],
        reports: Reports,
        shared: Failures | None = None,
    ) -> None:
        self._random = random
        self._notice = notice
        self._release = release
        self._reports = reports
        self._goals: dict[str, Goal] = {}
        self.outage = Trouble(random, shared, REGISTRATION)  # of the catalogue as a whole, not of one service

    def __len__(self) -> int:
        return len(self._goals)

    # --- wishes

    def want(self, service: Service, status: str, output: str, now: float) -> None:
        """Present with this status; "" = present, and no check has run yet."""
        goal = self._goal(service)
        if not status and goal.present and goal.service == service:
            return
        if goal.service != service:
            goal.registered = False
        goal.service = service
        goal.present = True
        goal.status = status
        goal.output = output
        if goal.claim.taken_by and not goal.claim.beat():
            return
        self._ask(goal, now)

    def forget(self, service: Service, done: Callable[[], None] | None, now: float) -> None:
        """Absent."""
        goal = self._goal(service)
        if goal.may_be_there and (goal.present or not goal.due):
            self._notice("info", f"Deregistering service: {service.name}")
        if not goal.present and goal.service != service:
            goal.service = service
            goal.registered = False  # as this one: what may be there is another
        goal.present = False
        goal.purge = True
        if not goal.busy:
            goal.worker = None  # whoever has time
        if done is not None:
            goal.waiting.append(done)
        self._ask(goal, now)
        if goal.claim.taken_by:  # what is there is not ours to remove
            goal.due = goal.purge = False
            self._reports.removed(service)
            self._release_all(goal)

    def _goal(self, service: Service) -> Goal:
        goal = self._goals.get(service.id)
        if goal is None:
            goal = self._goals[service.id] = Goal(service, self._random)
        return goal

    def _ask(self, goal: Goal, now: float) -> None:
        goal.asked_at = now
        goal.version += 1
        goal.due = goal.fresh = True

    def untried_removals(self) -> list[Goal]:
        return [goal for goal in self._goals.values() if goal.purge]

    # --- what to do

    def waits_for_worker(self, now: float) -> bool:
        """Is there something to do now that nobody does?"""
        return any(
            goal.has_work and not goal.busy and goal.worker is None and self._ready_at(goal) <= now
            for goal in self._goals.values()
        )

    def next(self, now: float, worker: object = None) -> Action | float | None:
        """The call that this worker should make now, or in how many seconds to ask again; None = not before the next
        wish, or the end of a call of somebody else's."""
        self._tell_ends(now)
        chosen: tuple[bool, bool, float, Goal] | None = None
        earliest: float | None = self.outage.over_at
        for goal in self._goals.values():
            over_at = goal.trouble.over_at
            if over_at is not None:
                earliest = over_at if earliest is None else min(earliest, over_at)
            if goal.busy or goal.worker not in (None, worker) or not goal.has_work or self._stale(goal, now):
                continue
            ready_at = self._ready_at(goal)
            if ready_at > now:
                earliest = ready_at if earliest is None else min(earliest, ready_at)
                continue
            # Removals first: somebody waits for them. Then the rest of an attempt: no other worker will go on with it.
            order = (goal.present and not goal.purge, goal.worker is None, goal.asked_at)
            if chosen is None or order < chosen[:3]:
                chosen = (*order, goal)
        if chosen is None:
            return None if earliest is None else earliest - now
        goal = chosen[3]
        goal.fresh = False
        goal.busy = True
        if goal.purge or not goal.present:
            goal.purge = False
            return Action(DEREGISTER, goal, worker, now)
        if goal.looks_next:
            return Action(LOOK, goal, worker, now)
        if goal.registered and goal.status:
            return Action(HEARTBEAT, goal, worker, now)
        action = Action(REGISTER, goal, worker, now)
        goal.may_be_there = True
        return action

    def _tell_ends(self, now: float) -> None:
        lasted = self.outage.over(now)
        if lasted is not None:
            self._notice("info", f"Catalogue reachable again after {span(lasted)}")
        for goal in self._goals.values():
            lasted = goal.trouble.over(now)
            if lasted is not None and goal.present:
                self._notice("info", f"Service registration works again: {goal.service.name}, after {span(lasted)}")

    def _stale(self, goal: Goal, now: float) -> bool:
        """A passing check counts for one ttl: later it would be a lie, and the next check wakes the goal again."""
        if not goal.present or goal.purge or goal.status != PASSING or now < goal.asked_at + goal.service.ttl:
            return False
        goal.due = False
        goal.worker = None
        goal.forgotten = 0
        return True

    def _ready_at(self, goal: Goal) -> float:
        if goal.worker is not None or (goal.fresh and goal.purge):
            return 0.0
        if goal.fresh:
            return max(self.outage.news_at, goal.trouble.news_at)
        return max(self.outage.retry_at, goal.trouble.retry_at)

    # --- how it went

    def ended(self, action: Action, error: CatalogError | None, now: float) -> None:
        """Takes in the outcome of a call; the wish may have changed meanwhile."""
        goal = action.goal
        goal.busy = False
        goal.worker = None
        if error is None:
            # To remove what was never there may succeed without any work, as in a folder that cannot be had.
            if action.verb in (REGISTER, HEARTBEAT) or goal.registered:
                self.outage.worked(now)
                self._reports.answered()
            if action.verb == DEREGISTER:
                self._removed(goal, now)
            elif action.verb == REGISTER:
                self._registered(goal, action)
            elif action.verb == LOOK:
                self._looked(goal, action)
            else:
                self._renewed(goal, action, now)
        elif isinstance(error, CatalogClosed):
            return  # our own side broke it off, for something more urgent: it is still due
        elif action.verb == LOOK:
            if not isinstance(error, CatalogRefused):
                self.outage.suspect(action.begun)
            self._cannot_look(goal, action)
        elif isinstance(error, CatalogForgotten) and action.verb == HEARTBEAT:
            self._unknown(goal, action, error, now)
        else:
            self._failed(goal, action, error, now)
        if action.verb == DEREGISTER and not goal.purge:
            self._release_all(goal)

    def _removed(self, goal: Goal, now: float) -> None:
        was_there, goal.may_be_there = goal.may_be_there, False
        goal.registered = goal.registered_now = False
        goal.forgotten = 0
        goal.trouble.worked(now)
        self._reports.removed(goal.service)
        if not goal.present:
            if goal.trouble.under_way and was_there:  # nobody will look at this goal again to tell its end
                lasted = span(now - goal.trouble.since)
                self._notice("info", f"Service deregistered: {goal.service.name}, after {lasted}")
            goal.due = goal.purge = False
            self._goals.pop(goal.service.id, None)

    def _registered(self, goal: Goal, action: Action) -> None:
        if goal.service != action.wish:
            return
        goal.registered = goal.registered_now = True
        goal.claim.registered()
        if goal.status:
            goal.worker = action.worker  # the heartbeat follows at once
            return
        self._reports.confirmed(action.wish, action.status, action.begun, action.service.id)
        if action.version == goal.version:
            self._settled(goal)

    def _renewed(self, goal: Goal, action: Action, now: float) -> None:
        goal.trouble.worked(now)
        self._reports.confirmed(action.wish, action.status, action.begun, action.service.id)
        if action.version == goal.version:
            self._settled(goal)
        if goal.service == action.wish and goal.claim.beat():
            goal.worker = action.worker

    def _looked(self, goal: Goal, action: Action) -> None:
        if goal.service != action.wish or not goal.present:
            goal.claim.looked()
            return  # the entry that was looked at is about to be replaced, or removed
        is_first = goal.claim.is_first_look
        name, id, found = goal.service.name, action.service.id, action.found
        meaning = goal.claim.compare(action.service, found)
        if meaning == FREE:
            self._notice("info", f"The id {id} is free again: {name} takes it")
        elif meaning in (MOVED, LOST) and found is not None:
            goal.registered = False
            taken = f"Another program has registered {found.place} under the id {id}"
            what = f"{name} takes the id {goal.claim.entry(goal.service).id}"
            if meaning == LOST:
                goal.may_be_there = False
                what = f"{name} is not registered any more, or the two would fight for it"
                self._reports.taken(goal.service, found.place)
            self._notice("warning", f"{taken}: {what}; give each an id or a hostname of its own")
        if is_first or meaning in (MOVED, FREE):
            goal.due = True
            goal.worker = action.worker  # the registration follows at once
        elif meaning in (LOST, THEIRS):
            goal.due = False

    def _cannot_look(self, goal: Goal, action: Action) -> None:
        """That is no reason to do nothing else: the catalogue may not let us look, and if it is away, the next call
        says so."""
        if goal.claim.is_first_look:
            goal.worker = action.worker
        elif goal.claim.taken_by:
            goal.due = False
        goal.claim.looked()

    def _settled(self, goal: Goal) -> None:
        goal.due = False
        goal.forgotten = 0
        name, initial = goal.service.name, goal.service.initial_status
        if goal.registered_now and not goal.status and initial:
            self._notice("info", f"Registering service {name} with initial status set to {initial}")
        elif goal.registered_now and goal.status not in ("", PASSING):
            self._notice("warning", f"Service registered as {goal.status}: {name}")
        elif goal.registered_now:
            self._notice("info", f"Service registered: {name}")
        goal.registered_now = False

    def _unknown(self, goal: Goal, action: Action, error: CatalogError, now: float) -> None:
        # Registered a moment ago, it lacked its check: that is how a new service begins, and no news.
        level = "debug" if goal.registered_now else "info"
        self._reports.answered()
        self._reports.removed(action.wish)
        goal.registered = goal.registered_now = goal.may_be_there = False
        goal.forgotten += 1
        if goal.forgotten == 1:
            self._notice(level, f"Service not registered: {error}")
            goal.worker = action.worker
            return
        goal.forgotten = 0
        if goal.trouble.failed(now, error.retry_after, since=action.begun):
            self._notice("error", f"Failed to write heartbeat: {error}")

    def _failed(self, goal: Goal, action: Action, error: CatalogError, now: float) -> None:
        goal.forgotten = 0
        of_one = isinstance(error, CatalogRefused)
        if action.verb == REGISTER and (of_one or isinstance(error, CatalogNotConnected)):
            goal.may_be_there = action.may_have_been_there
        if of_one:
            self.outage.worked(now)
            self._reports.answered()
            self._reports.refused(action.wish, str(error))
        else:
            self._reports.failed(str(error))
        first = (goal.trouble if of_one else self.outage).failed(now, error.retry_after, since=action.begun)
        if action.verb == DEREGISTER:
            if first or (goal.waiting and goal.may_be_there):
                self._notice("info", f"Deregistering failed: {error}")
            if not of_one:  # the others would fail as well, and those who wait have no time
                for other in self._goals.values():
                    self._release_all(other)
        elif first:
            self._notice("warning", f"{error.operation or 'Service registration'} failed: {error}")

    def _release_all(self, goal: Goal) -> None:
        waiting, goal.waiting = goal.waiting, []
        for done in waiting:
            self._release(done)
