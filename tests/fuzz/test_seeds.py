"""Each good input passes its target, and there are some for each."""

from __future__ import annotations

import pytest

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

SEED_CASES = [
    pytest.param(name, seed, id=f"{name}-{at}") for name, seeds in SEEDS.items() for at, seed in enumerate(seeds)
]


def test_every_target_has_good_inputs() -> None:
    assert set(SEEDS) == set(TARGETS)


@pytest.mark.parametrize(("name", "seed"), SEED_CASES)
def test_a_good_input_passes(name: str, seed: bytes) -> None:
    TARGETS[name](seed)
