"""Scenarios from chance: for hypothesis, which makes failing ones smaller, and from a seed, for the soak."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.model.rules import Broken
from tests.model.scenario import CHILD_BYTES, JOB_BYTES, SHARED_BYTES, STEP_BYTES, Scenario, decode
from tests.model.world import World

MOST_JOBS, MOST_STEPS, MOST_RELOADS, COMMANDS = 5, 12, 2, 10


def scenarios(dialect: str) -> st.SearchStrategy[Scenario]:
    """What is not a list of its own is drawn in one piece: each draw costs more than what is played with it."""
    return st.builds(
        lambda first, others, children, steps, shared: decode(
            dialect, first, [_some_jobs(each) for each in others], _cut(children, 2 * CHILD_BYTES), steps, shared
        ),
        st.lists(_bytes(JOB_BYTES), min_size=1, max_size=MOST_JOBS),
        st.lists(_bytes(1 + MOST_JOBS * JOB_BYTES), max_size=MOST_RELOADS),
        _bytes(COMMANDS * 2 * CHILD_BYTES),
        st.lists(_bytes(STEP_BYTES), max_size=MOST_STEPS),
        _bytes(SHARED_BYTES),
    )


def _bytes(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _some_jobs(data: bytes) -> list[bytes]:
    """The first byte tells how many."""
    return _cut(data[1:], JOB_BYTES)[: 1 + data[0] % MOST_JOBS]


def from_seed(seed: int) -> Scenario:
    """The scenario of this number: always the same one."""
    chance = Random(seed)

    def many(least: int, most: int, size: int) -> list[bytes]:
        return [chance.randbytes(size) for _ in range(chance.randint(least, most))]

    dialect = "services" if seed % 4 == 3 else "jobs"
    first = many(1, MOST_JOBS, JOB_BYTES)
    others = [many(1, MOST_JOBS, JOB_BYTES) for _ in range(chance.randint(0, MOST_RELOADS))]
    children, steps = many(COMMANDS, COMMANDS, 2 * CHILD_BYTES), many(0, MOST_STEPS, STEP_BYTES)
    return decode(dialect, first, others, children, steps, chance.randbytes(SHARED_BYTES))


def wishes_from_seed(seed: int) -> tuple[int, list[bytes]]:
    """How many workers there are, and what happens to the catalogue."""
    chance = Random(seed)
    return 1 + seed % 3, [chance.randbytes(4) for _ in range(chance.randint(0, 25))]


def play(scenario: Scenario) -> World:
    """The world afterwards. AssertionError with what was promised, and with all that happened, if it was not kept."""
    world = World(scenario)
    try:
        world.play()
    except Broken as broken:
        raise AssertionError(f"{broken}\n{world.told()}") from broken
    except Exception as error:  # whatever it is, what led to it is to be seen
        raise AssertionError(f"{type(error).__name__}: {error}\n{world.told()}") from error
    return world
