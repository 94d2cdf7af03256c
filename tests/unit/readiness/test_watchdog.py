"""How long a process may be silent, on a clock that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from cp.readiness.watchdog import LOOKS, Watchdog
from tests.unit.engine.world import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop

LIMIT = 30.0


class Scene:
    def __init__(self, read_pending: Callable[[], object] = bool) -> None:
        self.loop = VirtualLoop()
        self.silent_at: list[float] = []
        self.watchdog = Watchdog(cast("Loop", self.loop), LIMIT, read_pending, self._is_silent)
        self.watchdog.start()

    def _is_silent(self) -> None:
        self.silent_at.append(self.loop.now())

    def pause(self, seconds: float) -> None:
        """The container stands still, and the clock goes on."""
        self.loop.time += seconds


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_silence_is_noticed_once(scene: Scene) -> None:
    scene.loop.advance(LIMIT - 0.1)
    assert not scene.silent_at
    scene.loop.advance(500)
    assert scene.silent_at == [pytest.approx(LIMIT)]


@pytest.mark.parametrize("moment", [0.1, 7.5, 20.0, 29.9])
def test_the_time_counts_from_the_last_report(scene: Scene, moment: float) -> None:
    scene.loop.advance(moment)
    scene.watchdog.reported()
    scene.loop.advance(500)
    assert scene.silent_at == [pytest.approx(moment + LIMIT)]


def test_reports_make_no_timers(scene: Scene) -> None:
    before = scene.loop._sequence
    for _ in range(1000):
        scene.watchdog.reported()
        scene.loop.advance(0.03)
    assert scene.loop._sequence - before <= LOOKS + 1
    assert not scene.silent_at


def test_nothing_is_noticed_after_its_end(scene: Scene) -> None:
    scene.loop.advance(LIMIT - 1)
    scene.watchdog.stop()
    scene.loop.advance(500)
    assert not scene.silent_at


def test_each_start_begins_anew(scene: Scene) -> None:
    scene.loop.advance(LIMIT - 1)
    scene.watchdog.start()
    scene.loop.advance(LIMIT - 1)
    assert not scene.silent_at
    scene.loop.advance(1)
    assert len(scene.silent_at) == 1


@pytest.mark.parametrize("at", [0.0, 1.0, 10.0, 22.0])
@pytest.mark.parametrize("pause", [20.0, 31.0, 3600.0])
def test_a_pause_of_the_container_is_no_silence(scene: Scene, at: float, pause: float) -> None:
    """The process had as little time as we, and needs some after the pause."""
    scene.loop.advance(at)
    scene.pause(pause)
    scene.loop.advance(LIMIT - at - LIMIT / LOOKS - 0.1)
    assert not scene.silent_at
    scene.loop.advance(LIMIT)
    assert len(scene.silent_at) == 1


def test_what_has_come_and_was_not_read_counts() -> None:
    late = Scene(lambda: late.watchdog.reported() if late.loop.now() < LIMIT + 1 else None)
    late.loop.advance(LIMIT + 1)
    assert not late.silent_at
    late.loop.advance(LIMIT + 1)
    assert len(late.silent_at) == 1


def test_what_has_come_may_end_the_watch() -> None:
    late = Scene(lambda: late.watchdog.stop())
    late.loop.advance(500)
    assert not late.silent_at
