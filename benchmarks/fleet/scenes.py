"""What happens to the fleet, and what is measured of it."""

from __future__ import annotations

import gc
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.fleet.agent import Agent
from benchmarks.fleet.client import Client
from benchmarks.fleet.go import GoPilot
from benchmarks.fleet.pilot import Pilot
from benchmarks.fleet.world import World
from benchmarks.samples import quantile
from cp.catalog.protocol import Instance

OURS, GO = "containerpilot", "ContainerPilot 3.8"
POLL, TTL, WATCHES = 5.0, 15.0, 3  # seconds, seconds
SERVICE_SIZE = 20  # instances of one service
SHARE_REPLACED = 0.1
WHILE = 20.0  # seconds, in which a start or a return is over
MINUTE = 60.0

AT_ONCE, STEADY_IN_STEP = "all start at the same moment", "… the next 20 s"
SPREAD, STEADY = "all start within 10 s", "… the 20 s after the first 20"
DEPLOY = "a tenth is replaced within a minute"
AWAY, BACK, BACK_EMPTY = "Consul is away for a minute", "… and is back with its data", "… or is back empty"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one scene: requests a second, and how it ended."""

    scene: str
    size: int  # of the fleet
    mean: float
    peak: int  # of the busiest second
    p99: float  # of all seconds
    refused: int  # because too many waited
    healed: float | None  # seconds until all instances were healthy, permanently; None: at the end some were not
    missing: int  # instances that were not healthy at the end
    stale: int  # instances with a watch that did not know the truth at the end
    seconds: float

    @property
    def each(self) -> float:
        """Requests of one instance."""
        return self.mean * self.seconds / self.size


class Run:
    """One fleet on one Consul."""

    def __init__(self, who: str, size: int, *, start_within: float, seed: int) -> None:
        self._who = who
        self._size = size
        self._world = World(seed)
        self._agent = Agent(self._world)
        self._client = Client(self._agent)
        self._names = [f"service-{number}" for number in range(size // SERVICE_SIZE)]
        self._pilots = [self._pilot(number, 0) for number in range(size)]
        for pilot in self._pilots:
            self._world.at(self._world.random.random() * start_within, pilot.start)

    def _pilot(self, number: int, life: int) -> Pilot | GoPilot:
        """The watches are those of the next three services: each service is watched by 60 instances."""
        world, agent, names = self._world, self._agent, self._names
        mine = number % len(names)
        instance = Instance(f"{names[mine]}-{number}-{life}", f"10.{life}.{number // 256}.{number % 256}", 80)
        watched = [names[(mine + 1 + each) % len(names)] for each in range(WATCHES)]
        if self._who == GO:
            return GoPilot(world, agent, names[mine], instance, watched, POLL, TTL)
        return Pilot(world, agent, self._client, names[mine], instance, watched, POLL, TTL)

    def scene(self, name: str, seconds: float, rest: float = 0.0) -> Figures:
        """Requests are counted for so long; then there is `rest` more until all is to be well."""
        world, agent = self._world, self._agent
        begin = world.now
        world.run_until(begin + seconds)
        span = range(round(begin), round(begin + seconds))
        counts = [agent.requests[second] for second in span]
        refused = sum(agent.overloaded[second] for second in span)
        world.run_until(begin + seconds + rest)
        missing = self._size - agent.healthy
        return Figures(
            scene=name,
            size=self._size,
            mean=sum(counts) / seconds,
            peak=max(counts),
            p99=quantile([float(count) for count in counts], 0.99),
            refused=refused,
            healed=None if missing else max(0.0, agent.changed_at - begin),
            missing=missing,
            stale=sum(not pilot.is_up_to_date() for pilot in self._pilots),
            seconds=seconds,
        )

    def deploy(self) -> None:
        """A tenth of the instances, of all services, is replaced one by one within the next minute."""
        chance = self._world.random
        for number in chance.sample(range(self._size), round(self._size * SHARE_REPLACED)):
            self._world.at(self._world.now + chance.random() * MINUTE, self._replace, number)

    def _replace(self, number: int) -> None:
        self._pilots[number].stop()
        self._pilots[number] = self._pilot(number, 1)
        self._pilots[number].start()

    def leave(self) -> None:
        self._agent.leave()

    def come_back(self, *, empty: bool) -> None:
        self._agent.come_back(empty=empty)


def play(who: str, size: int, seed: int = 1) -> list[Figures]:
    """All scenes, in two runs: in one the whole fleet starts in step, in the other it does not."""
    gc.disable()  # there is no garbage but what goes by itself, and to look for it takes a third of the time
    run = Run(who, size, start_within=0.0, seed=seed)
    figures = [run.scene(AT_ONCE, WHILE), run.scene(STEADY_IN_STEP, WHILE)]
    del run

    run = Run(who, size, start_within=10.0, seed=seed)
    figures += [run.scene(SPREAD, WHILE), run.scene(STEADY, WHILE)]
    run.deploy()
    figures.append(run.scene(DEPLOY, MINUTE, rest=WHILE))
    run.leave()
    figures.append(run.scene(AWAY, MINUTE))

    def back(name: str, empty: bool) -> Figures:
        run.come_back(empty=empty)
        return run.scene(name, WHILE)

    figures.append(_in_a_copy(lambda: back(BACK, empty=False)))
    figures.append(back(BACK_EMPTY, empty=True))
    gc.enable()
    return figures


def _in_a_copy(play: Callable[[], Figures]) -> Figures:
    """Plays on in a copy of this process: the same minute can be followed by something else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writer, pickle.dumps(play()))  # a few hundred bytes: the pipe takes them all
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the copy ended with status {status}")
    figures = pickle.loads(content)
    assert isinstance(figures, Figures)
    return figures
