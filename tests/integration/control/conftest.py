"""A control plane for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.control.serving import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.http.server import Limits


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Makes a world with limits of the test's own."""
    monkeypatch.chdir(tmp_path)  # the path of the socket is short, however long the folder's is
    worlds: list[World] = []

    def make(limits: Limits | None = None, *, announced: bool = True) -> World:
        worlds.append(
            World(f"socket{len(worlds)}", announced=announced)
            if limits is None
            else World(f"socket{len(worlds)}", limits, announced=announced)
        )
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
        assert not os.path.lexists(world.path)


@pytest.fixture
def world(serve: Callable[..., World]) -> World:
    return serve()
