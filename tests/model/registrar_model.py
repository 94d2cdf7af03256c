"""A model of a catalogue and of its desired state, and a world in which the registrar works on it.

The calls of up to three workers take their time, end in any order, fail in all ways, or do their work and lose their
answer; the catalogue forgets. The fake catalogue implements the protocol `Catalog`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock

from cp.catalog.desired import DesiredState
from cp.catalog.desired_service import DEREGISTER, HEARTBEAT, LOOK, REGISTER, Action
from cp.catalog.protocol import (
    CatalogClosed,
    CatalogEntry,
    CatalogError,
    CatalogForgotten,
    CatalogGarbage,
    CatalogRefused,
    CatalogUnreachable,
)
from cp.plan import Service

if TYPE_CHECKING:
    from cp.plan import Status

NAMES = ("www", "api", "db")
ADDRESSES = ("10.0.0.1", "10.0.0.2")
CALLS = (0.0, 0.05, 0.4, 3.0, 12.0)  # seconds that a call may take
TTL = 10
FAULTS: dict[str, Callable[[], CatalogError]] = {
    "down": lambda: CatalogUnreachable("connection refused"),
    "busy": lambda: CatalogUnreachable("slow down", retry_after=7.0),
    "refuses": lambda: CatalogRefused("permission denied"),
    "talks nonsense": lambda: CatalogGarbage("not JSON"),
    "is interrupted": lambda: CatalogClosed("interrupted"),
}
STATES = ("up", "up", "loses answers", *FAULTS)
DESIRED_STATES = ("passing", "passing", "critical", "announced", "deregister", "deregister")


class Model:
    """The last desired state of each service, and the calls that are permitted: the rules, and what has happened."""

    def __init__(self) -> None:
        self.last_desired: dict[str, tuple[Service, str]] = {}
        self.registered: dict[str, Service] = {}  # as far as the caller can know
        self.deregistrations: set[str] = set()  # that were requested, and not tried
        self.waiting = 0  # for a deregistration
        self.released = 0
        self.story: list[str] = []

    def broken(self, what: str) -> AssertionError:
        return AssertionError("\n".join([what, *self.story]))

    def called(self, verb: str, service: Service, now: float) -> None:
        self.story.append(f"t={now:7.2f}  {verb} {service.id} {service.address}")
        if verb == DEREGISTER:
            self.deregistrations.discard(service.id)
        elif service.id in self.deregistrations:
            raise self.broken(f"{service.id}: a deregistration is lost: {verb} comes first")
        if verb == HEARTBEAT and self.registered.get(service.id) != service:
            raise self.broken(f"{service.id}: a heartbeat for something that is not registered")

    def ended(self, verb: str, service: Service, error: CatalogError | None) -> None:
        if error is None and verb == REGISTER:
            self.registered[service.id] = service
        elif isinstance(error, CatalogForgotten) or (error is None and verb == DEREGISTER):
            self.registered.pop(service.id, None)
            if verb == DEREGISTER and not self.last_desired[service.id][1]:
                self.deregistrations.discard(service.id)  # a new request for it meanwhile is served by this one


class World:
    def __init__(self, workers: int) -> None:
        self.model = Model()
        self.known: dict[str, tuple[str, str]] = {}  # what the catalogue has: address and status, by id
        self.state = "up"
        self.call_takes = 0.0
        self.now = 1000.0
        self.desired_state = DesiredState(lambda: 0.5, lambda level, text: None, self._release, Mock())
        self._workers: dict[int, Action | None] = dict.fromkeys(range(workers))
        self._calls: list[tuple[float, int, int, CatalogError | None]] = []
        self._sequence = 0

    def _release(self, done: Callable[[], None]) -> None:
        done()

    # --- desired state

    def set_desired(self, what: str, service: Service) -> None:
        model = self.model
        model.story.append(f"t={self.now:7.2f}      {what} {service.id} {service.address}")
        if what == "deregister":
            model.waiting += 1
            model.deregistrations.add(service.id)
            model.last_desired[service.id] = service, ""
            self.desired_state.deregister(service, self._released, self.now)
            return
        before = model.last_desired.get(service.id)
        if what == "announced" and before is not None and before[0] == service and before[1]:
            return  # it is more than that already
        model.last_desired[service.id] = service, "warning" if what == "announced" else what
        status = cast("Status", "" if what == "announced" else what)
        self.desired_state.register(service, status, "output", self.now)

    def _released(self) -> None:
        self.model.released += 1

    # --- calls

    def _begin(self, worker: int, action: Action) -> None:
        """The catalogue does its part at once; the answer comes later."""
        if any(each is not None and each.desired is action.desired for each in self._workers.values()):
            raise self.model.broken(f"{action.service.id}: two calls at a time")
        self.model.called(action.verb, action.service, self.now)
        self._workers[worker] = action
        error: CatalogError | None = None
        if self.state in FAULTS and (self.state, action.verb) != (
            "is interrupted",
            DEREGISTER,
        ):  # deregistrations never are
            error = FAULTS[self.state]()
            if isinstance(error, CatalogClosed):  # our own side broke this one call off
                self.state = "up"
        elif action.verb == REGISTER:
            self.known[action.service.id] = action.service.address, action.status
        elif action.verb == DEREGISTER:
            self.known.pop(action.service.id, None)
        elif action.verb == LOOK:
            known = self.known.get(action.service.id)
            action.found = CatalogEntry(known[0], 80, alive=True) if known else None
        elif action.service.id not in self.known:
            error = CatalogForgotten("unknown check")
        else:
            self.known[action.service.id] = self.known[action.service.id][0], action.status
        if error is None and self.state == "loses answers":
            error = CatalogUnreachable("connection reset")
        self._sequence += 1
        heapq.heappush(self._calls, (self.now + self.call_takes, self._sequence, worker, error))

    def _end(self) -> None:
        self.now, _, worker, error = heapq.heappop(self._calls)
        action, self._workers[worker] = self._workers[worker], None
        assert action is not None
        self.model.ended(action.verb, action.service, error)
        self.desired_state.ended(action, error, self.now)

    def run(self, seconds: float) -> None:
        """Let workers work for so long."""
        end = self.now + seconds
        for _ in range(2000):
            pauses = []
            for worker, busy in self._workers.items():
                chosen = self.desired_state.next(self.now, worker) if busy is None else None
                if isinstance(chosen, Action):
                    self._begin(worker, chosen)
                elif chosen is not None:
                    pauses.append(self.now + chosen)
            upcoming = min([*pauses, *(call[0] for call in self._calls[:1])], default=end + 1)
            if upcoming > end:
                self.now = end
                return
            if self._calls and self._calls[0][0] <= upcoming:
                self._end()
            else:
                self.now = max(self.now + 1e-6, upcoming)
        raise self.model.broken("it never comes to rest")


def service(number: int, address: int) -> Service:
    name = NAMES[number % len(NAMES)]
    where = ADDRESSES[address % len(ADDRESSES)]
    return Service(name=name, id=f"{name}-host", address=where, port=80, ttl=TTL, initial_status="warning")


def play(workers: int, steps: list[bytes]) -> None:
    """Four bytes a step: what, of whom, how long calls take, how long until the next one."""
    world = World(workers)
    model = world.model
    for what, whom, takes, wait in steps:
        kind = what % 4
        world.call_takes = CALLS[takes % len(CALLS)]
        if kind == 3:
            world.state = STATES[whom % len(STATES)]
            model.story.append(f"t={world.now:7.2f}  the catalogue: {world.state}")
        elif kind == 2 and whom % 3 == 0:
            world.known.clear()
            model.story.append(f"t={world.now:7.2f}  the catalogue forgets all")
        else:
            world.set_desired(DESIRED_STATES[what // 4 % len(DESIRED_STATES)], service(whom, takes))
        world.run((0.0, 0.1, 0.0, 1.0, 0.0, 5.0, 30.0)[wait % 7])

    # In the end the catalogue works, and checks that pass go on passing.
    world.state, world.call_takes = "up", 0.0
    world.run(40.0)
    for one, status in tuple(model.last_desired.values()):
        if status in ("passing", "critical"):
            world.set_desired(status, one)
    world.run(TTL - 1.0)
    for one, status in tuple(model.last_desired.values()):  # what it forgot is noticed at the next check
        if status:
            world.set_desired("passing", one)
            model.last_desired[one.id] = one, "passing"
    world.run(TTL - 1.0)
    wanted = {id: (one.address, status) for id, (one, status) in model.last_desired.items() if status}
    if world.known != wanted:
        raise model.broken(f"the catalogue has {world.known}, and not {wanted}")
    if model.deregistrations:
        raise model.broken(f"deregistrations were never tried: {model.deregistrations}")
    if model.released != model.waiting:
        raise model.broken(f"{model.waiting} wait for a deregistration, and {model.released} were released")
    if len(world.desired_state) > len(wanted):
        raise model.broken(f"{len(world.desired_state)} entries are kept for {len(wanted)} services")
