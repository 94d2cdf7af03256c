"""Registrars on a virtual clock, which leave no descriptor open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.catalog.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def new_scene() -> Iterator[Callable[[], Scene]]:
    made: list[Scene] = []

    def make() -> Scene:
        made.append(Scene())
        return made[-1]

    yield make
    for scene in made:
        scene.close()


@pytest.fixture
def scene(new_scene: Callable[[], Scene]) -> Scene:
    return new_scene()
