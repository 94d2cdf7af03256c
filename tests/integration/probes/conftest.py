"""A world of checks for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.full_epoll import descriptors
from tests.integration.probes.serving import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cp.platform.resolver import Resolver


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Makes a world with a resolver of the test's own."""
    before = descriptors()
    made: list[World] = []

    def make(resolver: Resolver | None = None) -> World:
        made.append(World(resolver))
        return made[-1]

    yield make
    for world in made:
        world.verify_rest(before)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
