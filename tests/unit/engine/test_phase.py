"""The phase of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.engine.phase import DEREGISTERING, DRAINING, KILLING, MOVES, RUNNING, STARTING, STOPPING, Phase
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, job

if TYPE_CHECKING:
    from cp.engine.phase import PhaseName


def at(name: PhaseName) -> Phase:
    phase = Phase()
    phase.name = name
    return phase


def test_every_phase_is_reached_from_the_first_one() -> None:
    reached: set[PhaseName] = {STARTING}
    for _ in MOVES:
        reached |= {to for name in reached for to in MOVES[name]}
    assert reached == set(MOVES) == {STARTING, RUNNING, DEREGISTERING, DRAINING, STOPPING, KILLING}


@pytest.mark.parametrize("to", [STARTING, RUNNING])
@pytest.mark.parametrize("name", [DEREGISTERING, DRAINING, STOPPING, KILLING])
def test_a_stop_is_never_taken_back(name: PhaseName, to: PhaseName) -> None:
    phase = at(name)
    with pytest.raises(RuntimeError, match=f"cannot move from {name} to {to}"):
        phase.move(to)
    assert phase.name == name


@pytest.mark.parametrize(
    ("name", "is_stopping", "ends_jobs"),
    [
        (STARTING, False, False),
        (RUNNING, False, False),
        (DEREGISTERING, True, False),
        (DRAINING, True, False),
        (STOPPING, True, True),
        (KILLING, True, True),
    ],
)
def test_phases_of_a_stop(name: PhaseName, is_stopping: bool, ends_jobs: bool) -> None:
    assert (at(name).is_stopping, at(name).ends_jobs) == (is_stopping, ends_jobs)


def registered() -> JobsWorld:
    world = JobsWorld(job("app", health=check("app"), service=advertised("app")), shutdown_timeout=30.0)
    world.processes.termination["check"] = (0.1, 0)
    return world


def test_phases_of_a_life() -> None:
    world = registered()
    world.discovery.delay = 0.1
    phases = [world.engine.phase.name]
    world.engine.start()
    phases.append(world.engine.phase.name)
    world.loop.settle()
    phases.append(world.engine.phase.name)
    world.advance(2.0)
    world.terminate()
    phases.append(world.engine.phase.name)
    world.advance(0.2)
    phases.append(world.engine.phase.name)
    world.advance(30.0)
    assert phases == [STARTING, STARTING, RUNNING, DEREGISTERING, STOPPING]
    assert world.over


def test_third_request_exits_in_every_phase_of_the_stop() -> None:
    world = registered().start()
    world.discovery.delay = None
    world.advance(2.0)
    for _ in range(3):
        world.terminate()
    assert world.engine.phase.name == KILLING


def test_stop_before_the_first_process_runs_is_not_taken_for_a_start() -> None:
    world = JobsWorld(job("app", main=True))
    world.engine.start()
    world.engine.request_stop(15)
    world.loop.settle()
    assert world.engine.phase.is_stopping
