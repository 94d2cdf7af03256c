"""An instance of this program: its real `DesiredState` and its real watchers, on simulated time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.fleet.agent import Agent
from benchmarks.fleet.client import Call, Client
from benchmarks.fleet.world import World
from cp.catalog.desired import DesiredState
from cp.catalog.desired_service import HEARTBEAT, LOOK, REGISTER, Action
from cp.catalog.protocol import CatalogError, Instance
from cp.catalog.reports import Reports
from cp.catalog.watcher import Watcher
from cp.engine.catalog_status import CatalogStatus
from cp.plan import Service, Watch


class _Loop:
    """What a watcher's thread posts to the engine's happens at once."""

    def post(self, callback: Callable[..., object], *arguments: Any) -> None:
        callback(*arguments)

    post_lazily = post

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> Any:
        raise NotImplementedError("only a watcher that gets no thread waits")


class _Log:
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


LOOP, LOG = _Loop(), _Log()


class Pilot:
    """One service with its heartbeats, and the watches; `poll` is the interval of all of them."""

    def __init__(
        self,
        world: World,
        agent: Agent,
        client: Client,
        name: str,
        instance: Instance,
        watched: list[str],
        poll: float,
        ttl: float,
    ) -> None:
        self._world = world
        self._client = client
        self._poll = poll
        self._service = Service(name=name, id=instance.id, address=instance.address, port=instance.port, ttl=int(ttl))
        reports = Reports(LOOP, CatalogStatus(lambda: world.now))
        self._desired_state = DesiredState(world.random.random, lambda level, text: None, lambda done: done(), reports)
        self._calling = False
        self._wake_at = 0.0  # when the registrar wants to look again
        self._stopped = False
        self._followers = [Follower(world, agent, client, each, poll) for each in watched]

    def start(self) -> None:
        """The first check passes one interval from now; watches look at once."""
        self._world.at(self._world.now + self._poll, self._check)
        for follower in self._followers:
            follower.step()

    def stop(self) -> None:
        self._stopped = True
        for follower in self._followers:
            follower.stop()
        self._desired_state.deregister(self._service, None, self._world.now)
        self._work()

    def is_up_to_date(self) -> bool:
        return all(follower.is_up_to_date() for follower in self._followers)

    def _check(self) -> None:
        if not self._stopped:
            self._world.at(self._world.now + self._poll, self._check)
            self._desired_state.register(self._service, "passing", "", self._world.now)
            self._work()

    def _work(self) -> None:
        """What the registrar's worker does."""
        if self._calling:
            return
        chosen = self._desired_state.next(self._world.now, self)
        if isinstance(chosen, Action):
            self._calling = True
            Call(self._client, lambda: self._make(chosen), lambda result: self._ended(chosen, result))
        elif chosen is not None:
            self._wake_at = self._world.now + chosen
            self._world.at(self._wake_at, self._woken)

    def _woken(self) -> None:
        if self._world.now == self._wake_at:  # not one that was meant before something else came between
            self._work()

    def _make(self, action: Action) -> None:
        if action.verb == HEARTBEAT:
            self._client.heartbeat(action.service, action.status, action.output)
        elif action.verb == REGISTER:
            self._client.register(action.service, action.status)
        elif action.verb == LOOK:
            action.found = self._client.entry(action.service)
        else:
            self._client.deregister(action.service)

    def _ended(self, action: Action, result: object) -> None:
        self._calling = False
        self._desired_state.ended(action, result if isinstance(result, CatalogError) else None, self._world.now)
        self._work()


class Follower:
    """A real watcher; its thread is the simulation."""

    def __init__(self, world: World, agent: Agent, client: Client, name: str, interval: float) -> None:
        self._world = world
        self._agent = agent
        self._client = client
        self._name = name
        self._stopped = False
        self._began = 0.0
        self._clock_was_read = False
        self._call: Call | None = None
        self._watcher = Watcher(
            Watch(name=name, source=f"watch.{name}", interval=interval),
            lambda: client,
            LOOP,
            LOG,
            lambda found: None,
            listener=CatalogStatus(lambda: world.now),
            random=world.random.random,
            clock=self._clock,
        )

    def step(self) -> None:
        if not self._stopped:
            self._began = self._world.now
            self._call = Call(self._client, self._step, self._stepped)

    def stop(self) -> None:
        self._stopped = True
        if self._call is not None:
            self._call.break_off()

    def is_up_to_date(self) -> bool:
        known = [instance.id for instance in self._watcher.memory]
        return known == sorted(self._agent.ids(self._name))

    def _step(self) -> float:
        self._clock_was_read = False
        return self._watcher.step()

    def _clock(self) -> float:
        """A step reads it before its question and after; the first reading is the same when it is made again."""
        if self._clock_was_read:
            return self._world.now
        self._clock_was_read = True
        return self._began

    def _stepped(self, pause: object) -> None:
        assert isinstance(pause, float)
        self._call = None
        if pause > 0:
            self._world.at(self._world.now + pause, self.step)
        else:
            self.step()
