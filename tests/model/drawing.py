"""Scenarios from chance: for hypothesis, which makes failing ones smaller, and from a seed, for the soak."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.model.rules import Broken
from tests.model.scenario import CHILD_BYTES, JOB_BYTES, SHARED_BYTES, STEP_BYTES, Scenario, decode
from tests.model.world import World

MOST_JOBS, MOST_STEPS, MOST_RELOADS, COMMANDS = 5, 12, 2, 10
# How much of each there may be (the least and the most, which a byte chooses) and the size of one.
PIECES = (
    *[(1, MOST_JOBS, JOB_BYTES)] * (1 + MOST_RELOADS),
    (COMMANDS, COMMANDS, 2 * CHILD_BYTES),
    (0, MOST_STEPS, STEP_BYTES),
    (1, 1, 1 + SHARED_BYTES),
)
SIZE = sum(1 + most * size for _, most, size in PIECES)


def scenarios(dialect: str) -> st.SearchStrategy[Scenario]:
    """In one draw: hypothesis plays every second example with zeros for all draws but the first ones."""
    return st.binary(min_size=SIZE, max_size=SIZE).map(lambda data: from_bytes(dialect, data))


def from_seed(seed: int) -> Scenario:
    """The scenario of this number: always the same one."""
    return from_bytes("services" if seed % 4 == 3 else "jobs", Random(seed).randbytes(SIZE))


def from_bytes(dialect: str, data: bytes) -> Scenario:
    """Zeros are the simplest choice everywhere, and the least of everything."""
    pieces: list[list[bytes]] = []
    for least, most, size in PIECES:
        number, data, rest = data[0], data[1 : 1 + most * size], data[1 + most * size :]
        pieces.append([data[at : at + size] for at in range(0, len(data), size)][: least + number % (most - least + 1)])
        data = rest
    *plans, children, steps, (shared,) = pieces
    return decode(dialect, plans[0], plans[1 : 1 + shared[0] % (1 + MOST_RELOADS)], children, steps, shared[1:])


def registrar_scenario_from_seed(seed: int) -> tuple[int, list[bytes]]:
    """How many workers there are, and what happens to the catalogue."""
    chance = Random(seed)
    return 1 + seed % 3, [chance.randbytes(4) for _ in range(chance.randint(0, 25))]


def play(scenario: Scenario) -> World:
    """The world afterwards. AssertionError with what was promised, and with all that happened, if it was not kept."""
    world = World(scenario)
    try:
        world.play()
    except Broken as broken:
        raise AssertionError(f"{broken}\n{world.table()}") from broken
    except Exception as error:  # whatever it is, what led to it is to be seen
        raise AssertionError(f"{type(error).__name__}: {error}\n{world.table()}") from error
    return world
