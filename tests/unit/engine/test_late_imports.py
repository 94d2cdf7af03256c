"""Modules of the engine that no start needs, and that cannot be imported when they are needed."""

from __future__ import annotations

import sys

import pytest

from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import job, once

CHANGES, SKIPPING = "cp.engine.reload", "cp.engine.skipping"


@pytest.fixture
def nothing_to_read_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CHANGES, SKIPPING):
        monkeypatch.setitem(sys.modules, name, None)  # its import raises ImportError


@pytest.mark.usefixtures("nothing_to_read_with")
def test_a_request_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    world = JobsWorld(job("app")).start()

    [why] = world.ask("restart", "app")

    assert why.startswith("cannot change anything: ")
    assert f"error: {why}" in world.log.lines
    assert world.processes.running("app")
    monkeypatch.undo()
    assert world.ask("restart", "app") == [""]
    assert world.starts("app") == ["app"] * 2


@pytest.mark.usefixtures("nothing_to_read_with")
def test_the_program_stops_and_ends_without_them() -> None:
    world = JobsWorld(job("app", main=True), job("after", once("exitSuccess", "app"))).start()
    world.terminate()
    assert world.over

    world = JobsWorld(job("first"), job("after", once("exitSuccess", "first")), job("app", main=True)).start()
    world.exit("first", 1)
    assert any(line.startswith("error: cannot look for jobs that wait in vain: ") for line in world.log.lines)
    world.exit("app")
    assert world.over
