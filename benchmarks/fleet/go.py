"""An instance of ContainerPilot 3.8, modelled: it asks every interval, whatever has happened, and registers once."""

from __future__ import annotations

from benchmarks.fleet.agent import Agent, Answer
from benchmarks.fleet.world import World
from cp.catalog.protocol import Instance


class GoPilot:
    """Heartbeat and watches each keep the phase of the start; a tick that comes during a call is lost."""

    def __init__(
        self, world: World, agent: Agent, name: str, instance: Instance, watched: list[str], poll: float, ttl: float
    ) -> None:
        self._world = world
        self._agent = agent
        self._name = name
        self._instance = instance
        self._watched = watched
        self._poll = poll
        self._ttl = ttl
        self._registered = False
        self._stopped = False

    def start(self) -> None:
        first = self._world.now + self._poll
        self._world.at(first, self._check, first)
        for name in self._watched:
            self._world.at(first, self._look, name, first)

    def stop(self) -> None:
        self._stopped = True
        self._agent.deregister(self._instance.id, lambda answer: None)

    def is_up_to_date(self) -> bool:
        return True  # within one poll: it keeps no connection, and nothing that could be lost

    def _check(self, began: float) -> None:
        if self._stopped:
            return
        if self._registered:
            self._heartbeat(began)
        else:
            self._agent.register(
                self._name, self._instance, self._ttl, "passing", lambda answer: self._was_registered(answer, began)
            )

    def _was_registered(self, answer: Answer | None, began: float) -> None:
        self._registered = answer is not None and answer.status == 200
        self._heartbeat(began)  # it is sent regardless

    def _heartbeat(self, began: float) -> None:
        def ended(answer: Answer | None) -> None:
            # Whatever the answer is: a service that Consul has forgotten is not registered again.
            following = self._next(began)
            self._world.at(following, self._check, following)

        self._agent.heartbeat(self._instance.id, ended)

    def _look(self, name: str, began: float) -> None:
        def ended(answer: Answer | None) -> None:
            following = self._next(began)
            self._world.at(following, self._look, name, following)

        if not self._stopped:
            self._agent.healthy_instances(name, ended)

    def _next(self, began: float) -> float:
        late = self._world.now - began
        return began + self._poll * (1 + int(late / self._poll))
