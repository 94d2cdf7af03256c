"""The budget of a stop: it only counts while something is being terminated."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from cp.engine.termination import StopBudget
from tests.unit.engine.world import VirtualLoop

if TYPE_CHECKING:
    from cp.engine.loop import Loop

APP, CHECK = object(), object()


class Scene:
    """A budget on a clock that stands still; `spent_at` are the times at which it was found spent."""

    def __init__(self, seconds: float) -> None:
        self.loop = VirtualLoop()
        self.loop.time = 100.0
        self.spent_at: list[float] = []
        self.budget = StopBudget(cast("Loop", self.loop), seconds, lambda: self.spent_at.append(self.loop.time - 100.0))


def test_it_is_spent_after_its_seconds_while_it_is_held() -> None:
    scene = Scene(5)
    scene.budget.hold(APP)
    scene.loop.advance(4.9)
    assert not scene.budget.spent
    scene.loop.advance(0.2)
    assert scene.budget.spent
    scene.loop.advance(20)
    assert scene.spent_at == [5.0]


def test_it_does_not_count_while_nothing_holds_it() -> None:
    scene = Scene(5)
    scene.loop.advance(10)
    scene.budget.hold(APP)
    scene.loop.advance(2)
    scene.budget.release(APP)
    scene.loop.advance(10)
    scene.budget.hold(APP)
    scene.loop.advance(2.9)
    assert not scene.budget.spent
    scene.loop.advance(10)
    assert scene.spent_at == [25.0]  # two seconds of the five were used before the second hold, at 22


def test_it_counts_until_the_last_of_several_holders_has_gone() -> None:
    scene = Scene(5)
    scene.budget.hold(APP)
    scene.loop.advance(1)
    scene.budget.hold(CHECK)
    scene.budget.release(APP)
    scene.loop.advance(1)
    scene.budget.release(CHECK)
    scene.loop.advance(10)
    assert scene.spent_at == []
    scene.budget.hold(APP)
    scene.loop.advance(10)
    assert scene.spent_at == [15.0]  # held from 12 on, with three seconds left


def test_second_holder_does_not_restart_the_count() -> None:
    scene = Scene(5)
    scene.budget.hold(APP)
    scene.loop.advance(3)
    scene.budget.hold(CHECK)
    scene.loop.advance(10)
    assert scene.spent_at == [5.0]


def test_release_by_another_holder_changes_nothing() -> None:
    scene = Scene(5)
    scene.budget.release(APP)
    scene.budget.hold(APP)
    scene.budget.release(CHECK)
    scene.loop.advance(10)
    assert scene.spent_at == [5.0]


def test_two_releases_give_no_time_back() -> None:
    scene = Scene(5)
    scene.budget.hold(APP)
    scene.loop.advance(2)
    scene.budget.release(APP)
    scene.budget.release(APP)
    scene.loop.advance(1)
    scene.budget.hold(APP)
    scene.loop.advance(10)
    assert scene.spent_at == [6.0]


@pytest.mark.parametrize(
    ("held", "spent_at"),
    [
        ([], 5.0),
        ([(0.0, 1.0)], 5.0),
        ([(0.0, 0.4)], 5.0),
        ([(0.2, 0.4), (0.5, 0.6)], 5.0),
        ([(0.0, 3.0)], 5.0),
        ([(0.7, 3.0)], 5.0),
        ([(0.7, 9.0)], 5.0),
    ],
    ids=["not at all", "throughout", "at first", "twice", "and later", "at last", "until it is spent"],
)
def test_time_that_something_else_took_counts_once_for_all_holders(
    held: list[tuple[float, float]], spent_at: float
) -> None:
    """The first second goes to something else. From then on, except for a pause, it is held until it is spent."""
    scene = Scene(5)
    steps = [
        (1.0, "charge"),
        *((at, word) for times in held for at, word in zip(times, ("hold", "release"), strict=True)),
    ]
    for at, word in sorted(steps):
        scene.loop.advance(at - (scene.loop.time - 100.0))
        {
            "charge": lambda: scene.budget.charge(1.0),
            "hold": lambda: scene.budget.hold(CHECK),
            "release": lambda: scene.budget.release(CHECK),
        }[word]()
    paused = max(0.0, scene.loop.time - 100.0 - max([1.0, *(end for _, end in held)]))
    scene.budget.hold(APP)
    scene.loop.advance(10)
    assert scene.spent_at == [pytest.approx(spent_at + paused)]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_seconds_are_spent_from_the_beginning_and_not_reported(seconds: float) -> None:
    scene = Scene(seconds)
    assert scene.budget.spent
    scene.budget.hold(APP)
    scene.loop.advance(10)
    scene.budget.release(APP)
    assert scene.budget.spent
    assert scene.spent_at == []


def test_closed_budget_counts_no_more_and_can_be_held_again() -> None:
    scene = Scene(5)
    scene.budget.hold(APP)
    scene.loop.advance(1)
    scene.budget.close()
    scene.loop.advance(10)
    assert scene.spent_at == []
    scene.budget.hold(CHECK)
    scene.loop.advance(10)
    assert len(scene.spent_at) == 1
