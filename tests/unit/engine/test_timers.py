"""Tickers keep their phase; the pauses between quick restarts grow, and are forgotten after a long run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from cp.engine.timers import Backoff, Ticker
from tests.unit.engine.world import VirtualLoop

if TYPE_CHECKING:
    from cp.engine.loop import Loop

SHORT, MIDDLE, LONG = 0.5, 5.0, 10.0  # seconds of a run


class Ticks:
    """A ticker every 10 s on a clock that stands still; `at` are the times of its ticks."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.at: list[float] = []
        self.ticker = Ticker(cast("Loop", self.loop), 10.0, lambda: self.at.append(self.loop.time))


def test_ticker_ticks_after_its_delay_and_then_every_interval() -> None:
    ticks = Ticks()
    ticks.loop.time = 3.0
    ticks.ticker.start(2.0)
    ticks.loop.advance(30)
    assert ticks.at == [5.0, 15.0, 25.0]


def test_late_ticks_are_lost_and_the_phase_stays() -> None:
    ticks = Ticks()
    ticks.ticker.start(10.0)
    ticks.loop.time = 34.0  # as after a suspension
    ticks.loop.advance(0)
    assert ticks.at == [34.0]
    ticks.loop.advance(20)
    assert ticks.at == [34.0, 40.0, 50.0]


def test_tick_that_is_late_by_exactly_one_interval_does_not_come_twice() -> None:
    ticks = Ticks()
    ticks.ticker.start(10.0)
    ticks.loop.time = 20.0
    ticks.loop.advance(0)
    assert ticks.at == [20.0]
    ticks.loop.advance(10)
    assert ticks.at == [20.0, 30.0]


def test_stopped_ticker_is_silent_and_may_be_stopped_again() -> None:
    ticks = Ticks()
    ticks.ticker.start(10.0)
    ticks.loop.advance(10)
    ticks.ticker.stop()
    ticks.ticker.stop()
    ticks.loop.advance(100)
    assert ticks.at == [10.0]


def test_ticker_that_is_started_again_has_one_phase_only() -> None:
    ticks = Ticks()
    ticks.ticker.start(10.0)
    ticks.loop.advance(4)
    ticks.ticker.start(10.0)
    ticks.loop.advance(21)
    assert ticks.at == [14.0, 24.0]


def pauses(*runs: float, random: float = 0.5) -> list[float]:
    backoff = Backoff(lambda: random)
    return [round(backoff.pause_after(seconds), 6) for seconds in runs]


def test_first_restart_is_immediate_and_the_pauses_double_up_to_ten_seconds() -> None:
    assert pauses(*[SHORT] * 11) == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


@pytest.mark.parametrize(("random", "factor"), [(0.0, 0.9), (0.25, 0.95), (1.0, 1.1)])
def test_pauses_vary_by_a_tenth(random: float, factor: float) -> None:
    assert pauses(SHORT, SHORT, SHORT, random=random) == [0.0, round(0.1 * factor, 6), round(0.2 * factor, 6)]


def test_run_of_a_second_is_followed_by_no_pause() -> None:
    assert pauses(SHORT, SHORT, 1.0, 0.999) == [0.0, 0.1, 0.0, 0.2]


def test_middle_run_keeps_the_pause_of_short_ones() -> None:
    assert pauses(SHORT, SHORT, SHORT, MIDDLE, SHORT) == [0.0, 0.1, 0.2, 0.0, 0.4]


def test_long_run_resets_the_pauses() -> None:
    assert pauses(SHORT, SHORT, SHORT, SHORT, LONG, SHORT, SHORT) == [0.0, 0.1, 0.2, 0.4, 0.0, 0.1, 0.2]


def test_run_just_short_of_a_long_one_does_not() -> None:
    assert pauses(SHORT, SHORT, SHORT, LONG - 0.001, SHORT) == [0.0, 0.1, 0.2, 0.0, 0.4]
