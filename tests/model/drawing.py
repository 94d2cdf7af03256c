"""Scenarios from chance: for hypothesis, which makes failing ones smaller, and from a seed, for the soak."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.model.more import CHECKS, MANNER_BYTES, PLAN_BYTES, PROBE_BYTES
from tests.model.rules import Broken, Unmodelled
from tests.model.scenario import CHILD_BYTES, JOB_BYTES, SHARED_BYTES, STEP_BYTES, Rest, Scenario, decode
from tests.model.world import World

MOST_JOBS, MOST_STEPS, MOST_RELOADS, COMMANDS = 5, 12, 2, 10
# How much of each there may be (the least and the most, which a byte chooses) and the size of one.
PIECES = (
    *[(1, MOST_JOBS, JOB_BYTES)] * (1 + MOST_RELOADS),
    (COMMANDS, COMMANDS, 2 * CHILD_BYTES),
    (0, MOST_STEPS, STEP_BYTES),
    (1, 1, 1 + SHARED_BYTES),
)
# Checks without a process, readiness and watchdogs came later.
MORE_PIECES = (
    *[(MOST_JOBS, MOST_JOBS, PLAN_BYTES)] * (1 + MOST_RELOADS),
    (MOST_JOBS, MOST_JOBS, MANNER_BYTES),
    (CHECKS * MOST_JOBS, CHECKS * MOST_JOBS, PROBE_BYTES),
    (0, MOST_STEPS, STEP_BYTES),
)


def _size(pieces: tuple[tuple[int, int, int], ...]) -> int:
    return sum(1 + most * size for _, most, size in pieces)


SIZE, MORE_SIZE = _size(PIECES), 1 + _size(MORE_PIECES)


def scenarios(dialect: str) -> st.SearchStrategy[Scenario]:
    """In one draw: hypothesis plays every second example with zeros for all draws but the first ones."""
    size = SIZE if dialect == "services" else SIZE + MORE_SIZE
    return st.binary(min_size=size, max_size=size).map(lambda data: from_bytes(dialect, data))


def from_seed(seed: int, *, more: bool = True) -> Scenario:
    """The scenario of this number: always the same one. Without `more` it is the one of a time before that."""
    chance = Random(seed)
    data = chance.randbytes(SIZE)  # first: the rest does not change these
    return from_bytes("services" if seed % 4 == 3 else "jobs", data + (chance.randbytes(MORE_SIZE) if more else b""))


def from_bytes(dialect: str, data: bytes) -> Scenario:
    """Zeros are the simplest choice everywhere, and the least of everything."""
    *plans, children, steps, (shared,) = _cut(data[:SIZE], PIECES)
    rest, others = None, data[SIZE:]
    if dialect == "jobs" and others and others[0] % 3:
        *more_plans, manners, probes, more_steps = _cut(others[1:], MORE_PIECES)
        rest = Rest(more_plans, manners, probes, more_steps, others[0] // 3)
    number = 1 + shared[0] % (1 + MOST_RELOADS)
    return decode(dialect, plans[0], plans[1:number], children, steps, shared[1:], rest)


def _cut(data: bytes, pieces: tuple[tuple[int, int, int], ...]) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    for least, most, size in pieces:
        number, piece, data = data[0], data[1 : 1 + most * size], data[1 + most * size :]
        parts = [piece[at : at + size] for at in range(0, len(piece), size)]
        found.append(parts[: least + number % (most - least + 1)])
    return found


def registrar_scenario_from_seed(seed: int) -> tuple[int, list[bytes]]:
    """How many workers there are, and what happens to the catalogue."""
    chance = Random(seed)
    return 1 + seed % 3, [chance.randbytes(4) for _ in range(chance.randint(0, 25))]


def play(scenario: Scenario) -> World:
    """The world afterwards. AssertionError with what was promised, and with all that happened, if it was not kept."""
    world = World(scenario)
    try:
        world.play()
    except Unmodelled:
        world.counts["unmodelled"] += 1
    except Broken as broken:
        raise AssertionError(f"{broken}\n{world.table()}") from broken
    except Exception as error:  # whatever it is, what led to it is to be seen
        raise AssertionError(f"{type(error).__name__}: {error}\n{world.table()}") from error
    return world
